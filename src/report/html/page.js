// What moves in the page of a report, after base.js. Everything that came from outside is put into the page as text,
// never as markup. The words are in page.html.
(() => {
  const { element, parsed, WORDS, filled, grouped, address, asked, settle } = shared;
  /** Packages, and of each its files: name, covered, statements, stream, which of that, why there is no source. */
  const INDEX = parsed('index');
  const FILES = INDEX.flatMap(([of, files]) => files.map(([base, covered, total, pack, slot, why]) => (
    { name: of === '' ? base : `${of}/${base}`, covered, total, pack, slot, why: why ?? undefined })));
  const PACKS = document.getElementsByClassName('pack');
  /** What changed since a base; `null` where that was not asked for. */
  const CHANGES = element('changes') === null ? null : parsed('changes');

  const percent = (covered, total) => `${(100 * covered / Math.max(total, 1)).toFixed(1)}%`;
  const grade = (covered, total) => {
    const share = 100 * covered / Math.max(total, 1);
    return total === 0 ? 'none' : share >= 80 ? 'high' : share >= 60 ? 'fair' : 'low';
  };

  /** Puts a path so that it breaks between its words, its folders quieter than its name. */
  const putPath = (into, name) => {
    const parts = name.split(/(?<=\/)/);
    const last = parts.pop();
    const folders = made('span', 'folder');
    const breakable = (text) => text.split(/(?<=[/_-])/).flatMap((part) => [part, document.createElement('wbr')]);
    folders.append(...breakable(parts.join('')));
    // Read aloud, every place where it may break would be a space.
    into.setAttribute('aria-label', name);
    into.replaceChildren(folders, ...breakable(last));
  };

  /** Makes an element with a class and a text. */
  const made = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  /** Control, bidi and other characters that nobody sees; Rust's `names::printable` names the same. */
  const UNSEEN = /[\p{Cc}\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/u;
  const UNSEEN_OR_REST = new RegExp(`(${UNSEEN.source})`, 'u');
  const code = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

  /** A name as people can read it. */
  const printable = (name) => name.split(UNSEEN_OR_REST)
    .map((part) => (part && UNSEEN.test(part) ? `\\u{${part.codePointAt(0).toString(16)}}` : part)).join('');

  // ---- the table of files --------------------------------------------------------------------------

  const table = element('files');
  const packages = [];
  let list = { sort: 'name', down: false, filter: '', uncovered: false, changed: false, flat: false };
  const START = { ...list };
  /** Files in the order of the table, those that are shown. */
  let inOrder = FILES;

  const base = (name) => name.slice(name.lastIndexOf('/') + 1);

  const adopt = () => {
    let at = 0;
    for (const body of [...table.tBodies]) {
      const [head, ...rows] = body.rows;
      const of = { body, row: head, covered: 0, total: 0, files: [], folded: false, change: { covered: 0, total: 0 } };
      for (const row of rows) {
        const file = FILES[at];
        Object.assign(file, { row, base: base(file.name), lower: file.name.toLowerCase(), of, at });
        // Where nothing runs, there is nowhere to go.
        row.querySelector('a').href = address({ file: file.name });
        of.covered += file.covered;
        of.total += file.total;
        of.files.push(file);
        file.change = CHANGES?.files[at];
        of.change.covered += file.change?.covered ?? 0;
        of.change.total += file.change?.total ?? 0;
        at += 1;
      }
      of.name = of.files[0].name.slice(0, Math.max(0, of.files[0].name.lastIndexOf('/')));
      of.fold = made('button', 'fold');
      of.fold.type = 'button';
      of.fold.setAttribute('aria-label', filled(WORDS.foldPackage, { name: head.cells[0].textContent }));
      of.fold.setAttribute('aria-expanded', 'true');
      of.fold.addEventListener('click', () => {
        of.folded = !of.folded;
        draw();
      });
      head.cells[0].prepend(of.fold);
      packages.push(of);
    }
  };

  const FIGURES = {
    name: (of) => of.base ?? of.name,
    percent: (of) => of.covered / Math.max(of.total, 1),
    covered: (of) => of.covered,
    uncovered: (of) => of.total - of.covered,
    total: (of) => of.total,
    // What did not change comes last either way.
    changed: ({ change }) => (change?.total > 0 ? change.total - change.covered : list.down ? -1 : Infinity),
  };

  const sorted = (rows, figure) => {
    const keyed = rows.map((row, at) => [figure(row), at, row]);
    const turn = list.down ? -1 : 1;
    keyed.sort(([a, i], [b, j]) => (a < b ? -turn : a > b ? turn : i - j));
    return keyed.map(([, , row]) => row);
  };

  /** Rows of a body of the table without packages: the browser lays out no body that is not near the screen. */
  const FLAT_ROWS = 100;
  let flatBodies = [];

  /** Orders the rows anew; only where the order changed, for thousands of rows take a while. */
  const order = () => {
    const figure = list.flat && list.sort === 'name' ? (of) => of.name : FIGURES[list.sort];
    const rows = document.createDocumentFragment();
    if (list.flat) {
      inOrder = sorted(packages.flatMap((of) => of.files), figure);
      for (const file of inOrder) {
        if (!file.folder) {
          file.folder = made('span', 'folder', printable(file.name.slice(0, file.name.length - file.base.length)));
          file.row.querySelector('a').prepend(file.folder);
        }
      }
      flatBodies = [];
      for (let at = 0; at < inOrder.length; at += FLAT_ROWS) {
        const [body, files] = [document.createElement('tbody'), inOrder.slice(at, at + FLAT_ROWS)];
        body.append(...files.map((file) => file.row));
        flatBodies.push({ body, files });
        rows.append(body);
      }
    } else {
      inOrder = [];
      for (const of of sorted(packages, figure)) {
        const files = sorted(of.files, figure);
        inOrder.push(...files);
        of.body.append(...files.map((file) => file.row));
        rows.append(of.body);
      }
    }
    for (const body of [...table.tBodies]) body.remove();
    table.append(rows);
    table.classList.toggle('flat', list.flat);
    tellOrder();
  };

  const tellOrder = () => {
    for (const button of table.tHead.querySelectorAll('button')) {
      const cell = button.closest('th');
      if (button.dataset.sort === list.sort) {
        cell.setAttribute('aria-sort', list.down ? 'descending' : 'ascending');
      } else {
        cell.removeAttribute('aria-sort');
      }
    }
  };

  /** Says how high a body is that was not laid out. */
  const tellRows = (body, rows) => body.style.setProperty('--rows', rows);

  /** Shows and hides rows. */
  const draw = () => {
    const words = list.filter.toLowerCase().split(/\s+/).filter((word) => word !== '');
    let shown = 0;
    let uncovered = 0;
    for (const of of packages) {
      let shownHere = 0;
      for (const file of of.files) {
        const fits = words.every((word) => file.lower.includes(word)) &&
          (!list.uncovered || file.covered < file.total) && (!list.changed || file.change?.changed);
        file.isShown = fits;
        if (fits) {
          shownHere += 1;
          uncovered += file.total - file.covered;
        }
        file.row.hidden = !fits || (of.folded && !list.flat);
      }
      shown += shownHere;
      of.row.hidden = shownHere === 0;
      of.fold.setAttribute('aria-expanded', String(!of.folded));
      tellRows(of.body, shownHere === 0 ? 0 : of.folded ? 1 : 1 + shownHere);
    }
    for (const { body, files } of list.flat ? flatBodies : []) {
      tellRows(body, files.filter((file) => file.isShown).length);
    }
    element('shown').value = filled(WORDS.shown, {
      shown: grouped(shown), all: grouped(FILES.length), uncovered: grouped(uncovered) });
    element('nothing').hidden = shown > 0;
    element('fold').textContent = packages.some((of) => !of.folded) ? WORDS.fold : WORDS.unfold;
    element('fold').disabled = list.flat;
  };

  const listAddress = () => address({
    sort: list.sort === START.sort && !list.down ? '' : (list.down ? '-' : '') + list.sort,
    filter: list.filter, uncovered: list.uncovered, changed: list.changed, flat: list.flat });

  const change = (to) => {
    const isOther = (name) => name in to && to[name] !== list[name];
    const isOrder = ['sort', 'down', 'flat'].some(isOther);
    const isNarrowed = isOther('changed');
    list = { ...list, ...to };
    element('filter').value = list.filter;
    element('uncovered').checked = list.uncovered;
    element('flat').checked = list.flat;
    if (isNarrowed) narrow();
    if (isOrder) order();
    draw();
  };

  /** Has the rows of changed files open them as the table is: with what changed alone, or whole. */
  const narrow = () => {
    element('changed').checked = list.changed;
    for (const at of Object.keys(CHANGES.files)) {
      const { name, row, change } = FILES[at];
      row.querySelector('a').href = address({ file: name, changed: list.changed && change.changed });
    }
  };

  const changeAndSettle = (to) => {
    change(to);
    settle(listAddress());
  };

  const listAsked = (values) => {
    const down = (values.sort ?? '').startsWith('-');
    const sort = (values.sort ?? '').replace(/^-/, '');
    return {
      sort: Object.hasOwn(FIGURES, sort) ? sort : START.sort, down,
      filter: values.filter ?? '', uncovered: values.uncovered === '1',
      changed: CHANGES !== null && values.changed === '1', flat: values.flat === '1' };
  };

  const walkRows = (by) => {
    const links = inOrder.filter((file) => !file.row.hidden).map((file) => file.row.querySelector('a'));
    const at = links.indexOf(document.activeElement);
    const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
    to?.focus();
    to?.scrollIntoView({ block: 'nearest' });
  };

  // ---- a file out of its stream --------------------------------------------------------------------

  const latin = new TextDecoder('windows-1252');
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  const streams = new Map();
  const KEPT_STREAMS = 8;

  /** Streams stand below this script, and the table works before they are here. */
  const loaded = new Promise((done) => {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', done, { once: true });
    else done();
  });

  /** Bytes of a text that has 13 bits in two digits to the base 93; one digit at its end has 6. */
  const fromCharacters = (text) => {
    const digit = (at) => {
      const code = text.charCodeAt(at);
      return code - (code > 60 ? 34 : 33);
    };
    const bytes = new Uint8Array((13 * (text.length >> 1) + 6 * (text.length & 1)) >> 3);
    let [at, held, bits] = [0, 0, 0];
    for (let of = 0; of < text.length; of += 2) {
      const isPair = of + 1 < text.length;
      held |= (isPair ? 93 * digit(of) + digit(of + 1) : digit(of)) << bits;
      for (bits += isPair ? 13 : 6; bits >= 8; bits -= 8) {
        bytes[at] = held;
        at += 1;
        held >>= 8;
      }
    }
    return bytes;
  };

  /** Reads what packs.rs wrote. */
  const reader = (bytes) => {
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

  /** Returns of each file of a stream its figures and its text, both as bytes. */
  const unpack = async (pack) => {
    await loaded;
    const packed = new Blob([fromCharacters(PACKS[pack].textContent)]);
    const stream = packed.stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const { number, take } = reader(new Uint8Array(await new Response(stream).arrayBuffer()));
    const lengths = [];
    for (let left = number(); left > 0; left -= 1) lengths.push([number(), number()]);
    const figures = lengths.map(([length]) => take(length));
    return lengths.map(([, length], at) => ({ figures: figures[at], text: length === 0 ? null : take(length - 1) }));
  };

  const unpacked = (pack) => {
    if (!streams.has(pack)) {
      if (streams.size >= KEPT_STREAMS) streams.delete(streams.keys().next().value);
      streams.set(pack, unpack(pack));
    }
    return streams.get(pack);
  };

  /** Returns blocks, lines and functions of a file, and its text as bytes. */
  const read = async (file) => {
    const { figures, text } = (await unpacked(file.pack))[file.slot];
    const { table, take } = reader(figures);
    const [blocks, lines, flat] = [table(6), table(4), table(7)];
    // What goes back is 2 ** 32 less.
    for (let at = 2; at < blocks.length; at += 6) blocks[at] |= 0;
    const functions = [];
    let line = 0;
    for (let at = 0; at < flat.length; at += 7) {
      const [receiver, name] = [take(flat[at]), take(flat[at + 1])].map((part) => utf8.decode(part));
      const first = (line + flat[at + 2]) >>> 0;
      line = (first + flat[at + 3]) >>> 0;
      functions.push([receiver, name, first, line, ...flat.slice(at + 4, at + 7)]);
    }
    return { blocks, lines, functions, bytes: text };
  };

  // ---- Go, as far as colours need it ----------------------------------------------------------------

  const KEYWORDS = new Set(('break case chan const continue default defer else fallthrough for func go goto if ' +
    'import interface map package range return select struct switch type var').split(' '));
  const isWord = (c) => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c > 127 || (c >= 48 && c <= 57);

  /** Returns the parts to colour, each as its begin, end and kind, one after the other. */
  const tokens = (text) => {
    const found = [];
    const size = text.length;
    const until = (mark, from) => {
      const at = text.indexOf(mark, from);
      return at < 0 ? size : at + mark.length;
    };
    let at = 0;
    while (at < size) {
      const c = text.charCodeAt(at);
      const start = at;
      if (c === 47 && text.charCodeAt(at + 1) === 47) {
        const end = text.indexOf('\n', at);
        at = end < 0 ? size : end;
        found.push(start, at, 'c');
      } else if (c === 47 && text.charCodeAt(at + 1) === 42) {
        at = until('*/', at + 2);
        found.push(start, at, 'c');
      } else if (c === 96) {
        at = until('`', at + 1);
        found.push(start, at, 's');
      } else if (c === 34 || c === 39) {
        at += 1;
        while (at < size) {
          const inner = text.charCodeAt(at);
          if (inner === 10) break;
          at += inner === 92 ? 2 : 1;
          if (inner === c) break;
        }
        at = Math.min(at, size);
        found.push(start, at, 's');
      } else if (isWord(c)) {
        while (at < size && isWord(text.charCodeAt(at))) at += 1;
        if (c >= 48 && c <= 57) found.push(start, at, 'd');
        else if (at - start <= 11 && KEYWORDS.has(text.slice(start, at))) found.push(start, at, 'k');
      } else {
        at += 1;
      }
    }
    return found;
  };

  // ---- the source of one file ----------------------------------------------------------------------

  const CHUNK = 200;
  /** Functions that are put into the list at once, more than there is room for. */
  const SOME = 50;
  /** Files up to so many lines are drawn whole, bit by bit, so that the browser's own search finds all. */
  const WHOLE = 20000;
  /** Characters of a line that are drawn unasked. */
  const LONGEST = 2000;
  const STATES = ['', 'hit', 'partly', 'missed'];

  /** The file that is open; `null` in the table. */
  let open = null;
  let turn = 0;
  let withCounts = false;
  /** Of a file only what changed is shown, and walked through. */
  let onlyChanged = false;

  /** Lays blocks, which may overlap, beside each other: begin, end and block, one after the other. */
  const laid = (blocks, starts, size) => {
    const lineCount = starts.length - 1;
    const offset = (line, column) => {
      if (line < 1) return 0;
      if (line > lineCount) return size;
      return Math.min(starts[line - 1] + Math.max(column - 1, 0), starts[line] - 1);
    };
    const events = [];
    blocks.forEach((block, index) => {
      const from = offset(block.line, block.column);
      const to = offset(block.endLine, block.endColumn);
      if (from < to) events.push([from, 1, index], [to, 0, index]);
    });
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const found = [];
    const stack = [];
    const isOver = new Uint8Array(blocks.length);
    let since = 0;
    for (const [at, begins, index] of events) {
      if (stack.length > 0 && since < at) found.push(since, at, stack[stack.length - 1]);
      since = at;
      if (begins) stack.push(index);
      else isOver[index] = 1;
      while (stack.length > 0 && isOver[stack[stack.length - 1]]) stack.pop();
    }
    return found;
  };

  const countWords = (count) => (count === 0 ? WORDS.block[3] : count === 1 ? WORDS.block[4]
    : filled(WORDS.block[5], { n: grouped(count) }));
  const blockTitle = ({ statements, count }) => filled(WORDS.block[0], {
    statements: statements === 1 ? WORDS.block[1] : filled(WORDS.block[2], { n: grouped(statements) }),
    count: countWords(count) });
  const short = (count) => (count < 10000 ? grouped(count)
    : new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(count));

  const laidOut = (file, { blocks: flatBlocks, lines: runs, functions, bytes }) => {
    const blocks = [];
    let line = 0;
    for (let at = 0; at < flatBlocks.length; at += 6) {
      line += flatBlocks[at];
      blocks.push({
        line, column: flatBlocks[at + 1], endLine: line + flatBlocks[at + 2], endColumn: flatBlocks[at + 3],
        statements: flatBlocks[at + 4], count: flatBlocks[at + 5] });
    }
    const ranges = [];
    const runsOf = [];
    let end = 0;
    let most = 1;
    let isRange = false;
    for (let at = 0; at < runs.length; at += 4) {
      const first = end + runs[at];
      end = first + runs[at + 1] - 1;
      const [state, count] = [runs[at + 2], runs[at + 3]];
      runsOf.push({ first, last: end, state, count });
      most = Math.max(most, count);
      if (state > 1 && isRange) ranges[ranges.length - 1].last = end;
      else if (state > 1) ranges.push({ first, last: end });
      isRange = state > 1;
    }
    const added = file.change?.added ?? [];
    const turned = file.change?.turned ?? [];
    const missed = walkOf('missed', file).map(([, first, last]) => ({ first, last }));
    const shared = { file, blocks, ranges, missed, added, turned, runs: runsOf, functions, most, bytes, current: 0 };
    if (bytes === null) return { ...shared, lineCount: 0 };
    const text = latin.decode(bytes);
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    if (starts[starts.length - 1] < text.length) starts.push(text.length + 1);
    const lineCount = starts.length - 1;
    const states = new Uint8Array(lineCount + 1);
    const counts = new Float64Array(lineCount + 1);
    for (const run of runsOf) {
      for (let at = run.first; at <= Math.min(run.last, lineCount); at += 1) {
        states[at] = run.state;
        counts[at] = run.count;
      }
    }
    return {
      ...shared, text, starts, lineCount, states, counts,
      tokens: tokens(text), segments: laid(blocks, starts, text.length) };
  };

  /** Index of the first triple that ends after a byte. */
  const firstAfter = (triples, at) => {
    let [low, high] = [0, triples.length / 3];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (triples[3 * middle + 1] > at) high = middle;
      else low = middle + 1;
    }
    return 3 * low;
  };

  /** Text of some bytes, with a sign for what cannot be seen. */
  const putText = (into, from, to) => {
    let text = open.text.slice(from, to);
    if (/[\u0080-\uffff]/.test(text)) text = utf8.decode(open.bytes.subarray(from, to));
    if (!UNSEEN.test(text.replaceAll('\t', ''))) {
      into.append(text);
      return;
    }
    for (const part of text.split(UNSEEN_OR_REST)) {
      if (part !== '\t' && UNSEEN.test(part)) into.append(made('span', 'odd', code(part)));
      else into.append(part);
    }
  };

  const putCode = (into, from, to) => {
    const { tokens: words, segments, blocks } = open;
    let word = firstAfter(words, from);
    let segment = firstAfter(segments, from);
    let at = from;
    while (at < to) {
      // Up to where the block changes.
      let [end, block] = [to, -1];
      if (segment < segments.length) {
        if (segments[segment] > at) end = Math.min(to, segments[segment]);
        else [end, block] = [Math.min(to, segments[segment + 1]), segments[segment + 2]];
      }
      let place = into;
      // What indents a line is part of no statement, though a block goes on over it.
      if (block >= 0 && at === from && segments[segment] < from) {
        while (at < end && (open.text.charCodeAt(at) === 9 || open.text.charCodeAt(at) === 32)) at += 1;
        if (at > from) putText(into, from, at);
      }
      if (block >= 0 && at < end) {
        const { count } = blocks[block];
        place = made('span', count > 0 ? 'on' : 'off');
        if (segments[segment] === at) place.classList.add('from');
        place.title = blockTitle(blocks[block]);
        into.append(place);
      }
      while (at < end) {
        while (word < words.length && words[word + 1] <= at) word += 3;
        if (word >= words.length || words[word] >= end) {
          putText(place, at, end);
          at = end;
        } else if (words[word] > at) {
          putText(place, at, words[word]);
          at = words[word];
        } else {
          const stop = Math.min(words[word + 1], end);
          const span = made('span', words[word + 2]);
          putText(span, at, stop);
          place.append(span);
          at = stop;
        }
      }
      while (segment < segments.length && segments[segment + 1] <= at) segment += 3;
    }
  };

  const gutter = (line, state, count) => {
    const node = made('span', 'gutter');
    const number = made('a', 'number-of-line', line);
    number.href = addressOf(line);
    number.setAttribute('aria-label', filled(WORDS.line, { line }));
    number.tabIndex = -1;
    const mark = made('span', 'mark');
    if (state > 0) {
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', WORDS.lines[STATES[state]]);
      mark.title = `${WORDS.lines[STATES[state]]}: ${countWords(count)}`;
    }
    node.append(number);
    if (CHANGES !== null) node.append(...changeMarks(line, state));
    node.append(mark, made('span', 'count-of-line', state > 0 ? `${short(count)}\u00d7` : ''));
    return node;
  };

  const drawnLine = (line) => {
    const { text, starts, states, counts, most } = open;
    const state = states[line];
    const node = made('div', `line ${STATES[state]}`);
    node.id = `L${line}`;
    node.tabIndex = -1;
    if (state > 0) {
      node.style.setProperty('--heat', (Math.log1p(counts[line]) / Math.log1p(most)).toFixed(2));
    }
    const from = starts[line - 1];
    let to = starts[line] - 1;
    if (to > from && text.charCodeAt(to - 1) === 13) to -= 1;
    const cut = Math.min(to, from + LONGEST);
    const place = document.createElement('code');
    putCode(place, from, cut);
    if (STATES[state] === 'partly') {
      // Which part that is, only colours and a line below it say.
      for (const part of place.getElementsByClassName('off')) {
        part.setAttribute('role', 'group');
        part.setAttribute('aria-label', WORDS.lines.missed);
      }
    }
    node.append(gutter(line, state, counts[line]), place);
    if (cut < to) {
      const more = made('button', '', filled(WORDS.more, { n: grouped(to - cut) }));
      more.type = 'button';
      more.addEventListener('click', () => {
        more.remove();
        putCode(place, cut, to);
        node.focus({ preventScroll: true });
      });
      node.append(more);
    }
    if (line === open.current) node.classList.add('current');
    return node;
  };

  const fill = (chunk) => {
    if (chunk.hasChildNodes() || !chunk.isConnected) return;
    const [first, last] = spanOf(chunk);
    const lines = document.createDocumentFragment();
    for (let line = first; line <= last; line += 1) lines.append(drawnLine(line));
    chunk.append(lines);
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) fill(entry.target);
  }, { rootMargin: '1500px 0px' });

  const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 30));

  const fillRest = (of) => {
    if (turn !== of || open === null || open.lineCount > WHOLE) return;
    const next = [...element('code').children].find((chunk) => !chunk.hasChildNodes());
    if (next === undefined) return;
    fill(next);
    whenIdle(() => fillRest(of));
  };

  /** First and last line of a part of the source. */
  const spanOf = (part) => [Number(part.dataset.first), Number(part.dataset.last)];

  const spanning = (part, first, last) => {
    part.dataset.first = first;
    part.dataset.last = last;
    return part;
  };

  const chunksOf = (first, last) => {
    const chunks = [];
    for (let from = first; from <= last; from += CHUNK) {
      const chunk = spanning(made('div', 'chunk'), from, Math.min(from + CHUNK - 1, last));
      chunk.style.setProperty('--lines', Math.min(CHUNK, last - from + 1));
      chunks.push(chunk);
    }
    return chunks;
  };

  /** Draws the part of the source that a line is in. */
  const partWith = (line) => {
    const part = [...element('code').children].find((part) => Number(part.dataset.last) >= line);
    if (part === undefined) return;
    if (part.classList.contains('folded')) unfold(part, line);
    else fill(part);
  };

  const drawSource = () => {
    watcher.disconnect();
    const parts = [];
    let next = 1;
    for (const [first, last] of onlyChanged ? aroundChanges() : [[1, open.lineCount]]) {
      if (next < first) parts.push(foldOf(next, first - 1));
      parts.push(...chunksOf(first, last));
      next = last + 1;
    }
    if (next <= open.lineCount) parts.push(foldOf(next, open.lineCount));
    element('code').replaceChildren(...parts);
    const chunks = parts.filter((part) => part.classList.contains('chunk'));
    let drawn = 0;
    for (const chunk of chunks) {
      if (drawn >= CHUNK) break;
      fill(chunk);
      drawn += chunk.childElementCount;
    }
    for (const chunk of chunks) watcher.observe(chunk);
    const now = turn;
    whenIdle(() => fillRest(now));
  };

  /** Where there is no text: the lines that the profile knows, run by run. */
  const drawRuns = () => {
    watcher.disconnect();
    open.runs = runsByChange();
    element('code').replaceChildren(...open.runs.filter((run) => !onlyChanged || rangeWith(open.added, run.first)).map((run) => {
      const node = made('div', `line ${STATES[run.state]}`);
      node.id = `L${run.first}`;
      node.tabIndex = -1;
      node.append(gutter(run.first, run.state, run.count), made('span', 'gap',
        `${lineWords(run)}: ${WORDS.lines[STATES[run.state]]}`));
      return node;
    }));
  };

  const lineWords = ({ first, last }) => filled(first === last ? WORDS.oneLine : WORDS.moreLines, { first, last });

  const bar = (covered, total) => {
    const SVG = 'http://www.w3.org/2000/svg';
    const node = document.createElementNS(SVG, 'svg');
    const part = document.createElementNS(SVG, 'rect');
    const attributes = [['class', `bar ${grade(covered, total)}`], ['viewBox', '0 0 100 8'],
      ['preserveAspectRatio', 'none'], ['aria-hidden', 'true']];
    for (const [name, value] of attributes) node.setAttribute(name, value);
    part.setAttribute('width', (100 * covered / Math.max(total, 1)).toFixed(1));
    part.setAttribute('height', '8');
    node.append(part);
    return node;
  };

  const drawFunctions = () => {
    const { functions } = open;
    element('function-count').textContent = grouped(functions.length);
    element('functions').hidden = functions.length === 0;
    element('function-list').replaceChildren();
    const now = turn;
    const drawFrom = (at) => {
      if (turn !== now || at >= functions.length) return;
      appendFunctions(functions.slice(at, at + SOME));
      whenIdle(() => drawFrom(at + SOME));
    };
    drawFrom(0);
  };

  const appendFunctions = (functions) => {
    element('function-list').append(...functions.map(([receiver, name, line, , covered, total, count]) => {
      const link = document.createElement('a');
      link.href = addressOf(line);
      link.title = filled(WORDS.function, { covered: grouped(covered), total: grouped(total), count: countWords(count) });
      link.append(
        made('span', 'what', printable(receiver === '' ? name : `${receiver}.${name}`)),
        made('span', `percent ${grade(covered, total)}`, total === 0 ? '–' : percent(covered, total)), bar(covered, total));
      const item = document.createElement('li');
      item.append(link);
      return item;
    }));
  };

  const message = (text) => {
    element('message').hidden = text === '';
    element('message').textContent = text;
  };

  const tellPlace = (text) => {
    element('place').value = text;
  };

  /** What `n` and `p` go through. */
  const rangesToWalk = () => (onlyChanged ? open.missed : open.ranges);

  const tellRanges = () => {
    const number = rangesToWalk().length;
    const words = onlyChanged ? WORDS.changedRanges : WORDS.ranges;
    tellPlace(filled(words[number > 1 ? 'n' : number], { n: grouped(number) }));
  };

  /** Has a line that takes the focus say what it is; those that are read one after the other say it in parts. */
  const nameLine = (node, line) => {
    const place = node.querySelector('code');
    const state = STATES[open.states?.[line] ?? 0];
    const said = [filled(WORDS.line, { line }), ...(state === '' ? [] : [WORDS.lines[state]])].join(', ');
    node.setAttribute('role', 'group');
    node.setAttribute('aria-label', place === null ? node.querySelector('.gap').textContent
      : `${said}: ${place.textContent.slice(0, LONGEST).trim()}`);
  };

  /** Makes a line the current one and shows it. */
  const goTo = (line, takesFocus) => {
    if (open.bytes === null) {
      const run = open.runs.find((run) => run.last >= line);
      line = run === undefined ? 0 : run.first;
    } else {
      line = Math.min(Math.max(line, 1), open.lineCount);
      partWith(line);
    }
    const before = element('code').querySelector('.current');
    before?.classList.remove('current');
    before?.removeAttribute('role');
    before?.removeAttribute('aria-label');
    open.current = line;
    tellWalks();
    const node = element(`L${line}`);
    if (node === null) return;
    node.classList.add('current');
    node.scrollIntoView({ block: 'center', inline: 'nearest' });
    if (!takesFocus) return;
    nameLine(node, line);
    node.focus({ preventScroll: true });
  };

  const walkRanges = (by) => {
    if (open === null) return;
    const { current } = open;
    const ranges = rangesToWalk();
    const at = by > 0 ? ranges.findIndex((range) => range.first > current)
      : ranges.findLastIndex((range) => range.first < current);
    if (at < 0) {
      tellPlace(ranges.length === 0 ? (onlyChanged ? WORDS.changedRanges : WORDS.ranges)[0] : by > 0 ? WORDS.end : WORDS.begin);
      return;
    }
    goTo(ranges[at].first, true);
    settle(addressOf(ranges[at].first));
    tellPlace(filled(WORDS.range, {
      at: grouped(at + 1), all: grouped(ranges.length), lines: lineWords(ranges[at]) }));
  };

  const walkFiles = (by) => {
    // Before the table was drawn all are shown.
    const shown = inOrder.filter((file) => file.isShown !== false || file === open?.file);
    const to = shown[shown.indexOf(open?.file) + by];
    if (to !== undefined) location.hash = address({ file: to.name, changed: onlyChanged });
  };

  // ---- what changed --------------------------------------------------------------------------------

  /** Lines that are shown before and after those that changed. */
  const AROUND = 3;

  /** Returns the range that a line is in, of ascending ones. */
  const rangeWith = (ranges, line) => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][1] < line) low = middle + 1;
      else high = middle;
    }
    return ranges[low]?.[0] <= line ? ranges[low] : undefined;
  };

  const addressOf = (line) => address({ file: open.file.name, line: line || '', changed: onlyChanged });

  /** Whether a line changed, and where two states are compared what became of it. */
  const changeMarks = (line, state) => {
    const came = rangeWith(open.added, line) !== undefined;
    const change = made('span', 'plus', came ? '+' : '');
    if (came) {
      change.setAttribute('role', 'img');
      change.setAttribute('aria-label', WORDS.changed);
      change.title = WORDS.changed;
    }
    if (CHANGES.categories === null) return [change];
    const category = made('span', 'category');
    if (state > 0) {
      const name = rangeWith(open.turned, line)?.[2] ?? (state < 3 ? (came ? 'GNC' : 'CBC') : came ? 'UNC' : 'UBC');
      const said = filled(WORDS.category, { name, meaning: CHANGES.categories[name] });
      category.textContent = name;
      category.classList.add(name);
      category.setAttribute('role', 'img');
      category.setAttribute('aria-label', said);
      category.title = said;
    }
    return [change, category];
  };

  /** Returns the lines that changed with those around them, as ranges. */
  const aroundChanges = () => {
    const ranges = [];
    for (const [first, last] of open.added) {
      const [from, to] = [Math.max(1, first - AROUND), Math.min(open.lineCount, last + AROUND)];
      const before = ranges[ranges.length - 1];
      // A fold of one line would take as much room as the line.
      if (before !== undefined && from <= before[1] + 2) before[1] = Math.max(before[1], to);
      else if (from <= to) ranges.push([from, to]);
    }
    return ranges;
  };

  /** Returns what stands for lines that are not shown. */
  const foldOf = (first, last) => {
    const fold = spanning(made('div', 'folded'), first, last);
    const number = last - first + 1;
    const lines = number === 1 ? WORDS.folded[0] : filled(WORDS.folded[1], { n: grouped(number) });
    // The function that what follows is of.
    const inside = open.functions.find(([, , from, to]) => from <= last && last < to);
    const name = inside === undefined ? '' : printable(inside[0] === '' ? inside[1] : `${inside[0]}.${inside[1]}`);
    const button = made('button', '', name === '' ? lines : filled(WORDS.foldedIn, { lines, function: name }));
    button.type = 'button';
    button.title = filled(WORDS.unfoldLines, { lines });
    button.addEventListener('click', () => {
      unfold(fold, first);
      goTo(first, true);
    });
    fold.append(button);
    return fold;
  };

  /** Shows the lines of a fold, and draws those around one of them. */
  const unfold = (fold, line) => {
    const chunks = chunksOf(...spanOf(fold));
    fold.replaceWith(...chunks);
    for (const chunk of chunks) watcher.observe(chunk);
    fill(chunks.find((chunk) => Number(chunk.dataset.last) >= line));
    const now = turn;
    whenIdle(() => fillRest(now));
  };

  /** Splits runs of lines where the change of their lines does. */
  const runsByChange = () => open.runs.flatMap((run) => {
    const ends = [...open.added, ...open.turned].flatMap(([first, last]) => [first, last + 1]);
    const firsts = [run.first, ...ends.filter((line) => run.first < line && line <= run.last).sort((a, b) => a - b)];
    const distinct = [...new Set(firsts)];
    return distinct.map((first, at) => ({ ...run, first, last: (distinct[at + 1] ?? run.last + 1) - 1 }));
  });

  const setOnlyChanged = (to) => {
    if (CHANGES === null || to === onlyChanged) return;
    onlyChanged = to;
    element('only-changed').setAttribute('aria-pressed', String(to));
    if (open === null) return;
    const { current } = open;
    if (open.bytes === null) drawRuns();
    else drawSource();
    drawFunctions();
    tellRanges();
    // Where one was, unless that is folded now.
    const isShown = !to || open.bytes === null || rangeWith(aroundChanges(), current) !== undefined;
    if (current > 0 && isShown) goTo(current, document.activeElement === document.body);
    else window.scrollTo(0, 0);
  };

  /** Places of all files that are walked through: index of the file, first and last line. */
  const WALKS = { missed: CHANGES?.missed ?? [], lost: CHANGES?.lost ?? [] };
  /** The places that were walked to last. */
  const walked = { missed: -1, lost: -1 };

  const walkOf = (kind, file) => WALKS[kind].filter(([at]) => at === file.at);

  const tellWalks = () => {
    for (const [kind, walk] of Object.entries(WALKS)) {
      if (walk.length === 0) continue;
      const { file, current } = open;
      const at = walk.findIndex(([of, first, last]) => of === file.at && first <= current && current <= last);
      element(`${kind}-place`).value = filled(at < 0 ? WORDS.unwalked : WORDS.walked, {
        at: grouped(at + 1), all: grouped(walk.length) });
    }
  };

  /** Goes to the next or previous place of all files. */
  const walkAll = (kind, by) => {
    const walk = WALKS[kind];
    const start = by > 0 ? 0 : walk.length - 1;
    let to = start;
    if (open !== null) {
      const isHere = ([at]) => at === open.file.at;
      const isOn = (place) => isHere(place) && (by > 0 ? place[1] > open.current : place[1] < open.current);
      const own = by > 0 ? walk.findLastIndex(isHere) : walk.findIndex(isHere);
      to = by > 0 ? walk.findIndex(isOn) : walk.findLastIndex(isOn);
      if (to < 0 && own >= 0) to = own + by;
      else if (to < 0) to = walked[kind] < 0 ? start : walked[kind] + by;
    }
    const place = walk[to];
    if (place === undefined) {
      if (open !== null) tellPlace(walk.length === 0 ? WORDS.none[kind] : by > 0 ? WORDS.walkEnd : WORDS.walkBegin);
      return;
    }
    walked[kind] = to;
    const [at, line] = place;
    if (open?.file.at === at) {
      goTo(line, true);
      settle(addressOf(line));
      tellRanges();
    } else {
      location.hash = address({ file: FILES[at].name, line, changed: onlyChanged });
    }
  };

  const byName = new Map(FILES.map((file) => [file.name, file]));

  const showFile = async (name, line) => {
    if (open?.file.name === name) {
      if (line > 0) goTo(line, true);
      return;
    }
    turn += 1;
    const now = turn;
    delete document.body.dataset.shown;
    element('overview').hidden = true;
    element('view').hidden = false;
    putPath(element('path'), printable(name));
    element('back').href = listAddress();
    const file = byName.get(name);
    const { covered = 0, total = 0 } = file ?? {};
    document.title = filled(WORDS.title, { percent: percent(covered, total), name: printable(base(name)) });
    element('file-percent').textContent = file === undefined ? '' : percent(covered, total);
    element('file-percent').className = `percent ${grade(covered, total)}`;
    element('file-figures').textContent = file === undefined ? ''
      : filled(WORDS.statements, { covered: grouped(covered), total: grouped(total) });
    open = null;
    element('code').replaceChildren();
    element('functions').hidden = true;
    tellPlace('');
    message('');
    if (CHANGES !== null) {
      const { change } = file ?? {};
      element('file-changed').textContent = change?.total > 0
        ? filled(WORDS.changedLines, { covered: grouped(change.covered), total: grouped(change.total) })
        : change?.changed ? filled(WORDS.notCounted, { why: change.why ?? '' }) : WORDS.unchanged;
    }
    window.scrollTo(0, 0);
    if (file === undefined) {
      message(filled(WORDS.unknown, { name: printable(name) }));
      return;
    }
    if (!('DecompressionStream' in window)) {
      message(WORDS.tooOld);
      return;
    }
    let found;
    try {
      found = laidOut(file, await read(file));
    } catch (error) {
      if (turn === now) message(filled(WORDS.broken, { why: String(error) }));
      return;
    }
    // Another was asked for meanwhile.
    if (turn !== now) return;
    open = found;
    if (open.bytes === null) {
      message(file.why === undefined ? WORDS.moved : filled(WORDS.noSource, { why: printable(file.why) }));
      drawRuns();
    } else {
      if (file.why !== undefined) message(filled(WORDS.unparsed, { why: printable(file.why) }));
      drawSource();
    }
    drawFunctions();
    tellRanges();
    tellWalks();
    const under = element('view').querySelector('.bar-of-file').offsetHeight;
    element('view').style.setProperty('--under', `${under}px`);
    if (line > 0) goTo(line, true);
    else element('path').focus({ preventScroll: true });
    document.body.dataset.shown = name;
  };

  const showList = (values) => {
    const from = open?.file;
    const isBack = !element('view').hidden;
    turn += 1;
    open = null;
    delete document.body.dataset.shown;
    element('view').hidden = true;
    element('overview').hidden = false;
    element('code').replaceChildren();
    document.title = title;
    change(listAsked(values));
    if (from?.isShown) {
      const link = from.row.querySelector('a');
      link.scrollIntoView({ block: 'center' });
      link.focus({ preventScroll: true });
    } else if (isBack) {
      // What had the focus is gone.
      element('home').focus();
    }
  };

  const title = document.title;

  const route = () => {
    const values = asked();
    if (values.file !== undefined) {
      if (open?.file.name !== values.file) open = null;
      setOnlyChanged(values.changed === '1');
      showFile(values.file, Number.parseInt(values.line ?? '', 10) || 0);
    } else showList(values);
  };

  // ---- switches and keys ---------------------------------------------------------------------------

  const setCounts = (to) => {
    withCounts = to;
    element('counts').setAttribute('aria-pressed', String(to));
    element('code').classList.toggle('counts', to);
  };

  const goBack = () => {
    location.hash = listAddress();
  };

  const isInTable = () => !element('overview').hidden;
  const KEYS = {
    n: () => walkRanges(1),
    p: () => walkRanges(-1),
    c: () => setCounts(!withCounts),
    ']': () => walkFiles(1),
    '[': () => walkFiles(-1),
    j: () => isInTable() && walkRows(1),
    k: () => isInTable() && walkRows(-1),
    u: () => isInTable() && changeAndSettle({ uncovered: !list.uncovered }),
    '/': () => {
      if (!isInTable()) goBack();
      setTimeout(() => element('filter').select(), 0);
    },
    Escape: () => (isInTable() ? element('filter').value !== '' && changeAndSettle({ filter: '' }) : goBack()),
  };

  const toggleChanged = () => {
    if (isInTable()) {
      changeAndSettle({ changed: !list.changed });
    } else {
      setOnlyChanged(!onlyChanged);
      if (open !== null) settle(addressOf(open.current));
    }
  };

  if (CHANGES !== null) {
    Object.assign(KEYS, { m: () => walkAll('missed', 1), M: () => walkAll('missed', -1), d: toggleChanged });
    if (CHANGES.categories !== null) Object.assign(KEYS, { l: () => walkAll('lost', 1), L: () => walkAll('lost', -1) });
  }

  const begin = () => {
    adopt();
    shared.begin(KEYS);
    element('age').textContent = filled(WORDS.age, { age: shared.age(element('age').dataset.since) ?? WORDS.now });
    element('filter').addEventListener('input', (event) => changeAndSettle({ filter: event.target.value }));
    element('uncovered').addEventListener('change', (event) => changeAndSettle({ uncovered: event.target.checked }));
    element('flat').addEventListener('change', (event) => changeAndSettle({ flat: event.target.checked }));
    element('tools').addEventListener('submit', (event) => event.preventDefault());
    element('fold').addEventListener('click', () => {
      const folded = packages.some((of) => !of.folded);
      for (const of of packages) of.folded = folded;
      draw();
    });
    for (const button of table.tHead.querySelectorAll('button')) {
      button.addEventListener('click', () => {
        const { sort } = button.dataset;
        // What is to be looked at first comes first: names from a, the least covered, the largest.
        const first = sort !== 'name' && sort !== 'percent';
        changeAndSettle({ sort, down: list.sort === sort ? !list.down : first });
      });
    }
    element('next').addEventListener('click', KEYS.n);
    element('previous').addEventListener('click', KEYS.p);
    element('counts').addEventListener('click', KEYS.c);
    if (CHANGES !== null) {
      const keys = {
        'only-changed': 'd', 'first-missed': 'm', 'next-missed': 'm', 'previous-missed': 'M',
        'first-lost': 'l', 'next-lost': 'l', 'previous-lost': 'L' };
      for (const [id, key] of Object.entries(keys)) element(id)?.addEventListener('click', KEYS[key]);
      element('changed').addEventListener('change', (event) => changeAndSettle({ changed: event.target.checked }));
    }
    window.addEventListener('hashchange', route);
    window.addEventListener('beforeprint', () => {
      if (open === null) return;
      for (const chunk of element('code').children) fill(chunk);
    });
    // The page has them in the order of their names.
    tellOrder();
    route();
  };

  begin();
})();
