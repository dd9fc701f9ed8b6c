//! What a person sees of a site whose texts are long: states, ages, names and branches. By position and size on the screen.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::json;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::shared::Shared;
use crate::sim::{Agent, Center};
use crate::site::{profile, site_folder, write_site};
use crate::site_view::assert_nothing_sticks_out;

/// Branches of `checkout` that two environments have, besides its main branch.
const BRANCHES: [&str; 6] = [
    "feature-cart-totals-with-vouchers",
    "fix-rounding",
    "release-2026.11",
    "release-2026.12",
    "spike-async",
    "upgrade-go",
];

/// An app with many branches in two environments. The center that listed most of them is not asked any more, which makes
/// the longest text of a state.
struct LongTexts {
    world: World,
    _asked: Center,
    _agents: Vec<Agent>,
}

static SHARED: Shared<LongTexts> = Shared::new();

impl LongTexts {
    fn shared() -> Arc<Self> {
        SHARED.get(Self::new)
    }

    fn new() -> Self {
        let world = World::new();
        let asked = Center::start();
        let mut agents = Vec::new();
        for (at, branch) in (1..).zip(BRANCHES) {
            for place in ["staging_th", "prod_sg"] {
                let name = format!("{place}_checkout_{branch}_845820727e");
                agents.push(world.start_counted(&name, &profile(at)));
            }
        }
        agents.push(world.start_counted("staging_th_stock_main_845820727e", &profile(3)));
        world.run(&["pull", "--force", "-q"]).assert_code(0);
        world.let_days_pass(12);
        for (place, covered) in [("staging_th", 6), ("prod_sg", 8)] {
            let name = format!("{place}_checkout_main_0a1b2c3d4e");
            let agent = world.start_counted(&name, &profile(covered));
            asked.register(&name, &agent);
            agents.push(agent);
        }
        let to_asked = ["pull", "--force", "-q", "--center", &asked.url()];
        world.run(&to_asked).assert_code(0);
        world.let_days_pass(1);
        agents.last().unwrap().kill();
        world.run(&to_asked).assert_code(3);
        write_site(&world).assert_code(0);
        Self { world, _asked: asked, _agents: agents }
    }
}

/// Makes all ages of a page as long as those of some minutes.
const OLD: &str = "for (const time of document.querySelectorAll('time')) time.textContent = '59 minutes ago'";

/// Widths at which a page changes its layout, besides those of usual screens.
const ODD_WIDTHS: [u32; 6] = [320, 641, 700, 800, 861, 1081];

/// Calls a function on each screen, and at some other widths.
fn on_each_width(browser: &mut Browser, mut look: impl FnMut(&mut Browser, String)) {
    on_each_screen(browser, 900, |browser, view| look(browser, view.to_string()));
    for width in ODD_WIDTHS {
        browser.resize(width, 900);
        look(browser, width.to_string());
    }
}

/// Fails if in a row of a table the text of a cell stands over that of another cell, or outside of the window.
#[track_caller]
fn assert_texts_apart(browser: &mut Browser, rows: &str, view: impl Display) {
    let faults = browser.eval(&format!(
        "(() => {{
            const range = document.createRange();
            const ofText = (node) => (range.selectNodeContents(node), [...range.getClientRects()]);
            const own = (element) => [...element.childNodes]
                .filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '').flatMap(ofText);
            const content = (cell) => {{
                const {{ left, right, top, bottom }} = cell.getBoundingClientRect();
                const {{ paddingLeft, paddingRight }} = getComputedStyle(cell);
                return {{ left: left + parseFloat(paddingLeft), right: right - parseFloat(paddingRight), top, bottom }};
            }};
            const boxes = (cell) => [cell, ...cell.querySelectorAll('*')].flatMap((element) => {{
                if (element.closest('.unseen, title') !== null) return [];
                if (element.matches('.figure')) return [content(element)];
                return element.matches('svg') ? [element.getBoundingClientRect()] : own(element);
            }});
            const touch = (a, b) => a.left < b.right + 3 && b.left < a.right + 3 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
            const said = ({{ textContent }}) => textContent.trim();
            return [...document.querySelectorAll({})].filter((row) => row.checkVisibility()).flatMap((row) => {{
                const cells = [...row.children].filter((cell) => cell.checkVisibility()).map((cell) => [cell, boxes(cell)]);
                return cells.flatMap(([cell, of], at) => [
                    ...of.some(({{ left, right }}) => left < 0 || right > innerWidth + 1) ? [`${{said(cell)}} is cut`] : [],
                    ...cells.slice(at + 1).filter(([, others]) => of.some((a) => others.some((b) => touch(a, b))))
                        .map(([other]) => `${{said(cell)}} over ${{said(other)}}`),
                ]);
            }});
        }})()",
        json!(rows)
    ));
    assert_eq!(faults, json!([]), "{view}");
}

#[test]
fn long_states_and_ages_stand_over_nothing_and_leave_the_page_as_wide_as_the_window() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    let states = |browser: &mut Browser| browser.texts(".row .state, .matrix .state").join("\n");
    for has_script in [true, false] {
        let without = json!({"value": !has_script});
        browser.call("Emulation.setScriptExecutionDisabled", &without);
        on_each_width(&mut browser, |browser, view| {
            for page in ["index.html", "checkout/index.html"] {
                let view = format!("{page} at {view}, script: {has_script}");
                browser.open(&site_folder(&long.world).join(page), "");
                if has_script {
                    browser.eval(OLD);
                }
                assert!(states(browser).contains("offline, not asked since "), "{view}");
                assert_texts_apart(browser, ".table .row", &view);
                assert_texts_apart(browser, ".table thead tr", &view);
                assert_texts_apart(browser, ".matrix tr", &view);
                assert_nothing_sticks_out(browser, &view);
                let broken = "[...document.querySelectorAll(':is(.why, .facts-line) time')]
                    .filter((time) => time.getClientRects().length > 1).length";
                assert_eq!(browser.eval(broken), 0, "{view}: a time has one line");
            }
        });
    }
}

#[test]
fn a_long_state_has_the_room_that_the_table_has() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        browser.open(&site_folder(&long.world).join("index.html"), "");
        let [state, name] = browser.numbers(
            "((row) => [row.querySelector('.state').offsetHeight, row.querySelector('.name').offsetHeight])
                ([...document.querySelectorAll('#services .row')].find((row) => /fix-rounding.*not asked/.test(row.textContent)))",
        );
        let lines = if view.width == 768 { 3 } else { 1 };
        assert!(state <= 20 * lines, "{view}: a state of {state} pixels");
        assert!(name <= 60, "{view}: a name of {name} pixels");
    });
}

#[test]
fn the_header_begins_and_ends_where_the_page_does() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        for page in ["index.html", "checkout/index.html"] {
            browser.open(&site_folder(&long.world).join(page), "");
            let [left, right, of_header, of_buttons] = browser.numbers(
                "(({ left, right }) => [left, right])(document.querySelector('footer').getBoundingClientRect())
                    .concat(document.querySelector('.top h1').firstElementChild.getBoundingClientRect().left,
                        document.querySelector('.top').lastElementChild.getBoundingClientRect().right)",
            );
            assert_eq!(of_header, left, "{page} at {view}");
            if view.width > 640 {
                assert_eq!(of_buttons, right, "{page} at {view}");
            }
        }
    });
}

#[test]
fn the_buttons_of_filters_are_whole() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    on_each_width(&mut browser, |browser, view| {
        browser.open(&site_folder(&long.world).join("index.html"), "");
        if !browser.texts("#more-filters").is_empty() {
            browser.click("#more-filters");
        }
        let (buttons, cut) = (
            "document.querySelectorAll('[data-filter]')",
            "(({ left, right }) => left < from || right > to)",
        );
        let faults = browser.eval(&format!(
            "(({{ left: from, right: to }}) => [...{buttons}].flatMap((button) => [button, ...button.children])
                .filter((node) => node.getClientRects().length === 0 || {cut}(node.getBoundingClientRect()))
                .map((node) => node.outerHTML))(document.querySelector('footer').getBoundingClientRect())"
        ));
        assert_eq!(faults, json!([]), "{view}");
        let counts = browser.texts("[data-filter=branch] .quiet");
        assert_eq!(counts, ["3", "2", "2", "2", "2", "2"], "{view}");
        let over = browser.eval(&format!(
            "[...{buttons}].filter((button) => {{
                const {{ right }} = button.getBoundingClientRect();
                return [...button.children].some((part) => part.getBoundingClientRect().right > right);
            }}).length"
        ));
        assert_eq!(over, 0, "{view}: a number outside of its button");
        browser.take_screenshot(&format!("long-filters-{view}"));
    });
}

#[test]
fn the_search_has_the_focus_before_the_next_key() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    browser.open(&site_folder(&long.world).join("index.html"), "");
    let focus = browser.eval(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }));
        document.activeElement.id",
    );
    assert_eq!(focus, "filter");
    browser.press("/stock");
    assert_eq!(browser.eval("document.querySelector('#filter').value"), "/stock", "it is a letter by now");
}

#[test]
fn the_facts_of_an_environment_are_one_line_under_its_figures() {
    let Some(mut browser) = Browser::start() else { return };
    let long = LongTexts::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        browser.open(&site_folder(&long.world).join("checkout/index.html"), "");
        let facts = browser.text(".place .about").replace('\n', " ");
        assert_eq!(facts, "main 0a1b2c3d4e unreachable 0 of 1 replica pulled 24 hours ago", "{view}");
        assert_eq!(browser.texts(".more dd"), [] as [&str; 0], "{view}: a name is there when asked for");
        let [line, head, row] = browser.numbers(
            "[document.querySelector('.place .about').offsetHeight,
                ((place, table) => table.getBoundingClientRect().top - place.getBoundingClientRect().top)
                    (document.querySelector('.place'), document.querySelector('.place .branches')),
                document.querySelector('.place .number').offsetHeight]",
        );
        assert!(row <= 40, "{view}: a figure of {row} pixels");
        let (most_of_line, most) = if view.width > 640 { (26, 200) } else { (52, 270) };
        assert!(line <= most_of_line, "{view}: facts of {line} pixels");
        assert!(head <= most, "{view}: {head} pixels above the table");
        browser.click(".more summary");
        assert_eq!(browser.texts(".more dd")[0], "prod_sg_checkout_main_0a1b2c3d4e", "{view}");
    });
}
