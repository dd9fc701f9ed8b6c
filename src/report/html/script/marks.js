// Marks of the ruler beside the source, and what it says of the lines that are shown, without the DOM.
page.marks = (() => {
  /** Classes of lines by their state. */
  const STATES = ['', 'hit', 'partly', 'missed', 'carried'];
  /** Category of code that was executed before and is not now. */
  const LOST = 'LBC';

  /** Smallest height of a mark in pixels. */
  const SMALLEST = 2;

  /** Splits a strip into slots `[top, bottom, partly, missed]` with their shares of lines that have code. */
  // A slot of a long file has several lines, so a mark as wide as its share tells more than one that is there or not.
  const slotsOf = (states, lineCount, height) => {
    const number = Math.max(Math.min(lineCount, Math.floor(height / SMALLEST)), 1);
    const found = [];
    for (let slot = 0; slot < number; slot += 1) {
      const lines = [0, 0, 0, 0, 0];
      const end = Math.floor((slot + 1) * lineCount / number);
      for (let line = Math.floor(slot * lineCount / number) + 1; line <= end; line += 1) lines[states[line]] += 1;
      const [, hit, partly, missed, carried] = lines;
      const all = hit + partly + missed + carried;
      const [top, bottom] = [slot, slot + 1].map((at) => Math.floor(at * height / number));
      if (partly + missed > 0) found.push([top, bottom, partly / all, missed / all]);
    }
    return found;
  };

  /** Returns the ranges of lines that lost coverage. */
  const lostOf = (turned) => turned.filter(([, , name]) => name === LOST);

  /** Returns the number of lines of each state. */
  const lineCounts = (runs) => {
    const counts = { hit: 0, partly: 0, missed: 0, carried: 0 };
    for (const { first, last, state } of runs) if (state > 0) counts[STATES[state]] += last - first + 1;
    return counts;
  };

  /** Returns the pixels `[top, bottom]` of ranges of lines in a strip. */
  const pixelsOf = (ranges, lineCount, height) => {
    const found = [];
    for (const [first, last] of ranges) {
      if (first > lineCount) break;
      const top = Math.min(Math.floor((first - 1) * height / lineCount), height - SMALLEST);
      const bottom = Math.max(Math.floor(Math.min(last, lineCount) * height / lineCount), top + SMALLEST);
      const before = found[found.length - 1];
      if (before !== undefined && top <= before[1]) before[1] = Math.max(before[1], bottom);
      else found.push([top, bottom]);
    }
    return found;
  };

  /** Returns the outline of marks `[top, bottom, left, right]` in pixels, for a path of SVG. */
  const outlineOf = (marks) => (
    marks.map(([top, bottom, left, right]) => `M${left} ${top}H${right}V${bottom}H${left}z`).join(''));

  /** Returns the paths of a ruler with a column for changes and lost coverage before that for states. */
  const pathsOf = ({ states, added, turned, lineCount }, height) => {
    const slots = slotsOf(states, lineCount, height);
    const columns = (ranges, left, right) => (
      outlineOf(pixelsOf(ranges, lineCount, height).map((part) => [...part, left, right])));
    // A share that is small is seen all the same.
    const marks = (share) => outlineOf(slots.filter((slot) => share(slot) > 0)
      .map((slot) => [slot[0], slot[1], 6, Math.round(9 + 9 * share(slot))]));
    return {
      partly: marks(([, , partly, missed]) => (partly > 0 ? partly + missed : 0)),
      missed: marks(([, , , missed]) => missed),
      changed: columns(added, 0, 5), lost: columns(lostOf(turned), 12, 18) };
  };

  /** Returns the line at a height of the strip. */
  const lineAtPixel = (pixel, lineCount, height) => (
    Math.min(Math.max(Math.floor(pixel * lineCount / height) + 1, 1), lineCount));

  /** Returns the function that contains a line; `undefined` for none. */
  const functionAt = (functions, line) => functions.findLast(([, , first, last]) => first <= line && line <= last);

  return { STATES, lineCounts, slotsOf, pixelsOf, pathsOf, lineAtPixel, functionAt };
})();
