// The two views of the page: the table of files, and the source of one file.
page.views = (() => {
  const { element, WORDS, made, breakable, kept, replaceAddress } = page.elements;
  const { filled, grouped, partOf } = page.words;
  const { fromFragment, fromRanges } = page.address;
  const { ofChange } = page.sentences;
  const { printable, baseName, pathParts } = page.names;
  const { percent, grade } = page.files;
  const { figuresOf } = page.streams;
  const { figuresBy } = page.choices;
  const { laidOut } = page.layout;
  const { rangeWith, aroundChanges } = page.changes;
  const { STATES, lineCounts } = page.marks;
  const { FILES, PLACES, CARRIED, CHOICES, view, lineFragment } = page.state;
  const { partsOf } = page.packs;
  const { choice, table, tabs, source, functions, viewport, search } = page;
  const { tell, tellRanges, tellPlaces, goTo } = page.position;
  const { linkLine } = page.outside;

  const title = document.title;
  /** States of lines whose colours can be switched off. Few pages have lines that are carried. */
  const SHOWN = STATES.filter((state) => element(`show-${state}`) !== null);
  const byName = new Map(FILES.map((file) => [file.name, file]));

  /** Returns a file with its text, blocks, lines, functions and changes. */
  const opened = async (file) => {
    const { figures, text } = await partsOf(file);
    const missed = PLACES.missed.filter(([at]) => at === file.at).map(([, first, last]) => ({ first, last }));
    return {
      file, ...laidOut({ ...figuresBy(figuresOf(figures, CARRIED !== null, CHOICES), view.choice), bytes: text }), missed,
      added: file.change?.added ?? [], turned: file.change?.turned ?? [], ignored: file.ignored?.lines ?? [], current: 0 };
  };

  const isInTable = () => !element('overview').hidden;

  const tellMessage = (text) => {
    element('message').hidden = text === '';
    element('message').textContent = text;
  };

  /** Says why a file cannot be shown, in place of buttons that would do nothing. */
  const tellFault = (text) => {
    tellMessage(text);
    element('view').classList.add('faulty');
  };

  /** Puts a path that may break between its words, with paler folders than its name. */
  const putPath = (into, name) => {
    const { folders, base } = pathParts(name);
    const quiet = made('span', 'folder');
    quiet.append(...breakable(folders));
    // Screen readers would speak a space at each possible line break.
    into.setAttribute('aria-label', name);
    into.replaceChildren(quiet, ...breakable(base));
  };

  /** Adds the number of ignored statements to a sentence, if there are some. */
  const ofIgnored = (statements, file) => {
    const n = file?.ignored?.statements ?? 0;
    return n === 0 ? statements : filled(WORDS.ignoredStatements, { statements, n: grouped(n) });
  };

  /** Shows name and figures of a file, which is `undefined` if the page has no file of that name. */
  const tellFile = (name, file) => {
    const { covered = 0, total = 0, change } = file ?? {};
    putPath(element('path'), printable(name));
    document.title = file === undefined ? title
      : filled(WORDS.title, { percent: percent(covered, total), name: printable(baseName(name)) });
    const put = (id, text) => {
      if (element(id) !== null) element(id).textContent = file === undefined ? '' : text;
    };
    put('file-percent', percent(covered, total));
    element('file-percent').className = `percent ${grade(covered, total)}`;
    put('file-figures', ofIgnored(partOf(WORDS, 'statement', covered, total), file));
    put('file-changed', ofChange(WORDS, change));
    // A narrow screen has no room for all of this in the line that sticks.
    const { folders, base } = pathParts(printable(name));
    const figures = ['file-figures', 'file-changed'].map((id) => element(id)?.textContent).filter(Boolean).join(', ');
    element('where').replaceChildren(...breakable([...folders, ...base]), ' ', made('span', 'of-file', figures));
  };

  /** Clears the view of the previous file. */
  const clear = () => {
    view.open = null;
    element('code').replaceChildren();
    for (const id of ['functions', 'states', 'ruler', 'inside']) element(id).hidden = true;
    tell('');
    tellMessage('');
    element('view').classList.remove('faulty');
    window.scrollTo(0, 0);
  };

  /** Shows the number of ignored lines. */
  const tellIgnored = () => {
    if (element('ignored') === null) return;
    const number = view.open.ignored.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    element('ignored').hidden = number === 0;
    element('lines-ignored').textContent = grouped(number);
  };

  const drawOpen = () => {
    const { file, bytes } = view.open;
    const why = file.why === undefined ? undefined : printable(file.why);
    if (bytes === null) tellMessage(why === undefined ? WORDS.moved : filled(WORDS.noSource, { why }));
    else if (why !== undefined) tellMessage(filled(WORDS.unparsed, { why }));
    element('states').hidden = false;
    const counts = lineCounts(view.open.runs);
    for (const state of SHOWN) element(`lines-${state}`).textContent = grouped(counts[state]);
    tellIgnored();
    source.draw();
    functions.draw();
    viewport.draw();
    tellRanges();
    tellPlaces();
    linkLine();
  };

  /** Puts what the view of a file shows into the address, so that it is there after a reload, and in a link. */
  // A line in a fold is left out, since a link to it would unfold it.
  const tellAddress = () => {
    if (view.open === null) replaceAddress(location.hash || '#');
    else replaceAddress(lineFragment(source.isInFold(view.open.current) ? 0 : view.open.current));
  };

  const showFile = async (name, line) => {
    if (view.open?.file.name === name) {
      if (line > 0) goTo(line, true);
      tellAddress();
      return;
    }
    view.turn += 1;
    const { turn } = view;
    delete document.body.dataset.shown;
    element('overview').hidden = true;
    element('view').hidden = false;
    element('back').href = tabs.fragment();
    const file = byName.get(name);
    tellFile(name, file);
    clear();
    if (file === undefined) {
      tellFault(filled(WORDS.unknown, { name: printable(name) }));
      return;
    }
    if (!('DecompressionStream' in window)) {
      tellFault(WORDS.tooOld);
      return;
    }
    let found;
    try {
      found = await opened(file);
    } catch (error) {
      if (view.turn === turn) tellFault(filled(WORDS.broken, { why: String(error) }));
      return;
    }
    // The user may have opened another file or the table meanwhile.
    if (view.turn !== turn) return;
    view.open = found;
    drawOpen();
    if (line > 0) goTo(line, true);
    else element('path').focus({ preventScroll: true });
    tellAddress();
    document.body.dataset.shown = name;
  };

  /** Draws the open file anew after another choice of runs, where it is. */
  const redraw = async () => {
    if (view.open === null) return;
    const { turn, open: { file, current } } = view;
    const found = await opened(file);
    if (view.turn !== turn || view.open === null) return;
    view.open = { ...found, current };
    tellFile(file.name, file);
    drawOpen();
    document.body.dataset.shown = file.name;
  };

  const pressOnlyChanged = (to) => {
    view.onlyChanged = to;
    element('only-changed')?.setAttribute('aria-pressed', String(to));
  };

  let isTableDrawn = false;

  const showTable = (values) => {
    const from = view.open?.file;
    const isBack = !isInTable();
    view.turn += 1;
    view.open = null;
    delete document.body.dataset.shown;
    element('view').hidden = true;
    element('overview').hidden = false;
    element('code').replaceChildren();
    document.title = title;
    const isOfSearch = values.search !== undefined;
    pressOnlyChanged(false);
    // A search stands over the tab that was open, and leaves it as it is.
    if (!isOfSearch) tabs.show(values);
    else if (!isTableDrawn) tabs.show(fromFragment(tabs.fragment()));
    isTableDrawn = true;
    if (isOfSearch) return;
    if (from?.isShown && tabs.isOpen('files')) table.focusOn(from);
    // The element that had the focus is gone.
    else if (isBack) element('home').focus();
  };

  /** Shows only changed lines, or all lines. */
  const setOnlyChanged = (to) => {
    if (element('only-changed') === null || to === view.onlyChanged) return;
    pressOnlyChanged(to);
    if (view.open === null) return;
    const { bytes, current, added, lineCount } = view.open;
    source.draw();
    functions.draw();
    viewport.draw();
    tellRanges();
    const isShown = !to || bytes === null
      || [aroundChanges(added, lineCount), view.unfolded].some((shown) => rangeWith(shown, current) !== undefined);
    if (current > 0 && isShown) goTo(current, document.activeElement === document.body);
    else window.scrollTo(0, 0);
  };

  const setCounts = (to) => {
    view.withCounts = to;
    kept.counts = to;
    element('counts').setAttribute('aria-pressed', String(to));
    element('code').classList.toggle('counts', to);
  };

  /** Sets the states of lines whose colours are off. */
  const setWithoutColour = (states) => {
    view.withoutColour = SHOWN.filter((state) => states.includes(state));
    kept.without = view.withoutColour;
    for (const state of SHOWN) {
      const isOff = view.withoutColour.includes(state);
      element(`show-${state}`).setAttribute('aria-pressed', String(!isOff));
      element('view').classList.toggle(`no-${state}`, isOff);
    }
  };

  const toggleCounts = () => {
    setCounts(!view.withCounts);
    tellAddress();
  };

  const toggleColour = (state) => {
    const off = view.withoutColour;
    setWithoutColour(off.includes(state) ? off.filter((other) => other !== state) : [...off, state]);
    tellAddress();
  };

  /** Takes over what the view of files showed before the page was loaded anew. */
  const begin = () => {
    choice.choose(kept.by ?? '');
    choice.onChange(redraw);
    choice.begin(tellAddress);
    setCounts(kept.counts === true);
    setWithoutColour(kept.without ?? []);
  };

  /** Shows the file or the table that the values of an address name. */
  const show = (values) => {
    // The choice stays from view to view, and most links name none.
    if (values.by !== undefined) choice.choose(values.by);
    if (values.search === undefined) search.leave();
    if (values.file === undefined) {
      showTable(values);
      if (values.search !== undefined) search.show(values);
      return;
    }
    if (view.open?.file.name !== values.file) {
      view.open = null;
      view.unfolded = fromRanges(values.unfolded ?? '');
      // Counts and colours stay from file to file, and the address of a file in the table names none. Links to lines of
      // the open file have those of the time when they were drawn.
      if (values.counts === '1') setCounts(true);
      if (values.without !== undefined) setWithoutColour(values.without.split(','));
    }
    setOnlyChanged(values.changed === '1');
    showFile(values.file, Number.parseInt(values.line ?? '', 10) || 0);
  };

  return { begin, isInTable, show, setOnlyChanged, toggleCounts, toggleColour, tellAddress };
})();
