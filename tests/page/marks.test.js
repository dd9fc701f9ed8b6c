'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { lineCounts, slotsOf, pixelsOf, pathsOf, lineAtPixel, functionAt } = run('marks').marks;

/** Returns the states of lines, of which the first has number 1. */
const statesOf = (...states) => Uint8Array.from([0, ...states]);

test('lines are counted by their state', () => {
  const runs = [[1, 3, 1], [5, 5, 3], [7, 8, 2], [9, 12, 3], [14, 15, 4]].map(([first, last, state]) => ({ first, last, state }));
  assert.deepStrictEqual(lineCounts(runs), { hit: 3, partly: 2, missed: 5, carried: 2 });
  assert.deepStrictEqual(lineCounts([]), { hit: 0, partly: 0, missed: 0, carried: 0 });
});

test('a line of a short file is a slot, and a slot of a long file has the shares of its lines', () => {
  assert.deepStrictEqual(slotsOf(statesOf(0, 3, 1, 2), 4, 40), [[10, 20, 0, 1], [30, 40, 1, 0]]);
  // Two slots of 2 pixels, with four lines each.
  assert.deepStrictEqual(slotsOf(statesOf(3, 1, 0, 3, 1, 2, 1, 1), 8, 4), [[0, 2, 0, 2 / 3], [2, 4, 0.25, 0]]);
  assert.deepStrictEqual(slotsOf(statesOf(3), 1, 0), [[0, 0, 0, 1]]);
  assert.deepStrictEqual(slotsOf(statesOf(1, 0), 2, 40), []);
  // A carried line was executed, so its share is none of the uncovered ones.
  assert.deepStrictEqual(slotsOf(statesOf(3, 4), 2, 2), [[0, 2, 0, 0.5]]);
});

test('a range of lines has at least two pixels inside of the strip, and ranges that touch are one', () => {
  const rows = [
    [[[1, 10]], 100, 50, [[0, 5]]],
    [[[1, 1], [2, 2], [90, 90]], 100, 50, [[0, 2], [44, 46]]],
    [[[100, 100]], 100, 50, [[48, 50]]],
    [[[99, 300], [400, 500]], 100, 50, [[48, 50]]],
    [[], 100, 50, []],
  ];
  for (const [ranges, lines, height, wanted] of rows) assert.deepStrictEqual(pixelsOf(ranges, lines, height), wanted);
});

test('marks are as wide as their share, partly executed lines beyond missed ones, changes and losses in columns', () => {
  const open = { states: statesOf(3, 2, 1, 1), added: [[3, 4]], turned: [[1, 1, 'LBC'], [2, 2, 'GBC']], lineCount: 4 };
  assert.deepStrictEqual(pathsOf(open, 40), {
    partly: 'M6 10H18V20H6z', missed: 'M6 0H18V10H6z', changed: 'M0 20H5V40H0z', lost: 'M12 0H18V10H12z' });
  assert.deepStrictEqual(pathsOf({ ...open, added: [], turned: [] }, 2), {
    partly: 'M6 0H14V2H6z', missed: 'M6 0H11V2H6z', changed: '', lost: '' });
});

test('a height of the strip is a line of the file', () => {
  const rows = [[-5, 1], [0, 1], [9.9, 1], [10, 2], [39, 4], [40, 4], [999, 4]];
  for (const [pixel, wanted] of rows) assert.strictEqual(lineAtPixel(pixel, 4, 40), wanted, `${pixel}`);
});

test('a line belongs to the function around it', () => {
  const functions = [['', 'main', 3, 7], ['T', 'Stop', 9, 11]];
  const rows = [[2, undefined], [3, 'main'], [7, 'main'], [8, undefined], [11, 'Stop'], [12, undefined]];
  for (const [line, wanted] of rows) assert.strictEqual(functionAt(functions, line)?.[1], wanted, `line ${line}`);
});
