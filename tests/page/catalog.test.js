'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { files: { filesFrom }, rows: { ordered }, catalog: { functionsFrom, FIGURES, listFrom, listFragment, isListed, placeOf } } =
  run('address', 'rows', 'names', 'files', 'streams', 'catalog');

const FILES = filesFrom([[0, 'm/app', [['a.go', 2, 5, 0, 0, null], ['b.go', 0, 0, 0, 1, null], ['c.go', 1, 1, 0, 2, null]]]]);

/** Returns the bytes of numbers below 128, and of a text, as html/catalog.rs writes them. */
const bytesOf = (numbers, text) => new Uint8Array([...numbers, ...new TextEncoder().encode(text)]);

// Two functions in the first file, none in the second, one in the third; a table has its columns one after the other.
const BYTES = bytesOf([3, 2, 0, 1, 3, /* receiver */ 4, 0, 0, /* name */ 3, 4, 6, /* line */ 3, 7, 9, /* covered */ 2, 0, 1,
  /* all */ 3, 2, 1, /* count */ 7, 0, 1], 'CartAddmainGröß');

test('each function has its name, its file, its line and its figures', () => {
  const found = functionsFrom(BYTES, FILES);
  assert.deepStrictEqual(found.map(({ name, file, line, covered, total, count }) => [name, file.name, line, covered, total, count]), [
    ['Cart.Add', 'm/app/a.go', 3, 2, 3, 7], ['main', 'm/app/a.go', 10, 0, 2, 0], ['Größ', 'm/app/c.go', 9, 1, 1, 1]]);
});

test('a function of which later blocks have counts was entered: at other commits, or before its counters began', () => {
  // As above, but nothing entered the first function here, though 2 of its 3 statements are covered.
  const bytes = bytesOf([...BYTES.slice(0, 20), 0, 0, 1], 'CartAddmainGröß');
  const listed = (withCarried) => functionsFrom(bytes, FILES, withCarried)
    .filter((of) => isListed(of, { never: true }, [])).map(({ name }) => name).join(' ');
  assert.strictEqual(listed(true), 'main');
  assert.strictEqual(listed(false), 'main');
});

test('functions are ordered by their figures, first those that lack most', () => {
  const found = functionsFrom(BYTES, FILES);
  const rows = [['uncovered', true, 'main Cart.Add Größ'], ['count', true, 'Cart.Add Größ main'], ['percent', false, 'main Cart.Add Größ'],
    ['file', true, 'Größ Cart.Add main'], ['name', false, 'Cart.Add Größ main']];
  for (const [sort, down, wanted] of rows) {
    assert.strictEqual(ordered(found, FIGURES[sort], down).map(({ name }) => name).join(' '), wanted, sort);
  }
  const { sort, down } = listFrom({});
  assert.deepStrictEqual({ sort, down }, { sort: 'uncovered', down: true });
});

test('an address says which functions are listed', () => {
  for (const fragment of ['#tab=functions', '#tab=functions&sort=-count&filter=x&never=1', '#tab=functions&sort=name']) {
    const values = Object.fromEntries(fragment.slice(1).split('&').map((part) => part.split('=')));
    assert.strictEqual(listFragment(listFrom(values)), fragment);
  }
});

test('a search finds names and files, and functions without statements are in no list', () => {
  const found = functionsFrom(BYTES, FILES);
  const listed = (list, words) => found.filter((of) => isListed(of, list, words)).map(({ name }) => name).join(' ');
  assert.strictEqual(listed({ never: false }, []), 'Cart.Add main Größ');
  assert.strictEqual(listed({ never: true }, []), 'main');
  assert.strictEqual(listed({ never: false }, ['add']), 'Cart.Add');
  assert.strictEqual(listed({ never: false }, ['a.go', 'main']), 'main');
  assert.strictEqual(isListed({ ...found[0], total: 0 }, { never: false }, []), false);
});

test('a place is a file below the path that all share, and a line', () => {
  const [add] = functionsFrom(BYTES, FILES);
  assert.strictEqual(placeOf(add, 'm/app').join(''), 'a.go:3');
  assert.strictEqual(placeOf(add, '').join(''), 'm/app/a.go:3');
});
