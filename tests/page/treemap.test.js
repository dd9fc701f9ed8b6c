'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { files: { filesFrom }, tree: { foldersFrom }, treemap: { partsOf, ofFolder, filterFor, stepOf, sumsOf } } =
  run('address', 'rows', 'names', 'files', 'tree', 'treemap');

const file = (name, total) => [name, 0, total, 0, 0, null];
const INDEX = [
  [0, 'm', [file('main.go', 1), file('types.go', 0)]],
  [1, 'm/a', [file('x.go', 1)]],
  [2, 'm/a/b', [file('x.go', 4), file('y.go', 2)]],
  [2, 'm/a/c', [file('types.go', 0)]],
  [1, 'm/d/b', [file('q.go', 8)]],
];
const files = filesFrom(INDEX);
const folders = foldersFrom(INDEX, files);

/** Returns names of parts, numbers of files that their filter shows, and of files in their area. */
const shown = (level) => partsOf(files, folders, level).map((part) => [part.name, part.files.length, part.drawn.length]);

test('a map of files has each file with statements, in the order of the table', () => {
  assert.deepStrictEqual(shown(undefined), [
    ['m/main.go', 1, 1], ['m/a/x.go', 1, 1], ['m/a/b/x.go', 1, 1], ['m/a/b/y.go', 1, 1], ['m/d/b/q.go', 1, 1]]);
});

test('a map of folders has the own files of each, and at its last level all below it', () => {
  assert.deepStrictEqual(shown(2), [['m/', 7, 2], ['m/a/', 4, 1], ['m/a/b/', 2, 2], ['m/d/b/', 1, 1]]);
  assert.deepStrictEqual(shown(1), [['m/', 7, 2], ['m/a/', 4, 4], ['m/d/b/', 1, 1]]);
});

test('the filter for a part is its path below that of all, unless other files have that, too', () => {
  const rows = [
    [{ name: 'm/a/x.go', files: [files[2]] }, 'a/x.go'],
    [{ name: 'm/a/b/x.go', files: [files[3]] }, 'a/b/x.go'],
    [ofFolder(folders[1]), 'a/'],
    [ofFolder(folders[2]), 'a/b/'],
    [ofFolder(folders[0]), 'm/'],
  ];
  for (const [part, wanted] of rows) assert.strictEqual(filterFor(part, 'm', files), wanted);
  const more = filesFrom([[0, 'm/b', [file('a.go', 1)]], [0, 'm/c/b', [file('a.go', 1)]]]);
  assert.strictEqual(filterFor({ name: 'm/b/a.go', files: more.slice(0, 1) }, 'm', more), 'm/b/a.go');
  assert.strictEqual(filterFor({ name: 'b/', files: more }, '', more), 'b/');
});

test('an area has the step of colour that Rust gives it', () => {
  const rows = [[0, 9, 0], [1, 1000, 1], [399, 1000, 1], [400, 1000, 2], [599, 1000, 2], [600, 1000, 3], [800, 1000, 4], [949, 1000, 4],
    [95, 100, 5], [9, 9, 5]];
  for (const [covered, total, wanted] of rows) assert.strictEqual(stepOf(covered, total), wanted, `${covered} of ${total}`);
  assert.deepStrictEqual(sumsOf([{ covered: 1, total: 3 }, { covered: 2, total: 4 }]), { covered: 3, total: 7 });
  assert.deepStrictEqual(sumsOf([]), { covered: 0, total: 0 });
});
