// The table of folders and files: folds, order, filter, and the row that has the focus.
page.table = (() => {
  const { element, WORDS, made, breakable, replaceAddress, moveFocus, stickBelow, markOrder, onColumnClick } = page.elements;
  const { filled, counted, partOf } = page.words;
  const { toFragment } = page.address;
  const { searchWords, ordered, sortAfterClick } = page.rows;
  const { printable, pathParts } = page.names;
  const { figureOf, listFrom, listFragment, isListed } = page.files;
  const { isNarrow, hasSameFilters, foldsAfter, hidesAll, addFigures, inOrder, toggled, unfold } = page.tree;
  const { textOf, drawFigures, drawFolder } = page.figures;
  const { onChange, isOnly, choiceName } = page.choice;
  const { FILES, FOLDERS, CHANGES, USUAL_ORDER, view } = page.state;
  const { map, fileMap } = page;

  /** Number of rows in a body of the table without folders. Browsers do not lay out bodies far from the screen. */
  const FLAT_ROWS = 100;
  const table = element('files');
  let list = listFrom({}, false);
  /** Files and folders in the order of the table, including hidden ones. */
  let files = FILES;
  let folders = FOLDERS;
  let flatBodies = [];
  /** Folds of the table without filters. */
  let wideFolds = '';
  /** Values of an address that the table takes before its rows are asked for the first time. */
  let waiting = null;
  /** Calls a function after each change of the list by a person. */
  let tellTabs = () => {};

  const link = (file) => file.row.querySelector('a');

  const foldButton = ({ path }) => {
    const button = made('button', 'fold');
    button.type = 'button';
    button.setAttribute('aria-label', filled(WORDS.foldFolder, { name: printable(path) || WORDS.allFiles }));
    return button;
  };

  /** Assigns the rows of the page, which are in the order of the index, to folders and files. */
  const adopt = () => {
    // A browser searches its live list of bodies anew after each change of the table.
    const bodies = [...table.tBodies];
    for (const [at, folder] of FOLDERS.entries()) {
      const [row, ...rows] = bodies[at].rows;
      Object.assign(folder, { body: bodies[at], fold: foldButton(folder), drawn: textOf(folder) });
      row.cells[0].prepend(folder.fold);
      row.addEventListener('click', () => !list.flat && changeAndTell({ folds: toggled(list.folds, folder) }));
      for (const [number, file] of folder.files.entries()) {
        Object.assign(file, { row: rows[number], inFolder: folder, drawnBy: view.choice });
        // Links are set here, because they lead nowhere without the script.
        link(file).href = toFragment({ file: file.name });
        // Screen readers would speak a space at each possible line break.
        if (link(file).childElementCount > 0) link(file).setAttribute('aria-label', printable(file.base));
      }
    }
  };

  /** Puts the folder before a file's name, which only the table without folders shows. */
  const putFolder = (file) => {
    if (file.folderName) return;
    const root = FOLDERS[0].path;
    const { folders: parts } = pathParts(printable(root === '' ? file.name : file.name.slice(root.length + 1)));
    file.folderName = made('span', 'folder');
    file.folderName.append(...breakable(parts));
    link(file).prepend(file.folderName);
    link(file).setAttribute('aria-label', link(file).textContent);
  };

  const orderFlat = (figure) => {
    files = ordered(FILES, figure, list.down);
    files.forEach(putFolder);
    flatBodies = [];
    for (let at = 0; at < files.length; at += FLAT_ROWS) {
      const [body, some] = [document.createElement('tbody'), files.slice(at, at + FLAT_ROWS)];
      body.append(...some.map((file) => file.row));
      flatBodies.push({ body, files: some });
    }
    return flatBodies.map(({ body }) => body);
  };

  const orderTree = (figure) => {
    folders = inOrder(FOLDERS, (rows) => ordered(rows, figure, list.down));
    files = folders.flatMap((folder) => folder.files);
    for (const folder of folders) folder.body.append(...folder.files.map((file) => file.row));
    return folders.map(({ body }) => body);
  };

  const putBodies = (ordered) => {
    const bodies = document.createDocumentFragment();
    bodies.append(...ordered);
    for (const body of [...table.tBodies]) body.remove();
    table.append(bodies);
  };

  /** Orders the rows, which is slow for thousands of them. */
  const order = () => {
    putBodies((list.flat ? orderFlat : orderTree)(figureOf(list)));
    table.classList.toggle('flat', list.flat);
    markOrder(table, list);
  };

  /** Orders the folders by figures that a filter has changed. Those of files are as before. */
  const orderFolders = () => {
    const before = folders;
    folders = inOrder(FOLDERS, (rows) => ordered(rows, figureOf(list), list.down));
    if (folders.every((folder, at) => folder === before[at])) return;
    files = folders.flatMap((folder) => folder.files);
    putBodies(folders.map(({ body }) => body));
  };

  const shownOf = (rows) => rows.filter((file) => file.isShown);

  /** Writes the figures of a file for the present choice of runs into its row, unless they stand there. */
  const drawRow = (file) => {
    if (file.drawnBy === view.choice) return;
    file.drawnBy = view.choice;
    drawFigures(file.row, file);
  };

  /** Shows and hides the rows of a body, and tells the style their number, for a body that is not laid out. */
  const drawBody = (body, rows, heads) => {
    for (const file of rows) {
      file.row.hidden = !file.isShown;
      drawRow(file);
    }
    body.style.setProperty('--rows', shownOf(rows).length + heads);
  };

  /** Writes the name of a folder with those of the folders around it that have no row of their own, unless it stands there. */
  const drawName = (folder) => {
    const { body, label, level, named = folder.name } = folder;
    if (!body.classList.contains(`l${level}`)) body.className = `l${level}`;
    if (named === label) return;
    folder.named = label;
    const { folders: around, base } = pathParts(printable(label));
    body.rows[0].querySelector('bdi').replaceChildren(...breakable([...around, ...base]));
  };

  const drawTree = () => {
    unfold(FOLDERS, list.folds, isNarrow(list));
    for (const folder of FOLDERS) {
      const { body, fold, files: rows, isSeen, isOpen } = folder;
      body.hidden = !isSeen;
      if (!isSeen) continue;
      drawName(folder);
      drawFolder(folder);
      body.classList.toggle('closed', !isOpen);
      fold.setAttribute('aria-expanded', String(isOpen));
      drawBody(body, isOpen ? rows : [], 1);
    }
  };

  const hasUnfolded = () => FOLDERS.some(({ depth, isSeen, isOpen }) => depth > 0 && isSeen && isOpen);

  /** Tells whether there is anything to fold or unfold. */
  const hasFolds = () => FOLDERS.some(({ depth, isSeen, isOpen }) => isSeen && (depth > 0 || !isOpen));

  const listOf = (values) => listFrom(values, element('changed') !== null, USUAL_ORDER);

  /** Shows whose files the table has. The link of an owner leads to its files, and that of the present one to all. */
  const drawOwners = () => {
    if (element('owner') === null) return;
    const shown = waiting === null ? list : listOf(waiting);
    element('owner').hidden = shown.owner === '';
    element('owner').textContent = filled(WORDS.owner, { owner: shown.owner });
    for (const owner of document.querySelectorAll('.owners tbody a')) {
      const isPresent = owner.textContent === shown.owner;
      owner.href = listFragment({ ...shown, owner: isPresent ? '' : owner.textContent, folds: '' }, USUAL_ORDER);
      if (isPresent) owner.setAttribute('aria-current', 'true');
      else owner.removeAttribute('aria-current');
    }
  };

  /** Tells each file whether the filters leave it, and each folder the figures of those that are left. */
  const applyFilters = () => {
    const words = searchWords(list.filter);
    for (const file of FILES) {
      file.isCounted = isListed(file, list, words);
      // What one run alone executed is in few files. The share of all files is the one that the summary has.
      file.isShown = file.isCounted && (!isOnly() || file.covered > 0);
    }
    addFigures(FOLDERS);
  };

  /** Tells how many files are shown, and what they lack, or what the chosen run covers. */
  const tellShown = () => {
    const left = FILES.filter((file) => file.isCounted);
    const [covered, total] = ['covered', 'total'].map((name) => left.reduce((sum, file) => sum + file[name], 0));
    const words = {
      files: partOf(WORDS, 'file', shownOf(FILES).length, FILES.length),
      uncovered: counted(WORDS.counts.uncoveredStatement, total - covered), statements: partOf(WORDS, 'statement', covered, total) };
    element('shown').value = view.choice < 0 ? filled(WORDS.shown, words) : filled(WORDS.shownBy, { ...words, by: choiceName() });
  };

  /** Shows and hides rows. */
  const draw = () => {
    const shown = shownOf(FILES);
    if (list.flat) for (const { body, files: rows } of flatBodies) drawBody(body, rows, 0);
    else drawTree();
    tellShown();
    element('nothing').hidden = shown.length > 0;
    element('list').classList.toggle('narrowed', shown.length < FILES.length);
    element('fold').textContent = !list.flat && hasUnfolded() ? WORDS.fold : WORDS.unfold;
    element('fold').hidden = list.flat || !hasFolds();
    drawOwners();
    map.show(list.map);
  };

  /** Sets whether the links of changed files open the whole file or its changes only. */
  const setLinks = () => {
    for (const at of Object.keys(CHANGES.files)) {
      const file = FILES[at];
      link(file).href = toFragment({ file: file.name, changed: list.changed && file.change.changed });
    }
  };

  /** Puts the bar of search and filters at the top of the screen, so that the rows below it are seen. */
  const bringIntoView = () => element('list').scrollIntoView({ block: 'start' });

  const change = (to) => {
    const before = list;
    waiting = null;
    list = { ...list, ...to };
    if (!isNarrow(before)) wideFolds = before.folds;
    if (!('folds' in to)) list.folds = foldsAfter(before, list, wideFolds);
    element('filter').value = list.filter;
    for (const name of ['uncovered', 'changed', 'flat']) if (element(name) !== null) element(name).checked = list[name];
    if (before.changed !== list.changed && CHANGES !== null) setLinks();
    const isFiltered = !hasSameFilters(before, list);
    if (isFiltered) applyFilters();
    if (['sort', 'down', 'flat'].some((name) => before[name] !== list[name])) order();
    else if (isFiltered && !list.flat) orderFolders();
    draw();
  };

  /** Draws the figures anew after another choice of runs. Those of files in closed folders follow when these are opened. */
  const redraw = () => {
    applyFilters();
    // Names are in the same order, and to order thousands of rows is slow.
    if (list.sort !== 'name') order();
    draw();
  };

  /** Changes the table to the values of an address when its rows are asked for, because that is slow. */
  const wait = (values) => {
    waiting = values;
    drawOwners();
  };

  const filesInOrder = () => {
    if (waiting !== null) change(listOf(waiting));
    return files;
  };

  /** Changes the table to the values of an address. */
  const show = (values) => {
    change(listOf(values));
    if (!isNarrow(list)) return;
    // With such folds the address of a filter would lead to no file that it finds.
    if (!list.flat && hidesAll(FOLDERS)) change({ folds: '' });
    bringIntoView();
  };

  const fragment = () => listFragment(list, USUAL_ORDER);

  const changeAndTell = (to) => {
    change(to);
    replaceAddress(fragment());
    tellTabs();
  };

  /** Filters by an area of the map; a second click shows all files again. */
  const chooseArea = (link, at) => {
    const filter = fileMap.filterOf(link, at);
    changeAndTell({ filter: list.filter === filter ? '' : filter });
  };

  const toggle = (name) => changeAndTell({ [name]: !list[name] });
  const clearFilter = () => (list.filter !== '' || list.owner !== '') && changeAndTell({ filter: '', owner: '' });

  /** Returns what takes the focus in each row on the screen: links of files, and buttons of folders. */
  const stops = () => {
    if (list.flat) return shownOf(files).map(link);
    return folders.filter(({ isSeen }) => isSeen).flatMap((folder) => (
      [folder.fold, ...(folder.isOpen ? shownOf(folder.files).map(link) : [])]));
  };

  const walk = (by) => moveFocus(stops(), by);

  /** Gives the row of a file the focus, and opens the folders around it. */
  const focusOn = (file) => {
    let { folds } = list;
    for (let folder = file.inFolder; folder !== undefined; folder = folder.parent) {
      if (!folder.isOpen) folds = toggled(folds, folder);
    }
    if (!list.flat && folds !== list.folds) changeAndTell({ folds });
    link(file).scrollIntoView({ block: 'center' });
    link(file).focus({ preventScroll: true });
  };

  const begin = (then) => {
    tellTabs = then;
    element('filter').addEventListener('input', (event) => {
      changeAndTell({ filter: event.target.value });
      bringIntoView();
    });
    stickBelow(element('tools'));
    onChange(redraw);
    for (const name of ['uncovered', 'changed', 'flat']) {
      element(name)?.addEventListener('change', (event) => changeAndTell({ [name]: event.target.checked }));
    }
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('owner')?.addEventListener('click', () => changeAndTell({ owner: '' }));
    element('fold').addEventListener('click', () => changeAndTell({ folds: hasUnfolded() ? '-' : '*' }));
    // The first click puts first the rows to look at: names from a, the least covered, the largest figures.
    onColumnClick(table, (sort) => (
      changeAndTell(sortAfterClick(list, sort, sort !== 'name' && sort !== 'percent'))));
    map.begin({
      ...fileMap, table, choose: chooseArea, tell: (isOpen) => isOpen !== list.map && changeAndTell({ map: isOpen }) });
    // Rust writes the rows in the order of their names.
    markOrder(table, list);
  };

  return { adopt, begin, wait, show, fragment, toggle, clearFilter, walk, focusOn, filesInOrder };
})();
