// The list of the functions of the open file.
page.functions = (() => {
  const { element, WORDS, made } = page.elements;
  const { filled, grouped } = page.words;
  const { times } = page.sentences;
  const { printable, qualified } = page.names;
  const { percent, grade } = page.files;
  const { isCarried } = page.catalog;
  const { CARRIED, view, lineFragment } = page.state;
  const { whenIdle } = page.source;

  /** Number of functions that are put into the list at once, which is more than there is room for. */
  const SOME = 50;

  const bar = (covered, total) => {
    const SVG = 'http://www.w3.org/2000/svg';
    const node = document.createElementNS(SVG, 'svg');
    const part = document.createElementNS(SVG, 'rect');
    const attributes = [['class', `bar ${grade(covered, total)}`], ['viewBox', '0 0 100 8'],
      ['preserveAspectRatio', 'none'], ['aria-hidden', 'true']];
    for (const [name, value] of attributes) node.setAttribute(name, value);
    part.setAttribute('width', (100 * covered / Math.max(total, 1)).toFixed(1));
    part.setAttribute('height', '8');
    node.append(part);
    return node;
  };

  const itemOf = ([receiver, name, line, , covered, total, count]) => {
    const link = document.createElement('a');
    link.href = lineFragment(line);
    link.title = filled(WORDS.function, { covered: grouped(covered), total: grouped(total), count: isCarried({ count, covered }, CARRIED !== null) ? WORDS.carriedOnly : times(WORDS, count) });
    link.append(
      made('span', 'what', printable(qualified(receiver, name))),
      made('span', `percent ${grade(covered, total)}`, total === 0 ? '–' : percent(covered, total)), bar(covered, total));
    const item = document.createElement('li');
    item.append(link);
    return item;
  };

  /** Puts all functions into the list, for a printer. */
  const drawAll = () => element('function-list').replaceChildren(...view.open.functions.map(itemOf));

  const draw = () => {
    const { functions } = view.open;
    element('function-count').textContent = grouped(functions.length);
    element('functions').hidden = functions.length === 0;
    element('function-list').replaceChildren();
    const { turn } = view;
    const drawFrom = (at) => {
      // A printer may have asked for all of them meanwhile.
      if (view.turn !== turn || element('function-list').childElementCount !== at || at >= functions.length) return;
      element('function-list').append(...functions.slice(at, at + SOME).map(itemOf));
      whenIdle(() => drawFrom(at + SOME));
    };
    drawFrom(0);
  };

  const begin = () => {
    // On a narrow screen the list stands above the code.
    const narrow = window.matchMedia('(max-width: 900px)');
    const fold = () => {
      element('functions').open = !narrow.matches;
    };
    narrow.addEventListener('change', fold);
    fold();
  };

  return { begin, draw, drawAll };
})();
