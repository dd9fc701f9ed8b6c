// The streams in the page, unpacked one by one when a file is opened, or all of them for a search.
page.packs = (() => {
  const { unpacked, cached } = page.streams;
  const { FILES, loaded } = page.state;

  /** Number of streams that are kept unpacked. */
  const KEPT_STREAMS = 8;
  /** Number of streams that are unpacked at once, because the browser does it beside the script. */
  const AT_ONCE = 4;
  const PACKS = document.getElementsByClassName('pack');

  const unpack = (pack) => unpacked(PACKS[pack].textContent);
  const streamOf = cached(async (pack) => {
    await loaded;
    return unpack(pack);
  }, KEPT_STREAMS);

  /** Returns figures and text of a file, as bytes. */
  const partsOf = async (file) => (await streamOf(file.pack))[file.slot];

  /** Unpacks all streams and calls a function with the files of each, their parts, and the share that is done. */
  // The function returns whether to go on. Between two streams the browser handles keys.
  const forEachStream = async (then) => {
    await loaded;
    const files = Array.from(PACKS, () => []);
    for (const file of FILES) files[file.pack].push(file);
    const waiting = [];
    let next = 0;
    const ahead = () => {
      while (waiting.length < AT_ONCE && next < files.length) {
        waiting.push(unpack(next));
        next += 1;
      }
    };
    for (let pack = 0; pack < files.length; pack += 1) {
      ahead();
      const parts = await waiting.shift();
      if (!then(files[pack].map((file) => ({ file, ...parts[file.slot] })), (pack + 1) / files.length)) return;
    }
  };

  return { partsOf, forEachStream };
})();
