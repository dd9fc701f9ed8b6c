'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { words, sentences } = run('sentences');

/** Words as page.html has them. */
const WORDS = {
  units: { day: ['1 day', '{n} days'], hour: ['1 hour', '{n} hours'], minute: ['1 minute', '{n} minutes'] },
  block: ['{statements} executed {count}', '1 statement', '{n} statements', 'never', 'once', '{n} times'], never: '{statements} never executed',
  carriedBlock: '{statements} executed at {commit} ({time})', oneLine: 'line {first}', moreLines: 'lines {first} to {last}',
  of: '{part} of {all}', counts: { changedLine: ['1 changed line', '{n} changed lines'] }, notCounted: 'changed, not counted: {why}', unchanged: 'not changed',
};

test('a sentence takes each value where its name stands, as text', () => {
  const rows = [
    ['{a} of {b}', { a: 1, b: 2 }, '1 of 2'],
    ['{a} {a}', { a: 'x' }, 'x x'],
    ['{a}', { a: '{b} $& $1' }, '{b} $& $1'],
    ['no value { a }', {}, 'no value { a }'],
  ];
  for (const [text, values, wanted] of rows) assert.strictEqual(words.filled(text, values), wanted);
});

test('a number stands in groups of three', () => {
  const rows = [[0, '0'], [999, '999'], [1000, '1,000'], [1234567, '1,234,567']];
  for (const [number, wanted] of rows) assert.strictEqual(words.grouped(number), wanted);
});

test('a thing is one, or a number of many', () => {
  const rows = [[0, '0 lines'], [1, '1 line'], [2500, '2,500 lines']];
  for (const [number, wanted] of rows) assert.strictEqual(words.counted(['1 line', '{n} lines'], number), wanted);
});

test('a part of a number of things has the noun of that number', () => {
  const rows = [[0, 1, '0 of 1 changed line'], [1, 1, '1 of 1 changed line'], [1, 2500, '1 of 2,500 changed lines']];
  for (const [part, all, wanted] of rows) assert.strictEqual(words.partOf(WORDS, 'changedLine', part, all), wanted);
});

test('an age is told in the largest unit that it fills, hours up to two days', () => {
  const [second, minute, hour] = [1000, 60000, 3600000];
  const rows = [
    [-hour, null], [0, null], [59 * second, null], [minute, '1 minute'], [119 * second, '1 minute'],
    [59 * minute, '59 minutes'], [hour, '1 hour'], [47 * hour + 59 * minute, '47 hours'], [48 * hour, '2 days'],
    [24000 * hour, '1,000 days'],
  ];
  for (const [age, wanted] of rows) assert.strictEqual(words.age(5000, 5000 + age, WORDS.units), wanted, `${age} ms`);
});

test('a count is told as never, once, or a number of times', () => {
  const rows = [[0, 'never'], [1, 'once'], [2, '2 times'], [2500, '2,500 times']];
  for (const [count, wanted] of rows) assert.strictEqual(sentences.times(WORDS, count), wanted);
});

test('a block is told with its statements and its count', () => {
  const rows = [[1, 0, '1 statement never executed'], [2, 1, '2 statements executed once'],
    [0, 3, '0 statements executed 3 times']];
  for (const [statements, count, wanted] of rows) {
    assert.strictEqual(sentences.ofBlock(WORDS, { statements, count }), wanted);
  }
  const origins = [['aaaa', 'MONDAY'], ['bbbb', 'TUESDAY']];
  assert.strictEqual(sentences.ofBlock(WORDS, { statements: 2, count: 1, origin: 2 }, origins), '2 statements executed at bbbb (TUESDAY)');
});

test('a range of one line is a line', () => {
  assert.strictEqual(sentences.ofLines(WORDS, { first: 7, last: 7 }), 'line 7');
  assert.strictEqual(sentences.ofLines(WORDS, { first: 7, last: 9 }), 'lines 7 to 9');
});

test('a changed file is told with its lines, or with the reason why none counts', () => {
  const rows = [
    [{ covered: 1, total: 2, changed: true }, '1 of 2 changed lines'],
    [{ covered: 0, total: 0, changed: true, why: 'no code changed' }, 'changed, not counted: no code changed'],
    [{ covered: 0, total: 0, changed: true }, 'changed, not counted: '],
    [{ covered: 0, total: 0, changed: false }, 'not changed'],
    [undefined, 'not changed'],
  ];
  for (const [change, wanted] of rows) assert.strictEqual(sentences.ofChange(WORDS, change), wanted);
});

test('a count for a narrow column has at most three digits from ten thousand on', () => {
  const rows = [[0, '0'], [9999, '9,999'], [10000, '10K'], [123456, '123K'], [4294967295, '4.29B']];
  for (const [count, wanted] of rows) assert.strictEqual(sentences.short(count), wanted);
});
