// Lines of source that have a text, without the DOM.
page.find = (() => {
  const { firstAfter } = page.layout;
  const utf8 = new TextDecoder('utf-8');
  /** Largest number of characters of a line that are shown before and after the first hit in it. */
  const [BEFORE, AFTER] = [60, 140];

  /** Returns an expression that finds a text in any case of letters; `null` for a text of fewer than two characters. */
  // With `u` an expression folds the case of all letters, and its hits are places in the text as it is.
  const searchOf = (text) => {
    const trimmed = text.trim();
    return trimmed.length < 2 ? null : new RegExp(trimmed.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'giu');
  };

  /** Returns the state of a line from flat runs `[lines since the last run, length, state, count]` of a file. */
  const statesFrom = (flat) => {
    const runs = [];
    let end = 0;
    for (let at = 0; at < flat.length; at += 4) {
      const first = end + flat[at];
      end = first + flat[at + 1] - 1;
      // The end of a triple is the place after it.
      runs.push(first, end + 1, flat[at + 2]);
    }
    return (line) => {
      const at = firstAfter(runs, line);
      return runs[at] <= line ? runs[at + 2] : 0;
    };
  };

  /** Returns the places of the first hit in each line: offset of the line, number of the line, begin and end. */
  const linesWith = (text, search) => {
    const found = [];
    let [line, start] = [1, 0];
    search.lastIndex = 0;
    for (let hit = search.exec(text); hit !== null; hit = search.exec(text)) {
      for (let at = text.indexOf('\n', start); at >= 0 && at < hit.index; at = text.indexOf('\n', start)) {
        line += 1;
        start = at + 1;
      }
      const end = text.indexOf('\n', hit.index);
      found.push({ line, start, stop: end < 0 ? text.length : end, from: hit.index, to: hit.index + hit[0].length });
      if (end < 0) break;
      search.lastIndex = end;
    }
    return found;
  };

  /** Returns a place in a text, or the one after it in the middle of a character of two units. */
  const wholeAt = (text, at) => (/[\udc00-\udfff]/.test(text[at] ?? '') ? at + 1 : at);

  /** Returns a hit with the text before it, at most `before` characters, of it and after it. */
  const shownHit = (text, { line, start, stop, from, to }, state, before) => {
    const indent = text.slice(start, from).search(/\S|$/);
    const first = wholeAt(text, Math.max(start + indent, from - before));
    const last = wholeAt(text, Math.min(stop, to + AFTER));
    return {
      line, state, before: `${first > start + indent ? '…' : ''}${text.slice(first, from)}`,
      hit: text.slice(from, to), after: `${text.slice(to, last)}${last < stop ? '…' : ''}`.replace(/\s+$/, '') };
  };

  /** Tells whether the name of a file says that it is generated, as of some files without the comment: `doc_generated.go`. */
  const isNamedGenerated = (base) => /(^|[._])generated[._]/.test(base);

  /** Tells whether a file has the comment of generated code before its package clause; Rust's `is_generated` has the same rule. */
  const isGenerated = (text) => {
    const comment = /^\/\/ Code generated .* DO NOT EDIT\.\r?$/m.exec(text);
    return comment !== null && !/^package\s/m.test(text.slice(0, comment.index));
  };

  /**
   * Returns the number of lines of a file with a text, and the hits from `from` on, at most `most`. `states` gives the
   * file's flat runs of lines.
   */
  const hitsIn = (bytes, states, search, { onlyMissed, from = 0, most, before = BEFORE }) => {
    const text = utf8.decode(bytes);
    let places = linesWith(text, search);
    if (places.length === 0) return { number: 0, hits: [], isGenerated: false };
    let stateOf = () => 0;
    if (onlyMissed || most > 0) stateOf = statesFrom(states());
    if (onlyMissed) places = places.filter(({ line }) => [2, 3].includes(stateOf(line)));
    const hits = places.slice(from, from + most).map((place) => (
      shownHit(text, place, stateOf(place.line), Math.min(before, BEFORE))));
    return { number: places.length, hits, isGenerated: isGenerated(text) };
  };

  return { searchOf, hitsIn, isNamedGenerated };
})();
