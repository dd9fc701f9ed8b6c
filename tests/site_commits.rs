//! The reports of a site, each compared with the commit before on its branch.

use std::fs;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::source::{Source, repository};
use crate::sim::Agent;
use crate::site::{read_json, read_page, site_folder, write_site};

const REPORT: &str = "app/staging/th/master/report.html";
const SHOP: &[u8] = b"package shop\n\nfunc Buy() {\n\tpay()\n}\n\nfunc Sell() {\n\tsend()\n}\n";
const OTHER: &[u8] = b"package shop\n\nfunc Wait() {\n\tsleep()\n}\n";
const KEPT: &[u8] = b"package shop\n\nfunc Keep() {\n\tstay()\n}\n";
/// `Buy` and `Keep` were executed, and neither `Sell` nor `Wait`.
const BEFORE: &str = "example.com/shop/a.go:3.12,5.2 1 3
example.com/shop/a.go:7.13,9.2 1 0
example.com/shop/b.go:3.13,5.2 1 0
example.com/shop/c.go:3.13,5.2 1 1
";
/// `Sell`, `Wait` and `Keep` were executed, `Buy` was not, and `Sell` has a new line.
const AFTER: &str = "example.com/shop/a.go:3.12,5.2 1 0
example.com/shop/a.go:7.13,10.2 2 1
example.com/shop/b.go:3.13,5.2 1 1
example.com/shop/c.go:3.13,5.2 1 4
";

/// A repository with two commits of a branch, and the names of their services.
struct TwoCommits {
    world: World,
    source: Source,
    names: [String; 2],
}

impl TwoCommits {
    fn new() -> Self {
        let mut source = Source::from_files(&[
            ("go.mod", b"module example.com/shop\n"),
            ("a.go", SHOP),
            ("b.go", OTHER),
            ("c.go", KEPT),
        ]);
        let first = source.service_name();
        let changed = String::from_utf8_lossy(SHOP).replace("\tsend()\n", "\tsend()\n\ttell()\n");
        fs::write(source.folder.path().join("a.go"), changed).unwrap();
        source.commit_all();
        let names = [first, source.service_name()];
        Self { world: World::new(), source, names }
    }

    /// Starts a process of the first commit, and pulls it.
    fn pulled_first(&self) -> Agent {
        let first = self.world.start_counted(&self.names[0], BEFORE);
        self.world.pull(0);
        first
    }

    /// Pulls a process of the first commit before and after it executed another block.
    fn pulled_first_twice(&self) -> Agent {
        let first = self.pulled_first();
        first.hit(&[1], 1);
        self.world.pull(0);
        first
    }

    /// Pulls a process of the first commit, then one of the second.
    fn pulled(&self) -> Agent {
        let first = self.pulled_first();
        self.world.center.remove(&first.url());
        let second = self.world.start_counted(&self.names[1], AFTER);
        self.world.pull(0);
        second
    }

    /// Returns the name of a commit's service on another branch.
    fn on_fix(&self, which: usize) -> String {
        self.names[which].replace("_master_", "_fix_")
    }

    fn short(&self, which: usize) -> &str {
        self.names[which].rsplit('_').next().unwrap()
    }
}

/// Returns the sentence at the top of the report, without markup; `None` if nothing is compared.
fn verdict(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("<p class=\"verdict ")?;
    let (_, rest) = rest.split_once('>')?;
    let mut text = String::new();
    let mut is_text = true;
    for c in rest.split_once("</p>")?.0.chars() {
        match c {
            '<' => is_text = false,
            '>' => is_text = true,
            c if is_text => text.push(c),
            _ => {}
        }
    }
    Some(text)
}

#[test]
fn a_report_is_compared_with_the_commit_before_on_its_branch() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first();
    write_site(world).assert_code(0);
    assert_eq!(verdict(&read_page(world, REPORT)), None, "nothing was before the first commit");

    world.center.remove(&first.url());
    let _second = world.start_counted(&commits.names[1], AFTER);
    world.pull(0);
    write_site(world).assert_code(0);
    let page = read_page(world, REPORT);
    let [before, now] = [0, 1].map(|which| commits.short(which));
    assert_eq!(
        verdict(&page).unwrap(),
        format!("80.0% {now} against 50.0% {before}: +30.0 points; 1 line lost, 2 gained")
    );
    for tab in ["tab-files", "tab-changed", "tab-lost"] {
        assert!(page.contains(&format!("<a id=\"{tab}\"")), "{tab}");
    }
    for (category, lines) in [("LBC", 1), ("GBC", 2), ("GNC", 1), ("CBC", 1)] {
        let row = format!("<span class=\"category {category}\">{category}</span></th><td>{lines}</td>");
        assert!(page.contains(&row), "{row}");
    }
    assert_eq!(page.matches("<span class=\"category ").count(), 4, "{page}");
    let base = commits.source.commit_of("HEAD~1");
    assert!(page.contains(&base));
    let base = &base[..10];
    assert!(page.contains(&format!("<bdi>{base}, the commit before on its branch (row 1, ")));
    assert!(page.contains("<th scope=\"row\"><a>b.go</a>"), "a file that did not change is in the table");

    let times = || {
        let site = site_folder(world);
        [REPORT, "index.html", ".goc-watchdog-site.json"]
            .map(|name| site.join(name).metadata().unwrap().modified().unwrap())
    };
    let written = times();
    write_site(world).assert_code(0);
    assert_eq!(times(), written, "nothing changed");

    let Some(mut browser) = Browser::start() else { return };
    browser.open(&site_folder(world).join(REPORT), "#tab=lost");
    assert_eq!(browser.texts("#lost-lines .places li li").len(), 1);
    assert!(!page.contains("<code></code>"), "each place quotes its lines");
    browser.press("l");
    browser.wait_until("document.body.dataset.shown === 'example.com/shop/a.go'");
    assert_eq!(browser.text("#lost-place"), "place 1 of 1");
    browser.assert_quiet();
}

#[test]
fn the_first_commit_of_a_branch_is_compared_with_its_nearest_ancestor_in_git() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first();
    world.center.remove(&first.url());
    let _fix = world.start_counted(&commits.on_fix(1), AFTER);
    // The clone does not know this commit.
    let _other = world.start_counted("staging_th_app_other_77aa88bb99", BEFORE);
    world.pull(0);
    write_site(world).assert_code(3);
    let page = read_page(world, "app/staging/th/fix/report.html");
    let [before, now] = [0, 1].map(|which| commits.short(which));
    assert_eq!(
        verdict(&page).unwrap(),
        format!("80.0% fix {now} against 50.0% master {before}: +30.0 points; 1 line lost, 2 gained")
    );
    let base = &commits.source.commit_of("HEAD~1")[..10];
    assert!(
        page.contains(&format!("<bdi>{base}, the nearest ancestor with data, of branch master (row 1, "))
    );
    assert_eq!(verdict(&read_page(world, "app/staging/th/other/report.html")), None);
    write_site(world).assert_code(3);
    assert!(read_page(world, "app/staging/th/fix/report.html") == page);
}

#[test]
fn a_commit_of_two_branches_counts_for_each_of_them() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first();
    world.center.register(&commits.on_fix(0), &first);
    world.pull(0);
    world.let_days_pass(8);
    world.center.remove(&first.url());
    let _fix = world.start_counted(&commits.on_fix(1), AFTER);
    world.pull(0);
    let rows: String = world.query("SELECT group_concat(git_branch) FROM goc_o_staging_service_cover");
    assert_eq!(rows, "master,fix");
    write_site(world).assert_code(0);

    let page = read_page(world, "app/staging/th/fix/report.html");
    assert!(page.contains("the commit before on its branch (row 1, "));
    assert!(page.contains("Last 2 totals, 50.0% to 80.0%"), "the trend has both");
    let change = &read_json(world, "app/staging/th/fix/latest.json")["change_7d"];
    assert_eq!(change.as_f64().map(f64::round), Some(30.0));
    let app = read_page(world, "app/index.html");
    let fix = app.split_once("<bdi>fix</bdi></span>").unwrap().1.split_once("</tr>").unwrap().0;
    assert!(fix.contains("<span class=\"rose\">+30.0</span>"), "{fix}");
}

#[test]
fn a_report_is_written_again_when_the_row_of_the_commit_before_changes() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first_twice();
    let _fix = world.start_counted("staging_th_app_fix_77aa88bb99", BEFORE);
    world.pull(0);
    let _second = world.start_counted(&commits.names[1], AFTER);
    world.pull(0);
    write_site(world).assert_code(3);
    let against = |report: &str| {
        let verdict = verdict(&read_page(world, report))?;
        Some(verdict.split_once(" against ").unwrap().1.split_once(':').unwrap().0.to_owned())
    };
    let before = |percent: &str| Some(format!("{percent} {}", commits.short(0)));
    assert_eq!(against(REPORT), before("75.0%"), "the last row of the commit, not of another branch");

    // The first commit changes again, so its report is that of the branch, and the second one has a report of its own.
    first.hit(&[2], 1);
    world.pull(0);
    write_site(world).assert_code(3);
    let of_second = format!("app/staging/th/master/{}/report.html", commits.short(1));
    assert_eq!(against(REPORT), None, "nothing was before the first commit");
    assert_eq!(against(&of_second), before("75.0%"), "a later row is no state before it");

    let written = read_page(world, &of_second);
    write_site(world).assert_code(3);
    assert!(read_page(world, &of_second) == written);
    world.execute("UPDATE goc_o_staging_service_cover SET deleted_at = created_at WHERE id = 2");
    write_site(world).assert_code(3);
    assert_eq!(against(&of_second), before("50.0%"), "the row before that is the last one now");
}

#[test]
fn a_report_is_written_without_comparison_where_the_clone_lacks_the_commit_before() {
    let commits = TwoCommits::new();
    let TwoCommits { world, source, .. } = &commits;
    let _second = commits.pulled();
    source.clone_into(world, &["--bare", "--depth=1", "--no-local"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://{address}/app.git\"\n"
    ));
    write_site(world).assert_code(0);
    let page = read_page(world, REPORT);
    assert!(verdict(&page).is_none() && page.contains("80.0%") && !page.contains("No source was read"));
    assert!(listener.accept().is_err(), "nothing is fetched for a comparison");

    fs::remove_dir_all(site_folder(world)).unwrap();
    let site = site_folder(world);
    let told = world.run(&["report", "--all", "--format", "site", "-v", "-o", site.to_str().unwrap()]);
    let (name, before) = (&commits.names[1], commits.short(0));
    told.assert_code(0).assert_stderr_contains(&format!(
        "{name}: not compared with row 1 of commit {before}: \"{}\" has no commit \"{before}\"",
        repository(world).display()
    ));
}

#[test]
fn a_report_is_written_without_comparison_where_the_profile_before_is_lost() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first_twice();
    world.center.remove(&first.url());
    let _second = world.start_counted(&commits.names[1], AFTER);
    world.pull(0);
    // The first row was superseded, so nothing else has its counts.
    world.execute(
        "UPDATE goc_o_staging_service_cover SET deleted_at = created_at, is_latest = 'n' WHERE id = 2",
    );
    let path: String = world.query("SELECT cov_file_path FROM goc_o_staging_service_cover WHERE id = 1");
    fs::remove_file(world.root().join(path)).unwrap();
    let site = site_folder(world);
    let told = world.run(&["report", "--all", "--format", "site", "-v", "-o", site.to_str().unwrap()]);
    told.assert_code(0).assert_stderr_contains(&format!(
        "{}: not compared with row 1 of commit {}: ",
        commits.names[1],
        commits.short(0)
    ));
    let page = read_page(world, REPORT);
    assert!(verdict(&page).is_none() && page.contains("80.0%"));
}

#[test]
fn missed_changed_lines_have_their_authors_where_the_configuration_names_people() {
    let commits = TwoCommits::new();
    let world = &commits.world;
    commits.source.clone_into(world, &["--bare"]);
    let first = commits.pulled_first();
    world.center.remove(&first.url());
    let _second = world.start_counted(&commits.names[1], &AFTER.replace("10.2 2 1", "10.2 2 0"));
    world.pull(0);
    let has_authors = || read_page(world, REPORT).contains(">t (1 line)</option>");
    write_site(world).assert_code(0);
    assert!(!has_authors());
    world.configure("[apps.app]\nblame = true\n");
    write_site(world).assert_code(0);
    assert!(has_authors());
}
