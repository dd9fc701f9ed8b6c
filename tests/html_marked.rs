//! Marks in the source on a report's page (`--ignore-marked`): what they take out, stale ones, and lines with their reasons.

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_overview::{OVERFLOW, off_the_screen};

/// Four marks take out the two statements of `usage`, that of line 11 and that of line 13, which was executed.
const MARKED: &str = "package app

// coverage-ignore it prints <help> and ends
func usage() {
\tprintln(\"usage\")
\texit(2)
}

func Run(n int) int {
\tif n < 0 { // coverage-ignore
\t\tpanic(\"negative\")
\t}
\tlog(n) // coverage-ignore it is executed all the same
\treturn n
}

// coverage-ignore nothing is here
";
const PROFILE: &str = "example.com/app/app.go:4.14,7.2 2 0
example.com/app/app.go:9.21,10.11 1 5
example.com/app/app.go:10.11,12.3 1 0
example.com/app/app.go:13.2,14.10 2 5
example.com/app/other/other.go:3.14,5.2 1 0
";
const APP: &str = "#file=example.com/app/app.go";

fn marked_service() -> Service {
    let source = Source::from_files(&[
        ("go.mod", b"module example.com/app\n"),
        ("app.go", MARKED.as_bytes()),
        ("other/other.go", b"package other\n\nfunc other() {\n\tgo()\n}\n"),
    ]);
    Service::from_source(source, PROFILE)
}

#[test]
fn the_number_of_ignored_statements_stands_beside_totals_and_stale_marks_are_listed() {
    let Some(mut browser) = Browser::start() else { return };
    let service = marked_service();
    let printed = service.report(&["-q", "--ignore-marked", "--format", "json"]).assert_code(0).stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed["ignored"], &printed["total"]), (&json!(4), &json!(3)));
    let page = service.page(&["--ignore-marked"]);
    let stale = [
        "app.go:10: it gives no reason",
        "app.go:13: its code was executed",
        "app.go:17: it takes out no statement",
    ];
    for has_script in [true, false] {
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": !has_script}));
        on_each_screen(&mut browser, 900, |browser, screen| {
            browser.open(&page, "");
            let facts = browser.texts(".total > p:not(.number)");
            assert_eq!(
                facts[..2],
                ["2 of 3 statements, 1 uncovered", "4 more ignored by 4 marks"],
                "{screen}"
            );
            assert_eq!(browser.texts(".marked li"), [] as [&str; 0], "{screen}: they are folded");
            browser.click(".marked summary");
            assert_eq!(browser.texts(".marked li"), stale, "{screen}");
            assert_eq!(browser.eval(&off_the_screen(".marked li")), json!([]), "{screen}");
            let links = browser.eval("document.querySelectorAll('.marked a[href]').length");
            assert_eq!(links, if has_script { 3 } else { 0 }, "{screen}");
            let cells = browser.texts("#files :is(th, td).ignored");
            let wanted = ["Ignored", "4", "4", "", ""];
            assert_eq!(cells, if screen.width > 1200 { &wanted[..] } else { &[] }, "{screen}");
            assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
            browser.take_screenshot(&format!("marked-{screen}"));
        });
    }
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
    browser.resize(1400, 900);
    browser.open(&page, "#filter=other");
    assert_eq!(browser.texts("#files .package td.ignored"), ["", ""], "of the files that a filter leaves");
    browser.open(&page, "#sort=-ignored");
    assert_eq!(browser.texts("#files .file a"), ["app.go", "other.go"]);
    browser.click(".marked summary");
    browser.click(".marked li:nth-child(2) a");
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(browser.current_line(), "13");
    browser.assert_quiet();
    browser.open(&service.page(&[]), "");
    assert_eq!(
        browser.texts(".marked, .ignored, #ignored"),
        [] as [&str; 0],
        "without the option nothing is ignored"
    );
}

#[test]
fn ignored_lines_are_quiet_and_tell_the_reason() {
    let Some(mut browser) = Browser::start() else { return };
    let service = marked_service();
    let page = service.page(&["--ignore-marked"]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open_file(&page, APP);
        assert_eq!(browser.texts(".line.ignored .number-of-line"), ["5", "6", "11", "13"], "{screen}");
        let reasons = "[...document.querySelectorAll('.line.ignored .mark')].map((mark) => mark.ariaLabel)";
        let wanted = [
            "ignored: it prints <help> and ends",
            "ignored: it prints <help> and ends",
            "ignored, without a reason",
            "ignored: it is executed all the same",
        ];
        assert_eq!(browser.eval(reasons), json!(wanted), "{screen}");
        let quiet = "(() => {
            const color = (of) => getComputedStyle(document.querySelector(of)).color;
            return [color('#L11 code'), color('#L11 .mark')].every((it) => it === color('.number-of-line')) && color('#L14 code') !== color('#L11 code');
        })()";
        assert_eq!(browser.eval(quiet), true, "{screen}");
        assert_eq!(
            browser.texts(".on, .off"),
            ["{", "if n < 0", "return n"],
            "{screen}: only code that counts is coloured"
        );
        assert_eq!(browser.texts("#ignored"), ["4 ignored"], "{screen}");
        let figures = browser.text(if screen.width > 640 { "#file-figures" } else { ".where .of-file" });
        assert_eq!(figures, "2 of 2 statements, 4 ignored", "{screen}");
        assert_eq!(browser.text("#file-percent"), "100.0%", "{screen}");
        browser.press("n");
        assert_eq!(browser.text("#place"), "No uncovered lines", "{screen}");
        browser.open_file(&page, &format!("{APP}&line=11"));
        assert_eq!(
            browser.accessible_text_of_focus(),
            "group \"Line 11, ignored, without a reason: panic(\\\"negative\\\")\"",
            "{screen}"
        );
        if let Some(violations) = browser.accessibility_violations() {
            assert_eq!(violations, [] as [&str; 0], "{screen}");
        }
        browser.take_screenshot(&format!("marked-file-{screen}"));
        browser.open_file(&page, "#file=example.com/app/other/other.go");
        assert_eq!(browser.texts("#ignored, .line.ignored"), [] as [&str; 0], "{screen}");
        browser.assert_quiet();
    });
}
