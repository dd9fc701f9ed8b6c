// Ages, the table of services and its keys, in the pages of a site. The words are in site.html.
(() => {
  const { element, WORDS, ageOf, replaceAddress, markOrder, onColumnClick } = page.elements;
  const { filled, grouped } = page.words;
  const { toFragment, fromFragment } = page.address;
  const { searchWords, hasWords, ordered, sortFrom, sortText, sortAfterClick, step } = page.rows;

  // ---- ages --------------------------------------------------------------------------------------------

  const tellAges = () => {
    for (const node of document.querySelectorAll('time')) {
      node.title ||= node.textContent;
      const age = ageOf(node.dateTime);
      node.textContent = age === null ? WORDS.now : filled(WORDS.ago, { age });
    }
  };

  // ---- the table of services ---------------------------------------------------------------------------

  const table = element('services');
  const START = { sort: 'name', down: false, filter: '', state: '' };
  let list = { ...START };
  let groups = [];
  let all = [];

  const adopt = () => {
    groups = [...table.tBodies].map((body) => {
      const [head, ...rows] = body.rows;
      return { body, head, rows };
    });
    all = groups.flatMap((group) => group.rows);
  };

  /** Words of earlier releases, each for several states; addresses that people kept may have them. */
  const CONCERNS = ['failing', 'stale', 'new', 'fine', 'gone'];
  /** Figures of the columns. Rows are in order of names already. A row without a figure has `undefined`. */
  const FIGURES = {
    percent: (row) => row.dataset.percent && Number(row.dataset.percent),
    uncovered: (row) => row.dataset.uncovered && Number(row.dataset.uncovered),
    pulled: (row) => row.dataset.pulled,
    state: (row) => CONCERNS.indexOf(row.dataset.concern),
  };

  const flatBody = document.createElement('tbody');

  const orderByName = () => {
    flatBody.remove();
    for (const { body, head, rows } of list.down ? [...groups].reverse() : groups) {
      body.replaceChildren(head, ...rows);
      table.append(body);
    }
  };

  const orderByFigure = (figure) => {
    flatBody.replaceChildren(...ordered(all, figure, list.down));
    for (const { body } of groups) body.remove();
    table.append(flatBody);
  };

  const order = () => {
    const figure = FIGURES[list.sort];
    table.classList.toggle('flat', figure !== undefined);
    if (figure === undefined) orderByName();
    else orderByFigure(figure);
    markOrder(table, list);
  };

  /** Shows the rows that match the search and the state. */
  const narrow = () => {
    const words = searchWords(list.filter);
    let shown = 0;
    for (const row of all) {
      const { state, concern, words: ofRow } = row.dataset;
      const isShown = ['', state, concern].includes(list.state) && hasWords(ofRow, words);
      row.hidden = !isShown;
      shown += isShown ? 1 : 0;
    }
    for (const { body, rows } of groups) body.hidden = rows.every((row) => row.hidden);
    element('nothing').hidden = shown > 0;
    element('shown').textContent = filled(WORDS.shown, { shown: grouped(shown), all: grouped(all.length) });
  };

  const isState = (word) =>
    CONCERNS.includes(word) || [...element('state').options].some(({ value }) => value === word);

  /** Returns the order and the filters of the table from the values of an address. */
  const listFrom = ({ sort, filter, state }) => ({
    ...sortFrom(sort, FIGURES), filter: filter ?? '', state: isState(state) ? state : '' });

  const change = (to) => {
    const before = list;
    list = { ...list, ...to };
    if (before.sort !== list.sort || before.down !== list.down) order();
    if (element('filter').value !== list.filter) element('filter').value = list.filter;
    element('state').value = list.state;
    narrow();
  };

  const changeAndTell = (to) => {
    change(to);
    replaceAddress(toFragment({ sort: sortText(list), filter: list.filter, state: list.state }));
  };

  // ---- switches and keys -------------------------------------------------------------------------------

  const walk = (by) => {
    const links = [...document.querySelectorAll('.table tbody tr')]
      .filter((row) => row.checkVisibility()).map((row) => row.querySelector('a')).filter((link) => link !== null);
    const at = links.findIndex((link) => link.closest('tr') === document.activeElement?.closest('tr'));
    links[step(at, by, links.length)]?.focus();
  };

  const KEYS = {
    j: () => walk(1),
    k: () => walk(-1),
  };
  const KEYS_OF_TABLE = {
    '/': () => setTimeout(() => element('filter').select(), 0),
    Escape: () => changeAndTell({ filter: '', state: '' }),
  };

  const begin = () => {
    if (table !== null) Object.assign(KEYS, KEYS_OF_TABLE);
    page.switches.begin(KEYS);
    tellAges();
    setInterval(tellAges, 60000);
    if (table === null) return;
    adopt();
    element('filter').addEventListener('input', (event) => changeAndTell({ filter: event.target.value }));
    element('state').addEventListener('change', (event) => changeAndTell({ state: event.target.value }));
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('home').addEventListener('click', (event) => {
      event.preventDefault();
      changeAndTell(START);
    });
    // The first click puts first the rows to look at: the least covered, the most uncovered, the oldest.
    onColumnClick(table, (sort) => changeAndTell(sortAfterClick(list, sort, sort === 'uncovered')));
    const showAddress = () => change(listFrom(fromFragment(location.hash)));
    window.addEventListener('hashchange', showAddress);
    order();
    showAddress();
  };

  begin();
})();
