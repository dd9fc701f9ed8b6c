//! What a page shows of the functions that were executed at other commits alone, with `report --carry --format html`.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::source::Source;
use crate::sim::Agent;
use crate::site::{site_folder, write_site};

const FILE: &str = "#file=example.com/shop/shop.go";
const BEFORE: &str = "package shop\n\nfunc Add() {\n\tone()\n\ttwo()\n}\n\nfunc Sum() {\n\tone()\n}\n\nfunc None() {\n\tone()\n}\n";

/// A service of which two commits were pulled. The first one executed `Add` and `Sum`, the second one `Sum` alone, below a
/// comment that moved all functions by a line and with a further function.
struct Shop {
    world: World,
    source: Source,
    first: String,
    _agents: Vec<Agent>,
}

impl Shop {
    fn new() -> Self {
        let world = World::new();
        let files: [(&str, &[u8]); 2] =
            [("go.mod", b"module example.com/shop\n"), ("shop.go", BEFORE.as_bytes())];
        let mut source = Source::from_files(&files);
        let blocks = |shift: u32, counts: &[u32]| {
            let places = [(3, 12, 6, 2, 2), (8, 12, 10, 2, 1), (12, 13, 14, 2, 1), (16, 14, 18, 2, 1)];
            let lines =
                places.iter().zip(counts).map(|((line, column, end, end_column, statements), count)| {
                    let (line, end) = (line + shift, end + shift);
                    format!(
                        "example.com/shop/shop.go:{line}.{column},{end}.{end_column} {statements} {count}\n"
                    )
                });
            lines.collect::<String>()
        };
        let mut agents = Vec::new();
        let mut run = |source: &Source, profile: &str| {
            let name = format!("staging_th_shop_master_{}", &source.commit[..10]);
            agents.push(world.start_counted(&name, profile));
            world.run(&["-q", "pull", &name]).assert_code(0);
        };
        run(&source, &blocks(0, &[5, 1, 0]));
        let first = source.commit.clone();
        let now = BEFORE.replace("func Add", "// Add adds.\nfunc Add") + "\nfunc Extra() {\n\tone()\n}\n";
        fs::write(source.folder.path().join("shop.go"), now).unwrap();
        source.commit_all();
        run(&source, &blocks(1, &[0, 3, 0, 0]));
        source.clone_for("shop", &world, &["--bare"]);
        Self { world, source, first, _agents: agents }
    }

    /// Writes the page of the second commit.
    fn page(&self, options: &[&str]) -> PathBuf {
        let page = self.world.home().join("page.html");
        let form = format!("html={}", page.display());
        let commit = &self.source.commit[..10];
        let report = ["report", "shop", "--commit", commit, "--format", &form];
        self.world.run(&[&report[..], options].concat()).assert_code(0);
        page
    }
}

#[test]
fn a_page_shows_what_other_commits_executed_in_a_colour_of_its_own() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::new();
    let page = shop.page(&["--carry"]);
    for (width, scheme) in [(360, "light"), (360, "dark"), (1400, "light"), (1400, "dark")] {
        browser.resize(width, 900);
        browser.prefer_color_scheme(scheme);
        browser.open(&page, "");
        assert_eq!(browser.text(".total:not(#changed-total) .number"), "60.0%");
        let words = browser.text("details.carried summary");
        assert!(words.starts_with("20.0% here, 40.0 points carried from 1 commit, the oldest "), "{words}");
        let short = &shop.first[..10];
        browser.click("details.carried summary");
        let from = browser.text("details.carried li");
        assert!(from.starts_with(short) && from.ends_with(": 2 statements"), "{from}");
        browser.take_screenshot(&format!("carried-{width}-{scheme}"));

        let widths = "[...document.querySelectorAll('.total .bar rect')].map((e) => e.getAttribute('width'))";
        assert_eq!(browser.eval(widths), json!(["60.0", "20.0"]), "both parts of the bar");
        let bar = "getComputedStyle(document.querySelector('#files .file td'), '::after').backgroundSize";
        assert_eq!(browser.eval(bar), json!("20% auto, 60% auto"), "both parts of the bar of a row");
        let of_folder = "document.querySelector('#files .package td').className";
        assert_eq!(browser.eval(of_folder), "t6 u0 o2 v0");
        browser.press("/zzzz");
        browser.eval("document.querySelector('#filter').value = 'sho'");
        browser.press("p");
        assert_eq!(browser.eval(of_folder), "t6 u0 o2 v0", "both parts are those of the files that are left");
        browser.open(&page, "");
        assert_eq!(browser.accessibility_violations().unwrap_or_default(), [] as [&str; 0]);

        browser.open_file(&page, FILE);
        let lines = "[...document.querySelectorAll('.line.carried')].map((e) => e.id)";
        assert_eq!(browser.eval(lines), json!(["L5", "L6"]));
        assert_eq!(
            browser.texts("#states button span"),
            ["1", "0", "2", "2"],
            "covered, partly, uncovered and carried lines"
        );
        let bars = "[...document.querySelectorAll('#function-list .bar')]
            .map((bar) => [...bar.children].map((part) => `${part.getAttribute('class')} ${part.getAttribute('width')}`))";
        assert_eq!(browser.eval(bars), json!([["carried 100.0", " 0.0"], [" 100.0"], [" 0.0"], [" 0.0"]]));
        let title = browser.eval("document.querySelector('#L5 .on').title");
        let title = title.as_str().unwrap();
        assert!(title.starts_with(&format!("2 statements executed at {short} (")), "{title}");
        assert!(title.ends_with(" UTC), not at this commit"), "{title}");
        let color = |browser: &mut Browser, selector: &str| {
            browser.eval(&format!("getComputedStyle(document.querySelector('{selector}')).backgroundColor"))
        };
        let [carried, hit, missed] = ["#L5 .on", "#L10 .on", "#L14 .off"].map(|it| color(&mut browser, it));
        assert!(carried != hit && carried != missed && hit != missed, "{carried} {hit} {missed}");
        browser.take_screenshot(&format!("carried-file-{width}-{scheme}"));
        assert_eq!(browser.accessibility_violations().unwrap_or_default(), [] as [&str; 0]);
        browser.press("4");
        assert_eq!(color(&mut browser, "#L5 .on"), missed, "as uncovered");
        assert_eq!(browser.text("#place"), "1 uncovered place", "nothing is to be done in carried lines");
        browser.press("4");

        browser.open(&page, "#tab=functions");
        browser.wait_until("document.body.dataset.functions === '4'");
        assert_eq!(browser.text("#shown-functions"), "4 of 4 functions, 2 never entered");
        let entered =
            "[...document.querySelectorAll('#all-functions tbody tr')].map((row) => [row.cells[0], row.cells[2]]
            .map((cell) => cell.textContent).join(' ')).sort()";
        assert_eq!(
            browser.eval(entered),
            json!(["Add at other commits", "Extra never", "None never", "Sum 3"])
        );
        browser.assert_quiet();
    }
}

#[test]
fn what_a_run_of_another_commit_executed_is_carried_from_that_commit() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::new();
    let unit = shop.world.home().join("unit");
    let blocks = ["3.12,6.2 2 1", "8.12,10.2 1 1", "12.13,14.2 1 1"];
    let lines = blocks.map(|block| format!("example.com/shop/shop.go:{block}\n"));
    fs::write(&unit, format!("mode: set\n{}", lines.concat())).unwrap();
    let page = shop.page(&["--carry", "--with", &format!("{}=unit@{}", unit.display(), shop.first)]);
    let short = &shop.first[..10];
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(browser.text(".total:not(#changed-total) .number"), "80.0%", "{screen}");
        let widths = "[...document.querySelectorAll('.total .bar rect')].map((e) => e.getAttribute('width'))";
        assert_eq!(browser.eval(widths), json!(["80.0", "20.0"]), "{screen}: `Sum` alone was executed here");
        let of_folder = "document.querySelector('#files .package td').className";
        assert_eq!(browser.eval(of_folder), "t8 u0 o2 v0", "{screen}");
        let words = browser.texts(".total > p");
        assert!(words.iter().any(|word| word == "nothing more carried from other commits"), "{words:?}");
        browser.open_file(&page, FILE);
        let lines = "[...document.querySelectorAll('.line.carried')].map((e) => e.id)";
        assert_eq!(browser.eval(lines), json!(["L5", "L6", "L14"]), "{screen}");
        let title = "document.querySelector('#L14 .on').title";
        let wanted = format!("1 statement executed at {short} (unit), not at this commit");
        assert_eq!(browser.eval(title), wanted, "{screen}");
        let colors = "['#L14 .on', '#L10 .on', '#L18 .off']
            .map((line) => getComputedStyle(document.querySelector(line)).backgroundColor)";
        let colors: [String; 3] = serde_json::from_value(browser.eval(colors)).unwrap();
        assert!(colors[0] != colors[1] && colors[0] != colors[2], "{screen}: {colors:?}");
        browser.take_screenshot(&format!("carried-with-{screen}"));
        browser.assert_quiet();
    });
    browser.open(&page, "#tab=functions&sort=name");
    browser.wait_until("document.body.dataset.functions === '4'");
    let entered = browser.texts("#all-functions tbody td:nth-child(3)");
    assert_eq!(entered, ["at other commits", "never", "at other commits", "3"]);
    // The choice of the run shows what it executed as covered.
    browser.open_file(&page, &format!("{FILE}&by=1"));
    assert_eq!(browser.texts(".line.hit .number-of-line"), ["5", "6", "10", "14"]);
}

#[test]
fn a_search_of_uncovered_lines_leaves_out_those_that_are_carried() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::new();
    for (options, lines) in [(&["--carry"][..], &["14", "18"][..]), (&[], &["5", "14", "18"])] {
        browser.open(&shop.page(options), "#search=one()&missed=1");
        browser.wait_until("/ in 1 file$|^No line/.test(document.querySelector('#search-state').value)");
        assert_eq!(browser.texts("#search-list a .at"), lines, "{options:?}");
        browser.assert_quiet();
    }
}

#[test]
fn a_page_of_this_commit_alone_shows_nothing_of_others() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::new();
    let page = shop.page(&[]);
    browser.open(&page, "");
    assert_eq!(browser.text(".total:not(#changed-total) .number"), "20.0%");
    browser.open_file(&page, FILE);
    assert_eq!(browser.eval("document.querySelectorAll('.carried').length"), 0);
    browser.press("4");
    assert_eq!(browser.texts("#states button span"), ["1", "0", "4"]);
    browser.assert_quiet();
}

#[test]
fn the_configuration_has_pages_show_what_is_carried_and_changes_nothing_else() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::new();
    shop.world.configure("[apps.shop]\ncarry = \"30d\"\n");
    let page = shop.world.home().join("page.html");
    let json = shop.world.home().join("report.json");
    let [html, json_form] = [format!("html={}", page.display()), format!("json={}", json.display())];
    let commit = &shop.source.commit[..10];
    let gate = ["report", "shop", "--commit", commit, "--format", &html, "--format", &json_form];
    shop.world
        .run(&[&gate[..], &["--fail-under", "50"]].concat())
        .assert_code(5)
        .assert_stderr_contains("20.0% (1 of 5 statements) is below 50%");
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!((&report["percent"], &report["carried"]), (&json!(20.0), &json!(null)));
    browser.open(&page, "");
    assert_eq!(browser.text(".total:not(#changed-total) .number"), "60.0%");
    assert_eq!(shop.world.files("_report.html"), [] as [PathBuf; 0], "no such page is kept");

    write_site(&shop.world).assert_code(0);
    let of_site = site_folder(&shop.world).join("shop/staging/th/master/report.html");
    browser.open(&of_site, "");
    assert_eq!(browser.text(".total:not(#changed-total) .number"), "60.0%");
    // Commits are compared by what each executed itself.
    let verdict = browser.text(".verdict");
    assert!(verdict.starts_with("20.0%") && verdict.contains("75.0%"), "{verdict}");
    browser.assert_quiet();

    shop.world.configure("");
    write_site(&shop.world).assert_code(0);
    browser.open(&of_site, "");
    assert_eq!(
        browser.text(".total:not(#changed-total) .number"),
        "20.0%",
        "the page follows the configuration"
    );
}
