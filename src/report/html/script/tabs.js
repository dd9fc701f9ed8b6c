// The tabs of the overview: files, functions, changed lines, lost coverage. The first of them is the usual one.
page.tabs = (() => {
  const { element } = page.elements;
  const { toFragment } = page.address;
  const { table, allFunctions } = page;

  const SECTIONS = { files: 'list', functions: 'catalog-list', changed: 'changed-lines', lost: 'lost-lines' };
  const known = () => Object.keys(SECTIONS).filter((tab) => element(SECTIONS[tab]) !== null);
  let open = 'files';

  /** Shows the tab that the values of an address name. */
  const show = (values) => {
    open = known().includes(values.tab) ? values.tab : 'files';
    for (const tab of known()) {
      element(SECTIONS[tab]).hidden = tab !== open;
      const link = element(`tab-${tab}`);
      if (tab === open) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (open === 'functions') allFunctions.show(values);
    else table.show(open === 'files' ? values : {});
  };

  const fragment = () => {
    if (open === 'files') return table.fragment();
    return open === 'functions' ? allFunctions.fragment() : toFragment({ tab: open });
  };

  const isOpen = (tab) => open === tab;
  const shown = () => (open === 'functions' ? allFunctions : table);
  const walk = (by) => isOpen('files') || isOpen('functions') ? shown().walk(by) : undefined;
  const clearFilter = () => shown().clearFilter();

  /** Gives the search of the open tab the focus; tabs without one lead to the files. */
  const search = () => {
    if (!isOpen('files') && !isOpen('functions')) location.hash = '';
    setTimeout(() => element(isOpen('functions') ? 'function-filter' : 'filter').select(), 0);
  };

  const begin = () => {
    table.begin();
    if (known().includes('functions')) allFunctions.begin();
  };

  return { begin, show, fragment, isOpen, walk, clearFilter, search };
})();
