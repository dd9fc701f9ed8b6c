//! The pictures of the README show what the program does today.
//!
//! `GOC_WATCHDOG_UPDATE_DOCS=1 cargo test pictures` makes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use regex::Regex;
use serde_json::json;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::source::project_path;
use crate::readme::echo_repository;
use crate::sim::{BinaryProgram, Coverport};
use crate::terminals::{assert_fits, run_at};

/// The profile of the echo service that just started.
const RECORDED: &str = include_str!("fixtures/echo.cov");
const COLUMNS: u16 = 120;

/// The blocks of `RECORDED` that the start of the service executes, by where they begin.
const START: &str = "handlers/handlers.go:26.42 handlers/handlers.go:40.76 main.go:24.13 main.go:41.67 main.go:48.2 \
                     main.go:52.2 main.go:59.12 main.go:61.2";
/// The blocks of each request whose method is right.
const ANY_REQUEST: &str = "handlers/handlers.go:41.54 handlers/handlers.go:47.3 handlers/visits.go:18.35 \
                           handlers/visits.go:25.2 handlers/visits.go:28.2";
/// The blocks of `GET /`, beside those of each request.
const INDEX: &str = "handlers/handlers.go:52.62 handlers/handlers.go:57.2 handlers/handlers.go:58.45 \
                     handlers/visits.go:32.59 handlers/visits.go:36.53 textutil/textutil.go:65.54 \
                     textutil/textutil.go:67.21 textutil/textutil.go:70.2";
/// The blocks of `POST /mirror` with a text of two letters that are not the same.
const MIRROR: &str = "handlers/handlers.go:76.63 handlers/handlers.go:88.2 handlers/handlers.go:93.2 \
                      handlers/handlers.go:99.2 handlers/handlers.go:102.49 handlers/handlers.go:103.16 \
                      handlers/handlers.go:106.2 handlers/handlers.go:120.44 handlers/handlers.go:125.2 \
                      handlers/handlers.go:125.52 textutil/textutil.go:13.31 textutil/textutil.go:21.34 \
                      textutil/textutil.go:23.22 textutil/textutil.go:24.48 textutil/textutil.go:28.2 \
                      textutil/textutil.go:31.2 textutil/textutil.go:31.56 textutil/textutil.go:32.31 \
                      textutil/textutil.go:40.29 textutil/textutil.go:45.2 textutil/textutil.go:49.31 \
                      textutil/textutil.go:50.66 textutil/textutil.go:56.47 textutil/textutil.go:58.29 \
                      textutil/textutil.go:61.2";

/// Returns the numbers of blocks of `RECORDED`.
fn blocks(starts: &str) -> Vec<usize> {
    let all: Vec<&str> = RECORDED.lines().filter(|line| line.contains(".go:")).collect();
    let number = |start: &str| {
        let line = format!("example.com/echo/{start},");
        all.iter().position(|block| block.starts_with(&line)).expect("a block that begins there")
    };
    starts.split_whitespace().map(number).collect()
}

fn should_update() -> bool {
    std::env::var_os("GOC_WATCHDOG_UPDATE_DOCS").is_some()
}

/// Three replicas of the echo service with its repository; one of them does not answer any more.
struct EchoService {
    world: World,
    _replicas: Vec<Coverport>,
}

impl EchoService {
    fn start() -> Self {
        let (world, source) = (World::new(), echo_repository());
        let program = BinaryProgram::from_profile(RECORDED);
        let replicas: Vec<Coverport> = (0..3).map(|_| Coverport::start(&program)).collect();
        for replica in &replicas {
            replica.hit(&blocks(START), 1);
        }
        for (replica, parts, requests) in
            [(0, [ANY_REQUEST, INDEX], 40), (0, [ANY_REQUEST, MIRROR], 2), (1, [ANY_REQUEST, INDEX], 6)]
        {
            for part in parts {
                replicas[replica].hit(&blocks(part), requests);
            }
        }
        replicas[2].kill();
        let urls: Vec<String> = replicas.iter().map(Coverport::url).collect();
        let commit = &source.commit;
        let labels = json!({"env": "staging", "region": "th", "app": "echoserver", "branch": "main", "commit": commit});
        let targets = json!([{"targets": urls, "labels": labels}]);
        fs::write(world.home().join("targets.json"), targets.to_string()).unwrap();
        let repository = world.root().join("echoserver/repo");
        fs::create_dir_all(repository.parent().unwrap()).unwrap();
        source.git(&["clone", "--quiet", "--bare", ".", repository.to_str().unwrap()]);
        Self { world, _replicas: replicas }
    }

    /// Runs a command at a terminal, and returns what it prints, with times, ports and hashes that never change.
    fn recorded(&self, arguments: &[&str]) -> String {
        let (_, text) = run_at(&self.world, COLUMNS, arguments);
        assert_fits(&text, COLUMNS);
        let masks = [
            (r"[0-9a-f]{40}", "1d9a4c07e5b2f38a6c4e90d7b3f1528e6a0c9d47"),
            (r"127\.0\.0\.1:\d+", "10.2.3.4:53700"),
            (r"[\d.]+ KiB in [\d.]+ m?s", "3.9 KiB in 84 ms"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-11-30 09:00 UTC"),
            (r"confirmed \d+s ago", "confirmed 4s ago"),
            (r"in \d+[sm] +partial", "in 59s     partial"),
        ];
        masks.iter().fold(text, |text, (pattern, with)| {
            Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
        })
    }
}

/// Writes commands with their outputs as an animated picture: each part appears after the one before.
fn animated(session: &[(String, String)]) -> String {
    const LINE: usize = 18;
    let mut parts = String::new();
    let mut row = 1;
    for (number, (command, output)) in session.iter().enumerate() {
        let _ = write!(parts, "<g style=\"animation-delay:{}s\">", number * 2);
        for (index, line) in std::iter::once(&**command).chain(output.lines()).enumerate() {
            let kind = if index == 0 { " class=\"command\"" } else { "" };
            let text = line.replace('&', "&amp;").replace('<', "&lt;");
            let _ = write!(parts, "<text{kind} x=\"16\" y=\"{}\">{text}</text>", row * LINE + 10);
            row += 1;
        }
        parts.push_str("</g>\n");
        row += 1;
    }
    let (width, height) = (usize::from(COLUMNS) * 8 + 32, row * LINE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"goc-watchdog at a terminal\">\n<style>\n\
         rect {{ fill: #14171c; }}\n\
         text {{ fill: #d7dce3; font: 13.2px ui-monospace, Menlo, Consolas, monospace; white-space: pre; }}\n\
         .command {{ fill: #7fd1a3; }}\n\
         g {{ animation: appear 0.3s both; }}\n\
         @keyframes appear {{ from {{ opacity: 0; }} }}\n\
         @media (prefers-reduced-motion: reduce) {{ g {{ animation: none; }} }}\n\
         </style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n{parts}</svg>\n"
    )
}

#[test]
fn the_recording_shows_what_the_commands_print() {
    let service = EchoService::start();
    let commands: [&[&str]; 4] = [
        &["pull", "--targets", "targets.json"],
        &["list", "--offline"],
        &["total", "echoserver"],
        &["report", "echoserver", "--format", "text"],
    ];
    let session = commands
        .map(|arguments| (format!("$ goc-watchdog {}", arguments.join(" ")), service.recorded(arguments)));
    let picture = animated(&session);
    let path = project_path("docs/terminal.svg");
    if should_update() {
        fs::write(&path, &picture).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), picture);
}

#[test]
fn the_picture_of_a_page_is_small_and_of_the_size_that_the_browser_shows() {
    let Some(mut browser) = Browser::start() else { return };
    let service = EchoService::start();
    service.world.run(&["pull", "-q", "--targets", "targets.json"]).assert_code(3);
    let page = service.world.home().join("page.html");
    let form = format!("html={}", page.display());
    service.world.run(&["report", "echoserver", "-q", "--format", &form]).assert_code(0);
    browser.resize(1200, 760);
    browser.open_file(&page, "#file=example.com/echo/handlers/handlers.go&line=52");
    let taken = browser.screenshot();
    let path = PathBuf::from(project_path("docs/report.png"));
    if should_update() {
        fs::write(&path, &taken).unwrap();
    }
    let kept = fs::read(path).unwrap();
    assert!(kept.len() < 200_000, "{} bytes", kept.len());
    // The head of a PNG has its width and height.
    assert_eq!(kept[..24], taken[..24]);
}
