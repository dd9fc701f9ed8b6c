// Elements of the page and its address bar. Text from outside enters the page as text, never as markup.
page.elements = (() => {
  const { filled, age } = page.words;
  const { step } = page.rows;

  const element = (id) => document.getElementById(id);
  const parsed = (id) => JSON.parse(element(id).textContent);
  const WORDS = parsed('words');

  /** Makes an element with a class and a text. */
  const made = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  /** Returns the parts of a name with places between them where a line may break. */
  const breakable = (parts) => parts.flatMap((part) => [part, document.createElement('wbr')]);

  /** Shows how long ago each moment of the page was. The tooltip of a moment has its time. */
  const tellAges = () => {
    for (const node of document.querySelectorAll('time')) {
      node.title ||= node.textContent;
      const since = age(Date.parse(node.dateTime), Date.now(), WORDS.units);
      node.textContent = since === null ? WORDS.now : filled(WORDS.ago, { age: since });
    }
  };

  /** Keeps the ages of a page true that stays open. */
  const beginAges = () => {
    tellAges();
    setInterval(tellAges, 60000);
  };

  /** Values by name that a reload must not lose, although they are no part of what the address names. */
  const kept = { ...history.state };

  /** Returns a fragment with the choice of runs whose coverage the page shows. */
  const withChoice = (fragment) => {
    const parts = fragment.slice(1).split('&').filter((part) => part !== '' && !part.startsWith('by='));
    return `#${[...parts, ...(kept.by ? [`by=${kept.by}`] : [])].join('&')}`;
  };

  /** Changes the address without a step in the browser's history. */
  const replaceAddress = (fragment) => {
    const whole = withChoice(fragment);
    try {
      history.replaceState(kept, '', whole === '#' ? location.href.replace(/#.*/, '') : whole);
    } catch {
      // A page in a frame of another origin may not change its address, and works without that.
    }
  };

  /** Gives the next or previous one of some elements the focus. */
  const moveFocus = (all, by) => {
    const to = all[step(all.indexOf(document.activeElement), by, all.length)];
    to?.focus();
    to?.scrollIntoView({ block: 'nearest' });
  };

  /** Lets the head of a table stay below a bar that sticks to the top of the screen, and has more lines on a narrow one. */
  const stickBelow = (bar) => new ResizeObserver(() => {
    const { offsetHeight } = bar;
    // A hidden bar has no height, and each change of the value computes all styles of the page anew.
    if (offsetHeight > 0) document.documentElement.style.setProperty('--tools', `${offsetHeight}px`);
  }).observe(bar);

  const headButtons = (table) => table.tHead.querySelectorAll('button');

  /** Marks the column that a table is ordered by. */
  const markOrder = (table, { sort, down }) => {
    for (const button of headButtons(table)) {
      const cell = button.closest('th');
      if (button.dataset.sort === sort) cell.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
  };

  /** Calls a function with the name of a column when its head is clicked. */
  const onColumnClick = (table, then) => {
    for (const button of headButtons(table)) button.addEventListener('click', () => then(button.dataset.sort));
  };

  return { element, parsed, WORDS, made, breakable, beginAges, kept, replaceAddress, moveFocus, stickBelow, markOrder, onColumnClick };
})();
