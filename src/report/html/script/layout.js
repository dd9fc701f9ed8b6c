// Blocks, lines and colours of a file laid over its text, without the DOM. Offsets are those of bytes.
page.layout = (() => {
  const { tokens } = page.go;
  // A character for each byte, so that columns, which count bytes, are offsets into the text.
  const latin = new TextDecoder('windows-1252');

  /** Returns the blocks of a flat table in which lines count from the block before, each with its origin or 0, and choices. */
  const blocksFrom = (flat, origins = [], choices = []) => {
    const blocks = [];
    let line = 0;
    for (let at = 0; at < flat.length; at += 6) {
      line += flat[at];
      blocks.push({
        line, column: flat[at + 1], endLine: line + flat[at + 2], endColumn: flat[at + 3],
        statements: flat[at + 4], count: flat[at + 5], origin: origins[at / 6] ?? 0, by: choices[at / 6] ?? 0 });
    }
    return blocks;
  };

  /** Returns runs of equal lines, ranges of runs with uncovered code, and the largest count. */
  const runsFrom = (flat) => {
    const [runs, ranges] = [[], []];
    let [end, most, isRange] = [0, 1, false];
    for (let at = 0; at < flat.length; at += 4) {
      const first = end + flat[at];
      end = first + flat[at + 1] - 1;
      const [state, count] = [flat[at + 2], flat[at + 3]];
      runs.push({ first, last: end, state, count });
      most = Math.max(most, count);
      const isUncovered = state === 2 || state === 3;
      if (isUncovered && isRange) ranges[ranges.length - 1].last = end;
      else if (isUncovered) ranges.push({ first, last: end });
      isRange = isUncovered;
    }
    return { runs, ranges, most };
  };

  /** Returns the offset of each line, and the offset after the last one. */
  const lineStarts = (text) => {
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    if (starts[starts.length - 1] < text.length) starts.push(text.length + 1);
    return starts;
  };

  /** Splits overlapping blocks into segments: begin, end and block of each segment, in one flat list. */
  const segmentsOf = (blocks, starts, size) => {
    const lineCount = starts.length - 1;
    const offset = (line, column) => {
      if (line < 1) return 0;
      if (line > lineCount) return size;
      return Math.min(starts[line - 1] + Math.max(column - 1, 0), starts[line] - 1);
    };
    const events = [];
    blocks.forEach((block, index) => {
      const from = offset(block.line, block.column);
      const to = offset(block.endLine, block.endColumn);
      if (from < to) events.push([from, 1, index], [to, 0, index]);
    });
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const found = [];
    const stack = [];
    const isOver = new Uint8Array(blocks.length);
    let since = 0;
    for (const [at, begins, index] of events) {
      if (stack.length > 0 && since < at) found.push(since, at, stack[stack.length - 1]);
      since = at;
      if (begins) stack.push(index);
      else isOver[index] = 1;
      while (stack.length > 0 && isOver[stack[stack.length - 1]]) stack.pop();
    }
    return found;
  };

  /** Returns state and count of each line by its number. */
  const linesOf = (runs, lineCount) => {
    const states = new Uint8Array(lineCount + 1);
    const counts = new Float64Array(lineCount + 1);
    for (const run of runs) {
      for (let at = run.first; at <= Math.min(run.last, lineCount); at += 1) {
        states[at] = run.state;
        counts[at] = run.count;
      }
    }
    return { states, counts };
  };

  /** Lays out a file that was unpacked: flat tables, functions, and its text as bytes or `null`. */
  const laidOut = ({ blocks: flatBlocks, origins, lines, functions, labels, bytes }) => {
    const blocks = blocksFrom(flatBlocks, origins, labels?.blocks);
    const laid = { blocks, ...runsFrom(lines), functions, bytes, lineCount: 0 };
    if (bytes === null) return laid;
    const text = latin.decode(bytes);
    const starts = lineStarts(text);
    const lineCount = starts.length - 1;
    return {
      ...laid, text, starts, lineCount, ...linesOf(laid.runs, lineCount),
      tokens: tokens(text), segments: segmentsOf(blocks, starts, text.length) };
  };

  /** Returns the index of the first triple that ends after an offset. */
  const firstAfter = (triples, at) => {
    let [low, high] = [0, triples.length / 3];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (triples[3 * middle + 1] > at) high = middle;
      else low = middle + 1;
    }
    return 3 * low;
  };

  /** Splits a range of the text where its colours change: begin, end and kind (`''` for none), in one flat list. */
  const coloured = (words, from, to) => {
    const found = [];
    let word = firstAfter(words, from);
    let at = from;
    while (at < to) {
      if (word >= words.length || words[word] >= to) {
        found.push(at, to, '');
        break;
      }
      if (words[word] > at) found.push(at, words[word], '');
      const end = Math.min(words[word + 1], to);
      found.push(Math.max(at, words[word]), end, words[word + 2]);
      at = end;
      word += 3;
    }
    return found;
  };

  /** Returns the offset of the first character of a range after its indent. */
  const afterIndent = (text, from, to) => {
    let at = from;
    while (at < to && (text.charCodeAt(at) === 9 || text.charCodeAt(at) === 32)) at += 1;
    return at;
  };

  /** Returns the end of a range without the white space at its end. */
  const beforeSpace = (text, from, to) => {
    let at = to;
    while (at > from && text.charCodeAt(at - 1) <= 32) at -= 1;
    return at;
  };

  /** Splits a range of a block into parts with whether each is code. Comments and the space before them are none. */
  const codeOf = (text, words, from, to) => {
    const parts = [];
    const put = (begin, end, isCode) => begin < end && parts.push([begin, end, isCode]);
    let at = from;
    for (let word = firstAfter(words, from); word < words.length && words[word] < to; word += 3) {
      if (words[word + 2] !== 'c') continue;
      const code = beforeSpace(text, at, Math.max(words[word], at));
      put(at, code, true);
      at = Math.min(words[word + 1], to);
      put(code, at, false);
    }
    put(at, to, true);
    return parts;
  };

  /** Splits a range of a line where its blocks change; a piece has its block, `undefined` for none, and its words. */
  const piecesOf = ({ text, tokens: words, blocks, segments }, from, to) => {
    const pieces = [];
    const put = (block, isBegin, begin, end) => {
      if (begin < end) pieces.push({ block, isBegin, words: coloured(words, begin, end) });
    };
    const putBlock = (block, isBegin, begin, end) => {
      for (const [first, last, isCode] of codeOf(text, words, begin, end)) {
        put(isCode ? block : undefined, isCode && isBegin && first === begin, first, last);
      }
    };
    let segment = firstAfter(segments, from);
    let at = from;
    while (at < to) {
      const begin = segment < segments.length ? segments[segment] : to;
      if (begin > at) {
        put(undefined, false, at, Math.min(to, begin));
        at = Math.min(to, begin);
        continue;
      }
      const end = Math.min(to, segments[segment + 1]);
      // The indent of a line is not part of a statement, even if a block spans it.
      const code = at === from && begin < from ? afterIndent(text, at, end) : at;
      put(undefined, false, at, code);
      putBlock(blocks[segments[segment + 2]], begin === code, code, end);
      at = end;
      segment += 3;
    }
    return pieces;
  };

  return { blocksFrom, runsFrom, lineStarts, segmentsOf, laidOut, firstAfter, piecesOf };
})();
