//! The overview of a report's page, by position and size on the screen.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::{changed_service, changed_service_and_base};

const WIDTHS: [u32; 4] = [360, 768, 1400, 2560];

/// Script that lists the elements of a selector, by text, that are not wholly on the screen.
fn off_the_screen(selector: &str) -> String {
    format!(
        "[...document.querySelectorAll({})].filter((e) => e.checkVisibility()).filter((e) => {{
            const {{ top, bottom, left, right }} = e.getBoundingClientRect();
            return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth;
        }}).map((e) => `${{e.tagName}} ${{e.textContent}}`)",
        json!(selector)
    )
}

/// Pixels by which anything seen in the page sticks out on the right.
const OVERFLOW: &str = "Math.max(0, ...[...document.body.querySelectorAll('*')]
    .filter((e) => e.checkVisibility() && !e.closest('.unseen, .places'))
    .map((e) => Math.ceil(e.getBoundingClientRect().right - innerWidth)))";

#[test]
fn results_of_a_search_are_on_the_screen_though_changes_stand_above_the_table() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    let results = off_the_screen("#filter, #shown, #files thead th, #files .file a");
    for width in WIDTHS {
        browser.resize(width, 560);
        browser.open(&page, "");
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("main");
        assert_eq!(browser.texts("#files .file a"), ["main.go"]);
        assert_eq!(browser.eval(&results), json!([]), "{width} pixels, after typing");
        browser.take_screenshot(&format!("overview-search-{width}"));
        browser.open(&page, "#filter=stock");
        assert_eq!(browser.texts("#files .file a"), ["stock.go"]);
        assert_eq!(browser.eval(&results), json!([]), "{width} pixels, by a link");
        browser.assert_quiet();
    }
}

/// A service of 400 files in 40 packages.
fn large_service() -> Service {
    let block = |at: usize| {
        let (group, package) = (["api", "cmd", "pkg", "plugin"][at % 4], at / 4 % 10);
        let (statements, hits) = (at % 7 + 1, u32::from(!at.is_multiple_of(3)));
        format!("example.com/app/{group}/part{package}/deep/file{at:03}.go:1.1,9.2 {statements} {hits}\n")
    };
    let profile: String = (0..400).map(block).collect();
    Service::from_source(Source::from_files(&[("go.mod", b"module example.com/app\n")]), &profile)
}

#[test]
fn the_bar_of_filters_and_the_head_of_the_table_stay_above_the_rows() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    for width in WIDTHS {
        browser.resize(width, 700);
        browser.open(&page, "#flat=1");
        browser.eval("scrollTo(0, 4000)");
        browser.wait_until("scrollY > 3000");
        assert_eq!(browser.eval(&off_the_screen("#filter, #files thead th")), json!([]), "{width} pixels");
        let edges = browser.eval(
            "[document.querySelector('#tools').getBoundingClientRect().bottom,
              document.querySelector('#files thead').getBoundingClientRect().top]",
        );
        let gap = edges[0].as_f64().unwrap() - edges[1].as_f64().unwrap();
        assert!(gap.abs() <= 1.0, "{width} pixels: the head is right below the bar: {edges}");
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("file017");
        assert_eq!(browser.texts("#files .file a").len(), 1);
        assert_eq!(browser.eval(&off_the_screen("#filter, #files .file a")), json!([]), "{width} pixels");
    }
}

#[test]
fn the_overview_fits_every_screen_and_uses_a_wide_one() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    service.agent.hit(&[1], 4);
    service.world.pull(0);
    let page = service.page(&["--against", "sg_app"]);
    for (width, scheme) in WIDTHS.into_iter().flat_map(|width| [(width, "light"), (width, "dark")]) {
        browser.resize(width, 900);
        browser.prefer_color_scheme(scheme);
        browser.open(&page, "");
        browser.take_screenshot(&format!("overview-{width}-{scheme}"));
        assert_eq!(browser.eval(OVERFLOW), 0, "{width} pixels");
        let used =
            browser.eval("document.querySelector('#files').getBoundingClientRect().width").as_f64().unwrap();
        assert!(used >= f64::from(width.min(1848)) - 48.0, "{width} pixels: {used}");
        let small = "[...document.querySelectorAll('#overview :is(a[href], button, input, summary)')]
            .filter((e) => e.checkVisibility()).map((e) => [e, (e.closest('label') ?? e).getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 24 || height < 24).map(([e]) => e.outerHTML)";
        assert_eq!(browser.eval(small), json!([]), "{width} pixels");
    }
}

#[test]
fn one_line_of_facts_stands_above_the_figures() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    let commit = service.source.head();
    let wanted = ["master", &commit[..10], "staging th", "1 of 1 replicas", "less than a minute ago"];
    assert_eq!(browser.texts(".about bdi, .about code, .about li:nth-child(n + 3)"), wanted);
    let height = browser.eval("document.querySelector('.about').offsetHeight").as_f64().unwrap();
    assert!(height <= 24.0, "one line, not {height} pixels");
    let top = browser.eval("document.querySelector('#files').getBoundingClientRect().top").as_f64().unwrap();
    assert!(top < 400.0, "the table begins on the first screen, at {top}");
    assert!(browser.text("footer").starts_with(&format!("Row 1 of commit {commit}, stored 20")));
    let icon = browser.text("title");
    assert!(icon.starts_with("66."), "{icon}");
}

#[test]
fn a_comparison_at_one_commit_leads_with_both_totals() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let name = service.source.service_name().replace("_th_", "_sg_");
    // Nothing of the cart but its first block was executed there.
    let other = "example.com/app/cart/cart.go:4.37,5.20 1 1\nexample.com/app/cart/cart.go:5.20,7.3 1 1\n";
    let _other = service.world.start_counted(&name, other);
    service.world.pull(0);
    let page = service.page(&["--against", "sg_app"]);
    browser.open(&page, "");
    assert_eq!(
        browser.texts(".total .number"),
        ["72.0%"],
        "no figure of changed lines, because none changed"
    );
    assert_eq!(
        browser.text(".verdict"),
        "72.0% staging th against 100.0% staging sg: -28.0 points; 1 line lost, 0 gained"
    );
    assert_eq!(browser.text("#changes-title"), "Comparison");
    browser.take_screenshot("overview-same-commit");
    browser.assert_quiet();
}

#[test]
fn the_total_of_changed_files_alone_is_named_so() {
    let service = changed_service();
    let headings = |options: &[&str]| {
        let page = std::fs::read_to_string(service.page(options)).unwrap();
        let (summary, _) = page.split_once("</section>").unwrap();
        summary
            .split("<h2>")
            .skip(1)
            .map(|part| part.split('<').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(headings(&["--base", "master"]), ["Changed lines", "All statements"]);
    assert_eq!(
        headings(&["--base", "master", "--only-changed"]),
        ["Changed lines", "Statements of changed files"]
    );
    assert_eq!(
        headings(&["--base", "master", "--exclude", "stock"]),
        ["Changed lines", "Statements of these files"]
    );
}

#[test]
fn names_of_files_look_like_text_where_script_is_forbidden() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    let color = |selector: &str| format!("getComputedStyle(document.querySelector('{selector}')).color");
    assert_ne!(browser.eval(&color("#files .file a")), browser.eval(&color("body")));
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&page, "");
    assert_eq!(browser.eval(&color("#files .file a")), browser.eval(&color("body")));
}
