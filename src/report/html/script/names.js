// Names and source text in characters that people can see, without the DOM.
page.names = (() => {
  /** Control, bidi and other invisible characters: the same ones that Rust's `names::printable` replaces. */
  const UNSEEN = /[\p{Cc}\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/u;
  const UNSEEN_OR_REST = new RegExp(`(${UNSEEN.source})`, 'u');

  /** Returns a name with its invisible characters escaped as in Rust: `\u{202e}`. */
  const printable = (name) => name.split(UNSEEN_OR_REST)
    .map((part) => (part && UNSEEN.test(part) ? `\\u{${part.codePointAt(0).toString(16)}}` : part)).join('');

  const sign = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

  /** Splits source text into parts, each with whether it is a sign such as `U+202E` for an invisible character. */
  const signed = (text) => {
    // Most lines have tabs, which are drawn unchanged.
    if (!UNSEEN.test(text.replaceAll('\t', ''))) return [[text, false]];
    return text.split(UNSEEN_OR_REST).filter((part) => part !== '').map((part) => (
      part !== '\t' && UNSEEN.test(part) ? [sign(part), true] : [part, false]));
  };

  /** Returns the name of a function with its receiver, if it has one. */
  const qualified = (receiver, name) => (receiver === '' ? name : `${receiver}.${name}`);

  /** Returns the part of a path after its last slash. */
  const baseName = (name) => name.slice(name.lastIndexOf('/') + 1);

  /** Splits a path into its folders and its name, each in parts between which a line may break. */
  const pathParts = (name) => {
    const breakable = (text) => text.split(/(?<=[/_-])/);
    const parts = name.split(/(?<=\/)/);
    const last = parts.pop();
    return { folders: breakable(parts.join('')), base: breakable(last) };
  };

  /** Splits the name of a function between its words, such as `Cart.`, `Check` and `Out`. */
  const functionParts = (name) => name.split(/(?<=[\p{Ll}\d])(?=\p{Lu})|(?<=[._])/u);

  return { printable, signed, qualified, baseName, pathParts, functionParts };
})();
