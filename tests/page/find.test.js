'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { find: { searchOf, hitsIn } } = run('go', 'layout', 'find');

const SOURCE = 'package p\n\nfunc f() {\n\tgo("größe") // Go\n\treturn go2\n}\n// the end: GO';
/** Lines 3 and 4 were executed, line 5 never, line 6 partly. */
const STATES = [3, 2, 1, 7, 1, 1, 3, 0, 1, 1, 2, 1];
const BYTES = new TextEncoder().encode(SOURCE);

const hits = (text, { onlyMissed = false, most = 99, bytes = BYTES } = {}) => (
  hitsIn(bytes, () => STATES, searchOf(text), { onlyMissed, most }).map(({ line, state, before, hit, after }) => (
    `${line} ${state} ${before}<${hit}>${after}`)));

test('the first hit of each line is found, in any case of letters, with the state of the line', () => {
  assert.deepStrictEqual(hits('go'), [
    '4 1 <go>("größe") // Go', '5 3 return <go>2', '7 0 // the end: <GO>']);
  assert.deepStrictEqual(hits('PACKAGE P'), ['1 0 <package p>']);
  assert.deepStrictEqual(hits('nothing'), []);
});

test('signs are text, spaces around it are none, and letters beyond ASCII are found', () => {
  assert.deepStrictEqual(hits('f() {'), ['3 1 func <f() {>']);
  assert.deepStrictEqual(hits('.*'), []);
  assert.deepStrictEqual(hits('  größe '), ['4 1 go("<größe>") // Go']);
});

test('the case of all letters is folded, and the marks stand where the letters are', () => {
  const found = (line, text) => hits(text, { bytes: new TextEncoder().encode(line) });
  const rows = [
    ['x = "GRÖSSE"', 'größ', []],
    ['x = "STRAẞE"', 'straße', ['1 0 x = "<STRAẞE>"']],
    ['x = "Größe"', 'GRÖ', ['1 0 x = "<Grö>ße"']],
    ['İİ ΠΣΑ é', 'πςα', ['1 0 İİ <ΠΣΑ> é']],
    ['İstanbul', 'İST', ['1 0 <İst>anbul']],
    ['\u{1f600}ЖЗ', 'жз', ['1 0 \u{1f600}<ЖЗ>']],
    // The bytes of these letters differ from others by what is a case in another encoding.
    ['"㩋é"', '"é', []],
  ];
  for (const [line, text, wanted] of rows) assert.deepStrictEqual(found(line, text), wanted, `${text} in ${line}`);
});

test('a cut in the middle of a character leaves it out or whole', () => {
  const bytes = new TextEncoder().encode(`${'\u{1f600}'.repeat(50)}a${'ab'}${'\u{1f600}'.repeat(100)}`);
  const [hit] = hits('ab', { bytes });
  assert.doesNotMatch(hit, /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/);
});

test('only missed lines are those that were never or partly executed', () => {
  assert.deepStrictEqual(hits('go', { onlyMissed: true }), ['5 3 return <go>2']);
  assert.deepStrictEqual(hits('go', { onlyMissed: true, most: 1 }), ['5 3 return <go>2'], 'after one that is not');
  const partly = hitsIn(new TextEncoder().encode('\n\n\n\n\nxx\n'), () => STATES, searchOf('xx'), { onlyMissed: true, most: 9 });
  assert.deepStrictEqual(partly.map(({ line, state }) => [line, state]), [[6, 2]]);
});

test('hits end at a limit, and a long line is cut around its hit', () => {
  assert.deepStrictEqual(hits('go', { most: 2 }).length, 2);
  const bytes = new TextEncoder().encode(`${'a'.repeat(500)}needle${'b'.repeat(500)}`);
  assert.deepStrictEqual(hits('needle', { bytes }), [`1 0 …${'a'.repeat(60)}<needle>${'b'.repeat(140)}…`]);
});

test('a narrow list has fewer characters before a hit, and indentation does not count', () => {
  const bytes = new TextEncoder().encode('\t\t\tctx, cancel := context.Background()\n\t\tab needle');
  const found = (text, before) => hitsIn(bytes, () => [], searchOf(text), { onlyMissed: false, most: 9, before })[0].before;
  assert.deepStrictEqual([99, 16, 15, 6].map((before) => found('context', before)), [
    'ctx, cancel := ', 'ctx, cancel := ', 'ctx, cancel := ', '…el := ']);
  assert.strictEqual(found('needle', 6), 'ab ');
});

test('a text of fewer than two characters is not searched', () => {
  assert.deepStrictEqual(['', ' ', 'a', ' a '].map(searchOf), [null, null, null, null]);
  assert.notStrictEqual(searchOf('ab'), null);
});
