'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { searchWords, hasWords, ordered, sortFrom, sortText, sortAfterClick, step } = run('rows').rows;

test('a search has its words in lower case, whatever stands between them', () => {
  const rows = [['', []], ['  \t ', []], ['Cart', ['cart']], [' app/  Main.GO\u00a0x ', ['app/', 'main.go', 'x']]];
  for (const [search, wanted] of rows) assert.deepStrictEqual(searchWords(search), wanted);
});

test('a text fits a search when it has each word, in any order', () => {
  const rows = [
    ['m/app/main.go', [], true],
    ['m/app/main.go', ['main', 'app'], true],
    ['m/app/main.go', ['main', 'api'], false],
    ['m/app/main.go', ['n.g'], true],
    ['', ['a'], false],
  ];
  for (const [text, words, wanted] of rows) assert.strictEqual(hasWords(text, words), wanted, `${text}: ${words}`);
});

test('rows are ordered by their figures, equal ones stay, and those without one come last', () => {
  const rows = [['a', 2], ['b', undefined], ['c', 1], ['d', 2], ['e', undefined], ['f', 0]];
  const names = (isDown) => ordered(rows, ([, figure]) => figure, isDown).map(([name]) => name).join('');
  assert.strictEqual(names(false), 'fcadbe');
  assert.strictEqual(names(true), 'adcfbe');
  assert.strictEqual(rows.map(([name]) => name).join(''), 'abcdef', 'the list itself stays as it was');
});

test('texts are ordered by their code units', () => {
  assert.deepStrictEqual(ordered(['b', 'a10', 'B', 'a9', ''], (text) => text, false), ['', 'B', 'a10', 'a9', 'b']);
});

test('an address orders by a column that there is, else by name', () => {
  const figures = { name: 0, percent: 0 };
  const rows = [
    [undefined, 'name', false], ['', 'name', false], ['percent', 'percent', false], ['-percent', 'percent', true],
    ['-', 'name', true], ['--percent', 'name', true], ['size', 'name', false], ['__proto__', 'name', false],
    ['-toString', 'name', true],
  ];
  for (const [text, sort, down] of rows) assert.deepStrictEqual(sortFrom(text, figures), { sort, down }, text);
});

test('a table may have another usual order', () => {
  const usual = { sort: 'lost', down: true };
  const figures = { name: 0, lost: 0 };
  for (const text of [undefined, '']) assert.deepStrictEqual(sortFrom(text, figures, usual), usual);
  for (const text of ['name', 'lost', '-name']) assert.strictEqual(sortText(sortFrom(text, figures, usual), usual), text);
  assert.strictEqual(sortText(usual, usual), '');
});

test('the usual order needs no address', () => {
  const rows = [['name', false, ''], ['name', true, '-name'], ['total', false, 'total'], ['total', true, '-total']];
  for (const [sort, down, wanted] of rows) assert.strictEqual(sortText({ sort, down }), wanted);
});

test('a second click turns the order round, and another column begins as it says', () => {
  const rows = [
    [{ sort: 'name', down: false }, 'name', false, { sort: 'name', down: true }],
    [{ sort: 'name', down: true }, 'name', false, { sort: 'name', down: false }],
    [{ sort: 'name', down: true }, 'total', true, { sort: 'total', down: true }],
    [{ sort: 'total', down: true }, 'total', true, { sort: 'total', down: false }],
    [{ sort: 'total', down: true }, 'percent', false, { sort: 'percent', down: false }],
  ];
  for (const [list, sort, isFirstDown, wanted] of rows) {
    assert.deepStrictEqual(sortAfterClick(list, sort, isFirstDown), wanted);
  }
});

test('a step without focus leads to the nearer end, and beyond an end to no row', () => {
  const rows = [[-1, 1, 3, 0], [-1, -1, 3, 2], [0, 1, 3, 1], [2, 1, 3, 3], [0, -1, 3, -1], [-1, -1, 0, -1]];
  for (const [at, by, length, wanted] of rows) assert.strictEqual(step(at, by, length), wanted);
});
