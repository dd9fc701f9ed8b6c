// Files of the page: figures, and which of them the table shows in which order, without the DOM.
page.files = (() => {
  const { baseName } = page.names;
  const { toFragment } = page.address;
  const { hasWords, sortFrom, sortText } = page.rows;

  /** Returns a percentage as Rust's `coverage::shown_percent` writes it. */
  const percent = (covered, total) => {
    const rounded = (100 * covered / Math.max(total, 1)).toFixed(1);
    if (rounded === '100.0' && covered < total) return '99.9%';
    return rounded === '0.0' && covered > 0 ? '0.1%' : `${rounded}%`;
  };

  /** Returns the class that colours a percentage; Rust's `html::grade` has the same limits. */
  const grade = (covered, total) => {
    const share = 100 * covered / Math.max(total, 1);
    if (total === 0) return 'none';
    return share >= 80 ? 'high' : share >= 60 ? 'fair' : 'low';
  };

  /** Returns the classes by which the style draws the bar of a row; Rust's `html::classes_of` returns the same. */
  const shares = (covered, total, [tens, units] = 'tu') => {
    const whole = Math.floor(100 * covered / total);
    return total === 0 ? '' : `${tens}${Math.floor(whole / 10)} ${units}${whole % 10}`;
  };

  /** Returns the files of an index, which html/mod.rs writes with the depth, path and files of each folder. */
  const filesFrom = (index) => index.flatMap(([, folder, files]) => files.map(([part, covered, total, pack, slot, why]) => {
    const name = folder === '' ? part : `${folder}/${part}`;
    return {
      name, base: baseName(name), lower: name.toLowerCase(), covered, total, pack, slot, why: why ?? undefined, owners: [],
      // All files are shown and count until the table is narrowed.
      isShown: true, isCounted: true };
  })).map((file, at) => ({ ...file, at }));

  /** Figures by which the columns order files and folders. */
  const FIGURES = {
    name: (row) => row.base ?? row.name,
    percent: (row) => row.covered / Math.max(row.total, 1),
    covered: (row) => row.covered,
    uncovered: (row) => row.total - row.covered,
    total: (row) => row.total,
    ignored: ({ ignored }) => ignored?.statements ?? 0,
    lost: (row) => row.lost,
    gained: (row) => row.gained,
    changed: ({ change }) => (change?.total > 0 ? change.total - change.covered : undefined),
  };

  /** Returns the figure for the order. Without folders, files are ordered by their whole name. */
  const figureOf = ({ sort, flat }) => (flat && sort === 'name' ? (row) => row.name : FIGURES[sort]);

  /** Returns the order and the filters of the table from the values of an address. */
  const listFrom = (values, hasChanges, usual) => ({
    ...sortFrom(values.sort, FIGURES, usual), filter: values.filter ?? '', owner: values.owner ?? '', uncovered: values.uncovered === '1',
    changed: hasChanges && values.changed === '1', flat: values.flat === '1',
    map: values.map === '1', folds: values.folds ?? '' });

  /** Returns the fragment of the address for such a table. */
  const listFragment = (list, usual) => toFragment({
    sort: sortText(list, usual), filter: list.filter, owner: list.owner, uncovered: list.uncovered, changed: list.changed, flat: list.flat,
    map: list.map, folds: list.folds });

  /** Tells whether the table shows a file. */
  const isListed = (file, list, words) => hasWords(file.lower, words)
    && (list.owner === '' || file.owners.includes(list.owner))
    && (!list.uncovered || file.covered < file.total) && (!list.changed || Boolean(file.change?.changed));

  return { percent, grade, shares, filesFrom, figureOf, listFrom, listFragment, isListed };
})();
