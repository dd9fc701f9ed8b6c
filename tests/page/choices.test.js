// Choices among the runs that count together.
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { run } = require('./script.js');

const { choiceFrom, valueFor, has, namesIn, linesBy, figuresBy } = run('choices').choices;

test('a value names a run, or what it alone executed; any other value means all together', () => {
  assert.deepStrictEqual(['0', '2', 'only-0', 'only-2'].map((value) => choiceFrom(value, 3)), [0, 2, 3, 5]);
  assert.deepStrictEqual(['', '3', 'only-3', 'only', '-1', '1x', 'x'].map((value) => choiceFrom(value, 3)), Array(7).fill(-1));
  for (const value of ['', '0', '1', 'only-0', 'only-1']) assert.strictEqual(valueFor(choiceFrom(value, 2), 2), value);
});

test('bits name runs', () => {
  assert.deepStrictEqual([0, 1, 2].map((choice) => has(0b101, choice)), [true, false, true]);
  assert.deepStrictEqual(namesIn(0b1101, ['the service', 'unit', 'e2e']), ['the service', 'e2e']);
  assert.strictEqual(has(1 << 29, 29), true);
});

test('lines and functions have the state of a choice', () => {
  // Line 3: all of it by run 0, lines 5 and 6: some of them by run 1.
  const lines = [3, 1, 0b01, 0b01, 2, 2, 0, 0b10];
  assert.deepStrictEqual(linesBy(lines, 0), [3, 1, 1, 0, 2, 2, 3, 0]);
  assert.deepStrictEqual(linesBy(lines, 1), [3, 1, 3, 0, 2, 2, 2, 0]);
  const figures = { lines: [1], functions: [['T', 'f', 3, 6, 5, 9, 7]], labels: { lines, functions: [[2], [0]] } };
  assert.strictEqual(figuresBy(figures, -1), figures);
  assert.deepStrictEqual(figuresBy(figures, 0).functions, [['T', 'f', 3, 6, 2, 9, 1]]);
  assert.deepStrictEqual(figuresBy(figures, 1).functions, [['T', 'f', 3, 6, 0, 9, 0]]);
});
