'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { deflateRawSync } = require('node:zlib');
const { run } = require('./script.js');

const { fromCharacters, readerOf, filesOf, unpacked, figuresOf, cached } = run('streams').streams;

const bytesOf = (...parts) => Uint8Array.from(parts.flatMap((part) => (
  typeof part === 'string' ? [...Buffer.from(part)] : part)));

/** Does the reverse of `fromCharacters` by the description in html/packs.rs. */
const inCharacters = (bytes) => {
  const digit = (value) => String.fromCharCode(value + (value < 27 ? 33 : 34));
  const pair = (value) => digit(Math.floor(value / 93)) + digit(value % 93);
  let [text, held, bits] = ['', 0, 0];
  for (const byte of bytes) {
    held |= byte << bits;
    bits += 8;
    if (bits >= 13) {
      text += pair(held & 8191);
      held >>= 13;
      bits -= 13;
    }
  }
  if (bits > 6) return text + pair(held);
  return bits > 0 ? text + digit(held) : text;
};

test('two characters are 13 bits to the base 93 without "<", and one at the end is 6 bits', () => {
  const rows = [
    ['', []], ['!!', [0]], ['!"', [1]], ['!;', [26]], ['!=', [27]], ['#g', [255]], ['z((', [255, 255]],
    ['!!!', [0, 0]],
  ];
  for (const [text, wanted] of rows) assert.deepStrictEqual([...fromCharacters(text)], wanted, text);
});

test('bytes of any number come back from characters', () => {
  const bytes = [...Array(256).keys(), ...Array(16).fill(255), ...Array(16).fill(0)];
  for (let length = 0; length <= bytes.length; length += 1) {
    const wanted = bytes.slice(0, length);
    assert.deepStrictEqual([...fromCharacters(inCharacters(wanted))], wanted);
  }
});

test('a number has 7 bits a byte, the lowest first', () => {
  const rows = [
    [[0], 0], [[127], 127], [[128, 1], 128], [[255, 127], 16383], [[255, 255, 255, 255, 15], 4294967295],
    [[128, 128, 128, 128, 128, 128, 128, 16], 9007199254740992],
  ];
  for (const [bytes, wanted] of rows) assert.strictEqual(readerOf(Uint8Array.from(bytes)).number(), wanted);
});

test('a table has its columns one after the other, and reading goes on after it', () => {
  const { table, take, number } = readerOf(bytesOf([2, 1, 2, 10, 20, 100, 101], 'ab', [7]));
  assert.deepStrictEqual(table(3), [1, 10, 100, 2, 20, 101]);
  assert.deepStrictEqual([...take(2)], [97, 98]);
  assert.strictEqual(number(), 7);
  assert.deepStrictEqual(readerOf(bytesOf([0, 9])).table(6), []);
});

/** Figures and texts of three files: lengths of both for each, the text's plus one, then all figures, then all texts. */
const STREAM = bytesOf([3, 1, 4, 2, 0, 0, 1], [11, 21, 22], 'abc');
const FILES = [
  { figures: [11], text: [97, 98, 99] }, { figures: [21, 22], text: null }, { figures: [], text: [] }];
const asLists = (files) => files.map(({ figures, text }) => (
  { figures: [...figures], text: text === null ? null : [...text] }));

test('a stream has the figures of all files before their texts, and tells no text from an empty one', () => {
  assert.deepStrictEqual(asLists(filesOf(STREAM)), FILES);
});

test('a stream is unpacked from the characters in the page', async () => {
  assert.deepStrictEqual(asLists(await unpacked(inCharacters(deflateRawSync(STREAM)))), FILES);
});

test('a stream that was cut off is refused', async () => {
  const characters = inCharacters(deflateRawSync(STREAM));
  await assert.rejects(unpacked(characters.slice(0, characters.length / 2)));
});

test('figures are blocks, runs of lines and functions, as a test in html/packs.rs writes them', () => {
  const blocks = [3, 3, 1, 5, 13, 11, 20, 1, 2, 2, 11, 3, 2, 1, 1, 1, 3, 0, 2];
  const lines = [3, 4, 1, 5, 1, 1, 1, 1, 3, 1, 3, 0, 2];
  const functions = [2, 0, 1, 4, 4, 3, 2, 4, 2, 1, 1, 2, 1, 3, 2];
  assert.deepStrictEqual(figuresOf(bytesOf(blocks, lines, functions, 'mainTStop')), {
    blocks: [3, 13, 1, 11, 1, 3, 1, 11, 2, 3, 1, 0, 5, 20, 2, 2, 1, 2],
    origins: [],
    lines: [4, 1, 1, 3, 1, 1, 3, 0, 5, 1, 1, 2],
    functions: [['', 'main', 3, 7, 1, 2, 3], ['T', 'Stop', 9, 11, 1, 1, 2]],
  });
  const { origins, functions: found } = figuresOf(bytesOf(blocks, [3, 0, 2, 1], lines, functions, 'mainTStop'), true);
  assert.deepStrictEqual([origins, found.length], [[0, 2, 1], 2]);
});

test('a block may end above its start, and a function may stand above the one before', () => {
  const above = [254, 255, 255, 255, 15];
  const { blocks, functions } = figuresOf(bytesOf(
    [1, 5, 2], above, [1, 1, 7], [0], [2, 0, 0, 1, 1, 9], above, [1, 1, 1, 1, 1, 1, 0, 0], 'ab'));
  assert.deepStrictEqual(blocks, [5, 2, -2, 1, 1, 7]);
  assert.deepStrictEqual(functions.map(([, name, first, last]) => [name, first, last]), [['a', 9, 10], ['b', 8, 9]]);
});

test('a value is loaded once while it is among the newest', () => {
  const loaded = [];
  const get = cached((key) => loaded.push(key), 2);
  for (const key of [1, 1, 2, 1, 3, 2, 1]) get(key);
  assert.deepStrictEqual(loaded, [1, 2, 3, 1]);
});
