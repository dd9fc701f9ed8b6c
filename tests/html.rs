//! Pages of `report --format html`, shown by a browser.

use std::path::PathBuf;

use crate::harness::browser::Browser;
use crate::harness::service::Service;
use crate::harness::source::{Source, repository};

const CART: &str = "package cart

import \"errors\"

// Cart holds what a customer wants.
type Cart struct {
\titems []Item // in the order they came
\ttotal int
}

var errEmpty = errors.New(\"nothing in the cart: \\\"add\\\" comes first\")

/* Add puts an item
   into the cart. */
func (c *Cart) Add(item Item) {
\tif item.Price < 0 { item.Price = 0 }
\tc.items = append(c.items, item)
\tc.total += item.Price
}

func (c *Cart) Checkout(pay func(int) error) error {
\tif len(c.items) == 0 {
\t\treturn errEmpty
\t}
\tif err := pay(c.total); err != nil {
\t\treturn err
\t}

\tfor i := range c.items {
\t\tc.items[i].Sold = true
\t}
\treturn nil
}

func (c *Cart) Clear() {
\tc.items = nil
\tc.total = 0
}
";

const MAIN: &str = "package main

func main() {
\trun(`größer
als`, 0x2a)
}
";

/// A profile with columns that a reader can count: the `if` of line 16 has a block of its own from `{` to `}`.
const PROFILE: &str = "example.com/app/cart/cart.go:15.31,16.20 1 2500
example.com/app/cart/cart.go:16.20,16.39 1 0
example.com/app/cart/cart.go:17.2,18.23 2 2500
example.com/app/cart/cart.go:21.52,22.23 1 3
example.com/app/cart/cart.go:22.23,24.3 1 0
example.com/app/cart/cart.go:25.2,25.42 2 3
example.com/app/cart/cart.go:25.42,27.3 1 0
example.com/app/cart/cart.go:29.2,29.25 1 3
example.com/app/cart/cart.go:29.25,31.3 1 1
example.com/app/cart/cart.go:32.2,32.12 1 3
example.com/app/cart/cart.go:35.24,38.2 2 0
example.com/app/main.go:3.13,6.2 1 1
example.com/app/made/up.go:3.13,9.2 4 0
example.com/app/made/up.go:12.2,14.20 1 7
";

/// A service that was pulled twice.
pub(crate) fn cart_service() -> Service {
    service_of(cart_source())
}

fn cart_source() -> Source {
    let files: [(&str, &[u8]); 3] = [
        ("cart/cart.go", CART.as_bytes()),
        ("main.go", MAIN.as_bytes()),
        ("go.mod", b"module example.com/app\n"),
    ];
    Source::from_files(&files)
}

fn service_of(source: Source) -> Service {
    let service = Service::from_source(source, PROFILE);
    service.agent.hit(&[10], 4);
    service.world.pull(0);
    service
}

#[test]
fn the_page_is_kept_beside_its_profile_unless_it_is_of_a_part() {
    let service = cart_service();
    let kept = |service: &Service| service.world.files("_report.html");
    service.world.run(&["report", "app", "-q", "--exclude", "made", "--format", "html"]).assert_code(0);
    assert_eq!(kept(&service), [] as [PathBuf; 0]);
    let page = std::fs::read(service.page(&[])).unwrap();
    let [stored] = &kept(&service)[..] else { panic!("one page") };
    assert!(stored.ends_with("app/cov_data/app_2_report.html"), "{}", stored.display());
    assert!(std::fs::read(stored).unwrap() == page);
}

#[test]
fn at_a_terminal_a_page_goes_to_a_file_whose_name_is_told() {
    let service = cart_service();
    // This `script` of util-linux gives a command a terminal of its own.
    let mut command = std::process::Command::new("script");
    service.world.set_environment(&mut command);
    let report = concat!(env!("CARGO_BIN_EXE_goc-watchdog"), " report app --format html");
    command.args(["--quiet", "--return", "--command", report, "/dev/null"]);
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(output.trim_end().lines().last(), Some("the page is in app_2_report.html"));
    let page = std::fs::read(service.world.home().join("app_2_report.html")).unwrap();
    assert!(page == std::fs::read(service.page(&[])).unwrap());
}

#[test]
fn a_page_without_source_is_whole_but_not_kept() {
    let service = cart_service();
    std::fs::remove_dir_all(repository(&service.world)).unwrap();
    let output = service.world.run(&["report", "app", "-q", "--format", "html"]).assert_code(3);
    assert!(output.stdout.contains("No source was read"), "{}", output.stdout);
    assert_eq!(service.world.files("_report.html"), [] as [PathBuf; 0]);
}

pub(crate) const CART_FILE: &str = "#file=example.com/app/cart/cart.go";
const ESCAPE: (&str, u32) = ("Escape", 27);

#[test]
fn the_table_is_sorted_filtered_and_narrowed_and_its_address_says_how() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    assert_eq!(browser.text(".total .number"), "65.0%");
    let change = browser.text(".change");
    assert!(
        change.starts_with("+10.0 points since the data of 20") && change.ends_with(" UTC (55.0%)"),
        "{change}"
    );
    assert_eq!(browser.text(".trend figcaption"), "Last 2 totals, 55.0% to 65.0%");
    assert_eq!(browser.text(".missing summary"), "No source for 1 file (5 of 20 statements), still counted");
    let files = "#files .file a";
    assert_eq!(browser.texts(files), ["main.go", "cart.go", "up.go"]);
    browser.take_screenshot("table-light");
    browser.click("[data-sort=percent]");
    assert_eq!(
        browser.texts(files),
        ["main.go", "up.go", "cart.go"],
        "each folder's files, then its folders"
    );
    assert_eq!(browser.eval("location.hash"), "#sort=percent");
    browser.click("[data-sort=percent]");
    assert_eq!(browser.texts(files), ["main.go", "cart.go", "up.go"]);
    browser.press("u");
    assert_eq!(browser.texts(files), ["cart.go", "up.go"]);
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'filter'");
    browser.press("CART");
    assert_eq!(browser.texts(files), ["cart.go"]);
    assert_eq!(browser.text("#shown"), "1 of 3 files, 3 uncovered statements");
    assert_eq!(browser.eval("location.hash"), "#sort=-percent&filter=CART&uncovered=1");
    browser.press_named(ESCAPE.0, ESCAPE.1);
    assert_eq!(browser.eval("location.hash"), "#sort=-percent&uncovered=1");
    browser.assert_quiet();

    browser.open(&page, "#sort=-name&flat=1&filter=app/ma");
    assert_eq!(browser.texts(files), ["main.go", "made/up.go"]);
    assert_eq!(browser.texts("#files .package"), [] as [&str; 0]);
    browser.open(&page, "#sort=__proto__&filter=nothing%20at%20all&%%%");
    assert_eq!(browser.text("#nothing"), "No file to show.");
    browser.assert_quiet();
}

#[test]
fn keys_and_buttons_walk_through_the_missed_lines() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    browser.press("jjjj");
    assert_eq!(browser.eval("document.activeElement.textContent"), "cart.go");
    browser.click("#files a[href$='cart.go']");
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(browser.path(), "example.com/app/cart/cart.go");
    assert_eq!(browser.text("#file-percent"), "78.6%");
    assert_eq!(browser.text("#place"), "3 uncovered places");
    browser.press("n");
    assert_eq!(
        (browser.current_line(), browser.text("#place")),
        ("16".into(), "Place 1 of 3: line 16".into())
    );
    browser.press("nn");
    assert_eq!(
        (browser.current_line(), browser.text("#place")),
        ("26".into(), "Place 3 of 3: line 26".into())
    );
    assert_eq!(browser.eval("document.activeElement.id"), "L26");
    assert!(browser.eval("location.hash").as_str().unwrap().ends_with("cart.go&line=26"));
    browser.press("n");
    assert!(browser.text("#place").starts_with("No more below"), "and it stays there");
    browser.click("#previous");
    assert_eq!(browser.current_line(), "23");
    browser.click("#function-list li:nth-child(3) a");
    browser.wait_until("document.querySelector('.current').id === 'L35'");
    assert_eq!(browser.text("#function-list li:nth-child(2)").replace('\n', " "), "Cart.Checkout 75.0%");
    browser.press("]");
    browser.wait_until("document.body.dataset.shown?.endsWith('up.go')");
    assert!(browser.text("#message").starts_with("No source: not in the commit."));
    assert_eq!(
        browser.texts("#code .gap"),
        ["lines 3 to 9: uncovered", "lines 12 to 14: covered"],
        "what is known of it all the same"
    );
    browser.press_named(ESCAPE.0, ESCAPE.1);
    browser.wait_until("!document.getElementById('overview').hidden");
    assert_eq!(browser.eval("document.activeElement.textContent"), "up.go", "where one was");
    browser.press("?");
    assert_eq!(browser.text("#keys h2"), "Keys");
    let keys = browser.text("#keys");
    assert!(keys.contains("there, no filter by name\n"), "there is no owner or author: {keys}");
    browser.take_screenshot("keys");
    browser.press_named(ESCAPE.0, ESCAPE.1);
    assert_eq!(browser.eval("document.getElementById('keys').open"), false);
    browser.assert_quiet();
}

#[test]
fn a_line_shows_its_executed_columns_and_their_counts() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open_file(&page, &format!("{CART_FILE}&line=16"));
    assert_eq!(browser.current_line(), "16");
    assert_eq!(browser.texts("#L16 .on, #L16 .off"), ["if item.Price < 0", "{ item.Price = 0 }"]);
    assert_eq!(browser.eval("document.querySelector('#L16 .off').title"), "1 statement never executed");
    let marks =
        "[16, 17, 23, 24].map((n) => document.querySelector(`#L${n} .mark`).getAttribute('aria-label'))";
    let wanted = serde_json::json!(["partly covered", "covered", "uncovered", null]);
    assert_eq!(browser.eval(marks), wanted);
    assert_eq!(
        browser.texts("#L16 .count-of-line"),
        [] as [&str; 0],
        "counts are shown when they are asked for"
    );
    browser.press("c");
    assert_eq!(browser.texts("#L16 .count-of-line, #L22 .count-of-line"), ["2,500×", "3×"]);
    assert_eq!(
        browser.texts("#L6 .k, #L11 .s"),
        ["type", "struct", r#""nothing in the cart: \"add\" comes first""#]
    );
    assert_eq!(
        browser.texts("#L7 .c, #L13 .c, #L14 .c"),
        ["// in the order they came", "/* Add puts an item", "into the cart. */"]
    );
    browser.assert_quiet();

    // Columns are bytes, so blocks after characters outside of ASCII must be placed right, too.
    browser.open_file(&page, "#file=example.com/app/main.go");
    assert_eq!(browser.texts("#code .on"), ["{", "run(`größer", "als`, 0x2a)", "}"]);
    browser.press("]");
    browser.wait_until("document.body.dataset.shown?.endsWith('cart.go')");
    browser.open_file(&page, CART_FILE);
    for (name, width, scheme) in
        [("file-light", 1280, "light"), ("file-dark", 1280, "dark"), ("file-narrow", 390, "light")]
    {
        browser.resize(width, 844);
        browser.prefer_color_scheme(scheme);
        browser.take_screenshot(name);
        let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths[0], widths[1], "{name}: nothing sticks out");
    }
    let background = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.eval(background), "rgb(255, 255, 255)");
    browser.press("t");
    assert_eq!(browser.eval(background), "rgb(18, 22, 28)", "the switch is stronger than the system");
}

#[test]
fn totals_and_table_are_there_where_script_is_forbidden() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.call("Emulation.setScriptExecutionDisabled", &serde_json::json!({"value": true}));
    browser.open(&page, "");
    assert_eq!(browser.text(".total .number"), "65.0%");
    assert_eq!(browser.texts("#files .file a"), ["main.go", "cart.go", "up.go"]);
    assert_eq!(
        browser.texts("#tools, #theme, #help, #view, .tabs, #catalog-list"),
        [] as [&str; 0],
        "nothing that would not work"
    );
    browser.take_screenshot("table-without-script");
    browser.assert_quiet();
}

#[test]
fn nothing_from_outside_runs_or_breaks_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    let line = format!("package p\n\nvar x = \"{}\"\n\nfunc f() {{\n\tg()\n}}\n", "<b>&".repeat(5 << 18));
    let source = "package p\r\n\r\n// </script><script>alert(1)</script><!-- \u{202e}evil\u{feff}\r\nfunc f() {\r\n\tg(\"<img src=x onerror=alert(2)>\", '\\'', `]]>`)\r\n}\r\n";
    let files: [(&str, &[u8]); 5] = [
        ("go.mod", b"module example.com/app\n"),
        ("a.go", source.as_bytes()),
        ("long.go", line.as_bytes()),
        ("nul.go", b"package p\n\nfunc f() {\n\tg(\"a\0b\xff\")\n}\n"),
        ("moved.go", b"package p\n\n//line other.y:40\nfunc f() {\n\tg()\n}\n"),
    ];
    let name = "example.com/app/</script><img src=x onerror=alert(3)>&amp;\"'\u{202e}#file=%.go";
    let profile = format!(
        "example.com/app/a.go:4.10,6.2 1 1\nexample.com/app/long.go:5.10,7.2 1 0\n\
         example.com/app/moved.go:40.10,42.2 1 1\nexample.com/app/nul.go:3.10,5.2 1 4294967295\n\
         example.com/app/nul.go:4.3,2147483647.2147483647 1 0\nexample.com/app/{}.go:9.9,9.1 1 1\n{name}:1.1,2.2 1 0\n",
        "x".repeat(3000)
    );
    let service = Service::from_source(Source::from_files(&files), &profile);
    let page = service.page(&[]);
    browser.open(&page, "");
    assert_eq!(browser.text("#shown"), "6 of 6 files, 3 uncovered statements");
    assert_eq!(browser.eval("document.images.length"), 0);
    let hostile = "script><img src=x onerror=alert(3)>&amp;\"'\\u{202e}#file=%.go";
    assert_eq!(browser.texts("#files .file a")[5], hostile, "of a package whose name ends in <");
    browser.take_screenshot("hostile-table");
    browser.click("#files tbody:last-of-type .file a");
    browser.wait_until("document.body.dataset.shown");
    assert_eq!(browser.path(), format!("example.com/app/</{hostile}"));
    browser.assert_quiet();

    browser.open_file(&page, "#file=example.com/app/a.go");
    assert_eq!(browser.text("#L3 code"), "// </script><script>alert(1)</script><!-- U+202EevilU+FEFF");
    assert_eq!(browser.text("#L5 .on"), "g(\"<img src=x onerror=alert(2)>\", '\\'', `]]>`)");
    assert_eq!(browser.texts("#code .odd"), ["U+202E", "U+FEFF"]);
    browser.take_screenshot("hostile-file");
    browser.open_file(&page, "#file=example.com/app/nul.go");
    assert!(browser.text("#message").contains("does not parse"));
    assert_eq!(browser.text("#L4 code"), "g(\"aU+0000b\u{fffd}\")");
    browser.open_file(&page, "#file=example.com/app/moved.go");
    assert!(browser.text("#message").contains("//line"));
    browser.open_file(&page, "#file=example.com/app/long.go&line=6");
    assert_eq!(browser.current_line(), "6");
    assert_eq!(browser.eval("document.querySelector('#L3 code').textContent.length"), 2000);
    browser.click("#L3 button");
    assert_eq!(browser.eval("document.querySelector('#L3 code').textContent.length"), (5 << 20) + 10);
    browser.open(&page, "#file=%3Cimg%20src=x%20onerror=alert(4)%3E&line=x");
    assert_eq!(browser.text("#message"), "The page has no file \"<img src=x onerror=alert(4)>\".");
    browser.assert_quiet();
}

const FILE_WITHOUT_SOURCE: &str = "#file=example.com/app/made/up.go";

/// Lets the clone of the service have this URL as its remote.
pub(crate) fn set_origin(service: &Service, url: &str) {
    let clone = repository(&service.world);
    service.source.git(&["--git-dir", clone.to_str().unwrap(), "config", "remote.origin.url", url]);
}

#[test]
fn commit_and_base_lead_to_the_host_of_the_clone_without_its_secrets() {
    let mut source = cart_source();
    let base = source.commit.clone();
    std::fs::write(source.folder.path().join("main.go"), MAIN.replace("0x2a", "42")).unwrap();
    source.commit_all();
    let service = service_of(source);
    let page = |options: &[&str]| std::fs::read_to_string(service.page(options)).unwrap();
    assert!(!page(&[]).contains("_blank"), "the remote is a folder");

    set_origin(&service, "https://user:secret@github.com/o/r.git?token=secret");
    let with_base = page(&["--base", &base]);
    for commit in [&service.source.commit, &base] {
        let link = format!(
            "href=\"https://github.com/o/r/commit/{commit}\" target=\"_blank\" rel=\"noopener noreferrer\""
        );
        assert!(with_base.contains(&link), "{commit}");
    }
    assert!(!with_base.contains("secret"));

    service.world.configure("[apps.app]\nweb = 'https://code.example/r/-/blob/{commit}/{path}#L{line}'\n");
    let configured = page(&[]);
    let commit = &service.source.commit;
    assert!(configured.contains(&format!("href=\"https://code.example/r/-/commit/{commit}\"")));
    assert!(!configured.contains("github.com"), "the configuration is stronger than the remote");
}

#[test]
fn a_file_leads_to_its_line_at_the_host() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    set_origin(&service, "git@gitlab.com:g/r.git");
    let page = service.page(&[]);
    let root = format!("https://gitlab.com/g/r/-/blob/{}", service.source.commit);
    browser.open_file(&page, CART_FILE);
    assert_eq!(browser.text("#at-host"), "gitlab.com");
    assert_eq!(browser.eval("document.getElementById('at-host').href"), format!("{root}/cart/cart.go"));
    browser.press("n");
    assert_eq!(browser.eval("document.getElementById('at-host').href"), format!("{root}/cart/cart.go#L16"));
    browser.open_file(&page, "#file=example.com/app/made/up.go");
    assert_eq!(
        browser.eval("document.getElementById('at-host').hidden"),
        true,
        "the commit has no such file"
    );
    browser.assert_quiet();
}

#[test]
fn a_file_that_does_not_parse_leads_to_its_line_at_the_host_unlike_one_that_the_commit_lacks() {
    let Some(mut browser) = Browser::start() else { return };
    let files: [(&str, &[u8]); 2] =
        [("go.mod", b"module example.com/app\n"), ("p/odd.go", b"package p\n\nfunc f( {\n\tg()\n}\n")];
    let profile = "example.com/app/p/made.go:1.1,2.2 1 1\nexample.com/app/p/odd.go:3.9,5.2 1 0\n";
    let service = Service::from_source(Source::from_files(&files), profile);
    set_origin(&service, "git@gitlab.com:g/r.git");
    let page = service.page(&[]);
    browser.open_file(&page, "#file=example.com/app/p/odd.go&line=4");
    assert!(browser.text("#message").contains("does not parse"));
    let address = format!("https://gitlab.com/g/r/-/blob/{}/p/odd.go#L4", service.source.commit);
    assert_eq!(browser.eval("document.getElementById('at-host').href"), address);
    browser.open_file(&page, "#file=example.com/app/p/made.go");
    assert_eq!(browser.eval("document.getElementById('at-host').hidden"), true);
}

#[test]
fn the_address_of_what_is_shown_can_be_copied() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    browser.open_file(&service.page(&[]), &format!("{CART_FILE}&line=16"));
    browser.eval("document.addEventListener('copy', () => { window.copied = String(getSelection()) }), navigator.clipboard.writeText = (text) => { window.copied = text }, 0");
    browser.click("#copy");
    browser.wait_until("document.getElementById('copy').textContent === 'Copied'");
    assert_eq!(browser.eval("window.copied === location.href"), true);
    assert_eq!(browser.eval("document.activeElement.id"), "copy");
}

#[test]
fn axe_finds_no_violation_in_any_view() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    let mut found = Vec::new();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"), (320, "light")] {
        browser.resize(width, 844);
        browser.prefer_color_scheme(scheme);
        let views = [
            ("", ""),
            ("#flat=1&sort=-percent&filter=zzz", ""),
            (CART_FILE, ""),
            (CART_FILE, "nc"),
            (FILE_WITHOUT_SOURCE, ""),
            ("#file=other.go", ""),
            ("", "?"),
        ];
        for (fragment, keys) in views {
            browser.open(&page, fragment);
            if fragment.contains("example.com") {
                browser.wait_until("document.body.dataset.shown");
            }
            browser.press(keys);
            let Some(faults) = browser.accessibility_violations() else { return };
            let view = format!("{fragment} {keys} at {width}, {scheme}");
            found.extend(faults.into_iter().map(|fault| format!("{view}: {fault}")));
            browser.assert_quiet();
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn screen_readers_get_each_line_with_its_state() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open_file(&page, CART_FILE);
    browser.press("n");
    assert_eq!(
        browser.accessible_text_of_focus(),
        r#"group "Line 16, partly covered: if item.Price < 0 { item.Price = 0 }""#
    );
    browser.press("n");
    assert_eq!(browser.accessible_text_of_focus(), r#"group "Line 23, uncovered: return errEmpty""#);
    let heard = browser.accessible_texts("document.getElementById('L17')");
    assert!(heard.iter().any(|part| part == r#"image "covered""#), "{heard:?}");
    browser.press_named(ESCAPE.0, ESCAPE.1);
    browser.wait_until("!document.getElementById('overview').hidden");
    assert_eq!(browser.accessible_text_of_focus(), r#"link "cart.go""#);
}

#[test]
fn on_paper_a_page_is_light_and_whole_whatever_the_screen_shows() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.prefer_color_scheme("dark");
    browser.open_file(&page, CART_FILE);
    browser.resize(700, 900);
    browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"media": "print"}));
    assert_eq!(browser.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    assert_eq!(browser.texts("button, .bar-of-file .path a"), [] as [&str; 0], "nothing to click");
    assert_eq!(browser.path(), "example.com/app/cart/cart.go");
    assert_eq!(browser.eval("document.querySelectorAll('.line').length"), 38);
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), true);
    browser.take_screenshot("file-on-paper");
}

/// Views of a page: the fragment of the URL, and the keys to press there.
const VIEWS: [(&str, &str); 6] = [
    ("", ""),
    ("#flat=1&sort=-percent&filter=nothing", ""),
    (CART_FILE, "nc"),
    (FILE_WITHOUT_SOURCE, ""),
    ("#file=unknown.go", ""),
    ("", "?"),
];

/// Opens a view and waits until it is shown.
fn open_view(browser: &mut Browser, page: &std::path::Path, (fragment, keys): (&str, &str)) {
    browser.open(page, fragment);
    browser.wait_until(
        "document.body.dataset.shown || !document.querySelector('#message').hidden || !location.hash.includes('file=')",
    );
    browser.press(keys);
}

#[test]
fn the_tab_key_reaches_everything_in_the_order_of_the_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    let walk = |browser: &mut Browser, last: &str| {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|heard| heard != last) {
            assert!(heard.len() < 30, "never at {last}: {heard:#?}");
            browser.press_named("Tab", 9);
            heard.push(browser.accessible_text_of_focus());
        }
        heard
    };
    let link = format!("link \"{}\"", service.source.service_name());
    let [jump, search, copy] = ["button \"Jump\"", "button \"Search\"", "button \"Copy link\""];
    let [theme, keys] = ["button \"Theme: system\"", "button \"Keys\""];
    browser.open(&page, "");
    let table = [
        &*link,
        jump,
        search,
        copy,
        theme,
        keys,
        "DisclosureTriangle \"No source for 1 file (5 of 20 statements), still counted\"",
        "link \"Files 3\"",
        "link \"Functions 4\"",
        "DisclosureTriangle \"Map area is statements, colour is coverage\"",
        "searchbox \"Filter by name\"",
        "checkbox \"Uncovered only\"",
        "checkbox \"Without folders\"",
        "button \"Fold all\"",
        "button \"Folder, file\"",
        "button \"Coverage\"",
        "button \"Covered\"",
        "button \"Uncovered\"",
        "button \"Statements\"",
        "button \"Files of example.com/app\"",
        "link \"main.go\"",
        "button \"Files of example.com/app/cart\"",
        "link \"cart.go\"",
        "button \"Files of example.com/app/made\"",
        "link \"up.go\"",
    ];
    assert_eq!(walk(&mut browser, "link \"up.go\""), table);
    browser.open_file(&page, CART_FILE);
    let code = "group \"example.com/app/cart/cart.go\"";
    let file = [
        "button \"Previous\"",
        "button \"Next uncovered\"",
        "DisclosureTriangle \"Functions 3\"",
        "link \"Cart.Add 75.0%\"",
        "link \"Cart.Checkout 75.0%\"",
        "link \"Cart.Clear 100.0%\"",
        "button \"9 covered\"",
        "button \"1 partly\"",
        "button \"2 uncovered\"",
        "button \"Counts\"",
        code,
    ];
    assert_eq!(walk(&mut browser, code), file, "from the heading that has the focus");
    browser.open(&page, "#file=unknown.go");
    browser.wait_until("!document.querySelector('#message').hidden");
    assert_eq!(
        walk(&mut browser, "link \"All files\""),
        [&*link, jump, search, copy, theme, keys, "link \"All files\""]
    );
}

#[test]
fn keys_can_be_switched_off_for_voice_control() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.open(&page, "");
    browser.press("?");
    browser.click("#keys-on");
    browser.press_named(ESCAPE.0, ESCAPE.1);
    browser.press("u");
    assert_eq!(browser.eval("location.hash"), "");
    browser.press("?");
    assert_eq!(browser.eval("document.querySelector('#keys').open"), false);
    browser.open_file(&page, CART_FILE);
    browser.press("n");
    assert_eq!(browser.texts(".line.current"), [] as [&str; 0], "the choice is kept");
    browser.press_named(ESCAPE.0, ESCAPE.1);
    browser.wait_until("!document.querySelector('#overview').hidden");
    browser.assert_quiet();
}

/// Pixels by which the page, or anything seen in it, sticks out on the right; code scrolls by itself.
const OVERFLOW_PIXELS: &str = "Math.max(document.documentElement.scrollWidth - innerWidth,
    ...[...document.body.querySelectorAll(':not(.code *)')].filter((e) => e.checkVisibility() && !e.closest('.unseen'))
        .map((e) => Math.ceil(e.getBoundingClientRect().right - innerWidth)))";

#[test]
fn a_phone_shows_everything_with_touch_targets_that_are_large_enough() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    browser.call("Emulation.setTouchEmulationEnabled", &serde_json::json!({"enabled": true}));
    for width in [390, 320] {
        browser.resize(width, 700);
        for (at, view) in VIEWS.into_iter().enumerate() {
            open_view(&mut browser, &page, view);
            browser.take_screenshot(&format!("phone-{width}-{at}"));
            assert_eq!(browser.eval(OVERFLOW_PIXELS), 0, "{view:?}, {width} wide");
            // A label is part of the element that it labels.
            let small = "[...document.querySelectorAll('a[href], button, input, summary')]
                .filter((e) => e.checkVisibility()).map((e) => [e, (e.closest('label') ?? e).getBoundingClientRect()])
                .filter(([, { width, height }]) => width < 24 || height < 24).map(([e]) => e.outerHTML)";
            assert_eq!(browser.eval(small), serde_json::json!([]), "{view:?}, {width} wide");
        }
        open_view(&mut browser, &page, VIEWS[2]);
        browser.eval("scrollTo(0, document.documentElement.scrollHeight)");
        browser.take_screenshot(&format!("phone-{width}-end"));
        let edges = browser.eval(
            "[document.querySelector('#code .line:last-child').getBoundingClientRect().bottom,
              document.querySelector('#next').parentElement.getBoundingClientRect().top]",
        );
        assert!(edges[0].as_f64() < edges[1].as_f64(), "the last of it is above the buttons: {edges}");
    }
    browser.assert_quiet();
}

#[test]
fn states_are_told_apart_where_the_system_forces_its_colours() {
    let Some(mut browser) = Browser::start() else { return };
    let service = cart_service();
    let page = service.page(&[]);
    let features = serde_json::json!({"features": [{"name": "forced-colors", "value": "active"}]});
    browser.call("Emulation.setEmulatedMedia", &features);
    open_view(&mut browser, &page, VIEWS[0]);
    browser.take_screenshot("forced-table");
    open_view(&mut browser, &page, VIEWS[2]);
    browser.take_screenshot("forced-file");
    let style = |browser: &mut Browser, selector: &str, name: &str| {
        browser.eval(&format!("getComputedStyle(document.querySelector('{selector}')).{name}"))
    };
    assert_eq!(style(&mut browser, "#L17 .on", "textDecorationStyle"), "dotted");
    assert_eq!(style(&mut browser, "#L23 .off", "textDecorationStyle"), "solid");
    assert_eq!(style(&mut browser, "#L16", "outlineStyle"), "solid", "the current line");
    assert_eq!(style(&mut browser, "#L17", "outlineStyle"), "none");
    let counts = style(&mut browser, "#counts", "backgroundColor");
    assert_ne!(counts, style(&mut browser, "#next", "backgroundColor"), "it is on");
    browser.assert_quiet();
}
