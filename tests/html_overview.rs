//! The overview of a report's page, by position and size on the screen.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::{changed_service, changed_service_and_base};

/// Script that lists the elements of a selector, by text, that are not wholly on the screen.
pub(crate) fn off_the_screen(selector: &str) -> String {
    format!(
        "[...document.querySelectorAll({})].filter((e) => e.checkVisibility()).filter((e) => {{
            const {{ top, bottom, left, right }} = e.getBoundingClientRect();
            return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth;
        }}).map((e) => `${{e.tagName}} ${{e.textContent}}`)",
        json!(selector)
    )
}

/// Pixels by which anything seen in the page sticks out on the right.
pub(crate) const OVERFLOW: &str = "Math.max(0, ...[...document.body.querySelectorAll('*')]
    .filter((e) => e.checkVisibility() && !e.closest('.unseen, .places'))
    .map((e) => Math.ceil(e.getBoundingClientRect().right - innerWidth)))";

#[test]
fn results_of_a_search_are_on_the_screen_though_changes_stand_above_the_table() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    let results = off_the_screen("#filter, #shown, #files thead th, #files .file a");
    on_each_screen(&mut browser, 560, |browser, screen| {
        browser.open(&page, "");
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("main");
        assert_eq!(browser.texts("#files .file a"), ["main.go"]);
        assert_eq!(browser.eval(&results), json!([]), "{screen}, after typing");
        browser.take_screenshot(&format!("overview-search-{screen}"));
        browser.open(&page, "#filter=stock");
        assert_eq!(browser.texts("#files .file a"), ["stock.go"]);
        assert_eq!(browser.eval(&results), json!([]), "{screen}, by a link");
        browser.assert_quiet();
    });
}

/// A service of 400 files in 40 packages.
pub(crate) fn large_service() -> Service {
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
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#flat=1");
        browser.eval("scrollTo(0, 4000)");
        browser.wait_until("scrollY > 3000");
        assert_eq!(browser.eval(&off_the_screen("#filter, #files thead th")), json!([]), "{screen}");
        let edges = browser.eval(
            "[document.querySelector('#tools').getBoundingClientRect().bottom,
              document.querySelector('#files thead').getBoundingClientRect().top]",
        );
        let gap = edges[0].as_f64().unwrap() - edges[1].as_f64().unwrap();
        assert!(gap.abs() <= 1.0, "{screen}: the head is right below the bar: {edges}");
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("file017");
        assert_eq!(browser.texts("#files .file a").len(), 1);
        assert_eq!(browser.eval(&off_the_screen("#filter, #files .file a")), json!([]), "{screen}");
    });
}

#[test]
fn the_overview_fits_every_screen_and_uses_a_wide_one() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    service.agent.hit(&[1], 4);
    service.world.pull(0);
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        browser.take_screenshot(&format!("overview-{screen}"));
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        let used =
            browser.eval("document.querySelector('#files').getBoundingClientRect().width").as_f64().unwrap();
        assert!(used >= f64::from(screen.width.min(1848)) - 48.0, "{screen}: {used}");
        let small = "[...document.querySelectorAll('#overview :is(a[href], button, input, summary)')]
            .filter((e) => e.checkVisibility()).map((e) => [e, (e.closest('label') ?? e).getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 24 || height < 24).map(([e]) => e.outerHTML)";
        assert_eq!(browser.eval(small), json!([]), "{screen}");
    });
}

#[test]
fn one_line_of_facts_stands_above_the_figures() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    let commit = service.source.head();
    let wanted = ["master", &commit[..10], "staging th", "1 replica", "just now"];
    assert_eq!(browser.texts(".about bdi, .about code, .about li:nth-child(n + 3)"), wanted);
    let height = browser.eval("document.querySelector('.about').offsetHeight").as_f64().unwrap();
    assert!(height <= 24.0, "one line, not {height} pixels");
    let top = browser.eval("document.querySelector('#files').getBoundingClientRect().top").as_f64().unwrap();
    assert!(top < 450.0, "the table begins on the first screen, at {top}");
    assert!(browser.text("footer").starts_with(&format!("Commit {}, stored 20", &commit[..10])));
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
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(
            browser.texts(".total .number"),
            ["72.0%"],
            "{screen}: none changed, so changes have no figure"
        );
        assert_eq!(
            browser.text(".verdict"),
            "72.0% staging th against 100.0% staging sg: -28.0 points; 1 line lost, 0 gained"
        );
        assert_eq!(
            browser.eval(&off_the_screen(".verdict, .verdict b, .total .number, .tabs a")),
            json!([]),
            "{screen}"
        );
        let tabs: Vec<String> = browser.texts(".tabs a").iter().map(|tab| tab.replace('\n', " ")).collect();
        assert_eq!(tabs, ["Files 4", "Functions 7", "Lost 1 line"]);
        assert_eq!(browser.texts("#files th[aria-sort]"), ["Lost"], "{screen}");
        browser.take_screenshot(&format!("overview-same-commit-{screen}"));
    });
    browser.open_file(&page, "#file=example.com/app/cart/cart.go&changed=1");
    assert_eq!(browser.texts("#only-changed, #file-changed, .of-ruler"), [] as [&str; 0], "nothing changed");
    browser.press("d");
    assert_eq!(browser.texts(".folded"), [] as [&str; 0]);
    assert!(!browser.text("#keys").contains("Changed lines only"));
    let keys = |browser: &mut Browser| {
        let keys = "[...document.querySelectorAll('#keys dt kbd')].map((key) => key.textContent).join('')";
        browser.eval(keys).as_str().unwrap().to_owned()
    };
    assert_eq!(keys(&mut browser), "npfs][lLc123Esc/jkut?", "no changed line is uncovered");
    browser.assert_quiet();
    // Seen from the other side nothing is lost.
    let form = format!("html={}", page.display());
    let other = ["report", &name, "-q", "--against", &service.source.service_name(), "--format", &form];
    service.world.run(&other).assert_code(0);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(browser.texts("#files th[aria-sort]"), ["Folder, file"], "{screen}");
    });
    assert_eq!(keys(&mut browser), "npfsc123Esc/jkut?", "no line is lost, and there is one file");
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
fn without_script_nothing_looks_like_a_link_that_leads_nowhere() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&["--base", "master"]);
    let names = "#files .file a, .places a";
    let looks = |browser: &mut Browser, selector: &str| {
        let look = "[...document.querySelectorAll(SELECTOR)].filter((e) => e.checkVisibility())
            .map((e) => [getComputedStyle(e), getComputedStyle(e.parentElement)])
            .map(([own, around]) => own.color !== around.color || own.textDecorationLine !== 'none')";
        browser.eval(&look.replace("SELECTOR", &json!(selector).to_string()))
    };
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(looks(browser, "#files .file a"), json!([true, true, true, true]), "{screen}");
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
        browser.open(&page, "");
        assert_eq!(
            looks(browser, names),
            json!([false, false, false, false, false, false, false]),
            "{screen}"
        );
        let dead = "[...document.querySelectorAll('a[href^=\"#\"]')].filter((e) => e.checkVisibility() && e.id !== 'home')
            .map((e) => e.outerHTML)";
        assert_eq!(browser.eval(dead), json!([]), "{screen}");
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
    });
}

const ROWS: &str = "#files :is(.package bdi, .file a)";

#[test]
fn a_large_tree_is_closed_below_its_first_level_and_its_address_has_the_folds() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    let closed = ["example.com/app", "api", "cmd", "pkg", "plugin"];
    assert_eq!(browser.texts(ROWS), closed);
    assert_eq!(browser.text("#fold"), "Unfold all");
    browser.take_screenshot("overview-tree");
    browser.click("#files tbody:nth-of-type(2) .fold");
    let rows = browser.texts(ROWS);
    assert_eq!(rows[..4], ["example.com/app", "api", "part0/deep", "part1/deep"]);
    assert_eq!((rows.len(), rows[11].as_str()), (15, "part9/deep"));
    assert_eq!(browser.eval("location.hash"), "#folds=api");
    browser.click("#files tbody:nth-of-type(3) .package th");
    assert_eq!(browser.eval("location.hash"), "#folds=api,api/part0/deep");
    let rows = browser.texts(ROWS);
    assert_eq!((rows.len(), rows[3].as_str()), (25, "file000.go"));
    let indents = browser.eval(
        "[...document.querySelectorAll('#files :is(bdi, .file a)')].filter((e) => e.checkVisibility()).slice(0, 4)
            .map((e) => e.getBoundingClientRect().left)",
    );
    let indents: Vec<f64> = serde_json::from_value(indents).unwrap();
    assert!(indents.windows(2).all(|pair| pair[0] < pair[1]), "{indents:?}");
    browser.open(&page, "#folds=api,api/part0/deep");
    assert_eq!(browser.texts(ROWS), rows, "a link has the folds");

    browser.click("#fold");
    assert_eq!(
        (browser.texts(ROWS), browser.eval("location.hash")),
        (closed.map(Into::into).to_vec(), json!("#folds=-"))
    );
    browser.click("#fold");
    assert_eq!((browser.texts(ROWS).len(), browser.eval("location.hash")), (445, json!("#folds=*")));
    browser.assert_quiet();

    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&page, "");
    assert_eq!(browser.texts(ROWS).len(), 445, "without script all is open");
}

#[test]
fn a_filter_opens_what_it_hits_though_all_was_folded() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    let found = ["example.com/app", "cmd/part4/deep", "file017.go"];
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#folds=-");
        browser.press("/");
        browser.wait_until("document.activeElement.id === 'filter'");
        browser.press("file017");
        assert_eq!(browser.texts(ROWS), found, "{screen}");
        assert_eq!(browser.eval(&off_the_screen("#filter, #files .file a")), json!([]), "{screen}");
        assert_eq!(browser.eval("location.hash"), "#filter=file017");
        // The joined folders are indented as the one that has no row.
        let left =
            "[...document.querySelectorAll('#files :is(bdi, .file a)')].filter((e) => e.checkVisibility())
            .map((e) => e.getBoundingClientRect().left)";
        let left: Vec<f64> = serde_json::from_value(browser.eval(left)).unwrap();
        let steps: Vec<f64> = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps[0] > 0.0 && (steps[0] - steps[1]).abs() < 1.0, "{screen}: {left:?}");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        browser.press_named("Enter", 13);
        browser.eval("document.activeElement.blur()");
        browser.press("j");
        browser.press("j");
        let fold = browser.eval("document.activeElement.ariaLabel");
        assert_eq!(fold, "Files of example.com/app/cmd/part4/deep", "{screen}");
        browser.eval("document.getElementById('filter').focus()");
        browser.press_named("Escape", 27);
        let closed = ["example.com/app", "api", "cmd", "pkg", "plugin"];
        assert_eq!(browser.texts(ROWS), closed, "as it was before");
        assert_eq!(browser.eval("location.hash"), "#folds=-");
        // A box finds more files than are open by themselves.
        browser.click("#uncovered");
        assert_eq!(browser.text("#shown"), "134 of 400 files, 533 uncovered statements");
        assert_eq!(browser.texts("#files .file a").len(), 134, "{screen}");
        browser.assert_quiet();
        browser.open(&page, "#filter=file017&folds=-");
        assert_eq!(browser.texts(ROWS), found, "{screen}, by a link whose folds hide all");
        assert_eq!(browser.eval(&off_the_screen("#filter, #files .file a")), json!([]), "{screen}");
        browser.open(&page, "#filter=file017&folds=-,cmd");
        assert_eq!(browser.texts(ROWS), found, "{screen}");
        browser.assert_quiet();
    });
}

#[test]
fn keys_step_over_folders_and_the_way_back_opens_the_folder_of_the_file() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "");
        browser.press("jj");
        assert_eq!(browser.accessible_text_of_focus(), "button \"Files of example.com/app/api\"");
        let enter = json!({"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
        browser.call("Input.dispatchKeyEvent", &enter);
        browser.press("j");
        assert_eq!(browser.accessible_text_of_focus(), "button \"Files of example.com/app/api/part0/deep\"");
        browser.press("kk");
        assert_eq!(browser.accessible_text_of_focus(), "button \"Files of example.com/app\"");
        browser.open_file(&page, "#file=example.com/app/pkg/part3/deep/file014.go");
        browser.press_named("Escape", 27);
        browser.wait_until("!document.getElementById('overview').hidden");
        assert_eq!(browser.accessible_text_of_focus(), "link \"file014.go\"");
        assert_eq!(browser.eval(&off_the_screen(":focus")), json!([]), "{screen}");
        browser.assert_quiet();
    });
}

#[test]
fn a_name_is_alone_in_its_folder_and_whole_without_folders_at_any_width() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open(&page, "#folds=*");
        browser.click("#flat");
        assert_eq!(browser.texts("#files .file a")[0], "api/part0/deep/file000.go");
        let lines = "Math.max(...[...document.querySelectorAll('#files .file a')].slice(0, 20).map((e) => e.offsetHeight / 24))";
        assert!(browser.eval(lines).as_f64().unwrap() <= 3.0, "{screen}: {}", browser.eval(lines));
        browser.take_screenshot(&format!("overview-flat-{screen}"));
        browser.click("#flat");
        assert_eq!(browser.texts("#files .file a")[0], "file000.go", "{screen}");
        assert!(browser.eval(lines).as_f64().unwrap() <= 1.0, "{screen}: a name fits into a line");
        browser.assert_quiet();
    });
}

#[test]
fn beside_changes_a_name_of_usual_length_fits_into_a_line_of_a_phone() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let pages = ["changes", "against"].map(|name| service.world.home().join(format!("{name}.html")));
    for (page, options) in pages.iter().zip([["--base", "master"], ["--against", "sg_app"]]) {
        std::fs::rename(service.page(&options), page).unwrap();
    }
    on_each_screen(&mut browser, 800, |browser, screen| {
        for page in &pages {
            browser.open(page, "");
            let heads = "[...document.querySelectorAll('#files thead th')].filter((e) => e.checkVisibility())
            .filter((e) => e.firstChild.getBoundingClientRect().right > e.getBoundingClientRect().right + 1)
            .map((e) => e.textContent)";
            assert_eq!(browser.eval(heads), json!([]), "{screen}: a heading stays in its column");
            browser.eval("document.querySelectorAll('#files .file a')[1].textContent = 'head_append.go'");
            let lines = "document.querySelectorAll('#files .file a')[1].offsetHeight / 24";
            assert_eq!(browser.eval(lines), 1, "{screen}, {}", page.display());
            assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        }
    });
}

#[test]
fn a_comparison_sorts_folders_and_files_by_the_lines_that_they_lost() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    browser.open(&page, "");
    assert_eq!(browser.text("#files [aria-sort=descending]"), "Lost");
    assert_eq!(
        browser.texts(ROWS),
        ["example.com/app", "main.go", "cart", "cart.go", "stock", "stock.go", "made", "made.go"]
    );
    assert_eq!(browser.texts("#files td.lost"), ["2", "", "1", "1", "1", "1", "", ""]);
    assert_eq!(browser.texts("#files td.gained"), ["2", "", "2", "2", "", "", "", ""]);
    browser.click("[data-sort=name]");
    assert_eq!(browser.eval("location.hash"), "#sort=name");
    browser.click("[data-sort=lost]");
    assert_eq!(browser.eval("location.hash"), "");
    browser.assert_quiet();
}

#[test]
fn functions_of_all_files_are_listed_by_what_they_lack() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    assert!(browser.texts(".total p").contains(&"6 of 7 functions entered".to_owned()));
    browser.click("#tab-functions");
    let listed = |browser: &mut Browser, number: usize| {
        browser.wait_until(&format!("document.body.dataset.functions === '{number}'"));
        browser.texts("#all-functions tbody a")
    };
    let all = ["Cart.Add", "Cart.Clear", "main", "Cart.Checkout", "Take", "Cart.Total", "Made"];
    assert_eq!(listed(&mut browser, 7), all);
    let cells = ["cart/cart.go:34", "never", "2", "0.0%"];
    assert_eq!(browser.texts("#all-functions tbody tr:nth-child(2) td"), cells);
    assert_eq!(browser.text("#shown-functions"), "7 of 7 functions, 1 never entered");
    assert_eq!(
        browser.texts("#files, #tab-functions[aria-current]"),
        ["Functions 7"],
        "in place of the files"
    );
    browser.click("#all-functions [data-sort=count]");
    assert_eq!(listed(&mut browser, 7)[..2], ["Cart.Add", "Take"]);
    assert_eq!(browser.eval("location.hash"), "#tab=functions&sort=-count");
    browser.click("#never");
    assert_eq!(listed(&mut browser, 1), ["Cart.Clear"]);
    browser.click("#never");
    assert_eq!(listed(&mut browser, 7).len(), 7);
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'function-filter'");
    browser.press("STOCK");
    assert_eq!(listed(&mut browser, 1), ["Take"]);
    assert_eq!(browser.eval(&off_the_screen("#function-filter, #all-functions a")), json!([]));
    assert_eq!(browser.eval("location.hash"), "#tab=functions&sort=-count&filter=STOCK");
    browser.click("#all-functions tbody a");
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(
        (browser.path(), browser.current_line()),
        ("example.com/app/stock/stock.go".into(), "3".into())
    );
    browser.press_named("Escape", 27);
    browser.wait_until("!document.getElementById('overview').hidden");
    assert_eq!(listed(&mut browser, 1), ["Take"], "back where it was");
    browser.press_named("Escape", 27);
    assert_eq!(listed(&mut browser, 7).len(), 7);
    // Escape takes the filter away, and then leaves its field, so that keys step through the rows.
    browser.eval("document.getElementById('function-filter').focus()");
    browser.press_named("Escape", 27);
    assert_eq!(browser.eval("document.activeElement === document.body"), true);
    browser.assert_quiet();
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.take_screenshot(&format!("overview-functions-{screen}"));
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
    });
}

#[test]
fn each_tab_has_its_list_on_the_first_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    browser.resize(1400, 900);
    let tabs = ["Files 4", "Functions 7", "Changed 4 uncovered lines", "Lost 2 lines"];
    let lists =
        ["#files thead", "#all-functions thead", "#changed-lines .places h3", "#lost-lines .places h3"];
    for (tab, (name, list)) in ["files", "functions", "changed", "lost"].iter().zip(tabs.iter().zip(lists)) {
        browser.open(&page, &format!("#tab={tab}"));
        assert_eq!(browser.texts(".tabs a"), tabs);
        assert_eq!(browser.texts(".tabs [aria-current]"), [*name]);
        let shown = lists.iter().filter(|list| !browser.texts(list).is_empty()).collect::<Vec<_>>();
        assert_eq!(shown, [&list]);
        assert_eq!(browser.eval(&off_the_screen(list)), json!([]), "{tab}");
        browser.take_screenshot(&format!("overview-tab-{tab}"));
        browser.assert_quiet();
    }
}
