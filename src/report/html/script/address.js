// The fragment of the page's address, which says what the page shows, without the DOM.
page.address = (() => {
  /** Returns a fragment such as `#file=m/x.go&line=3`, without values that are empty. */
  const toFragment = (values) => {
    const parts = Object.entries(values)
      .filter(([, value]) => value !== '' && value !== undefined && value !== false)
      .map(([name, value]) => `${name}=${encodeURIComponent(value === true ? 1 : value).replaceAll('%2F', '/').replaceAll('%2C', ',')}`);
    return `#${parts.join('&')}`;
  };

  /** Returns the values of a fragment, as texts. */
  const fromFragment = (fragment) => {
    const values = {};
    for (const part of fragment.slice(1).split('&')) {
      const at = part.indexOf('=');
      if (at < 0) continue;
      try {
        values[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1));
      } catch {
        // Anyone can type an address, so a part that cannot be decoded must not stop the others.
      }
    }
    return values;
  };

  /** Returns ranges of numbers as a text such as `3-9,20-20`. */
  const toRanges = (ranges) => ranges.map((range) => range.join('-')).join(',');

  /** Returns the ranges of such a text, without parts that are no ranges. */
  const fromRanges = (text) => text.split(',').map((part) => part.match(/^(\d{1,9})-(\d{1,9})$/))
    .filter((match) => match !== null).map(([, first, last]) => [Number(first), Number(last)]);

  return { toFragment, fromFragment, toRanges, fromRanges };
})();
