// The line in the chart of an app that follows the pointer, with the values of all lines at that time.
page.chart = (() => {
  const { element, parsed, WORDS } = page.elements;
  const { filled } = page.words;
  const { WIDTH, valuesAt, nextPlace, timeAt } = page.places;

  const begin = () => {
    const drawing = element('drawing');
    if (drawing === null) return;
    const values = parsed('chart-values');
    const cross = element('cross');
    const shown = [...document.querySelectorAll('#chart .key output')];
    let x = WIDTH;

    const tell = () => {
      for (const [at, value] of valuesAt(values.lines, x).entries()) {
        const [percent, commit] = shown[at].children;
        percent.textContent = value?.percent ?? '–';
        commit.textContent = value?.commit ?? '';
      }
    };

    const show = (to) => {
      x = Math.min(Math.max(to, 0), WIDTH);
      cross.setAttribute('d', `M${x} 0V${drawing.viewBox.baseVal.height}`);
      element('chart-time').textContent = filled(WORDS.at, { time: timeAt(values, x) });
      tell();
    };

    const hide = () => {
      x = WIDTH;
      cross.setAttribute('d', '');
      element('chart-time').textContent = '';
      tell();
    };

    const follow = (event) => {
      const { left, width } = drawing.getBoundingClientRect();
      show((event.clientX - left) / width * WIDTH);
    };

    const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
    drawing.setAttribute('tabindex', '0');
    drawing.addEventListener('pointermove', follow);
    drawing.addEventListener('pointerdown', follow);
    drawing.addEventListener('pointerleave', hide);
    drawing.addEventListener('blur', hide);
    drawing.addEventListener('keydown', (event) => {
      if (!Object.hasOwn(STEPS, event.key)) return;
      event.preventDefault();
      show(nextPlace(values.lines, x, STEPS[event.key]));
    });
    tell();
  };

  return { begin };
})();
