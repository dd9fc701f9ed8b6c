//! The view of one file in the page of `report --format html`, by what stands where on the screen.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html::{CART_FILE, cart_service, set_origin};
use crate::html_changes::{changed_service, changed_service_and_base};

/// The file of `long_service`, whose name is too long for a phone.
const LONG_FILE: &str = "#file=example.com/app/works/worker_of_the_big_machine_in_the_hall.go";
/// Functions of the long file, each of 10 lines, after 2 lines.
const STEPS: usize = 120;

/// A service with a file of 1,202 lines. The functions from step 60 on were never executed.
fn long_service() -> Service {
    let (mut source, mut profile) = ("package works\n\n".to_owned(), String::new());
    for step in 0..STEPS {
        let line = 3 + 10 * step;
        let _ = write!(source, "func Step{step}() {{\n{}}}\n\n", "\tgo()\n".repeat(7));
        let _ = writeln!(
            profile,
            "example.com/app/works/worker_of_the_big_machine_in_the_hall.go:{line}.14,{}.2 7 {}",
            line + 8,
            u8::from(step < 60)
        );
    }
    let files: [(&str, &[u8]); 2] = [
        ("works/worker_of_the_big_machine_in_the_hall.go", source.as_bytes()),
        ("go.mod", b"module example.com/app\n"),
    ];
    Service::from_source(Source::from_files(&files), &profile)
}

/// Script that returns left, top, right and bottom of an element on the screen.
fn place(browser: &mut Browser, selector: &str) -> [f64; 4] {
    let place = browser.eval(&format!(
        "(({{ left, top, right, bottom }}) => [left, top, right, bottom])(document.querySelector('{selector}').getBoundingClientRect())"
    ));
    serde_json::from_value(place).unwrap()
}

/// Waits until the page has drawn what follows the last scrolling.
fn wait_for_frames(browser: &mut Browser) {
    browser.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))");
}

fn press_mouse(browser: &mut Browser, kind: &str, (x, y): (f64, f64)) {
    let event = json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1});
    browser.call("Input.dispatchMouseEvent", &event);
    wait_for_frames(browser);
}

#[test]
fn name_way_back_and_percentage_stay_in_one_line_of_a_phone_and_functions_are_closed() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    for width in [320, 360, 390, 640] {
        browser.resize(width, 700);
        browser.open_file(&page, LONG_FILE);
        assert_eq!(browser.eval("document.querySelector('#functions').open"), false, "{width} wide");
        let [_, code, ..] = place(&mut browser, "#L1");
        assert!(code < 500.0, "the code begins on the first screen, at {code}, {width} wide");
        browser.eval("scrollTo(0, document.documentElement.scrollHeight)");
        wait_for_frames(&mut browser);
        browser.take_screenshot(&format!("file-end-{width}"));
        for part in ["#back", "#path", "#file-percent"] {
            let [left, top, right, bottom] = place(&mut browser, part);
            let is_there = left >= 0.0 && top >= 0.0 && right <= f64::from(width) && bottom <= 48.0;
            assert!(is_there && right > left, "{part}, {width} wide: {left} {top} {right} {bottom}");
        }
        browser.click("#back");
        browser.wait_until("!document.querySelector('#overview').hidden");
    }
    browser.resize(1400, 900);
    browser.open_file(&page, LONG_FILE);
    assert_eq!(browser.eval("document.querySelector('#functions').open"), true, "beside the code");
    browser.assert_quiet();
}

#[test]
fn comments_in_executed_code_are_not_coloured() {
    let Some(mut browser) = Browser::start() else { return };
    let source = "package app\n\nfunc f() {\n\tg() // why\n\n\t// because\n\th()\n}\n";
    let files: [(&str, &[u8]); 2] = [("a.go", source.as_bytes()), ("go.mod", b"module example.com/app\n")];
    let service = Service::from_source(Source::from_files(&files), "example.com/app/a.go:3.10,8.2 2 1\n");
    let page = service.page(&[]);
    browser.open_file(&page, "#file=example.com/app/a.go");
    assert_eq!(browser.texts("#code .on"), ["{", "g()", "h()", "}"]);
    assert_eq!(browser.texts("#code .c"), ["// why", "// because"]);
}

#[test]
fn a_line_beyond_the_end_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    for (fragment, last) in [
        (CART_FILE, "The file ends at line 38"),
        ("#file=example.com/app/made/up.go", "The file ends at line 14"),
    ] {
        browser.open_file(&page, &format!("{fragment}&line=999999"));
        assert_eq!(browser.text("#place"), last);
    }
    browser.open_file(&page, &format!("{CART_FILE}&line=38"));
    assert_eq!(browser.text("#place"), "3 uncovered ranges", "that line is there");
}

/// Loads the page of the present address anew.
fn reload(browser: &mut Browser, page: &Path) {
    let fragment = browser.eval("location.hash");
    browser.open_file(page, fragment.as_str().unwrap());
}

#[test]
fn counts_colours_and_folds_are_there_after_a_reload_and_in_the_next_file() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    browser.open_file(&page, &format!("{CART_FILE}&changed=1"));
    assert_eq!(browser.texts(".folded").len(), 1);
    browser.click(".folded button");
    browser.press("c3");
    browser.wait_until("document.querySelector('.folded') === null");
    reload(&mut browser, &page);
    assert_eq!(browser.texts(".folded"), [] as [&str; 0]);
    assert_eq!(browser.texts("#L9 .count-of-line"), ["7×"]);
    let colours =
        "[...document.querySelectorAll('.states button')].map((e) => e.getAttribute('aria-pressed'))";
    assert_eq!(browser.eval(colours), json!(["true", "true", "false"]));
    let background = |browser: &mut Browser, selector: &str| {
        browser.eval(&format!("getComputedStyle(document.querySelector('{selector}')).backgroundColor"))
    };
    let none = "rgba(0, 0, 0, 0)";
    assert_eq!(background(&mut browser, "#L6 .off"), none);
    assert_ne!(background(&mut browser, "#L8 .off"), none, "of a line that was executed partly");
    assert_eq!(browser.eval("document.querySelector('.ruler .missed').checkVisibility()"), false);
    browser.press("12");
    let coloured = "[...document.querySelectorAll('.line :is(.on, .off)')]
        .filter((e) => getComputedStyle(e).backgroundColor !== 'rgba(0, 0, 0, 0)').length";
    assert_eq!(browser.eval(coloured), 0, "nothing has a colour while all are off");
    browser.press("12");

    browser.press("[");
    browser.wait_until("document.body.dataset.shown?.endsWith('main.go')");
    assert_eq!(browser.eval(colours), json!(["true", "true", "false"]));
    let hash = browser.eval("location.hash");
    assert!(hash.as_str().unwrap().ends_with("main.go&changed=1&counts=1&without=missed"), "{hash}");
    browser.click("#show-missed");
    assert_ne!(background(&mut browser, "#L5 .off"), none);
    browser.assert_quiet();
}

#[test]
fn the_ruler_shows_the_whole_file_and_a_click_or_drag_shows_the_lines_there() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    for (width, height) in [(1400, 900), (2560, 1200), (768, 900), (360, 700)] {
        browser.resize(width, height);
        browser.open_file(&page, LONG_FILE);
        wait_for_frames(&mut browser);
        let [left, top, right, bottom] = place(&mut browser, ".ruler svg");
        assert!(
            left > f64::from(width) * 0.7 && right <= f64::from(width),
            "{width} wide: {left} to {right}"
        );
        assert!(
            bottom - top > f64::from(height) / 2.0 && bottom < f64::from(height) + 1.0,
            "{top} to {bottom}"
        );
        // The second half of the file was never executed.
        let [_, missed, _, missed_end] = place(&mut browser, ".ruler .missed");
        let middle = f64::midpoint(top, bottom);
        assert!(
            (missed - middle).abs() < 8.0 && (missed_end - bottom).abs() < 8.0,
            "{missed} to {missed_end}"
        );

        // The head of the page leaves its room to the ruler when it is scrolled away.
        browser.eval("scrollTo(0, 400)");
        wait_for_frames(&mut browser);
        let [left, top, right, bottom] = place(&mut browser, ".ruler svg");
        let at = |share: f64| (f64::midpoint(left, right), top + (bottom - top) * share);
        let shown = |browser: &mut Browser, line: u32| {
            let [_, top, ..] = place(browser, &format!("#L{line}"));
            assert!((100.0..f64::from(height) - 100.0).contains(&top), "line {line} at {top}, {width} wide");
            let [_, window, _, window_end] = place(browser, ".ruler .window");
            let line = at(f64::from(line) / 1202.0).1;
            assert!(window < line && line < window_end, "{window} to {window_end}, not {line}");
        };
        press_mouse(&mut browser, "mousePressed", at(0.5));
        browser.wait_until("document.querySelector('#L601') !== null");
        shown(&mut browser, 601);
        press_mouse(&mut browser, "mouseMoved", at(0.25));
        press_mouse(&mut browser, "mouseReleased", at(0.25));
        browser.wait_until("document.querySelector('#L301') !== null");
        shown(&mut browser, 301);
        press_mouse(&mut browser, "mouseMoved", at(0.75));
        shown(&mut browser, 301);
        browser.take_screenshot(&format!("ruler-{width}"));
    }
    browser.assert_quiet();
}

#[test]
fn the_name_of_the_current_function_sticks_above_the_code() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    for width in [1400, 360] {
        browser.resize(width, 700);
        browser.open_file(&page, LONG_FILE);
        assert_eq!(browser.texts("#inside"), [] as [&str; 0], "the head of the file is shown");
        browser.wait_until("document.querySelector('#L506') !== null");
        // Line 506 is in step 50, whose head is line 503.
        browser.eval("scrollBy(0, document.querySelector('#L506').getBoundingClientRect().top - document.querySelector('.bar-of-file').offsetHeight)");
        wait_for_frames(&mut browser);
        assert_eq!(browser.text("#inside-name"), "Step50");
        let ([_, top, _, bottom], [.., bar]) =
            (place(&mut browser, "#inside"), place(&mut browser, ".bar-of-file"));
        assert!(
            (top - bar).abs() < 1.0 && (bottom - top - 24.0).abs() < 0.5,
            "{top} to {bottom}, below {bar}"
        );
        let middle = (100.0, f64::midpoint(top, bottom));
        press_mouse(&mut browser, "mousePressed", middle);
        press_mouse(&mut browser, "mouseReleased", middle);
        browser.wait_until("document.querySelector('.current')?.id === 'L503'");
    }
    browser.assert_quiet();
}

#[test]
fn on_paper_a_long_file_is_whole_with_its_functions_after_the_code() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    browser.resize(700, 900);
    browser.open_file(&page, LONG_FILE);
    browser.eval("window.dispatchEvent(new Event('beforeprint'))");
    browser.call("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    assert_eq!(browser.eval("document.querySelectorAll('.line').length"), 1202);
    assert_eq!(browser.eval("document.querySelectorAll('#function-list li').length"), STEPS);
    let ([.., code], [_, functions, ..]) = (place(&mut browser, "#L1202"), place(&mut browser, "#functions"));
    assert!(code <= functions, "{code}, {functions}");
    assert_eq!(browser.texts(".ruler, .inside, .states"), [] as [&str; 0]);
    assert_eq!(browser.texts("#legend span").len(), 3);
}

#[test]
fn with_changes_and_a_host_the_bar_of_a_file_stays_low_and_its_targets_large() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    set_origin(&service, "git@gitlab.com:g/r.git");
    let page = service.page(&["--against", "sg_app"]);
    // The buttons of a phone stand at its lower edge.
    for (width, most) in [(360, 48.0), (1400, 90.0), (2560, 90.0)] {
        browser.resize(width, 900);
        browser.open_file(&page, CART_FILE);
        let [_, top, _, bottom] = place(&mut browser, ".bar-of-file");
        assert!(bottom - top <= most, "{} pixels high, {width} wide", bottom - top);
        let small = "[...document.querySelectorAll('#view :is(a[href], button, summary)')]
            .filter((e) => e.checkVisibility() && !e.closest('.line') && !e.ariaHidden)
            .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)";
        assert_eq!(browser.eval(small), json!([]), "{width} pixels");
    }
}
