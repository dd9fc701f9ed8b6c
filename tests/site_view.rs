//! What a person sees of a site: by position and size on the screen, and by what a click does.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::{Screen, on_each_screen};
use crate::harness::shared::Shared;
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

/// A service whose coverage rises by a tenth of a point.
const MAIL: &str = "staging_th_mail_main_845820727e";
const THOUSAND: &str = "example.com/mail/a.go:1.1,1.9 500 1
example.com/mail/a.go:2.1,2.9 499 0
example.com/mail/a.go:3.1,3.9 1 0";

/// Commits that were deployed one after the other, with the days after each. Their names have all 40 digits.
const DEPLOYED: [(u32, &str); 6] = [
    (3, "1111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (0, "2222222222aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (0, "3333333333aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (5, "4444444444aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (4, "5555555555aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (0, "6666666666aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
];

/// Writes the site of an app whose commits were deployed one after the other, three of them on one day.
fn deployed() -> Arc<World> {
    static SHARED: Shared<World> = Shared::new();
    SHARED.get(make_deployed)
}

fn make_deployed() -> World {
    let world = World::new();
    for (covered, (days, commit)) in (3..).zip(DEPLOYED) {
        let agent = world.start_counted(&format!("staging_th_cart_main_{commit}"), &profile(covered));
        world.pull(0);
        world.let_days_pass(days);
        world.center.remove(&agent.url());
    }
    write_site(&world).assert_code(0);
    world
}

/// Many services of two environments and several branches, with a history of weeks: 17 fail, one partly, and one of
/// `tax` lost 60 points by its last commit.
struct Fleet {
    world: World,
    _agents: Vec<Agent>,
}

static SHARED: Shared<Fleet> = Shared::new();

impl Fleet {
    fn shared() -> Arc<Self> {
        SHARED.get(Self::new)
    }

    fn new() -> Self {
        let world = World::new();
        let mut agents: Vec<Agent> = Vec::new();
        let mut mail = 0;
        for (at, app) in APPS.into_iter().enumerate() {
            for (place, commit) in [("staging_th", "845820727e"), ("prod_sg", "0a1b2c3d4e")] {
                let name = format!("{place}_{app}_main_{commit}");
                let text = if name == MAIL { THOUSAND.to_owned() } else { profile(4 + at as u64 % 4) };
                agents.push(world.start_counted(&name, &text));
                if name == MAIL {
                    mail = agents.len() - 1;
                }
            }
            let name = format!("staging_th_{app}_fix-{app}_77aa88bb9{}", at % 10);
            agents.push(world.start_counted(&name, &profile(3 + at as u64 % 6)));
        }
        agents.push(world.start_counted("prod_sg_stock_main_0a1b2c3d4e", &profile(6)));
        world.run(&["pull", "--force", "-q"]).assert_code(0);
        world.let_days_pass(5);
        agents[0].hit(&[8, 9], 1);
        agents[mail].hit(&[2], 1);
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

    /// Opens a page in a view and takes a picture of it under a name.
    fn picture(&self, browser: &mut Browser, page: &str, name: &str, view: Screen) {
        self.open(browser, page, "");
        browser.take_screenshot(&format!("view-{name}-{view}"));
    }
}

/// The first row of the table that is shown.
const FIRST: &str = "[...document.querySelectorAll('#services .row')].find((row) => !row.hidden)";

/// The place of the bar that stays on the screen.
const BAR: &str = "document.querySelector('.tools').getBoundingClientRect()";

/// Fails if a page is wider than the window.
#[track_caller]
pub(crate) fn assert_nothing_sticks_out(browser: &mut Browser, view: impl Display) {
    let [page, window] = browser.numbers("[document.documentElement.scrollWidth, innerWidth]");
    assert_eq!(page, window, "{view}");
}

/// Fails unless the first row of the table is whole on the screen, below the bar of the search.
#[track_caller]
fn assert_result_on_screen(browser: &mut Browser, view: impl Display) {
    let [bar_top, bar_bottom, top, bottom, height] = browser.numbers(&format!(
        "[{BAR}.top, {BAR}.bottom, {FIRST}.getBoundingClientRect().top, {FIRST}.getBoundingClientRect().bottom,
            innerHeight]"
    ));
    assert!(0 <= bar_top, "{view}: the bar is on the screen, not at {bar_top}");
    assert!(bar_bottom <= top && bottom <= height, "{view}: from {top} to {bottom} of {height}");
}

#[test]
fn results_of_a_search_come_onto_the_screen_however_much_fails() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.picture(browser, "index.html", "index", view);
        assert_nothing_sticks_out(browser, view);
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("tax");
        assert_eq!(browser.text("#shown"), "4 of 37 services", "{view}");
        assert_result_on_screen(browser, format!("typed at {view}"));
        browser.take_screenshot(&format!("view-typed-{view}"));
        for fragment in ["#filter=tax%20prod", "#state=unreachable", "#env=prod&sort=week", "#filter=tax"] {
            fleet.open(browser, "index.html", fragment);
            assert_result_on_screen(browser, format!("{fragment} at {view}"));
        }
        let [all, others] = browser.numbers(
            "(items => [items.length, items.filter((li) => !li.textContent.includes('tax')).length])
                ([...document.querySelectorAll('#attention li')])",
        );
        assert_eq!((all, others), (1, 0), "what needs attention is narrowed, too");
        browser.assert_quiet();
    });
}

#[test]
fn what_needs_attention_is_folded_to_a_few_rows() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let items = "#attention li";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        assert_eq!(browser.text("#attention-number"), "18");
        assert_eq!(browser.texts(items).len(), 3);
        let [height, screen] =
            browser.numbers("[document.querySelector('#attention').offsetHeight, innerHeight]");
        assert!(height * 2 <= screen, "{height} of {screen} pixels at {view}");
        if view.width >= 1400 {
            assert_result_on_screen(browser, format!("at first at {view}"));
        }
        assert_eq!(browser.text("#attention summary"), "15 more");
        browser.click("#attention summary");
        assert_eq!(browser.texts(items).len(), 18);
    });
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    fleet.open(&mut browser, "index.html", "");
    assert_eq!(browser.texts(items).len(), 3, "without script, too");
    browser.click("#attention summary");
    assert_eq!(browser.texts(items).len(), 18);
}

#[test]
fn the_bar_of_the_search_and_the_head_of_the_table_stay_on_the_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let head = "document.querySelector('#services thead').getBoundingClientRect()";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        // The whole of the table must be below the window's first screen.
        browser.resize(view.width, 600);
        browser.eval("scrollTo(0, document.body.scrollHeight)");
        let [top, bottom, head_top, head_bottom] =
            browser.numbers(&format!("[{BAR}.top, {BAR}.bottom, {head}.top, {head}.bottom]"));
        assert_eq!(top, 0, "{view}");
        assert!(bottom <= 92, "{view}: a bar of {bottom} pixels");
        let [state_top, state_bottom] = browser.numbers(
            "(({ top, bottom }) => [top, bottom])(document.querySelector('.tile').getBoundingClientRect())",
        );
        assert!(0 < state_top && state_bottom < bottom, "{view}: a state at {state_top}");
        if view.width > 640 {
            assert_eq!(bottom, head_top, "{view}");
            assert!(head_bottom > head_top, "{view}");
        }
        // A row that takes the focus must not stand behind them.
        browser.press("kkkkkkkkkkkkkkkkkkkkkkkk");
        let [focus, bars] = browser.numbers(&format!(
            "[document.activeElement.getBoundingClientRect().top, Math.max({BAR}.bottom, {head}.bottom)]"
        ));
        assert!(focus >= bars, "{view}: {focus} is behind {bars}");
    });
}

#[test]
fn all_filters_are_within_reach_wherever_one_reads() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let astray = "[...document.querySelectorAll('[data-filter]')].filter((button) => {
        const { left, right, top, bottom } = button.getBoundingClientRect();
        return left < 0 || right > innerWidth
            || !button.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
    }).map((button) => button.textContent)";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        browser.eval("scrollTo(0, document.body.scrollHeight)");
        let has_more = !browser.texts("#more-filters").is_empty();
        assert_eq!(has_more, view.width < 768, "{view}");
        if has_more {
            assert_ne!(
                browser.eval(astray),
                json!([]),
                "{view}: without room, the button would not be there"
            );
            assert!(browser.text("#more-filters").starts_with("More"), "{view}");
            browser.click("#more-filters");
            assert!(browser.text("#more-filters").starts_with("Less"), "{view}");
            browser.take_screenshot(&format!("view-filters-{view}"));
        }
        assert_eq!(browser.eval(astray), json!([]), "{view}");
        browser.click("[data-filter=branch][data-value=main]");
        assert_eq!(browser.text("#shown"), "25 of 37 services", "{view}");
        assert_result_on_screen(browser, view);
        if has_more {
            let weight = "getComputedStyle(document.getElementById('shown')).fontWeight";
            assert_eq!(browser.eval(weight), json!("400"), "{view}: all filters are no emphasis");
            browser.click("#filter");
            browser.press("a");
            let [height] = browser.numbers(&format!("[{BAR}.height]"));
            assert!(height <= 92, "{view}: typing leaves room for results, and the bar has {height} pixels");
            browser.press_named("Backspace", 8);
            let [height] = browser.numbers(&format!("[{BAR}.height]"));
            assert!(height <= 92, "{view}: a bar of {height} pixels");
            fleet.open(browser, "index.html", "#branch=main");
            let [left, right] = browser.numbers(
                "(({ left, right }) => [left, right])
                    (document.querySelector('[aria-pressed=true]').getBoundingClientRect())",
            );
            assert!(
                0 <= left && right <= 360,
                "{view}: who gets the address sees what is pressed, at {left}"
            );
        }
        assert_nothing_sticks_out(browser, view);
        browser.assert_quiet();
    });
    browser.resize(740, 360);
    fleet.open(&mut browser, "index.html", "");
    browser.eval("scrollTo(0, document.body.scrollHeight)");
    let [height, states] = browser
        .numbers(&format!("[{BAR}.height, document.querySelector('.tile').getBoundingClientRect().top]"));
    assert!(height <= 52 && states > 0, "a phone on its side: a bar of {height} pixels");
    assert_nothing_sticks_out(&mut browser, "740");
}

#[test]
fn tiles_and_chips_filter_and_the_address_has_what_is_pressed() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let pressed = "[data-filter][aria-pressed=true]";
    let rows = |browser: &mut Browser| browser.texts("#services .row:not([hidden])").len();
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        assert_eq!(browser.texts(pressed), [] as [&str; 0]);
        let all = rows(browser);
        browser.click("[data-value=partial]");
        assert_eq!((rows(browser), browser.eval("location.hash")), (1, json!("#state=partial")), "{view}");
        browser.click("[data-value=unreachable]");
        let address = json!("#state=partial,unreachable");
        assert_eq!((rows(browser), browser.eval("location.hash")), (18, address), "{view}: one or the other");
        assert_eq!(browser.texts(pressed).len(), 2);
        browser.click("[data-filter=env][data-value=prod]");
        browser.click("[data-filter=branch][data-value=main]");
        let of_prod = rows(browser);
        assert!(0 < of_prod && of_prod < 18, "{view}, {of_prod}: and in this environment");
        let address = browser.eval("location.hash");
        assert_eq!(address, "#state=partial,unreachable&env=prod&branch=main");
        assert_result_on_screen(browser, view);

        fleet.open(browser, "index.html", address.as_str().unwrap());
        let seen = (rows(browser), browser.texts(pressed).len());
        assert_eq!(seen, (of_prod, 4), "{view}: who gets the address sees it");
        browser.click("#all");
        assert_eq!((rows(browser), browser.eval("location.hash")), (all, json!("")));
        assert_eq!(browser.texts("#all"), [] as [&str; 0]);
        browser.assert_quiet();
    });
}

#[test]
fn what_got_worse_in_seven_days_is_one_click_away() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let index = read_json(&fleet.world, "index.json");
    let change = |name: &str| -> Value {
        let mut services = index["services"].as_array().unwrap().iter();
        services.find(|service| service["service"] == name).unwrap()["change_7d"].clone()
    };
    assert_eq!(change("staging_th_tax_main_fedcba9876"), json!(-60.0), "against another commit");
    assert_eq!(change("staging_th_account_main_845820727e"), json!(0.0), "the last change is 9 days old");
    assert_eq!(change("staging_th_billing_main_845820727e"), json!(30.0));
    assert_eq!(change("staging_th_tax_main_845820727e"), Value::Null, "an earlier commit of the branch");

    let with_unit = "((cell) => ['::before', '::after'].map((part) => getComputedStyle(cell, part).content)
        .filter((text) => text.startsWith('\"')).join('').replaceAll('\"', '|'))
        (document.querySelector('#services .row:not([hidden]) .week'))";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        browser.click("[data-sort=week]");
        let weeks = browser.texts("#services .week");
        assert_eq!(weeks[0], "-60.0", "{view}");
        assert_eq!(browser.text("[data-sort=week]"), "7 days, points", "{view}");
        let crossing = browser.eval(
            "((boxes) => boxes.slice(1).filter(({ left, top }, at) => top === boxes[at].top && left < boxes[at].right + 4)
                .length)([...document.querySelectorAll('#services thead button')]
                    .filter((node) => node.checkVisibility()).map((node) => node.getBoundingClientRect()))",
        );
        assert_eq!(crossing, 0, "{view}: heads that touch each other");
        let [percent, week] = browser.numbers(
            "['.percent > span', '.week'].map((name) =>
                document.querySelector(`#services .row:not([hidden]) ${name}`).getBoundingClientRect())
                .map(({ top, bottom }) => (top + bottom) / 2)",
        );
        let [state] = browser.numbers("[document.querySelector('#services .state.failing').offsetHeight]");
        assert!(state <= 24, "{view}: a word of {state} pixels has two lines");
        assert!((percent - week).abs() <= 3, "{view}: figures of a row stand at {percent} and {week}");
        if view.width <= 640 {
            assert_eq!(browser.eval(with_unit), "|7 days || points|", "{view}: no head is above it");
        }
        browser.take_screenshot(&format!("view-week-{view}"));
        browser.click("[data-sort=week]");
        assert_eq!(browser.texts("#services .week")[0], "+30.0", "{view}");
        assert_eq!(browser.eval("location.hash"), "#sort=-week");
    });
}

#[test]
fn trends_have_an_honest_scale_go_on_to_the_last_pull_and_mark_where_a_commit_began() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let part = |service: &str, part: &str| {
        format!("document.querySelector('[data-service={service}] .spark {part}').getBoundingClientRect()")
    };
    let [account, tax, stock] = [
        "staging_th_account_main_845820727e",
        "staging_th_tax_main_fedcba9876",
        "staging_th_stock_main_845820727e",
    ];
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        if view.width <= 1080 {
            assert_eq!(browser.texts("#services .spark"), [] as [&str; 0], "{view} has no room for trends");
            return;
        }
        let line = part(MAIL, "path:not(.rest, .mark)");
        let [height, width] = browser.numbers(&format!("[10 * {line}.height, {line}.width]"));
        assert!((1..=10).contains(&height), "{view}: a tenth of a point is {height} tenths of a pixel high");
        assert!(width > 20, "{view}");
        let [end, edge] = browser.numbers(&format!(
            "[{}.right, document.querySelector('[data-service={account}] .spark').getBoundingClientRect().right]",
            part(account, ".rest")
        ));
        assert!((end - edge).abs() <= 4, "{view}: the line ends at {end}, today is at {edge}");
        let [mark, dot] = browser.numbers(&format!(
            "[{}.x, ((dot) => dot.x + dot.width / 2)({})]",
            part(tax, ".mark"),
            part(tax, "circle")
        ));
        assert!((mark - dot).abs() <= 1, "{view}: {mark}, {dot}");
        let falls = format!(
            "document.querySelector('[data-service={tax}] path:not(.rest, .mark)').getAttribute('d')"
        );
        let path = browser.eval(&falls);
        assert!(!path.as_str().unwrap().contains('L'), "{view}: no line falls to the first data of a commit");
        let [of_one] = browser.numbers(&format!("[{}.width]", part(stock, "circle")));
        assert!(of_one >= 4, "{view}: one total is a dot");
    });
}

#[test]
fn buttons_and_links_are_large_enough_to_be_hit() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        for page in ["index.html", "tax/index.html", "cart/index.html"] {
            fleet.open(browser, page, "");
            let small = browser.eval(
                "[...document.querySelectorAll(
                    'button, summary, input, select, .table a, .matrix a, .attention a, .facts a, .open a')]
                    .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 24)
                    .map((node) => `${node.outerHTML.slice(0, 90)}: ${node.getBoundingClientRect().height}`)",
            );
            assert_eq!(small, json!([]), "{page} at {view}");
        }
    });
}

#[test]
fn the_search_is_seen_in_light_and_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
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
        assert!(words >= 4.5 && border >= 3.0, "{view}: {words}, {border}");
    });
}

#[test]
fn an_app_says_why_its_services_fail_in_the_words_of_the_index() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let of_tax = "#attention li";
    let colour = "((name) => getComputedStyle(document.querySelector(name)).color)";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "#filter=tax");
        browser.eval("document.querySelector('#attention details').open = true");
        let in_index = browser.texts(of_tax);
        assert!(
            in_index[0].starts_with("unreachable tax") && in_index[0].contains("http://127."),
            "{in_index:?}"
        );
        let colours = browser.eval(&format!(
            "[{colour}('#services .state.partial'), {colour}('#services .state.failing'), \
              {colour}('#services .state.fine')]"
        ));
        assert_ne!(colours[0], colours[1], "{view}: a part is not all");
        assert_ne!(colours[0], colours[2], "{view}");
        fleet.open(browser, "tax/index.html", "");
        assert_eq!(browser.texts(of_tax), in_index);
        let [bottom, height] = browser
            .numbers("[document.querySelector('#attention li').getBoundingClientRect().bottom, innerHeight]");
        assert!(bottom <= height / 2, "{view}: at {bottom}");
        let facts = browser.texts(".place > .error");
        assert!(facts.iter().any(|fact| fact.contains("http://127.")), "{view}: {facts:?}");
    });
}

#[test]
fn changes_have_their_unit_and_commits_one_short_form() {
    let Some(mut browser) = Browser::start() else { return };
    let (fleet, deployed) = (Fleet::shared(), deployed());
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "tax/index.html", "");
        let changes = ["unchanged in 7 days", "-60.0 points in 7 days", "unchanged in 7 days"];
        assert_eq!(browser.texts(".matrix .change"), changes, "{view}");
        let heads = browser.eval(
            "[...document.querySelectorAll('.branches')].at(-1).querySelectorAll('thead .figure').values()
                .map((head) => head.textContent).toArray()",
        );
        assert_eq!(heads, json!(["Change, points", "Against main, points", "Statements"]));
        browser.open(&site_folder(&deployed).join("cart/index.html"), "");
        let commits = browser.eval(
            "[...document.querySelectorAll('code:not(.more code), .labels text')].map((node) => node.textContent)
                .filter((text) => text !== '' && !/^[0-9a-f]{10}$/.test(text))",
        );
        assert_eq!(commits, json!([]), "{view}");
        let whole = browser.eval("document.querySelector('.branches .newest:has(code[title]) code').title");
        assert_eq!(whole, DEPLOYED[5].1, "{view}");
        browser.click(".more summary");
        let stored = browser.texts(".facts dd").into_iter().find(|fact| fact.contains(" as row "));
        assert!(stored.is_some_and(|stored| stored.contains("goc-watchdog report --id ")), "{view}");
    });
}

#[test]
fn a_page_has_an_icon_in_the_colour_of_its_grade() {
    let fleet = Fleet::shared();
    for page in ["index.html", "tax/index.html"] {
        let text = read_page(&fleet.world, page);
        let icon = text.split_once("<link rel=\"icon\" href=\"").unwrap().1.split_once('"').unwrap().0;
        assert!(icon.starts_with("data:image/svg+xml,") && icon.contains("stroke='%23bb3a2a'"), "{icon}");
    }
}

#[test]
fn a_matrix_is_whole_on_every_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.picture(browser, "tax/index.html", "app", view);
        assert_nothing_sticks_out(browser, view);
        let [figures, hidden] = browser.numbers(
            "((nodes) => [nodes.length, nodes.filter((node) => {
                const { left, right, height } = node.getBoundingClientRect();
                return left < 0 || right > innerWidth || height === 0;
            }).length])([...document.querySelectorAll('.matrix :is(td a, .state, .change)')])",
        );
        assert_eq!((figures, hidden), (9, 0), "{view}");
        if view.width <= 640 {
            let names = browser.eval(
                "[...document.querySelectorAll('.matrix td:has(a)')].map((cell) => getComputedStyle(cell, '::before').content)",
            );
            assert_eq!(names, json!(["\"main\"", "\"main\"", "\"fix-tax\""]), "each cell has its branch");
        }
    });
}

#[test]
fn the_chart_of_an_app_has_all_environments_commits_and_the_values_under_the_pointer() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let values = |browser: &mut Browser| browser.texts(".key output b");
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "tax/index.html", "");
        if view.width >= 1400 {
            let [bottom] =
                browser.numbers("[document.querySelector('#chart').getBoundingClientRect().bottom]");
            assert!(bottom < 900, "{view}: the chart ends at {bottom}, after the first screen");
        }
        let lines = ["staging th main", "prod sg main", "staging th fix-tax"];
        assert_eq!(browser.texts(".key bdi"), lines);
        assert_eq!(values(browser), ["10.0%", "70.0%", "80.0%"]);
        let rest = "[...document.querySelectorAll('.plot .rest')].map((path) => path.getAttribute('d'))";
        assert_eq!(browser.eval(rest)[2], "M0.0 0.0H1000.0", "what did not change goes on to the last pull");
        let styles = browser.eval(
            "['trace', 'rest'].map((name) => getComputedStyle(document.querySelector(`.plot .line-1 .${name}`)))
                .concat(getComputedStyle(document.querySelector('.key .line-1 .trace')))
                .map(({ strokeDasharray, strokeWidth }) => [strokeDasharray, strokeWidth])",
        );
        let dashes = "8px, 4px";
        let wanted = json!([[dashes, "2px"], [dashes, "1px"], [dashes, "2px"]]);
        assert_eq!(styles, wanted, "{view}: dashes mean an environment, a thin line that nothing changed");

        let middle = browser.eval(
            "document.querySelector('#drawing').scrollIntoView({ block: 'center' });
            (({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 }))
                (document.querySelector('#drawing').getBoundingClientRect())",
        );
        let top = "document.querySelector('#drawing').getBoundingClientRect().top";
        browser.eval(&format!("before = {top}"));
        let to = json!({"type": "mouseMoved", "x": middle["x"], "y": middle["y"]});
        browser.call("Input.dispatchMouseEvent", &to);
        browser.wait_until("document.querySelector('#cross').getAttribute('d') !== ''");
        assert_eq!(values(browser), ["70.0%", "70.0%", "80.0%"], "before the last commit");
        assert_eq!(browser.texts(".key output code")[0], "845820727e");
        assert_eq!(browser.eval(&format!("{top} - before")), 0, "{view}: the chart stays where it was");
        browser.eval("document.querySelector('#chart-link').focus()");
        for _ in 0..9 {
            browser.press_named("ArrowRight", 39);
        }
        assert_eq!(values(browser)[0], "10.0%", "the last total");
        browser.assert_quiet();
        browser.follow(".plot .line-0 a:last-of-type");
        assert_eq!(browser.text(".total .number"), "10.0%");
    });
}

#[test]
fn each_line_of_a_commit_has_its_hash_and_the_arrow_keys_tell_the_others() {
    let Some(mut browser) = Browser::start() else { return };
    let world = deployed();
    let lines = "document.querySelectorAll('.plot .begin').values().filter((path) => path.checkVisibility())
        .flatMap((path) => path.getAttribute('d').split('M').filter((part) => part.endsWith('V200'))
            .map((part) => Number(part.split(' ')[0]) / 10)).toArray()";
    on_each_screen(&mut browser, 900, |browser, view| {
        browser.open(&site_folder(&world).join("cart/index.html"), "");
        browser.take_screenshot(&format!("view-commits-{view}"));
        assert_nothing_sticks_out(browser, view);
        let without = browser.eval(&format!(
            "((labels) => {lines}.filter((x) => !labels.some((label) => Math.abs(label - x) < 0.5)))
                ([...document.querySelectorAll('.labels line')].filter((line) => line.checkVisibility())
                    .map((line) => parseFloat(line.getAttribute('x1'))))"
        ));
        assert_eq!(without, json!([]), "{view}: lines without a label");
        let astray = browser.eval(
            "((labels) => labels.filter((one, at) => one.left < 0 || one.right > innerWidth
                || labels.slice(at + 1).some((other) => one.left < other.right && other.left < one.right
                    && one.top < other.bottom && other.top < one.bottom)).length)
                ([...document.querySelectorAll('.labels text')].filter((text) => text.checkVisibility())
                    .map((text) => text.getBoundingClientRect()))",
        );
        assert_eq!(astray, 0, "{view}: labels that touch each other or the edge");
        let [labels] = browser.numbers(
            "[[...document.querySelectorAll('.labels text')].filter((text) => text.checkVisibility()).length]",
        );
        let least = if view.width > 640 { 6 } else { 4 };
        assert!(labels >= least, "{view}: {labels} labels of 6 commits");
        browser.eval("document.querySelector('#chart-link').focus()");
        let mut told: Vec<String> = Vec::new();
        for _ in 0..20 {
            told.extend(browser.texts(".key output code"));
            browser.press_named("ArrowLeft", 37);
        }
        let listed = browser.texts(".branches code");
        for (_, commit) in DEPLOYED {
            let short = commit[..10].to_owned();
            assert!(told.contains(&short), "{view}: {commit}");
            assert!(listed.contains(&short), "{view}: {commit}");
        }
    });
}

#[test]
fn a_dot_leads_to_the_report_of_its_commit() {
    let Some(mut browser) = Browser::start() else { return };
    let world = deployed();
    on_each_screen(&mut browser, 900, |browser, view| {
        for (dot, (commit, total)) in
            [("first", (DEPLOYED[0].1, "30.0%")), ("last", (DEPLOYED[5].1, "80.0%"))]
        {
            browser.open(&site_folder(&world).join("cart/index.html"), "");
            let addresses = browser.eval(
                "[...document.querySelectorAll('.dot')].filter((dot) =>
                    !dot.closest('a')?.getAttribute('href').endsWith('report.html')).length",
            );
            assert_eq!(addresses, 0, "{view}: each of them");
            browser.assert_quiet();
            browser.follow(&format!(".plot .line-0 a:{dot}-of-type"));
            assert_eq!(browser.text(".total .number"), total, "{view}");
            assert!(browser.text(".about").contains(&commit[..10]), "{view}");
            browser.follow(".up");
            assert_eq!(browser.eval("document.title"), "cart", "{view}");
        }
    });
}

#[test]
fn a_dot_of_a_commit_without_report_says_so_and_leads_to_its_row() {
    let Some(mut browser) = Browser::start() else { return };
    let world = make_deployed();
    world.execute(
        "UPDATE goc_o_staging_service_cover SET deleted_at = created_at, is_latest = 'n' WHERE id = 1",
    );
    write_site(&world).assert_code(0);
    on_each_screen(&mut browser, 900, |browser, view| {
        browser.open(&site_folder(&world).join("cart/index.html"), "");
        let title = browser.text(".dot title");
        assert!(title.starts_with("30.0% ") && title.ends_with(" UTC (no report)"), "{view}: {title}");
        browser.click(".plot .line-0 a:first-of-type");
        let of_row = "document.querySelector('.row:target')";
        browser.wait_until(of_row);
        let commit = browser.text(".row:target code");
        assert!(DEPLOYED[0].1.starts_with(&commit), "{view}: {commit}");
        let [top, bottom, height] = browser.numbers(&format!(
            "(({{ top, bottom }}) => [top, bottom, innerHeight])({of_row}.getBoundingClientRect())"
        ));
        assert!(0 <= top && bottom <= height, "{view}: a row at {top}");
        browser.assert_quiet();
    });
}

#[test]
fn keys_step_over_the_rows_of_the_matrix_and_of_the_tables_below() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    fleet.open(&mut browser, "tax/index.html", "");
    let focus = "document.activeElement.closest('table')?.className";
    let mut tables = Vec::new();
    for _ in 0..3 {
        browser.press("j");
        tables.push(browser.eval(focus));
    }
    assert_eq!(tables, ["matrix", "matrix", "table branches"]);
    browser.press("kk");
    assert_eq!(browser.accessible_text_of_focus(), "link \"prod sg\"");
    browser.press("?");
    assert!(browser.text("#keys").contains("Next, previous row of the tables"));
}

#[test]
fn a_map_of_services_leads_to_their_reports_without_script() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "");
        assert_eq!(browser.texts("#map path"), [] as [&str; 0], "it takes no room until it is opened");
        browser.click("#map summary");
        assert_eq!(assert_in_proportion(browser, &view.to_string()), 37);
        assert_nothing_sticks_out(browser, view);
    });
    browser.follow("#map a[data-key^=staging_th_tax_main_fedcba9876] path");
    assert_eq!(browser.text(".total .number"), "10.0%");
    assert!(browser.text("title").contains("staging_th_tax_main_fedcba9876"));
}

#[test]
fn a_click_on_the_map_filters_the_services() {
    let Some(mut browser) = Browser::start() else { return };
    let fleet = Fleet::shared();
    let map_is_open = "document.querySelector('#map a[tabindex]') !== null";
    let dimmed = "document.querySelectorAll('#map a.out').length";
    on_each_screen(&mut browser, 900, |browser, view| {
        fleet.open(browser, "index.html", "#map=1&env=staging");
        browser.wait_until(map_is_open);
        browser.eval("document.querySelector('#map').scrollIntoView()");
        browser.take_screenshot(&format!("view-map-{view}"));
        assert_eq!(browser.eval(dimmed), 12, "those of prod");
        browser.click("#map a[data-key=staging_th_tax_main_fedcba9876] path");
        assert_eq!(browser.text("#shown"), "1 of 37 services", "{view}");
        assert_eq!(
            browser.eval("location.hash"),
            "#map=1&filter=staging_th_tax_main_fedcba9876&env=staging",
            "{view}"
        );
        assert_result_on_screen(browser, view);
        assert_eq!(browser.eval(dimmed), 36);
        browser.click("#map a[data-key=staging_th_tax_main_fedcba9876] path");
        assert_eq!(browser.text("#shown"), "25 of 37 services", "{view}, for the second time");
        browser.click("#map a[data-key=tax] text");
        assert_eq!(browser.text("#shown"), "3 of 37 services", "the name of an app");
        assert_result_on_screen(browser, view);
        browser.assert_quiet();
    });
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
                  <title>cart staging th main 845820727e: 40.0%, 4 of 10 statements covered</title>";
    assert_eq!(areas, [wanted]);
    assert!(map.contains("<p class=\"note\">1 service without statements is left out.</p>"), "{map}");
    let (_, row) = page.split_once("<tr class=\"row\" data-service=\"staging_th_stock_").unwrap();
    let (row, _) = row.split_once("</tr>").unwrap();
    assert!(row.contains("<td class=\"wide figure\"><span class=\"quiet\">–</span></td>"), "{row}");
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

#[test]
fn one_of_a_thing_is_told_in_the_singular() {
    let Some(mut browser) = Browser::start() else { return };
    let world = World::new();
    let agent = world.start_counted("staging_th_shop_main_845820727e", &profile(4));
    world.pull(0);
    agent.hit(&[5], 1);
    world.pull(0);
    write_site(&world).assert_code(0);
    let plurals = "(document.body.innerText + [...document.querySelectorAll('[title], [aria-label], title')]
        .map((node) => [node.title, node.ariaLabel, node.textContent].join('; ')).join('; '))
        .match(/(?<![\\d.,-])1 [a-z]+s\\b/g)";
    for page in ["index.html", "shop/index.html"] {
        browser.open(&site_folder(&world).join(page), "");
        assert_eq!(browser.eval(plurals), Value::Null, "{page}");
    }
    browser.open(&site_folder(&world).join("index.html"), "");
    assert_eq!(browser.text("#shown"), "1 of 1 service");
    assert_eq!(browser.text(".facts-line"), "1 app, 1 service; newest data: just now");
}
