// Links of the lists of places, and of files without source. They are set here, because they lead nowhere without the
// script.
page.placeLinks = (() => {
  const { toFragment } = page.address;
  const { element, parsed } = page.elements;
  const { FILES, CHANGES, MARKED } = page.state;

  /** Lets links lead to places `[file, line, ...]`, which are in the same order. */
  const lead = (selector, places) => {
    for (const [at, link] of document.querySelectorAll(selector).entries()) {
      const [file, line] = places[at];
      link.href = toFragment({ file: FILES[file].name, line });
    }
  };

  const adopt = () => {
    if (CHANGES !== null) {
      lead('.missed-places li a', CHANGES.missed);
      lead('.places.lost li a', CHANGES.lost);
    }
    if (MARKED !== null) lead('.marked a', MARKED.stale);
    if (element('unused') !== null) lead('#unused-functions tbody a', parsed('unused'));
    lead('.summary .missing a', FILES.filter(({ why }) => why !== undefined).map(({ at }) => [at]));
  };

  return { adopt };
})();
