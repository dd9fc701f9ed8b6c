//! The runs that count together on a report's page (`--with`): a table of their figures, and the choice of one of them.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::changed_service;
use crate::html_overview::{OVERFLOW, off_the_screen};

const TEXT: &str = "package app

func Both() {
\tone()
}

func Served() {
\tone()
\ttwo()
}

func Tested(n int) {
\tif n > 0 {
\t\tone()
\t}
}

func None() {
\tone()
}
";
/// The blocks of the file with their statements, and how often the service, unit tests and end-to-end tests executed each.
const BLOCKS: [(&str, [u32; 3]); 5] = [
    ("example.com/app/app.go:3.13,5.2 1", [4, 1, 0]),
    ("example.com/app/app.go:7.15,10.2 2", [2, 0, 0]),
    ("example.com/app/app.go:12.20,13.11 1", [0, 1, 1]),
    ("example.com/app/app.go:13.11,15.3 1", [0, 0, 1]),
    ("example.com/app/app.go:18.13,20.2 1", [0, 0, 0]),
];
/// The values of the choices, their names, the covered ones of 7 statements, and their percentage.
const CHOICES: [(&str, &str, u64, &str); 7] = [
    ("", "all together", 6, "85.7%"),
    ("0", "the service", 3, "42.9%"),
    ("1", "unit", 3, "42.9%"),
    ("2", "e2e", 2, "28.6%"),
    ("only-0", "the service only", 2, "28.6%"),
    ("only-1", "unit only", 1, "14.3%"),
    ("only-2", "e2e only", 1, "14.3%"),
];
const APP: &str = "#file=example.com/app/app.go";

fn profile(run: usize) -> String {
    let lines: Vec<String> =
        BLOCKS.iter().map(|(block, counts)| format!("{block} {}\n", counts[run])).collect();
    lines.concat()
}

/// A service, its page together with unit tests, which execute a file that the service lacks, and with end-to-end tests, and
/// what was printed.
fn tested_service() -> (Service, PathBuf, String) {
    let source = Source::from_files(&[
        ("go.mod", b"module example.com/app\n"),
        ("app.go", TEXT.as_bytes()),
        ("other/other.go", b"package other\n\nfunc Other() {\n\tgo()\n}\n"),
    ]);
    let service = Service::from_source(source, &profile(0));
    let with = |name: &str, text: String| {
        let path = service.world.home().join(name);
        fs::write(&path, format!("mode: set\n{text}")).unwrap();
        format!("{}={name}", path.display())
    };
    let unit = with("unit", profile(1) + "example.com/app/other/other.go:3.14,5.2 1 1\n");
    let e2e = with("e2e", profile(2));
    let page = service.world.home().join("page.html");
    let form = format!("html={}", page.display());
    let said = service.report(&["--with", &unit, "--with", &e2e, "--format", &form]).assert_code(0).stderr;
    (service, page, said)
}

/// Chooses a run as a person does.
fn choose(browser: &mut Browser, list: &str, value: &str) {
    let (list, value) = (json!(list), json!(value));
    browser.eval(&format!(
        "(() => {{
            const box = document.querySelector({list});
            box.focus();
            box.value = {value};
            box.dispatchEvent(new Event('change'));
        }})()"
    ));
}

/// Waits until the functions are listed, and returns the number of their statements that are not covered.
fn uncovered_of_functions(browser: &mut Browser) -> Vec<u64> {
    browser.click("#tab-functions");
    browser.wait_until("!document.querySelector('#catalog-list').hidden && document.body.dataset.functions");
    let cells = browser.texts("#all-functions tbody td:nth-child(4)");
    cells.iter().map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn the_figures_of_runs_are_those_that_were_printed_and_those_that_each_choice_shows() {
    let Some(mut browser) = Browser::start() else { return };
    let (_service, page, said) = tested_service();
    let printed = "42.9 the service alone, 42.9 unit alone (14.3 only it), 28.6 e2e alone (14.3 only it), \
                   1 of 7 statements is not in the service";
    assert!(said.contains(printed), "{said}");
    let options =
        "[...document.querySelector('#tools [data-by]').options].map(({ value, text }) => [value, text])";
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        let table = browser.texts(".runs tbody :is(th, td)");
        let wanted = ["the service", "42.9%", "28.6%", "unit", "42.9%", "14.3%", "e2e", "28.6%", "14.3%"];
        assert_eq!(table, wanted, "{screen}");
        let caption = browser.text(".runs caption");
        assert_eq!(
            caption, "Together with unit and e2e; 1 of 7 statements is not in the service",
            "{screen}"
        );
        assert_eq!(browser.eval(options), json!(CHOICES.map(|(value, name, ..)| [value, name])), "{screen}");
        for (value, name, covered, percent) in CHOICES {
            browser.open(&page, "");
            choose(browser, "#tools [data-by]", value);
            let total = browser.text("#files tbody:first-of-type .package td:nth-child(2)");
            assert_eq!(total, percent, "{screen}, {name}");
            if !value.is_empty() {
                let shown = browser.text("#shown");
                assert!(
                    shown.ends_with(&format!(", {covered} of 7 statements covered by {name}")),
                    "{screen}: {shown}"
                );
            }
            let hash = if value.is_empty() { String::new() } else { format!("#by={value}") };
            assert_eq!(browser.eval("location.hash"), json!(hash), "{screen}");
            assert_eq!(browser.eval("document.activeElement.matches('[data-by]')"), true, "{screen}");
            assert_eq!(browser.eval(OVERFLOW), 0, "{screen}, {name}");
            let uncovered = uncovered_of_functions(browser);
            if !value.starts_with("only") {
                assert_eq!(
                    (uncovered.len(), 7 - uncovered.iter().sum::<u64>()),
                    (5, covered),
                    "{screen}, {name}"
                );
            }
            assert_eq!(browser.eval(OVERFLOW), 0, "{screen}, {name}");
        }
        browser.take_screenshot(&format!("with-functions-{screen}"));
        browser.open(&page, "#folds=-");
        choose(browser, "#tools [data-by]", "0");
        assert_eq!(
            browser.texts("#files .file td:nth-child(2)"),
            ["50.0%"],
            "{screen}: of the folder that is open"
        );
        browser.click("#fold");
        let opened = browser.texts("#files .file td:nth-child(2)");
        assert_eq!(opened, ["50.0%", "0.0%"], "{screen}: figures of folders that are opened later, too");
        browser.open(&page, "#by=only-1");
        assert_eq!(
            browser.texts("#files .file a"),
            ["other.go"],
            "{screen}: of which unit tests alone covered a part"
        );
        if let Some(violations) = browser.accessibility_violations() {
            assert_eq!(violations, [] as [&str; 0], "{screen}");
        }
        browser.open(&page, "#by=0");
        browser.take_screenshot(&format!("with-{screen}"));
        browser.assert_quiet();
    });
}

#[test]
fn functions_are_those_of_the_chosen_run() {
    let Some(mut browser) = Browser::start() else { return };
    let (_service, page, _) = tested_service();
    let rows = "[...document.querySelectorAll('#all-functions tbody tr')].map((row) => [0, 2, 3, 4]
        .map((at) => row.cells[at].textContent).join(' '))";
    for (fragment, wanted, shown) in [
        (
            "#tab=functions&sort=name",
            &[
                "Both 1 0 100.0%",
                "None never 1 0.0%",
                "Other 1 0 100.0%",
                "Served 1 0 100.0%",
                "Tested 1 0 100.0%",
            ][..],
            "5 of 5 functions, 1 never entered",
        ),
        (
            "#tab=functions&sort=name&by=1",
            &[
                "Both yes 0 100.0%",
                "None never 1 0.0%",
                "Other yes 0 100.0%",
                "Served never 2 0.0%",
                "Tested yes 1 50.0%",
            ],
            "5 of 5 functions, 2 never entered by unit",
        ),
        (
            "#tab=functions&sort=name&never=1&by=1",
            &["None never 1 0.0%", "Served never 2 0.0%"],
            "2 of 5 functions, 2 never entered by unit",
        ),
        (
            "#tab=functions&by=only-2",
            &["Tested yes 1 50.0%"],
            "1 of 5 functions with statements covered by e2e only",
        ),
        (
            "#tab=functions&never=1&by=only-2",
            &["Tested yes 1 50.0%"],
            "1 of 5 functions with statements covered by e2e only",
        ),
    ] {
        browser.open(&page, fragment);
        browser.wait_until(&format!("document.body.dataset.functions === '{}'", wanted.len()));
        assert_eq!(browser.eval(rows), json!(wanted), "{fragment}");
        assert_eq!(browser.eval("location.hash"), fragment);
        assert_eq!(browser.text("#shown-functions"), shown, "{fragment}");
        let is_never_seen = browser.eval("document.getElementById('never').checkVisibility()");
        assert_eq!(is_never_seen, !fragment.contains("only"), "{fragment}: the box has no effect there");
    }
    browser.press("f");
    browser.press("tested");
    browser.wait_until("document.querySelector('#jump-list .percent') !== null");
    assert_eq!(browser.text("#jump-list .percent"), "50.0%", "the jump, too");
    browser.assert_quiet();
}

/// Returns the numbers of the covered, partly covered and uncovered lines.
fn lines(browser: &mut Browser) -> [String; 3] {
    ["hit", "partly", "missed"]
        .map(|state| browser.texts(&format!(".line.{state} .number-of-line")).join(" "))
}

#[test]
fn lines_of_a_file_are_those_of_the_chosen_run_from_file_to_file_and_after_a_reload() {
    let Some(mut browser) = Browser::start() else { return };
    let (_service, page, _) = tested_service();
    let has_focus = "document.activeElement.matches('[data-by]')";
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open_file(&page, APP);
        assert_eq!(lines(browser), ["4 8 9 13 14", "", "19"], "{screen}: all together");
        let title = browser.eval("document.querySelector('#L4 .on').title");
        assert_eq!(title, "1 statement executed once, by the service, unit", "{screen}");
        choose(browser, "#states [data-by]", "1");
        browser.wait_until("document.querySelector('#file-percent').textContent === '33.3%'");
        browser.wait_until("document.querySelector('#lines-hit').textContent === '2'");
        assert_eq!(lines(browser), ["4 13", "", "8 9 14 19"], "{screen}: unit tests");
        assert_eq!(browser.eval(has_focus), true, "{screen}: the list keeps the focus");
        assert_eq!(browser.eval("location.hash"), format!("{APP}&by=1"), "{screen}");
        let shares = "[...document.querySelectorAll('#function-list .percent')].map((e) => e.textContent)";
        assert_eq!(browser.eval(shares), json!(["100.0%", "0.0%", "50.0%", "0.0%"]), "{screen}");
        browser.eval("document.activeElement.blur()");
        browser.press("c");
        assert_eq!(browser.texts(".count-of-line").concat(), "", "{screen}: counts of one run are unknown");
        browser.press("c");
        browser.take_screenshot(&format!("with-file-{screen}"));
        if let Some(violations) = browser.accessibility_violations() {
            assert_eq!(violations, [] as [&str; 0], "{screen}");
        }
        browser.press("]");
        browser.wait_until("document.body.dataset.shown?.endsWith('other.go')");
        assert_eq!(browser.eval("document.querySelector('#states [data-by]').value"), "1", "{screen}");
        browser.reload();
        browser.wait_until("document.body.dataset.shown?.endsWith('other.go')");
        assert_eq!(browser.text("#file-percent"), "100.0%", "{screen}");
        assert!(browser.eval("location.hash").as_str().unwrap().ends_with("&by=1"), "{screen}");
        choose(browser, "#states [data-by]", "0");
        browser.wait_until("document.querySelector('#file-percent').textContent === '0.0%'");
        browser.press_named("Escape", 27);
        browser.wait_until("!document.querySelector('#overview').hidden");
        assert_eq!(browser.eval("location.hash"), "#by=0", "{screen}");
        assert_eq!(browser.eval("document.querySelector('#tools [data-by]').value"), "0", "{screen}");
        browser.open_file(&page, &format!("{APP}&by=only-2&line=14"));
        assert_eq!(
            lines(browser),
            ["14", "", "4 8 9 13 19"],
            "{screen}: what end-to-end tests alone executed"
        );
        assert_eq!(browser.current_line(), "14", "{screen}");
        browser.assert_quiet();
    });
}

#[test]
fn a_search_of_uncovered_lines_is_that_of_the_chosen_run_and_a_plain_page_has_no_choice() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, page, _) = tested_service();
    for (by, lines) in [("", &["19"][..]), ("&by=1", &["8", "14", "19"]), ("&by=2", &["4", "8", "19"])] {
        browser.open(&page, &format!("#search=one()&missed=1{by}"));
        browser.wait_until("/ in 1 file$/.test(document.querySelector('#search-state').value)");
        assert_eq!(browser.texts("#search-list a .at"), lines, "{by}");
        browser.assert_quiet();
    }
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&page, "");
    assert_eq!(browser.texts(".runs tbody td").len(), 6, "the table needs no script");
    assert_eq!(browser.texts("[data-by]"), [] as [&str; 0], "the choice does");
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
    let plain = fs::read_to_string(service.page(&[])).unwrap();
    assert!(!["id=\"labels\"", "data-by>", "class=\"runs\""].iter().any(|part| plain.contains(part)));
    browser.open(&page, "#by=1");
    browser.assert_quiet();
}

#[test]
fn the_map_has_the_colours_and_figures_of_the_chosen_run() {
    let Some(mut browser) = Browser::start() else { return };
    let (_service, page, _) = tested_service();
    // The title of each area, the step of its colour, and whether it has that colour.
    let areas = "[...document.querySelectorAll('#map a:has(path)')].map((area) => {
        const [step] = area.classList;
        const sample = getComputedStyle(document.querySelector(`#map .steps .${step}`), '::before').backgroundColor;
        return [area.textContent, step, getComputedStyle(area.querySelector('path')).fill === sample];
    })";
    let labels = "[...document.querySelectorAll('#map text')].filter((e) => e.checkVisibility()).map((e) => e.textContent)";
    let of = |app: (&str, &str), other: (&str, &str)| json!([[app.0, app.1, true], [other.0, other.1, true]]);
    let whole = of(
        ("app.go: 83.3%, 5 of 6 statements covered", "c4"),
        ("other/other.go: 100.0%, 1 of 1 statement covered", "c5"),
    );
    let served = of(
        ("app.go: 50.0%, 3 of 6 statements covered", "c2"),
        ("other/other.go: 0.0%, 0 of 1 statement covered", "c0"),
    );
    let tested = of(
        ("app.go: 33.3%, 2 of 6 statements covered", "c1"),
        ("other/other.go: 100.0%, 1 of 1 statement covered", "c5"),
    );
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "#map=1&by=0");
        browser.wait_until("document.querySelector('#map a[href]') !== null");
        assert_eq!(browser.eval(areas), served, "{screen}: of an address");
        let shown = browser.eval(labels).to_string();
        assert!(shown.contains("\"50.0%\"") && !shown.contains("83.3%"), "{screen}: {shown}");
        choose(browser, "#tools [data-by]", "1");
        assert_eq!(browser.eval(areas), tested, "{screen}");
        let shown = browser.eval(labels).to_string();
        assert!(shown.contains("\"33.3%\""), "{screen}: {shown}");
        // The map that was closed meanwhile follows when it is opened.
        browser.click("#map summary");
        // The page hears of it a moment after the browser has done it.
        browser.wait_until("!location.hash.includes('map=1')");
        choose(browser, "#tools [data-by]", "");
        browser.click("#map summary");
        browser.wait_until("location.hash.includes('map=1')");
        assert_eq!(browser.eval("document.getElementById('map').open"), true, "{screen}");
        assert_eq!(browser.eval(areas), whole, "{screen}");
        browser.take_screenshot(&format!("with-map-{screen}"));
    });
    browser.assert_quiet();
}

#[test]
fn what_does_not_follow_the_choice_says_so_where_it_stands() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let unit = service.world.home().join("unit");
    fs::write(&unit, "mode: set\nexample.com/app/cart/cart.go:34.24,37.2 2 1\n").unwrap();
    let with = format!("{}=unit and integration", unit.display());
    let page = service.page(&["--with", &with, "--base", "master", "--blame"]);
    let note = "#changed-lines .of-all-runs";
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=changed");
        assert_eq!(browser.texts(note), [] as [&str; 0], "{screen}: all runs together are chosen");
        browser.open(&page, "#tab=changed&by=0");
        let wanted =
            "These lines are counted for all runs together. The choice \"Covered by\" does not change them.";
        assert_eq!(browser.texts(note), [wanted], "{screen}");
        assert_eq!(browser.eval(&off_the_screen(note)), json!([]), "{screen}");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        assert_eq!(
            browser.texts(".tabs [aria-current]").len(),
            1,
            "{screen}: places of authors are no choice"
        );
        browser.assert_quiet();
    });
    // Beside the changed lines the table of the runs is narrow.
    for width in [360, 660, 1000, 1100, 1300] {
        browser.resize(width, 700);
        browser.open(&page, "");
        let [top, bottom] = browser.numbers(
            "(({ top, bottom }) => [top, bottom])(document.querySelector('.runs thead tr').getBoundingClientRect())",
        );
        assert!(bottom - top < 30, "{width}: the heads of columns are one line, not {} pixels", bottom - top);
        let [name] =
            browser.numbers("[document.querySelector('.runs tbody th').getBoundingClientRect().width]");
        assert!(name >= 80, "{width}: names have {name} pixels");
        assert_eq!(browser.eval(OVERFLOW), 0, "{width}");
    }
}

#[test]
fn a_page_of_more_runs_than_it_can_tell_apart_says_why_it_has_no_choice() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, page, _) = tested_service();
    let unit = service.world.home().join("unit");
    let runs: Vec<String> = (1..=15).map(|run| format!("{}=run{run}", unit.display())).collect();
    let form = format!("html={}", page.display());
    let mut options = vec!["-q", "--format", &form];
    for run in &runs[..14] {
        options.extend(["--with", run]);
    }
    service.report(&options).assert_code(0);
    browser.open(&page, "");
    assert_eq!((browser.texts(".runs + .note").len(), browser.texts("#tools [data-by]").len()), (0, 1));
    options.extend(["--with", &runs[14]]);
    service.report(&options).assert_code(0);
    let note = "With more than 15 runs, the service included, the page cannot be narrowed to one of them.";
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(browser.texts(".runs + .note"), [note], "{screen}");
        assert_eq!(browser.texts("[data-by]"), [] as [&str; 0], "{screen}");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
    });
}
