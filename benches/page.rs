//! Measures how long a browser takes to show a page of `report --format html`: `cargo bench --bench page -- PAGE`. See
//! README.md here.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a bench starts programs")]

#[path = "../tests/harness/browser.rs"]
#[expect(dead_code, reason = "tests do more with it")]
mod browser;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use browser::Browser;
use serde_json::json;

const ROUNDS: usize = 7;
/// Number of files that are opened from all over the table, besides those with the most statements.
const SAMPLED: usize = 45;
const LARGEST: usize = 5;

/// Script that remembers when the table was on the screen and could be sorted, in milliseconds since the navigation.
const WATCH: &str = "
    const look = () => {
        const tools = document.getElementById('tools');
        if (tools === null || tools.hidden) requestAnimationFrame(look);
        // Elements drawn in this frame are on the screen at the next one.
        else requestAnimationFrame(() => requestAnimationFrame((now) => { window.treeShown = now; }));
    };
    requestAnimationFrame(look);";

/// Script that opens a file and returns the milliseconds until it is on the screen.
const OPEN: &str = "(async (name) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    location.hash = '';
    while (document.getElementById('overview').hidden) await frame();
    // Chromium drops changes of the address beyond 200 in ten seconds, of which each file needs several.
    await new Promise((done) => setTimeout(done, 300));
    const since = performance.now();
    location.hash = '#file=' + encodeURIComponent(name);
    while (document.body.dataset.shown !== name) await frame();
    await frame();
    return performance.now() - since;
})";

/// Letters that are typed into the jump: of a file, the begins of a function's parts, several words, and none that fit.
const TYPED: [&str; 5] = ["kubelet.go", "nks", "pkg kubelet sync", "e", "zzzzz"];
/// Text that no source has, so that all of it is searched.
const NOWHERE: &str = "no source has this text";

/// Script that opens the jump and returns the milliseconds until the functions of all files are read.
const READ: &str = "(async () => {
    const since = performance.now();
    document.getElementById('open-jump').click();
    const state = document.getElementById('jump-state');
    while (state.value !== '') await new Promise((done) => setTimeout(done, 5));
    return performance.now() - since;
})()";

/// Script that types a text into the jump and returns the milliseconds until the list of each letter is on the screen.
const TYPE: &str = "(async (text) => {
    const field = document.getElementById('jump-to');
    const times = [];
    for (let length = 1; length <= text.length; length += 1) {
        const since = performance.now();
        field.value = text.slice(0, length);
        field.dispatchEvent(new Event('input'));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
        times.push(performance.now() - since);
    }
    return times;
})";

/// Texts that are typed into the filter of the table: of one file, of many, of all, and of none.
const FILTERED: [&str; 4] = ["kubelet.go", "api", ".go", "zzzzz"];

/// Script that types a text into the filter and returns the milliseconds until what it leaves is on the screen.
const FILTER: &str = "(async (text) => {
    const field = document.getElementById('filter');
    const since = performance.now();
    field.value = text;
    field.dispatchEvent(new Event('input'));
    const tick = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    while (new URLSearchParams(location.hash.slice(1)).get('filter') !== (text || null)) await tick();
    await tick();
    return performance.now() - since;
})";

/// Script that searches a text that no source has, and returns the milliseconds until all is searched.
const SEARCH: &str = "(async (text) => {
    const since = performance.now();
    location.hash = '#search=' + encodeURIComponent(text);
    const state = document.getElementById('search-state');
    const tick = () => new Promise((done) => setTimeout(done, 5));
    while (!state.value.startsWith('No line')) await tick();
    const took = performance.now() - since;
    document.getElementById('search').close();
    while (location.hash.startsWith('#search=')) await tick();
    state.value = '';
    return took;
})";

fn main() {
    let page = std::env::args().skip(1).find(|argument| argument != "--bench");
    let page = PathBuf::from(page.expect("which page?")).canonicalize().unwrap();
    let mut browser = Browser::start().expect("chromium");
    browser.call("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH}));

    let (mut trees, mut loads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        browser.open(&page, "");
        browser.wait_until("window.treeShown");
        trees.push(browser.eval("window.treeShown").as_f64().unwrap());
        let load = "performance.getEntriesByType('navigation')[0].domContentLoadedEventStart";
        loads.push(browser.eval(load).as_f64().unwrap());
    }
    let (median, worst) = median_and_worst(&mut trees);
    println!("tree shown             median {median:6.0} ms  worst {worst:6.0} ms, of {ROUNDS} times");
    let (median, worst) = median_and_worst(&mut loads);
    println!("all of the page there  median {median:6.0} ms  worst {worst:6.0} ms");

    let mut times = Vec::new();
    for name in files_to_open(&mut browser) {
        let time = browser.eval(&format!("{OPEN}({})", json!(name))).as_f64().unwrap();
        times.push((time, name));
    }
    let (median, worst) = median_and_worst(&mut times.iter().map(|(time, _)| *time).collect::<Vec<_>>());
    println!("file shown             median {median:6.0} ms  worst {worst:6.0} ms, of {} files", times.len());
    times.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (time, name) in times.iter().take(3) {
        println!("  {time:6.0} ms  {name}");
    }
    measure_finding(&mut browser, &page);
}

/// Measures the filter of the table, the jump to files and functions, and the search in all source.
fn measure_finding(browser: &mut Browser, page: &Path) {
    browser.open(page, "");
    browser.wait_until("window.treeShown");
    let mut filters = Vec::new();
    for text in FILTERED {
        filters.push(browser.eval(&format!("{FILTER}({})", json!(text))).as_f64().unwrap());
        browser.eval(&format!("{FILTER}('')"));
    }
    let (median, worst) = median_and_worst(&mut filters);
    println!(
        "filtered               median {median:6.0} ms  worst {worst:6.0} ms, of {} texts",
        filters.len()
    );
    println!("functions read                          {:6.0} ms", browser.eval(READ).as_f64().unwrap());
    let mut letters: Vec<f64> = TYPED
        .iter()
        .flat_map(|text| {
            let times = browser.eval(&format!("{TYPE}({})", json!(text)));
            serde_json::from_value::<Vec<f64>>(times).unwrap()
        })
        .collect();
    let (median, worst) = median_and_worst(&mut letters);
    println!(
        "letter of a jump       median {median:6.0} ms  worst {worst:6.0} ms, of {} letters",
        letters.len()
    );
    browser.eval("document.getElementById('jump').close()");
    let mut searches: Vec<f64> = (0..ROUNDS)
        .map(|_| browser.eval(&format!("{SEARCH}({})", json!(NOWHERE))).as_f64().unwrap())
        .collect();
    let (median, worst) = median_and_worst(&mut searches);
    println!("all source searched    median {median:6.0} ms  worst {worst:6.0} ms, of {ROUNDS} times");
}

/// Returns the names of the files to open.
fn files_to_open(browser: &mut Browser) -> Vec<String> {
    let index = browser.eval("JSON.parse(document.getElementById('index').textContent)");
    let packages = index.as_array().unwrap();
    let mut files: Vec<(u64, String)> = packages
        .iter()
        .flat_map(|package| package[2].as_array().unwrap().iter().map(move |file| (&package[1], file)))
        .map(|(package, file)| {
            let name = [package, &file[0]].map(|part| part.as_str().unwrap()).join("/");
            (file[2].as_u64().unwrap(), name.trim_start_matches('/').to_owned())
        })
        .collect();
    let step = files.len().div_ceil(SAMPLED).max(1);
    let mut chosen: Vec<String> = files.iter().step_by(step).map(|(_, name)| name.clone()).collect();
    files.sort_by_key(|(statements, _)| std::cmp::Reverse(*statements));
    chosen.extend(files.into_iter().take(LARGEST).map(|(_, name)| name));
    chosen
}

fn median_and_worst(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() - 1])
}

/// Stands for the function of the harness that the module of the browser calls.
fn has_program(command: &[&str]) -> bool {
    let mut asked = Command::new(command[0]);
    asked.args(&command[1..]).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn has_file(path: &Path) -> bool {
    path.is_file()
}
