// Data that the page was written with, and the file that is open.
page.state = (() => {
  const { element, parsed } = page.elements;
  const { filesFrom } = page.files;
  const { foldersFrom, addFigures } = page.tree;
  const { linesOf } = page.changes;
  const { toFragment, toRanges } = page.address;

  const index = parsed('index');
  const FILES = filesFrom(index);
  const FOLDERS = foldersFrom(index, FILES);
  /** Changes since a base; `null` in a page that was written without one. */
  const CHANGES = element('changes') === null ? null : parsed('changes');
  /** Short commit, and time or label, of the rows and runs from which blocks are carried; `null` in a page that shows none. */
  const { origins: CARRIED, own } = element('carried') === null ? { origins: null, own: [] } : parsed('carried');
  /** Ignored statements and lines of files, and places of stale marks; `null` where marks in the source mean nothing. */
  const MARKED = element('marked') === null ? null : parsed('marked');
  /** Names of the runs that count together, and what each executed of each file; `null` if the service counts alone. */
  const RUNS = element('labels') === null ? null : parsed('labels');
  /** Number of choices among them. */
  const CHOICES = RUNS === null ? 0 : 2 * RUNS.runs.length;
  for (const file of FILES) {
    file.ignored = MARKED?.files[file.at];
    file.change = CHANGES?.files[file.at];
    file.lost = linesOf(file.change?.turned ?? [], 'LBC');
    file.gained = linesOf(file.change?.turned ?? [], 'GBC');
    // The statements that were executed at this commit, if what is carried from others is shown.
    file.own = own[file.at];
    file.whole = { covered: file.covered, own: file.own };
  }
  addFigures(FOLDERS);
  for (const [owner, ranges] of element('owners') === null ? [] : parsed('owners')) {
    for (const [first, last] of ranges) for (const file of FILES.slice(first, last + 1)) file.owners.push(owner);
  }
  /** A comparison begins with the files that lost most lines, if any lost some. */
  const USUAL_ORDER = FILES.some(({ lost }) => lost > 0) ? { sort: 'lost', down: true } : undefined;
  /** Places for the walks through all files: index of the file, first and last line. */
  const PLACES = { missed: CHANGES?.missed ?? [], lost: CHANGES?.lost ?? [] };

  const view = {
    /** The open file with its layout; `null` in the table. */
    open: null,
    /** Number of the file that was opened last, so that work for an earlier one can stop. */
    turn: 0,
    withCounts: false,
    /** The choice of runs whose coverage is shown; -1 for all together. */
    choice: -1,
    /** Only changed lines of a file are shown and part of walks. */
    onlyChanged: false,
    /** States of lines whose colours are off. */
    withoutColour: [],
    /** Ranges of lines of the open file that were unfolded among its changed lines. */
    unfolded: [],
    /** Indexes of the places of the last walk of each kind. */
    walked: { missed: -1, lost: -1 },
  };

  // Streams come after this script in the page, so that the table works before they are loaded.
  const loaded = new Promise((done) => {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', done, { once: true });
    else done();
  });

  /** Returns the fragment of the address of a line of a file, or of the whole file for line 0. */
  const fileFragment = (name, line, further = {}) => toFragment({
    file: name, line: line || '', ...further, counts: view.withCounts, without: view.withoutColour.join(',') });

  /** The same for a walk, which goes on through changed lines only. */
  const walkFragment = (name, line) => fileFragment(name, line, { changed: view.onlyChanged });

  /** Returns the fragment of the address of a line of the open file, with all that the view shows. */
  const lineFragment = (line) => fileFragment(view.open.file.name, line, {
    changed: view.onlyChanged, unfolded: view.onlyChanged && toRanges(view.unfolded) });

  return { FILES, FOLDERS, CHANGES, CARRIED, MARKED, RUNS, CHOICES, USUAL_ORDER, PLACES, view, loaded, fileFragment, walkFragment, lineFragment };
})();
