//! The ways from an app's page to each of its reports: the chart of its history, and the table of its commits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::shared::Shared;
use crate::html_find::enter;
use crate::site::{profile, site_folder, write_site};

/// Number of deployed commits: the newest one, 20 earlier ones that have reports, and 3 without.
const COMMITS: u64 = 24;

/// Writes the site of an app with many commits, some of them deployed within an hour, in two environments of which the
/// totals are the same but for the last.
fn many_commits() -> Arc<World> {
    static SHARED: Shared<World> = Shared::new();
    SHARED.get(|| {
        let world = World::new();
        for at in 0..COMMITS {
            let name = |place: &str| format!("{place}_cart_main_{at:02}45820727");
            let is_last = at == COMMITS - 1;
            let agents =
                [("prod_sg", if is_last { 9 } else { 3 }), ("staging_th", 3)].map(|(place, more)| {
                    let agent = world.start_counted(&name(place), &profile(at % 5 + more - 2));
                    world.pull(0);
                    agent
                });
            world.let_days_pass(if at % 4 == 0 { 2 } else { 0 });
            for agent in agents {
                world.center.remove(&agent.url());
            }
        }
        write_site(&world).assert_code(0);
        world
    })
}

fn app_page(world: &World) -> PathBuf {
    site_folder(world).join("cart/index.html")
}

/// Returns the paths of all reports below a folder.
fn reports(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => reports(&path),
            false if path.ends_with("report.html") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

/// Returns the addresses of reports in a list of links.
fn linked(browser: &mut Browser, links: &str) -> BTreeSet<String> {
    let addresses = browser.eval(&format!("{links}.map(({{ href }}) => href.baseVal ?? href)"));
    let addresses: Vec<String> = serde_json::from_value(addresses).unwrap();
    addresses.into_iter().filter(|address| address.ends_with("report.html")).collect()
}

const SHOWN_LINKS: &str =
    "[...document.querySelectorAll('.branches td.report a')].filter((link) => link.checkVisibility())";

#[test]
fn the_tables_of_an_app_lead_to_each_report_that_was_written() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    let written: BTreeSet<String> = reports(&site_folder(&world).join("cart"))
        .iter()
        .map(|path| format!("file://{}", path.display()))
        .collect();
    assert_eq!(written.len(), 42);
    for has_script in [true, false] {
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": !has_script}));
        on_each_screen(&mut browser, 900, |browser, view| {
            browser.open(&app_page(&world), "");
            assert_eq!(linked(browser, SHOWN_LINKS).len(), 22, "{view}: a newest and 10 earlier commits");
            let rows = "[...document.querySelectorAll('.branches')].map((table) => table.offsetHeight)";
            let [before, _] = browser.numbers(rows);
            assert_eq!(browser.text(".branches .more summary"), "10 earlier commits with reports", "{view}");
            browser.click(".branches .more summary");
            assert_eq!(linked(browser, SHOWN_LINKS).len(), 32, "{view}: those of one branch");
            let [after, _] = browser.numbers(rows);
            assert!(after >= before + 200, "{view}: rows of {} pixels", after - before);
            browser.click(".place + .place .branches .more summary");
            assert_eq!(linked(browser, SHOWN_LINKS), written, "{view}");
            let rest = browser.texts(".branches .folded + tbody .more td");
            assert_eq!(rest, ["and 3 earlier commits without a report: history.json"; 2], "{view}");
            let columns = browser.eval(
                "[...new Set([...document.querySelectorAll('.branches .row .name')].filter((name) =>
                    name.closest('.place') === document.querySelector('.place'))
                    .map((name) => Math.round(name.getBoundingClientRect().right)))].length",
            );
            assert_eq!(columns, 1, "{view}: folded rows have the columns of the others");
            browser.take_screenshot(&format!("chart-table-{view}"));
        });
    }
}

#[test]
fn a_folded_row_is_shown_when_the_address_names_it() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    browser.open(&app_page(&world), "#staging/th/main/0645820727");
    let [top, bottom, height] = browser.numbers(
        "(({ top, bottom }) => [top, bottom, innerHeight])(document.querySelector('.row:target').getBoundingClientRect())",
    );
    assert!(0 <= top && top < bottom && bottom <= height, "from {top} to {bottom} of {height}");
}

/// The dots of the chart, with the middle of each on the screen.
const DOTS: &str = "[...document.querySelectorAll('.dot')].map((dot) => {
    const { left, top, width, height } = dot.getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2, address: dot.closest('a')?.href.baseVal ?? null };
})";

fn point_at(browser: &mut Browser, (x, y): (f64, f64)) {
    browser.call("Input.dispatchMouseEvent", &json!({"type": "mouseMoved", "x": x, "y": y}));
}

/// Returns the address to which a click at a place would lead, after the pointer came there.
fn address_at(browser: &mut Browser, place: (f64, f64)) -> Value {
    point_at(browser, place);
    let (x, y) = place;
    browser.eval(&format!(
        "((link) => link?.href.baseVal ?? link?.getAttribute('href') ?? null)
            (document.elementFromPoint({x}, {y}).closest('a'))"
    ))
}

fn open_chart(browser: &mut Browser, world: &World) {
    browser.open(&app_page(world), "");
    browser.eval("document.querySelector('#drawing').scrollIntoView({ block: 'center' })");
}

#[test]
fn each_dot_of_the_chart_is_reached_by_the_pointer_also_where_two_have_one_place() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    on_each_screen(&mut browser, 900, |browser, view| {
        open_chart(browser, &world);
        let dots = browser.eval(DOTS);
        let dots = dots.as_array().unwrap();
        assert_eq!(dots.len(), 48);
        let wanted: BTreeSet<&str> = dots.iter().filter_map(|dot| dot["address"].as_str()).collect();
        let mut reached = BTreeSet::new();
        for dot in dots {
            let (x, y) = (dot["x"].as_f64().unwrap(), dot["y"].as_f64().unwrap());
            for y in [y - 4.0, y + 4.0] {
                if let Value::String(address) = address_at(browser, (x, y)) {
                    reached.insert(address);
                }
            }
        }
        let missed: Vec<&str> = wanted.into_iter().filter(|address| !reached.contains(*address)).collect();
        assert_eq!(missed, [] as [&str; 0], "{view}");
        browser.take_screenshot(&format!("chart-{view}"));
        browser.assert_quiet();
    });
}

#[test]
fn a_click_anywhere_in_the_chart_opens_the_report_of_the_nearest_total() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    on_each_screen(&mut browser, 900, |browser, view| {
        open_chart(browser, &world);
        let dots = browser.eval(DOTS);
        // The last total of prod is the highest one, and nothing is drawn beside it.
        let last = &dots[47];
        let place = (last["x"].as_f64().unwrap() - 20.0, last["y"].as_f64().unwrap() + 3.0);
        point_at(browser, place);
        let [x, y] = browser.numbers(
            "(({ left, top, width, height }) => [left + width / 2, top + height / 2])
                (document.querySelector('#chosen .point').getBoundingClientRect())",
        );
        let [x_of_dot, y_of_dot] = browser.numbers(&format!("[{}, {}]", last["x"], last["y"]));
        assert!((x - x_of_dot).abs() <= 1 && (y - y_of_dot).abs() <= 1, "{view}: marked at {x}, {y}");
        assert_eq!(browser.texts(".key .chosen bdi"), ["prod sg main"], "{view}");
        let time = browser.text("#chart-time");
        assert!(time.starts_with("at 2026-") && time.ends_with(" UTC"), "{view}: {time}");
        browser.loading(|browser| browser.click_at(place));
        assert_eq!(browser.text(".total .number"), "100.0%", "{view}");
    });
}

#[test]
fn the_arrow_keys_and_enter_open_each_report_of_the_chart() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    open_chart(&mut browser, &world);
    browser.eval("document.querySelector('#chart-link').focus()");
    let heard = browser.accessible_text_of_focus();
    assert!(heard.starts_with("link \"100.0% prod sg main 2345820727, 2026-"), "{heard}");
    let dots = browser.eval(DOTS);
    let wanted: BTreeSet<&str> =
        dots.as_array().unwrap().iter().filter_map(|dot| dot["address"].as_str()).collect();
    let mut reached = BTreeSet::new();
    for _ in 0..60 {
        if let Value::String(address) = browser.eval("document.activeElement.getAttribute('href')") {
            reached.insert(address);
        }
        browser.press_named("ArrowLeft", 37);
    }
    assert_eq!(reached.iter().map(String::as_str).collect::<BTreeSet<_>>(), wanted);
    assert_eq!(browser.text("#chart-time").split_once(", ").unwrap().1, "no report", "of the first commit");
    let chosen =
        |browser: &mut Browser| [".key .chosen bdi", ".key .chosen code"].map(|part| browser.text(part));
    while chosen(&mut browser) != ["prod sg main", "0445820727"] {
        let before = browser.eval("document.activeElement.ariaLabel");
        browser.press_named("ArrowRight", 39);
        assert_ne!(browser.eval("document.activeElement.ariaLabel"), before, "the end of the chart");
    }
    browser.assert_quiet();
    browser.loading(enter);
    assert!(browser.text(".about").contains("0445820727"));
}

#[test]
fn the_first_touch_of_a_total_tells_of_it_and_the_second_opens_its_report() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    browser.resize(360, 900);
    open_chart(&mut browser, &world);
    browser.call("Emulation.setTouchEmulationEnabled", &json!({"enabled": true}));
    let dots = browser.eval(DOTS);
    let tap = |browser: &mut Browser, dot: &Value| {
        let point = json!([{"x": dot["x"], "y": dot["y"]}]);
        browser.call("Input.dispatchTouchEvent", &json!({"type": "touchStart", "touchPoints": point}));
        browser.call("Input.dispatchTouchEvent", &json!({"type": "touchEnd", "touchPoints": []}));
    };
    for dot in [&dots[47], &dots[23], &dots[47]] {
        tap(&mut browser, dot);
        browser.wait_until(&format!(
            "document.querySelector('#chart-link').getAttribute('href') === {}",
            dot["address"]
        ));
        assert_eq!(browser.eval("document.title"), "cart");
    }
    browser.loading(|browser| tap(browser, &dots[47]));
    assert_eq!(browser.text(".total .number"), "100.0%");
}

#[test]
fn axe_finds_no_violation_in_a_chart_with_a_chosen_total_and_open_rows() {
    let Some(mut browser) = Browser::start() else { return };
    let world = many_commits();
    on_each_screen(&mut browser, 900, |browser, view| {
        browser.open(&app_page(&world), "");
        browser.click(".branches .more summary");
        browser.eval("document.querySelector('#chart-link').focus()");
        browser.press_named("ArrowLeft", 37);
        let faults = browser.accessibility_violations().unwrap_or_default();
        assert_eq!(faults, [] as [&str; 0], "{view}");
    });
}

#[test]
fn the_axis_of_a_chart_has_its_middle_and_the_time_of_day_where_the_chart_is_of_hours() {
    let Some(mut browser) = Browser::start() else { return };
    let world = World::new();
    let agent = world.start_counted("staging_th_cart_main_845820727e", &profile(4));
    world.pull(0);
    agent.hit(&[5], 1);
    world.pull(0);
    write_site(&world).assert_code(0);
    let many = many_commits();
    let (of_hours, of_days) = (app_page(&world), app_page(&many));
    let labels = ".x span";
    on_each_screen(&mut browser, 900, |browser, view| {
        for (page, length) in [(&of_hours, "2026-11-30 14:20".len()), (&of_days, "2026-11-30".len())] {
            browser.open(page, "");
            let texts = browser.texts(labels);
            let number = if view.width <= 640 && length > 10 { 2 } else { 3 };
            assert_eq!((texts.len(), texts[0].len()), (number, length), "{view}: {texts:?}");
            let gaps = browser.eval(&format!(
                "(labels => labels.slice(1).map((label, at) => label.left - labels[at].right))
                    ([...document.querySelectorAll('{labels}')].filter((label) => label.checkVisibility())
                        .map((label) => label.getBoundingClientRect()))"
            ));
            let is_apart = |gap: &Value| gap.as_f64().unwrap() >= 12.0;
            assert!(gaps.as_array().unwrap().iter().all(is_apart), "{view}: {gaps}");
            if number == 3 {
                let [label, chart] = browser.numbers(
                    "['.x span:nth-child(2)', '#drawing'].map((what) =>
                        (({ left, right }) => (left + right) / 2)(document.querySelector(what).getBoundingClientRect()))",
                );
                assert!((label - chart).abs() <= 1, "{view}: {label} of {chart}");
            }
            browser.take_screenshot(&format!("chart-axis-{length}-{view}"));
        }
    });
}
