// Choices among the runs that count together (`--with`): what each of them executed, and what it alone did, without the DOM.
page.choices = (() => {
  /** Returns the choice of a value such as `1` (what that run executed) or `only-1`; -1 for all together. */
  const choiceFrom = (value, runs) => {
    const [, only, at] = /^(only-)?(\d{1,2})$/.exec(value) ?? [];
    return at === undefined || Number(at) >= runs ? -1 : Number(at) + (only === undefined ? 0 : runs);
  };

  const valueFor = (choice, runs) => {
    if (choice < 0) return '';
    return choice < runs ? String(choice) : `only-${choice - runs}`;
  };

  /** Tells whether a choice is among bits, as html/packs.rs writes them. */
  const has = (bits, choice) => ((bits >> choice) & 1) === 1;

  /** Returns the names of the runs among bits. */
  const namesIn = (bits, runs) => runs.filter((_, at) => has(bits, at));

  /** Returns flat runs of lines for a choice, of `[lines since the last run, length, choices of all, of some of it]`. */
  // The count of a run alone is unknown.
  const linesBy = (flat, choice) => flat.map((number, at) => {
    if (at % 4 < 2) return number;
    if (at % 4 === 3) return 0;
    if (has(number, choice)) return 1;
    return has(flat[at + 1], choice) ? 2 : 3;
  });

  /** Returns the figures of a file for a choice. */
  const figuresBy = (figures, choice) => {
    if (choice < 0) return figures;
    const { lines, functions } = figures.labels;
    const covered = functions[choice];
    return {
      ...figures, lines: linesBy(lines, choice),
      functions: figures.functions.map(([receiver, name, first, last, , total], at) => (
        [receiver, name, first, last, covered[at], total, Math.min(covered[at], 1)])) };
  };

  return { choiceFrom, valueFor, has, namesIn, linesBy, figuresBy };
})();
