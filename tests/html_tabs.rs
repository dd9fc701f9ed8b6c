//! The tabs and filters of a report's page: what the address names, and what stays on the way back and after a reload.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::html_changes::{changed_service, changed_service_and_base, owned_service};
use crate::html_overview::off_the_screen;

const CART: &str = "#file=example.com/app/cart/cart.go";
const FILES: &str = "#files .file a";
const FUNCTIONS: &str = "#all-functions tbody a";
const PLACES: &str = ".missed-places li li .at";

fn hash(browser: &mut Browser) -> String {
    browser.eval("location.hash").as_str().unwrap().to_owned()
}

/// Types a filter of files.
fn filter(browser: &mut Browser, text: &str) {
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'filter'");
    browser.press(text);
}

/// Chooses an author as a person does.
fn choose_author(browser: &mut Browser, name: &str) {
    browser.eval(&format!(
        "(() => {{
            const box = document.getElementById('author');
            box.value = {};
            box.dispatchEvent(new Event('change'));
        }})()",
        json!(name)
    ));
}

fn wait_for_tab(browser: &mut Browser, tab: &str) {
    browser.wait_until(&format!("document.querySelector('#tab-{tab}').ariaCurrent === 'page'"));
}

fn wait_for_table(browser: &mut Browser) {
    browser.wait_until("!document.getElementById('overview').hidden");
}

/// Waits until the table of functions has so many.
fn wait_for_functions(browser: &mut Browser, number: usize) {
    browser.wait_until(&format!("document.body.dataset.functions === '{number}'"));
}

#[test]
fn a_tab_keeps_its_filters_while_another_is_shown_on_the_way_back_and_after_a_reload() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master", "--blame"]);
    browser.open(&page, "");
    filter(&mut browser, "cart");
    browser.click("#uncovered");
    browser.click("#tab-functions");
    wait_for_tab(&mut browser, "functions");
    browser.click("#never");
    wait_for_functions(&mut browser, 1);
    browser.click("#tab-changed");
    wait_for_tab(&mut browser, "changed");
    choose_author(&mut browser, "t");
    assert_eq!(hash(&mut browser), "#tab=changed&author=t");
    let links = "['files', 'functions', 'changed'].map((tab) => document.getElementById(`tab-${tab}`).hash)";
    let wanted = json!(["#filter=cart&uncovered=1", "#tab=functions&never=1", "#tab=changed&author=t"]);
    assert_eq!(browser.eval(links), wanted);

    browser.click("#tab-files");
    wait_for_tab(&mut browser, "files");
    assert_eq!(
        (browser.texts(FILES), hash(&mut browser)),
        (vec!["cart.go".into()], "#filter=cart&uncovered=1".into())
    );
    browser.eval("history.back()");
    wait_for_tab(&mut browser, "changed");
    assert_eq!(browser.texts(PLACES), ["5"]);
    browser.eval("history.back()");
    wait_for_tab(&mut browser, "functions");
    assert_eq!(browser.texts(FUNCTIONS), ["Cart.Clear"]);
    browser.eval("history.forward()");
    wait_for_tab(&mut browser, "changed");
    assert_eq!(browser.texts(PLACES), ["5"]);

    browser.reload();
    assert_eq!(browser.texts(PLACES), ["5"]);
    assert_eq!(browser.eval(links), wanted);
    browser.click("#tab-functions");
    wait_for_functions(&mut browser, 1);
    browser.press_named("Escape", 27);
    browser.click("#tab-files");
    wait_for_tab(&mut browser, "files");
    assert_eq!(browser.texts(FILES), ["cart.go"]);
    browser.click("#tab-changed");
    wait_for_tab(&mut browser, "changed");
    browser.press_named("Escape", 27);
    assert_eq!((browser.texts(PLACES).len(), hash(&mut browser)), (3, "#tab=changed".into()));
    browser.click("#tab-files");
    wait_for_tab(&mut browser, "files");
    assert_eq!(browser.texts(FILES), ["cart.go"], "Escape cleared the filter of its own tab");
    browser.assert_quiet();
}

#[test]
fn a_reload_keeps_what_a_file_is_shown_with_and_the_way_back() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master", "--blame"]);
    browser.open(&page, "#tab=changed&author=t");
    browser.click("#tab-files");
    wait_for_tab(&mut browser, "files");
    browser.click("#changed");
    browser.click("[data-sort=total]");
    let left = hash(&mut browser);
    assert_eq!(left, "#sort=-total&changed=1");
    browser.click("#files a[href*='main.go']");
    browser.wait_until("document.body.dataset.shown");
    browser.press("c3");
    let counts =
        "['counts', 'show-missed', 'only-changed'].map((id) => document.getElementById(id).ariaPressed)";
    let before = (hash(&mut browser), browser.eval(counts));
    assert_eq!(before.1, json!(["true", "false", "true"]));
    browser.reload();
    browser.wait_until("document.body.dataset.shown");
    assert_eq!((hash(&mut browser), browser.eval(counts)), before);
    assert_eq!(browser.text("#missed-place"), "1 place", "of the author");
    browser.press("]");
    browser.wait_until("document.body.dataset.shown?.endsWith('cart.go')");
    browser.press("]");
    browser.wait_until("document.body.dataset.shown?.endsWith('made.go')");
    browser.press_named("Escape", 27);
    wait_for_table(&mut browser);
    assert_eq!((hash(&mut browser), browser.texts(FILES).len()), (left, 3));
    browser.press("1");
    browser.reload();
    assert_eq!(browser.texts(FILES).len(), 3);
    browser.click("#files a[href*='main.go']");
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(browser.eval(counts), json!(["true", "false", "true"]), "counts and colours stay");
    assert!(hash(&mut browser).ends_with("&without=hit,missed"), "also one that was pressed in the table");
    browser.assert_quiet();
}

#[test]
fn a_reload_keeps_folds_and_a_search() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        browser.click("#fold");
        let rows = "#files :is(.package bdi, .file a)";
        let folded = browser.texts(rows);
        assert_eq!(folded, ["example.com/app", "main.go", "cart", "made", "stock"], "{screen}");
        browser.press("s");
        browser.press("return ");
        browser.click("#search-missed");
        let lines = "document.querySelectorAll('#search-list .at').length";
        browser.wait_until(&format!("{lines} === 3"));
        browser.reload();
        browser.wait_until(&format!("{lines} === 3"));
        assert_eq!(hash(browser), "#search=return%20&missed=1");
        assert_eq!(browser.eval("document.getElementById('search-missed').checked"), true);
        browser.press_named("Escape", 27);
        browser.wait_until("location.hash === '#folds=-'");
        assert_eq!(browser.texts(rows), folded, "below the search the table is as it was");
        browser.reload();
        assert_eq!(browser.texts(rows), folded);
        browser.assert_quiet();
    });
}

#[test]
fn the_filter_by_author_says_what_it_shows_beside_the_whole_and_starts_the_walk_anew() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master", "--blame"]);
    browser.open(&page, "#tab=changed");
    let counts = |browser: &mut Browser| browser.text("#tab-changed");
    let whole = counts(&mut browser);
    assert_eq!(whole, "Changed 4 uncovered lines");
    choose_author(&mut browser, "Ann & Lee");
    assert_eq!(hash(&mut browser), "#tab=changed&author=Ann%20%26%20Lee");
    // The filter counts them so, too.
    assert_eq!(
        browser.eval("document.getElementById('author').selectedOptions[0].text"),
        "Ann & Lee (3 lines)"
    );
    assert_eq!(counts(&mut browser), "Changed 3 of 4 uncovered lines");
    browser.press("m");
    browser.wait_until("document.querySelector('.current')?.id === 'L6'");
    browser.press("m");
    browser.wait_until("document.querySelector('.current')?.id === 'L35'");
    assert_eq!(browser.text(".walk .told").replace('\n', " "), "Uncovered changes by Ann & Lee place 2 of 2");
    // The walk was at the second place; that of the other author begins at the first, from a file without places.
    browser.press_named("Escape", 27);
    wait_for_table(&mut browser);
    choose_author(&mut browser, "t");
    browser.eval("location.hash = 'file=example.com/app/stock/stock.go'");
    browser.wait_until("document.body.dataset.shown?.endsWith('stock.go')");
    browser.press("m");
    browser.wait_until("document.body.dataset.shown?.endsWith('main.go')");
    assert_eq!(browser.text("#missed-place"), "place 1 of 1");
    browser.press_named("Escape", 27);
    wait_for_table(&mut browser);
    assert_eq!(browser.texts(PLACES), ["5"]);
    choose_author(&mut browser, "");
    assert_eq!((counts(&mut browser), hash(&mut browser)), (whole, "#tab=changed".into()));
    browser.open(&page, "#tab=changed&author=nobody");
    assert_eq!(browser.texts(PLACES).len(), 3, "an author that the page lacks hides nothing");
    browser.assert_quiet();
}

#[test]
fn places_and_their_authors_fit_each_screen_however_long_the_names() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master", "--blame"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=changed");
        browser.eval("document.querySelector('#author option').textContent = 'Bob de la Vega '.repeat(9)");
        browser.eval("document.querySelector('.by bdi').textContent = 'Bob de la Vega '.repeat(9)");
        let beyond = "[...document.querySelectorAll('#author, .places :is(p, a, .by, code)')]
            .filter((e) => e.getBoundingClientRect().right > innerWidth - 12).map((e) => e.outerHTML)";
        assert_eq!(browser.eval(beyond), json!([]), "{screen}");
        // The code is one line, and has the names beside or below it.
        let [height, cut] = browser.numbers(
            "((code) => [code.offsetHeight, code.scrollWidth - code.offsetWidth])(document.querySelector('.places code'))",
        );
        assert!(height <= 20 && cut <= 1, "{screen}: {height} pixels high, {cut} cut");
    });
}

#[test]
fn only_changed_lines_are_shown_until_a_file_is_left_for_the_table_or_by_a_jump() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    let pressed = "document.getElementById('only-changed').ariaPressed";
    browser.open_file(&page, &format!("{CART}&line=22"));
    browser.press("d");
    assert_eq!(hash(&mut browser), format!("{CART}&changed=1"), "without the line, which is folded");
    browser.reload();
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(browser.texts(".folded").len(), 1);
    browser.press_named("Escape", 27);
    wait_for_table(&mut browser);
    browser.click("#files a[href*='stock.go']");
    browser.wait_until("document.body.dataset.shown?.endsWith('stock.go')");
    assert_eq!((browser.eval(pressed), browser.texts(".folded").len()), (json!("false"), 0));
    browser.eval("history.go(-2)");
    browser.wait_until("document.body.dataset.shown?.endsWith('cart.go')");
    assert_eq!(
        (browser.eval(pressed), browser.texts(".folded").len()),
        (json!("true"), 1),
        "as its address says"
    );

    browser.press("f");
    browser.wait_until("document.querySelector('#jump-state').value === ''");
    browser.press("take");
    browser.eval("document.querySelector('#jump-list li').click()");
    browser.wait_until("document.body.dataset.shown?.endsWith('stock.go')");
    assert_eq!(hash(&mut browser), "#file=example.com/app/stock/stock.go&line=3");
    assert_eq!((browser.eval(pressed), browser.texts(".folded").len()), (json!("false"), 0));
    browser.eval("history.back()");
    browser.wait_until("document.body.dataset.shown?.endsWith('cart.go')");
    browser.press("l");
    browser.press("l");
    browser.wait_until("document.body.dataset.shown?.endsWith('stock.go')");
    assert_eq!(browser.eval(pressed), "true", "a walk goes on as it began");
    browser.assert_quiet();
}

#[test]
fn a_click_on_an_owner_shows_their_files_and_another_shows_all() {
    let Some(mut browser) = Browser::start() else { return };
    let service = owned_service();
    let page = service.page(&["--blame"]);
    let owners = ".owners tbody a";
    let to_owner = |browser: &mut Browser, number: usize| {
        browser.click("#tab-owners");
        wait_for_tab(browser, "owners");
        browser.click(&format!(".owners tbody tr:nth-child({number}) a"));
        wait_for_tab(browser, "files");
    };
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=owners");
        assert_eq!(browser.texts("#owner"), [] as [&str; 0]);
        assert_eq!(browser.texts(owners), ["@ann", "@org/<b>cart", "@all", "nobody"]);
        browser.click(".owners tbody tr:nth-child(2) a");
        wait_for_tab(browser, "files");
        assert_eq!(hash(browser), "#owner=%40org/%3Cb%3Ecart");
        assert_eq!(browser.texts(FILES), ["cart.go"]);
        assert_eq!(browser.text("#owner"), "@org/<b>cart ×");
        assert_eq!(browser.eval(&off_the_screen("#owner, #files .file a")), json!([]), "{screen}");
        browser.take_screenshot(&format!("owner-{screen}"));
        browser.reload();
        assert_eq!(browser.texts(FILES), ["cart.go"]);
        to_owner(browser, 3);
        assert_eq!(browser.texts(FILES), ["main.go", "made.go"]);
        browser.eval("history.go(-2)");
        browser.wait_until("location.hash.includes('cart')");
        wait_for_tab(browser, "files");
        browser.wait_until("document.querySelector('#owner').textContent.includes('cart')");
        assert_eq!(browser.texts(FILES), ["cart.go"]);
        browser.click("#owner");
        assert_eq!((browser.texts(FILES).len(), hash(browser)), (4, String::new()));
        to_owner(browser, 4);
        assert_eq!(browser.texts(FILES), ["stock.go"]);
        browser.click("#tab-owners");
        wait_for_tab(browser, "owners");
        assert_eq!(browser.texts(".owners [aria-current]"), ["nobody"]);
        browser.press("jj");
        assert_eq!(browser.eval("document.activeElement.textContent"), "@org/<b>cart");
        browser.click(".owners [aria-current]");
        wait_for_tab(browser, "files");
        assert_eq!(browser.texts(FILES).len(), 4, "the present owner leads back to all");
        browser.assert_quiet();
    });
}

#[test]
fn a_link_to_a_tab_shows_its_list_on_the_first_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    service.agent.hit(&[1], 4);
    service.world.pull(0);
    let page = service.page(&["--against", "sg_app", "--blame"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        let heads = [
            ("functions", "#all-functions thead, #all-functions tbody tr:first-child a"),
            ("changed", "#changes-title"),
            ("lost", "#comparison-title"),
        ];
        for (tab, head) in heads {
            browser.open(&page, &format!("#tab={tab}"));
            if tab == "functions" {
                wait_for_functions(browser, 7);
                assert_eq!(browser.texts(FUNCTIONS).len(), 7, "the list comes after the script in the page");
            }
            assert_eq!(
                browser.eval(&off_the_screen(&format!(".tabs a, {head}"))),
                json!([]),
                "{screen}, {tab}"
            );
        }
        browser.assert_quiet();
    });
}

#[test]
fn a_dot_stands_between_two_facts_of_a_line_and_never_at_its_begin() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--base", "master", "--exclude", "stock"]);
    // The list takes the clicks on its dots.
    let dots = "(() => {
        const list = document.querySelector('.about');
        const edge = list.getBoundingClientRect().left;
        return [...list.children].map((fact) => {
            const { left, top } = fact.getBoundingClientRect();
            const isFirst = left - edge < 1;
            return { isFirst, hasDot: document.elementFromPoint(left - 10, top + 10) === fact };
        });
    })()";
    let mut wrapped = 0;
    for width in [320, 340, 360, 380, 400, 1400] {
        browser.resize(width, 700);
        browser.open(&page, "");
        let facts = browser.eval(dots);
        let facts = facts.as_array().unwrap();
        for (at, fact) in facts.iter().enumerate() {
            assert_ne!(fact["isFirst"], fact["hasDot"], "fact {at} at {width} pixels: {fact}");
        }
        wrapped += facts.iter().filter(|fact| fact["isFirst"] == true).count() - 1;
    }
    assert!(wrapped > 0, "a narrow screen has several lines");
}

#[test]
fn the_figures_of_owners_are_on_each_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let service = owned_service();
    let page = service.page(&["--base", "master", "--blame"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=owners");
        let beyond =
            "[...document.querySelectorAll('#owner-list :is(th, td)')].filter((it) => it.checkVisibility())
            .filter((it) => it.getBoundingClientRect().right > innerWidth).map((it) => it.outerHTML)";
        assert_eq!(browser.eval(beyond), json!([]), "{screen}");
        let heads = browser.texts("#owner-list thead th").len();
        // On narrow screens, statements and files of each owner are left out.
        assert_eq!(heads, if screen.width < 860 { 4 } else { 6 }, "{screen}");
    });
}
