//! Text from outside in messages must be no command of a CI runner, no escape of a terminal, and no secret of a URL.

use std::io::Write as _;
use std::process::Command;

use crate::harness::git_server::answer_each;
use crate::harness::source::Source;
use crate::harness::{ECHO, Output, World, has_program, output_of};
use crate::sim::{Behaviour, Program};

/// Fails where a line is a command of a workflow, or where a control character reaches a terminal raw.
#[track_caller]
fn assert_harmless(text: &str) {
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    assert!(!text.contains("##[") && !text.contains(['\u{1b}', '\u{7}']), "{text:?}");
}

#[test]
fn a_changed_file_whose_name_begins_with_colons_is_no_command_of_a_workflow() {
    const NAME: &str = "::error title=x::y.go";
    const BEFORE: &str = "package main\n\nfunc main() {\n\trun(1)\n}\n";
    let mut source =
        Source::from_files(&[(NAME, BEFORE.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    std::fs::write(source.folder.path().join(NAME), BEFORE.replace("run(1)", "run(2)")).unwrap();
    source.commit_all();
    let world = World::new();
    let _agent = world.start(
        &source.service_name(),
        &Program::from_profile(&format!("example.com/app/{NAME}:3.13,5.2 1\n")),
    );
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    for format in ["diff", "diff-json", "diff-markdown"] {
        let report = world.run(&["report", "app", "--base=parent", "--format", format]).assert_code(0);
        assert_harmless(&report.stdout);
        assert_harmless(&report.stderr);
    }
    let report = world.run(&["report", "app", "--base=parent", "--format", "diff"]).assert_code(0);
    let line = r"\u{3a}:error title=x::y.go: 0 of 1 changed lines";
    assert!(report.stdout.lines().any(|found| found == line), "{}", report.stdout);
    // Each of our own commands is one line, whatever the names in it hold.
    let report = world.run(&["report", "app", "--base=parent", "--format", "diff-github"]).assert_code(0);
    for line in report.stdout.lines() {
        assert!(line.starts_with("::warning file=") || line.starts_with("::notice title="), "{line}");
        assert!(!line.contains("::error"), "{line}");
    }
}

fn http(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn text_of_a_git_server_is_shown_without_commands_escapes_and_secrets() {
    const ANSWER: &str =
        "denied\n::error::owned\u{1b}]0;x\u{7}\n##[error]x\nsee https://me:hush@h/r.git?token=hush\n";
    let source = Source::from_files(&[("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let _agent =
        world.start(&source.service_name(), &Program::from_profile("example.com/app/main.go:3.13,5.2 1\n"));
    world.pull(0);
    let refused = format!("{:04x}ERR {ANSWER}", ANSWER.len() + 8);
    let advertisement = format!("001e# service=git-upload-pack\n0000{refused}");
    for (what, answer, shown) in [
        (
            "a refusal of git's protocol",
            http("200 OK", "application/x-git-upload-pack-advertisement", &advertisement),
            r"\u{3a}:error::owned",
        ),
        ("a page beside a status", http("403 Forbidden", "text/plain", ANSWER), "remote: ::error::owned"),
        ("a status alone", http("404 Not Found", "text/html", ""), "not found"),
        ("no HTTP", ANSWER.as_bytes().to_vec(), "unable to access"),
    ] {
        let address = answer_each(move |_, stream| drop(stream.write_all(&answer)));
        for url in [
            format!("http://me:hush@{address}/r.git?token=hush"),
            format!("http://me:hu%2Fsh@{address}/r.git?a=hush&token=hu/sh"),
            format!("http://hush@{address}/r.git"),
        ] {
            world.configure(&format!("[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"{url}\"\n"));
            for options in [&[][..], &["-v"], &["--offline"]] {
                let output = world.run(&[&["report", "app"][..], options].concat()).assert_code(1);
                assert_harmless(&output.stderr);
                let has_secret =
                    ["hush", "hu/sh", "hu%2Fsh"].iter().any(|secret| output.stderr.contains(secret));
                assert!(!has_secret, "{what}: {url}: {}", output.stderr);
                assert!(
                    options == ["--offline"] || output.stderr.contains(shown),
                    "{what}: {}",
                    output.stderr
                );
            }
        }
    }
    // Git repeats the URL in its message when the protocol is not allowed or does not exist.
    for url in ["http://me:hush@127.0.0.1:1/r.git?token=hush", "ext::sh -c hush% x://me:hush@h/"] {
        world.configure(&format!("[apps.app]\nrepo = \"{url}\"\n"));
        let output = world.run(&["report", "app"]).assert_code(1).assert_stderr_contains("not allowed");
        assert!(!output.stderr.contains(":hush"), "{}", output.stderr);
    }
}

/// Runs the binary at a terminal of its own, and returns everything that it shows there.
fn run_at_terminal(world: &World, arguments: &str) -> Option<Output> {
    if !has_program(&["script", "--version"]) {
        return None;
    }
    let mut script = Command::new("script");
    world.set_environment(&mut script);
    let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_goc-watchdog"));
    Some(output_of(script.env("SHELL", "/bin/sh").args(["-qec", &command, "/dev/null"])))
}

#[test]
fn a_profile_passed_on_to_a_real_terminal_has_no_escapes_of_the_process() {
    let (world, agents) = World::with_echo(1);
    let body = "mode: count\n\u{1b}]0;owned\u{7}\u{9b}31m\n::error::x\nrest";
    agents[0].behave(Behaviour::Body(body.as_bytes().to_vec()));
    let address = agents[0].url();
    let Some(shown) = run_at_terminal(&world, &format!("pull --raw --address {address}")) else { return };
    assert_harmless(&shown.stdout);
    assert!(!shown.stdout.contains('\u{9b}'), "{:?}", shown.stdout);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines[..4], ["mode: count", r"\u{1b}]0;owned\u{7}\u{9b}31m", r"\u{3a}:error::x", "rest"]);
    // A pipe gets the bytes unchanged.
    assert_eq!(world.run(&["pull", "--raw", "--address", &address]).stdout, body);
}

#[test]
fn names_of_a_center_do_not_reach_a_real_terminal_raw() {
    let world = World::new();
    world.center.register_url("::error::\u{1b}]0;owned\u{7}", "http://127.0.0.1:1");
    for arguments in ["list --color never", "pull --force --color never", "prune --color never"] {
        let Some(shown) = run_at_terminal(&world, arguments) else { return };
        assert!(!shown.stdout.contains("\u{1b}]0;owned") && !shown.stdout.contains('\u{7}'), "{shown:?}");
        assert!(!shown.stdout.lines().any(|line| line.trim_start().starts_with("::")), "{shown:?}");
    }
}

#[test]
fn no_message_shows_the_password_or_the_query_of_a_center_s_url() {
    let commands: [&[&str]; 9] = [
        &["pull", "--force"],
        &["pull", "--dry-run"],
        &["pull", ECHO],
        &["pull", "--raw", ECHO],
        &["prune"],
        &["list"],
        &["list", "--format", "prometheus"],
        &["list", "--explain", "echoserver"],
        &["-v", "list", "--format", "json"],
    ];
    let answers = [
        ("500 Internal Server Error", "no"),
        ("302 Found", "no"),
        ("200 OK", "not JSON"),
        ("200 OK", "[]"),
        ("401 Unauthorized", "no"),
    ];
    for is_stored in [false, true] {
        let (world, _agents) = World::with_covered_echo();
        if is_stored {
            world.pull(0);
        }
        let address = world.center.url().trim_start_matches("http://").to_owned();
        for url in [
            format!("http://me:hush@{address}/?token=hush"),
            format!("http://me:hu/hush@{address}"),
            "http://me:hush@127.0.0.1:1/a?token=hush".to_owned(),
            "http://me:hush@h:99999#hush".to_owned(),
            "ftp://me:hush@h".to_owned(),
        ] {
            // Only the first of these URLs reaches the center.
            let reached = if url.contains("/?token=") { &answers[..] } else { &answers[..1] };
            for (status, body) in reached {
                world.center.set_list_answer(status, body);
                for arguments in commands {
                    let mut command = world.command(arguments);
                    let output = output_of(command.env("GOC_CENTER", &url));
                    let shown = format!("{}{}", output.stdout, output.stderr);
                    assert!(!shown.contains("hush"), "{url} {arguments:?} {status}: {shown}");
                }
            }
        }
    }
}
