// Search in the source of all files, stream by stream. All lines are counted, and some are listed, those of generated files
// last. The address has what is searched.
page.search = (() => {
  const { element, WORDS, made, kept, replaceAddress } = page.elements;
  const { filled, grouped, counted } = page.words;
  const { toFragment } = page.address;
  const { printable, signed } = page.names;
  const { readerOf, figuresOf } = page.streams;
  const { figuresBy } = page.choices;
  const { searchOf, hitsIn, isNamedGenerated } = page.find;
  const { STATES } = page.marks;
  const { CARRIED, CHOICES, view, fileFragment } = page.state;
  const { partsOf, forEachStream } = page.packs;

  /** Number of lines that are put into the list at once. */
  const SOME = 500;
  /** Pixels of a letter, letters in the room of number and mark of a line, and least letters before a hit. */
  const [LETTER, NUMBER, LEAST] = [8, 16, 6];
  /** Milliseconds after the last letter until the search begins. */
  const PAUSE = 200;
  const dialog = element('search');
  const input = element('search-for');
  const onlyMissed = element('search-missed');
  const list = element('search-list');
  const more = element('more-hits');
  /** What is searched: an expression, and options of hits. */
  let query = null;
  /** Files with hits in the order of the list, each with the number of its hits, and of those in the list. */
  let found = [];
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

  /** Puts hits of a file into the list, below others of that file. */
  const put = (of, hits) => {
    if (of.lines === undefined) {
      const [group, head] = [document.createElement('li'), made('p', 'of', printable(of.file.name))];
      const number = grouped(of.number);
      head.append(' ', made('span', 'folder', of.isGenerated ? filled(WORDS.search.generated, { number }) : number));
      of.lines = document.createElement('ol');
      group.append(head, of.lines);
      list.append(group);
    }
    of.lines.append(...hits.map((hit) => itemOf(of.file, hit)));
    of.listed += hits.length;
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

  const sumOf = (name) => found.reduce((sum, of) => sum + of[name], 0);
  const lookIn = ({ figures, text }, limits) => hitsIn(text, () => runsOf(figures), query.search, { ...query, ...limits });

  /** Puts further lines into the list, and tells how many there are. */
  const listMore = async (most) => {
    const mine = turn;
    let left = most;
    for (const of of found) {
      if (left <= 0) break;
      if (of.listed === of.number) continue;
      const { hits } = lookIn(await partsOf(of.file), { from: of.listed, most: left });
      if (turn !== mine) return;
      put(of, hits);
      left -= hits.length;
    }
    const [lines, listed] = [sumOf('number'), sumOf('listed')];
    tell(lines === 0 ? WORDS.search.none : listed < lines ? WORDS.search.part : WORDS.search.done, {
      lines: counted(WORDS.counts.line, lines), files: counted(WORDS.counts.file, found.length), listed: grouped(listed) });
    more.hidden = listed === lines;
    more.textContent = filled(WORDS.moreOf, { n: grouped(Math.min(SOME, lines - listed)), all: grouped(lines - listed) });
  };

  const run = async () => {
    turn += 1;
    const mine = turn;
    const search = searchOf(input.value);
    query = { search, onlyMissed: onlyMissed.checked, before: roomBefore() };
    found = [];
    const generated = [];
    list.replaceChildren();
    more.hidden = true;
    if (search === null) {
      tell(input.value === '' ? '' : WORDS.search.short, {});
      return;
    }
    let [lines, listed] = [0, 0];
    const tellShare = (share) => tell(WORDS.search.running, {
      lines: counted(WORDS.counts.line, lines), files: counted(WORDS.counts.file, found.length + generated.length), share: Math.floor(100 * share) });
    tellShare(0);
    const look = (files, share) => {
      if (turn !== mine) return false;
      for (const { file, figures, text } of files) {
        if (text === null) continue;
        const { number, hits, isGenerated: hasComment } = lookIn({ figures, text }, { most: SOME - listed });
        if (number === 0) continue;
        const isGenerated = hasComment || isNamedGenerated(file.base);
        lines += number;
        const of = { file, number, isGenerated, listed: 0 };
        (isGenerated ? generated : found).push(of);
        // Generated code comes last, when all other hits are known.
        if (isGenerated || hits.length === 0) continue;
        put(of, hits);
        listed += hits.length;
      }
      tellShare(share);
      return true;
    };
    try {
      await forEachStream(look);
      if (turn !== mine) return;
      found.push(...generated);
      await listMore(SOME - listed);
    } catch (error) {
      tell(WORDS.search.failed, { why: String(error) });
    }
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
    more.addEventListener('click', () => listMore(SOME));
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
