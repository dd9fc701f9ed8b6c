// Ways out of the page: the open file at the host of its repository, and the address of what is shown.
page.outside = (() => {
  const { element, parsed, WORDS } = page.elements;
  const { addressOf } = page.host;
  const { view } = page.state;

  /** Time in milliseconds for which a button tells what it did. */
  const TOLD_FOR = 2000;
  const LINKS = element('host') === null ? null : parsed('host');

  /** Lets the link to the host lead to the current line of the open file. */
  const linkLine = () => {
    if (LINKS === null) return;
    const address = addressOf(LINKS, view.open.file, view.open.current);
    element('at-host').hidden = address === undefined;
    if (address !== undefined) element('at-host').href = address;
  };

  /** Copies a text without the clipboard, which only pages of a secure origin have. */
  const copyBySelection = (text) => {
    const field = document.createElement('textarea');
    field.value = text;
    field.readOnly = true;
    field.className = 'unseen';
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand('copy');
    field.remove();
    return isCopied;
  };

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  };

  const copyLink = async () => {
    const button = element('copy');
    button.dataset.label ||= button.textContent;
    button.textContent = await copied(location.href) ? WORDS.copied : WORDS.notCopied;
    setTimeout(() => {
      button.textContent = button.dataset.label;
    }, TOLD_FOR);
    button.focus();
  };

  const begin = () => element('copy').addEventListener('click', copyLink);

  return { begin, linkLine };
})();
