'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { run } = require('./script.js');

const { rows: { searchWords }, fuzzy: { candidateOf, fitting, best } } = run('rows', 'fuzzy');

const FILES = ['m/api/server.go', 'm/api/http_server_test.go', 'm/kubelet/kubelet.go', 'm/kubelet/status/status_manager.go',
  'm/cmd/app/kubelet/server/kubelet.go', 'm/größe.go'];
const FUNCTIONS = ['Server.Serve', 'NewKubeletServer', 'newKey', 'HTTPServer.ServeHTTP', 'backlog', 'NewQueue', 'queueHeap.pop'];
const CANDIDATES = [
  ...FILES.map((name) => candidateOf(name, name.lastIndexOf('/') + 1, name)),
  ...FUNCTIONS.map((name) => candidateOf(name, name.indexOf('.') + 1, name))];

const found = (text, most = 9) => {
  const words = searchWords(text);
  return best(fitting(CANDIDATES, words), words, most);
};
const namesFor = (text) => found(text).map(({ candidate: { value } }) => value);

test('the best name for a few letters is first', () => {
  const rows = [
    ['a whole last part, and the shorter path of two alike', 'kubelet.go', 'm/kubelet/kubelet.go'],
    ['the same without the ending', 'kubelet', 'm/kubelet/kubelet.go'],
    ['the begin of the last part', 'serv', 'Server.Serve'],
    ['in any case of letters', 'NEWKUBE', 'NewKubeletServer'],
    ['begins of parts', 'nks', 'NewKubeletServer'],
    ['begins of parts after other signs', 'hst', 'm/api/http_server_test.go'],
    ['letters of folders, too', 'm/stat', 'm/kubelet/status/status_manager.go'],
    ['the begin of a name, before other words of one', 'queu', 'queueHeap.pop'],
    ['the begin of a last part without its signs', 'httpser', 'm/api/http_server_test.go'],
    ['several words in any order', 'go server cmd', 'm/cmd/app/kubelet/server/kubelet.go'],
    ['letters beyond ASCII', 'größe', 'm/größe.go'],
  ];
  for (const [why, text, wanted] of rows) assert.strictEqual(namesFor(text)[0], wanted, `${why}: ${text}`);
});

test('names without the letters in that order do not fit', () => {
  assert.deepStrictEqual(namesFor('zzz'), []);
  assert.deepStrictEqual(namesFor('gol kcab'), []);
  assert.deepStrictEqual(namesFor('backlog'), ['backlog']);
  assert.deepStrictEqual(namesFor('1'), []);
});

test('the letters that were typed are told by their places', () => {
  const placesOf = (text) => found(text)[0].places.map((at) => found(text)[0].candidate.text[at]).join('');
  assert.strictEqual(placesOf('nks'), 'NKS');
  assert.strictEqual(placesOf('kubelet.go'), 'kubelet.go');
  assert.deepStrictEqual(found('log')[0].places, [4, 5, 6]);
});

test('no more than a number of names come, and these are the best of all', () => {
  assert.deepStrictEqual(found('e', 3).map(({ score }) => score), found('e').slice(0, 3).map(({ score }) => score));
  assert.strictEqual(found('e', 3).length, 3);
});

test('names that fit a longer text fit its begin, so that a further letter looks only at these', () => {
  for (const text of ['kubelet.go', 'server cmd', 'nks']) {
    const before = fitting(CANDIDATES, searchWords(text.slice(0, -1)));
    assert.deepStrictEqual(fitting(before, searchWords(text)), fitting(CANDIDATES, searchWords(text)));
  }
});
