'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { printable, signed, baseName, pathParts, functionParts } = run('names').names;

test('a name shows invisible characters as Rust escapes them', () => {
  const rows = [
    ['m/größe.go', 'm/größe.go'],
    ['', ''],
    ['a\u202eb', 'a\\u{202e}b'],
    ['\u001b[31m\t\n', '\\u{1b}[31m\\u{9}\\u{a}'],
    ['\ufeff\u200b\u2028', '\\u{feff}\\u{200b}\\u{2028}'],
    ['\u{e0041}💡', '\\u{e0041}💡'],
  ];
  for (const [name, wanted] of rows) assert.strictEqual(printable(name), wanted);
});

test('source text keeps its tabs, and shows other invisible characters as signs', () => {
  const rows = [
    ['\tx := 1', [['\tx := 1', false]]],
    ['// \u202eevil\ufeff', [['// ', false], ['U+202E', true], ['evil', false], ['U+FEFF', true]]],
    ['\t\u0000', [['\t', false], ['U+0000', true]]],
    ['\u{e0041}', [['U+E0041', true]]],
  ];
  for (const [text, wanted] of rows) assert.deepStrictEqual(signed(text), wanted);
});

test('a base name stands after the last slash', () => {
  const rows = [['m/app/main.go', 'main.go'], ['main.go', 'main.go'], ['', ''], ['m/', '']];
  for (const [name, wanted] of rows) assert.strictEqual(baseName(name), wanted);
});

test('a path may break after slashes, underlines and hyphens', () => {
  const rows = [
    ['my-app/x_y/main_test.go', ['my-', 'app/', 'x_', 'y/'], ['main_', 'test.go']],
    ['main.go', [''], ['main.go']],
    ['m/app/', ['m/'], ['app/']],
  ];
  for (const [name, folders, base] of rows) assert.deepStrictEqual(pathParts(name), { folders, base });
});

test('the name of a function may break between its words', () => {
  const rows = [
    ['Cart.CheckOut', ['Cart.', 'Check', 'Out']],
    ['head_appender.ServeHTTP', ['head_', 'appender.', 'Serve', 'HTTP']],
    ['größeÜber2Max', ['größe', 'Über2', 'Max']],
    ['main', ['main']],
  ];
  for (const [name, wanted] of rows) assert.deepStrictEqual(functionParts(name), wanted);
});
