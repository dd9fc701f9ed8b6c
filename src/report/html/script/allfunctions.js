// The table of the functions of all files, which is made when it is first shown.
page.allFunctions = (() => {
  const { element, WORDS, made, breakable, replaceAddress, moveFocus, stickBelow, markOrder, onColumnClick } = page.elements;
  const { filled, grouped, partOf } = page.words;
  const { toFragment } = page.address;
  const { functionParts } = page.names;
  const { searchWords, ordered, sortAfterClick } = page.rows;
  const { percent, grade } = page.files;
  const { inflated } = page.streams;
  const { functionsFrom, FIGURES, listFrom, listFragment, isNever, isCounted, isListed, placeOf } = page.catalog;
  const { FILES, FOLDERS, CARRIED, CHOICES, view, loaded } = page.state;
  const { onChange, isOnly, choiceName } = page.choice;

  /** Number of rows that are put into the table at once. Thousands of functions have rows only on request. */
  const SOME = 200;
  const table = element('all-functions');
  let list = listFrom({});
  let functions = null;
  let found = [];
  let drawn = 0;
  /** Calls a function after each change of the list by a person. */
  let tellTabs = () => {};

  /** Gives functions the figures of the present choice of runs. */
  const byChoice = (all) => {
    if (CHOICES === 0) return all;
    for (const of of all) {
      [of.covered, of.count] = view.choice < 0 ? of.whole : [of.by[view.choice], Math.min(of.by[view.choice], 1)];
    }
    return all;
  };

  const read = async () => {
    // The list comes after this script in the page.
    await loaded;
    const catalog = element('catalog');
    const all = catalog === null ? [] : functionsFrom(await inflated(catalog.textContent), FILES, CARRIED !== null, CHOICES);
    return byChoice(all);
  };

  /** Returns the functions of all files, of which a page without source has none. */
  const load = () => {
    functions ??= read();
    return functions;
  };

  /** Tells whether a function was entered before the counters began: it has covered code, and no count of its own. */
  const isEarlier = (of) => view.choice < 0 && !of.isCarried && of.count === 0 && of.covered > 0;

  const enteredCell = (of) => {
    if (of.isCarried && view.choice < 0) return made('td', '', WORDS.carriedOnly);
    if (isNever(of)) return made('td', 'low', WORDS.block[3]);
    if (view.choice >= 0) return made('td', '', WORDS.entered);
    return made('td', '', isEarlier(of) ? WORDS.earlier : grouped(of.count));
  };

  const rowOf = (of) => {
    const row = document.createElement('tr');
    const head = made('th');
    head.scope = 'row';
    const link = made('a');
    link.append(...breakable(functionParts(of.name)));
    // Screen readers would speak a space at each possible line break.
    link.setAttribute('aria-label', of.name);
    link.href = toFragment({ file: of.file.name, line: of.line });
    head.append(link);
    const place = made('td', 'place');
    place.append(...breakable(placeOf(of, FOLDERS[0].path)));
    row.append(head, place, enteredCell(of),
      made('td', '', grouped(of.total - of.covered)),
      made('td', `percent ${grade(of.covered, of.total)}`, percent(of.covered, of.total)));
    return row;
  };

  const drawMore = (most) => {
    table.tBodies[0].append(...found.slice(drawn, drawn + most).map(rowOf));
    drawn = Math.min(found.length, drawn + most);
    const left = found.length - drawn;
    element('more-functions').hidden = left === 0;
    element('more-functions').textContent = filled(WORDS.moreOf, { n: grouped(Math.min(left, 5 * SOME)), all: grouped(left) });
  };

  /** Tells how many functions are shown, and how many of them the chosen runs never entered. */
  const tellShown = (all) => {
    const functions = partOf(WORDS, 'function', found.length, all.filter(isCounted).length);
    const never = grouped(found.filter(isNever).length);
    const words = view.choice < 0 ? WORDS.shownFunctions : isOnly() ? WORDS.shownFunctionsOnly : WORDS.shownFunctionsBy;
    element('shown-functions').value = filled(words, { functions, never, by: view.choice < 0 ? '' : choiceName() });
  };

  const draw = async () => {
    let all;
    try {
      all = await load();
    } catch (error) {
      element('shown-functions').value = filled(WORDS.search.failed, { why: String(error) });
      return;
    }
    const words = searchWords(list.filter);
    // What one run alone executed has no functions that it never entered.
    const never = list.never && !isOnly();
    element('never-label').hidden = isOnly();
    const listed = all.filter((of) => isListed(of, { never }, words) && (!isOnly() || of.covered > 0));
    found = ordered(listed, FIGURES[list.sort], list.down);
    table.tBodies[0].replaceChildren();
    drawn = 0;
    drawMore(SOME);
    tellShown(all);
    element('earlier').hidden = !found.some(isEarlier);
    element('catalog-list').classList.toggle('narrowed', listed.length < all.length);
    markOrder(table, list);
    document.body.dataset.functions = found.length;
  };

  const bringIntoView = () => element('catalog-list').scrollIntoView({ block: 'start' });

  /** Changes the table to the values of an address. */
  const show = (values) => {
    list = listFrom(values);
    element('function-filter').value = list.filter;
    element('never').checked = list.never;
    draw().then(() => (list.filter !== '' || list.never) && bringIntoView());
  };

  const fragment = () => listFragment(list);

  const changeAndTell = (to) => {
    list = { ...list, ...to };
    replaceAddress(fragment());
    tellTabs();
    return draw();
  };

  const clearFilter = () => {
    if (list.filter === '') return;
    element('function-filter').value = '';
    changeAndTell({ filter: '' });
  };

  const walk = (by) => moveFocus([...table.querySelectorAll('tbody a')], by);

  const begin = (then) => {
    tellTabs = then;
    stickBelow(element('function-tools'));
    onChange(() => functions?.then(byChoice).then(() => element('catalog-list').hidden || draw()));
    element('function-filter').addEventListener('input', (event) => {
      changeAndTell({ filter: event.target.value }).then(bringIntoView);
    });
    element('never').addEventListener('change', (event) => changeAndTell({ never: event.target.checked }));
    element('function-tools').addEventListener('submit', (event) => event.preventDefault());
    element('more-functions').addEventListener('click', () => drawMore(5 * SOME));
    onColumnClick(table, (sort) => (
      changeAndTell(sortAfterClick(list, sort, sort === 'count' || sort === 'uncovered'))));
  };

  return { load, begin, show, fragment, clearFilter, walk };
})();
