'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { totalsOf, nearestTotal, neighbour, valuesAt } = run('site/places').places;

const LINES = [
  { x: [0, 500, 750], y: [100, 120, 80], percent: ['50.0%', '40.0%', '60.0%'], commit: ['a', 'b', 'b'] },
  { x: [500, 600], y: [120, 180], percent: ['40.0%', '10.0%'], commit: ['b', 'c'] },
];
const TOTALS = totalsOf(LINES);
const named = ({ line, at }) => `${line}.${at}`;

test('totals are in the order of time, and those of one time in the order of their lines', () => {
  assert.deepStrictEqual(TOTALS.map(named), ['0.0', '0.1', '1.0', '1.1', '0.2']);
});

test('each line has the value of its last total up to the chosen one, and none before it began', () => {
  const rows = [[TOTALS[0], ['a 50.0%', '']], [TOTALS[1], ['b 40.0%', 'b 40.0%']], [TOTALS[3], ['b 40.0%', 'c 10.0%']],
    [undefined, ['b 60.0%', 'c 10.0%']]];
  for (const [total, wanted] of rows) {
    const told = valuesAt(LINES, total).map((value) => (value === null ? '' : `${value.commit} ${value.percent}`));
    assert.deepStrictEqual(told, wanted);
  }
  const [twice] = valuesAt([{ x: [5, 5], percent: ['1%', '2%'], commit: ['a', 'b'] }], { line: 0, at: 0, x: 5 });
  assert.strictEqual(twice.commit, 'a', 'the chosen one of two at one time');
});

test('a step leads to the neighbour, and stays at the ends', () => {
  const rows = [[0, 1, 1], [1, 1, 2], [4, 1, 4], [4, -1, 3], [0, -1, 0]];
  for (const [from, by, to] of rows) assert.strictEqual(neighbour(TOTALS, TOTALS[from], by), TOTALS[to], `${from} ${by}`);
});

test('the nearest total is that on the screen, where a unit of time is not one of height', () => {
  const rows = [[{ x: 590, y: 130 }, 1, '1.1'], [{ x: 590, y: 130 }, 0.1, '1.0'], [{ x: 560, y: 130 }, 1, '1.0'],
    [{ x: 640, y: 90 }, 0.1, '0.2'], [{ x: 640, y: 90 }, 1, '1.1'], [{ x: -8, y: 210 }, 1, '0.0']];
  for (const [place, x, wanted] of rows) {
    assert.strictEqual(named(nearestTotal(TOTALS, place, { x, y: 1 })), wanted, `${place.x} ${place.y} ${x}`);
  }
});

test('each of several totals with one dot has a part of the area around it', () => {
  for (const [y, wanted] of [[100, '0.1'], [119, '0.1'], [120, '1.0'], [127, '1.0'], [140, '1.0']]) {
    assert.strictEqual(named(nearestTotal(TOTALS, { x: 501, y }, { x: 1, y: 1 })), wanted, `${y}`);
  }
  const three = totalsOf([0, 1, 2].map(() => ({ x: [10], y: [20] })));
  const chosen = [0, 13, 14, 20, 25, 26, 200].map((y) => named(nearestTotal(three, { x: 10, y }, { x: 1, y: 1 })));
  assert.deepStrictEqual(chosen, ['0.0', '0.0', '1.0', '1.0', '1.0', '2.0', '2.0']);
});
