//! The reports of a site after pulls that found the same data.

use std::fs;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::source::Source;
use crate::sim::Agent;
use crate::site::{profile, read_json, read_page, site_folder, write_site};

const NAME: &str = "staging_th_shop_main_845820727e";
const REPORT: &str = "shop/staging/th/main/report.html";

/// Starts two replicas, which were pulled an hour ago, and writes the site.
fn two_replicas() -> (World, [Agent; 2]) {
    let world = World::new();
    let agents = [4, 5].map(|covered| world.start_counted(NAME, &profile(covered)));
    world.pull(0);
    world.execute(
        "UPDATE schedule SET last_pull_at = strftime('%Y-%m-%dT%H:%M:%SZ', last_pull_at, '-1 hour')",
    );
    write_site(&world).assert_code(0);
    (world, agents)
}

/// Returns the report as a new site has it.
fn anew(world: &World) -> String {
    let folder = world.home().join("anew");
    let told = world.run(&["report", "--all", "--format", "site", "-o", folder.to_str().unwrap()]);
    told.assert_code(0);
    let report = fs::read_to_string(folder.join(REPORT)).unwrap();
    fs::remove_dir_all(folder).unwrap();
    report
}

#[test]
fn a_report_tells_of_the_last_pull_and_its_replicas() {
    let (world, [gone, _other]) = two_replicas();
    let first = read_page(&world, REPORT);
    assert!(first.contains("<li>2 of 2 replicas</li>"));
    gone.kill();
    world.pull(3);
    write_site(&world).assert_code(0);
    let second = read_page(&world, REPORT);
    assert!(second.contains("<li class=\"warning\">1 of 2 replicas</li>"));
    let service = &read_json(&world, "index.json")["services"][0];
    assert_eq!(service["id"], 1, "the pull stored no row");
    let last_pull = service["last_pull"].as_str().unwrap();
    assert!(second.contains(&format!("datetime=\"{last_pull}\"")) && !first.contains(last_pull));
    assert!(second == anew(&world), "the rest stayed true");

    let Some(mut browser) = Browser::start() else { return };
    browser.open(&site_folder(&world).join(REPORT), "");
    let facts = browser.texts(".about li");
    assert_eq!(facts[2..], ["1 of 2 replicas", "just now"]);
}

#[test]
fn a_report_that_somebody_changed_is_made_anew_after_a_pull() {
    let (world, _agents) = two_replicas();
    let path = site_folder(&world).join(REPORT);
    fs::write(&path, read_page(&world, REPORT).replace("2 of 2 replicas", "9 of 9 replicas")).unwrap();
    world.pull(0);
    write_site(&world).assert_code(0);
    assert!(read_page(&world, REPORT) == anew(&world));
}

#[test]
fn a_report_that_lacks_source_tells_of_the_last_pull() {
    let mut source =
        Source::from_files(&[("go.mod", b"module example.com/shop\n"), ("a.go", b"package shop\n")]);
    source.commit = source.head();
    let (world, [gone, _other]) = two_replicas();
    source.clone_into(&world, &["--bare"]);
    write_site(&world);
    gone.kill();
    world.pull(3);
    write_site(&world);
    assert!(read_page(&world, REPORT).contains("1 of 2 replicas"));
}
