// Numbers and times in words, without the DOM. The sentences themselves are in the page, with `{name}` for a value.
'use strict';
/** Each file of the script adds its part to this object, under a name of its own. */
const page = {};

page.words = (() => {
  const grouping = new Intl.NumberFormat('en');

  /** Puts values into a sentence. */
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  /** Returns a number with thousands separators: `1,234,567`. */
  const grouped = (number) => grouping.format(number);

  /** Returns a number of things in words, which are those for one and those for many: `1 line`, `2,500 lines`. */
  const counted = ([one, many], n) => (n === 1 ? one : filled(many, { n: grouped(n) }));

  /** Returns a part of a number of things in words: `1 of 2,500 lines`, `0 of 1 line`. The things are among `counts`. */
  const partOf = ({ of, counts }, things, part, all) => filled(of, { part: grouped(part), all: counted(counts[things], all) });

  /** Returns the time between two moments in milliseconds, such as `3 hours`; `null` below a minute. */
  const age = (since, now, units) => {
    const minutes = Math.floor((now - since) / 60000);
    const inUnit = (unit, number) => filled(units[unit][number === 1 ? 0 : 1], { n: grouped(number) });
    if (minutes < 1) return null;
    if (minutes < 60) return inUnit('minute', minutes);
    return minutes < 2880 ? inUnit('hour', Math.floor(minutes / 60)) : inUnit('day', Math.floor(minutes / 1440));
  };

  return { filled, grouped, counted, partOf, age };
})();
