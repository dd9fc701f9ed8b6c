// The source of the open file: chunks, which are drawn when they come near the screen, and folds between them.
page.source = (() => {
  const { element, WORDS, made } = page.elements;
  const { filled, counted } = page.words;
  const { printable, qualified } = page.names;
  const { rangeWith, aroundChanges, joinedRanges, foldsBetween, functionAcross, runsByChange } = page.changes;
  const { view } = page.state;
  const { drawnLine, drawnRun } = page.lines;

  /** Lines of a chunk. */
  const CHUNK = 200;
  /** Largest number of lines of a file that is drawn as a whole, so that the browser's own search finds all. */
  const WHOLE = 20000;

  const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 30));

  /** Returns the first and last line of a chunk or fold. */
  const spanOf = (part) => [Number(part.dataset.first), Number(part.dataset.last)];

  const spanning = (className, first, last) => {
    const part = made('div', className);
    part.dataset.first = first;
    part.dataset.last = last;
    return part;
  };

  const isFold = (part) => part.classList.contains('folded');

  /** Draws the lines of a chunk unless they are drawn already. */
  const fill = (chunk) => {
    if (chunk.hasChildNodes() || !chunk.isConnected) return;
    const [first, last] = spanOf(chunk);
    const lines = document.createDocumentFragment();
    for (let line = first; line <= last; line += 1) lines.append(drawnLine(line));
    chunk.append(lines);
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) fill(entry.target);
  }, { rootMargin: '1500px 0px' });

  const fillRest = (turn) => {
    if (view.turn !== turn || view.open === null || view.open.lineCount > WHOLE) return;
    const next = [...element('code').children].find((chunk) => !chunk.hasChildNodes());
    if (next === undefined) return;
    fill(next);
    whenIdle(() => fillRest(turn));
  };

  const fillWhenIdle = () => {
    const { turn } = view;
    whenIdle(() => fillRest(turn));
  };

  const chunksOf = (first, last) => {
    const chunks = [];
    for (let from = first; from <= last; from += CHUNK) {
      const chunk = spanning('chunk', from, Math.min(from + CHUNK - 1, last));
      chunk.style.setProperty('--lines', Math.min(CHUNK, last - from + 1));
      chunks.push(chunk);
    }
    return chunks;
  };

  /** Returns a button in place of lines that are not shown. */
  const foldOf = (first, last) => {
    const fold = spanning('folded', first, last);
    const lines = counted(WORDS.counts.line, last - first + 1);
    const [receiver, name] = functionAcross(view.open.functions, last) ?? ['', ''];
    const inside = printable(qualified(receiver, name));
    const button = made('button', '', inside === '' ? lines : filled(WORDS.foldedIn, { lines, function: inside }));
    button.type = 'button';
    button.title = filled(WORDS.unfoldLines, { lines });
    fold.append(button);
    return fold;
  };

  /** Shows the lines of a fold, and draws the chunk with the given one. */
  const unfold = (fold, line) => {
    view.unfolded = joinedRanges([...view.unfolded, spanOf(fold)], view.open.lineCount);
    const chunks = chunksOf(...spanOf(fold));
    fold.replaceWith(...chunks);
    for (const chunk of chunks) watcher.observe(chunk);
    fill(chunks.find((chunk) => Number(chunk.dataset.last) >= line));
    fillWhenIdle();
  };

  /** Calls a function with the first line of a fold after a click has unfolded it. */
  const onUnfold = (then) => {
    element('code').addEventListener('click', (event) => {
      const fold = event.target.closest('.folded');
      if (fold === null || event.target === fold) return;
      const [first] = spanOf(fold);
      unfold(fold, first);
      then(first);
    });
  };

  const partWith = (line) => [...element('code').children].find((part) => Number(part.dataset.last) >= line);

  /** Draws the part of the source that has a line. */
  const drawPartWith = (line) => {
    const part = partWith(line);
    if (part === undefined) return;
    if (isFold(part)) unfold(part, line);
    else fill(part);
  };

  const drawText = () => {
    const { added, lineCount } = view.open;
    const shown = view.onlyChanged
      ? joinedRanges([...aroundChanges(added, lineCount), ...view.unfolded], lineCount) : [[1, lineCount]];
    const parts = foldsBetween(shown, lineCount).flatMap(({ first, last, isFolded }) => (
      isFolded ? [foldOf(first, last)] : chunksOf(first, last)));
    element('code').replaceChildren(...parts);
    const chunks = parts.filter((part) => !isFold(part));
    let drawn = 0;
    for (const chunk of chunks) {
      if (drawn >= CHUNK) break;
      fill(chunk);
      drawn += chunk.childElementCount;
    }
    for (const chunk of chunks) watcher.observe(chunk);
    fillWhenIdle();
  };

  /** Draws a file without text: the lines in the profile, run by run. */
  const drawRuns = () => {
    const { runs, added, turned } = view.open;
    view.open.runs = runsByChange(runs, added, turned);
    const shown = view.open.runs.filter((run) => !view.onlyChanged || rangeWith(added, run.first));
    element('code').replaceChildren(...shown.map(drawnRun));
  };

  const draw = () => {
    watcher.disconnect();
    if (view.open.bytes === null) drawRuns();
    else drawText();
  };

  /** Returns the part of the source at or below a height of the screen. */
  const partAt = (height) => {
    const parts = element('code').children;
    let [low, high] = [0, parts.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (parts[middle].getBoundingClientRect().bottom > height) high = middle;
      else low = middle + 1;
    }
    return parts[low];
  };

  /** Returns the line at a height of the screen. All lines of a chunk have the same height. */
  const lineAt = (height) => {
    const part = partAt(height);
    const [first, last] = spanOf(part);
    const { top, bottom } = part.getBoundingClientRect();
    if (height < top || isFold(part)) return first;
    return Math.min(first + Math.floor((height - top) * (last - first + 1) / (bottom - top)), last);
  };

  /** Tells whether a line is in a fold. */
  const isInFold = (line) => view.open.bytes !== null && line > 0 && isFold(partWith(line));

  /** Returns the height of a line on the screen, or that of the fold with it. */
  const topOf = (line) => {
    const part = partWith(line);
    const [first, last] = spanOf(part);
    const { top, bottom } = part.getBoundingClientRect();
    return isFold(part) ? top : top + (line - first) * (bottom - top) / (last - first + 1);
  };

  /** Draws all chunks, for a printer. */
  const drawAll = () => {
    for (const part of element('code').children) if (!isFold(part)) fill(part);
  };

  return { whenIdle, draw, drawAll, drawPartWith, onUnfold, isInFold, lineAt, topOf };
})();
