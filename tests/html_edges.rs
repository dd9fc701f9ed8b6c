//! Room and edges on a report's page: where lists begin and end, which heads stay, and which buttons have nothing to do.

use std::fs;

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::html_changes::{changed_service, changed_service_and_base};
use crate::html_overview::{OVERFLOW, large_service, off_the_screen};
use crate::html_screens::numerous_service;

/// A service whose changed code has long lines, lines without code between others, and a function that began before its
/// counters.
fn wide_service() -> Service {
    let long =
        "\tresult, err := someLongPackage.SomeLongFunction(ctx, firstArgument, secondArgument, third)\n";
    let text = format!(
        "package store\n\nfunc ReconcileEverythingThatIsLeftInTheStore() {{\n{long}\n\t// A line without code.\n\n\tuse(result, err)\n}}\n\n\
         func serve() {{\n\tlisten()\n\tfor {{\n\t\tanswer()\n\t}}\n}}\n"
    );
    let profile = "example.com/app/store/store.go:3.50,9.2 2 0\n\
                   example.com/app/store/store.go:11.14,13.6 2 0\n\
                   example.com/app/store/store.go:13.6,15.3 1 5\n";
    let mut source = Source::from_files(&[("go.mod", b"module example.com/app\n")]);
    source.git(&["branch", "base"]);
    fs::create_dir(source.folder.path().join("store")).unwrap();
    fs::write(source.folder.path().join("store/store.go"), text).unwrap();
    source.git(&["add", "."]);
    source.git(&["commit", "--quiet", "--message=store", "--author=Bob de la Vega <b@example.com>"]);
    fs::write(source.folder.path().join("README.md"), "store\n").unwrap();
    source.commit_all();
    Service::from_source(source, profile)
}

#[test]
fn places_have_the_width_of_the_page_and_nothing_of_them_is_cut() {
    let Some(mut browser) = Browser::start() else { return };
    let service = wide_service();
    let page = service.page(&["--base", "base", "--blame"]);
    let cut = "[...document.querySelectorAll('.places :is(code, .in, .by)')].filter((e) => e.checkVisibility())
        .filter((e) => e.scrollWidth > e.offsetWidth + 1 || getComputedStyle(e).overflow !== 'visible').map((e) => e.textContent)";
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open(&page, "#tab=changed");
        assert_eq!(browser.texts(".places .at"), ["4-8", "12-13"], "{screen}");
        let [section, list] = browser.numbers(
            "['#changed-lines', '#changed-lines .places > ol'].map((it) => document.querySelector(it).offsetWidth)",
        );
        assert!(section - list <= 60, "{screen}: a list of {list} in {section} pixels");
        assert_eq!(browser.eval(cut), json!([]), "{screen}");
        let named = browser.texts(".places :is(.in, .by bdi)");
        let wanted = ["ReconcileEverythingThatIsLeftInTheStore", "Bob de la Vega", "serve", "Bob de la Vega"];
        assert_eq!(named, wanted, "{screen}");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        browser.take_screenshot(&format!("edges-changed-{screen}"));
    });
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open(&page, "#tab=lost");
        let [section, list] = browser.numbers(
            "['#lost-lines', '#lost-lines .places > ol'].map((it) => document.querySelector(it).offsetWidth)",
        );
        assert!(section - list <= 60, "{screen}: a list of {list} in {section} pixels");
        assert_eq!(browser.eval(cut), json!([]), "{screen}");
        assert_eq!(browser.texts("#lost-lines .in"), ["Cart.Checkout", "Take"], "{screen}");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        browser.take_screenshot(&format!("edges-lost-{screen}"));
    });
}

#[test]
fn lines_of_authors_are_those_that_the_tab_counts() {
    let Some(mut browser) = Browser::start() else { return };
    let service = wide_service();
    let page = service.page(&["--base", "base", "--blame"]);
    browser.open(&page, "#tab=changed");
    let number = |text: &str| -> u32 {
        let digits: String =
            text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let tab = browser.text("#tab-changed");
    let authors =
        browser.eval("[...document.querySelectorAll('#author option:not(:first-child)')].map((e) => e.text)");
    let authors: Vec<String> = serde_json::from_value(authors).unwrap();
    assert_eq!(
        authors.iter().map(|author| number(author)).sum::<u32>(),
        number(&tab),
        "{authors:?} of {tab}"
    );
    assert!(authors[0].starts_with("Bob de la Vega ("), "{authors:?}");
}

#[test]
fn the_head_of_a_file_is_one_line_on_a_wide_screen_with_all_walks() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open_file(&page, "#file=example.com/app/cart/cart.go");
        // The name of a file in a usual place.
        browser.eval("document.getElementById('path').textContent = 'github.com/prometheus/prometheus/promql/engine.go'");
        let [height, left, right, name] = browser.numbers(
            "(() => { const { left, right, height } = document.querySelector('.bar-of-file').getBoundingClientRect();
                return [height, left, right, document.getElementById('path').offsetWidth]; })()",
        );
        assert!(name >= 200, "{screen}: {name} pixels for the name");
        assert_eq!((left, right), (0, screen.width.into()), "{screen}");
        assert!(screen.width < 1400 || height <= 64, "{screen}: {height} pixels");
        assert!(screen.width > 360 || height <= 48, "{screen}: {height} pixels");
        assert_eq!(browser.eval(&off_the_screen(".bar-of-file button, #path")), json!([]), "{screen}");
        browser.take_screenshot(&format!("edges-file-{screen}"));
    });
}

#[test]
fn a_phone_has_the_tabs_on_its_first_screen_below_changes() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 640, |browser, screen| {
        browser.open(&page, "");
        assert_eq!(browser.eval(&off_the_screen(".tabs a")), json!([]), "{screen}");
        let [head, lowest, highest] = browser.numbers(
            "(() => {
                const tops = [...document.querySelectorAll('.tabs a')].map((e) => e.getBoundingClientRect().top);
                return [document.querySelector('.top').offsetHeight, Math.max(...tops), Math.min(...tops)];
            })()",
        );
        assert!(head <= 92, "{screen}: a head of {head} pixels");
        assert_eq!(lowest, highest, "{screen}: tabs stand in one line");
        assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        browser.take_screenshot(&format!("edges-summary-{screen}"));
    });
}

#[test]
fn figures_without_a_trend_take_the_whole_width() {
    let Some(mut browser) = Browser::start() else { return };
    let service = changed_service();
    let pages = ["one", "two"].map(|name| service.world.home().join(format!("{name}.html")));
    for (page, options) in pages.iter().zip([&[][..], &["--base", "master"]]) {
        fs::rename(service.page(options), page).unwrap();
    }
    on_each_screen(&mut browser, 700, |browser, screen| {
        for page in &pages {
            browser.open(page, "");
            let [bars, table] = browser.numbers(
                "[Math.max(...[...document.querySelectorAll('.total > .bar')].map((e) => e.getBoundingClientRect().right)),
                    document.querySelector('#files').getBoundingClientRect().right]",
            );
            assert!((bars - table).abs() <= 1, "{screen}: a bar to {bars} above a table to {table}");
            assert_eq!(browser.eval(OVERFLOW), 0, "{screen}");
        }
    });
}

#[test]
fn the_head_of_functions_stays_below_their_filter() {
    let Some(mut browser) = Browser::start() else { return };
    let service = numerous_service();
    let page = service.page(&["--base", "base"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=functions");
        browser.wait_until("document.body.dataset.functions === '2200'");
        browser.eval("scrollTo(0, 3000)");
        browser.wait_until("scrollY > 2000");
        let seen = off_the_screen("#function-filter, #all-functions thead th");
        assert_eq!(browser.eval(&seen), json!([]), "{screen}");
        let [bar, head] = browser.numbers(
            "[document.querySelector('#function-tools').getBoundingClientRect().bottom,
                document.querySelector('#all-functions thead').getBoundingClientRect().top]",
        );
        assert!((bar - head).abs() <= 1, "{screen}: the bar ends at {bar}, the head begins at {head}");
    });
}

#[test]
fn nothing_offers_to_unfold_where_nothing_is_folded() {
    let Some(mut browser) = Browser::start() else { return };
    let service = large_service();
    let page = service.page(&[]);
    for (fragment, buttons) in [
        ("", &["Unfold all"][..]),
        ("#folds=*", &["Fold all"]),
        ("#folds=.", &["Unfold all"]),
        ("#filter=file399", &["Fold all"]),
        ("#filter=nothing-has-this-name", &[]),
        ("#flat=1", &[]),
    ] {
        browser.open(&page, fragment);
        assert_eq!(browser.texts("#fold"), buttons, "{fragment}");
    }
    let one_package = "example.com/app/a.go:1.1,2.2 1 1\nexample.com/app/b.go:1.1,2.2 1 1\n";
    let service =
        Service::from_source(Source::from_files(&[("go.mod", b"module example.com/app\n")]), one_package);
    browser.open(&service.page(&[]), "");
    assert_eq!(browser.texts("#fold"), [] as [&str; 0]);
}

#[test]
fn places_lead_nowhere_without_the_script_and_do_not_look_as_if_they_did() {
    let Some(mut browser) = Browser::start() else { return };
    let service = numerous_service();
    let page = service.page(&["--base", "base"]);
    let colors = "['#changed-lines .at', '#changed-lines .places a'].map((it) => getComputedStyle(document.querySelector(it)).color)";
    browser.open(&page, "#tab=changed");
    assert_eq!(browser.text(".more"), "and 600 more, which the walk also shows");
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "");
        let [place, text] = serde_json::from_value::<[String; 2]>(browser.eval(colors)).unwrap();
        assert_eq!(place, text, "{screen}");
        assert_eq!(browser.text(".more"), "and 600 more", "{screen}: there is no walk");
    });
}

#[test]
fn a_file_that_the_page_lacks_has_no_buttons() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    let page = service.page(&["--against", "sg_app"]);
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#file=nope.go");
        assert_eq!(browser.text("#message"), "The page has no file \"nope.go\".", "{screen}");
        assert_eq!(browser.texts("#view :is(button, output, aside)"), [] as [&str; 0], "{screen}");
        assert_eq!(browser.text(".figures"), "", "{screen}");
        assert!(
            !browser.eval("document.title").as_str().unwrap().contains("nope"),
            "no percentage of nothing"
        );
        browser.eval("location.hash = '#file=example.com/app/main.go'");
        browser.wait_until("document.body.dataset.shown");
        assert!(!browser.texts("#next, #counts").is_empty(), "{screen}");
    });
}

#[test]
fn all_edges_of_a_map_are_straight() {
    let Some(mut browser) = Browser::start() else { return };
    let block = |name: &str| format!("example.com/app/{name}:1.1,2.2 7 0\n");
    let profile: String = ["a.go", "pkg/b.go", "pkg/c.go", "pkg/in/d.go", "z.go"].map(block).concat();
    let service =
        Service::from_source(Source::from_files(&[("go.mod", b"module example.com/app\n")]), &profile);
    let page = service.page(&[]);
    on_each_screen(&mut browser, 900, |browser, screen| {
        browser.open(&page, "#map=1");
        browser.wait_until("document.querySelector('#map a[href]') !== null");
        browser.eval("document.querySelector('#map').scrollIntoView()");
        let picture = json!(format!("data:image/png;base64,{}", {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(browser.screenshot())
        }));
        // The line of pixels along each edge has the colour of the page, so no area reaches further than another.
        let script = format!(
            "(async () => {{
                const image = new Image();
                image.src = {picture};
                await image.decode();
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.width, image.height];
                const context = canvas.getContext('2d');
                context.drawImage(image, 0, 0);
                const paper = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
                const {{ left, right, top, bottom }} = document.querySelector('#map .areas').getBoundingClientRect();
                const [x, y, x_end, y_end] = [Math.ceil(left), Math.ceil(top), Math.floor(right) - 1, Math.floor(bottom) - 1];
                const lines = [[x, y, x_end - x, 1], [x, y_end, x_end - x, 1], [x, y, 1, y_end - y], [x_end, y, 1, y_end - y]];
                return lines.map((line) => {{
                    const {{ data }} = context.getImageData(...line);
                    let other = 0;
                    for (let at = 0; at < data.length; at += 4) {{
                        if (paper.some((part, of) => Math.abs(part - data[at + of]) > 3)) other += 1;
                    }}
                    return other;
                }});
            }})()"
        );
        assert_eq!(browser.eval(&script), json!([0, 0, 0, 0]), "{screen}: top, bottom, left and right");
    });
}

#[test]
fn a_difference_stands_once_in_a_summary() {
    let Some(mut browser) = Browser::start() else { return };
    let (service, _base) = changed_service_and_base();
    service.agent.hit(&[1], 1);
    service.world.pull(0);
    browser.open(&service.page(&[]), "");
    assert_eq!(browser.texts(".change").len(), 1, "of the row before");
    browser.open(&service.page(&["--against", "sg_app"]), "");
    assert_eq!(browser.text(".summary").matches(" points").count(), 1, "{}", browser.text(".summary"));
}

#[test]
fn a_function_with_executed_code_was_entered() {
    let Some(mut browser) = Browser::start() else { return };
    let service = wide_service();
    let page = service.page(&[]);
    on_each_screen(&mut browser, 800, |browser, screen| {
        browser.open(&page, "#tab=functions");
        browser.wait_until("document.body.dataset.functions === '2'");
        let rows = browser.texts("#all-functions tbody tr :is(a, td:not(.place))");
        let wanted = [
            "ReconcileEverythingThatIsLeftInTheStore",
            "never",
            "2",
            "0.0%",
            "serve",
            "earlier",
            "2",
            "33.3%",
        ];
        assert_eq!(rows, wanted, "{screen}");
        assert_eq!(browser.text("#shown-functions"), "2 of 2 functions, 1 never entered", "{screen}");
        let legend = browser.text("#earlier");
        assert!(legend.starts_with("earlier: entered before the counters began"), "{screen}: {legend}");
        assert_eq!(browser.eval(&off_the_screen("#earlier")), json!([]), "{screen}");
        assert!(
            browser.texts(".total p").contains(&"1 of 2 functions entered".to_owned()),
            "{screen}: the same as the list"
        );
        browser.open(&page, "#tab=functions&never=1");
        browser.wait_until("document.body.dataset.functions === '1'");
        assert_eq!(browser.texts("#earlier"), [] as [&str; 0], "{screen}: nothing of the list is earlier");
        browser.open_file(&page, "#file=example.com/app/store/store.go");
        let titles =
            browser.eval("[...document.querySelectorAll('#function-list a')].map(({ title }) => title)");
        let wanted =
            ["0 of 2 statements, never entered", "1 of 3 statements, entered before the counters began"];
        assert_eq!(titles, json!(wanted), "{screen}");
    });
}
