'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { files: { percent, grade, shares, filesFrom, figureOf, listFrom, listFragment, isListed }, rows: { ordered } } =
  run('address', 'rows', 'names', 'files');

/** Two folders as html/mod.rs writes them: depth, path, then of each file name, covered, statements, stream, slot, reason. */
const INDEX = [
  [1, 'm/app', [['Made.go', 0, 2, 0, 1, 'not in the commit'], ['main.go', 2, 3, 0, 2, null]]],
  [0, '', [['x.go', 4, 4, 1, 0, null]]],
];
const USUAL = { sort: 'name', down: false, filter: '', owner: '', uncovered: false, changed: false, flat: false, map: false, folds: '' };

test('an index gives each file its whole name, its figures and its place in a stream', () => {
  assert.deepStrictEqual(filesFrom(INDEX), [
    { name: 'm/app/Made.go', base: 'Made.go', lower: 'm/app/made.go', covered: 0, total: 2, pack: 0, slot: 1,
      why: 'not in the commit', owners: [], isShown: true, isCounted: true, at: 0 },
    { name: 'm/app/main.go', base: 'main.go', lower: 'm/app/main.go', covered: 2, total: 3, pack: 0, slot: 2,
      why: undefined, owners: [], isShown: true, isCounted: true, at: 1 },
    { name: 'x.go', base: 'x.go', lower: 'x.go', covered: 4, total: 4, pack: 1, slot: 0,
      why: undefined, owners: [], isShown: true, isCounted: true, at: 2 },
  ]);
});

test('a percentage has one decimal place, and a file without statements has none covered', () => {
  const rows = [[0, 0, '0.0%'], [0, 3, '0.0%'], [2, 3, '66.7%'], [3, 3, '100.0%'], [2999, 3000, '99.9%'], [1, 3000, '0.1%']];
  for (const [covered, total, wanted] of rows) assert.strictEqual(percent(covered, total), wanted);
});

test('a grade begins at 60 and at 80 percent', () => {
  const rows = [[0, 0, 'none'], [0, 5, 'low'], [599, 1000, 'low'], [3, 5, 'fair'], [799, 1000, 'fair'], [4, 5, 'high']];
  for (const [covered, total, wanted] of rows) assert.strictEqual(grade(covered, total), wanted);
});

test('each column orders by its figure', () => {
  const [made, main, x] = filesFrom(INDEX);
  made.change = { covered: 1, total: 4 };
  main.change = { covered: 0, total: 0 };
  const rows = [
    ['name', false, 'Made.go main.go x.go'],
    ['percent', false, 'Made.go main.go x.go'],
    ['covered', true, 'x.go main.go Made.go'],
    ['uncovered', true, 'Made.go main.go x.go'],
    ['total', true, 'x.go main.go Made.go'],
    ['changed', true, 'Made.go main.go x.go'],
    ['changed', false, 'Made.go main.go x.go'],
  ];
  for (const [sort, down, wanted] of rows) {
    const names = ordered([made, main, x], figureOf({ sort, flat: false }), down).map((file) => file.base);
    assert.strictEqual(names.join(' '), wanted, `${sort} ${down}`);
  }
});

test('names are those in the folder, and whole without folders', () => {
  const [, main] = filesFrom(INDEX);
  assert.strictEqual(figureOf({ sort: 'name', flat: false })(main), 'main.go');
  assert.strictEqual(figureOf({ sort: 'name', flat: true })(main), 'm/app/main.go');
  assert.strictEqual(figureOf({ sort: 'name', flat: false })({ name: 'm/app', covered: 2, total: 5 }), 'm/app');
});

test('an address says how the table is ordered and narrowed', () => {
  const rows = [
    [{}, false, {}],
    [{ sort: '-percent', filter: 'CART', uncovered: '1' }, false,
      { sort: 'percent', down: true, filter: 'CART', uncovered: true }],
    [{ flat: '1', uncovered: 'yes' }, false, { flat: true }],
    [{ changed: '1' }, true, { changed: true }],
    [{ changed: '1' }, false, {}],
    [{ sort: '__proto__' }, true, {}],
    [{ folds: '*,m/app' }, false, { folds: '*,m/app' }],
    [{ owner: '@org/a b' }, false, { owner: '@org/a b' }],
    [{ map: '1' }, false, { map: true }],
  ];
  for (const [values, hasChanges, wanted] of rows) {
    assert.deepStrictEqual(listFrom(values, hasChanges), { ...USUAL, ...wanted });
  }
});

test('a table tells its address, which leads back to it', () => {
  const rows = [
    [{}, '#'],
    [{ sort: 'percent', down: true, filter: 'CART', uncovered: true }, '#sort=-percent&filter=CART&uncovered=1'],
    [{ down: true, changed: true, flat: true }, '#sort=-name&changed=1&flat=1'],
    [{ map: true, folds: '-,a b' }, '#map=1&folds=-,a%20b'],
    [{ owner: '@org/a', uncovered: true }, '#owner=%40org/a&uncovered=1'],
  ];
  for (const [list, wanted] of rows) assert.strictEqual(listFragment({ ...USUAL, ...list }), wanted);
});

test('a file is listed when its name, its coverage and its changes fit', () => {
  const [made, main, x] = filesFrom(INDEX);
  made.change = { covered: 0, total: 0, changed: true };
  main.change = { covered: 0, total: 0, changed: false };
  [main.owners, x.owners] = [['@ann', '@org/b'], ['nobody']];
  const rows = [
    [{}, [], 'Made.go main.go x.go'],
    [{ owner: '@org/b' }, [], 'main.go'],
    [{ owner: '@ann' }, ['made'], ''],
    [{ owner: '@an' }, [], ''],
    [{}, ['ma'], 'Made.go main.go'],
    [{}, ['app', 'main'], 'main.go'],
    [{ uncovered: true }, [], 'Made.go main.go'],
    [{ changed: true }, [], 'Made.go'],
    [{ changed: true, uncovered: true }, ['main'], ''],
  ];
  for (const [list, words, wanted] of rows) {
    const listed = [made, main, x].filter((file) => isListed(file, { ...USUAL, ...list }, words));
    assert.strictEqual(listed.map((file) => file.base).join(' '), wanted);
  }
});

test('the classes of a bar are the tens and units of a percentage', () => {
  const rows = [[0, 0, ''], [0, 3, 't0 u0'], [2, 3, 't6 u6'], [999, 1000, 't9 u9'], [5, 5, 't10 u0']];
  for (const [covered, total, wanted] of rows) assert.strictEqual(shares(covered, total), wanted);
  assert.strictEqual(shares(1, 4, 'ov'), 'o2 v5');
});
