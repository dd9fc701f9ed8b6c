//! The site of `report --all --format site`, shown by a browser.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::browser::Browser;
use crate::harness::service::Service;
use crate::harness::source::{Source, repository};
use crate::harness::{Output, World};
use crate::sim::{Agent, Program};

const MASTER: &str = "staging_th_shop_master_845820727e";
const NEXT: &str = "staging_th_shop_master_0a1b2c3d4e";
const FIX: &str = "staging_th_shop_fix_77aa88bb99";
const LIVE: &str = "prod_sg_shop_master_845820727e";
const CART: &str = "staging_th_cart_main_1234567890";

/// Returns a profile of ten statements, the first `covered` of which were executed.
pub(crate) fn profile(covered: u64) -> String {
    let line =
        |line: u64| format!("example.com/shop/a.go:{line}.1,{line}.9 1 {}", u64::from(line <= covered));
    (1..=10).map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn site_folder(world: &World) -> PathBuf {
    world.home().join("site")
}

pub(crate) fn write_site(world: &World) -> Output {
    world.run(&["report", "--all", "--format", "site", "-o", site_folder(world).to_str().unwrap()])
}

/// Returns every file below a folder by its path, with its size and time.
fn files_with_times(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = folder.is_dir().then(|| folder.to_owned()).into_iter().collect();
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let about = path.metadata().unwrap();
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, (about.len(), about.modified().unwrap()));
            }
        }
    }
    found
}

/// Returns the files that are for readers.
fn public_files(world: &World) -> BTreeSet<String> {
    files_with_times(&site_folder(world)).into_keys().filter(|name| !name.starts_with('.')).collect()
}

pub(crate) fn read_page(world: &World, name: &str) -> String {
    fs::read_to_string(site_folder(world).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn read_json(world: &World, name: &str) -> Value {
    serde_json::from_str(&read_page(world, name)).unwrap()
}

/// Returns the files that were written or removed between two listings.
fn changed_files(
    before: &BTreeMap<String, (u64, SystemTime)>,
    after: &BTreeMap<String, (u64, SystemTime)>,
) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let is_other = |name: &&&String| before.get(**name) != after.get(**name) && !name.starts_with('.');
    names.iter().filter(is_other).map(|name| (*name).clone()).collect()
}

/// Returns a text on one line, as a browser shows it.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two apps, one of them in two environments, with branches, a history, and processes that are gone.
struct TwoApps {
    world: World,
    fix: Agent,
    cart: Agent,
    others: Vec<Agent>,
}

impl TwoApps {
    fn new() -> Self {
        let world = World::new();
        let first = world.start_counted(MASTER, &profile(4));
        let live = world.start_counted(LIVE, &profile(9));
        let fix = world.start_counted(FIX, &profile(5));
        let cart = world.start_counted(CART, &profile(7));
        world.pull(0);
        for gone in [&first, &live] {
            gone.kill();
        }
        world.center.remove(&first.url());
        let master = world.start_counted(NEXT, &profile(6));
        world.pull(3);
        Self { world, fix, cart, others: vec![first, live, master] }
    }
}

#[test]
fn all_stored_data_has_a_path_that_stays() {
    let apps = TwoApps::new();
    let output = write_site(&apps.world).assert_code(0);
    assert_eq!((&*output.stdout, &*output.stderr), ("", ""), "nothing to say where nobody watches");
    let wanted = [
        "cart/index.html",
        "cart/staging/th/badge.svg",
        "cart/staging/th/history.json",
        "cart/staging/th/latest.json",
        "cart/staging/th/main/badge.svg",
        "cart/staging/th/main/latest.json",
        "cart/staging/th/main/report.html",
        "index.html",
        "index.json",
        "shop/index.html",
        "shop/prod/sg/badge.svg",
        "shop/prod/sg/history.json",
        "shop/prod/sg/latest.json",
        "shop/prod/sg/master/badge.svg",
        "shop/prod/sg/master/latest.json",
        "shop/prod/sg/master/report.html",
        "shop/staging/th/badge.svg",
        "shop/staging/th/fix/badge.svg",
        "shop/staging/th/fix/latest.json",
        "shop/staging/th/fix/report.html",
        "shop/staging/th/history.json",
        "shop/staging/th/latest.json",
        "shop/staging/th/master/845820727e/report.html",
        "shop/staging/th/master/badge.svg",
        "shop/staging/th/master/latest.json",
        "shop/staging/th/master/report.html",
    ];
    assert_eq!(
        public_files(&apps.world),
        wanted.map(str::to_owned).into(),
        "of each branch its newest commit and those before"
    );
    let master = read_json(&apps.world, "shop/staging/th/master/latest.json");
    assert_eq!(
        (&master["service"], &master["percent"], &master["state"]),
        (&json!(NEXT), &json!(60.0), &json!("ok"))
    );
    assert_eq!(
        read_json(&apps.world, "shop/staging/th/latest.json"),
        master,
        "what runs, and the trunk of that"
    );
    assert!(read_page(&apps.world, "shop/staging/th/fix/badge.svg").contains("50.0%"));
}

#[test]
fn a_commit_beside_the_newest_has_a_report_and_keeps_it_when_it_stops() {
    let world = World::new();
    let earlier = world.start_counted(MASTER, &profile(4));
    world.pull(0);
    let _newest = world.start_counted(NEXT, &profile(6));
    world.pull(0);
    write_site(&world).assert_code(0);
    let (newest, of_earlier) =
        ("shop/staging/th/master/report.html", "shop/staging/th/master/845820727e/report.html");
    assert!(read_page(&world, newest).contains(NEXT) && read_page(&world, of_earlier).contains(MASTER));
    let index = read_json(&world, "index.json");
    let report = |name: &str| {
        let mut services = index["services"].as_array().unwrap().iter();
        services.find(|service| service["service"] == name).unwrap()["report"].clone()
    };
    assert_eq!((report(NEXT), report(MASTER)), (json!(newest), json!(of_earlier)));
    for page in ["index.html", "shop/index.html"] {
        assert!(read_page(&world, page).contains(&format!("{of_earlier}\"")), "{page} links to it");
    }

    let times = || files_with_times(&site_folder(&world)).remove(of_earlier);
    let written = times();
    world.center.remove(&earlier.url());
    world.run(&["pull", "--force"]).assert_code(0);
    write_site(&world).assert_code(0);
    assert_eq!(times(), written, "nothing in it changed");
    assert!(!read_page(&world, "index.html").contains(of_earlier), "the index has what runs");
    assert!(read_page(&world, "shop/index.html").contains(&format!("{of_earlier}\"")));
}

#[test]
fn the_newest_earlier_commits_of_a_branch_have_reports_which_are_written_once() {
    let world = World::new();
    let name = |at: usize| format!("staging_th_shop_master_{at:010x}");
    let earlier: Vec<Agent> = (0..22).map(|at| world.start_counted(&name(at), &profile(4))).collect();
    world.pull(0);
    write_site(&world).assert_code(0);
    for agent in &earlier {
        world.center.remove(&agent.url());
    }
    let newest = world.start_counted(&name(22), &profile(6));
    world.pull(0);
    write_site(&world).assert_code(0);
    let reports = || -> BTreeMap<String, (u64, SystemTime)> {
        let files = files_with_times(&site_folder(&world)).into_iter();
        files.filter(|(path, _)| path.ends_with("/report.html")).collect()
    };
    let before = reports();
    assert_eq!(before.len(), 21, "that of the branch and 20 others");

    world.center.remove(&newest.url());
    let _next = world.start_counted(&name(23), &profile(7));
    world.pull(0);
    write_site(&world).assert_code(0);
    let after = reports();
    assert_eq!(after.len(), 21);
    let paths: Vec<String> = changed_files(&before, &after);
    let [gone, became_earlier, of_branch] = &paths[..] else { panic!("{paths:?}") };
    assert!(before.contains_key(gone) && !after.contains_key(gone), "the oldest one made room: {paths:?}");
    let of_former = format!("shop/staging/th/master/{:010x}/report.html", 22);
    assert_eq!((became_earlier, &**of_branch), (&of_former, "shop/staging/th/master/report.html"));
    assert!(read_page(&world, became_earlier).contains(&name(22)));
}

#[test]
fn the_source_of_an_earlier_commit_is_not_fetched_and_is_no_reason_to_fail() {
    let source = Source::from_files(&[
        ("go.mod", b"module example.com/shop\n"),
        ("a.go", b"package shop\n\nfunc Buy() {\n\tpay()\n}\n"),
    ]);
    let world = World::new();
    source.clone_into(&world, &["--bare"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://{address}/app.git\"\n"
    ));
    let profile = "example.com/shop/a.go:3.12,5.2 1 3\n";
    let unknown = world.start_counted("staging_th_app_master_77aa88bb99", profile);
    world.pull(0);
    world.center.remove(&unknown.url());
    let _newest = world.start_counted(&source.service_name(), profile);
    world.pull(0);
    write_site(&world).assert_code(0);
    let of_unknown = "app/staging/th/master/77aa88bb99/report.html";
    assert!(read_page(&world, of_unknown).contains("No source was read"));
    assert!(!read_page(&world, REPORT).contains("No source was read"));
    assert!(listener.accept().is_err());
    let files = || files_with_times(&site_folder(&world));
    let before = files();
    write_site(&world).assert_code(0);
    assert_eq!(files(), before, "it is looked for once an hour");
}

#[test]
fn a_new_commit_without_data_takes_nothing_from_its_branch() {
    let world = World::new();
    let earlier = world.start_counted(MASTER, &profile(4));
    world.pull(0);
    write_site(&world).assert_code(0);
    let before = files_with_times(&site_folder(&world));
    world.start_counted(NEXT, &profile(6)).kill();
    world.center.remove(&earlier.url());
    world.run(&["pull", "--force"]).assert_code(3);
    write_site(&world).assert_code(0);
    let rewritten = ["index.html", "index.json", "shop/index.html"]
        .map(str::to_owned)
        .into_iter()
        .collect::<BTreeSet<_>>();
    let latest = ["shop/staging/th/latest.json", "shop/staging/th/master/latest.json"].map(str::to_owned);
    assert_eq!(
        changed_files(&before, &files_with_times(&site_folder(&world))),
        rewritten.into_iter().chain(latest).collect::<Vec<_>>(),
        "badge and report are those of what is stored"
    );
    let latest = read_json(&world, "shop/staging/th/master/latest.json");
    assert_eq!(
        (&latest["service"], &latest["percent"], &latest["report"]),
        (&json!(MASTER), &json!(40.0), &json!("shop/staging/th/master/report.html"))
    );
    let index = read_page(&world, "index.html");
    assert!(index.contains("0a1b2c3d4e") && index.contains("href=\"shop/staging/th/master/report.html\""));
}

#[test]
fn a_commit_under_two_branches_has_a_report_under_each_of_its_names() {
    let release = "staging_th_shop_release_845820727e";
    let world = World::new();
    let _agents = [MASTER, release].map(|name| world.start_counted(name, &profile(4)));
    world.pull(0);
    write_site(&world).assert_code(0);
    for (branch, own, other) in [("master", MASTER, release), ("release", release, MASTER)] {
        let page = read_page(&world, &format!("shop/staging/th/{branch}/report.html"));
        assert!(page.contains(own) && !page.contains(other), "{branch}");
        assert!(page.contains(&format!("<li><bdi>{branch}</bdi> <code")), "{branch}");
    }
}

#[test]
fn names_that_are_shown_alike_are_one() {
    let other = "staging_th_shop_feat/master_845820727e";
    let world = World::new();
    let agents = [MASTER, other].map(|name| world.start_counted(name, &profile(4)));
    world.pull(0);
    agents[0].kill();
    world.run(&["pull", "--force"]).assert_code(3);
    write_site(&world).assert_code(0);
    let services = read_json(&world, "index.json")["services"].clone();
    assert_eq!(services.as_array().unwrap().len(), 1);
    let service = &services[0];
    assert_eq!((&service["service"], &service["also"]), (&json!(other), &json!([MASTER])));
    assert_eq!(
        (&service["up"], &service["listed"], &service["concern"]),
        (&json!(1), &json!(2), &json!("failing"))
    );
    let index = read_page(&world, "index.html");
    assert!(index.contains(other) && index.contains(MASTER), "the search finds both");
}

#[test]
fn scripts_find_every_service_with_its_figures_and_paths() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let index = read_json(&apps.world, "index.json");
    let services = index["services"].as_array().unwrap();
    let service = |name: &str| services.iter().find(|service| service["service"] == name).unwrap().clone();
    assert_eq!((index["schema"].clone(), services.len()), (json!(1), 5));
    let mut live = service(LIVE);
    let errors = live["errors"].take();
    assert!(errors[0].as_str().unwrap().starts_with("http://127."), "{errors}");
    for time in ["stored_at", "last_pull"] {
        assert!(live[time].take().as_str().unwrap().ends_with('Z'));
    }
    let wanted = json!({
        "service": LIVE, "also": [], "agents": ["goc"], "env": "prod", "region": "sg", "app": "shop", "branch": "master",
        "commit": "845820727e", "state": "unreachable", "concern": "failing", "errors": null,
        "up": 0, "listed": 1, "percent": 90.0, "covered": 9, "total": 10,
        "replicas": {"answered": 0, "known": 1}, "id": 1, "stored_at": null, "change_7d": null, "diff": null, "last_pull": null,
        "last_seen": null, "page": "shop/index.html#prod/sg", "report": "shop/prod/sg/master/report.html",
        "source": "none", "badge": "shop/prod/sg/master/badge.svg",
        "latest": "shop/prod/sg/master/latest.json", "history": "shop/prod/sg/history.json",
    });
    let id = live["id"].clone();
    assert_eq!(
        {
            live["id"] = json!(1);
            live
        },
        wanted
    );
    assert!(id.as_i64().unwrap() > 0);
    let former = service(MASTER);
    assert_eq!(
        (&former["state"], &former["report"], &former["percent"]),
        (&json!("offline"), &json!("shop/staging/th/master/845820727e/report.html"), &json!(40.0)),
        "an earlier commit has a report, too"
    );
    let history = read_json(&apps.world, "shop/staging/th/history.json");
    let rows: BTreeSet<(String, u64)> = history["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["commit"].as_str().unwrap().to_owned(), row["covered"].as_u64().unwrap()))
        .collect();
    let commits = [("845820727e", 4), ("77aa88bb99", 5), ("0a1b2c3d4e", 6)];
    assert_eq!(rows, commits.map(|(commit, covered)| (commit.to_owned(), covered)).into());
}

#[test]
fn only_changed_files_are_written_again() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let first = files_with_times(&site_folder(&apps.world));
    write_site(&apps.world).assert_code(0);
    let second = files_with_times(&site_folder(&apps.world));
    assert_eq!(first, second, "not even what only we read");

    apps.cart.hit(&[8], 1);
    apps.world.run(&["pull", "cart"]).assert_code(0);
    write_site(&apps.world).assert_code(0);
    let third = files_with_times(&site_folder(&apps.world));
    let of_cart = [
        "cart/index.html",
        "cart/staging/th/badge.svg",
        "cart/staging/th/history.json",
        "cart/staging/th/latest.json",
        "cart/staging/th/main/badge.svg",
        "cart/staging/th/main/latest.json",
        "cart/staging/th/main/report.html",
        "index.html",
        "index.json",
    ];
    assert_eq!(changed_files(&second, &third), of_cart);

    // A pull that finds the same data updates the age, also in the report, and the end of the chart.
    apps.world.run(&["pull", "fix"]).assert_code(0);
    write_site(&apps.world).assert_code(0);
    let of_fix = [
        "index.html",
        "index.json",
        "shop/index.html",
        "shop/staging/th/fix/latest.json",
        "shop/staging/th/fix/report.html",
    ];
    assert_eq!(changed_files(&third, &files_with_times(&site_folder(&apps.world))), of_fix);
    drop((apps.fix, apps.others));
}

#[test]
fn files_that_somebody_cut_or_removed_are_written_again() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let whole = files_with_times(&site_folder(&apps.world));
    let report = "shop/staging/th/fix/report.html";
    let text = read_page(&apps.world, report);
    fs::write(site_folder(&apps.world).join(report), &text[..100]).unwrap();
    fs::remove_file(site_folder(&apps.world).join("index.json")).unwrap();
    fs::remove_dir_all(site_folder(&apps.world).join("cart")).unwrap();
    write_site(&apps.world).assert_code(0);
    let sizes = |files: &BTreeMap<String, (u64, SystemTime)>| -> Vec<(String, u64)> {
        files
            .iter()
            .filter(|(name, _)| !name.starts_with('.'))
            .map(|(name, (size, _))| (name.clone(), *size))
            .collect()
    };
    assert_eq!(sizes(&files_with_times(&site_folder(&apps.world))), sizes(&whole));
}

#[test]
fn failing_and_stale_services_stand_on_top() {
    let (world, agents) = World::with_echo(2);
    let _fine = world.start_counted(CART, &profile(7));
    world.pull(0);
    world.let_days_pass(1);
    let late = "staging_th_late_main_fedcba9876";
    let _late = world.start_counted(late, &profile(2));
    agents[0].kill();
    world.run(&["pull", "echoserver", "late"]).assert_code(3);
    let _other = world.start(late, &Program::from_profile("example.com/shop/a.go:1.1,9.9 3\n"));
    world.run(&["pull", "late"]).assert_code(3);
    write_site(&world).assert_code(0);
    let page = read_page(&world, "index.html");
    let (_, rest) = page.split_once("Needs attention").unwrap();
    let attention = rest.split_once("</section>").unwrap().0;
    let states: Vec<&str> = attention
        .split("class=\"state ")
        .skip(1)
        .map(|part| part.split_once('<').unwrap().0.split_once("\">").unwrap())
        .map(
            |(concern, text)| {
                if concern == "partial" || concern == "stale" { text } else { "not of interest" }
            },
        )
        .collect();
    assert_eq!(
        states,
        ["partial", "overdue", "other build"],
        "a day without a pull is more than twice four hours"
    );
    let states: BTreeMap<String, String> = read_json(&world, "index.json")["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| (service["app"].as_str().unwrap().into(), service["state"].as_str().unwrap().into()))
        .collect();
    let wanted = [("apa_goc_echoserver", "partial"), ("cart", "overdue"), ("late", "other_build")];
    assert_eq!(states, wanted.map(|(app, state)| (app.to_owned(), state.to_owned())).into());
    let value = |row: &str, name: &str| {
        row.split_once(&format!("data-{name}=\"")).unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    let rows = page.split("<tr class=\"row\"").skip(1);
    let ranks: BTreeSet<(String, String)> =
        rows.map(|row| (value(row, "state"), value(row, "rank"))).collect();
    let wanted = [("other_build", "2"), ("overdue", "2"), ("partial", "1")];
    assert_eq!(ranks, wanted.map(|(state, rank)| (state.to_owned(), rank.to_owned())).into());
}

#[test]
fn a_suspect_address_is_the_reason_for_which_a_service_needs_attention() {
    let (world, agents) = World::with_echo(3);
    world.pull(0);
    agents[0].kill();
    world.run(&["prune"]).assert_code(0);
    write_site(&world).assert_code(0);
    let page = read_page(&world, "index.html");
    let (_, rest) = page.split_once("Needs attention").unwrap();
    let attention = rest.split_once("</section>").unwrap().0;
    assert!(attention.contains(">ok, 1 suspect</span>"), "{attention}");
    let reason =
        format!("{} is suspect: no connection: connection refused (prune, 1 run since ", agents[0].url());
    assert!(attention.contains(&reason), "{attention}");
    assert!(!attention.contains("no replica fails"), "{attention}");
}

#[test]
fn no_center_and_no_process_is_asked() {
    let TwoApps { mut world, fix, cart, others } = TwoApps::new();
    let asked = || [&fix, &cart].map(|agent| (agent.pulls(), agent.peeks()));
    let before = asked();
    world.center.stop();
    write_site(&world).assert_code(0);
    assert_eq!(asked(), before);
    drop(others);
}

/// Makes a service whose repository is not there yet.
fn service_without_clone() -> Service {
    let source = Source::from_files(&[
        ("go.mod", b"module example.com/shop\n"),
        ("a.go", b"package shop\n\nfunc Buy() {\n\tpay()\n}\n"),
    ]);
    Service::without_clone(source, "example.com/shop/a.go:3.12,5.2 1 3\n")
}

const REPORT: &str = "app/staging/th/master/report.html";

#[test]
fn a_report_is_the_page_that_html_writes() {
    let Service { world, source, agent: _agent } = service_without_clone();
    source.clone_into(&world, &["--bare"]);
    write_site(&world).assert_code(0);
    let page = world.run(&["report", "app", "-q", "--format", "html"]).assert_code(0).stdout;
    let above = "<a class=\"up\" href=\"../../../index.html\"><bdi>app</bdi></a> ";
    let in_site = read_page(&world, REPORT);
    assert_eq!(in_site.matches(above).count(), 1);
    assert!(in_site.replace(above, "") == page, "but for the way back");
    assert_eq!(read_json(&world, "index.json")["services"][0]["source"], "whole");
}

#[test]
fn a_report_is_written_again_when_its_links_to_the_host_change() {
    let service = service_without_clone();
    service.source.clone_into(&service.world, &["--bare"]);
    write_site(&service.world).assert_code(0);
    let has_link = || {
        let links = [REPORT, "index.html", "app/index.html"]
            .map(|page| read_page(&service.world, page).contains("https://code.example/r/commit/"));
        assert!(links == [links[0]; 3], "{links:?}: all pages or none");
        links[0]
    };
    assert!(!has_link());
    service.world.configure("[apps.app]\nweb = 'https://code.example/r/blob/{commit}/{path}#L{line}'\n");
    write_site(&service.world).assert_code(0);
    assert!(has_link());
    service.world.configure("");
    write_site(&service.world).assert_code(0);
    assert!(!has_link());

    let clone = repository(&service.world).display().to_string();
    for host in ["one.example", "two.example"] {
        let url = format!("https://user:secret@gitlab.{host}/acme/r.git");
        service.source.git(&["--git-dir", &clone, "remote", "set-url", "origin", &url]);
        write_site(&service.world).assert_code(0);
        let page = read_page(&service.world, REPORT);
        assert!(
            page.contains(&format!("https://gitlab.{host}/acme/r/-/commit/")),
            "{host}: the clone moved there"
        );
        assert!(!page.contains("secret"));
    }
}

#[test]
fn a_report_without_source_says_so_until_there_is_one() {
    let Service { world, source, agent } = service_without_clone();
    write_site(&world).assert_code(0);
    assert!(read_page(&world, REPORT).contains("No source was read"));
    assert!(read_page(&world, "index.html").contains("1 report has no source"));
    assert_eq!(read_json(&world, "index.json")["services"][0]["source"], "none");

    // A run without the source is no success where the configuration names a repository.
    let address = source.folder.path().display().to_string();
    world.configure(&format!(
        "[git]\nprotocols = [\"file\"]\n[apps.app]\nrepo = \"file://{address}/nowhere\"\n"
    ));
    let missing = format!("1 report without source that may still be found: {};", source.service_name());
    write_site(&world).assert_code(3).assert_stderr_contains(&missing);
    source.git(&["clone", "--quiet", "--bare", &address, &format!("{address}/nowhere")]);
    let before = files_with_times(&site_folder(&world));
    write_site(&world).assert_code(3).assert_stderr_contains(&missing);
    assert_eq!(
        changed_files(&before, &files_with_times(&site_folder(&world))),
        [] as [&str; 0],
        "it is asked once an hour"
    );
    agent.hit(&[0], 1);
    world.pull(0);
    write_site(&world).assert_code(3);
    assert!(!repository(&world).exists(), "whatever else is stored of the same commit");

    source.clone_into(&world, &["--bare"]);
    let after = files_with_times(&site_folder(&world));
    write_site(&world).assert_code(0);
    assert_eq!(
        changed_files(&after, &files_with_times(&site_folder(&world))),
        [
            REPORT,
            "app/staging/th/latest.json",
            "app/staging/th/master/latest.json",
            "app/index.html",
            "index.html",
            "index.json"
        ]
        .iter()
        .map(|name| (*name).to_owned())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>(),
        "what is here is found at once"
    );
    assert!(!read_page(&world, "index.html").contains("no source"));
}

#[test]
fn changed_lines_that_a_report_counted_stand_beside_the_total() {
    let mut source = Source::from_files(&[
        ("go.mod", b"module example.com/shop\n"),
        ("a.go", b"package shop\n\nfunc Buy() {\n\tpay()\n}\n"),
    ]);
    let base = source.head();
    fs::write(source.folder.path().join("a.go"), "package shop\n\nfunc Buy() {\n\tpay()\n\tsend()\n}\n")
        .unwrap();
    source.commit_all();
    source.commit = source.head();
    let world = World::new();
    let _agent = world.start_counted(&source.service_name(), "example.com/shop/a.go:3.12,6.2 2 3\n");
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    write_site(&world).assert_code(0);
    assert!(!read_page(&world, "app/index.html").contains("Changed lines"));
    assert_eq!(read_json(&world, "index.json")["services"][0]["diff"], Value::Null);
    let before = files_with_times(&site_folder(&world));
    let told = world.run(&["report", "app", "--base", "parent", "--format", "diff-json"]).assert_code(0);
    assert_eq!(told.json()[0]["total"], 1);
    write_site(&world).assert_code(0);
    let rewritten = changed_files(&before, &files_with_times(&site_folder(&world)));
    let wanted =
        ["app/index.html", "app/staging/th/latest.json", "app/staging/th/master/latest.json", "index.json"];
    assert_eq!(rewritten, wanted);
    let diff = read_json(&world, "app/staging/th/master/latest.json")["diff"].clone();
    assert_eq!(
        (&diff["base"], &diff["how"], &diff["hit"], &diff["lines"], &diff["percent"]),
        (&json!(base), &json!("the first parent"), &json!(1), &json!(1), &json!(100.0))
    );
    let page = read_page(&world, "app/index.html");
    let shown = format!("<span title=\"Since {base}, the first parent\">100.0% of 1</span>");
    assert_eq!(page.matches(&shown).count(), 2, "of the branch, and of what stands for all");
}

#[test]
fn a_host_that_does_not_answer_is_waited_for_once() {
    let apps = TwoApps::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let asked = || std::iter::from_fn(|| listener.accept().ok()).count();
    let address = listener.local_addr().unwrap();
    apps.world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\ntimeout = \"3s\"\nrepo = \"http://{address}/{{app}}.git\"\n"
    ));
    let output = write_site(&apps.world).assert_code(3);
    output.assert_stderr_contains("4 reports without source that may still be found");
    assert_eq!(asked(), 1, "of two apps and four commits");
    write_site(&apps.world).assert_code(3);
    assert_eq!(asked(), 0, "nor in the next run");
}

#[test]
fn offline_fetches_no_source() {
    let Service { world, source, agent: _agent } = service_without_clone();
    let address = source.folder.path().display().to_string();
    world.configure(&format!("[git]\nprotocols = [\"file\"]\n[apps.app]\nrepo = \"file://{address}\"\n"));
    let folder = site_folder(&world);
    let arguments = ["report", "--all", "--format", "site", "-o", folder.to_str().unwrap()];
    world
        .run(&[&arguments[..], &["--offline"]].concat())
        .assert_code(3)
        .assert_stderr_contains("1 report without source");
    assert!(!repository(&world).exists());
    world.run(&arguments).assert_code(0);
    assert!(repository(&world).exists(), "the next run is free to");
    assert!(!read_page(&world, REPORT).contains("No source was read"));
}

#[test]
fn a_service_that_fails_stops_no_other_and_keeps_its_last_report() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let before = read_page(&apps.world, "cart/staging/th/main/report.html");
    apps.cart.hit(&[8], 1);
    apps.fix.hit(&[8], 1);
    apps.world.pull(3);
    let path: String = apps.world.query(
        "SELECT cov_file_path FROM goc_o_staging_service_cover WHERE app_name = 'cart' AND is_latest = 'y'",
    );
    fs::remove_file(apps.world.root().join(path)).unwrap();
    // The report would otherwise be made from the counters in the database.
    apps.world.execute(
        "UPDATE generation SET counts = x'ff' WHERE edition_id IN
             (SELECT edition.id FROM edition JOIN cover_key ON cover_key.id = key_id WHERE app_name = 'cart')",
    );
    write_site(&apps.world).assert_code(3).assert_stderr_contains(CART);
    assert_eq!(read_page(&apps.world, "cart/staging/th/main/report.html"), before);
    let latest = read_json(&apps.world, "cart/staging/th/latest.json");
    assert_eq!((&latest["percent"], &latest["report"]), (&json!(80.0), &Value::Null), "that is of 70 %");
    assert!(!read_page(&apps.world, "cart/index.html").contains("report.html"), "nor is it linked");
    assert!(read_page(&apps.world, "shop/staging/th/fix/report.html").contains("60.0%"));
}

#[test]
fn pages_of_dropped_data_go_and_nothing_else() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let site = site_folder(&apps.world);
    fs::write(site.join("cart/notes.txt"), "mine").unwrap();
    fs::write(site.join("robots.txt"), "mine").unwrap();
    apps.world.center.remove(&apps.cart.url());
    apps.world.pull(3);
    apps.world.let_days_pass(91);
    apps.world.run(&["prune", "--retention-only", "--drop-keys-older-than", "90d"]).assert_code(0);
    write_site(&apps.world).assert_code(0);
    let left: Vec<String> =
        public_files(&apps.world).into_iter().filter(|name| !name.starts_with("shop/")).collect();
    assert_eq!(left, ["cart/notes.txt", "index.html", "index.json", "robots.txt"]);
    assert!(
        left.contains(&"robots.txt".to_owned()) && !site.join("cart/staging").exists(),
        "no empty folder is left"
    );
    assert!(!read_page(&apps.world, "index.html").contains("cart"));
}

#[test]
fn a_folder_of_others_is_refused_and_left_as_it_was() {
    let apps = TwoApps::new();
    let site = site_folder(&apps.world);
    fs::create_dir(&site).unwrap();
    fs::write(site.join("thesis.txt"), "mine").unwrap();
    write_site(&apps.world)
        .assert_code(1)
        .assert_stderr_contains("thesis.txt")
        .assert_stderr_contains("give a new or an empty folder");
    assert_eq!(files_with_times(&site).into_keys().collect::<Vec<_>>(), ["thesis.txt"]);
    fs::remove_dir_all(&site).unwrap();
    fs::write(&site, "mine").unwrap();
    write_site(&apps.world)
        .assert_code(1)
        .assert_stderr_contains("cannot write a site to")
        .assert_stderr_contains("not a directory");
    fs::remove_file(&site).unwrap();
    write_site(&apps.world).assert_code(0);

    fs::write(
        site.join(".goc-watchdog-site.json"),
        "{\"goc_watchdog_site\": 1, \"files\": {\"../x/index.html\": null}}",
    )
    .unwrap();
    write_site(&apps.world).assert_code(1).assert_stderr_contains("no site has a file \"../x/index.html\"");
    let inside = apps.world.root().join("site");
    let name = apps.world.root().file_name().unwrap().to_owned();
    let roundabout = apps.world.home().join("nowhere/..").join(name).join("site");
    let arguments = ["report", "--all", "--format", "site", "-o"];
    for folder in [&inside, &apps.world.root(), &apps.world.home().to_owned(), &roundabout] {
        let output = apps.world.run(&[&arguments[..], &[folder.to_str().unwrap()]].concat());
        output.assert_code(1).assert_stderr_contains("is the work directory or overlaps it");
    }
    assert!(!inside.exists());
}

#[test]
fn a_site_of_another_work_directory_is_left_as_it_is() {
    let (apps, other) = (TwoApps::new(), World::new());
    write_site(&apps.world).assert_code(0);
    let before = files_with_times(&site_folder(&apps.world));
    let _agent = other.start_counted(CART, &profile(3));
    other.pull(0);
    let folder = site_folder(&apps.world).to_str().unwrap().to_owned();
    other
        .run(&["report", "--all", "--format", "site", "-o", &folder])
        .assert_code(1)
        .assert_stderr_contains("is the site of another work directory");
    assert_eq!(files_with_times(&site_folder(&apps.world)), before);
    write_site(&apps.world).assert_code(0);
}

#[test]
fn a_folder_that_leads_elsewhere_is_not_followed_and_a_new_disk_is_empty() {
    let apps = TwoApps::new();
    fs::create_dir_all(site_folder(&apps.world).join("lost+found")).unwrap();
    write_site(&apps.world).assert_code(0);
    let elsewhere = apps.world.home().join("elsewhere");
    fs::rename(site_folder(&apps.world).join("cart"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, site_folder(&apps.world).join("cart")).unwrap();
    let before = files_with_times(&elsewhere);
    apps.cart.hit(&[8], 1);
    apps.world.run(&["pull", "cart"]).assert_code(0);
    write_site(&apps.world)
        .assert_code(3)
        .assert_stderr_contains("\"cart/index.html\" of the site cannot be written");
    assert_eq!(files_with_times(&elsewhere), before);
}

#[test]
fn a_file_that_somebody_else_wrote_is_never_overwritten() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let mine = site_folder(&apps.world).join("cart/staging/th/next/report.html");
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "mine").unwrap();
    let _next = apps.world.start_counted("staging_th_cart_next_abcdef0123", &profile(3));
    apps.world.pull(3);
    write_site(&apps.world).assert_code(3).assert_stderr_contains(
        "\"cart/staging/th/next/report.html\" of the site cannot be written, because something",
    );
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert_eq!(read_json(&apps.world, "cart/staging/th/next/latest.json")["report"], Value::Null);
    let folder = mine.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::write(folder, "a file in place of a folder").unwrap();
    write_site(&apps.world).assert_code(3).assert_stderr_contains(
        "\"cart/staging/th/next/badge.svg\" of the site cannot be written, because something",
    );
    fs::remove_file(folder).unwrap();
    write_site(&apps.world).assert_code(0);
    assert!(fs::read_to_string(&mine).unwrap().contains("30.0%"));
}

#[test]
fn a_second_run_at_once_leaves_the_site_to_the_first() {
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let lock = fs::File::open(site_folder(&apps.world).join(".goc-watchdog-site.lock")).unwrap();
    lock.lock().unwrap();
    let before = files_with_times(&site_folder(&apps.world));
    apps.cart.hit(&[8], 1);
    apps.world.pull(3);
    write_site(&apps.world)
        .assert_code(4)
        .assert_stderr_contains("another run holds the lock; nothing was changed");
    assert_eq!(files_with_times(&site_folder(&apps.world)), before);
    lock.unlock().unwrap();
    write_site(&apps.world).assert_code(0);
}

#[test]
fn a_run_killed_at_any_moment_leaves_whole_files_and_the_next_one_heals() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let apps = TwoApps::new();
    let folder = site_folder(&apps.world);
    let timed = || {
        let begun = std::time::Instant::now();
        write_site(&apps.world).assert_code(0);
        begun.elapsed()
    };
    let mut anew = timed();
    apps.cart.hit(&[0], 1);
    apps.world.run(&["pull", "cart", "-q"]).assert_code(0);
    // A run is shorter where all files exist already.
    let mut again = timed();
    let mut killed = 0;
    for round in 0..60 {
        let is_anew = round % 3 == 0;
        if is_anew && folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let usual = if is_anew { &mut anew } else { &mut again };
        apps.cart.hit(&[random.usize(..10)], 1);
        apps.world.run(&["pull", "cart", "-q"]).assert_code(0);
        let arguments = ["report", "-q", "--all", "--format", "site", "-o", folder.to_str().unwrap()];
        let mut child = apps.world.spawn(&arguments);
        // A random moment is the point of this test: the checks below must hold whenever the kill comes.
        std::thread::sleep(usual.mul_f64(random.f64() * 1.1));
        child.kill().unwrap();
        let is_killed = child.wait().unwrap().code().is_none();
        killed += usize::from(is_killed);
        // The machine may be busier or idler than at the time of the measurement.
        *usual = usual.mul_f64(if is_killed { 1.1 } else { 0.8 });
        for name in files_with_times(&folder).into_keys().filter(|name| !name.starts_with('.')) {
            let text = read_page(&apps.world, &name);
            let end = match name.rsplit_once('.').unwrap().1 {
                "json" => "}\n",
                "svg" => "</svg>\n",
                _ => "</html>\n",
            };
            assert!(text.ends_with(end), "{name} is not whole");
        }
        let manifest = fs::read_to_string(folder.join(".goc-watchdog-site.json")).unwrap_or("{}".to_owned());
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        for (name, written) in manifest["files"].as_object().into_iter().flatten() {
            if !written.is_null() {
                let digest = STANDARD.encode(Sha256::digest(read_page(&apps.world, name)));
                assert_eq!(written["sha256"], digest, "{name} is another than is known of it");
            }
        }
    }
    println!("{killed} of 60 runs were killed");
    assert!(killed >= 15, "only {killed} of 60 runs were killed before they ended");
    write_site(&apps.world).assert_code(0);
    let healed = files_with_times(&folder);
    assert!(!healed.keys().any(|name| name.contains(".tmp")), "{healed:?}");
    let texts = |names: &BTreeSet<String>| -> Vec<String> {
        names
            .iter()
            .map(|name| {
                let text = read_page(&apps.world, name);
                // A report shows the time at which it was made.
                if name.ends_with("report.html") { String::new() } else { text }
            })
            .collect()
    };
    let (names, found) = (public_files(&apps.world), texts(&public_files(&apps.world)));
    fs::remove_dir_all(&folder).unwrap();
    write_site(&apps.world).assert_code(0);
    assert_eq!((names, found), (public_files(&apps.world), texts(&public_files(&apps.world))));
}

#[test]
fn hostile_names_stay_inside_of_the_site_and_apart() {
    let world = World::new();
    let long = "x".repeat(300);
    let names = [
        "..",
        "../../outside",
        "/etc/passwd",
        "<script>alert(1)</script>",
        "index.html",
        "con",
        "Shop",
        "shop",
        "SHOP",
        "a\u{202e}b\0c",
        "\u{e9}",
        "e\u{301}",
        &long,
        &format!("{long}y"),
        "staging_th_index.json_badge.svg_845820727e",
        "_",
    ];
    let _agents: Vec<Agent> = names.iter().map(|name| world.start_counted(name, &profile(5))).collect();
    world.pull(0);
    write_site(&world).assert_code(0);
    let files = files_with_times(&site_folder(&world));
    let served = public_files(&world);
    let reports = served.iter().filter(|name| name.ends_with("/report.html")).count();
    assert_eq!(reports, names.len());
    let folded: BTreeSet<String> = served.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), served.len(), "also where case is ignored");
    for name in files.keys() {
        assert!(name.split('/').all(|part| part.len() <= 210 && part != ".."), "{name}");
    }
    assert!(served.contains("=69ndex.json/staging/th/=62adge.svg/report.html"), "{served:?}");
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&site_folder(&world).join("index.html"), "");
    assert_eq!(browser.texts("#services .row").len(), names.len());
    browser.take_screenshot("site-hostile");
    browser.assert_quiet();
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'filter'");
    browser.press("<script>");
    assert_eq!(browser.texts("#services .row").len(), 1);
    let href = browser.eval("[...document.querySelectorAll('#services .row')].find((row) => !row.hidden).querySelector('.report a').getAttribute('href')");
    assert_eq!(href, "=3cscript=3ealert=281=29=3c=2fscript=3e/-/-/-/report.html");
    browser.open(&site_folder(&world).join(href.as_str().unwrap()), "");
    assert_eq!(browser.text(".total .number"), "50.0%");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let folder = site_folder(&world);
    let folder = folder.to_str().unwrap();
    let whole = ["report", "--all", "--format", "site", "-o", folder];
    for (more, message) in [
        (&["--include", "x"][..], "are for the report of one service"),
        (&["--exclude-generated"], "are for the report of one service"),
        (&["--fail-under", "80"], "a threshold is for the report of one service"),
        (&["--limit", "3"], "--limit is for the report of one service"),
        (&["--sort", "percent"], "--sort is for the report of one service"),
        (&["--id", "1"], "--id is for the report of one service"),
        (&["--format", "json"], "--format site stands alone"),
        (&["echoserver"], "give --all and no SERVICE"),
    ] {
        world.run(&[&whole[..], more].concat()).assert_code(2).assert_stderr_contains(message);
    }
    for (arguments, message) in [
        (&["report", "--all"][..], "--all without SERVICE is for --format site -o DIR"),
        (&["report", "--all", "--format", "json"], "--all without SERVICE is for --format site"),
        (&["report", "--all", "--format", "site"], "--format site needs a folder: -o DIR"),
        (&["report", "--all", "--format", "site", "-o", "-"], "needs a folder, which stdout is not"),
        (&["report", "echoserver", "--format", "site", "-o", folder], "give --all and no SERVICE"),
        (&["report", "--format", "site", "-o", folder], "required arguments were not provided"),
        (&["report", "--all", "--format", "site=x", "-o", folder], "name the folder twice"),
    ] {
        world.run(arguments).assert_code(2).assert_stderr_contains(message);
    }
    assert!(!site_folder(&world).exists());
    world.run(&["report", "--all", "--format", &format!("site={folder}")]).assert_code(0);
    assert!(site_folder(&world).join("index.html").exists());
}

#[test]
fn the_index_is_searched_as_one_types_and_leads_to_each_report() {
    let Some(mut browser) = Browser::start() else { return };
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    let index = site_folder(&apps.world).join("index.html");
    browser.open(&index, "");
    let names = "#services .row:not([hidden]) .name";
    assert_eq!(
        browser.texts(names),
        [
            "staging th main 1234567890",
            "prod sg master 845820727e",
            "staging th master 0a1b2c3d4e",
            "staging th fix 77aa88bb99",
        ]
    );
    let tiles: Vec<String> = browser.texts(".tile").iter().map(|tile| on_one_line(tile)).collect();
    assert_eq!(tiles, ["1 unreachable", "3 ok"]);
    assert_eq!(browser.text(".facts-line"), "2 apps, 4 services; newest data: just now");
    assert!(browser.text(".attention li").starts_with("unreachable shop prod sg master 845820727e"));
    assert_eq!(browser.text("#services .row td.percent"), "70.0%");
    assert_eq!(browser.text("#services .row time"), "just now");
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'filter'");
    browser.press("SHOP fix");
    assert_eq!(browser.texts(names), ["staging th fix 77aa88bb99"]);
    assert_eq!(browser.text("#shown"), "1 of 4 services");
    assert_eq!(browser.texts("#services .group"), ["shop"], "an app without any is not shown");
    assert_eq!(browser.eval("location.hash"), "#filter=SHOP%20fix");
    browser.press_named("Escape", 27);
    assert_eq!((browser.texts(names).len(), browser.eval("location.hash")), (4, json!("")));
    browser.click("[data-sort=percent]");
    assert_eq!(
        browser.texts("#services .row td.percent"),
        ["50.0%", "60.0%", "70.0%", "90.0%"],
        "the least covered first"
    );
    assert_eq!(browser.texts(names)[0], "shop staging th fix 77aa88bb99", "each says its app now");
    browser.assert_quiet();

    // Addresses of earlier releases have words that stand for several states.
    for state in ["failing", "unreachable"] {
        browser.open(&index, &format!("#state={state}&sort=nonsense&%%%"));
        assert_eq!(browser.texts(names), ["prod sg master 845820727e"], "{state}");
    }
    assert_eq!(browser.texts(".tile[aria-pressed=true]").len(), 1);
    browser.open(&index, "#filter=nothing%20at%20all");
    assert_eq!(browser.text("#nothing"), "No service to show.");
    browser.assert_quiet();

    browser.open(&index, "");
    browser.press("jj");
    assert_eq!(browser.eval("document.activeElement.closest('tr').className"), "row");
    browser.press("?");
    assert_eq!(browser.text("#keys h2"), "Keys");
    browser.press_named("Escape", 27);
    browser.follow("#services a[href='shop/staging/th/fix/report.html']");
    assert_eq!((browser.text("#home"), browser.text(".total .number")), (FIX.into(), "50.0%".into()));
    drop(apps.others);
}

#[test]
fn an_app_shows_its_environments_branches_commits_and_their_history() {
    let Some(mut browser) = Browser::start() else { return };
    let apps = TwoApps::new();
    apps.fix.hit(&[8], 1);
    apps.world.pull(3);
    write_site(&apps.world).assert_code(0);
    browser.open(&site_folder(&apps.world).join("index.html"), "");
    browser.follow("#services .group a[href='shop/index.html']");
    assert_eq!(browser.eval("document.title"), "shop");
    assert_eq!(browser.texts(".matrix tr > th"), ["master", "fix", "prod sg", "staging th"]);
    let cells: Vec<String> = browser.texts(".matrix td").iter().map(|cell| on_one_line(cell)).collect();
    assert_eq!(
        cells[1..],
        [
            "90.0% of shop prod sg master 845820727e unreachable",
            "–",
            "60.0% of shop staging th master 0a1b2c3d4e ok",
            "60.0% of shop staging th fix 77aa88bb99 ok"
        ]
    );
    assert_eq!(browser.texts(".place h2"), ["prod sg", "staging th"]);
    let rows = ".place:last-of-type .branches .row";
    let text = |browser: &mut Browser| -> Vec<String> {
        browser.texts(rows).iter().map(|row| on_one_line(row)).collect()
    };
    assert_eq!(
        text(&mut browser),
        [
            "master 0a1b2c3d4e 60.0% +20.0 10 just now ok Report of master without source",
            "845820727e 40.0% first commit 10 just now offline Report of 845820727e without source",
            "fix 77aa88bb99 60.0% first commit = 10 just now ok Report of fix without source",
        ]
    );
    let lines: Vec<String> = browser.texts(".key li").iter().map(|line| on_one_line(line)).collect();
    assert_eq!(
        lines,
        [
            "staging th master 60.0% 0a1b2c3d4e",
            "prod sg master 90.0% 845820727e",
            "staging th fix 60.0% 77aa88bb99"
        ]
    );
    let title = browser.eval("document.querySelector('.line-0 .dot title').textContent");
    assert!(title.as_str().unwrap().starts_with("40.0% staging th master 845820727e, "), "{title}");
    browser.follow(".place:last-of-type .branches a[href$='master/report.html']");
    assert_eq!(browser.text(".total .number"), "60.0%");
    browser.take_screenshot("site-report");
    browser.follow(".up");
    assert_eq!(browser.eval("document.title"), "shop");
    browser.follow(".up");
    assert_eq!(browser.text("#home"), "Coverage");
}

/// Makes many services with a history of weeks and every kind of trouble.
fn many_services() -> (World, Vec<Agent>) {
    let world = World::new();
    let mut agents = Vec::new();
    for app in ["apa_goc_echoserver", "billing", "catalogue", "checkout", "gateway"] {
        for (place, seed) in [("staging_th", 2), ("staging_sg", 4), ("prod_th", 6)] {
            if (app.len() + seed) % 5 == 0 {
                continue;
            }
            for (branch, covered) in [("master", 3), ("feature-cart", 5), ("release-1.4", 6)] {
                let covered = (covered + app.len() as u64 + seed as u64) % 9 + 1;
                if branch != "master" && (app.len() + seed) % 3 == 0 {
                    continue;
                }
                let commit = format!("{:010x}", app.len() * 7_919 * seed * 104_729 + branch.len());
                let name = format!("{place}_{app}_{branch}_{commit}");
                agents.push(world.start_counted(&name, &profile(covered)));
            }
        }
    }
    world.pull(0);
    world.let_days_pass(9);
    agents[0].hit(&[9], 1);
    agents[3].hit(&[7, 8], 1);
    world.run(&["pull", "--force", "-q"]).assert_code(0);
    world.let_days_pass(6);
    for agent in [&agents[1], &agents[4]] {
        agent.kill();
    }
    world.center.remove(&agents[2].url());
    agents[5].hit(&[1, 2, 9], 1);
    agents.push(world.start_counted("staging_th_billing_master_fedcba9876", &profile(8)));
    agents.push(world.start_counted("staging_th_billing_fix-tax_0123456789", &profile(4)));
    world.pull(3);
    (world, agents)
}

#[test]
fn nothing_sticks_out_however_wide_the_screen_is() {
    let Some(mut browser) = Browser::start() else { return };
    let (world, _agents) = many_services();
    write_site(&world).assert_code(0);
    for (page, file) in [("index", "index.html"), ("app", "billing/index.html")] {
        browser.open(&site_folder(&world).join(file), "");
        for (name, width, scheme) in [
            ("light", 1280, "light"),
            ("dark", 1280, "dark"),
            ("tablet", 820, "light"),
            ("narrow", 390, "light"),
            ("narrow-dark", 390, "dark"),
        ] {
            browser.resize(width, 900);
            browser.prefer_color_scheme(scheme);
            browser.take_screenshot(&format!("site-{page}-{name}"));
            let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
            assert_eq!(widths[0], widths[1], "{page}-{name}: nothing sticks out");
        }
        browser.resize(1280, 900);
        browser.eval("document.querySelector('.place:last-of-type')?.scrollIntoView()");
        browser.take_screenshot(&format!("site-{page}-end"));
        browser.assert_quiet();
    }
}

#[test]
fn axe_finds_no_violation_in_any_view_of_the_site() {
    let Some(mut browser) = Browser::start() else { return };
    let (world, _agents) = many_services();
    write_site(&world).assert_code(0);
    let mut found = Vec::new();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        browser.resize(width, 900);
        browser.prefer_color_scheme(scheme);
        for (file, fragment, keys) in [
            ("index.html", "", ""),
            ("index.html", "#sort=percent", ""),
            ("index.html", "#map=1", ""),
            ("index.html", "#filter=nothing%20at%20all", ""),
            ("index.html", "", "?"),
            ("billing/index.html", "", ""),
        ] {
            browser.open(&site_folder(&world).join(file), fragment);
            browser.press(keys);
            let Some(faults) = browser.accessibility_violations() else { return };
            let view = format!("{file}{fragment} {keys} at {width}, {scheme}");
            found.extend(faults.into_iter().map(|fault| format!("{view}: {fault}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_site_works_where_script_is_forbidden() {
    let Some(mut browser) = Browser::start() else { return };
    let apps = TwoApps::new();
    write_site(&apps.world).assert_code(0);
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&site_folder(&apps.world).join("index.html"), "");
    assert_eq!(browser.texts("#services .row").len(), 4);
    let scripted = "#tools, #more-filters, #all, .chips.scripted, #theme, #help";
    assert_eq!(browser.texts(scripted), [] as [&str; 0], "nothing that would not work");
    let place = "getComputedStyle(document.querySelector('.tools')).position";
    assert_eq!(browser.eval(place), "static", "numbers that cannot be clicked need not stay on the screen");
    assert!(browser.text("#services .row time").ends_with("UTC"), "times that stay true");
    browser.take_screenshot("site-without-script");
    browser.assert_quiet();
}
