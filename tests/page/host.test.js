'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { addressOf } = run('names', 'host').host;

const GITHUB = {
  address: 'https://github.com/o/r/blob/c0ffee/{path}#L{line}',
  folders: { 'example.com/m/': '', 'example.com/m/a b/': 'deep/a b/' }, absent: [7] };

test('a line of a file has an address, and a file without a line has one, too', () => {
  const rows = [
    ['example.com/m/main.go', 7, 'https://github.com/o/r/blob/c0ffee/main.go#L7'],
    ['example.com/m/main.go', 0, 'https://github.com/o/r/blob/c0ffee/main.go'],
    ['example.com/m/a b/größe#1?.go', 7, 'https://github.com/o/r/blob/c0ffee/deep/a%20b/gr%C3%B6%C3%9Fe%231%3F.go#L7'],
  ];
  for (const [name, line, wanted] of rows) assert.strictEqual(addressOf(GITHUB, { name }, line), wanted);
});

test('a line in the query of an address is at least the first one', () => {
  const links = { address: 'https://h/?f={path}&n={line}#code', folders: { 'm/': 'm/' }, absent: [] };
  assert.strictEqual(addressOf(links, { name: 'm/x.go' }, 0), 'https://h/?f=m/x.go&n=1#code');
  assert.strictEqual(addressOf(links, { name: 'm/x.go' }, 3), 'https://h/?f=m/x.go&n=3#code');
});

test('a name with the sign of a placeholder does not become another path', () => {
  const links = { ...GITHUB, folders: { 'm/': '{line}/' } };
  assert.strictEqual(addressOf(links, { name: 'm/$&.go' }, 3), 'https://github.com/o/r/blob/c0ffee/%7Bline%7D/%24%26.go#L3');
});

test('a file that the repository lacks has no address', () => {
  assert.strictEqual(addressOf(GITHUB, { name: 'other.org/x/y.go' }, 1), undefined);
  assert.strictEqual(addressOf(GITHUB, { name: 'example.com/m/made.go', at: 7, why: 'not in the commit' }, 1), undefined);
});

test('a file whose text cannot be shown has its address', () => {
  const odd = { name: 'example.com/m/odd.go', at: 8, why: 'does not parse, line 3' };
  assert.strictEqual(addressOf(GITHUB, odd, 4), 'https://github.com/o/r/blob/c0ffee/odd.go#L4');
});
