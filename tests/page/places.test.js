'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { valuesAt, nextPlace, timeAt } = run('site/places').places;

const LINES = [
  { x: [0, 500, 750], percent: ['50.0%', '40.0%', '60.0%'], commit: ['a', 'b', 'b'] },
  { x: [600], percent: ['10.0%'], commit: ['c'] },
];

test('a line has the value of its last total up to a place, and none before it began', () => {
  const [a, b, c, last] = [
    { percent: '50.0%', commit: 'a' }, { percent: '40.0%', commit: 'b' }, { percent: '10.0%', commit: 'c' },
    { percent: '60.0%', commit: 'b' }];
  const rows = [[0, [a, null]], [499.9, [a, null]], [500, [b, null]], [600, [b, c]], [1000, [last, c]]];
  for (const [x, wanted] of rows) assert.deepStrictEqual(valuesAt(LINES, x), wanted, `${x}`);
});

test('a step leads to the next total of any line, and then to the end', () => {
  const rows = [[0, 1, 500], [500, 1, 600], [600, 1, 750], [750, 1, 1000], [1000, 1, 1000],
    [1000, -1, 750], [620, -1, 600], [500, -1, 0], [0, -1, 0]];
  for (const [x, by, wanted] of rows) assert.strictEqual(nextPlace(LINES, x, by), wanted, `${x} ${by}`);
});

test('a place has its share of the time', () => {
  const chart = { begin: '2026-11-01T00:00:00Z', end: '2026-11-03T00:00:00Z' };
  const rows = [[0, '2026-11-01 00:00'], [250, '2026-11-01 12:00'], [1000, '2026-11-03 00:00']];
  for (const [x, wanted] of rows) assert.strictEqual(timeAt(chart, x), wanted);
});
