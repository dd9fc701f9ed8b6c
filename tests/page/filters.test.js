'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { address, filters } = run('address', 'rows', 'site/filters');
const { NONE, filtersFrom, valuesOf, toggled, isNone, fits } = filters;

const ROWS = [
  { words: 'cart main ok', state: 'ok', concern: 'fine', env: 'prod', branch: 'main' },
  { words: 'cart fix unreachable', state: 'unreachable', concern: 'failing', env: 'prod', branch: 'fix' },
  { words: 'shop main partial', state: 'partial', concern: 'failing', env: 'staging', branch: 'main' },
];

test('lists join their names by "or", and filters join each other by "and"', () => {
  const rows = [
    [{}, '012'],
    [{ env: ['prod'] }, '01'],
    [{ env: ['prod', 'staging'] }, '012'],
    [{ env: ['prod'], branch: ['main'] }, '0'],
    [{ state: ['unreachable', 'partial'], filter: 'shop' }, '2'],
    [{ filter: ' CART  main ' }, '0'],
    [{ env: ['test'] }, ''],
  ];
  for (const [some, wanted] of rows) {
    const shown = ROWS.map(fits({ ...NONE, ...some })).flatMap((is, at) => (is ? [at] : [])).join('');
    assert.strictEqual(shown, wanted, JSON.stringify(some));
  }
});

test('an address keeps filters, whatever characters their names have', () => {
  const rows = [
    [{}, '#'],
    [{ filter: 'a b', state: ['partial', 'ok'] }, '#filter=a%20b&state=partial,ok'],
    [{ env: ['a,b', 'c%2C', '&='] }, '#env=a%252Cb,c%25252C,%26%3D'],
    [{ branch: ['feat/x'] }, '#branch=feat/x'],
  ];
  for (const [some, wanted] of rows) {
    const all = { ...NONE, ...some };
    const text = address.toFragment(valuesOf(all));
    assert.strictEqual(text, wanted);
    assert.deepStrictEqual(filtersFrom(address.fromFragment(text), ROWS), all);
  }
});

test('a word of earlier releases means all states that it stood for', () => {
  const rows = [['failing', ['unreachable', 'partial']], ['fine', ['ok']], ['partial', ['partial']], ['gone', ['gone']]];
  for (const [word, wanted] of rows) assert.deepStrictEqual(filtersFrom({ state: word }, ROWS).state, wanted);
});

test('a name that is pressed again leaves its list', () => {
  assert.deepStrictEqual(toggled(['a'], 'b'), ['a', 'b']);
  assert.deepStrictEqual(toggled(['a', 'b'], 'a'), ['b']);
});

test('spaces alone are no filter', () => {
  const rows = [[{}, true], [{ filter: '  ' }, true], [{ filter: 'a' }, false], [{ env: ['a'] }, false]];
  for (const [some, wanted] of rows) assert.strictEqual(isNone({ ...NONE, ...some }), wanted);
});
