//! The map of a report's page: areas in proportion to statements, by position and size on the screen.

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::changed_service;
use crate::html_overview::{OVERFLOW, large_service, off_the_screen};

/// Script that returns the statements of each area that is seen, and its size in square pixels.
const SIZES: &str =
    "[...document.querySelectorAll('#map a:has(path)')].filter((a) => a.checkVisibility()).map((a) => {
    const { width, height } = a.querySelector('path').getBoundingClientRect();
    return [Number(a.textContent.match(/ of ([\\d,]+) statements?/)[1].replace(',', '')), width * height];
})";

/// Fails unless each area is in proportion to its statements; returns the number of areas.
#[track_caller]
pub(crate) fn assert_in_proportion(browser: &mut Browser, view: &str) -> usize {
    let sizes: Vec<(f64, f64)> = serde_json::from_value(browser.eval(SIZES)).unwrap();
    let unit = sizes.iter().map(|(_, size)| size).sum::<f64>() / sizes.iter().map(|(of, _)| of).sum::<f64>();
    for (statements, size) in &sizes {
        // Edges stand at whole units of the drawing, which has 2,800 by 1,680 of them.
        let difference = (size / unit / statements - 1.0).abs();
        assert!(difference < 0.1, "{view}: {statements} statements in {size} square pixels, {unit} each");
    }
    sizes.len()
}

fn open_map(browser: &mut Browser, page: &std::path::Path, fragment: &str) {
    browser.open(page, fragment);
    browser.wait_until("document.querySelector('#map a[href]') !== null");
}

/// The file of the large service with its area.
fn area_of(file: &str) -> String {
    format!(
        "[...document.querySelectorAll('#map a:has(path)')].find((a) => a.textContent.includes({}))",
        json!(file)
    )
}

/// Clicks into the middle of an area, which has no size of its own for selectors.
fn click_area(browser: &mut Browser, file: &str) {
    browser.eval(&format!("{}.querySelector('path').id = 'area'", area_of(file)));
    browser.click("#area");
    browser.eval("document.getElementById('area').removeAttribute('id')");
}

#[test]
fn a_map_has_areas_in_proportion_without_script_and_takes_no_room_until_it_is_opened() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(browser.texts("#map path"), [] as [&str; 0]);
        let height = browser.eval("document.querySelector('#map').offsetHeight").as_f64().unwrap();
        assert!(height <= 26.0, "{screen}: one line, not {height} pixels");
        browser.click("#map summary");
        assert_eq!(assert_in_proportion(browser, &format!("{screen}")), 400);
        assert_eq!(browser.eval("document.querySelectorAll('#map [href]').length"), 0, "no link to nowhere");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        browser.assert_quiet();
    });
}

#[test]
fn labels_of_a_map_stay_in_their_areas_and_apart() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    let astray = "(() => {
        const box = (node) => node.getBoundingClientRect();
        const areas = [...document.querySelectorAll('#map path:not(.frame)')].map(box);
        const texts = [...document.querySelectorAll('#map text')].filter((text) => text.checkVisibility());
        const outside = texts.filter((text) => text.matches('svg > text')).filter((text) => {
            const { left, right, top, bottom } = box(text);
            return !areas.some((area) => area.left <= left && right <= area.right && area.top <= top + 1 && bottom <= area.bottom + 1);
        });
        const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
        const near = texts.filter((text, at) => texts.some((other, other_at) => other_at < at && overlap(box(text), box(other))));
        return [texts.length, outside.map((text) => text.textContent), near.map((text) => text.textContent)];
    })()";
    let mut numbers = Vec::new();
    on_each_screen(&mut browser, 900, |browser, screen| {
        open_map(browser, &page, "#map=1");
        let found = browser.eval(astray);
        assert_eq!((&found[1], &found[2]), (&json!([]), &json!([])), "{screen}");
        numbers.push(found[0].as_u64().unwrap());
        browser.eval("document.querySelector('#map').scrollIntoView()");
        browser.take_screenshot(&format!("map-{screen}"));
        browser.assert_quiet();
    });
    assert!(numbers[0] >= 4 && numbers.is_sorted(), "a wider map has room for more: {numbers:?}");
    assert_eq!(browser.texts("#map a text")[0], "api 65.6%");
}

#[test]
fn a_click_on_an_area_filters_the_table_and_a_second_one_shows_all() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        open_map(browser, &page, "#map=1");
        click_area(browser, "file017.go");
        assert_eq!(browser.texts("#files .file a"), ["file017.go"], "{screen}");
        assert_eq!(browser.eval("document.querySelector('#filter').value"), "cmd/part4/deep/file017.go");
        assert_eq!(browser.eval("location.hash"), "#filter=cmd/part4/deep/file017.go&map=1");
        assert_eq!(browser.eval(&off_the_screen("#filter, #shown, #files .file a")), json!([]), "{screen}");
        let dimmed = "document.querySelectorAll('#map a.out').length";
        assert_eq!(browser.eval(dimmed), 399);
        browser.take_screenshot(&format!("map-filtered-{screen}"));
        click_area(browser, "file017.go");
        assert_eq!((browser.eval(dimmed), browser.eval("location.hash")), (json!(0), json!("#map=1")));
        browser.click("#map a[data-key] text");
        assert_eq!(
            browser.eval("document.querySelector('#filter').value"),
            "api/",
            "the name of a folder filters by it"
        );
        assert_eq!(browser.text("#shown"), "100 of 400 files, 137 uncovered statements");
        assert_eq!(browser.eval(dimmed), 300);
        browser.assert_quiet();
    });
}

#[test]
fn the_address_has_whether_the_map_is_open() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    browser.click("#map summary");
    browser.wait_until("location.hash === '#map=1'");
    browser.eval("location.hash = '#file=example.com/app/cmd/part4/deep/file017.go'");
    browser.wait_until("document.body.dataset.shown");
    browser.press_named("Escape", 27);
    browser.wait_until("!document.getElementById('overview').hidden");
    let open = "[document.querySelector('#map').open, location.hash.startsWith('#map=1')]";
    assert_eq!(browser.eval(open), json!([true, true]), "after the way back from a file");
    browser.click("#map summary");
    browser.wait_until("!location.hash.includes('map')");
    browser.assert_quiet();
    let service = changed_service();
    browser.open(&service.page(&[]), "#tab=functions&map=1");
    browser.wait_until("document.querySelector('#list').hidden");
    assert_eq!(browser.texts("#map summary"), [] as [&str; 0], "the map is that of the files");
}

#[test]
fn the_tab_key_reaches_one_area_and_arrows_lead_to_the_others() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    open_map(&mut browser, &page, "#map=1");
    assert_eq!(
        browser.eval("[...document.querySelectorAll('#map a')].filter((a) => a.tabIndex === 0).length"),
        1
    );
    browser.eval("document.querySelector('#map summary').focus()");
    browser.press_named("Tab", 9);
    let place = "(({ left, top, width, height }) => [left + width / 2, top + height / 2])
        (document.activeElement.querySelector('path').getBoundingClientRect())";
    let at = |browser: &mut Browser| -> [f64; 2] { serde_json::from_value(browser.eval(place)).unwrap() };
    let first = at(&mut browser);
    browser.press_named("ArrowRight", 39);
    let second = at(&mut browser);
    browser.press_named("ArrowDown", 40);
    let third = at(&mut browser);
    assert!(second[0] > first[0] && third[1] > second[1], "{first:?} {second:?} {third:?}");
    let name = browser.accessible_text_of_focus();
    let file = name.strip_prefix("link \"").and_then(|name| name.split(':').next()).unwrap().to_owned();
    assert!(name.ends_with(" statements covered\""), "{name}");
    let enter = json!({"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
    browser.call("Input.dispatchKeyEvent", &enter);
    assert_eq!(browser.eval("document.querySelector('#filter').value"), json!(file));
    browser.assert_quiet();
}

#[test]
fn a_map_of_many_files_shows_folders() {
    let Some(mut browser) = Browser::start() else { return };
    let block = |at: usize| {
        let (group, package) = (["api", "cmd", "pkg"][at % 3], at / 3 % 40);
        format!("example.com/app/{group}/part{package}/file{at:04}.go:1.1,9.2 {} {}\n", at % 7 + 1, at % 2)
    };
    let profile: String = (0..1100).map(block).collect();
    let service =
        Service::from_source(Source::from_files(&[("go.mod", b"module example.com/app\n")]), &profile);
    let page = service.page(&[]);
    browser.resize(1400, 900);
    open_map(&mut browser, &page, "#map=1");
    assert_eq!(assert_in_proportion(&mut browser, "folders"), 120);
    assert_eq!(browser.text("#map summary"), "Map area is statements, colour is coverage, by folder");
    click_area(&mut browser, "cmd/part7:");
    assert_eq!(browser.eval("document.querySelector('#filter').value"), "cmd/part7/");
    assert_eq!(browser.eval("document.querySelectorAll('#map a:has(path):not(.out)').length"), 1);
    let shown: Value = browser
        .eval("[...document.querySelectorAll('#files .file a')].filter((a) => a.checkVisibility()).length");
    assert!((9..=10).contains(&shown.as_u64().unwrap()), "{shown}");
    assert_eq!(browser.eval(&off_the_screen("#filter, #files tbody:not([hidden]) .package")), json!([]));
    browser.take_screenshot("map-folders");
    browser.assert_quiet();
}

#[test]
fn axe_finds_no_violation_in_a_map() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    let mut found = Vec::new();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        browser.resize(width, 844);
        browser.prefer_color_scheme(scheme);
        for fragment in ["#map=1&folds=-", "#map=1&filter=file017"] {
            open_map(&mut browser, &page, fragment);
            let Some(faults) = browser.accessibility_violations() else { return };
            found.extend(faults.into_iter().map(|fault| format!("{fragment} at {width}, {scheme}: {fault}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
