'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { address: { toFragment, fromFragment, toRanges, fromRanges } } = run('address');

test('a fragment leaves out what is empty, and leaves slashes as they are', () => {
  const rows = [
    [{}, '#'],
    [{ sort: '', filter: undefined, flat: false }, '#'],
    [{ file: 'm/app/main.go', line: 16 }, '#file=m/app/main.go&line=16'],
    [{ uncovered: true, flat: false, changed: true }, '#uncovered=1&changed=1'],
    [{ line: 0 }, '#line=0'],
    [{ filter: 'a&b=c d#%' }, '#filter=a%26b%3Dc%20d%23%25'],
    [{ file: 'ü/</script>' }, '#file=%C3%BC/%3C/script%3E'],
  ];
  for (const [values, wanted] of rows) assert.strictEqual(toFragment(values), wanted);
});

test('a fragment is read part by part, and a broken part says nothing', () => {
  const rows = [
    ['', {}],
    ['#', {}],
    ['#L16', {}],
    ['#file=m/x.go&line=3', { file: 'm/x.go', line: '3' }],
    ['#filter=a%26b%3Dc%20d&flat=1', { filter: 'a&b=c d', flat: '1' }],
    ['#filter=a=b', { filter: 'a=b' }],
    ['#filter=%&sort=-name&%%%', { sort: '-name' }],
    ['#sort=name&sort=total', { sort: 'total' }],
  ];
  for (const [fragment, wanted] of rows) assert.deepStrictEqual(fromFragment(fragment), wanted, fragment);
});

test('values of any characters come back', () => {
  for (const file of ['a b', 'x%2Fy', '</script><img src=x>&amp;"\'\u202e#file=%.go', 'größe', '=&=', '💡']) {
    assert.deepStrictEqual(fromFragment(toFragment({ file, line: 7 })), { file, line: '7' });
  }
});

test('a fragment changes no object but its own values', () => {
  fromFragment('#__proto__=x&constructor=y');
  assert.strictEqual({}.x, undefined);
  assert.strictEqual(typeof {}.constructor, 'function');
});

test('ranges are a text, and what is no range in a text is left out', () => {
  assert.strictEqual(toRanges([[3, 9], [20, 20]]), '3-9,20-20');
  const rows = [
    ['', []], ['3-9,20-20', [[3, 9], [20, 20]]], ['3', []], ['-3-9', []], ['3-9x,4-5', [[4, 5]]], ['1-9999999999', []]];
  for (const [text, wanted] of rows) assert.deepStrictEqual(fromRanges(text), wanted, text);
});

test('commas of a list stay readable', () => {
  assert.strictEqual(toFragment({ folds: '*,a/b%2Cc' }), '#folds=*,a/b%252Cc');
  assert.deepStrictEqual(fromFragment('#folds=*,a/b%252Cc'), { folds: '*,a/b%2Cc' });
});
