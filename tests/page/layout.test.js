'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { blocksFrom, runsFrom, lineStarts, segmentsOf, laidOut, firstAfter, piecesOf } = run('go', 'layout').layout;

const block = (line, column, endLine, endColumn, count = 1) => (
  { line, column, endLine, endColumn, statements: 1, count });

test('blocks count their lines from the block before', () => {
  assert.deepStrictEqual(blocksFrom([3, 13, 1, 11, 1, 3, 1, 11, 2, 3, 2, 0]), [
    { line: 3, column: 13, endLine: 4, endColumn: 11, statements: 1, count: 3, origin: 0, by: 0 },
    { line: 4, column: 11, endLine: 6, endColumn: 3, statements: 2, count: 0, origin: 0, by: 0 },
  ]);
  assert.deepStrictEqual(blocksFrom([3, 13, 1, 11, 1, 3, 1, 11, 2, 3, 2, 1], [0, 2]).map(({ origin }) => origin), [0, 2]);
  assert.deepStrictEqual(blocksFrom([3, 13, 1, 11, 1, 3], [], [0b101]).map(({ by }) => by), [0b101]);
});

test('runs of lines count from the run before, and runs with uncovered code make one range', () => {
  // State 1 is executed, 2 partly, 3 never.
  const flat = [3, 2, 1, 40, 1, 1, 2, 5, 1, 3, 3, 0, 1, 1, 1, 2, 2, 1, 3, 0];
  assert.deepStrictEqual(runsFrom(flat), {
    runs: [
      { first: 3, last: 4, state: 1, count: 40 }, { first: 5, last: 5, state: 2, count: 5 },
      { first: 6, last: 8, state: 3, count: 0 }, { first: 9, last: 9, state: 1, count: 2 },
      { first: 11, last: 11, state: 3, count: 0 }],
    ranges: [{ first: 5, last: 8 }, { first: 11, last: 11 }],
    most: 40,
  });
  // State 4 is carried from another commit, which is no uncovered code.
  assert.deepStrictEqual(runsFrom([3, 1, 3, 0, 1, 1, 4, 0, 1, 1, 3, 0]).ranges, [{ first: 3, last: 3 }, { first: 5, last: 5 }]);
  assert.deepStrictEqual(runsFrom([]), { runs: [], ranges: [], most: 1 });
});

test('lines begin after line feeds, and the last one may end without', () => {
  const rows = [['', [0]], ['a', [0, 2]], ['a\n', [0, 2]], ['a\nbc', [0, 2, 5]], ['\n\n', [0, 1, 2]]];
  for (const [text, wanted] of rows) assert.deepStrictEqual(lineStarts(text), wanted, JSON.stringify(text));
});

test('blocks that overlap lie beside each other, the later one on top', () => {
  // Two lines of five characters: offsets 0 to 4 and 6 to 10.
  const starts = [0, 6, 12];
  const rows = [
    ['one block', [block(1, 2, 2, 3)], [1, 8, 0]],
    ['side by side', [block(1, 1, 1, 3), block(1, 3, 1, 6)], [0, 2, 0, 2, 5, 1]],
    ['one in another', [block(1, 1, 2, 6), block(1, 3, 1, 5)], [0, 2, 0, 2, 4, 1, 4, 11, 0]],
    ['crosswise', [block(1, 1, 1, 4), block(1, 2, 2, 2)], [0, 1, 0, 1, 3, 1, 3, 7, 1]],
    ['ends above its start', [block(2, 1, 1, 1)], []],
    ['empty', [block(1, 2, 1, 2)], []],
    ['beyond line and text', [block(1, 5, 1, 99), block(2, 4, 99, 99)], [4, 5, 0, 9, 11, 1]],
    ['before the text', [block(0, 7, 1, 2)], [0, 1, 0]],
  ];
  for (const [name, blocks, wanted] of rows) assert.deepStrictEqual(segmentsOf(blocks, starts, 11), wanted, name);
});

test('the first triple that ends after an offset is found', () => {
  const triples = [2, 4, 'a', 4, 6, 'b', 8, 9, 'c'];
  const rows = [[0, 0], [3, 0], [4, 3], [5, 3], [6, 6], [8, 6], [9, 9]];
  for (const [at, wanted] of rows) assert.strictEqual(firstAfter(triples, at), wanted, `${at}`);
  assert.strictEqual(firstAfter([], 5), 0);
});

/** Lays out a text of one byte a character. */
const laid = (text, blocks) => ({ text, blocks, ...laidOutText(text), segments: segmentsOf(blocks, lineStarts(text), text.length) });
const laidOutText = (text) => {
  const { tokens, starts } = laidOut({ blocks: [], lines: [], functions: [], bytes: Buffer.from(text) });
  return { tokens, starts };
};

/** Returns the pieces of a line as texts: counts of blocks, `|` where one begins, and the kinds of its words. */
const pieces = (of, line) => {
  const found = piecesOf(of, of.starts[line - 1], of.starts[line] - 1);
  return found.map(({ block: { count } = { count: '' }, isBegin, words }) => {
    const texts = [];
    for (let at = 0; at < words.length; at += 3) {
      const text = of.text.slice(words[at], words[at + 1]);
      texts.push(words[at + 2] === '' ? text : `<${words[at + 2]} ${text}>`);
    }
    return `${count}${isBegin ? '|' : ''}${texts.join('')}`;
  });
};

test('a line is split where its blocks and its colours change', () => {
  const text = 'func f() {\n\tif x { g() } // y\n}\n';
  const of = laid(text, [block(1, 10, 2, 7, 5), block(2, 7, 2, 14, 0), block(2, 14, 3, 2, 7)]);
  assert.deepStrictEqual(pieces(of, 1), ['<k func> f() ', '5|{']);
  assert.deepStrictEqual(pieces(of, 2), ['\t', '5<k if> x ', '0|{ g() }', ' <c // y>']);
  assert.deepStrictEqual(pieces(of, 3), ['7}']);
  assert.deepStrictEqual(pieces(laid('return "a" + 7 // b\n', []), 1), ['<k return> <s "a"> + <d 7> <c // b>']);
});

test('comments in a block, and the space before them, have no block', () => {
  const text = 'f() {\n\tg(/* a */ 1) // b\n\t// c\n\th("//")  /* d\n e */ i()\n}\n';
  const of = laid(text, [block(1, 5, 6, 2, 3)]);
  const lines = [1, 2, 3, 4, 5, 6].map((line) => pieces(of, line));
  assert.deepStrictEqual(lines, [
    ['f() ', '3|{'], ['\t', '3g(', '<c /* a */>', '3 <d 1>)', ' <c // b>'], ['\t', '<c // c>'],
    ['\t', '3h(<s "//">)', '  <c /* d>'], ['<c  >', '<c e */>', '3 i()'], ['3}']]);
});

test('the indent is part of a block only where the block begins with it', () => {
  const of = laid('a\n\t b\n\t\n', [block(1, 1, 4, 1, 2)]);
  assert.deepStrictEqual([1, 2, 3].map((line) => pieces(of, line)), [['2|a'], ['\t ', '2b'], ['\t']]);
  assert.deepStrictEqual(pieces(laid('\tb\n', [block(1, 1, 1, 3, 2)]), 1), ['2|\tb']);
});

test('a colour goes on over a block and over lines', () => {
  const of = laid('x `a\nb` y\n', [block(1, 4, 2, 2, 3)]);
  assert.deepStrictEqual([pieces(of, 1), pieces(of, 2)], [['x <s `>', '3|<s a>'], ['3<s b>', '<s `> y']]);
});

test('a part of a long line has the same pieces', () => {
  const of = laid('ab "cd" ef\n', [block(1, 2, 1, 10, 1)]);
  const texts = (from, to) => piecesOf(of, from, to).map(({ isBegin, words }) => [isBegin, ...words]);
  assert.deepStrictEqual(texts(0, 5), [[false, 0, 1, ''], [true, 1, 3, '', 3, 5, 's']]);
  assert.deepStrictEqual(texts(5, 10), [[false, 5, 7, 's', 7, 9, ''], [false, 9, 10, '']]);
  assert.deepStrictEqual(texts(4, 4), []);
});

test('a file with text has a state and a count for each line', () => {
  const found = laidOut({
    blocks: [1, 1, 0, 2, 1, 4], lines: [1, 1, 1, 4, 1, 9, 3, 0], functions: [], bytes: Buffer.from('a\nb\nü\n') });
  assert.strictEqual(found.lineCount, 3);
  assert.deepStrictEqual([...found.states], [0, 1, 3, 3], 'lines beyond the text have none');
  assert.deepStrictEqual([...found.counts], [0, 4, 0, 0]);
  assert.strictEqual(found.text.length, 7, 'columns count bytes');
  assert.deepStrictEqual(found.segments, [0, 1, 0]);
});

test('a file without text has its blocks and runs alone', () => {
  const found = laidOut({ blocks: [1, 1, 0, 2, 1, 4], lines: [1, 2, 1, 4], functions: [], bytes: null });
  assert.deepStrictEqual(found.runs, [{ first: 1, last: 2, state: 1, count: 4 }]);
  assert.strictEqual(found.lineCount, 0);
  assert.strictEqual(found.text, undefined);
});
