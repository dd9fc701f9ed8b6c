// The table of packages and files: folding, order, filter, and the row that has the focus.
page.table = (() => {
  const { element, WORDS, made, replaceAddress, markOrder, onColumnClick } = page.elements;
  const { filled, grouped } = page.words;
  const { toFragment } = page.address;
  const { searchWords, ordered, sortAfterClick, step } = page.rows;
  const { printable } = page.names;
  const { figureOf, listFrom, listFragment, isListed } = page.files;
  const { FILES, CHANGES } = page.state;

  /** Number of rows in a body of the table without packages. Browsers do not lay out bodies far from the screen. */
  const FLAT_ROWS = 100;
  const table = element('files');
  const packages = [];
  let list = listFrom({}, false);
  /** Files in the order of the table, including hidden ones. */
  let inOrder = FILES;
  let flatBodies = [];

  const link = (file) => file.row.querySelector('a');

  const foldButton = (group, name) => {
    const button = made('button', 'fold');
    button.type = 'button';
    button.setAttribute('aria-label', filled(WORDS.foldPackage, { name }));
    button.setAttribute('aria-expanded', 'true');
    button.addEventListener('click', () => {
      group.folded = !group.folded;
      draw();
    });
    return button;
  };

  /** Assigns the rows of the page, which are in the order of the index, to files. */
  const adopt = () => {
    let at = 0;
    // A browser searches its live list of bodies anew after each change of the table.
    for (const body of [...table.tBodies]) {
      const [head, ...rows] = body.rows;
      const group = { body, row: head, covered: 0, total: 0, files: [], folded: false, change: { covered: 0, total: 0 } };
      for (const row of rows) {
        const file = FILES[at];
        file.row = row;
        // Links are set here, because they lead nowhere without the script.
        link(file).href = toFragment({ file: file.name });
        group.covered += file.covered;
        group.total += file.total;
        group.files.push(file);
        group.change.covered += file.change?.covered ?? 0;
        group.change.total += file.change?.total ?? 0;
        at += 1;
      }
      group.name = group.files[0].name.slice(0, Math.max(0, group.files[0].name.lastIndexOf('/')));
      group.fold = foldButton(group, head.cells[0].textContent);
      head.cells[0].prepend(group.fold);
      packages.push(group);
    }
  };

  /** Puts the folder before a file's name, which only the table without packages shows. */
  const putFolder = (file) => {
    if (file.folder) return;
    file.folder = made('span', 'folder', printable(file.name.slice(0, file.name.length - file.base.length)));
    link(file).prepend(file.folder);
  };

  const orderFlat = (figure) => {
    inOrder = ordered(packages.flatMap((group) => group.files), figure, list.down);
    for (const file of inOrder) putFolder(file);
    flatBodies = [];
    for (let at = 0; at < inOrder.length; at += FLAT_ROWS) {
      const [body, files] = [document.createElement('tbody'), inOrder.slice(at, at + FLAT_ROWS)];
      body.append(...files.map((file) => file.row));
      flatBodies.push({ body, files });
    }
    return flatBodies.map(({ body }) => body);
  };

  const orderPackages = (figure) => {
    inOrder = [];
    return ordered(packages, figure, list.down).map((group) => {
      const files = ordered(group.files, figure, list.down);
      inOrder.push(...files);
      group.body.append(...files.map((file) => file.row));
      return group.body;
    });
  };

  /** Orders the rows, which is slow for thousands of them. */
  const order = () => {
    const bodies = document.createDocumentFragment();
    bodies.append(...(list.flat ? orderFlat : orderPackages)(figureOf(list)));
    for (const body of [...table.tBodies]) body.remove();
    table.append(bodies);
    table.classList.toggle('flat', list.flat);
    markOrder(table, list);
  };

  /** Tells the style the number of rows in a body that is not laid out. */
  const setRowCount = (body, rows) => body.style.setProperty('--rows', rows);

  /** Shows and hides the rows of a package; returns its number of files and uncovered statements shown. */
  const drawPackage = (group, words) => {
    let [shown, uncovered] = [0, 0];
    for (const file of group.files) {
      file.isShown = isListed(file, list, words);
      if (file.isShown) {
        shown += 1;
        uncovered += file.total - file.covered;
      }
      file.row.hidden = !file.isShown || (group.folded && !list.flat);
    }
    group.row.hidden = shown === 0;
    group.fold.setAttribute('aria-expanded', String(!group.folded));
    setRowCount(group.body, shown === 0 ? 0 : group.folded ? 1 : 1 + shown);
    return [shown, uncovered];
  };

  const hasUnfolded = () => packages.some((group) => !group.folded);

  /** Shows and hides rows. */
  const draw = () => {
    const words = searchWords(list.filter);
    let [shown, uncovered] = [0, 0];
    for (const group of packages) {
      const [shownHere, uncoveredHere] = drawPackage(group, words);
      shown += shownHere;
      uncovered += uncoveredHere;
    }
    for (const { body, files } of list.flat ? flatBodies : []) {
      setRowCount(body, files.filter((file) => file.isShown).length);
    }
    element('shown').value = filled(WORDS.shown, {
      shown: grouped(shown), all: grouped(FILES.length), uncovered: grouped(uncovered) });
    element('nothing').hidden = shown > 0;
    element('list').classList.toggle('narrowed', shown < FILES.length);
    element('fold').textContent = hasUnfolded() ? WORDS.fold : WORDS.unfold;
    element('fold').disabled = list.flat;
  };

  /** Sets whether the links of changed files open the whole file or its changes only. */
  const setLinks = () => {
    element('changed').checked = list.changed;
    for (const at of Object.keys(CHANGES.files)) {
      const file = FILES[at];
      link(file).href = toFragment({ file: file.name, changed: list.changed && file.change.changed });
    }
  };

  /** Puts the bar of search and filters at the top of the screen, so that the rows below it are seen. */
  const bringIntoView = () => element('list').scrollIntoView({ block: 'start' });

  const change = (to) => {
    const isOther = (name) => name in to && to[name] !== list[name];
    const isOrdered = ['sort', 'down', 'flat'].some(isOther);
    const isNarrowed = isOther('changed');
    list = { ...list, ...to };
    element('filter').value = list.filter;
    element('uncovered').checked = list.uncovered;
    element('flat').checked = list.flat;
    if (isNarrowed) setLinks();
    if (isOrdered) order();
    draw();
  };

  /** Changes the table to the values of an address. */
  const show = (values) => {
    change(listFrom(values, CHANGES !== null));
    if (list.filter !== '' || list.uncovered || list.changed) bringIntoView();
  };

  const fragment = () => listFragment(list);

  const changeAndTell = (to) => {
    change(to);
    replaceAddress(fragment());
  };

  const toggle = (name) => changeAndTell({ [name]: !list[name] });
  const clearFilter = () => element('filter').value !== '' && changeAndTell({ filter: '' });

  const walk = (by) => {
    const links = inOrder.filter((file) => !file.row.hidden).map(link);
    const to = links[step(links.indexOf(document.activeElement), by, links.length)];
    to?.focus();
    to?.scrollIntoView({ block: 'nearest' });
  };

  /** Gives the row of a file the focus. */
  const focusOn = (file) => {
    link(file).scrollIntoView({ block: 'center' });
    link(file).focus({ preventScroll: true });
  };

  const begin = () => {
    element('filter').addEventListener('input', (event) => {
      changeAndTell({ filter: event.target.value });
      bringIntoView();
    });
    // The bar has more lines on a narrow screen, and the head of the table stays below it.
    const tellHeight = () => document.documentElement.style.setProperty('--tools', `${element('tools').offsetHeight}px`);
    new ResizeObserver(tellHeight).observe(element('tools'));
    for (const name of ['uncovered', 'changed', 'flat']) {
      element(name)?.addEventListener('change', (event) => changeAndTell({ [name]: event.target.checked }));
    }
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('fold').addEventListener('click', () => {
      const folded = hasUnfolded();
      for (const group of packages) group.folded = folded;
      draw();
    });
    // The first click puts first the rows to look at: names from a, the least covered, the largest figures.
    onColumnClick(table, (sort) => (
      changeAndTell(sortAfterClick(list, sort, sort !== 'name' && sort !== 'percent'))));
    // Rust writes the rows in the order of their names.
    markOrder(table, list);
  };

  return { adopt, begin, show, fragment, toggle, clearFilter, walk, focusOn, filesInOrder: () => inOrder };
})();
