// Switches of every page: light or dark, and keys with the dialog that lists them.
page.switches = (() => {
  const { element, WORDS } = page.elements;
  const THEMES = ['auto', 'dark', 'light'];
  let theme = THEMES[0];

  const store = (name, value) => {
    try {
      localStorage.setItem(`goc-watchdog-${name}`, value);
    } catch {
      // Browsers forbid storage to some pages, such as local files.
    }
  };

  /** Returns the stored value, or the first possible one. */
  const stored = (name, values) => {
    try {
      const value = localStorage.getItem(`goc-watchdog-${name}`);
      return values.includes(value) ? value : values[0];
    } catch {
      return values[0];
    }
  };

  const setTheme = (to) => {
    theme = to;
    if (to === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
    element('theme').textContent = WORDS.theme[to];
  };

  const nextTheme = () => {
    setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
    store('theme', theme);
  };

  /** Starts the switches, and a function for each key; `?` and `t` are added. */
  const begin = (keys) => {
    Object.assign(keys, { '?': () => element('keys').showModal(), t: nextTheme });
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return;
      if (event.target.matches('input[type=search], select') && event.key !== 'Escape') return;
      if (!Object.hasOwn(keys, event.key)) return;
      // Dictation software would press keys with every word, so keys can be switched off.
      if (!element('keys-on').checked && event.key !== 'Escape') return;
      event.preventDefault();
      keys[event.key]();
    });
    setTheme(stored('theme', THEMES));
    element('theme').addEventListener('click', nextTheme);
    element('help').addEventListener('click', keys['?']);
    element('keys-on').checked = stored('keys', ['on', 'off']) === 'on';
    element('keys-on').addEventListener('change', (event) => store('keys', event.target.checked ? 'on' : 'off'));
    for (const node of document.getElementsByClassName('scripted')) node.hidden = false;
  };

  return { begin };
})();
