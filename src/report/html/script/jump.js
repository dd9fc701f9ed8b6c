// Jump to a file or function of the page by a few letters of its name.
page.jump = (() => {
  const { element, WORDS, made } = page.elements;
  const { searchWords } = page.rows;
  const { printable } = page.names;
  const { percent, grade } = page.files;
  const { candidateOf, fitting, best } = page.fuzzy;
  const { FILES, fileFragment } = page.state;
  const { load } = page.allFunctions;
  const { whenIdle } = page.source;

  /** Largest number of names in the list. */
  const MOST = 30;
  /** Texts for each way in which a name is scored: side by side, scattered, and several words. */
  const WARMING = ['e', 'er', 'rne', 'e r', 'rtnes'];
  const dialog = element('jump');
  const input = element('jump-to');
  const list = element('jump-list');
  let candidates = null;
  /** Candidates that fit what was typed, so that a further letter looks only at these. */
  let narrowed = { text: '', fit: [], seen: 0 };
  let active = 0;

  const ofFile = (file) => candidateOf(file.name, file.name.length - file.base.length, { file, line: 0, ...file });

  const ofFunction = (of) => candidateOf(of.name, of.name.lastIndexOf('.') + 1, of);

  /** Returns a name in parts, with those letters marked that were typed. */
  const markedName = (text, places, from) => {
    const isMarked = new Set(places);
    const parts = [];
    for (let at = from; at < text.length; at += 1) {
      const [kind, before] = [isMarked.has(at), parts[parts.length - 1]];
      if (before !== undefined && before.kind === kind) before.text += text[at];
      else parts.push({ kind, text: text[at] });
    }
    return parts.map(({ kind, text: part }) => (kind ? made('b', '', printable(part)) : printable(part)));
  };

  const optionOf = ({ candidate: { text, start, value }, places }, at) => {
    const { file, line } = value;
    // A choice of runs changes the figures of files and functions.
    const { covered, total } = line > 0 ? value : file;
    const option = made('li', line > 0 ? 'of-function' : 'of-file');
    option.id = `jump-${at}`;
    option.setAttribute('role', 'option');
    option.dataset.fragment = fileFragment(file.name, line);
    const name = made('span', 'what');
    name.append(...markedName(text, places, line > 0 ? 0 : start));
    const where = made('span', 'folder');
    where.append(made('bdi', '', printable(line > 0 ? `${file.name}:${line}` : file.name.slice(0, start))));
    const share = total === 0 ? '–' : percent(covered, total);
    option.append(name, where, made('span', `percent ${grade(covered, total)}`, share));
    return option;
  };

  const setActive = (to) => {
    const options = list.children;
    const before = active;
    options[active]?.setAttribute('aria-selected', 'false');
    active = Math.max(Math.min(to, options.length - 1), 0);
    const option = options[active];
    option?.setAttribute('aria-selected', 'true');
    // Each scrolling lays out the page, which a letter that was typed need not wait for.
    if (active !== before) option?.scrollIntoView({ block: 'nearest' });
    if (option === undefined) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', option.id);
  };

  /** Returns the candidates that fit, looking again only at those that fitted before and at new ones. */
  const fittingNow = (text, words) => {
    const goesOn = narrowed.text !== '' && text.startsWith(narrowed.text);
    const from = goesOn ? [...narrowed.fit, ...candidates.slice(narrowed.seen)] : candidates;
    narrowed = { text, fit: fitting(from, words), seen: candidates.length };
    return narrowed.fit;
  };

  const draw = () => {
    const words = searchWords(input.value);
    const found = words.length === 0 ? [] : best(fittingNow(input.value.toLowerCase(), words), words, MOST);
    list.replaceChildren(...found.map(optionOf));
    input.setAttribute('aria-expanded', String(found.length > 0));
    element('jump-none').hidden = found.length > 0 || words.length === 0;
    setActive(0);
  };

  /** Draws the list again with what was read, unless the person has gone down in it. */
  const drawFurther = () => {
    if (dialog.open && active === 0 && input.value !== '') draw();
  };

  /** Runs the search with some texts while nothing else is to be done. */
  // Otherwise the browser compiles it at the first letters, which takes longer than the search.
  const warmUp = (texts) => {
    if (texts.length === 0) return;
    const words = searchWords(texts[0]);
    best(fitting(candidates, words), words, MOST);
    whenIdle(() => warmUp(texts.slice(1)));
  };

  const readAll = () => {
    candidates = FILES.map(ofFile);
    element('jump-state').value = WORDS.readingFunctions;
    load().then((functions) => {
      for (const each of functions) candidates.push(ofFunction(each));
      element('jump-state').value = '';
      drawFurther();
      whenIdle(() => warmUp(WARMING));
    }).catch((error) => {
      element('jump-state').value = String(error);
    });
  };

  const open = () => {
    if (candidates === null) readAll();
    input.value = '';
    draw();
    dialog.showModal();
  };

  const choose = (option) => {
    if (option === undefined || option === null) return;
    dialog.close();
    location.hash = option.dataset.fragment;
  };

  const KEYS = {
    ArrowDown: () => setActive(active + 1),
    ArrowUp: () => setActive(active - 1),
    PageDown: () => setActive(active + 10),
    PageUp: () => setActive(active - 10),
    Enter: () => choose(list.children[active]),
  };

  const begin = () => {
    input.addEventListener('input', draw);
    input.addEventListener('keydown', (event) => {
      if (!Object.hasOwn(KEYS, event.key)) return;
      event.preventDefault();
      KEYS[event.key]();
    });
    list.addEventListener('click', (event) => choose(event.target.closest('li')));
  };

  return { begin, open };
})();
