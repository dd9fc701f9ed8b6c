// Sentences about counts and lines of a source file, without the DOM; their words come from the page.
page.sentences = (() => {
  const { filled, grouped } = page.words;

  /** Says how often code was executed: `never`, `once`, `2,500 times`. */
  const times = (words, count) => {
    const [never, once, often] = words.block.slice(3);
    if (count === 0) return never;
    return count === 1 ? once : filled(often, { n: grouped(count) });
  };

  /** Says of a block how many statements it has and how often they were executed. */
  const ofBlock = (words, { statements, count }) => {
    const [sentence, one, many] = words.block;
    return filled(sentence, {
      statements: statements === 1 ? one : filled(many, { n: grouped(statements) }), count: times(words, count) });
  };

  /** Names a range of lines: `line 3`, `lines 3 to 9`. */
  const ofLines = (words, { first, last }) => filled(first === last ? words.oneLine : words.moreLines, { first, last });

  /** Says how much of a file's changed lines was executed, or why none counts. */
  const ofChange = (words, change) => {
    if (change?.total > 0) {
      return filled(words.changedLines, { covered: grouped(change.covered), total: grouped(change.total) });
    }
    return change?.changed ? filled(words.notCounted, { why: change.why ?? '' }) : words.unchanged;
  };

  /** Returns a count for a narrow column: `9,999`, then `10K`. */
  const short = (count) => (count < 10000 ? grouped(count)
    : new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(count));

  return { times, ofBlock, ofLines, ofChange, short };
})();
