// The list of services that need attention: a few of those that the filters let through, the others folded.
page.attention = (() => {
  const { element, WORDS } = page.elements;
  const { filled, grouped } = page.words;

  // A search shows one row of this list, so that its results below come near.
  /** Returns a function that narrows the list to rows by their numbers; `null` where nothing needs attention. */
  const begin = () => {
    const section = element('attention');
    if (section === null) return null;
    const [first, more] = section.querySelectorAll('ul');
    const items = [...section.querySelectorAll('li')];
    const few = first.children.length;
    const folded = section.querySelector('details');
    return (isShown, isSearch) => {
      const number = isSearch ? 1 : few;
      const shown = items.filter(({ dataset }) => isShown(Number(dataset.row)));
      section.hidden = shown.length === 0;
      element('attention-number').textContent = grouped(shown.length);
      first.replaceChildren(...shown.slice(0, number));
      more.replaceChildren(...shown.slice(number));
      folded.hidden = shown.length <= number;
      folded.querySelector('summary').textContent = filled(WORDS.more, { n: grouped(shown.length - number) });
    };
  };

  return { begin };
})();
