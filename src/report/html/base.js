// What every page does. Plain script without dependencies, before that of a page: words, times, keys, light or dark.
'use strict';
// biome-ignore lint/correctness/noUnusedVariables: the script of the page that follows uses it
const shared = (() => {
  const element = (id) => document.getElementById(id);
  const parsed = (id) => JSON.parse(element(id).textContent);
  const WORDS = parsed('words');
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const grouping = new Intl.NumberFormat('en');
  const grouped = (number) => grouping.format(number);

  /** How long ago a time was, such as `3 hours`; `null` where it was just now. */
  const age = (time) => {
    const minutes = Math.floor((Date.now() - Date.parse(time)) / 60000);
    const said = (unit, number) => filled(WORDS.units[unit][number === 1 ? 0 : 1], { n: grouped(number) });
    if (minutes < 1) return null;
    if (minutes < 60) return said('minute', minutes);
    return minutes < 2880 ? said('hour', Math.floor(minutes / 60)) : said('day', Math.floor(minutes / 1440));
  };

  /** What of a page is shown, as the fragment of its address. */
  const address = (values) => {
    const parts = Object.entries(values)
      .filter(([, value]) => value !== '' && value !== undefined && value !== false)
      .map(([name, value]) => `${name}=${encodeURIComponent(value === true ? 1 : value).replaceAll('%2F', '/')}`);
    return `#${parts.join('&')}`;
  };

  /** What the fragment asks for. */
  const asked = () => {
    const values = {};
    for (const part of location.hash.slice(1).split('&')) {
      const at = part.indexOf('=');
      if (at < 0) continue;
      try {
        values[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1));
      } catch {
        // Not ours; it says nothing.
      }
    }
    return values;
  };

  /** Changes the address without a step in the browser's history. */
  const settle = (to) => {
    try {
      history.replaceState(null, '', to === '#' ? location.href.replace(/#.*/, '') : to);
    } catch {
      // A page in a frame of another origin may not; it works all the same.
    }
  };

  const store = (name, value) => {
    try {
      localStorage.setItem(`goc-watchdog-${name}`, value);
    } catch {
      // Pages from some places may keep nothing.
    }
  };

  const stored = (name, values) => {
    try {
      const value = localStorage.getItem(`goc-watchdog-${name}`);
      return values.includes(value) ? value : values[0];
    } catch {
      return values[0];
    }
  };

  const THEMES = ['auto', 'dark', 'light'];
  let theme = THEMES[0];

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

  /** Brings to life what all pages have: their switches, and keys, each with what it does; to those, more are added. */
  const begin = (keys) => {
    Object.assign(keys, { '?': () => element('keys').showModal(), t: nextTheme });
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || element('keys').open) return;
      if (event.target.matches('input[type=search], select') && event.key !== 'Escape') return;
      if (!Object.hasOwn(keys, event.key)) return;
      // Who speaks to the machine would hit them with any word.
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

  return { element, parsed, WORDS, filled, grouped, age, address, asked, settle, begin };
})();
