//! What a person sees of a site: by position and size on the screen, and by what a click does.

use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::html_map::assert_in_proportion;
use crate::sim::Agent;
use crate::site::{profile, read_json, read_page, site_folder, write_site};

const APPS: [&str; 12] = [
    "account",
    "billing",
    "cart",
    "catalogue",
    "checkout",
    "delivery",
    "gateway",
    "invoice",
    "mail",
    "search",
    "stock",
    "tax",
];

/// Many services of two environments and several branches, with a history of weeks: 17 fail, one partly, and one of
/// `tax` lost 60 points by its last commit.
struct Fleet {
    world: World,
    _agents: Vec<Agent>,
}

impl Fleet {
    fn new() -> Self {
        let world = World::new();
        let mut agents = Vec::new();
        for (at, app) in APPS.into_iter().enumerate() {
            for (place, commit) in [("staging_th", "845820727e"), ("prod_sg", "0a1b2c3d4e")] {
                let name = format!("{place}_{app}_main_{commit}");
                agents.push(world.start_counted(&name, &profile(4 + at as u64 % 4)));
            }
            let name = format!("staging_th_{app}_fix-{app}_77aa88bb9{}", at % 10);
            agents.push(world.start_counted(&name, &profile(3 + at as u64 % 6)));
        }
        agents.push(world.start_counted("prod_sg_stock_main_0a1b2c3d4e", &profile(6)));
        world.run(&["pull", "--force", "-q"]).assert_code(0);
        world.let_days_pass(5);
        agents[0].hit(&[8, 9], 1);
        agents[7].hit(&[9], 1);
        world.run(&["pull", "--force", "-q"]).assert_code(0);
        world.let_days_pass(9);
        agents.push(world.start_counted("staging_th_tax_main_fedcba9876", &profile(1)));
        agents[3].hit(&[7, 8, 9], 1);
        for agent in agents[..35].iter().rev().step_by(2).take(17).chain(&agents[36..37]) {
            agent.kill();
        }
        world.run(&["pull", "--force", "-q"]).assert_code(3);
        write_site(&world).assert_code(0);
        Self { world, _agents: agents }
    }

    fn open(&self, browser: &mut Browser, page: &str, fragment: &str) {
        browser.open(&site_folder(&self.world).join(page), fragment);
    }

    /// Opens a page in light and in dark colours, and takes a picture of each under a name.
    fn open_in_both_schemes(&self, browser: &mut Browser, page: &str, name: &str) {
        for scheme in ["light", "dark"] {
            browser.prefer_color_scheme(scheme);
            self.open(browser, page, "");
            browser.take_screenshot(&format!("{name}-{scheme}"));
        }
    }
}

/// The first row of the table that is shown.
const FIRST: &str = "[...document.querySelectorAll('#services .row')].find((row) => !row.hidden)";

/// Fails unless the first row of the table is whole on the screen, below the bar of the search.
#[track_caller]
fn assert_result_on_screen(browser: &mut Browser, view: &str) {
    let places = browser.eval(&format!(
        "(() => {{
            const row = {FIRST}.getBoundingClientRect();
            const bar = document.querySelector('#tools').getBoundingClientRect();
            return [bar.top, bar.bottom, row.top, row.bottom, innerHeight].map(Math.round);
        }})()"
    ));
    let [bar_top, bar_bottom, top, bottom, height] =
        serde_json::from_value::<[i64; 5]>(places).expect("five places");
    assert!(0 <= bar_top, "{view}: the bar is on the screen, not at {bar_top}");
    assert!(bar_bottom <= top && bottom <= height, "{view}: from {top} to {bottom} of {height}");
}

const SIZES: [(u32, u32); 4] = [(360, 740), (768, 1024), (1400, 900), (2560, 1300)];

#[test]
fn results_of_a_search_come_onto_the_screen_however_much_fails() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in SIZES {
        browser.resize(width, height);
        fleet.open_in_both_schemes(&mut browser, "index.html", &format!("view-index-{width}"));
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("tax");
        let view = format!("typed at {width}");
        assert_eq!(browser.text("#shown"), "4 of 37 services", "{view}");
        assert_result_on_screen(&mut browser, &view);
        browser.take_screenshot(&format!("view-typed-{width}"));
        for fragment in ["#filter=tax", "#filter=tax%20prod", "#state=unreachable", "#env=prod&sort=week"] {
            fleet.open(&mut browser, "index.html", fragment);
            assert_result_on_screen(&mut browser, &format!("{fragment} at {width}"));
        }
        let only_of_tax =
            "[...document.querySelectorAll('#attention li')].every((li) => li.textContent.includes('tax'))";
        fleet.open(&mut browser, "index.html", "#filter=tax");
        assert_eq!(browser.eval(only_of_tax), true, "what needs attention is narrowed, too");
        browser.assert_quiet();
    }
}

#[test]
fn what_needs_attention_is_folded_to_a_few_rows() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in [(1400, 900), (2560, 1300)] {
        browser.resize(width, height);
        fleet.open(&mut browser, "index.html", "");
        assert_result_on_screen(&mut browser, &format!("at first at {width}"));
    }
    assert_eq!(browser.text("#attention-number"), "18");
    assert_eq!(browser.texts("#attention li").len(), 3);
    assert_eq!(browser.text("#attention summary"), "15 more");
    browser.click("#attention summary");
    assert_eq!(browser.texts("#attention li").len(), 18);

    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    fleet.open(&mut browser, "index.html", "");
    assert_eq!(browser.texts("#attention li").len(), 3, "without script, too");
    browser.click("#attention summary");
    assert_eq!(browser.texts("#attention li").len(), 18);
}

#[test]
fn the_bar_of_the_search_and_the_head_of_the_table_stay_on_the_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in [(768, 700), (1400, 600)] {
        browser.resize(width, height);
        fleet.open(&mut browser, "index.html", "");
        browser.eval("scrollTo(0, document.body.scrollHeight)");
        let places = browser.eval(
            "['#tools', '#services thead'].map((name) => document.querySelector(name).getBoundingClientRect())
                .flatMap(({ top, bottom }) => [top, bottom].map(Math.round))",
        );
        let [top, bottom, head_top, head_bottom] = serde_json::from_value::<[i64; 4]>(places).unwrap();
        assert_eq!((top, bottom), (0, head_top), "at {width}");
        assert!(head_bottom > head_top);
    }
    // A row that takes the focus must not stand behind them.
    browser.press("kkkkkkkkkkkkkkkkkkkkkkkk");
    let places = browser.eval(
        "[document.activeElement, document.querySelector('#services thead')]
            .map((node) => node.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom])",
    );
    assert!(places[0][0].as_f64() >= places[1][1].as_f64(), "{places}");
}

#[test]
fn tiles_and_chips_filter_and_the_address_has_what_is_pressed() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    browser.resize(1400, 900);
    fleet.open(&mut browser, "index.html", "");
    let pressed = "[data-filter][aria-pressed=true]";
    assert_eq!(browser.texts(pressed), [] as [&str; 0]);
    let rows = |browser: &mut Browser| browser.texts("#services .row:not([hidden])").len();
    let all = rows(&mut browser);
    browser.click("[data-value=partial]");
    assert_eq!((rows(&mut browser), browser.eval("location.hash")), (1, json!("#state=partial")));
    browser.click("[data-value=unreachable]");
    assert_eq!(
        (rows(&mut browser), browser.eval("location.hash")),
        (18, json!("#state=partial,unreachable")),
        "one or the other"
    );
    assert_eq!(browser.texts(pressed).len(), 2);
    browser.click("[data-filter=env][data-value=prod]");
    browser.click("[data-filter=branch][data-value=main]");
    let of_prod = rows(&mut browser);
    assert!(0 < of_prod && of_prod < 18, "{of_prod}: and in this environment");
    let address = browser.eval("location.hash");
    assert_eq!(address, "#state=partial,unreachable&env=prod&branch=main");

    fleet.open(&mut browser, "index.html", address.as_str().unwrap());
    assert_eq!(
        (rows(&mut browser), browser.texts(pressed).len()),
        (of_prod, 4),
        "who gets the address sees it"
    );
    browser.click("#all");
    assert_eq!((rows(&mut browser), browser.eval("location.hash")), (all, json!("")));
    assert_eq!(browser.texts("#all"), [] as [&str; 0]);
    browser.assert_quiet();
}

#[test]
fn what_got_worse_in_seven_days_is_one_click_away() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    let index = read_json(&fleet.world, "index.json");
    let change = |name: &str| -> Value {
        let mut services = index["services"].as_array().unwrap().iter();
        services.find(|service| service["service"] == name).unwrap()["change_7d"].clone()
    };
    assert_eq!(change("staging_th_tax_main_fedcba9876"), json!(-60.0), "against another commit");
    assert_eq!(change("staging_th_account_main_845820727e"), json!(0.0), "the last change is 9 days old");
    assert_eq!(change("staging_th_billing_main_845820727e"), json!(30.0));
    assert_eq!(change("staging_th_tax_main_845820727e"), Value::Null, "an earlier commit of the branch");

    browser.resize(1400, 900);
    fleet.open(&mut browser, "index.html", "");
    browser.click("[data-sort=week]");
    let weeks = browser.texts("#services .week");
    assert_eq!((weeks[0].as_str(), weeks.last().unwrap().as_str()), ("-60.0", "–"));
    browser.click("[data-sort=week]");
    assert_eq!(browser.texts("#services .week")[0], "+30.0");
    assert_eq!(browser.eval("location.hash"), "#sort=-week");
    browser.take_screenshot("view-week");
}

#[test]
fn buttons_and_links_are_large_enough_to_be_hit() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in [(360, 740), (1400, 900)] {
        browser.resize(width, height);
        for page in ["index.html", "tax/index.html"] {
            fleet.open(&mut browser, page, "");
            let small = browser.eval(
                "[...document.querySelectorAll('button, summary, input, select, .table a, .attention a')]
                    .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 24)
                    .map((node) => `${node.outerHTML.slice(0, 90)}: ${node.getBoundingClientRect().height}`)",
            );
            assert_eq!(small, json!([]), "{page} at {width}");
        }
    }
}

#[test]
fn the_search_is_seen_in_light_and_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for scheme in ["light", "dark"] {
        browser.prefer_color_scheme(scheme);
        fleet.open(&mut browser, "index.html", "");
        let contrasts = browser.eval(
            "(() => {
                const luminance = (colour) => {
                    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => {
                        const share = part / 255;
                        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                    });
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const input = document.querySelector('#filter');
                const paper = luminance(getComputedStyle(input).backgroundColor);
                const contrast = (colour) => {
                    const [low, high] = [luminance(colour), paper].sort((a, b) => a - b);
                    return (high + 0.05) / (low + 0.05);
                };
                const words = getComputedStyle(input, '::placeholder');
                return [contrast(words.color) * words.opacity, contrast(getComputedStyle(input).borderTopColor)];
            })()",
        );
        let [words, border] = serde_json::from_value::<[f64; 2]>(contrasts).unwrap();
        assert!(words >= 4.5 && border >= 3.0, "{scheme}: {words}, {border}");
    }
}

#[test]
fn an_app_says_why_its_services_fail_in_the_words_of_the_index() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    browser.resize(1400, 900);
    let of_tax = "#attention li";
    fleet.open(&mut browser, "index.html", "#filter=tax");
    browser.eval("document.querySelector('#attention details').open = true");
    let in_index = browser.texts(of_tax);
    assert!(
        in_index[0].starts_with("unreachable tax") && in_index[0].contains("http://127."),
        "{in_index:?}"
    );
    fleet.open(&mut browser, "tax/index.html", "");
    assert_eq!(browser.texts(of_tax), in_index);
    let colour = "((name) => getComputedStyle(document.querySelector(name)).color)";
    fleet.open(&mut browser, "index.html", "");
    assert_ne!(
        browser.eval(&format!("{colour}('#services .state.partial')")),
        browser.eval(&format!("{colour}('#services .state.failing')")),
        "a part is not all"
    );
}

#[test]
fn a_page_has_an_icon_in_the_colour_of_its_grade() {
    let fleet = Fleet::new();
    for page in ["index.html", "tax/index.html"] {
        let text = read_page(&fleet.world, page);
        let icon = text.split_once("<link rel=\"icon\" href=\"").unwrap().1.split_once('"').unwrap().0;
        assert!(icon.starts_with("data:image/svg+xml,") && icon.contains("stroke='%23bb3a2a'"), "{icon}");
    }
}

#[test]
fn the_chart_of_an_app_has_all_environments_commits_and_the_values_under_the_pointer() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in SIZES {
        browser.resize(width, height);
        fleet.open_in_both_schemes(&mut browser, "tax/index.html", &format!("view-app-{width}"));
        let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths[0], widths[1], "at {width}");
    }
    browser.resize(1400, 900);
    fleet.open(&mut browser, "tax/index.html", "");
    let places = browser.eval(
        "(({ top, bottom }) => [top, bottom])(document.querySelector('#chart').getBoundingClientRect())",
    );
    assert!(places[1].as_f64() < Some(900.0), "{places}: the chart is on the first screen");
    let lines = ["staging · th main", "prod · sg main", "staging · th fix-tax"];
    assert_eq!(browser.texts(".key bdi"), lines);
    let values = |browser: &mut Browser| browser.texts(".key output b");
    assert_eq!(values(&mut browser), ["10.0%", "70.0%", "80.0%"]);
    let labels = browser.texts(".labels text");
    assert_eq!((labels.len(), labels[0].as_str()), (2, "fedcba9"), "one label for all that began at first");
    let rest = "[...document.querySelectorAll('.plot .rest')].map((path) => path.getAttribute('d'))";
    assert_eq!(browser.eval(rest)[2], "M0.0 0.0H1000.0", "what did not change goes on to the last pull");

    let middle = browser.eval(
        "(({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 }))
            (document.querySelector('#drawing').getBoundingClientRect())",
    );
    let to = json!({"type": "mouseMoved", "x": middle["x"], "y": middle["y"]});
    browser.call("Input.dispatchMouseEvent", &to);
    browser.wait_until("document.querySelector('#cross').getAttribute('d') !== ''");
    assert_eq!(values(&mut browser), ["70.0%", "70.0%", "80.0%"], "before the last commit");
    assert_eq!(browser.texts(".key output code")[0], "845820727e");
    browser.take_screenshot("view-app-cross");
    browser.eval("document.querySelector('#drawing').focus()");
    browser.press_named("ArrowRight", 39);
    assert_eq!(values(&mut browser)[0], "10.0%");
    browser.assert_quiet();
    browser.follow(".plot .line-0 a:last-of-type");
    assert_eq!(browser.text(".total .number"), "10.0%");
}

#[test]
fn keys_step_over_the_rows_of_the_matrix_and_of_the_tables_below() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    fleet.open(&mut browser, "tax/index.html", "");
    let focus = "document.activeElement.closest('table')?.className";
    let mut tables = Vec::new();
    for _ in 0..3 {
        browser.press("j");
        tables.push(browser.eval(focus));
    }
    assert_eq!(tables, ["matrix", "matrix", "table branches"]);
    browser.press("kk");
    assert_eq!(browser.accessible_text_of_focus(), "link \"prod · sg\"");
    browser.press("?");
    assert!(browser.text("#keys").contains("Next, previous row of the tables"));
}

#[test]
fn a_map_of_services_leads_to_their_reports_without_script() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    for (width, height) in SIZES {
        browser.resize(width, height);
        fleet.open(&mut browser, "index.html", "");
        assert_eq!(browser.texts("#map path"), [] as [&str; 0], "it takes no room until it is opened");
        browser.click("#map summary");
        assert_eq!(assert_in_proportion(&mut browser, &format!("{width} pixels")), 37);
        let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths[0], widths[1], "at {width}");
    }
    browser.follow("#map a[data-key^=staging_th_tax_main_fedcba9876] path");
    assert_eq!(browser.text(".total .number"), "10.0%");
    assert!(browser.text("title").contains("staging_th_tax_main_fedcba9876"));
}

#[test]
fn a_click_on_the_map_filters_the_services() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::new();
    for (width, height) in SIZES {
        browser.resize(width, height);
        fleet.open(&mut browser, "index.html", "#map=1");
        browser.wait_until("document.querySelector('#map a[tabindex]') !== null");
        fleet.open_in_both_schemes(&mut browser, "index.html", &format!("view-closed-map-{width}"));
        fleet.open(&mut browser, "index.html", "#map=1&env=staging");
        browser.wait_until("document.querySelector('#map a[tabindex]') !== null");
        browser.eval("document.querySelector('#map').scrollIntoView()");
        browser.take_screenshot(&format!("view-map-{width}"));
        let dimmed = "document.querySelectorAll('#map a.out').length";
        assert_eq!(browser.eval(dimmed), 12, "those of prod");
        browser.click("#map a[data-key=staging_th_tax_main_fedcba9876] path");
        let view = format!("an area at {width}");
        assert_eq!(browser.text("#shown"), "1 of 37 services", "{view}");
        assert_eq!(
            browser.eval("location.hash"),
            "#map=1&filter=staging_th_tax_main_fedcba9876&env=staging",
            "{view}"
        );
        assert_result_on_screen(&mut browser, &view);
        assert_eq!(browser.eval(dimmed), 36);
        browser.take_screenshot(&format!("view-map-filtered-{width}"));
        browser.click("#map a[data-key=staging_th_tax_main_fedcba9876] path");
        assert_eq!(browser.text("#shown"), "25 of 37 services", "{view}, for the second time");
        browser.click("#map a[data-key=tax] text");
        assert_eq!(browser.text("#shown"), "3 of 37 services", "the name of an app");
        assert_result_on_screen(&mut browser, &view);
        browser.assert_quiet();
    }
}

#[test]
fn a_service_without_data_is_left_out_of_the_map_and_leads_to_no_report() {
    let world = World::new();
    let agents = ["cart", "stock"]
        .map(|app| world.start_counted(&format!("staging_th_{app}_main_845820727e"), &profile(4)));
    agents[1].kill();
    world.run(&["pull", "--force", "-q"]).assert_code(3);
    write_site(&world).assert_code(0);
    let page = read_page(&world, "index.html");
    let (_, map) = page.split_once("<details id=\"map\"").unwrap();
    let (map, _) = map.split_once("</details>").unwrap();
    let areas: Vec<&str> =
        map.split("<a class=c").skip(1).map(|area| area.split("<path").next().unwrap()).collect();
    let wanted = "2 href=\"cart/staging/th/main/report.html\" data-key=\"staging_th_cart_main_845820727e\">\
                  <title>cart staging · th main 845820727e: 40.0%, 4 of 10 statements covered</title>";
    assert_eq!(areas, [wanted]);
    assert!(map.contains("<p class=\"note\">1 service without statements is left out.</p>"), "{map}");
}

#[test]
fn a_table_without_a_main_branch_has_no_empty_heading() {
    let world = World::new();
    let _agent = world.start_counted("staging_th_shop_fix_845820727e", &profile(4));
    world.run(&["pull", "--force", "-q"]).assert_code(0);
    write_site(&world).assert_code(0);
    let page = read_page(&world, "shop/index.html");
    let (_, table) = page.split_once("<table class=\"table branches\">").unwrap();
    let (head, _) = table.split_once("</thead>").unwrap();
    assert!(!head.contains("figure\"></th>") && head.contains("<td class=\"wide\"></td>"), "{head}");
}
