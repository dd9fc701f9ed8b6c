// What follows the lines that are shown: the ruler beside the source, and the name of the function above it.
page.viewport = (() => {
  const { element } = page.elements;
  const { printable, qualified } = page.names;
  const { percent, grade } = page.files;
  const { pathsOf, lineAtPixel, functionAt } = page.marks;
  const { view, lineFragment } = page.state;
  const { lineAt, topOf } = page.source;

  /** Smallest height of the mark of what is shown, in pixels. */
  const SMALLEST = 10;
  const ruler = element('ruler');
  const strip = ruler.querySelector('svg');
  let isWaiting = false;
  /** The file whose marks are drawn, and the height of the strip. */
  let drawn = { open: null, height: 0 };

  const bar = () => element('view').querySelector('.bar-of-file');
  const hasText = () => view.open !== null && view.open.bytes !== null && view.open.lineCount > 0;
  const heightOf = (node) => node.getBoundingClientRect().height;

  /** Returns where the code begins and ends on the screen. */
  const edges = () => {
    const under = Math.max(bar().getBoundingClientRect().bottom, 0);
    return [under, ruler.getBoundingClientRect().bottom];
  };

  /** Shows the name of the function of the first line on the screen, if its head is above the screen. */
  const tellFunction = (line) => {
    const found = functionAt(view.open.functions, line);
    const isAbove = found !== undefined && found[2] < line;
    element('inside').hidden = !isAbove;
    if (!isAbove) return;
    const [receiver, name, first, , covered, total] = found;
    element('inside').href = lineFragment(first);
    element('inside-name').textContent = printable(qualified(receiver, name));
    element('inside-percent').textContent = total === 0 ? '' : percent(covered, total);
    element('inside-percent').className = `percent ${grade(covered, total)}`;
  };

  const follow = () => {
    isWaiting = false;
    if (!hasText()) return;
    // Above the code stand head and functions of the page until they are scrolled away.
    const above = Math.max(ruler.getBoundingClientRect().top - bar().offsetHeight, 0);
    ruler.style.setProperty('--above', `${above}px`);
    const [top, bottom] = edges();
    const first = lineAt(top);
    tellFunction(first);
    const [shown, height] = [strip.querySelector('.window'), Number(strip.getAttribute('height'))];
    const { lineCount } = view.open;
    const from = Math.min((first - 1) * height / lineCount, height - SMALLEST);
    shown.setAttribute('y', from.toFixed(1));
    shown.setAttribute('height', Math.max(lineAt(bottom) * height / lineCount - from, SMALLEST).toFixed(1));
  };

  const followSoon = () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(follow);
  };

  /** Draws the marks of the open file, unless they are drawn at the present height. */
  const drawMarks = () => {
    if (!hasText()) return;
    const { lineCount } = view.open;
    const row = Number.parseFloat(getComputedStyle(element('code')).lineHeight);
    const height = Math.floor(Math.min(ruler.clientHeight, lineCount * row));
    if (drawn.open === view.open && drawn.height === height) return;
    drawn = { open: view.open, height };
    strip.setAttribute('height', height);
    for (const [kind, path] of Object.entries(pathsOf(view.open, height))) {
      strip.querySelector(`.${kind}`).setAttribute('d', path);
    }
    followSoon();
  };

  /** Shows the ruler of the open file. Its marks need the height of the code, for which this waits: layout is slow. */
  const draw = () => {
    ruler.hidden = !hasText();
    element('inside').hidden = true;
    requestAnimationFrame(drawMarks);
    followSoon();
  };

  const jump = (event) => {
    const [top, bottom] = edges();
    const line = lineAtPixel(event.clientY - strip.getBoundingClientRect().top, view.open.lineCount, heightOf(strip));
    window.scrollBy(0, topOf(line) - (top + bottom) / 2);
  };

  const begin = () => {
    const actions = bar().querySelector('.actions');
    const resized = new ResizeObserver(() => {
      // Elsewhere than at the lower edge of a narrow screen, the buttons have no box of their own.
      const [under, below] = [bar().offsetHeight, actions.offsetHeight];
      // In the table the bar has no height. A change of these values lays out all lines anew.
      if (under === 0) return;
      element('view').style.setProperty('--under', `${under}px`);
      element('view').style.setProperty('--below', `${below}px`);
      drawMarks();
    });
    resized.observe(bar());
    resized.observe(actions);
    resized.observe(ruler);
    new ResizeObserver(followSoon).observe(element('code'));
    window.addEventListener('scroll', followSoon, { passive: true });
    ruler.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !hasText()) return;
      event.preventDefault();
      ruler.setPointerCapture(event.pointerId);
      jump(event);
    });
    ruler.addEventListener('pointermove', (event) => {
      if (hasText() && ruler.hasPointerCapture(event.pointerId)) jump(event);
    });
  };

  return { begin, draw };
})();
