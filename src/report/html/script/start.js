// Start of the page of a report: its keys and buttons, and the view that its address names.
(() => {
  const { element, beginAges } = page.elements;
  const { fromFragment } = page.address;
  const { CARRIED, PLACES, view } = page.state;
  const { table, tabs, source, functions, viewport, jump, search } = page;
  const { goTo, walkRanges, walkFiles, walkPlaces } = page.position;
  const { isInTable, show, setOnlyChanged, toggleCounts, toggleColour, tellAddress } = page.views;

  const showAddress = () => show(fromFragment(location.hash));

  const goBack = () => {
    location.hash = tabs.fragment();
  };

  const toggleChanged = () => {
    if (isInTable()) {
      if (tabs.isOpen('files')) table.toggle('changed');
      return;
    }
    setOnlyChanged(!view.onlyChanged);
    if (view.open !== null) tellAddress();
  };

  /** Takes the filter away, or the focus from its field if that is empty, so that keys step through the rows again. */
  const clearFilter = () => {
    const { activeElement } = document;
    if (activeElement.matches('input[type=search]') && activeElement.value === '') activeElement.blur();
    else tabs.clearFilter();
  };

  const KEYS = {
    n: () => walkRanges(1),
    p: () => walkRanges(-1),
    c: toggleCounts,
    1: () => toggleColour('hit'),
    2: () => toggleColour('partly'),
    3: () => toggleColour('missed'),
    ...(CARRIED === null ? {} : { 4: () => toggleColour('carried') }),
    f: jump.open,
    ...(element('open-search') === null ? {} : { s: search.open }),
    ']': () => walkFiles(1),
    '[': () => walkFiles(-1),
    j: () => isInTable() && tabs.walk(1),
    k: () => isInTable() && tabs.walk(-1),
    u: () => isInTable() && tabs.isOpen('files') && table.toggle('uncovered'),
    '/': () => {
      if (!isInTable()) {
        goBack();
        // The browser tells the change later, and the letters that are typed until then belong to the filter.
        showAddress();
      }
      tabs.search();
    },
    Escape: () => (isInTable() ? clearFilter() : goBack()),
  };
  const KEYS_OF_CHANGES = { m: () => walkPlaces('missed', 1), M: () => walkPlaces('missed', -1) };
  const KEYS_OF_LOSSES = { l: () => walkPlaces('lost', 1), L: () => walkPlaces('lost', -1) };
  const BUTTONS = {
    'open-jump': 'f', 'open-search': 's', next: 'n', previous: 'p', counts: 'c', 'show-hit': '1', 'show-partly': '2',
    'show-missed': '3', 'show-carried': '4', 'only-changed': 'd', 'first-missed': 'm', 'next-missed': 'm', 'previous-missed': 'M',
    'first-lost': 'l', 'next-lost': 'l', 'previous-lost': 'L' };

  const begin = () => {
    if (PLACES.missed.length > 0) Object.assign(KEYS, KEYS_OF_CHANGES);
    // In a comparison of one commit nothing changed.
    if (element('only-changed') !== null) KEYS.d = toggleChanged;
    if (PLACES.lost.length > 0) Object.assign(KEYS, KEYS_OF_LOSSES);
    table.adopt();
    page.placeLinks.adopt();
    page.switches.begin(KEYS);
    beginAges();
    tabs.begin();
    page.views.begin();
    page.outside.begin();
    for (const [id, key] of Object.entries(BUTTONS)) element(id)?.addEventListener('click', KEYS[key]);
    functions.begin();
    viewport.begin();
    jump.begin();
    search.begin(tabs.fragment);
    source.onUnfold((line) => {
      goTo(line, true);
      tellAddress();
    });
    window.addEventListener('hashchange', showAddress);
    window.addEventListener('beforeprint', () => {
      if (view.open === null) return;
      source.drawAll();
      functions.drawAll();
    });
    showAddress();
  };

  begin();
})();
