// Starts the pages of a site: ages, keys, and the table of services where there is one.
(() => {
  const { element, WORDS, ageOf } = page.elements;
  const { filled } = page.words;
  const { step } = page.rows;

  const tellAges = () => {
    for (const node of document.querySelectorAll('time')) {
      node.title ||= node.textContent;
      const age = ageOf(node.dateTime);
      node.textContent = age === null ? WORDS.now : filled(WORDS.ago, { age });
    }
  };

  const walk = (by) => {
    const links = [...document.querySelectorAll('.table tbody tr')]
      .filter((row) => row.checkVisibility()).map((row) => row.querySelector('a')).filter((link) => link !== null);
    const at = links.findIndex((link) => link.closest('tr') === document.activeElement?.closest('tr'));
    links[step(at, by, links.length)]?.focus();
  };

  const { begin, showAddress } = page.services;
  page.switches.begin({ j: () => walk(1), k: () => walk(-1), ...begin() });
  tellAges();
  setInterval(tellAges, 60000);
  // The bar of filters is shown by now, so that the table can come to stand below it.
  if (element('services') !== null) showAddress();
  page.chart.begin();
})();
