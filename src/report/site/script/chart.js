// The line in the chart of an app at the total nearest to the pointer, with the values of all lines at that time. The
// whole chart is a link to the report of that total.
page.chart = (() => {
  const { element, parsed, WORDS } = page.elements;
  const { filled } = page.words;
  const { END, totalsOf, nearestTotal, neighbour, valuesAt } = page.places;
  const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

  const begin = () => {
    const link = element('chart-link');
    if (link === null) return;
    const drawing = element('drawing');
    const { height } = drawing.viewBox.baseVal;
    const { lines } = parsed('chart-values');
    const totals = totalsOf(lines);
    const keys = [...document.querySelectorAll('#chart .key li')];
    let chosen;
    let isNew = false;

    const dotOf = ({ line, at }) => drawing.querySelectorAll(`.line-${line} .dot`)[at];

    /** Tells the values at the chosen total, or the newest ones. */
    const tell = () => {
      for (const [at, value] of valuesAt(lines, chosen).entries()) {
        const [percent, commit] = keys[at].querySelector('output').children;
        percent.textContent = value?.percent ?? '–';
        commit.textContent = value?.commit ?? '';
        keys[at].classList.toggle('chosen', at === chosen?.line);
      }
    };

    const draw = (cross, dot) => {
      element('cross').setAttribute('d', cross);
      for (const path of element('chosen').children) path.setAttribute('d', dot);
    };

    /** Lets the chart lead where the dot of the chosen total leads. */
    const lead = () => {
      const dot = dotOf(chosen);
      const address = dot.closest('a')?.getAttribute('href');
      if (address) link.href = address;
      else link.removeAttribute('href');
      link.ariaLabel = dot.textContent;
      const words = address && !address.startsWith('#') ? WORDS.at : WORDS.without;
      element('chart-time').textContent = filled(words, { time: lines[chosen.line].time[chosen.at] });
    };

    const choose = (total) => {
      chosen = total;
      element('chosen').setAttribute('class', `line-${total.line}`);
      draw(`M${total.x} 0V${height}`, `M${total.x} ${total.y}h.01`);
      lead();
      tell();
    };

    const hide = () => {
      chosen = undefined;
      draw('', '');
      element('chart-time').textContent = '';
      tell();
    };

    const chooseNearest = ({ clientX, clientY }) => {
      const { left, top, width, height: shown } = drawing.getBoundingClientRect();
      const scale = { x: width / END, y: shown / height };
      choose(nearestTotal(totals, { x: (clientX - left) / scale.x, y: (clientY - top) / scale.y }, scale));
    };

    const chooseLast = () => choose(totals.at(-1));

    link.addEventListener('pointermove', chooseNearest);
    // A finger cannot point before it touches, so its first touch of a total tells of it, and the second opens it.
    link.addEventListener('pointerdown', (event) => {
      const before = chosen;
      chooseNearest(event);
      isNew = event.pointerType === 'touch' && chosen !== before;
    });
    link.addEventListener('click', (event) => {
      if (isNew) event.preventDefault();
      isNew = false;
    });
    link.addEventListener('pointerleave', ({ pointerType }) => pointerType !== 'touch' && hide());
    link.addEventListener('blur', hide);
    link.addEventListener('focus', () => chosen ?? chooseLast());
    link.addEventListener('keydown', (event) => {
      if (!Object.hasOwn(STEPS, event.key)) return;
      event.preventDefault();
      if (chosen) choose(neighbour(totals, chosen, STEPS[event.key]));
      else chooseLast();
    });
    link.ariaLabel = dotOf(totals.at(-1)).textContent;
    tell();
  };

  return { begin };
})();
