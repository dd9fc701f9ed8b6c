//! The view of one file in the page of `report --format html`, by what stands where on the screen.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html::{CART_FILE, cart_service, set_origin};
use crate::html_changes::{changed_service, changed_service_and_base};
use crate::html_overview::off_the_screen;

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
fn name_way_back_and_percentage_stay_on_the_screen_and_functions_are_closed_where_they_stand_above_the_code()
{
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    let at_the_end = |browser: &mut Browser, screen: &str, highest: f64| {
        browser.open_file(&page, LONG_FILE);
        let [_, code, ..] = place(browser, "#L1");
        assert!(code < 500.0, "{screen}: the code begins on the first screen, at {code}");
        browser.eval("scrollTo(0, document.documentElement.scrollHeight)");
        wait_for_frames(browser);
        browser.take_screenshot(&format!("file-end-{screen}"));
        assert_eq!(browser.eval(&off_the_screen("#back, #path, #file-percent")), json!([]), "{screen}");
        for part in ["#back", "#path", "#file-percent"] {
            let [left, top, right, bottom] = place(browser, part);
            assert!(right > left && bottom <= highest, "{screen}, {part}: {left} {top} {right} {bottom}");
        }
        let is_open = browser.eval("document.querySelector('#functions').open");
        browser.click("#back");
        browser.wait_until("!document.querySelector('#overview').hidden");
        is_open
    };
    on_each_screen(&mut browser, 700, |browser, screen| {
        let highest = if screen.width <= 640 { 48.0 } else { 100.0 };
        let is_open = at_the_end(browser, &screen.to_string(), highest);
        assert_eq!(is_open, screen.width > 900, "{screen}: functions are open only beside the code");
    });
    for width in [320, 390, 640] {
        browser.resize(width, 700);
        assert_eq!(at_the_end(&mut browser, &width.to_string(), 48.0), false, "{width} pixels");
    }
    browser.assert_quiet();
}

#[test]
fn comments_in_executed_code_are_not_coloured() {
    let Some(mut browser) = Browser::start() else { return };
    let source = "package app\n\nfunc f() {\n\tg() // why\n\n\t// because\n\th()\n}\n";
    let files: [(&str, &[u8]); 2] = [("a.go", source.as_bytes()), ("go.mod", b"module example.com/app\n")];
    let service = Service::from_source(Source::from_files(&files), "example.com/app/a.go:3.10,8.2 2 1\n");
    let page = service.page(&[]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open_file(&page, "#file=example.com/app/a.go");
        assert_eq!(browser.texts("#code .on"), ["{", "g()", "h()", "}"], "{screen}");
        assert_eq!(browser.texts("#code .c"), ["// why", "// because"], "{screen}");
        // The colour of executed code is found under the code, and not under the comment.
        let colours = "['#L4 .on', '#L4 .c', '#L6 .c'].map((name) => {
            const { left, right, top, bottom } = document.querySelector(name).getBoundingClientRect();
            const under = document.elementsFromPoint((left + right) / 2, (top + bottom) / 2).map((e) => getComputedStyle(e).backgroundColor);
            return under.indexOf(getComputedStyle(document.querySelector('.on')).backgroundColor) >= 0;
        })";
        assert_eq!(browser.eval(colours), json!([true, false, false]), "{screen}");
    });
}

#[test]
fn a_line_beyond_the_end_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        for (fragment, last) in [
            (CART_FILE, "The file ends at line 38"),
            ("#file=example.com/app/made/up.go", "The file ends at line 14"),
        ] {
            browser.open_file(&page, &format!("{fragment}&line=999999"));
            assert_eq!(browser.text("#place"), last, "{screen}");
            assert_eq!(browser.eval(&off_the_screen("#place")), json!([]), "{screen}");
        }
        browser.open_file(&page, &format!("{CART_FILE}&line=38"));
        assert_eq!(browser.text("#place"), "3 uncovered places", "{screen}: that line is there");
    });
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
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open_file(&page, &format!("{CART_FILE}&changed=1"));
        assert_eq!(browser.texts(".folded").len(), 1, "{screen}");
        browser.click(".folded button");
        browser.press("c3");
        browser.wait_until("document.querySelector('.folded') === null");
        reload(browser, &page);
        assert_eq!(browser.texts(".folded"), [] as [&str; 0]);
        assert_eq!(browser.texts("#L9 .count-of-line"), ["7×"]);
        let colours =
            "[...document.querySelectorAll('.states > button')].map((e) => e.getAttribute('aria-pressed'))";
        assert_eq!(browser.eval(colours), json!(["true", "true", "false"]));
        let background = |browser: &mut Browser, selector: &str| {
            browser.eval(&format!("getComputedStyle(document.querySelector('{selector}')).backgroundColor"))
        };
        let none = "rgba(0, 0, 0, 0)";
        assert_eq!(background(browser, "#L6 .off"), none);
        assert_ne!(background(browser, "#L8 .off"), none, "of a line that was executed partly");
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
        assert_ne!(background(browser, "#L5 .off"), none);
        browser.assert_quiet();
    });
}

#[test]
fn the_ruler_shows_the_whole_file_and_a_click_or_drag_shows_the_lines_there() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    let height = 900;
    on_each_screen(&mut browser, height, |browser, screen| {
        let width = screen.width.min(1848);
        browser.open_file(&page, LONG_FILE);
        wait_for_frames(browser);
        let [left, top, right, bottom] = place(browser, ".ruler svg");
        assert!(
            left > f64::from(width) * 0.7 && right <= f64::from(screen.width),
            "{screen}: {left} to {right}"
        );
        assert!(
            bottom - top > f64::from(height) / 2.0 && bottom < f64::from(height) + 1.0,
            "{top} to {bottom}"
        );
        // The second half of the file was never executed.
        let [_, missed, _, missed_end] = place(browser, ".ruler .missed");
        let middle = f64::midpoint(top, bottom);
        assert!(
            (missed - middle).abs() < 8.0 && (missed_end - bottom).abs() < 8.0,
            "{missed} to {missed_end}"
        );

        // The head of the page leaves its room to the ruler when it is scrolled away.
        browser.eval("scrollTo(0, 400)");
        wait_for_frames(browser);
        let [left, top, right, bottom] = place(browser, ".ruler svg");
        let at = |share: f64| (f64::midpoint(left, right), top + (bottom - top) * share);
        let shown = |browser: &mut Browser, line: u32| {
            let [_, top, ..] = place(browser, &format!("#L{line}"));
            assert!((100.0..f64::from(height) - 100.0).contains(&top), "line {line} at {top}, {screen}");
            let [_, window, _, window_end] = place(browser, ".ruler .window");
            let line = at(f64::from(line) / 1202.0).1;
            assert!(window < line && line < window_end, "{window} to {window_end}, not {line}");
        };
        press_mouse(browser, "mousePressed", at(0.5));
        browser.wait_until("document.querySelector('#L601') !== null");
        shown(browser, 601);
        press_mouse(browser, "mouseMoved", at(0.25));
        press_mouse(browser, "mouseReleased", at(0.25));
        browser.wait_until("document.querySelector('#L301') !== null");
        shown(browser, 301);
        press_mouse(browser, "mouseMoved", at(0.75));
        shown(browser, 301);
        browser.take_screenshot(&format!("ruler-{screen}"));
    });
    browser.assert_quiet();
}

#[test]
fn the_name_of_the_current_function_sticks_above_the_code() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open_file(&page, LONG_FILE);
        assert_eq!(browser.texts("#inside"), [] as [&str; 0], "the head of the file is shown");
        browser.wait_until("document.querySelector('#L506') !== null");
        // Line 506 is in step 50, whose head is line 503.
        browser.eval("scrollBy(0, document.querySelector('#L506').getBoundingClientRect().top - document.querySelector('.bar-of-file').offsetHeight)");
        wait_for_frames(browser);
        assert_eq!(browser.text("#inside-name"), "Step50", "{screen}");
        let ([left, top, _, bottom], [.., bar]) = (place(browser, "#inside"), place(browser, ".bar-of-file"));
        assert!(
            (top - bar).abs() < 1.0 && (bottom - top - 24.0).abs() < 0.5,
            "{top} to {bottom}, below {bar}"
        );
        let middle = (left + 100.0, f64::midpoint(top, bottom));
        press_mouse(browser, "mousePressed", middle);
        press_mouse(browser, "mouseReleased", middle);
        browser.wait_until("document.querySelector('.current')?.id === 'L503'");
    });
    browser.assert_quiet();
}

#[test]
fn on_paper_a_long_file_is_whole_with_its_functions_after_the_code() {
    let Some(mut browser) = Browser::start() else { return };
    let service = long_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open_file(&page, LONG_FILE);
        browser.eval("window.dispatchEvent(new Event('beforeprint'))");
        let features = json!([{"name": "prefers-color-scheme", "value": screen.scheme}]);
        browser.call("Emulation.setEmulatedMedia", &json!({"media": "print", "features": features}));
        let background = browser.eval("getComputedStyle(document.body).backgroundColor");
        assert_eq!(background, "rgb(255, 255, 255)", "{screen}");
        assert_eq!(browser.eval("document.querySelectorAll('.line').length"), 1202, "{screen}");
        assert_eq!(browser.eval("document.querySelectorAll('#function-list li').length"), STEPS);
        let ([.., code], [_, functions, ..]) = (place(browser, "#L1202"), place(browser, "#functions"));
        assert!(code <= functions, "{screen}: {code}, {functions}");
        assert_eq!(browser.texts(".ruler, .inside, .states, .actions"), [] as [&str; 0], "{screen}");
        assert_eq!(browser.texts("#legend span").len(), 3);
        browser.call("Emulation.setEmulatedMedia", &json!({"media": ""}));
    });
    // The printer gets what the browser lays out on its paper: 1,202 lines of 15 pixels, and functions.
    browser.open_file(&page, LONG_FILE);
    let paper = browser.call("Page.printToPDF", &json!({"preferCSSPageSize": true}));
    let paper = STANDARD.decode(paper["data"].as_str().unwrap()).unwrap();
    let sheets = paper.windows(11).filter(|part| part == b"/Type /Page").count();
    assert!((16..40).contains(&sheets), "{sheets} sheets");
}

#[test]
fn with_changes_and_a_host_the_bars_of_a_file_stay_low_and_their_targets_large() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    set_origin(&service, "git@gitlab.com:g/r.git");
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open_file(&page, CART_FILE);
        browser.take_screenshot(&format!("file-changed-{screen}"));
        let [_, top, _, bottom] = place(browser, ".bar-of-file");
        // The buttons of a phone stand at its lower edge.
        let most = match screen.width {
            ..=640 => 48.0,
            1400.. => 64.0,
            _ => 90.0,
        };
        assert!(bottom - top <= most, "{screen}: {} pixels high", bottom - top);
        if screen.width <= 640 {
            let [left, top, right, bottom] = place(browser, ".actions");
            assert_eq!((left, right, bottom), (0.0, f64::from(screen.width), 900.0), "{screen}: one bar");
            assert!(bottom - top <= 90.0, "{screen}: {} pixels high", bottom - top);
        }
        let figures = browser.text(if screen.width <= 640 { ".where .of-file" } else { ".figures .both" });
        assert!(figures.ends_with(" changed lines"), "{screen}: {figures}");
        let walks = browser.texts(".walk .told > span");
        assert_eq!(walks, ["Uncovered changes", "Lost coverage"], "{screen}");
        let units = browser.texts(".walk output");
        assert_eq!(units, ["3 places", "2 places"], "{screen}");
        let small = "[...document.querySelectorAll('#view :is(a[href], button, summary)')]
            .filter((e) => e.checkVisibility() && !e.closest('.line') && !e.ariaHidden)
            .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)";
        assert_eq!(browser.eval(small), json!([]), "{screen}");
        let told = "#view .buttons button, .walk, .told > span, .told output";
        assert_eq!(browser.eval(&off_the_screen(told)), json!([]), "{screen}");
    });
    for width in [901, 1000, 1100, 1300, 1399] {
        browser.resize(width, 700);
        browser.open_file(&page, CART_FILE);
        browser.take_screenshot(&format!("file-changed-{width}"));
        let [_, top, _, bottom] = place(&mut browser, ".bar-of-file");
        assert!(bottom - top <= 56.0, "{width}: {} pixels high", bottom - top);
        let figures = browser.texts(".figures .both, .where .of-file");
        assert!(figures.len() == 1 && figures[0].ends_with(" changed lines"), "{width}: {figures:?}");
        let path = browser.texts(".path h2, .where");
        assert!(path[0] == "cart.go" && path[1].contains("cart/cart.go"), "{width}: {path:?}");
        let is_cut = "(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector('.path h2'))";
        assert_eq!(browser.eval(is_cut), false, "{width}");
        let all = "#view .buttons button, .told > span, .told output, .path a";
        assert_eq!(browser.eval(&off_the_screen(all)), json!([]), "{width}");
    }
    let plain = service.page(&[]);
    for width in [901, 1000, 1200, 1399] {
        browser.resize(width, 700);
        browser.open_file(&plain, CART_FILE);
        let [_, top, _, bottom] = place(&mut browser, ".bar-of-file");
        assert!(bottom - top <= 56.0, "{width} without changes: {} pixels high", bottom - top);
        let path = browser.texts(".path h2, .where");
        assert!(path[0] == "cart.go" && path[1].contains("cart/cart.go"), "{width}: {path:?}");
    }
    // On the smallest phones, too, the head of the page is a name and one line of buttons, and two lines are at the lower edge.
    browser.resize(320, 640);
    browser.open_file(&page, CART_FILE);
    browser.take_screenshot("file-changed-320");
    for (bar, most) in [(".top", 72.0), (".bar-of-file", 48.0), (".actions", 104.0)] {
        let [_, top, _, bottom] = place(&mut browser, bar);
        assert!(bottom - top <= most, "{bar}: {} pixels high", bottom - top);
    }
    assert_eq!(browser.eval(&off_the_screen(".top button, .told output, .actions button")), json!([]));
    // Places that are many need more room.
    browser.eval(
        "for (const place of document.querySelectorAll('.told output')) place.value = 'place 641 of 999'",
    );
    assert_eq!(browser.eval(&off_the_screen(".told output, .actions button")), json!([]));
}
