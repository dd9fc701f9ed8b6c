'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { files: { filesFrom }, rows: { ordered }, tree: { foldersFrom, addFigures, inOrder, toggled, unfold, foldsAfter, hidesAll } } =
  run('address', 'rows', 'names', 'files', 'tree');

const file = (name, covered, total) => [name, covered, total, 0, 0, null];
const INDEX = [
  [0, 'm', [file('main.go', 1, 1)]],
  [1, 'm/a', []],
  [2, 'm/a/b,c', [file('x.go', 1, 4), file('y.go', 0, 2)]],
  [2, 'm/a/d', [file('z.go', 3, 3)]],
  [1, 'm/e/f', [file('q.go', 0, 8)]],
];

const sample = () => {
  const files = filesFrom(INDEX);
  const folders = foldersFrom(INDEX, files);
  addFigures(folders);
  return { files, folders };
};

/** Returns the names of folders that are seen, those that are open with `+`. */
const seen = (folders, folds, isSearch) => {
  addFigures(folders);
  unfold(folders, folds, isSearch);
  return folders.filter((folder) => folder.isSeen).map(({ name, isOpen }) => name + (isOpen ? '+' : '')).join(' ');
};

test('folders have short names, the figures of all files below them, and the folders in them', () => {
  const { folders } = sample();
  assert.deepStrictEqual(folders.map(({ name, key, covered, total }) => [name, key, covered, total]), [
    ['m', '.', 5, 18], ['a', 'a', 4, 9], ['b,c', 'a/b,c', 1, 6], ['d', 'a/d', 3, 3], ['e/f', 'e/f', 0, 8]]);
  assert.deepStrictEqual(folders[0].folders.map(({ name }) => name), ['a', 'e/f']);
  assert.strictEqual(folders[3].parent, folders[1]);
});

test('a path above all modules leaves whole names', () => {
  const index = [[0, '', []], [1, 'm', [file('a.go', 0, 1)]], [1, 'n/o', [file('b.go', 0, 1)]]];
  assert.deepStrictEqual(foldersFrom(index, filesFrom(index)).map(({ name, key }) => [name, key]),
    [['', '.'], ['m', 'm'], ['n/o', 'n/o']]);
  assert.deepStrictEqual(foldersFrom([], []), []);
});

test('each folder is followed by those in it, in the order of a figure', () => {
  const { folders } = sample();
  const byTotal = inOrder(folders, (rows) => ordered(rows, ({ total }) => total, true));
  assert.deepStrictEqual(byTotal.map(({ name }) => name), ['m', 'a', 'b,c', 'd', 'e/f']);
  const byShare = inOrder(folders, (rows) => ordered(rows, ({ covered, total }) => covered / total, false));
  assert.deepStrictEqual(byShare.map(({ name }) => name), ['m', 'e/f', 'a', 'b,c', 'd']);
  assert.deepStrictEqual(byShare[3].files.map(({ base }) => base), ['y.go', 'x.go']);
  assert.deepStrictEqual(inOrder([], (rows) => rows), []);
});

test('few files are open, and folds say otherwise', () => {
  const { folders } = sample();
  const rows = [
    ['', 'm+ a+ b,c+ d+ e/f+'],
    ['-', 'm+ a e/f'],
    ['*', 'm+ a+ b,c+ d+ e/f+'],
    ['-,a', 'm+ a+ b,c d e/f'],
    ['a', 'm+ a e/f+'],
    ['*,a/b%2Cc,e/f', 'm+ a+ b,c d+ e/f'],
    [',.', 'm'],
  ];
  for (const [folds, wanted] of rows) assert.strictEqual(seen(folders, folds, false), wanted, folds);
});

test('more than 100 files are closed below the first level, unless a search asks for them', () => {
  const index = [[0, 'm', []], [1, 'm/a', Array.from({ length: 101 }, (_, at) => file(`f${at}.go`, 0, 1))],
    [1, 'm/b', [file('b.go', 0, 1)]]];
  const files = filesFrom(index);
  const folders = foldersFrom(index, files);
  assert.strictEqual(seen(folders, '', false), 'm+ a b');
  assert.strictEqual(seen(folders, '', true), 'm+ a+ b+');
  assert.strictEqual(seen(folders, 'a', false), 'm+ a+ b');
  for (const { base } of files) assert.ok(base);
  files[0].isShown = false;
  files[101].isShown = false;
  assert.strictEqual(seen(folders, '', false), 'm+ a+', 'a folder without shown files is not seen');
});

test('a folder has the figures of the files that are shown', () => {
  const { files, folders } = sample();
  const figures = () => folders.map(({ shown, covered, total }) => [shown, covered, total]);
  for (const at of [2, 4]) Object.assign(files[at], { isShown: false, isCounted: false });
  addFigures(folders);
  assert.deepStrictEqual(figures(), [[3, 5, 8], [2, 4, 7], [1, 1, 4], [1, 3, 3], [0, 0, 0]]);
  for (const each of files) Object.assign(each, { isShown: true, isCounted: true });
  addFigures(folders);
  assert.deepStrictEqual(figures(), [[5, 5, 18], [3, 4, 9], [2, 1, 6], [1, 3, 3], [1, 0, 8]]);
});

test('a folder with nothing to show but one folder is joined with it, however its fold is', () => {
  const { files, folders } = sample();
  const rows = () => folders.filter(({ isSeen }) => isSeen).map(({ label, level }) => `${level} ${label}`);
  seen(folders, '', true);
  assert.deepStrictEqual(rows(), ['0 m', '1 a', '2 b,c', '2 d', '1 e/f']);
  for (const each of files) each.isShown = each.base === 'z.go';
  for (const folds of ['', '-', '*,a']) {
    seen(folders, folds, true);
    assert.deepStrictEqual(rows(), ['0 m', '1 a/d'], folds);
  }
  for (const each of files) each.isShown = true;
  seen(folders, '', false);
  assert.deepStrictEqual(rows(), ['0 m', '1 a', '2 b,c', '2 d', '1 e/f'], 'as before');
});

test('three folders of which each has one are joined into one row', () => {
  const index = [[0, 'm', [file('main.go', 1, 1)]], [1, 'm/a', [file('a.go', 1, 1)]], [2, 'm/a/b', [file('b.go', 1, 1)]],
    [3, 'm/a/b/c', [file('c.go', 1, 1)]], [4, 'm/a/b/c/d', [file('d.go', 1, 1)]]];
  const files = filesFrom(index);
  const folders = foldersFrom(index, files);
  for (const each of files) each.isShown = each.base === 'd.go';
  assert.strictEqual(seen(folders, '', true), 'm+ d+');
  assert.deepStrictEqual([folders[4].label, folders[4].level], ['a/b/c/d', 1]);
  files[2].isShown = true;
  assert.strictEqual(seen(folders, '', true), 'm+ b+ d+');
  assert.deepStrictEqual(folders.slice(2).map(({ label, level }) => [label, level]), [['a/b', 1], ['c', 2], ['c/d', 2]]);
});

test('folds that hide every file that is shown are told from those that hide some', () => {
  const { files, folders } = sample();
  for (const each of files) each.isShown = each.base === 'z.go' || each.base === 'q.go';
  const rows = [['-', true], ['-,a', true], ['-,a,a/d', false], ['', false], ['-,e/f', false], [',.', true], ['a,e/f', false]];
  for (const [folds, wanted] of rows) {
    seen(folders, folds, true);
    assert.strictEqual(hidesAll(folders), wanted, folds);
  }
});

test('a fold that is toggled twice is as before', () => {
  const { folders } = sample();
  const rows = [['', 2, 'a/b%2Cc'], ['*', 1, '*,a'], ['-', 0, '-,.'], ['-,a', 1, '-'], ['a,e/f', 1, 'e/f']];
  for (const [folds, at, wanted] of rows) {
    assert.strictEqual(toggled(folds, folders[at]), wanted);
    assert.deepStrictEqual(toggled(wanted, folders[at]).split(',').sort(), folds.split(',').sort());
  }
});

test('filters begin with folds of their own, and those of before come back', () => {
  const list = { filter: '', owner: '', uncovered: false, changed: false, folds: '-' };
  const found = { ...list, filter: 'x', folds: '-' };
  assert.strictEqual(foldsAfter(list, found, '-'), '');
  assert.strictEqual(foldsAfter(found, { ...found, filter: 'xy', folds: 'a' }, '-'), '');
  assert.strictEqual(foldsAfter(list, { ...list, owner: '@ann' }, '-'), '');
  assert.strictEqual(foldsAfter(found, { ...found, folds: 'a' }, '-'), 'a');
  assert.strictEqual(foldsAfter({ ...found, folds: 'a' }, { ...list, folds: 'a' }, '-'), '-');
});
