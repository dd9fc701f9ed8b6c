// What the map of a report has for each area: files, and the filter that shows them in the table.
page.fileMap = (() => {
  const { element, WORDS } = page.elements;
  const { partOf: shareOf } = page.words;
  const { percent } = page.files;
  const { toFragment } = page.address;
  const { partsOf, ofFolder, filterFor, stepOf, sumsOf } = page.treemap;
  const { FILES, FOLDERS, view } = page.state;

  let parts = null;
  const partAt = (at) => {
    const { level } = element('map').dataset;
    parts ??= partsOf(FILES, FOLDERS, level === undefined ? undefined : Number(level));
    return parts[at];
  };

  /** Returns the part of a link: of an area by its place, or of the label of a folder. */
  const partOf = (link, at) => (link.dataset.key === undefined ? partAt(at) : ofFolder(FOLDERS[link.dataset.key]));

  const addressOf = (link, at) => toFragment({ filter: partOf(link, at).name, map: true });
  const filterOf = (link, at) => filterFor(partOf(link, at), FOLDERS[0].path, FILES);
  const isShown = (area, at) => partOf(area, at).drawn.some((file) => file.isShown);

  /** The choice of runs whose coverage the map has. Rust draws that of all together. */
  let drawnBy = -1;

  /** Writes the percentage of files behind the name in a text, or in its place. A name alone stays. */
  const rename = (node, files) => {
    const { covered, total } = sumsOf(files);
    node.textContent = node.textContent.replace(/(^| )(\d{1,3}\.\d%)$/, `$1${percent(covered, total)}`);
  };

  /** Gives areas and labels the coverage of the present choice of runs. */
  const color = (areas) => {
    if (drawnBy === view.choice || areas.length === 0) return;
    drawnBy = view.choice;
    for (const [at, area] of areas.entries()) {
      const { covered, total } = sumsOf(partAt(at).drawn);
      area.setAttribute('class', `c${stepOf(covered, total)}`);
      const title = area.querySelector('title');
      const figures = `${percent(covered, total)}, ${shareOf(WORDS, 'statement', covered, total)}`;
      title.textContent = title.textContent.replace(/: [\d.]+%, [\d,]+ of [\d,]+ statements?/, `: ${figures}`);
    }
    for (const label of document.querySelectorAll('#map [data-area]')) rename(label, partAt(label.dataset.area).drawn);
    for (const label of document.querySelectorAll('#map a[data-key] text')) {
      rename(label, ofFolder(FOLDERS[label.parentNode.dataset.key]).files);
    }
  };

  return { addressOf, filterOf, isShown, color };
})();
