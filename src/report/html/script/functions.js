// The list of the functions of the open file.
page.functions = (() => {
  const { element, WORDS, made, breakable } = page.elements;
  const { grouped, filled, partOf } = page.words;
  const { times } = page.sentences;
  const { printable, qualified, functionParts } = page.names;
  const { percent, grade } = page.files;
  const { bar } = page.figures;
  const { isCarried, isNever } = page.catalog;
  const { choiceName } = page.choice;
  const { CARRIED, view, lineFragment } = page.state;
  const { whenIdle } = page.source;

  /** Number of functions that are put into the list at once, which is more than there is room for. */
  const SOME = 50;

  /** Returns the covered statements of a function that were executed at this commit. Functions on one line share theirs. */
  const ownOf = ([, , first, last, covered]) => {
    if (CARRIED === null || view.choice >= 0) return covered;
    const carried = view.open.blocks.filter(({ origin, line }) => origin > 0 && first <= line && line <= last);
    return carried.reduce((left, { statements }) => Math.max(left - statements, 0), covered);
  };

  const itemOf = (figures) => {
    const [receiver, name, line, , covered, total, count] = figures;
    const link = document.createElement('a');
    link.href = lineFragment(line);
    const isElsewhere = isCarried({ count, covered }, CARRIED !== null);
    const sentence = isNever({ count, covered }) ? 1 : count === 0 && !isElsewhere ? 2 : 0;
    const statements = partOf(WORDS, 'statement', covered, total);
    link.title = view.choice >= 0 ? filled(WORDS.executedBy, { block: statements, runs: choiceName() })
      : filled(WORDS.function[sentence], { statements, count: isElsewhere ? WORDS.carriedOnly : times(WORDS, count) });
    const what = made('span', 'what');
    what.append(...breakable(functionParts(printable(qualified(receiver, name)))));
    const share = total === 0 ? '–' : percent(covered, total);
    // Screen readers would speak a space at each possible line break.
    link.setAttribute('aria-label', `${what.textContent} ${share}`);
    link.append(
      what, ' ',
      made('span', `percent ${grade(covered, total)}`, share), bar(covered, total, ownOf(figures)));
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
