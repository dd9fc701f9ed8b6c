'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { linesOf, rangeWith, aroundChanges, joinedRanges, foldsBetween, functionAcross, runsByChange, categoryOf } = run('changes').changes;

test('the range that has a line is found', () => {
  const ranges = [[2, 4], [6, 6], [9, 12]];
  const rows = [[1, undefined], [2, 0], [4, 0], [5, undefined], [6, 1], [8, undefined], [12, 2], [13, undefined]];
  for (const [line, wanted] of rows) assert.strictEqual(rangeWith(ranges, line), ranges[wanted], `line ${line}`);
  assert.strictEqual(rangeWith([], 1), undefined);
});

test('a change is shown with three lines around it, and one line between is shown too', () => {
  const rows = [
    ['in the middle', [[10, 11]], 30, [[7, 14]]],
    ['at the begin', [[1, 2]], 30, [[1, 5]]],
    ['at the end', [[30, 30]], 30, [[27, 30]]],
    ['two lines between', [[5, 5], [14, 14]], 30, [[2, 8], [11, 17]]],
    ['one line between', [[5, 5], [13, 13]], 30, [[2, 16]]],
    ['overlapping', [[5, 5], [7, 7]], 30, [[2, 10]]],
    ['just beyond the text', [[33, 34]], 30, [[30, 30]]],
    ['beyond the text', [[40, 41]], 30, []],
    ['none', [], 30, []],
  ];
  for (const [name, added, lineCount, wanted] of rows) {
    assert.deepStrictEqual(aroundChanges(added, lineCount), wanted, name);
  }
});

test('ranges that meet are one, and no range goes beyond the text', () => {
  const rows = [
    [[], []], [[[5, 9], [1, 3]], [[1, 3], [5, 9]]], [[[1, 3], [4, 9]], [[1, 9]]], [[[1, 9], [2, 3]], [[1, 9]]],
    [[[0, 2], [28, 99], [40, 50], [9, 3]], [[1, 2], [28, 30]]],
  ];
  for (const [ranges, wanted] of rows) assert.deepStrictEqual(joinedRanges(ranges, 30), wanted);
});

test('lines before, between and after those that are shown are folded', () => {
  const parts = (shown, lineCount) => foldsBetween(shown, lineCount)
    .map(({ first, last, isFolded }) => (isFolded ? `(${first}-${last})` : `${first}-${last}`)).join(' ');
  const rows = [
    [[[7, 14]], 30, '(1-6) 7-14 (15-30)'],
    [[[1, 5], [27, 30]], 30, '1-5 (6-26) 27-30'],
    [[[2, 29]], 30, '(1-1) 2-29 (30-30)'],
    [[[1, 30]], 30, '1-30'],
    [[], 30, '(1-30)'],
    [[], 0, ''],
  ];
  for (const [shown, lineCount, wanted] of rows) assert.strictEqual(parts(shown, lineCount), wanted);
});

test('a fold names the function that goes on after it', () => {
  const functions = [['', 'main', 3, 7, 0, 0, 0], ['T', 'Stop', 9, 11, 0, 0, 0]];
  const rows = [[2, undefined], [3, 'main'], [6, 'main'], [7, undefined], [8, undefined], [10, 'Stop'], [11, undefined]];
  for (const [last, wanted] of rows) assert.strictEqual(functionAcross(functions, last)?.[1], wanted, `line ${last}`);
});

test('runs of lines are split where changes and categories begin and end', () => {
  const run = (first, last) => ({ first, last, state: 1, count: 4 });
  const rows = [
    ['nothing changed', [run(1, 9)], [], [], [[1, 9]]],
    ['inside', [run(1, 9)], [[3, 4]], [], [[1, 2], [3, 4], [5, 9]]],
    ['at its edges', [run(1, 9)], [[1, 2], [9, 9]], [], [[1, 2], [3, 8], [9, 9]]],
    ['over two runs', [run(1, 4), run(5, 9)], [[4, 6]], [], [[1, 3], [4, 4], [5, 6], [7, 9]]],
    ['by both', [run(1, 9)], [[3, 4]], [[5, 6, 'LBC']], [[1, 2], [3, 4], [5, 6], [7, 9]]],
  ];
  for (const [name, runs, added, turned, wanted] of rows) {
    assert.deepStrictEqual(runsByChange(runs, added, turned), wanted.map(([first, last]) => run(first, last)), name);
  }
});

test('runs that were split stay as they are', () => {
  const once = runsByChange([{ first: 1, last: 9, state: 3, count: 0 }], [[3, 4]], []);
  assert.deepStrictEqual(runsByChange(once, [[3, 4]], []), once);
});

test('a line is new or base code, covered or not, unless the comparison says otherwise', () => {
  const turned = [[5, 6, 'LBC'], [8, 8, 'GBC']];
  const rows = [
    [1, false, false, 'CBC'], [1, true, false, 'UBC'], [1, false, true, 'GNC'], [1, true, true, 'UNC'],
    [5, true, false, 'LBC'], [8, false, false, 'GBC'], [7, true, false, 'UBC'],
  ];
  for (const [line, isMissed, isAdded, wanted] of rows) {
    assert.strictEqual(categoryOf(turned, line, isMissed, isAdded), wanted);
  }
});

test('the lines of a category are those of all its ranges', () => {
  const turned = [[3, 3, 'LBC'], [5, 9, 'GBC'], [10, 12, 'LBC']];
  for (const [name, wanted] of [['LBC', 4], ['GBC', 5], ['UIC', 0]]) assert.strictEqual(linesOf(turned, name), wanted);
});
