// Addresses of files and lines at the host of the repository, such as GitHub, without the DOM.
page.host = (() => {
  const { baseName } = page.names;

  const encodedPath = (path) => path.split('/').map(encodeURIComponent).join('/');

  /** Returns the address of a line of a file, or of the file for line 0; `undefined` if the host has no such file. */
  // `links` has the address of a line with `{path}` and `{line}` in it, the folder of each package in the repository, and
  // the indexes of files that the commit lacks, such as generated ones.
  const addressOf = ({ address, folders, absent }, { name, at }, line) => {
    const folder = folders[name.slice(0, -baseName(name).length)];
    if (folder === undefined || absent.includes(at)) return undefined;
    const path = encodedPath(folder + baseName(name));
    const template = line > 0 ? address : address.replace(/#[^#]*\{line\}[^#]*$/, '');
    return template.replaceAll(/\{(path|line)\}/g, (_, part) => (part === 'path' ? path : Math.max(line, 1)));
  };

  return { addressOf };
})();
