// A map above a table, which is drawn without the script. Here its areas are links that filter the table. The Tab key
// reaches one of them, and the arrow keys lead to the others.
page.map = (() => {
  const { element } = page.elements;
  const { step, isArrow } = page.neighbours;

  /** Height of the first rows of a table in pixels. */
  const FIRST_ROWS = 180;
  const map = element('map');
  /** The areas; empty until the map is open for the first time, so that one that nobody opens costs nothing. */
  let areas = [];
  /** The table, and functions of the page: `addressOf` a link, `choose` by it, `isShown` for an area, `tell`, and `color` if colours change. */
  let of = {};

  const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

  const walk = (event) => {
    const from = areas.indexOf(event.target);
    if (!isArrow(event.key) || from < 0 || !isPlain(event)) return;
    event.preventDefault();
    const to = areas[step(areas.map((area) => area.getBBox()), from, event.key)];
    areas[from].setAttribute('tabindex', '-1');
    to.setAttribute('tabindex', '0');
    to.focus();
  };

  /** Scrolls until the first rows are on the screen. The map above them stays there, too, where both have room. */
  const bringRowsIntoView = () => {
    const { bottom } = of.table.tHead.getBoundingClientRect();
    scrollBy(0, Math.max(bottom + FIRST_ROWS - innerHeight, 0));
  };

  const click = (event) => {
    const link = event.target.closest('a');
    // With one of these keys a browser opens the link in another tab or window.
    if (link === null || !isPlain(event)) return;
    event.preventDefault();
    of.choose(link, areas.indexOf(link));
    bringRowsIntoView();
  };

  const adopt = () => {
    areas = [...map.querySelectorAll('a:has(path)')];
    const [first = areas[0]] = areas.filter((area) => area.getBBox().x + area.getBBox().y === 0);
    for (const link of map.querySelectorAll('.drawing a')) {
      link.setAttribute('href', of.addressOf(link, areas.indexOf(link)));
      link.setAttribute('tabindex', link === first ? '0' : '-1');
    }
    map.querySelector('.areas').addEventListener('keydown', walk);
    map.querySelector('.areas').addEventListener('click', click);
  };

  const dim = () => {
    for (const [at, area] of areas.entries()) area.classList.toggle('out', !of.isShown(area, at));
  };

  /** Draws areas as the table shows what is in them now. */
  const draw = () => {
    of.color?.(areas);
    dim();
  };

  /** Opens or closes the map, and dims the areas that the table does not show. */
  const show = (isOpen) => {
    if (map === null) return;
    map.open = isOpen;
    if (isOpen) draw();
  };

  /** Starts the map of a table. `tell` is called when it was opened or closed. */
  const begin = (ofTable) => {
    of = ofTable;
    map?.addEventListener('toggle', () => {
      if (map.open && areas.length === 0) adopt();
      of.tell(map.open);
      draw();
    });
  };

  return { begin, show };
})();
