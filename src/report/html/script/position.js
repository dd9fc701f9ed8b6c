// The current line of the open file, and steps to the next range, place or file.
page.position = (() => {
  const { element, WORDS, replaceAddress } = page.elements;
  const { filled, grouped, counted } = page.words;
  const { ofLines } = page.sentences;
  const { rangeAfter, fileAfter, placeWith, placeAfter } = page.walks;
  const { FILES, PLACES, view, walkFragment, lineFragment } = page.state;
  const { nameLine } = page.lines;
  const { drawPartWith } = page.source;
  const { filesInOrder } = page.table;
  const { linkLine } = page.outside;

  /** Shows the position of the current line in the file, beside the buttons. */
  const tell = (text) => {
    element('place').value = text;
  };

  const rangesToWalk = () => (view.onlyChanged ? view.open.missed : view.open.ranges);
  const rangeWords = () => (view.onlyChanged ? WORDS.changedRanges : WORDS.ranges);

  const tellRanges = () => {
    const number = rangesToWalk().length;
    tell(filled(rangeWords()[number > 1 ? 'n' : number], { n: grouped(number) }));
  };

  const tellPlaces = () => {
    for (const [kind, places] of Object.entries(PLACES)) {
      if (places.length === 0) continue;
      const at = placeWith(places, view.open.file.at, view.open.current);
      element(`${kind}-place`).value = at < 0 ? counted(WORDS.toWalk, places.length)
        : filled(WORDS.walked, { at: grouped(at + 1), all: grouped(places.length) });
    }
  };

  /** Returns the line that can be shown for a line of an address; 0 for none. */
  const shownLine = (line) => {
    const { bytes, runs, lineCount } = view.open;
    if (bytes !== null) return Math.min(Math.max(line, 1), lineCount);
    return runs.find((run) => run.last >= line)?.first ?? 0;
  };

  /** Returns the last line of the open file, or of its profile where there is no text. */
  const lastLine = () => {
    const { bytes, runs, lineCount } = view.open;
    return bytes === null ? runs[runs.length - 1]?.last ?? 0 : lineCount;
  };

  /** Makes a line the current one and shows it. */
  const goTo = (asked, takesFocus) => {
    const line = shownLine(asked);
    if (view.open.bytes !== null) drawPartWith(line);
    const before = element('code').querySelector('.current');
    before?.classList.remove('current');
    before?.removeAttribute('role');
    before?.removeAttribute('aria-label');
    view.open.current = line;
    tellPlaces();
    linkLine();
    if (asked > lastLine()) tell(filled(WORDS.beyond, { last: lastLine() }));
    const node = element(`L${line}`);
    if (node === null) return;
    node.classList.add('current');
    node.scrollIntoView({ block: 'center', inline: 'nearest' });
    if (!takesFocus) return;
    nameLine(node, line);
    node.focus({ preventScroll: true });
  };

  const walkRanges = (by) => {
    if (view.open === null) return;
    const ranges = rangesToWalk();
    const at = rangeAfter(ranges, view.open.current, by);
    if (at < 0) {
      tell(ranges.length === 0 ? rangeWords()[0] : by > 0 ? WORDS.end : WORDS.begin);
      return;
    }
    goTo(ranges[at].first, true);
    replaceAddress(lineFragment(ranges[at].first));
    tell(filled(WORDS.range, { at: grouped(at + 1), all: grouped(ranges.length), lines: ofLines(WORDS, ranges[at]) }));
  };

  const walkFiles = (by) => {
    const to = fileAfter(filesInOrder(), view.open?.file, by);
    if (to !== undefined) location.hash = walkFragment(to.name, 0);
  };

  /** Goes to the next or previous place of a kind in all files. */
  const walkPlaces = (kind, by) => {
    const places = PLACES[kind];
    const { open } = view;
    const from = open === null ? null : { file: open.file.at, line: open.current };
    const to = placeAfter(places, from, view.walked[kind], by);
    const place = places[to];
    if (place === undefined) {
      if (open !== null) tell(by > 0 ? WORDS.walkEnd : WORDS.walkBegin);
      return;
    }
    view.walked[kind] = to;
    const [at, line] = place;
    if (open?.file.at === at) {
      goTo(line, true);
      replaceAddress(lineFragment(line));
      tellRanges();
    } else {
      location.hash = walkFragment(FILES[at].name, line);
    }
  };

  return { tell, tellRanges, tellPlaces, goTo, walkRanges, walkFiles, walkPlaces };
})();
