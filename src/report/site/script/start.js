// Starts the pages of a site: ages, keys, and the table of services where there is one.
(() => {
  const { element, beginAges } = page.elements;
  const { step } = page.rows;

  const walk = (by) => {
    const links = [...document.querySelectorAll(':is(.table, .matrix) tbody tr')]
      .filter((row) => row.checkVisibility()).map((row) => row.querySelector('a:not([target])')).filter((link) => link !== null);
    const at = links.findIndex((link) => link.closest('tr') === document.activeElement?.closest('tr'));
    links[step(at, by, links.length)]?.focus();
  };

  const { begin, showAddress } = page.services;
  page.switches.begin({ j: () => walk(1), k: () => walk(-1), ...begin() });
  beginAges();
  // The bar of filters is shown by now, so that the table can come to stand below it.
  if (element('services') !== null) showAddress();
  page.chart.begin();
})();
