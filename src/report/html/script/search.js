// Search in the source of all files, stream by stream. The address has what is searched.
page.search = (() => {
  const { element, WORDS, made, kept, replaceAddress } = page.elements;
  const { filled, grouped, counted } = page.words;
  const { toFragment } = page.address;
  const { printable, signed } = page.names;
  const { readerOf, figuresOf } = page.streams;
  const { figuresBy } = page.choices;
  const { searchOf, hitsIn } = page.find;
  const { STATES } = page.marks;
  const { CARRIED, CHOICES, view, fileFragment } = page.state;
  const { forEachStream } = page.packs;

  /** Largest number of lines in the list. */
  const MOST = 500;
  /** Pixels of a letter, letters in the room of number and mark of a line, and least letters before a hit. */
  const [LETTER, NUMBER, LEAST] = [8, 16, 6];
  /** Milliseconds after the last letter until the search begins. */
  const PAUSE = 200;
  const dialog = element('search');
  const input = element('search-for');
  const onlyMissed = element('search-missed');
  const list = element('search-list');
  /** Number of the search, so that an earlier one stops. */
  let turn = 0;
  let waiting = 0;
  /** The search has an own step in the browser's history. */
  let isPushed = false;

  // An empty value would not be in the address.
  const fragment = () => toFragment({ search: input.value || ' ', missed: onlyMissed.checked });
  const links = () => [...list.querySelectorAll('a')];

  const textOf = (text) => signed(text).map(([part, isSign]) => (isSign ? made('span', 'odd', part) : part));

  const itemOf = (file, { line, state, before, hit, after }) => {
    const link = made('a', STATES[state]);
    link.href = fileFragment(file.name, line);
    const mark = made('i', 'mark');
    if (state > 0) {
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', WORDS.lines[STATES[state]]);
      mark.title = WORDS.lines[STATES[state]];
    }
    const [code, found] = [document.createElement('code'), document.createElement('mark')];
    found.append(...textOf(hit));
    code.append(...textOf(before), found, ...textOf(after));
    link.append(made('span', 'at', line), mark, code);
    const item = document.createElement('li');
    item.append(link);
    return item;
  };

  const groupOf = (file, hits) => {
    const [group, lines] = [document.createElement('li'), document.createElement('ol')];
    const head = made('p', 'of', printable(file.name));
    head.append(' ', made('span', 'folder', grouped(hits.length)));
    lines.append(...hits.map((hit) => itemOf(file, hit)));
    group.append(head, lines);
    return group;
  };

  /** Returns the flat runs of lines in the figures of a file, which follow its blocks. */
  const runsOf = (figures) => {
    if (view.choice >= 0) return figuresBy(figuresOf(figures, CARRIED !== null, CHOICES), view.choice).lines;
    const { table } = readerOf(figures);
    table(6);
    if (CARRIED !== null) table(1);
    return table(4);
  };

  /** Returns the number of characters for which a line of the list has room before its hit. */
  const roomBefore = () => {
    const line = Math.floor(list.clientWidth / LETTER) - NUMBER;
    return Math.max(line - input.value.trim().length, LEAST);
  };

  const tell = (words, values) => {
    element('search-state').value = filled(words, values);
  };

  const run = async () => {
    turn += 1;
    const mine = turn;
    const search = searchOf(input.value);
    list.replaceChildren();
    if (search === null) {
      tell(input.value === '' ? '' : WORDS.search.short, {});
      return;
    }
    let [lines, files] = [0, 0];
    const before = roomBefore();
    const values = () => ({ lines: counted(WORDS.folded, lines), files: counted(WORDS.search.files, files) });
    tell(WORDS.search.running, { ...values(), share: 0 });
    const look = (found, share) => {
      if (turn !== mine) return false;
      for (const { file, figures, text } of found) {
        if (text === null || lines >= MOST) continue;
        const limits = { onlyMissed: onlyMissed.checked, most: MOST - lines, before };
        const hits = hitsIn(text, () => runsOf(figures), search, limits);
        if (hits.length === 0) continue;
        lines += hits.length;
        files += 1;
        list.append(groupOf(file, hits));
      }
      tell(WORDS.search.running, { ...values(), share: Math.floor(100 * share) });
      return lines < MOST;
    };
    try {
      await forEachStream(look);
    } catch (error) {
      tell(WORDS.search.failed, { why: String(error) });
      return;
    }
    if (turn !== mine) return;
    const words = lines >= MOST ? WORDS.search.most : lines === 0 ? WORDS.search.none : WORDS.search.done;
    tell(words, values());
  };

  const runSoon = () => {
    turn += 1;
    replaceAddress(fragment());
    clearTimeout(waiting);
    waiting = setTimeout(run, PAUSE);
  };

  /** Shows the search of an address. */
  const show = (values) => {
    input.value = (values.search ?? '').trim();
    onlyMissed.checked = values.missed === '1';
    if (!dialog.open) dialog.showModal();
    run();
  };

  /** Opens the search by a key, which makes a step in the browser's history. */
  const open = () => {
    try {
      history.pushState(kept, '', fragment());
      isPushed = true;
    } catch {
      // A page in a frame of another origin may not change its address, and works without that.
    }
    dialog.showModal();
    input.select();
    // A search that was closed before its end goes on.
    run();
  };

  const stop = () => {
    turn += 1;
    clearTimeout(waiting);
  };

  /** Closes the search because the address names something else. */
  const leave = () => {
    stop();
    isPushed = false;
    if (dialog.open) dialog.close();
  };

  const isInAddress = () => location.hash.startsWith('#search=');

  const step = (by) => {
    const all = [input, ...links()];
    const to = all[Math.max(all.indexOf(document.activeElement), 0) + by];
    to?.focus();
    to?.scrollIntoView({ block: 'nearest' });
  };

  const begin = (tableFragment) => {
    input.addEventListener('input', runSoon);
    onlyMissed.addEventListener('change', runSoon);
    dialog.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target === input) {
        event.preventDefault();
        clearTimeout(waiting);
        run();
      }
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      step(event.key === 'ArrowDown' ? 1 : -1);
    });
    dialog.addEventListener('close', () => {
      // The event comes later than the closing, and the search may have been opened again.
      if (dialog.open) return;
      stop();
      if (!isInAddress()) return;
      if (isPushed) history.back();
      else replaceAddress(tableFragment());
      isPushed = false;
    });
  };

  return { begin, open, show, leave };
})();
