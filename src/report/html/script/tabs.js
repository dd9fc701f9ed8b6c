// The tabs of the overview: files, functions, changed lines, lost coverage, owners. The first of them is the usual one.
page.tabs = (() => {
  const { element, kept, replaceAddress, moveFocus } = page.elements;
  const { fromFragment } = page.address;
  const { table, allFunctions, authors } = page;

  const SECTIONS = { files: 'list', functions: 'catalog-list', changed: 'changed-lines', lost: 'lost-lines', unused: 'unused-list', owners: 'owner-list' };
  const PARTS = { files: table, functions: allFunctions, changed: authors };
  const known = () => Object.keys(SECTIONS).filter((tab) => element(SECTIONS[tab]) !== null);
  let open = 'files';
  /** The fragment of the address of each tab as it was left, to which its link leads. */
  const left = { files: '#', functions: '#tab=functions', changed: '#tab=changed', lost: '#tab=lost', unused: '#tab=unused', owners: '#tab=owners' };

  /** Lets the link of a tab lead to what the tab shows now, also after a reload. */
  const tell = (tab) => {
    if (PARTS[tab] !== undefined) left[tab] = PARTS[tab].fragment();
    element(`tab-${tab}`).href = left[tab];
    kept.tabs = { open, left };
  };

  /** Brings the tabs to the top of the screen if what they show would be below it. */
  const bringIntoView = () => {
    const bar = document.querySelector('.tabs');
    if (bar.getBoundingClientRect().bottom > innerHeight / 2) bar.scrollIntoView({ block: 'start' });
  };

  /** Shows the tab that the values of an address name. */
  const show = (values) => {
    open = known().includes(values.tab) ? values.tab : 'files';
    for (const tab of known()) {
      element(SECTIONS[tab]).hidden = tab !== open;
      const link = element(`tab-${tab}`);
      if (tab === open) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    // The map is that of the files.
    if (element('map') !== null) element('map').hidden = open !== 'files';
    PARTS[open]?.show(values);
    if (values.tab !== undefined) bringIntoView();
    tell(open);
    replaceAddress(location.hash || '#');
  };

  const fragment = () => left[open];
  const isOpen = (tab) => open === tab;
  /** Goes to the next or previous row of the open tab. */
  const walk = (by) => {
    const links = [...element(SECTIONS[open]).querySelectorAll(':is(li, tbody) a')];
    if (PARTS[open]?.walk === undefined) moveFocus(links.filter((link) => link.checkVisibility()), by);
    else PARTS[open].walk(by);
  };
  const clearFilter = () => PARTS[open]?.clearFilter();

  /** Gives the search of the open tab the focus; tabs without one lead to the files. */
  const search = () => {
    if (!isOpen('files') && !isOpen('functions')) {
      location.hash = left.files;
      show(fromFragment(left.files));
    }
    element(isOpen('functions') ? 'function-filter' : 'filter').select();
  };

  /** Takes over what the tabs showed before the page was loaded anew. */
  const takeOver = () => {
    for (const tab of known()) {
      left[tab] = kept.tabs?.left[tab] ?? left[tab];
      element(`tab-${tab}`).href = left[tab];
    }
    if (known().includes(kept.tabs?.open)) open = kept.tabs.open;
    table.wait(fromFragment(left.files));
    // The walk from file to file follows this filter.
    authors.show(fromFragment(left.changed));
  };

  const begin = () => {
    for (const tab of known()) PARTS[tab]?.begin(() => tell(tab));
    takeOver();
  };

  return { begin, show, fragment, isOpen, walk, clearFilter, search };
})();
