//! The README and the pages in `docs/` do what they say: their commands work when they are pasted one after the other,
//! their crontabs and configurations are accepted, and their links lead somewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use goc_watchdog::cli::Cli;
use goc_watchdog::config::Config;

use crate::examples::{cron_line, shell};
use crate::harness::go::Go;
use crate::harness::source::{Source, project_path};
use crate::harness::{World, output_of};
use crate::sim::ReservedPort;

const README: &str = "README.md";
const README_IN_CHINESE: &str = "README.zh-CN.md";

/// The pages for users, in an order in which their commands work.
const PAGES: [&str; 8] = [
    README,
    "docs/concepts.md",
    "docs/install.md",
    "docs/kubernetes.md",
    "docs/metrics.md",
    "docs/reports.md",
    "docs/schedule.md",
    "docs/work-directory.md",
];

/// The commands for a newcomer, which the gate runs by itself.
const OF_THE_GATE: [&str; 2] = ["cargo run --profile quickstart --example quickstart\n", "cargo test\n"];

fn page(name: &str) -> String {
    fs::read_to_string(project_path(name)).unwrap()
}

/// Returns the blocks of a page in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let rest = page.split(&fence).skip(1);
    rest.map(|rest| rest.split_once("```").expect("an end of the block").0.to_owned()).collect()
}

/// Makes the repository of the echo service, with two commits.
pub(crate) fn echo_repository() -> Source {
    let file = |name: &str| fs::read(project_path("examples/echo/") + name).unwrap();
    let names = ["go.mod", "main.go", "handlers/handlers.go", "handlers/visits.go", "textutil/textutil.go"];
    let texts = names.map(|name| (name, file(name)));
    let files: Vec<(&str, &[u8])> = texts.iter().map(|(name, text)| (*name, &text[..])).collect();
    let mut source = Source::from_files(&files);
    let main = source.folder.path().join("main.go");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text.replace("echo: listening on", "echo: listens on")).unwrap();
    source.commit_all();
    source
}

/// Returns the cache of builds, without which Go would compile its standard library first.
fn go_cache() -> String {
    output_of(Command::new("go").args(["env", "GOCACHE"])).assert_code(0).stdout
}

#[test]
fn commands_of_all_pages_work_when_they_are_pasted_one_after_the_other() {
    if Go::installed("the commands of the README were not run").is_none() {
        return;
    }
    let (world, source) = (World::new(), echo_repository());
    let repository = world.home().join("echoserver");
    fs::rename(source.folder.path(), &repository).unwrap();
    symlink(project_path(""), world.home().join("goc-watchdog")).unwrap();

    let port = ReservedPort::local().address().port().to_string();
    let log = world.home().join("service.log");
    let mut commands = String::from("trap 'kill $(jobs -p)' EXIT\n");
    for block in PAGES.iter().flat_map(|name| blocks(&page(name), "sh")) {
        if OF_THE_GATE.contains(&&*block) {
            continue;
        }
        commands += &block
            .replace("53700", &port)
            .replace("./echoserver &", &format!("./echoserver -addr 127.0.0.1:0 2>{} &", log.display()));
        if block.contains("./echoserver &") {
            // A person pastes the next command only after the service said that it listens.
            writeln!(commands, "grep -qm1 'agent: listening' <(tail -F -n +1 {} 2>&-)", log.display())
                .unwrap();
        }
    }
    let mut pasted = shell(&world, &["timeout", "120", "bash", "-euo", "pipefail", "-c", &commands]);
    pasted.current_dir(&repository).env_remove("GOC_CENTER").env("COVERAGE_PORT", &port);
    pasted.envs([("GOPROXY", "off"), ("GOWORK", "off"), ("GOCACHE", go_cache().trim_end())]);
    for person in ["AUTHOR", "COMMITTER"] {
        pasted.env(format!("GIT_{person}_NAME"), "t").env(format!("GIT_{person}_EMAIL"), "t@example.com");
    }
    let output = output_of(&mut pasted).assert_code(0);

    assert!(output.stdout.contains("\n19.8\n"), "the total: {}", output.stdout);
    assert!(output.stdout.contains("(statements)\t19.8%"), "the table of functions: {}", output.stdout);
    for file in ["coverage.html", "changes.html", "coverage-site/index.html", "backup/sqlite.db"] {
        assert!(repository.join(file).exists(), "{file}");
    }
    assert!(!output.stderr.contains("warning"), "{}", output.stderr);
}

#[test]
fn crontabs_of_the_pages_are_accepted_by_cron_and_by_the_program() {
    let mut commands = 0;
    for name in PAGES {
        for block in blocks(&page(name), "crontab") {
            assert!(block.contains("PATH=/usr/local/bin:"), "{name}: cron's own PATH lacks the binary");
            let lines = block.lines().filter(|line| !line.starts_with(['#', 'P']));
            for line in lines {
                let (_, command) = cron_line(line).unwrap_or_else(|| panic!("cron does not take: {line}"));
                let words = command.split_whitespace().skip_while(|word| word.starts_with("GOC_"));
                Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
                commands += 1;
            }
        }
    }
    assert!(commands >= 5, "{commands}");
}

#[test]
fn commands_that_are_only_shown_are_accepted_by_the_program() {
    let mut commands = 0;
    for name in PAGES {
        for line in blocks(&page(name), "text").iter().flat_map(|block| block.lines()) {
            let command = line.rsplit(" | ").next().unwrap().split('#').next().unwrap();
            if command.starts_with("goc-watchdog ") {
                Cli::try_parse_from(command.split_whitespace())
                    .unwrap_or_else(|error| panic!("{name}: {line}: {error}"));
                commands += 1;
            }
        }
        for block in blocks(&page(name), "toml") {
            Config::parse(&block, name).unwrap();
        }
        for block in blocks(&page(name), "yaml") {
            let _: serde_json::Value = serde_saphyr::from_str(&block).unwrap();
        }
    }
    assert!(commands >= 5, "{commands}");
}

#[test]
fn metrics_that_alerts_name_are_written() {
    let (world, _agents) = World::with_pulled_echo();
    let written = world.run(&["list", "--format", "prometheus"]).assert_code(0).stdout;
    let alerts = blocks(&page("docs/metrics.md"), "yaml").concat();
    let named: BTreeSet<&str> = alerts
        .split(|c: char| !c.is_ascii_lowercase() && c != '_')
        .filter(|word| word.starts_with("goc_watchdog_"))
        .collect();
    assert!(named.len() >= 3, "{named:?}");
    for name in named {
        assert!(written.contains(&format!("\n{name}{{")), "{name}");
    }
}

#[test]
fn links_of_the_pages_lead_to_files() {
    for name in PAGES.into_iter().chain([README_IN_CHINESE]) {
        let text = page(name);
        let folder = Path::new(name).parent().unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
            if !target.starts_with("https://") {
                let path = project_path(folder.join(target).to_str().unwrap());
                assert!(Path::new(&path).exists(), "{name}: {target}");
            }
        }
    }
    let docs = fs::read_dir(project_path("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let names = pages.map(|path| format!("docs/{}", path.file_name().unwrap().display()));
    let known = |name: &String| PAGES.contains(&&**name) || name == "docs/architecture.md";
    assert_eq!(names.filter(|name| !known(name)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_readme_is_short_and_has_the_same_commands_in_both_languages() {
    let (english, chinese) = (page(README), page(README_IN_CHINESE));
    assert!(english.lines().count() <= 150);
    for language in ["sh", "text", "crontab"] {
        let without_comments = |page: &str| -> Vec<String> {
            let lines = blocks(page, language).join("---\n");
            lines.lines().map(|line| line.split("   #").next().unwrap().trim_end().to_owned()).collect()
        };
        assert_eq!(without_comments(&english), without_comments(&chinese), "{language}");
    }
}
