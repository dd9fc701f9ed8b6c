// The totals of a chart at their places, from 0 to 1000 over time, without the DOM.
page.places = (() => {
  /** Place of the end of the chart. */
  const END = 1000;
  /** Largest distance in pixels of dots that look like one. */
  const SAME = 2;
  /** Height in pixels of the area around such dots that chooses one of them. */
  const AREA = 12;

  /** Returns the totals of all lines in the order of time, and those of one time in the order of their lines. */
  // Each has the number of its line, and its own number in the line.
  const totalsOf = (lines) => lines
    .flatMap(({ x, y }, line) => x.map((place, at) => ({ line, at, x: place, y: y[at] })))
    .sort((a, b) => a.x - b.x || a.line - b.line || a.at - b.at);

  /** Returns the total that is drawn nearest to a place. `scale` has the pixels of a unit in both directions. */
  // Of totals with one place, the upper part of their dot chooses the first, and the lower part the last.
  const nearestTotal = (totals, place, scale) => {
    const distance = (a, b) => Math.hypot((a.x - b.x) * scale.x, (a.y - b.y) * scale.y);
    const nearest = totals.reduce((best, total) => (distance(total, place) < distance(best, place) ? total : best));
    const same = totals.filter((total) => distance(total, nearest) < SAME);
    const area = Math.floor((place.y - nearest.y) * scale.y / AREA + same.length / 2);
    return same[Math.min(Math.max(area, 0), same.length - 1)];
  };

  /** Returns the total before or after one; at an end the same. */
  const neighbour = (totals, total, by) => totals[totals.indexOf(total) + by] ?? total;

  /** Returns the value of each line at the place of a total, or at the end. A line that begins later has none. */
  const valuesAt = (lines, total = { x: END }) => lines.map((line, number) => {
    const at = number === total.line ? total.at : line.x.findLastIndex((place) => place <= total.x);
    return at < 0 ? null : { percent: line.percent[at], commit: line.commit[at] };
  });

  return { END, totalsOf, nearestTotal, neighbour, valuesAt };
})();
