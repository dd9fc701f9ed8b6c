'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { go: { tokens } } = run('go');

/** Returns the coloured parts of a text, each as its kind and its text. */
const coloured = (text) => {
  const found = tokens(text);
  const parts = [];
  for (let at = 0; at < found.length; at += 3) parts.push(`${found[at + 2]} ${text.slice(found[at], found[at + 1])}`);
  return parts;
};

const assertColours = (rows) => {
  for (const [text, ...wanted] of rows) assert.deepStrictEqual(coloured(text), wanted, text);
};

test('a keyword is a whole word', () => {
  assertColours([
    ['func f() {}', 'k func'],
    ['if x { return }', 'k if', 'k return'],
    ['funcs iffy x.range_ Go'],
    ['x.range', 'k range'],
    ['fallthrough interfaces', 'k fallthrough'],
    ['if0 if9 ifA ifZ ifa ifz if_ 0if', 'd 0if'],
  ]);
});

test('a comment ends with its line or its mark, or with the text', () => {
  assertColours([
    ['x // y "z"\nvar', 'c // y "z"', 'k var'],
    ['/* a\n * b */ if', 'c /* a\n * b */', 'k if'],
    ['/* open', 'c /* open'],
    ['//', 'c //'],
    ['a / b /', ],
  ]);
});

test('a string ends with its quote or its line, and a quote may be escaped', () => {
  assertColours([
    ['"a\\"b" if', 's "a\\"b"', 'k if'],
    ['\'\\\'\' \'"\'', 's \'\\\'\'', 's \'"\''],
    ['"open\nif', 's "open', 'k if'],
    ['"\\', 's "\\'],
    ['"\\\\" "x"', 's "\\\\"', 's "x"'],
    ['"// no comment"', 's "// no comment"'],
  ]);
});

test('a raw string goes over lines and knows no escape', () => {
  assertColours([['`` if', 's ``', 'k if'], ['`a\n\\` if', 's `a\n\\`', 'k if'], ['`open\n"', 's `open\n"']]);
});

test('a number begins with a digit', () => {
  assertColours([['0x2a + 1_000 + x2', 'd 0x2a', 'd 1_000'], ['1.5e3', 'd 1', 'd 5e3']]);
});

test('a word of bytes beyond ASCII is one word', () => {
  // "größe" as the page decodes its bytes, a character for each.
  assertColours([['grÃ¶ÃŸe if', 'k if'], ['Ã¶if']]);
});
