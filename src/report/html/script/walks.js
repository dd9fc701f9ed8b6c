// Steps to the next or previous range, file or place, without the DOM. A step of 1 goes down, a step of -1 goes up.
page.walks = (() => {
  /** Returns the index of the range after a step from a line; -1 for none. */
  const rangeAfter = (ranges, line, by) => (by > 0
    ? ranges.findIndex((range) => range.first > line)
    : ranges.findLastIndex((range) => range.first < line));

  /** Returns the file after a step through the files in the table. The open file counts as shown. */
  const fileAfter = (files, open, by) => {
    const shown = files.filter((file) => file.isShown || file === open);
    return shown[shown.indexOf(open) + by];
  };

  /** Returns the places of an author, given by its index; all places for -1. */
  // `by` has the indexes of the authors of each place.
  const placesBy = (places, by, author) => (author < 0 ? places : places.filter((_, at) => by[at].includes(author)));

  /** Returns the index of the place `[file, first line, last line]` that has a line of a file; -1 for none. */
  const placeWith = (places, file, line) => (
    places.findIndex(([at, first, last]) => at === file && first <= line && line <= last));

  /** Returns the index of the place after a step, which may be outside of the list. */
  // The step starts from the line of the open file, or in a file without places from the place of the last walk. `open`
  // is `null` in the table, where every walk starts anew; `walked` is -1 before the first step.
  const placeAfter = (places, open, walked, by) => {
    const start = by > 0 ? 0 : places.length - 1;
    if (open === null) return start;
    const isHere = ([at]) => at === open.file;
    const isOn = (place) => isHere(place) && (by > 0 ? place[1] > open.line : place[1] < open.line);
    const to = by > 0 ? places.findIndex(isOn) : places.findLastIndex(isOn);
    if (to >= 0) return to;
    const edge = by > 0 ? places.findLastIndex(isHere) : places.findIndex(isHere);
    if (edge >= 0) return edge + by;
    return walked < 0 ? start : walked + by;
  };

  return { placesBy, rangeAfter, fileAfter, placeWith, placeAfter };
})();
