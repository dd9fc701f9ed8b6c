// Folders of the table: which of them are open, and how an address says so, without the DOM.
page.tree = (() => {
  /** Number of files up to which all folders are open at first. */
  const OPEN_FILES = 100;

  /** Returns the folders of an index, each before those inside it; `files` are those of `filesFrom`. */
  const foldersFrom = (index, files) => {
    const folders = [];
    const around = [];
    let from = 0;
    for (const [depth, path, own] of index) {
      const parent = depth > 0 ? around[depth - 1] : undefined;
      const folder = {
        path, depth, parent, folders: [], files: files.slice(from, from + own.length),
        name: parent === undefined ? path : path.slice(parent.path === '' ? 0 : parent.path.length + 1),
        // Its name in an address.
        key: parent === undefined ? '.' : path.slice(folders[0].path === '' ? 0 : folders[0].path.length + 1),
      };
      from += own.length;
      around[depth] = folder;
      parent?.folders.push(folder);
      folders.push(folder);
    }
    return folders;
  };

  /** Counts the files that are shown in each folder, and sums the figures of those that count, which all shown ones do. */
  const addFigures = (folders) => {
    for (const folder of [...folders].reverse()) {
      const [shown, counted] = ['isShown', 'isCounted'].map((name) => folder.files.filter((file) => file[name]));
      Object.assign(folder, { covered: 0, own: 0, total: 0, change: { covered: 0, total: 0 }, lost: 0, gained: 0, ignored: { statements: 0 } });
      folder.shown = folder.folders.reduce((sum, inner) => sum + inner.shown, shown.length);
      for (const inner of [...counted, ...folder.folders]) {
        folder.covered += inner.covered;
        folder.own += inner.own ?? 0;
        folder.total += inner.total;
        folder.lost += inner.lost ?? 0;
        folder.ignored.statements += inner.ignored?.statements ?? 0;
        folder.gained += inner.gained ?? 0;
        folder.change.covered += inner.change?.covered ?? 0;
        folder.change.total += inner.change?.total ?? 0;
      }
    }
  };

  /** Returns the folders, each before those inside it; `ordered` orders the folders and files of one folder. */
  const inOrder = (folders, ordered) => {
    const found = [];
    const left = folders.slice(0, 1);
    while (left.length > 0) {
      const folder = left.pop();
      folder.files = ordered(folder.files);
      found.push(folder);
      left.push(...ordered(folder.folders).reverse());
    }
    return found;
  };

  // Folds are `*` (all open), `-` (all closed) or nothing, and the keys of the folders that are otherwise.
  const encoded = (key) => key.replaceAll('%', '%25').replaceAll(',', '%2C');

  const foldsFrom = (text) => {
    const parts = text.split(',');
    const all = ['*', '-', ''].includes(parts[0]) ? parts.shift() : '';
    return { all, other: new Set(parts) };
  };

  const foldsText = ({ all, other }) => {
    const parts = [...other];
    return all === '' && !['*', '-', ''].includes(parts[0] ?? '') ? parts.join(',') : [all, ...parts].join(',');
  };

  /** Tells whether a folder is open. The first one always is, unless it was closed by itself. */
  const isOpen = ({ all, other }, folder, isShort) => (
    (folder.depth === 0 || all === '*' || (all === '' && isShort)) !== other.has(encoded(folder.key)));

  /** Returns folds in which a folder is otherwise than before. */
  const toggled = (text, folder) => {
    const folds = foldsFrom(text);
    const key = encoded(folder.key);
    if (!folds.other.delete(key)) folds.other.add(key);
    return foldsText(folds);
  };

  /** Number of levels to which the style indents; html/tree.rs has the same. */
  const DEEPEST = 12;

  /** Tells whether a folder has nothing to show but one folder, whose row then stands for both. */
  // Rust joins the folders that have nothing else at all. A filter leaves more of them.
  const isJoined = ({ parent, files, folders }) => (
    parent !== undefined && !files.some((file) => file.isShown) && folders.filter(({ shown }) => shown > 0).length === 1);

  /** Tells which folders are open and which are seen, of folders with the number of their files that are shown. */
  // Folders are open if few files are shown, or if a filter asks for them.
  const unfold = (folders, folds, isFiltered) => {
    const isShort = isFiltered || (folders[0]?.shown ?? 0) <= OPEN_FILES;
    const parsed = foldsFrom(folds);
    for (const folder of folders) {
      const { parent } = folder;
      folder.isOpen = isOpen(parsed, folder, isShort);
      folder.isReached = folder.shown > 0 && (parent === undefined || (parent.isReached && (parent.isJoined || parent.isOpen)));
      folder.isJoined = isJoined(folder);
      folder.isSeen = folder.isReached && !folder.isJoined;
      folder.label = parent?.isJoined ? `${parent.label}/${folder.name}` : folder.name;
      folder.level = parent === undefined ? 0 : Math.min(parent.level + (parent.isJoined ? 0 : 1), DEEPEST);
    }
  };

  const isNarrow = ({ filter, owner, uncovered, changed }) => filter.trim() !== '' || owner !== '' || uncovered || changed;

  const hasSameFilters = (before, after) => (
    ['filter', 'owner', 'uncovered', 'changed'].every((name) => before[name] === after[name]));

  /** Returns the folds after a change of the filters: new filters begin anew, and without them those of before are back. */
  const foldsAfter = (before, after, folds) => {
    if (hasSameFilters(before, after)) return after.folds;
    return isNarrow(after) ? '' : folds;
  };

  /** Tells whether folds hide all files that are shown. */
  const hidesAll = (folders) => (
    folders.every(({ files, isSeen, isOpen }) => !(isSeen && isOpen && files.some((file) => file.isShown))));

  return { isNarrow, hasSameFilters, foldsAfter, hidesAll, foldersFrom, addFigures, inOrder, toggled, unfold };
})();
