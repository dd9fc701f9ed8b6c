// Sentences about counts and lines of a source file, without the DOM. Their words come from the page.
page.sentences = (() => {
  const { filled, grouped, partOf } = page.words;

  /** Returns the number of executions in words: `never`, `once`, `2,500 times`. */
  const times = (words, count) => {
    const [never, once, often] = words.block.slice(3);
    if (count === 0) return never;
    return count === 1 ? once : filled(often, { n: grouped(count) });
  };

  /** Returns the statements of a block with the number of their executions, or with the commit they are carried from. */
  const ofBlock = (words, { statements, count, origin = 0 }, origins = null) => {
    const [sentence, one, many] = words.block;
    const number = statements === 1 ? one : filled(many, { n: grouped(statements) });
    if (origin === 0) {
      return filled(count === 0 ? words.never : sentence, { statements: number, count: times(words, count) });
    }
    const [commit, time] = origins[origin - 1];
    return filled(words.carriedBlock, { statements: number, commit, time });
  };

  /** Returns a range of lines in words: `line 3`, `lines 3 to 9`. */
  const ofLines = (words, { first, last }) => filled(first === last ? words.oneLine : words.moreLines, { first, last });

  /** Returns the coverage of a file's changed lines in words, or the reason why none counts. */
  const ofChange = (words, change) => {
    if (change?.total > 0) return partOf(words, 'changedLine', change.covered, change.total);
    return change?.changed ? filled(words.notCounted, { why: change.why ?? '' }) : words.unchanged;
  };

  /** Returns a count for a narrow column: `9,999`, then `10K`. */
  const short = (count) => (count < 10000 ? grouped(count)
    : new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(count));

  return { times, ofBlock, ofLines, ofChange, short };
})();
