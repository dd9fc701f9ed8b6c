//! The dialogs of the page of `report --format html` that find: a jump to a file or function, a search in all source.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html::{CART_FILE, cart_service};
use crate::html_overview::off_the_screen;

const ESCAPE: (&str, u32) = ("Escape", 27);
const DOWN: (&str, u32) = ("ArrowDown", 40);
const UP: (&str, u32) = ("ArrowUp", 38);

fn press(browser: &mut Browser, (key, number): (&str, u32)) {
    browser.press_named(key, number);
}

/// Presses Enter as a keyboard does, so that a link that has the focus is followed.
pub(crate) fn enter(browser: &mut Browser) {
    browser.call(
        "Input.dispatchKeyEvent",
        &json!({"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}),
    );
    browser.call(
        "Input.dispatchKeyEvent",
        &json!({"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}),
    );
}

/// Types into the jump and waits until all functions are read.
fn jump(browser: &mut Browser, letters: &str) -> Vec<String> {
    browser.press("f");
    browser.wait_until("document.querySelector('#jump-state').value === ''");
    browser.press(letters);
    browser.texts("#jump-list .what")
}

/// Waits until a search has ended, and returns what it says.
fn searched(browser: &mut Browser) -> String {
    browser.wait_until("/^([\\d,]+ line|No line)/.test(document.querySelector('#search-state').value) && !document.querySelector('#search-state').value.includes('searched')");
    browser.text("#search-state")
}

#[test]
fn a_jump_goes_to_a_file_or_function_by_a_few_letters() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    assert_eq!(jump(&mut browser, "cart"), ["cart.go", "Cart.Add", "Cart.Clear", "Cart.Checkout"]);
    assert_eq!(browser.text("#jump-list .folder"), "example.com/app/cart/");
    assert_eq!(browser.eval("document.activeElement.id"), "jump-to", "letters go on into the field");
    let active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).querySelector('.what').textContent";
    press(&mut browser, DOWN);
    press(&mut browser, DOWN);
    assert_eq!(browser.eval(active), "Cart.Clear");
    press(&mut browser, UP);
    assert_eq!(browser.eval(active), "Cart.Add");
    enter(&mut browser);
    browser.wait_until("document.querySelector('.current')?.id === 'L15'");
    assert_eq!(browser.eval("location.hash"), format!("{CART_FILE}&line=15"));
    assert_eq!(browser.eval("document.querySelector('#jump').open"), false);

    assert_eq!(jump(&mut browser, "cche"), ["Cart.Checkout"]);
    browser.click("#jump-list li");
    browser.wait_until("document.querySelector('.current')?.id === 'L21'");
    assert_eq!(jump(&mut browser, "qqq"), [] as [&str; 0]);
    assert_eq!(browser.text("#jump-none"), "No file or function has these letters in this order.");
    enter(&mut browser);
    press(&mut browser, ESCAPE);
    assert_eq!(browser.eval("document.querySelector('#jump').open"), false);
    assert_eq!(
        browser.eval("document.body.dataset.shown"),
        "example.com/app/cart/cart.go",
        "the file stays open"
    );
    browser.click("#open-jump");
    assert_eq!(browser.eval("document.querySelector('#jump').open"), true);
    browser.assert_quiet();
}

#[test]
fn a_search_finds_lines_of_all_source_with_their_state_and_its_address_says_what() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open_file(&page, "#file=example.com/app/main.go");
    browser.press("s");
    browser.press("RETURN ");
    assert_eq!(searched(&mut browser), "3 lines in 1 file");
    assert_eq!(browser.texts("#search-list .of"), ["example.com/app/cart/cart.go 3"]);
    assert_eq!(browser.texts("#search-list .at"), ["23", "26", "32"]);
    assert_eq!(browser.texts("#search-list code"), ["return errEmpty", "return err", "return nil"]);
    let states =
        "[...document.querySelectorAll('#search-list .mark')].map((e) => e.getAttribute('aria-label'))";
    assert_eq!(browser.eval(states), json!(["uncovered", "uncovered", "covered"]));
    browser.click("#search-missed");
    browser.wait_until("document.querySelectorAll('#search-list .at').length === 2");
    assert_eq!(searched(&mut browser), "2 lines in 1 file");
    assert_eq!(browser.eval("location.hash"), "#search=RETURN%20&missed=1");
    browser.eval("document.querySelector('#search-for').focus()");
    press(&mut browser, DOWN);
    press(&mut browser, DOWN);
    assert_eq!(browser.eval("document.activeElement.querySelector('.at').textContent"), "26");
    enter(&mut browser);
    browser.wait_until("document.querySelector('.current')?.id === 'L26'");
    assert_eq!(browser.eval("document.querySelector('#search').open"), false);

    browser.eval("history.back()");
    browser.wait_until("document.querySelector('#search').open");
    assert_eq!(
        searched(&mut browser),
        "2 lines in 1 file",
        "the way back leads to the lines that were found"
    );
    press(&mut browser, ESCAPE);
    // The event that changes the address comes after the closing.
    browser.wait_until("!document.querySelector('#search').open && location.hash === ''");

    browser.open_file(&page, CART_FILE);
    browser.press("s");
    browser.press("x");
    browser.wait_until("document.querySelector('#search-state').value.startsWith('At least two')");
    press(&mut browser, ESCAPE);
    browser.wait_until("location.hash.startsWith('#file=')");
    assert_eq!(
        browser.eval("document.body.dataset.shown"),
        "example.com/app/cart/cart.go",
        "the file stays open"
    );
    browser.open(&page, "#search=0x2a");
    assert_eq!(searched(&mut browser), "1 line in 1 file");
    browser.assert_quiet();
}

#[test]
fn dialogs_that_find_stay_on_the_screen_and_axe_finds_no_violation() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 640, |browser, screen| {
        for dialog in ["jump", "search"] {
            browser.open(&page, "");
            if dialog == "jump" {
                jump(browser, "a");
            } else {
                browser.press("s");
                browser.press("re");
                searched(browser);
            }
            browser.take_screenshot(&format!("{dialog}-{screen}"));
            let view = format!("{dialog}, {screen}");
            let place = browser.eval(&format!(
                "(({{ left, top, right, bottom }}) => [left, top, innerWidth - right, innerHeight - bottom])(document.querySelector('#{dialog}').getBoundingClientRect())"
            ));
            let place: [f64; 4] = serde_json::from_value(place).unwrap();
            assert!(place.iter().all(|edge| *edge >= 0.0), "{view}: {place:?}");
            let small = format!(
                "[...document.querySelectorAll('#{dialog} :is(li[role], a, button, input)')].filter((e) => e.checkVisibility()).map((e) => (e.closest('label') ?? e).getBoundingClientRect())
                .filter(({{ height }}) => height < 24).length"
            );
            assert_eq!(browser.eval(&small), 0, "{view}");
            let Some(faults) = browser.accessibility_violations() else { return };
            assert!(faults.is_empty(), "{view}: {}", faults.join("\n"));
        }
    });
    browser.assert_quiet();
}

#[test]
fn names_and_lines_that_are_found_are_text() {
    let Some(mut browser) = Browser::start() else { return };
    let source = "package p\n\n// </script><img src=x onerror=alert(1)>\u{202e}evil\nfunc f() {\n\tg(\"<img src=x>\")\n}\n";
    let files: [(&str, &[u8]); 2] = [("a.go", source.as_bytes()), ("go.mod", b"module example.com/app\n")];
    let profile =
        "example.com/app/a.go:4.10,6.2 1 1\nexample.com/app/<img src=x onerror=alert(2)>.go:1.1,2.2 1 0\n";
    let service = Service::from_source(Source::from_files(&files), profile);
    let page = service.page(&[]);
    browser.open(&page, "");
    assert_eq!(jump(&mut browser, "img"), ["<img src=x onerror=alert(2)>.go"]);
    press(&mut browser, ESCAPE);
    browser.press("s");
    browser.press("<img");
    assert_eq!(searched(&mut browser), "2 lines in 1 file");
    assert_eq!(
        browser.texts("#search-list code"),
        ["// </script><img src=x onerror=alert(1)>U+202Eevil", "g(\"<img src=x>\")"]
    );
    assert_eq!(browser.eval("document.images.length"), 0);
    browser.assert_quiet();
}

#[test]
fn a_hit_at_the_end_of_a_long_line_is_seen() {
    let Some(mut browser) = Browser::start() else { return };
    let source =
        "package p\n\nfunc f() {\n\tctxNotify, cancelNotify := context.WithCancel(context.Background())\n}\n";
    let files: [(&str, &[u8]); 2] = [("a.go", source.as_bytes()), ("go.mod", b"module example.com/app\n")];
    let service = Service::from_source(Source::from_files(&files), "example.com/app/a.go:3.10,5.2 1 1\n");
    let page = service.page(&[]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        browser.press("s");
        browser.press("background");
        assert_eq!(searched(browser), "1 line in 1 file");
        let beyond = "['#search-list code mark', '#search-list code']
            .map((name) => document.querySelector(name).getBoundingClientRect().right)
            .reduce((mark, code) => mark - code)";
        assert!(browser.eval(beyond).as_f64().unwrap() <= 0.0, "{screen}");
    });
}

#[test]
fn all_hits_are_counted_generated_files_come_last_and_more_are_listed_on_request() {
    let Some(mut browser) = Browser::start() else { return };
    let lines = |number: usize| "\tneedle()\n".repeat(number);
    let made = format!("// Code generated by x. DO NOT EDIT.\n\npackage p\n\nfunc a() {{\n{}}}\n", lines(40));
    let named = format!("package p\n\nfunc b() {{\n{}}}\n", lines(30));
    let own = format!("package p\n\nfunc c() {{\n{}}}\n", lines(1200));
    let last = format!("package p\n\nfunc d() {{\n{}}}\n", lines(20));
    let files: [(&str, &[u8]); 5] = [
        ("a.go", made.as_bytes()),
        ("b_generated.go", named.as_bytes()),
        ("c.go", own.as_bytes()),
        ("d.go", last.as_bytes()),
        ("go.mod", b"module example.com/app\n"),
    ];
    let profile = "example.com/app/a.go:5.10,46.2 40 1\nexample.com/app/b_generated.go:3.10,34.2 30 1\n\
                   example.com/app/c.go:3.10,1204.2 1200 1\nexample.com/app/d.go:3.10,24.2 20 0\n";
    let service = Service::from_source(Source::from_files(&files), profile);
    let page = service.page(&[]);
    let listed = "document.querySelectorAll('#search-list a').length";
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#search=needle");
        assert_eq!(searched(browser), "1,290 lines in 4 files, 500 of them listed", "{screen}");
        assert_eq!(browser.texts("#search-list .of"), ["example.com/app/c.go 1,200"], "{screen}");
        assert_eq!(browser.text("#more-hits"), "Show 500 of 790 more", "{screen}");
        assert_eq!(browser.eval(&off_the_screen("#more-hits")), json!([]), "{screen}");
        browser.click("#more-hits");
        browser.wait_until(&format!("{listed} === 1000"));
        assert_eq!(browser.text("#search-state"), "1,290 lines in 4 files, 1,000 of them listed");
        assert_eq!(browser.text("#more-hits"), "Show 290 of 290 more", "{screen}");
        browser.click("#more-hits");
        browser.wait_until(&format!("{listed} === 1290"));
        let heads = "[...document.querySelectorAll('#search-list .of')].map((e) => e.textContent)";
        let wanted = [
            "example.com/app/c.go 1,200",
            "example.com/app/d.go 20",
            "example.com/app/a.go 40, generated",
            "example.com/app/b_generated.go 30, generated",
        ];
        assert_eq!(browser.eval(heads), json!(wanted), "{screen}");
        assert_eq!(searched(browser), "1,290 lines in 4 files", "{screen}");
        assert_eq!(browser.texts("#more-hits"), [] as [&str; 0], "{screen}");
        let numbers = "[...document.querySelectorAll('#search-list > li:first-child .at')].map((e) => Number(e.textContent))";
        let each_once = format!("(({numbers}).filter((line, at) => line !== at + 4)).length");
        assert_eq!(browser.eval(&each_once), 0, "{screen}: each line once");
        browser.open(&page, "#search=needle&missed=1");
        assert_eq!(searched(browser), "20 lines in 1 file", "{screen}");
    });
    browser.assert_quiet();
}
