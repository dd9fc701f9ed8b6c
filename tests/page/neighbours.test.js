'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { neighbours: { step, isArrow } } = run('neighbours');

// Two columns: one rectangle on the left, three below each other on the right.
const PLACES = [[0, 0, 60, 90], [60, 0, 40, 30], [60, 30, 40, 30], [60, 60, 40, 30]]
  .map(([x, y, width, height]) => ({ x, y, width, height }));

test('an arrow leads to the nearest rectangle in its direction, and stays at an edge', () => {
  const rows = [
    [0, 'ArrowRight', 2], [2, 'ArrowLeft', 0], [1, 'ArrowDown', 2], [3, 'ArrowUp', 2],
    [1, 'ArrowUp', 1], [0, 'ArrowLeft', 0], [3, 'ArrowRight', 3], [1, 'ArrowLeft', 0],
  ];
  for (const [from, key, wanted] of rows) assert.strictEqual(step(PLACES, from, key), wanted, `${from} ${key}`);
});

test('no other key is an arrow', () => {
  for (const key of ['Enter', 'a', 'toString']) assert.strictEqual(isArrow(key), false);
  assert.strictEqual(isArrow('ArrowDown'), true);
});
