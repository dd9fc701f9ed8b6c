// Files of the page's script as the page runs them: one after the other, each as plain script.
'use strict';
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

const PROJECT = join(__dirname, '..', '..');
const FOLDER = join(PROJECT, 'src', 'report', 'html', 'script');
const OF_SITE = join(PROJECT, 'src', 'report', 'site', 'script');

/** Returns the path of a file of the script; names such as `site/filters` are those of a site. */
const pathOf = (name) => (name.startsWith('site/') ? join(OF_SITE, `${name.slice(5)}.js`) : join(FOLDER, `${name}.js`));

/** Returns the text of a file of the script. */
const textOf = (name) => readFileSync(pathOf(name), 'utf8');

/** Runs files of the script, and returns what they add to `page`. The first file makes `page`, so it always runs. */
const run = (...names) => {
  for (const name of ['words', ...names]) vm.runInThisContext(textOf(name), { filename: pathOf(name) });
  return vm.runInThisContext('page');
};

module.exports = { PROJECT, FOLDER, OF_SITE, textOf, run };
