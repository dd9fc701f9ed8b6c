// The authors of missed changed lines: how long ago they wrote them, and the filter by author.
page.authors = (() => {
  const { element, WORDS, ageOf } = page.elements;
  const { filled } = page.words;
  const { placesBy } = page.walks;
  const { CHANGES, PLACES } = page.state;

  /** Shows the places of an author, given by its index as a text, or all places. The walk goes through the same ones. */
  const narrow = (author) => {
    PLACES.missed = placesBy(CHANGES.missed, CHANGES.by, author);
    for (const file of document.querySelectorAll('.missed-places > ol > li')) {
      const places = [...file.querySelectorAll('li')];
      for (const place of places) place.hidden = author !== '' && !place.dataset.by.split(' ').includes(author);
      file.hidden = places.every((place) => place.hidden);
    }
  };

  const begin = () => {
    for (const node of document.querySelectorAll('.by time')) {
      node.title = node.textContent;
      node.textContent = filled(WORDS.age, { age: ageOf(node.dateTime) ?? WORDS.now });
    }
    element('author')?.addEventListener('change', (event) => narrow(event.target.value));
  };

  return { begin };
})();
