//! Faults of a report's page that people saw, each as a test on every screen, by position, size and colour.

use std::fmt::Write as _;

use serde_json::json;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::{changed_service, changed_service_and_base, owned_service};
use crate::html_overview::{OVERFLOW, large_service, off_the_screen};

const CART: &str = "#file=example.com/app/cart/cart.go";
/// The views of a page that compares: fragment, and the keys to press there.
const VIEWS: [(&str, &str); 9] = [
    ("", ""),
    ("#flat=1&filter=cart", ""),
    ("#tab=functions", ""),
    ("#tab=changed", ""),
    ("#tab=lost", ""),
    (CART, ""),
    ("", "f"),
    ("", "s"),
    ("", "?"),
];

fn open(browser: &mut Browser, page: &std::path::Path, (fragment, keys): (&str, &str)) {
    browser.open(page, fragment);
    if fragment.contains("file=") {
        browser.wait_until("document.body.dataset.shown");
    }
    if fragment.contains("functions") {
        browser.wait_until("document.body.dataset.functions");
    }
    browser.press(keys);
}

#[test]
fn a_small_change_is_small_in_the_trend_which_marks_commits_and_goes_on_to_the_last_pull() {
    let Some(mut browser) = Browser::start() else { return };
    let mut source = Source::from_files(&[("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let half = "example.com/app/a.go:1.1,2.2 1000 1\nexample.com/app/a.go:3.1,4.2 1 0\nexample.com/app/a.go:5.1,6.2 999 0\n";
    let _first = world.start_counted(&source.service_name(), half);
    world.pull(0);
    std::fs::write(source.folder.path().join("README.md"), "next").unwrap();
    source.commit_all();
    let next = world.start_counted(&source.service_name(), half);
    world.pull(0);
    next.hit(&[1], 1);
    world.pull(0);
    world.pull(0);
    let page = world.home().join("page.html");
    let form = format!("html={}", page.display());
    world.run(&["report", &source.service_name(), "-q", "--format", &form]).assert_code(3);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        let [plot] = boxes(browser, ".trend svg")[..] else { panic!("one plot") };
        let [first, second, third] = boxes(browser, ".trend .dot")[..] else { panic!("three totals") };
        assert_eq!(json!(first[2]), json!(second[2]), "{screen}");
        assert!(
            third[2] < second[2] && second[2] - third[2] < 0.5,
            "{screen}: 0.05 points of {plot:?}: {third:?}"
        );
        let [commit] = boxes(browser, ".trend .commit")[..] else { panic!("one commit after the first") };
        assert_eq!((commit[0], commit[2], commit[3]), (second[0], plot[2] + 1.0, plot[3] - 1.0), "{screen}");
        let [rest] = boxes(browser, ".trend .goes-on")[..] else { panic!("the last pull changed nothing") };
        let margin = (plot[1] - plot[0]) / 100.0;
        assert!((rest[1] + margin - plot[1]).abs() < 1.0, "{screen}: {rest:?} {plot:?}");
        assert!((rest[0] - third[0]).abs() < 1.0, "{screen}: {rest:?} {third:?}");
    });
}

/// Returns left, right, top and bottom of the elements of a selector.
fn boxes(browser: &mut Browser, selector: &str) -> Vec<[f64; 4]> {
    let script = "[...document.querySelectorAll(SELECTOR)].map((e) => {
        const { left, right, top, bottom } = e.getBoundingClientRect();
        return [left, right, top, bottom];
    })";
    serde_json::from_value(browser.eval(&script.replace("SELECTOR", &json!(selector).to_string()))).unwrap()
}

#[test]
fn figures_stand_side_by_side_below_one_line_of_facts_and_the_page_fills_a_wide_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        let parts = [
            ".about",
            "#changed-total",
            ".summary > .total:not(#changed-total)",
            "#files",
            ".top h1",
            ".top .buttons",
        ];
        let [about, changed, total, files, name, buttons] = parts.map(|part| boxes(browser, part)[0]);
        let width = f64::from(screen.width);
        let side = if screen.width <= 640 { 12.0 } else { ((width - 1800.0) / 2.0).max(24.0) };
        assert_eq!((about[0], files[0], files[1]), (side, side, width - side), "{screen}");
        assert!((name[0] - side).abs() < 0.1, "{screen}: the head has the same edges, not {name:?}");
        assert!(screen.width <= 640 || (buttons[1] - (width - side)).abs() < 0.1, "{screen}: {buttons:?}");
        assert!(about[3] - about[2] <= if screen.width <= 640 { 48.0 } else { 24.0 }, "{screen}: {about:?}");
        if screen.width > 640 {
            assert!(
                (changed[2] - total[2]).abs() < 1.0 && changed[1] < total[0],
                "{screen}: {changed:?} {total:?}"
            );
        }
        browser.open_file(&page, CART);
        let [left, right, ..] = boxes(browser, "#view .panes")[0];
        assert!(
            (left - (width - right)).abs() < 1.0,
            "{screen}: the file is in the middle, {left} to {right}"
        );
        assert!(right - left >= width.min(1800.0), "{screen}: {left} to {right}");
        assert!(width < 1848.0 || (left - side).abs() < 0.1, "{screen}: the code begins where the head does");
    });
}

#[test]
fn targets_are_large_enough_and_nothing_sticks_out_in_any_view() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    // Links in the text of a line of source have the height of the line.
    let small = "[...document.querySelectorAll('a[href], button, input, select, summary')]
        .filter((e) => e.checkVisibility({ contentVisibilityAuto: true }) && !e.closest('.line, [aria-hidden]'))
        .map((e) => [e, (e.closest('label') ?? e).getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 24 || height < 24).map(([e]) => e.outerHTML)";
    on_each_screen(&mut browser, 700, |browser, screen| {
        for view in VIEWS {
            open(browser, &page, view);
            assert_eq!(browser.eval(small), json!([]), "{screen}, {view:?}");
            if !view.0.contains("file=") {
                assert_eq!(browser.eval(OVERFLOW), 0, "{screen}, {view:?}");
            }
        }
    });
}

#[test]
fn texts_in_empty_fields_can_be_read() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&[]);
    let contrasts = "(() => {
        const channels = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        const light = (color) => channels(color).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0.05);
        const ratio = (a, b) => Math.max(light(a) / light(b), light(b) / light(a));
        return [...document.querySelectorAll('[placeholder]')].map((field) => {
            const placeholder = getComputedStyle(field, '::placeholder');
            const { backgroundColor, borderTopColor } = getComputedStyle(field);
            return [placeholder.opacity * ratio(placeholder.color, backgroundColor), ratio(borderTopColor, backgroundColor)];
        });
    })()";
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        let contrasts: Vec<[f64; 2]> = serde_json::from_value(browser.eval(contrasts)).unwrap();
        assert_eq!(contrasts.len(), 4, "{screen}");
        for [text, border] in contrasts {
            assert!(text >= 4.5 && border >= 3.0, "{screen}: {text} of the text, {border} of the border");
        }
    });
}

#[test]
fn the_icon_is_a_ring_in_the_colour_of_the_grade() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&[]);
    // 72.0% are covered, so the colour is full at the top of the ring and pale left of it.
    let pixels = "(async () => {
        const image = new Image(40, 40);
        image.src = document.querySelector('link[rel=icon]').href;
        await image.decode();
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [40, 40];
        const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0, 40, 40);
        return [[22, 4], [36, 20], [8, 9], [20, 20]].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
    })()";
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        let pixels: Vec<[u8; 4]> = serde_json::from_value(browser.eval(pixels)).unwrap();
        assert_eq!(pixels[0], [0xc0, 0x8a, 0, 255], "{screen}: fair");
        assert_eq!(pixels[1], pixels[0], "{screen}");
        assert!((60..100).contains(&pixels[2][3]), "{screen}: {:?}", pixels[2]);
        assert_eq!(pixels[3][3], 0, "{screen}: nothing in the middle");
    });
}

/// A service with more than a thousand of everything that a page counts, and its commit before.
pub(crate) fn numerous_service() -> Service {
    const FUNCTIONS: usize = 2200;
    let mut source = Source::from_files(&[("go.mod", b"module example.com/app\n")]);
    let (mut text, mut profile) = ("package app\n\n".to_owned(), String::new());
    for function in 0..FUNCTIONS {
        let line = 3 + 4 * function;
        let _ = write!(text, "func Of{}() {{\n\tgo()\n}}\n\n", letters(function));
        let (last, count) = (line + 2, if function < FUNCTIONS / 2 { 12_345 } else { 0 });
        let _ = writeln!(profile, "example.com/app/many.go:{line}.14,{last}.2 1 {count}");
    }
    for file in 0..1100 {
        let _ = writeln!(profile, "example.com/app/made/{}.go:1.1,2.2 3 1", letters(file));
    }
    std::fs::write(source.folder.path().join("many.go"), text).unwrap();
    source.git(&["branch", "base"]);
    source.commit_all();
    Service::from_source(source, &profile)
}

/// Returns a number in letters, so that no digits stand in a name.
fn letters(number: usize) -> String {
    let digits = [number / 676, number / 26 % 26, number % 26];
    digits.into_iter().map(|digit| char::from(b'a' + u8::try_from(digit).unwrap())).collect()
}

#[test]
fn numbers_of_things_stand_in_groups_of_three() {
    let Some(mut browser) = Browser::start() else { return };
    let service = numerous_service();
    let page = service.page(&["--base", "base"]);
    // Hashes, times and numbers of lines are no numbers of things.
    let ungrouped = "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility())
        .filter((e) => !e.closest('script, .top, code, time, footer, .number-of-line, .at, #place, .place, #changed-total p, .facts dd'))
        .flatMap((e) => [e.title, e.ariaLabel, ...[...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data)])
        .filter((text) => /\\d{4,}/.test(text ?? ''))";
    let views = [
        ("", ""),
        ("#filter=many", ""),
        ("#tab=functions", ""),
        ("#tab=changed", ""),
        ("#file=example.com/app/many.go", "c"),
    ];
    on_each_screen(&mut browser, 700, |browser, screen| {
        for view in views {
            open(browser, &page, view);
            assert_eq!(browser.eval(ungrouped), json!([]), "{screen}, {view:?}");
        }
        assert_eq!(browser.texts("#lines-hit, #lines-missed"), ["1,100", "1,100"], "{screen}");
    });
}

#[test]
fn one_thing_is_no_number_of_things() {
    let Some(mut browser) = Browser::start() else { return };
    let text = "package app\n\nfunc One() {\n\tserve()\n}\n";
    let mut source = Source::from_files(&[("go.mod", b"module example.com/app\n")]);
    source.git(&["branch", "base"]);
    std::fs::write(source.folder.path().join("one.go"), text).unwrap();
    source.commit_all();
    let service = Service::from_source(source, "example.com/app/one.go:3.12,5.2 1 0\n");
    let page = service.page(&["--base", "base", "--blame"]);
    let wrong = "[...document.querySelectorAll('body *')].filter((e) => !e.closest('script, code, time'))
        .flatMap((e) => [e.title, e.ariaLabel, e.querySelector('title')?.textContent, e.children.length === 0 || e.tagName === 'P' ? e.textContent : ''])
        .filter((text) => /\\b1 (\\w+ )?(files|functions|lines|statements|places|ranges)\\b/.test(text ?? ''))";
    let views = [
        ("", ""),
        ("#tab=functions", ""),
        ("#tab=changed", ""),
        ("#file=example.com/app/one.go", ""),
        ("", "s"),
    ];
    for view in views {
        open(&mut browser, &page, view);
        assert_eq!(browser.eval(wrong), json!([]), "{view:?}");
    }
    browser.press("One");
    browser.wait_until("document.querySelector('#search-state').value === '1 line in 1 file'");
    browser.open(&page, "#tab=functions");
    browser.wait_until("document.body.dataset.functions === '1'");
    assert_eq!(browser.text("#shown-functions"), "1 of 1 function, 1 never entered");
    browser.open(&page, "");
    assert_eq!(browser.text("#shown"), "1 of 1 file, 1 uncovered statement");
    assert_eq!(
        browser.texts(".summary > .total:not(#changed-total) p")[1..],
        ["0 of 1 statement, 1 uncovered", "0 of 1 function entered"]
    );
}

#[test]
fn uncovered_changed_lines_are_counted_in_lines_that_are_uncovered() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "#tab=changed");
        let notes = browser.texts(".missed-places .note");
        assert_eq!(notes, ["3 of 6 changed lines uncovered", "1 of 2 changed lines uncovered"], "{screen}");
        assert_eq!(browser.texts(".missed-places .at"), ["6", "35-36", "5"], "{screen}: 3 lines, and 1");
        let tab = browser.text("#tab-changed").replace('\n', " ");
        assert_eq!(tab, "Changed 4 uncovered lines", "{screen}");
        browser.open(&page, "#tab=lost");
        assert_eq!(browser.texts(".lost .note"), ["1 line lost", "1 line lost"], "{screen}");
        let row = browser.text(".categories caption");
        let base = service.source.commit_of("master");
        assert!(row.starts_with(&format!("Lines, against staging sg {}, 20", &base[..10])), "{row}");
        assert!(row.ends_with(" UTC (row 2)"), "{row}");
        assert!(browser.texts("#lost-lines *").iter().all(|text| !text.starts_with("row ")), "{screen}");
    });
}

#[test]
fn a_commit_has_one_short_form_in_a_page_and_is_whole_in_its_tooltip() {
    let service = changed_service();
    let page = std::fs::read_to_string(service.page(&["--base", "master"])).unwrap();
    let (body, _) = page.split_once("<body>").unwrap().1.split_once("<script").unwrap();
    for commit in [&service.source.commit_of("feature"), &service.source.commit_of("master")] {
        let titled = format!("title=\"{commit}\"");
        assert!(body.contains(&titled) || !body.contains(&commit[..10]), "{commit}");
        let shown = body.replace(&titled, "");
        for (at, _) in shown.match_indices(&commit[..7]) {
            let digits = shown[at..].chars().take_while(char::is_ascii_hexdigit).count();
            assert_eq!(digits, 10, "{}", &shown[at..at + 60]);
        }
    }
}

#[test]
fn letters_that_are_typed_right_after_the_slash_go_into_the_filter() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        for (view, rows) in [
            (CART, "#files .file a"),
            ("#tab=changed", "#files .file a"),
            ("#tab=functions", "#all-functions tbody a"),
        ] {
            open(browser, &page, (view, ""));
            // All keys at once, as fast fingers press them, without a turn of the page between.
            browser.eval(
                "for (const key of '/c') {
                    const field = document.activeElement;
                    const isText = field.matches('input');
                    field.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
                    if (isText) document.execCommand('insertText', false, key);
                }",
            );
            assert_eq!(browser.eval("document.activeElement.value"), "c", "{screen}, {view}");
            browser.press("art");
            assert_eq!(browser.eval("document.activeElement.value"), "cart", "{screen}, {view}");
            let found = browser.texts(rows);
            assert!(
                found.iter().all(|row| row.to_lowercase().contains("cart")) && !found.is_empty(),
                "{found:?}"
            );
            assert_eq!(browser.eval("document.getElementById('counts').ariaPressed"), "false", "{screen}");
            browser.assert_quiet();
        }
    });
}

#[test]
fn a_folder_has_the_figures_of_the_files_that_a_filter_leaves() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    let cells = |browser: &mut Browser| {
        let script =
            "[...document.querySelectorAll('#files .package')].filter((row) => row.checkVisibility())
            .map((row) => [...row.cells].map((cell) => cell.textContent).join('|'))";
        serde_json::from_value::<Vec<String>>(browser.eval(script)).unwrap()
    };
    let whole = ["example.com/app|72.0%|18|7|25|4 of 8|2|2", "cart|72.2%|13|5|18|3 of 6|1|2"];
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(cells(browser)[..2], whole, "{screen}");
        browser.press("/");
        browser.press("stock");
        assert_eq!(cells(browser), ["example.com/app|75.0%|3|1|4||1|", "stock|75.0%|3|1|4||1|"], "{screen}");
        let classes = browser.eval("document.querySelector('#files .package td').className");
        assert_eq!(classes, "t7 u5", "{screen}: the bar, too");
        browser.press_named("Escape", 27);
        assert_eq!(cells(browser)[..2], whole, "{screen}");
    });
    // Folders stand in the order of the figures that they show.
    let service = large_service();
    let page = service.page(&[]);
    browser.open(&page, "#sort=-uncovered&filter=file399");
    browser.press("/");
    browser.eval("document.activeElement.value = ''");
    browser.press("file00");
    let figures =
        "[...document.querySelectorAll('#files .l1 .package')].filter((row) => row.checkVisibility())
        .map((row) => Number(row.cells[3].textContent))";
    let figures: Vec<u32> = serde_json::from_value(browser.eval(figures)).unwrap();
    assert_eq!(figures, [7, 4, 3, 1]);
    browser.assert_quiet();
}

/// Script that returns the parts of names that are broken within a word, of the elements of a selector.
const BROKEN_WORDS: &str = "(selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).flatMap((e) => {
    const nodes = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
    const broken = [];
    while (nodes.nextNode()) {
        for (const { index, 0: word } of nodes.currentNode.data.matchAll(/[^/_.\\s-]+[/_.-]?/g)) {
            const range = document.createRange();
            range.setStart(nodes.currentNode, index);
            range.setEnd(nodes.currentNode, index + word.length);
            const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
            if (lines.size > 1) broken.push(word);
        }
    }
    return broken;
})";

#[test]
fn names_break_between_their_words_on_every_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let names = [
        "configuration/replication_controller_admission_webhook.go",
        "configuration/horizontal-pod-autoscaler_conversion.go",
    ];
    let text = "package configuration\n\nfunc (s *ReplicationServer) ReconcileStatefulConfiguration() {\n\tgo()\n}\n";
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (*name, text.as_bytes()))
        .chain([("go.mod", &b"module example.com/app\n"[..])])
        .collect();
    let profile = names.map(|name| format!("example.com/app/{name}:3.62,5.2 1 0\n")).concat();
    let service = Service::from_source(Source::from_files(&files), &profile);
    let page = service.page(&[]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        for (view, selector) in [
            (("", ""), ".top h1, #files th"),
            (("#flat=1", ""), "#files th"),
            (("#tab=functions", ""), "#all-functions tbody :is(th, .place)"),
            (("#file=example.com/app/configuration/horizontal-pod-autoscaler_conversion.go", ""), ".where"),
        ] {
            open(browser, &page, view);
            let broken = browser.eval(&format!("({BROKEN_WORDS})({})", json!(selector)));
            assert_eq!(broken, json!([]), "{screen}, {view:?}");
        }
        browser.take_screenshot(&format!("names-{screen}"));
    });
}

#[test]
fn a_phone_has_uncovered_of_functions_and_what_a_comparison_gained() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        open(browser, &page, ("#tab=functions", ""));
        let heads = browser.texts("#all-functions thead th");
        let wanted = ["Function", "File", "Entered", "Uncovered", "Coverage"];
        assert_eq!(
            heads,
            wanted.into_iter().filter(|head| screen.width > 640 || *head != "File").collect::<Vec<_>>()
        );
        let cells = browser.texts("#all-functions tbody tr:first-child :is(th, td)");
        assert_eq!(cells, ["Cart.Add", "cart/cart.go:4", "7", "2", "71.4%"], "{screen}");
        let apart = "[...document.querySelectorAll('#all-functions thead button, #files thead button')].filter((e) => e.checkVisibility())
            .map((e) => { const range = document.createRange(); range.selectNodeContents(e); return range.getBoundingClientRect(); })
            .every(({ right }, at, all) => at + 1 === all.length || right <= all[at + 1].left)";
        assert_eq!(browser.eval(apart), true, "{screen}: headings do not overlap");
        open(browser, &page, ("", ""));
        assert_eq!(browser.texts("#files thead .lost, #files thead .gained"), ["Lost", "Gained"], "{screen}");
        assert_eq!(
            browser.texts("#files tbody:first-of-type .package :is(.lost, .gained)"),
            ["2", "2"],
            "{screen}"
        );
        assert_eq!(browser.eval(apart), true, "{screen}: headings do not overlap");
        browser.take_screenshot(&format!("compared-{screen}"));
    });
}

#[test]
fn owners_stand_on_every_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let service = owned_service();
    let page = service.page(&["--blame", "--base", "master"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "#tab=owners");
        assert_eq!(browser.eval(&off_the_screen(".owners th[scope=row]")), json!([]), "{screen}");
        let broken =
            "[...document.querySelectorAll('.owners th a')].filter((name) => name.offsetHeight > 24).length";
        assert_eq!(browser.eval(broken), json!(0), "{screen}: names break");
    });
}
