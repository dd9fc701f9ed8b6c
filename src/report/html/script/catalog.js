// The functions of all files, in a list that html/catalog.rs writes, without the DOM.
page.catalog = (() => {
  const { readerOf } = page.streams;
  const { printable, qualified, pathParts } = page.names;
  const { hasWords, sortFrom, sortText } = page.rows;
  const { toFragment } = page.address;
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /** Tells whether a function was entered at other commits alone. */
  const isCarried = ({ count, covered }, withCarried) => withCarried && count === 0 && covered > 0;

  /** Returns the functions of the bytes of a list; `files` are those of the page, which may have carried blocks, or choices. */
  const functionsFrom = (bytes, files, withCarried, choices = 0) => {
    const { table, take } = readerOf(bytes);
    const [numbers, flat] = [table(1), table(6)];
    const functions = [];
    let at = 0;
    for (const [index, number] of numbers.entries()) {
      const file = files[index];
      let line = 0;
      for (let left = number; left > 0; left -= 1) {
        const [receiver, own] = [take(flat[at]), take(flat[at + 1])].map((part) => utf8.decode(part));
        const name = printable(qualified(receiver, own));
        line = (line + flat[at + 2]) >>> 0;
        const [covered, total, count] = flat.slice(at + 3, at + 6);
        functions.push({
          name, file, line, covered, total, count, isCarried: isCarried({ count, covered }, withCarried), lower: `${name.toLowerCase()} ${file.lower}` });
        at += 6;
      }
    }
    if (choices === 0) return functions;
    const columns = Array.from({ length: choices }, () => table(1));
    return functions.map((of, index) => ({ ...of, whole: [of.covered, of.count], by: columns.map((column) => column[index]) }));
  };

  /** Figures by which the columns order functions. */
  const FIGURES = {
    name: ({ name }) => name,
    file: ({ file }) => file.name,
    count: ({ count }) => count,
    uncovered: ({ covered, total }) => total - covered,
    percent: ({ covered, total }) => (total > 0 ? covered / total : undefined),
  };
  const USUAL = { sort: 'uncovered', down: true };

  /** Returns the order and the filters of the list from the values of an address. */
  const listFrom = (values) => ({
    ...sortFrom(values.sort, FIGURES, USUAL), filter: values.filter ?? '', never: values.never === '1' });

  /** Returns the fragment of the address for such a list. */
  const listFragment = (list) => toFragment({
    tab: 'functions', sort: sortText(list, USUAL), filter: list.filter, never: list.never });

  /** Tells whether nothing of a function was executed. One that began before the counters has counts of later blocks alone. */
  const isNever = ({ count, covered }) => count === 0 && covered === 0;

  /** Tells whether a function counts. Functions without statements cannot be entered. */
  const isCounted = ({ total }) => total > 0;

  /** Tells whether the list shows a function. */
  const isListed = (of, { never }, words) => isCounted(of) && (!never || isNever(of)) && hasWords(of.lower, words);

  /** Returns the place of a function in words: its file without the path that all files share, and its line. */
  const placeOf = ({ file, line }, root) => {
    const name = printable(root === '' ? file.name : file.name.slice(root.length + 1));
    const { folders, base } = pathParts(name);
    return [...folders, ...base, `:${line}`];
  };

  return { isCarried, functionsFrom, FIGURES, listFrom, listFragment, isNever, isCounted, isListed, placeOf };
})();
