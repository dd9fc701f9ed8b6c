// Search, order and steps through the rows of a table, without the DOM.
page.rows = (() => {
  /** Returns the words of a search in lower case. */
  const searchWords = (search) => search.toLowerCase().split(/\s+/).filter((word) => word !== '');

  /** Tells whether a text in lower case has each word. */
  const hasWords = (text, words) => words.every((word) => text.includes(word));

  /** Orders rows by a figure. Equal rows stay as they are; rows without a figure come last in both directions. */
  const ordered = (rows, figure, isDown) => {
    const turn = isDown ? -1 : 1;
    const compare = (a, b) => {
      if (a === b) return 0;
      if (a === undefined) return 1;
      if (b === undefined) return -1;
      return a < b ? -turn : turn;
    };
    const keyed = rows.map((row, at) => [figure(row), at, row]);
    keyed.sort(([a, i], [b, j]) => compare(a, b) || i - j);
    return keyed.map(([, , row]) => row);
  };

  const BY_NAME = { sort: 'name', down: false };

  /** Returns the order in an address, such as `-percent`, or the usual one if there is none. */
  const sortFrom = (text, figures, usual = BY_NAME) => {
    if (!text) return { ...usual };
    const sort = text.replace(/^-/, '');
    return { sort: Object.hasOwn(figures, sort) ? sort : 'name', down: text.startsWith('-') };
  };

  /** Returns an order for an address; empty for the usual one. */
  const sortText = ({ sort, down }, usual = BY_NAME) => (
    sort === usual.sort && down === usual.down ? '' : `${down ? '-' : ''}${sort}`);

  /** Returns the order after a click on a column. A click on the column of the present order reverses it. */
  const sortAfterClick = (list, sort, isFirstDown) => (
    { sort, down: list.sort === sort ? !list.down : isFirstDown });

  /** Returns the row after a step; the first or last row if none has the focus. */
  const step = (at, by, length) => {
    if (at >= 0) return at + by;
    return by > 0 ? 0 : length - 1;
  };

  return { searchWords, hasWords, ordered, sortFrom, sortText, sortAfterClick, step };
})();
