// Elements of a line of source: its number, marks and count, and its text with blocks and colours.
page.lines = (() => {
  const { WORDS, made } = page.elements;
  const { filled, grouped } = page.words;
  const { times, ofBlock, ofLines, short } = page.sentences;
  const { signed } = page.names;
  const { piecesOf } = page.layout;
  const { rangeWith, categoryOf } = page.changes;
  const { STATES } = page.marks;
  const { has, namesIn } = page.choices;
  const { CHANGES, CARRIED, RUNS, view, lineFragment } = page.state;

  /** Characters of a line that are drawn before its button for more is clicked. */
  const LONGEST = 2000;
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /** Marks an element as an image with a name, which is also its tooltip. */
  const named = (node, name, title) => {
    node.setAttribute('role', 'img');
    node.setAttribute('aria-label', name);
    node.title = title ?? name;
    return node;
  };

  /** Puts the text of some bytes, with a sign for each invisible character. */
  const putText = (into, from, to) => {
    let text = view.open.text.slice(from, to);
    if (/[\u0080-\uffff]/.test(text)) text = utf8.decode(view.open.bytes.subarray(from, to));
    for (const [part, isSign] of signed(text)) into.append(isSign ? made('span', 'odd', part) : part);
  };

  /** Returns the element for a part of a block on one line. */
  const blockPart = (block, isBegin) => {
    const isOn = view.choice < 0 ? block.count > 0 : has(block.by, view.choice);
    const part = made('span', isOn ? 'on' : 'off');
    if (isBegin) part.classList.add('from');
    part.title = ofBlock(WORDS, block, CARRIED);
    const runs = RUNS === null || block.origin > 0 ? [] : namesIn(block.by, RUNS.runs);
    if (runs.length > 0) part.title = filled(WORDS.executedBy, { block: part.title, runs: runs.join(', ') });
    if (block.origin > 0 && view.choice < 0) part.classList.add('carried');
    return part;
  };

  const putCode = (into, from, to) => {
    for (const { block, isBegin, words } of piecesOf(view.open, from, to)) {
      const place = block === undefined ? into : blockPart(block, isBegin);
      if (block !== undefined) into.append(place);
      for (let at = 0; at < words.length; at += 3) {
        const kind = words[at + 2];
        const word = kind === '' ? place : made('span', kind);
        putText(word, words[at], words[at + 1]);
        if (kind !== '') place.append(word);
      }
    }
  };

  /** Returns the marks of a line that changed, and of its category where two states are compared. */
  const changeMarks = (line, state) => {
    const isAdded = rangeWith(view.open.added, line) !== undefined;
    const plus = made('span', 'plus', isAdded ? '+' : '');
    if (isAdded) named(plus, WORDS.changed);
    if (CHANGES.categories === null) return [plus];
    const category = made('span', 'category');
    if (state > 0) {
      const name = categoryOf(view.open.turned, line, STATES[state] === 'missed', isAdded);
      category.textContent = name;
      category.classList.add(name);
      named(category, filled(WORDS.category, { name, meaning: CHANGES.categories[name] }));
    }
    return [plus, category];
  };

  const gutter = (line, state, count) => {
    const node = made('span', 'gutter');
    const number = made('a', 'number-of-line', line);
    number.href = lineFragment(line);
    number.setAttribute('aria-label', filled(WORDS.line, { line }));
    number.tabIndex = -1;
    const mark = made('span', 'mark');
    const name = WORDS.lines[STATES[state]];
    const withCount = count > 0 && STATES[state] !== 'carried';
    if (state > 0) named(mark, name, withCount ? `${name}: ${times(WORDS, count)}` : name);
    node.append(number);
    if (CHANGES !== null) node.append(...changeMarks(line, state));
    // The counts of one run alone are unknown.
    const hasCount = state > 0 && view.choice < 0 && (count > 0 || STATES[state] !== 'carried');
    node.append(mark, made('span', 'count-of-line', hasCount ? `${short(count)}\u00d7` : ''));
    return node;
  };

  const emptyLine = (line, state) => {
    const node = made('div', `line ${STATES[state]}`);
    node.id = `L${line}`;
    node.tabIndex = -1;
    return node;
  };

  /** Returns the button that draws the rest of a long line. */
  const moreButton = (node, place, from, to) => {
    const more = made('button', '', filled(WORDS.more, { n: grouped(to - from) }));
    more.type = 'button';
    more.addEventListener('click', () => {
      more.remove();
      putCode(place, from, to);
      node.focus({ preventScroll: true });
    });
    return more;
  };

  /** Returns in words why a line is ignored; `undefined` if it is not. */
  const whyIgnored = (line) => {
    const [, , reason] = rangeWith(view.open.ignored, line) ?? [];
    if (reason === undefined) return undefined;
    return reason === '' ? WORDS.ignoredWithout : filled(WORDS.ignored, { reason });
  };

  const drawnLine = (line) => {
    const { text, starts, states, counts, most, current } = view.open;
    const state = states[line];
    const node = emptyLine(line, state);
    if (state > 0) {
      node.style.setProperty('--heat', (Math.log1p(counts[line]) / Math.log1p(most)).toFixed(2));
    }
    const from = starts[line - 1];
    let to = starts[line] - 1;
    if (to > from && text.charCodeAt(to - 1) === 13) to -= 1;
    const cut = Math.min(to, from + LONGEST);
    const place = document.createElement('code');
    putCode(place, from, cut);
    if (STATES[state] === 'partly') {
      // Colours and an underline mark the part that was never executed, and screen readers speak neither.
      for (const part of place.getElementsByClassName('off')) {
        part.setAttribute('role', 'group');
        part.setAttribute('aria-label', WORDS.lines.missed);
      }
    }
    node.append(gutter(line, state, counts[line]), place);
    const why = state === 0 ? whyIgnored(line) : undefined;
    if (why !== undefined) {
      node.classList.add('ignored');
      named(node.querySelector('.mark'), why);
    }
    if (cut < to) node.append(moreButton(node, place, cut, to));
    if (line === current) node.classList.add('current');
    return node;
  };

  /** Returns a run of lines of a file without text. */
  const drawnRun = (run) => {
    const node = emptyLine(run.first, run.state);
    node.append(gutter(run.first, run.state, run.count), made('span', 'gap',
      `${ofLines(WORDS, run)}: ${WORDS.lines[STATES[run.state]]}`));
    return node;
  };

  /** Names a line that takes the focus as a whole. A screen reader that passes a line speaks its parts. */
  const nameLine = (node, line) => {
    const place = node.querySelector('code');
    const state = STATES[view.open.states?.[line] ?? 0];
    const told = state === '' ? whyIgnored(line) : WORDS.lines[state];
    const head = [filled(WORDS.line, { line }), ...(told === undefined ? [] : [told])].join(', ');
    node.setAttribute('role', 'group');
    node.setAttribute('aria-label', place === null ? node.querySelector('.gap').textContent
      : `${head}: ${place.textContent.slice(0, LONGEST).trim()}`);
  };

  return { drawnLine, drawnRun, nameLine };
})();
