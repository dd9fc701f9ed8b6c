// Names that fit a few typed letters, the best first, without the DOM.
page.fuzzy = (() => {
  const isLetter = (c) => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c > 127;
  const isUpper = (c) => c >= 65 && c <= 90;

  /** Returns a bit for each letter and digit of a text in lower case. Most names lack a letter that was typed. */
  const lettersOf = (text) => {
    let letters = 0;
    for (let at = 0; at < text.length; at += 1) {
      const c = text.charCodeAt(at);
      if (c >= 97 && c <= 122) letters |= 1 << (c - 97);
      else if (c >= 48 && c <= 57) letters |= 1 << (26 + (c - 48) % 6);
    }
    return letters;
  };

  /** Returns a name that can be found. `start` is where its last part begins, which counts most. */
  const candidateOf = (text, start, value) => {
    const lower = text.toLowerCase();
    // Letters whose lower case is longer would move all places, so they are found as they are.
    const same = lower.length === text.length ? lower : text;
    // Nobody types the ending that all files have.
    const end = text.endsWith('.go') ? text.length - 3 : text.length;
    const hasSigns = same.indexOf('_', start) >= 0 || same.indexOf('-', start) >= 0;
    return {
      text, lower: same, start, end, letters: lettersOf(same), value,
      // A name such as `head_append` is also typed without its signs.
      bare: hasSigns ? same.slice(start, end).replaceAll(/[_-]/g, '') : '' };
  };

  /** Tells whether a part of a name begins at a place, as in `path/Part_ofName`. */
  const isBegin = (text, at) => {
    if (at === 0) return true;
    const [before, c] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
    return isLetter(c) && (!isLetter(before) || (isUpper(c) && !isUpper(before)));
  };

  /** Returns the place of a letter at the begin of a part, from a place on; -1 for none. */
  const beginWith = ({ text, lower }, letter, from) => {
    let at = lower.indexOf(letter, from);
    while (at >= 0 && !isBegin(text, at)) at = lower.indexOf(letter, at + 1);
    return at;
  };

  /** Tells whether a text has the letters of a word in their order. */
  const hasLetters = (lower, word) => {
    let at = -1;
    for (let letter = 0; letter < word.length; letter += 1) {
      at = lower.indexOf(word[letter], at + 1);
      if (at < 0) return false;
    }
    return true;
  };

  /** Returns the places of scattered letters, from a place on; `null` if one is missing. */
  const scattered = (candidate, word, from, prefersBegins) => {
    const places = [];
    let at = from;
    for (const letter of word) {
      let place = candidate.lower.indexOf(letter, at);
      if (place < 0) return null;
      if (prefersBegins && (place !== at || places.length === 0)) {
        const begin = beginWith(candidate, letter, at);
        if (begin >= 0) place = begin;
      }
      places.push(place);
      at = place + 1;
    }
    return places;
  };

  /** Returns the worth of scattered letters: those at begins of parts, and those side by side, count more. */
  const worthOf = (text, places) => {
    let worth = 0;
    places.forEach((place, at) => {
      if (isBegin(text, place)) worth += 10;
      else if (at > 0 && place === places[at - 1] + 1) worth += 6;
      else worth -= 4;
    });
    return worth;
  };

  /** Scores by where a word stands: side by side in the last part of a name, in the name, or scattered over these. */
  const [IN_LAST, IN_NAME, OVER_LAST, OVER_NAME] = [1000, 700, 400, 100];
  /** Largest addition to a score of the first two, and to one of the last two for each letter. */
  const [MORE, MORE_OF_LETTER] = [160, 10];
  const sideBySide = (at, length) => Array.from({ length }, (_, step) => at + step);

  /** Returns score and places of the best fit of scattered letters whose score is above `least`. */
  const scatteredFit = (candidate, word, least = -Infinity) => {
    const { text, start } = candidate;
    const length = (text.length - start) / 4;
    let most = { score: least, places: [] };
    for (const [from, base] of [[start, OVER_LAST], [0, OVER_NAME]]) {
      // Nothing is won from the whole name where its last part already has more.
      if (base + MORE_OF_LETTER * word.length - length <= most.score) continue;
      const nearest = scattered(candidate, word, from, false);
      if (nearest === null) continue;
      for (const places of [scattered(candidate, word, from, true), nearest]) {
        const score = places === null ? -Infinity : base + worthOf(text, places) - length;
        if (score > most.score) most = { score, places };
      }
    }
    return most.places.length > 0 ? most : { score: -Infinity, places: [] };
  };

  /** Returns where a word stands side by side in the last part of a name, best at the begin of a part; -1 for nowhere. */
  const placeInLast = (candidate, word) => {
    const at = candidate.lower.indexOf(word, candidate.start);
    if (at < 0 || isBegin(candidate.text, at)) return at;
    const begin = beginWith(candidate, word, at + 1);
    return begin < 0 ? at : begin;
  };

  /** Additions for a word at the begin of the last part, of that without its signs, of the name of a function, of a word. */
  const [BEGINS_LAST, BEGINS_BARE, BEGINS_NAME, BEGINS_WORD] = [60, 56, 50, 40];
  /** Addition for a word that is the whole last part. */
  const WHOLE = 100;

  /** Returns the worth of a word in the last part of a name; `undefined` if the word is not there. */
  // The letters that were not typed lower it.
  const worthInLast = (candidate, word) => {
    const { text, lower, bare, start, end } = candidate;
    const left = Math.max(end - start - word.length, 0);
    const at = placeInLast(candidate, word);
    if (at === start) return (left === 0 ? WHOLE : 0) + BEGINS_LAST - left / 4;
    if (bare.startsWith(word)) return BEGINS_BARE - (bare.length - word.length) / 4;
    // A path has slashes, and nobody looks for all files of a module.
    if (lower.startsWith(word) && !lower.includes('/')) return BEGINS_NAME - (end - word.length) / 4;
    return at < 0 ? undefined : (isBegin(text, at) ? BEGINS_WORD : 0) - left / 4;
  };

  /** Returns the score of a word whose letters stand side by side; `undefined` if they do not. */
  const scoreSideBySide = (candidate, word, least) => {
    const { text, lower, start, end } = candidate;
    // Of names alike, the shorter path is first.
    const inLast = IN_LAST - text.length / 500;
    const left = end - start - word.length;
    if (least > inLast + (left > 0 ? BEGINS_LAST - left / 5 : WHOLE + BEGINS_LAST)) return -Infinity;
    const worth = worthInLast(candidate, word);
    if (worth !== undefined) return inLast + worth;
    if (least > IN_NAME + MORE) return -Infinity;
    const inName = lower.indexOf(word);
    return inName < 0 ? undefined : IN_NAME + (isBegin(text, inName) ? 40 : 0) - text.length / 8;
  };

  /** Returns the score of a word in a name. One that cannot be above `least` is not looked for. */
  const scoreOf = (candidate, word, least) => {
    return scoreSideBySide(candidate, word, least) ?? scatteredFit(candidate, word, least).score;
  };

  /** Returns the places of the letters of a word in a name, as its score counts them. */
  const placesOf = (candidate, word) => {
    const inLast = placeInLast(candidate, word);
    const at = inLast < 0 ? candidate.lower.indexOf(word) : inLast;
    return at < 0 ? scatteredFit(candidate, word).places : sideBySide(at, word.length);
  };

  /** Returns the score of all words in a name, as far as it can be above `least`. */
  const scoreOfAll = (candidate, words, least) => {
    let score = 0;
    for (let at = 0; at < words.length; at += 1) {
      const others = (words.length - 1 - at) * (IN_LAST + MORE);
      score += scoreOf(candidate, words[at], least - score - others);
    }
    return score;
  };

  /** Returns the candidates that have the letters of every word in order. */
  const fitting = (candidates, words) => {
    const letters = lettersOf(words.join(''));
    return candidates.filter((candidate) => (candidate.letters & letters) === letters
      && words.every((word) => hasLetters(candidate.lower, word)));
  };

  /** Returns the best of candidates that fit, at most `most`, with the places of the letters. */
  const best = (candidates, words, most) => {
    const found = [];
    let least = -Infinity;
    const put = (candidate, score) => {
      if (score === -Infinity || (found.length === most && score <= least)) return;
      let at = found.length;
      while (at > 0 && found[at - 1].score < score) at -= 1;
      found.splice(at, 0, { candidate, score });
      if (found.length > most) found.pop();
      if (found.length === most) least = found[most - 1].score;
    };
    // Scattered letters are slow to score. Where a word is all, most names with these are worse than those without.
    const later = [];
    for (const candidate of candidates) {
      const score = words.length > 1 ? undefined : scoreSideBySide(candidate, words[0], least);
      if (score === undefined) later.push(candidate);
      else put(candidate, score);
    }
    for (const candidate of later) put(candidate, scoreOfAll(candidate, words, least));
    return found.map(({ candidate, score }) => (
      { candidate, score, places: words.flatMap((word) => placesOf(candidate, word)) }));
  };

  return { candidateOf, fitting, best };
})();
