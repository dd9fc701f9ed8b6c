'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { walks: { placesBy, rangeAfter, fileAfter, placeWith, placeAfter } } = run('walks');

test('a step leads to the next range below or above the line', () => {
  const ranges = [{ first: 5, last: 8 }, { first: 11, last: 11 }, { first: 20, last: 30 }];
  const rows = [
    [0, 1, 0], [5, 1, 1], [7, 1, 1], [11, 1, 2], [20, 1, -1],
    [0, -1, -1], [5, -1, -1], [7, -1, 0], [11, -1, 0], [99, -1, 2],
  ];
  for (const [line, by, wanted] of rows) assert.strictEqual(rangeAfter(ranges, line, by), wanted, `${line} ${by}`);
  assert.strictEqual(rangeAfter([], 3, 1), -1);
});

test('a step between files passes over those that the table hides', () => {
  const [a, b, c, d] = [true, false, true, false].map((isShown, at) => ({ name: 'abcd'[at], isShown }));
  const rows = [
    [a, 1, 'c'], [c, 1, undefined], [c, -1, 'a'], [a, -1, undefined],
    [b, 1, 'c'], [b, -1, 'a'], [d, -1, 'c'], [undefined, 1, 'a'], [undefined, -1, undefined],
  ];
  for (const [open, by, wanted] of rows) {
    assert.strictEqual(fileAfter([a, b, c, d], open, by)?.name, wanted, `${open?.name} ${by}`);
  }
});

/** Of file 2 two places, of file 5 one. */
const PLACES = [[2, 10, 12], [2, 30, 30], [5, 7, 9]];

test('a place has the lines of its file alone', () => {
  const rows = [[2, 9, -1], [2, 10, 0], [2, 12, 0], [2, 13, -1], [2, 30, 1], [5, 8, 2], [5, 10, -1], [3, 8, -1]];
  for (const [file, line, wanted] of rows) assert.strictEqual(placeWith(PLACES, file, line), wanted, `${file}:${line}`);
});

test('a walk from the table begins at the first place, or at the last one', () => {
  for (const walked of [-1, 1]) {
    assert.strictEqual(placeAfter(PLACES, null, walked, 1), 0);
    assert.strictEqual(placeAfter(PLACES, null, walked, -1), 2);
  }
});

test('a walk in a file goes on from its line, and on to the next file', () => {
  const rows = [
    [2, 0, 1, 0], [2, 10, 1, 1], [2, 11, 1, 1], [2, 30, 1, 2], [2, 99, 1, 2], [5, 7, 1, 3],
    [2, 0, -1, -1], [2, 10, -1, -1], [2, 12, -1, 0], [2, 99, -1, 1], [5, 7, -1, 1], [5, 8, -1, 2],
  ];
  for (const [file, line, by, wanted] of rows) {
    assert.strictEqual(placeAfter(PLACES, { file, line }, -1, by), wanted, `${file}:${line} ${by}`);
  }
});

test('a walk in a file without places goes on from the last place, or begins', () => {
  const rows = [[-1, 1, 0], [-1, -1, 2], [0, 1, 1], [1, -1, 0], [2, 1, 3], [0, -1, -1]];
  for (const [walked, by, wanted] of rows) {
    assert.strictEqual(placeAfter(PLACES, { file: 3, line: 4 }, walked, by), wanted, `${walked} ${by}`);
  }
});

test('a walk without places leads nowhere', () => {
  for (const open of [null, { file: 1, line: 1 }]) {
    for (const by of [1, -1]) assert.strictEqual([][placeAfter([], open, -1, by)], undefined);
  }
});

test('places are narrowed to those of an author', () => {
  const places = [[0, 1, 4], [0, 8, 9], [2, 5, 5]];
  const by = [[1, 0], [10], [1]];
  assert.deepStrictEqual(placesBy(places, by, 1), [places[0], places[2]]);
  assert.deepStrictEqual(placesBy(places, by, 0), [places[0]]);
  assert.deepStrictEqual(placesBy(places, by, -1), places);
});
