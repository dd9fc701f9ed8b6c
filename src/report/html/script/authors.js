// The tab of changed lines: the filter of uncovered places by author, which the walk through them follows.
page.authors = (() => {
  const { element, WORDS, replaceAddress } = page.elements;
  const { filled, grouped, partOf } = page.words;
  const { toFragment } = page.address;
  const { placesBy } = page.walks;
  const { CHANGES, PLACES, view } = page.state;

  const box = element('author');
  /** Index of the author whose places are shown; -1 for all. */
  let shown = -1;
  /** Calls a function after each change of the filter. */
  let tellTabs = () => {};

  const nameOf = (author) => box?.options[author + 1].value ?? '';
  const fragment = () => toFragment({ tab: 'changed', author: shown < 0 ? '' : nameOf(shown) });

  const drawPlaces = () => {
    let drawn = 0;
    for (const file of document.querySelectorAll('.missed-places > ol > li')) {
      const places = [...file.querySelectorAll('li')];
      for (const place of places) place.hidden = shown >= 0 && !place.dataset.by.split(' ').includes(String(shown));
      const number = places.filter((place) => !place.hidden).length;
      file.hidden = number === 0;
      drawn += number;
    }
    const more = document.querySelector('.missed-places .more');
    if (more === null) return;
    more.hidden = drawn === PLACES.missed.length;
    more.textContent = filled(WORDS.morePlaces, { n: grouped(PLACES.missed.length - drawn) });
  };

  /** Shows the number of lines of the author beside that of all. */
  const drawCounts = () => {
    const node = element('uncovered-lines');
    node.dataset.whole ??= node.textContent;
    node.textContent = shown < 0 ? node.dataset.whole
      : partOf(WORDS, 'uncoveredLine', Number(box.options[shown + 1].dataset.lines), Number(node.dataset.lines));
    element('missed-by').textContent = shown < 0 ? '' : filled(WORDS.by, { author: nameOf(shown) });
  };

  const narrow = (author) => {
    if (author === shown) return;
    shown = author;
    PLACES.missed = placesBy(CHANGES.missed, CHANGES.by, author);
    view.walked.missed = -1;
    box.selectedIndex = author + 1;
    drawPlaces();
    drawCounts();
  };

  /** Changes the filter to that of the values of an address. All places are shown for an author that the page lacks. */
  const show = ({ author = '' }) => {
    if (box === null) return;
    const options = [...box.options].slice(1);
    narrow(author === '' ? -1 : options.findIndex(({ value }) => value === author));
  };

  const narrowAndTell = (author) => {
    narrow(author);
    replaceAddress(fragment());
    tellTabs();
  };

  const clearFilter = () => box !== null && narrowAndTell(-1);

  const begin = (then) => {
    tellTabs = then;
    box?.addEventListener('change', () => narrowAndTell(box.selectedIndex - 1));
  };

  return { begin, show, fragment, clearFilter };
})();
