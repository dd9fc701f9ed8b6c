// The parts of the map: files or folders, and the filter that shows them in the table, without the DOM.
page.treemap = (() => {
  const { searchWords, hasWords } = page.rows;

  /** Returns all files below a folder. */
  const filesBelow = (folder) => [...folder.files, ...folder.folders.flatMap(filesBelow)];

  /** Returns the covered and all statements of files. */
  const sumsOf = (files) => files.reduce((sum, file) => (
    { covered: sum.covered + file.covered, total: sum.total + file.total }), { covered: 0, total: 0 });

  /** Least percentages of the steps of colour above the first two; Rust's `treemap::STEPS` has the same. */
  const STEPS = [40, 60, 80, 95];

  /** Returns the number of the step of colour of a coverage. */
  const stepOf = (covered, total) => (
    covered === 0 ? 0 : 1 + STEPS.filter((least) => 100 * covered / total >= least).length);

  const ofFolder = (folder) => ({ name: folder.path === '' ? '' : `${folder.path}/`, files: filesBelow(folder) });

  /** Returns the part of an area for a folder. Down to the last level, the folders in it have areas of their own. */
  const partOfFolder = (folder, level) => {
    const part = ofFolder(folder);
    return { ...part, drawn: folder.depth < level ? folder.files : part.files };
  };

  /**
   * Returns the parts in the order in which html/map.rs writes their areas: files, or folders down to a level. A part
   * has the name and files that its filter shows, and the files that are in its area.
   */
  const partsOf = (files, folders, level) => {
    const parts = level === undefined ? files.map((file) => ({ name: file.name, files: [file], drawn: [file] }))
      : folders.filter(({ depth }) => depth <= level).map((folder) => partOfFolder(folder, level));
    return parts.filter(({ drawn }) => sumsOf(drawn).total > 0);
  };

  /** Returns the text that filters the table to a part: its path below `root` if no other file has that, or all. */
  const filterFor = ({ name, files: { length } }, root, files) => {
    const short = root !== '' && name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name;
    const words = searchWords(short);
    return words.length > 0 && files.filter(({ lower }) => hasWords(lower, words)).length === length ? short : name;
  };

  return { partsOf, ofFolder, filterFor, stepOf, sumsOf };
})();
