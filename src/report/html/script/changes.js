// Changed lines, and categories of lines when two states are compared, without the DOM.
page.changes = (() => {
  /** Lines that are shown before and after each change. */
  const AROUND = 3;

  /** Returns that of ascending ranges `[first, last, ...]` which contains a line. */
  const rangeWith = (ranges, line) => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][1] < line) low = middle + 1;
      else high = middle;
    }
    return ranges[low]?.[0] <= line ? ranges[low] : undefined;
  };

  /** Returns the ranges of lines that changed, each with the lines around it. */
  const aroundChanges = (added, lineCount) => {
    const ranges = [];
    for (const [first, last] of added) {
      const [from, to] = [Math.max(1, first - AROUND), Math.min(lineCount, last + AROUND)];
      const before = ranges[ranges.length - 1];
      // A fold of one line would take as much room as the line.
      if (before !== undefined && from <= before[1] + 2) before[1] = Math.max(before[1], to);
      else if (from <= to) ranges.push([from, to]);
    }
    return ranges;
  };

  /** Returns ranges of lines in ascending order, joined where they meet, and cut at the last line. */
  const joinedRanges = (ranges, lineCount) => {
    const joined = [];
    const inOrder = ranges.map(([first, last]) => [Math.max(first, 1), Math.min(last, lineCount)])
      .filter(([first, last]) => first <= last).sort(([a], [b]) => a - b);
    for (const range of inOrder) {
      const before = joined[joined.length - 1];
      if (before !== undefined && range[0] <= before[1] + 1) before[1] = Math.max(before[1], range[1]);
      else joined.push(range);
    }
    return joined;
  };

  /** Splits a file's lines into ranges that are shown and ranges that are folded. */
  const foldsBetween = (shown, lineCount) => {
    const parts = [];
    let next = 1;
    for (const [first, last] of shown) {
      if (next < first) parts.push({ first: next, last: first - 1, isFolded: true });
      parts.push({ first, last, isFolded: false });
      next = last + 1;
    }
    if (next <= lineCount) parts.push({ first: next, last: lineCount, isFolded: true });
    return parts;
  };

  /** Returns the function that began before the line after a fold and contains it. */
  const functionAcross = (functions, lastFolded) => (
    functions.find(([, , first, last]) => first <= lastFolded && lastFolded < last));

  /** Splits runs of lines at the borders of changed lines and of categories. */
  const runsByChange = (runs, added, turned) => {
    const ends = [...added, ...turned].flatMap(([first, last]) => [first, last + 1]);
    return runs.flatMap((run) => {
      const inside = ends.filter((line) => run.first < line && line <= run.last).sort((a, b) => a - b);
      const firsts = [...new Set([run.first, ...inside])];
      return firsts.map((first, at) => ({ ...run, first, last: (firsts[at + 1] ?? run.last + 1) - 1 }));
    });
  };

  /** Returns the category of a line with code. Unchanged code keeps its state unless the comparison says otherwise. */
  const categoryOf = (turned, line, isMissed, isAdded) => {
    const range = rangeWith(turned, line);
    if (range !== undefined) return range[2];
    if (isMissed) return isAdded ? 'UNC' : 'UBC';
    return isAdded ? 'GNC' : 'CBC';
  };

  /** Returns the number of lines of a category among ranges `[first, last, category]`. */
  const linesOf = (turned, category) => (
    turned.reduce((sum, [first, last, name]) => sum + (name === category ? last - first + 1 : 0), 0));

  return { linesOf, rangeWith, aroundChanges, joinedRanges, foldsBetween, functionAcross, runsByChange, categoryOf };
})();
