// The files of the script hold together: no browser is needed to see a name that no file gives.
'use strict';
const assert = require('node:assert');
const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const test = require('node:test');
const { PROJECT, FOLDER, OF_SITE, textOf } = require('./script.js');

const RUST = readFileSync(join(PROJECT, 'src', 'report', 'html', 'script.rs'), 'utf8');
/** Returns the files that a constant of Rust joins, in its order. */
const joined = (constant) => {
  const [statement] = RUST.match(new RegExp(`const ${constant}: [^;]*;`));
  return [...statement.matchAll(/"(\w+)"/g)].map(([, name]) => name);
};
const SHARED = joined('SHARED');
const OF_REPORT = [...SHARED, ...joined('OF_REPORT')];
const FRAME = readFileSync(join(PROJECT, 'src', 'report', 'site', 'frame.rs'), 'utf8');
const SITE = [...FRAME.matchAll(/include_str!\("script\/(\w+)\.js"\)/g)].map(([, name]) => `site/${name}`);

/** Returns the names that a file takes from other files, such as `words.filled`, and those that it gives. */
const namesOf = (text) => {
  const names = (list) => list.split(',').map((name) => name.split(':')[0].trim()).filter((name) => name !== '');
  const parts = [...text.matchAll(/const \{([^}]*)\} = page;/g)].flatMap(([, list]) => names(list));
  const taken = [...text.matchAll(/const \{([^}]*)\} = page\.(\w+);/g)].flatMap(([, list, part]) => (
    names(list).map((name) => `${part}.${name}`)));
  const called = [...text.matchAll(new RegExp(`\\b(?:${['page\\.\\w+', ...parts].join('|')})\\.\\w+`, 'g'))]
    .map(([name]) => name.replace(/^page\./, ''));
  const [, part] = text.match(/^page\.(\w+) = /m) ?? [];
  const given = text.match(/^ {2}return \{([^}]*)\};\n\}\)\(\);\n$/m)?.[1] ?? '';
  return { takes: [...taken, ...called], gives: names(given).map((name) => `${part}.${name}`) };
};

const assertWhole = (texts) => {
  const given = new Set();
  for (const [file, text] of texts) {
    const { takes, gives } = namesOf(text);
    assert.deepStrictEqual(takes.filter((name) => !given.has(name)), [], `${file} takes what no file before it gives`);
    for (const name of gives) given.add(name);
  }
};

test('a file of the report takes only names that files before it give', () => {
  assertWhole(OF_REPORT.map((name) => [name, textOf(name)]));
});

test('a file of the site takes only names that files before it give', () => {
  assertWhole([...SHARED, ...SITE].map((name) => [name, textOf(name)]));
});

test('a name that no file gives is found', () => {
  const [a, b] = ['page.a = (() => {\n  return { x };\n})();\n', '(() => {\n  const { x, y } = page.a;\n})();\n'];
  assert.deepStrictEqual(namesOf(a), { takes: [], gives: ['a.x'] });
  assert.deepStrictEqual(namesOf(b), { takes: ['a.x', 'a.y'], gives: [] });
  assert.throws(() => assertWhole([['a', a], ['b', b]]), /b takes what no file before it gives/);
});

test('every file of the folders is in a page', () => {
  const filesOf = (folder) => readdirSync(folder).map((file) => file.replace(/\.js$/, ''));
  assert.deepStrictEqual([...OF_REPORT].sort(), filesOf(FOLDER).sort());
  assert.deepStrictEqual([...SITE].sort(), filesOf(OF_SITE).map((name) => `site/${name}`).sort());
});

test('a file that names no browser object needs none', () => {
  const browser = /\b(document|window|location|history|localStorage|element)\b/;
  const pure = [...OF_REPORT, ...SITE].filter((name) => !browser.test(textOf(name).replace(/^\s*\/[/*].*$/gm, '')));
  assert.deepStrictEqual(pure, [
    'words', 'address', 'rows', 'neighbours', 'names', 'sentences', 'files', 'tree', 'treemap', 'streams', 'choices', 'catalog', 'go',
    'layout', 'changes', 'walks', 'marks', 'fuzzy', 'find', 'host', 'site/filters', 'site/places']);
});
