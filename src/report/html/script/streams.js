// The reader of the compressed streams of files that html/packs.rs writes, without the DOM.
page.streams = (() => {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /** Returns the bytes of a text that has 13 bits in two digits to the base 93, and 6 bits in a digit at its end. */
  const fromCharacters = (text) => {
    const digit = (at) => {
      const code = text.charCodeAt(at);
      return code - (code > 60 ? 34 : 33);
    };
    const bytes = new Uint8Array((13 * (text.length >> 1) + 6 * (text.length & 1)) >> 3);
    let [at, held, bits] = [0, 0, 0];
    for (let from = 0; from < text.length; from += 2) {
      const isPair = from + 1 < text.length;
      held |= (isPair ? 93 * digit(from) + digit(from + 1) : digit(from)) << bits;
      for (bits += isPair ? 13 : 6; bits >= 8; bits -= 8) {
        bytes[at] = held;
        at += 1;
        held >>= 8;
      }
    }
    return bytes;
  };

  /** Returns functions that read numbers, tables and bytes one after the other. */
  const readerOf = (bytes) => {
    let at = 0;
    const number = () => {
      let [value, scale] = [0, 1];
      for (;;) {
        const byte = bytes[at];
        at += 1;
        value += (byte & 127) * scale;
        if (byte < 128) return value;
        scale *= 128;
      }
    };
    const table = (width) => {
      const flat = new Array(number() * width);
      for (let column = 0; column < width; column += 1) {
        for (let to = column; to < flat.length; to += width) flat[to] = number();
      }
      return flat;
    };
    const take = (length) => {
      at += length;
      return bytes.subarray(at - length, at);
    };
    return { number, table, take };
  };

  /** Splits a stream into the figures and the text of each file, as bytes; `null` for no text. */
  const filesOf = (bytes) => {
    const { number, take } = readerOf(bytes);
    const lengths = [];
    for (let left = number(); left > 0; left -= 1) lengths.push([number(), number()]);
    const figures = lengths.map(([length]) => take(length));
    return lengths.map(([, length], at) => ({ figures: figures[at], text: length === 0 ? null : take(length - 1) }));
  };

  /** Unpacks a text of the page into bytes. */
  const inflated = async (characters) => {
    const packed = new Blob([fromCharacters(characters)]);
    const stream = packed.stream().pipeThrough(new DecompressionStream('deflate-raw'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  /** Unpacks the files of a stream. */
  const unpacked = async (characters) => filesOf(await inflated(characters));

  /** Reads blocks, the origins of carried blocks and runs of lines as flat tables, functions, and what choices of runs cover. */
  const figuresOf = (bytes, withCarried, choices = 0) => {
    const { table, take } = readerOf(bytes);
    const [blocks, origins, lines, flat] = [table(6), withCarried ? table(1) : [], table(4), table(7)];
    // A block may end above its start, which is written as 2 ** 32 more.
    for (let at = 2; at < blocks.length; at += 6) blocks[at] |= 0;
    const functions = [];
    let line = 0;
    for (let at = 0; at < flat.length; at += 7) {
      const [receiver, name] = [take(flat[at]), take(flat[at + 1])].map((part) => utf8.decode(part));
      const first = (line + flat[at + 2]) >>> 0;
      line = (first + flat[at + 3]) >>> 0;
      functions.push([receiver, name, first, line, ...flat.slice(at + 4, at + 7)]);
    }
    const figures = { blocks, origins, lines, functions };
    if (choices === 0) return figures;
    const labels = { blocks: table(1), lines: table(4), functions: Array.from({ length: choices }, () => table(1)) };
    return { ...figures, labels };
  };

  /** Returns a function that loads each value once and keeps the newest ones. */
  const cached = (load, most) => {
    const kept = new Map();
    return (key) => {
      if (!kept.has(key)) {
        if (kept.size >= most) kept.delete(kept.keys().next().value);
        kept.set(key, load(key));
      }
      return kept.get(key);
    };
  };

  return { fromCharacters, readerOf, filesOf, inflated, unpacked, figuresOf, cached };
})();
