// Files of the page's script as the page runs them: one after the other, each as plain script.
'use strict';
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

const PROJECT = join(__dirname, '..', '..');
const FOLDER = join(PROJECT, 'src', 'report', 'html', 'script');

/** Returns the text of a file of the script. */
const textOf = (name) => readFileSync(join(FOLDER, `${name}.js`), 'utf8');

/** Runs files of the script, and returns what they add to `page`. The first file makes `page`, so it always runs. */
const run = (...names) => {
  for (const name of ['words', ...names]) vm.runInThisContext(textOf(name), { filename: join(FOLDER, `${name}.js`) });
  return vm.runInThisContext('page');
};

module.exports = { PROJECT, FOLDER, textOf, run };
