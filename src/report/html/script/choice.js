// The choice among the runs that count together, whose coverage all of the page shows: its lists, and the figures of files.
page.choice = (() => {
  const { kept } = page.elements;
  const { choiceFrom, valueFor } = page.choices;
  const { FILES, RUNS, view } = page.state;

  // Uncovered places have their authors in the same attribute.
  const boxes = [...document.querySelectorAll('select[data-by]')];
  /** Functions that are called after each change. */
  const listeners = [];
  const onChange = (then) => listeners.push(then);

  /** Tells whether only what one run alone executed is shown. */
  const isOnly = () => RUNS !== null && view.choice >= RUNS.runs.length;

  /** Returns the name of the present choice. */
  const choiceName = () => boxes[0].selectedOptions[0].text;

  /** Gives files the figures of the present choice, and shows it in all lists. */
  const apply = () => {
    for (const file of FILES) {
      const covered = view.choice < 0 ? file.whole.covered : RUNS.files[file.at][view.choice];
      Object.assign(file, { covered, own: view.choice < 0 ? file.whole.own : covered });
    }
    for (const box of boxes) {
      box.value = kept.by;
      box.classList.toggle('chosen', view.choice >= 0);
    }
    for (const note of document.getElementsByClassName('of-all-runs')) note.hidden = view.choice < 0;
  };

  /** Changes the choice to that of a value. The page without other runs has none. */
  const choose = (value) => {
    if (RUNS === null) return;
    const choice = choiceFrom(value, RUNS.runs.length);
    if (choice === view.choice) return;
    view.choice = choice;
    kept.by = valueFor(choice, RUNS.runs.length);
    apply();
    for (const then of listeners) then();
  };

  /** Calls a function after each choice of a person. */
  const begin = (then) => {
    for (const box of boxes) {
      box.addEventListener('change', () => {
        choose(box.value);
        then();
      });
    }
  };

  return { onChange, isOnly, choiceName, choose, begin };
})();
