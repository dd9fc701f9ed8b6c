// The table of services: its order, its filters, and the address that has both.
page.services = (() => {
  const { element, WORDS, replaceAddress, markOrder, onColumnClick } = page.elements;
  const { filled, grouped, counted } = page.words;
  const { toFragment, fromFragment } = page.address;
  const { ordered, sortFrom, sortText, sortAfterClick } = page.rows;
  const { map } = page;
  const { NONE, filtersFrom, valuesOf, toggled, isNone, fits } = page.filters;

  /** Pixels of the line of filters that are seen before one to which it was scrolled. */
  const EDGE = 24;
  const table = element('services');
  const START = { sort: 'name', down: false, map: false, ...NONE };
  let list = { ...START };
  let groups = [];
  let all = [];
  /** The figures and words of each row, in the order of the page. */
  let facts = [];
  let narrowAttention = null;
  /** Numbers of the rows by the names of their services. */
  let numbers = new Map();
  /** Which rows the filters let through. */
  let shown = [];

  const number = (text) => (text === undefined ? undefined : Number(text));
  /** Figures of the columns. Rows are in order of names already. A row without a figure has `undefined`. */
  const FIGURES = {
    percent: (row) => number(row.dataset.percent),
    week: (row) => number(row.dataset.week),
    uncovered: (row) => number(row.dataset.uncovered),
    pulled: (row) => row.dataset.pulled,
    state: (row) => number(row.dataset.rank),
  };

  const adopt = () => {
    groups = [...table.tBodies].map((body) => {
      const [head, ...rows] = body.rows;
      return { body, head, rows };
    });
    all = groups.flatMap((group) => group.rows);
    facts = all.map((row) => ({ ...row.dataset }));
    numbers = new Map(facts.map(({ service }, at) => [service, at]));
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

  /** Shows the rows that the filters let through. */
  const narrow = () => {
    shown = facts.map(fits(list));
    for (const [at, row] of all.entries()) row.hidden = !shown[at];
    for (const { body, rows } of groups) body.hidden = rows.every((row) => row.hidden);
    narrowAttention?.((at) => shown[at], !isNone(list));
    const number = shown.filter((is) => is).length;
    element('nothing').hidden = number > 0;
    element('shown').textContent = filled(
      WORDS.shown, { shown: grouped(number), services: counted(WORDS.services, all.length) });
    map.show(list.map);
  };

  const buttons = document.querySelectorAll('button[data-filter]');

  const showFilters = () => {
    if (element('filter').value !== list.filter) element('filter').value = list.filter;
    for (const button of buttons) {
      const { filter, value } = button.dataset;
      button.setAttribute('aria-pressed', list[filter].includes(value));
    }
    element('all').hidden = isNone(list);
    fitFilters();
  };

  const bar = () => element('tools').parentNode;

  /** Tells the style how high the bar is, below which the head of the table stays. */
  const measureBar = () => document.documentElement.style.setProperty('--bar', `${bar().offsetHeight}px`);

  // On a narrow screen the buttons of all filters stand in one line, which scrolls sideways, until all are asked for.
  const fitFilters = () => {
    const { scrollWidth, clientWidth } = element('filters');
    element('more-filters').hidden = scrollWidth <= clientWidth && !bar().classList.contains('expanded');
  };

  const expandFilters = (isExpanded) => {
    bar().classList.toggle('expanded', isExpanded);
    element('more-filters').setAttribute('aria-expanded', isExpanded);
  };

  /** Scrolls the line of filters to the first one that is pressed. */
  const showPressed = () => {
    const line = element('filters');
    const pressed = line.querySelector('[aria-pressed=true]');
    if (pressed !== null) line.scrollLeft += pressed.getBoundingClientRect().left - line.getBoundingClientRect().left - EDGE;
  };

  /** Scrolls the table under the bar of filters unless its first rows are on the screen. */
  const reveal = () => {
    const { bottom, height } = bar().getBoundingClientRect();
    const { top } = table.getBoundingClientRect();
    // A bar that has not reached the top of the window yet leaves less room below it.
    if (top < bottom - 1 || top > innerHeight / 2) scrollBy(0, top - height);
  };

  const change = (to) => {
    const before = list;
    list = { ...list, ...to };
    if (before.sort !== list.sort || before.down !== list.down) order();
    showFilters();
    narrow();
  };

  const changeAndTell = (to) => {
    change(to);
    replaceAddress(toFragment({ sort: sortText(list), map: list.map, ...valuesOf(list) }));
  };

  const filterBy = (to) => {
    changeAndTell(to);
    if (!isNone(list)) reveal();
  };

  /** Filters by an area of the map; a second click shows all services again. */
  const chooseArea = ({ dataset: { key } }) => changeAndTell({ filter: list.filter === key ? '' : key });

  const showAddress = () => {
    measureBar();
    const values = fromFragment(location.hash);
    change({ ...sortFrom(values.sort, FIGURES), map: values.map === '1', ...filtersFrom(values, facts) });
    showPressed();
    if (!isNone(list)) reveal();
  };

  const KEYS = {
    '/': () => element('filter').select(),
    Escape: () => changeAndTell(NONE),
  };

  /** Starts the table; returns its keys. */
  const begin = () => {
    if (table === null) return {};
    adopt();
    narrowAttention = page.attention.begin();
    element('filter').addEventListener('input', (event) => {
      expandFilters(false);
      filterBy({ filter: event.target.value });
    });
    for (const button of buttons) {
      const { filter, value } = button.dataset;
      button.disabled = false;
      button.addEventListener('click', () => filterBy({ [filter]: toggled(list[filter], value) }));
    }
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('all').addEventListener('click', () => changeAndTell(NONE));
    element('more-filters').addEventListener('click', () => expandFilters(!bar().classList.contains('expanded')));
    element('home').addEventListener('click', (event) => {
      event.preventDefault();
      changeAndTell(START);
      scrollTo(0, 0);
    });
    // The first click puts first the rows to look at: the least covered, what fell most, the most uncovered, the oldest.
    onColumnClick(table, (sort) => changeAndTell(sortAfterClick(list, sort, sort === 'uncovered')));
    map.begin({
      table,
      addressOf: ({ dataset: { key } }) => toFragment({ map: true, filter: key }),
      isShown: ({ dataset: { key } }) => shown[numbers.get(key)],
      choose: chooseArea,
      tell: (isOpen) => isOpen !== list.map && changeAndTell({ map: isOpen }),
    });
    window.addEventListener('hashchange', showAddress);
    new ResizeObserver(() => {
      fitFilters();
      measureBar();
    }).observe(bar());
    order();
    return KEYS;
  };

  return { begin, showAddress };
})();
