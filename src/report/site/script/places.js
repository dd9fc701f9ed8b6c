// The values of a chart at a place from 0 to 1000, without the DOM.
page.places = (() => {
  const WIDTH = 1000;

  /** Returns the number of the last place that is not after `x`; -1 before the first. */
  const lastUpTo = (places, x) => places.findLastIndex((place) => place <= x);

  /** Returns the value of each line at a place. A line that begins later has none. */
  const valuesAt = (lines, x) => lines.map((line) => {
    const at = lastUpTo(line.x, x);
    return at < 0 ? null : { percent: line.percent[at], commit: line.commit[at] };
  });

  /** Returns the place of the next or the previous total of any line, or the end of the chart. */
  const nextPlace = (lines, x, by) => {
    const places = lines.flatMap((line) => line.x).filter((place) => (by > 0 ? place > x : place < x));
    return by > 0 ? Math.min(...places, WIDTH) : Math.max(...places, 0);
  };

  /** Returns the time of a place, such as `2026-11-01 10:00`, in UTC. */
  const timeAt = ({ begin, end }, x) => {
    const [from, to] = [begin, end].map((time) => Date.parse(time));
    return new Date(from + (to - from) * x / WIDTH).toISOString().slice(0, 16).replace('T', ' ');
  };

  return { WIDTH, valuesAt, nextPlace, timeAt };
})();
