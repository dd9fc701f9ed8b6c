// The filters of the table of services, without the DOM: words, and lists of states, environments and branches.
page.filters = (() => {
  const { searchWords, hasWords } = page.rows;
  const NONE = { filter: '', state: [], env: [], branch: [] };
  const LISTS = ['state', 'env', 'branch'];

  /** Returns a list for an address, such as `staging,prod`. */
  const listText = (names) => names.map((name) => name.replaceAll('%', '%25').replaceAll(',', '%2C')).join(',');

  /** Returns the names of a list in an address. */
  const listFrom = (text) => (text ?? '').split(',').filter((name) => name !== '')
    .map((name) => name.replace(/%(25|2C)/g, (_, code) => (code === '25' ? '%' : ',')));

  /** Returns the states that a word means: words of earlier releases stand for several. */
  const statesFrom = (word, rows) => {
    const states = new Set(rows.filter(({ concern }) => concern === word).map(({ state }) => state));
    return states.size > 0 ? [...states] : [word];
  };

  /** Returns the filters from the values of an address. */
  const filtersFrom = (values, rows) => ({
    filter: values.filter ?? '',
    state: listFrom(values.state).flatMap((word) => statesFrom(word, rows)),
    env: listFrom(values.env),
    branch: listFrom(values.branch),
  });

  /** Returns the values of an address from filters. */
  const valuesOf = ({ filter, state, env, branch }) => (
    { filter, state: listText(state), env: listText(env), branch: listText(branch) });

  /** Puts a name into a list, or takes it out. */
  const toggled = (names, name) => (
    names.includes(name) ? names.filter((other) => other !== name) : [...names, name]);

  const isNone = (filters) => filters.filter.trim() === '' && LISTS.every((list) => filters[list].length === 0);

  /** Returns a function that tells whether the filters let a row through. An empty list lets all through. */
  const fits = (filters) => {
    const words = searchWords(filters.filter);
    return (row) => LISTS.every((list) => filters[list].length === 0 || filters[list].includes(row[list]))
      && hasWords(row.words, words);
  };

  return { NONE, filtersFrom, valuesOf, toggled, isNone, fits };
})();
