// What moves in the pages of a site, after base.js. Everything that came from outside stands in the page already, as
// text. The words are in site.html.
(() => {
  const { element, WORDS, filled, grouped } = shared;

  // ---- how long ago something was ------------------------------------------------------------------

  const tellAges = () => {
    for (const node of document.querySelectorAll('time')) {
      node.title ||= node.textContent;
      const age = shared.age(node.dateTime);
      node.textContent = age === null ? WORDS.now : filled(WORDS.ago, { age });
    }
  };

  // ---- the table of services, and the fragment of the address that says how it is ------------------

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

  const STATES = ['failing', 'stale', 'new', 'fine', 'gone'];
  // Of what has no figure one knows the least, so it comes last either way.
  const FIGURES = {
    percent: (row) => row.dataset.percent && Number(row.dataset.percent),
    uncovered: (row) => row.dataset.uncovered && Number(row.dataset.uncovered),
    pulled: (row) => row.dataset.pulled,
    state: (row) => STATES.indexOf(row.dataset.state),
  };

  const flatBody = document.createElement('tbody');

  const order = () => {
    const figure = FIGURES[list.sort];
    table.classList.toggle('flat', figure !== undefined);
    const turn = list.down ? -1 : 1;
    if (figure === undefined) {
      flatBody.remove();
      for (const { body, head, rows } of list.down ? [...groups].reverse() : groups) {
        body.replaceChildren(head, ...rows);
        table.append(body);
      }
    } else {
      const keyed = all.map((row, at) => [figure(row), at, row]);
      const compare = (a, b) => (a === b ? 0 : a === undefined ? 1 : b === undefined ? -1 : a < b ? -turn : turn);
      keyed.sort(([a, i], [b, j]) => compare(a, b) || i - j);
      flatBody.replaceChildren(...keyed.map(([, , row]) => row));
      for (const { body } of groups) body.remove();
      table.append(flatBody);
    }
    for (const button of table.tHead.querySelectorAll('button')) {
      const head = button.closest('th');
      if (button.dataset.sort === list.sort) head.setAttribute('aria-sort', list.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
  };

  const narrow = () => {
    const words = list.filter.toLowerCase().split(/\s+/).filter((word) => word !== '');
    let shown = 0;
    for (const row of all) {
      const fits = (list.state === '' || row.dataset.state === list.state)
        && words.every((word) => row.dataset.words.includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const { body, rows } of groups) body.hidden = rows.every((row) => row.hidden);
    element('nothing').hidden = shown > 0;
    element('shown').textContent = filled(WORDS.shown, { shown: grouped(shown), all: grouped(all.length) });
  };

  const asked = () => {
    const values = shared.asked();
    const sort = values.sort ?? '';
    const by = sort.replace(/^-/, '');
    return {
      sort: Object.hasOwn(FIGURES, by) ? by : 'name',
      down: sort.startsWith('-'),
      filter: values.filter ?? '',
      state: STATES.includes(values.state) ? values.state : '',
    };
  };

  const settle = () => {
    const { sort, down, filter, state } = list;
    const isUsual = sort === START.sort && !down;
    shared.settle(shared.address({ sort: isUsual ? '' : `${down ? '-' : ''}${sort}`, filter, state }));
  };

  const change = (to) => {
    const before = list;
    list = { ...list, ...to };
    if (before.sort !== list.sort || before.down !== list.down) order();
    if (element('filter').value !== list.filter) element('filter').value = list.filter;
    element('state').value = list.state;
    narrow();
  };

  const changeAndSettle = (to) => {
    change(to);
    settle();
  };

  // ---- switches and keys ---------------------------------------------------------------------------

  const walk = (step) => {
    const links = [...document.querySelectorAll('.table tbody tr')]
      .filter((row) => row.checkVisibility()).map((row) => row.querySelector('a')).filter((link) => link !== null);
    const at = links.findIndex((link) => link.closest('tr') === document.activeElement?.closest('tr'));
    const to = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
    to?.focus();
  };

  const KEYS = {
    j: () => walk(1),
    k: () => walk(-1),
  };
  const KEYS_OF_TABLE = {
    '/': () => setTimeout(() => element('filter').select(), 0),
    Escape: () => changeAndSettle({ filter: '', state: '' }),
  };

  const begin = () => {
    if (table !== null) Object.assign(KEYS, KEYS_OF_TABLE);
    shared.begin(KEYS);
    tellAges();
    setInterval(tellAges, 60000);
    if (table === null) return;
    adopt();
    element('filter').addEventListener('input', (event) => changeAndSettle({ filter: event.target.value }));
    element('state').addEventListener('change', (event) => changeAndSettle({ state: event.target.value }));
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('home').addEventListener('click', (event) => {
      event.preventDefault();
      changeAndSettle(START);
    });
    for (const button of table.tHead.querySelectorAll('button')) {
      button.addEventListener('click', () => {
        const { sort } = button.dataset;
        // What is to be looked at first comes first: the least covered, the most that is not, the oldest.
        changeAndSettle({ sort, down: list.sort === sort ? !list.down : sort === 'uncovered' });
      });
    }
    window.addEventListener('hashchange', () => change(asked()));
    order();
    change(asked());
  };

  begin();
})();
