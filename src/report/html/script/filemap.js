// What the map of a report has for each area: files, and the filter that shows them in the table.
page.fileMap = (() => {
  const { element } = page.elements;
  const { toFragment } = page.address;
  const { partsOf, ofFolder, filterFor } = page.treemap;
  const { FILES, FOLDERS } = page.state;

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

  return { addressOf, filterOf, isShown };
})();
