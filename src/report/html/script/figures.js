// Figures in the page: bars, and the row of a folder, whose figures are those of the files that the table shows.
page.figures = (() => {
  const { made, WORDS } = page.elements;
  const { filled, grouped } = page.words;
  const { percent, grade, shares } = page.files;
  const { CARRIED } = page.state;

  const drawing = (kind, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', kind);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  /** Returns a bar of a share. It has a second part if only `own` of what is covered was executed at this commit. */
  const bar = (covered, total, own = covered) => {
    const node = drawing('svg', {
      class: `bar ${grade(covered, total)}`, viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    const part = (statements, name) => (
      drawing('rect', { class: name, width: (100 * statements / Math.max(total, 1)).toFixed(1), height: '8' }));
    if (own < covered) node.append(part(covered, 'carried'));
    node.append(part(own, ''));
    return node;
  };

  const changedLines = ({ covered, total }) => (total === 0 ? [] : [
    made('span', '', filled(WORDS.of, { part: grouped(covered), all: grouped(total) })), bar(covered, total)]);

  const textOf = ({ covered, own, total, lost, gained, ignored, change }) => (
    [covered, own, total, lost, gained, ignored.statements, change.covered, change.total].join(' '));

  /** Writes the statements of a file or folder into its row. */
  const drawFigures = (row, { covered, own, total }) => {
    const texts = [percent(covered, total), grouped(covered), grouped(total - covered), grouped(total)];
    texts.forEach((text, at) => {
      row.cells[at + 1].textContent = text;
    });
    row.cells[1].className = shares(covered, total);
    // The bar has a second part for what is carried from other commits.
    if (CARRIED !== null) row.cells[1].className += ` ${shares(own, total, 'ov')}`;
  };

  /** Writes the figures of a folder into its row, unless they stand there. */
  const drawFolder = (folder) => {
    const { body, lost, gained, ignored, change, drawn } = folder;
    folder.drawn = textOf(folder);
    if (folder.drawn === drawn) return;
    const [row] = body.rows;
    drawFigures(row, folder);
    row.querySelector('.changed')?.replaceChildren(...changedLines(change));
    for (const [name, number] of Object.entries({ lost, gained, ignored: ignored.statements })) {
      row.querySelector(`.${name}`)?.replaceChildren(number > 0 ? grouped(number) : '');
    }
  };

  return { bar, textOf, drawFigures, drawFolder };
})();
