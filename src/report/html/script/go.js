// Tokens of Go source text that are coloured, without the DOM.
page.go = (() => {
  const KEYWORDS = new Set(('break case chan const continue default defer else fallthrough for func go goto if ' +
    'import interface map package range return select struct switch type var').split(' '));
  const isDigit = (c) => c >= 48 && c <= 57;
  const isWord = (c) => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c > 127 || isDigit(c);

  /** Returns the end of a text in double or single quotes, which never goes beyond its line. */
  const endOfQuoted = (text, start) => {
    const quote = text.charCodeAt(start);
    let at = start + 1;
    while (at < text.length) {
      const c = text.charCodeAt(at);
      if (c === 10) break;
      at += c === 92 ? 2 : 1;
      if (c === quote) break;
    }
    return Math.min(at, text.length);
  };

  /** Returns begin, end and kind of each comment (c), string (s), number (d) and keyword (k), in one flat list. */
  const tokens = (text) => {
    const found = [];
    const size = text.length;
    const after = (mark, from) => {
      const at = text.indexOf(mark, from);
      return at < 0 ? size : at + mark.length;
    };
    let at = 0;
    while (at < size) {
      const c = text.charCodeAt(at);
      const start = at;
      if (c === 47 && text.charCodeAt(at + 1) === 47) {
        const end = text.indexOf('\n', at);
        at = end < 0 ? size : end;
        found.push(start, at, 'c');
      } else if (c === 47 && text.charCodeAt(at + 1) === 42) {
        at = after('*/', at + 2);
        found.push(start, at, 'c');
      } else if (c === 96) {
        at = after('`', at + 1);
        found.push(start, at, 's');
      } else if (c === 34 || c === 39) {
        at = endOfQuoted(text, at);
        found.push(start, at, 's');
      } else if (isWord(c)) {
        while (at < size && isWord(text.charCodeAt(at))) at += 1;
        if (isDigit(c)) found.push(start, at, 'd');
        else if (at - start <= 11 && KEYWORDS.has(text.slice(start, at))) found.push(start, at, 'k');
      } else {
        at += 1;
      }
    }
    return found;
  };

  return { tokens };
})();
