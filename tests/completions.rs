//! Completions, tried in the shells that they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use goc_watchdog::cli::Cli;
use tempfile::TempDir;

use crate::harness::source::project_path;
use crate::harness::{World, echo, has_program};

/// Command lines up to the cursor, with the words that may follow there.
type Completions = BTreeMap<String, BTreeSet<String>>;

/// Returns the words that every shell must offer, from the definition of the command line.
fn expected_completions() -> Completions {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let mut cli = Cli::command();
    cli.build();
    let mut defined: Completions = BTreeMap::new();
    for command in cli.get_subcommands() {
        let options = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let options = options.filter_map(|option| Some(format!("--{}", option.get_long()?)));
        defined.insert(format!("goc-watchdog {} --", command.get_name()), options.collect());
    }
    let report = cli.find_subcommand("report").unwrap();
    let format = report.get_arguments().find(|argument| argument.get_long() == Some("format")).unwrap();
    let forms = format.get_possible_values();
    let forms = forms.iter().map(|form| form.get_name().to_owned()).collect();
    defined.insert("goc-watchdog report --format ".to_owned(), forms);
    defined.insert("goc-watchdog rep".to_owned(), words(&["report"]));
    defined.insert("goc-watchdog pull --to-i".to_owned(), words(&["--to-inbox"]));
    defined.insert("goc-watchdog --color never report app --sort u".to_owned(), words(&["uncovered"]));
    defined
}

/// Asks a shell for its completions, by a script that prints each line as `> LINE`, then the words offered at its end.
fn completions_by(shell: &[&str], lines: &Completions) -> Completions {
    // The program itself is asked for services.
    let binary = Path::new(env!("CARGO_BIN_EXE_goc-watchdog")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(iter::once(binary).chain(std::env::split_paths(&path))).unwrap();
    let home = TempDir::new().unwrap();
    fs::copy(project_path("tests/fixtures/completions/zshrc"), home.path().join(".zshrc")).unwrap();
    let script = project_path(&format!("tests/fixtures/completions/complete.{}", shell[0]));
    // The limit of time ends a shell that asks a question back, which would wait for an answer for ever.
    let mut process = Command::new("timeout")
        .arg("300")
        .args(shell)
        .arg(script)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home.path())
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .env("COMPLETIONS", project_path("completions"))
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    for line in lines.keys() {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut offered = Completions::new();
    let mut line = "";
    for word in text.lines() {
        match word.strip_prefix("> ") {
            Some(next) => line = next,
            None if word.is_empty() => {}
            None => {
                offered.entry(line.to_owned()).or_default().insert(word.to_owned());
            }
        }
    }
    offered
}

fn assert_completes(shell: &[&str]) {
    if has_program(&[shell[0], "--version"]) {
        let defined = expected_completions();
        assert_eq!(completions_by(shell, &defined), defined);
        let (_world, mut services) = known_services();
        let offered = completions_by(shell, &services);
        if shell[0] != "fish" {
            // Fish puts a word into quotes when it inserts it.
            for words in services.values_mut() {
                *words = words.iter().map(|word| quoted(word)).collect();
            }
        }
        assert_eq!(offered, services);
    }
}

fn quoted(word: &str) -> String {
    let quoted = word.chars().map(|c| if " $()".contains(c) { format!("\\{c}") } else { c.to_string() });
    quoted.collect()
}

/// Returns a world with services, and command lines with those that every shell must offer.
fn known_services() -> (World, Completions) {
    let world = World::new();
    let names = [
        "staging_th_cart_master_0000001",
        "staging_th_cart-v2_fix_0000002",
        "staging_th_pay_master_0000003",
        "staging_th_$(touch x)_master_0000004",
        "staging_th_my (cart)_master_0000007",
        "staging_th_\u{fc}ber_master_0000005",
        "staging_th_odd\u{1b}_master_0000006",
    ];
    let _agents = names.map(|name| world.start(name, &echo()));
    world.pull(0);
    let root = world.root();
    let offered = [
        ("total ca", &["cart", "cart-v2"][..]),
        ("report staging_th_cart", &names[..2]),
        ("history p", &["pay"]),
        ("list pay car", &["cart", "cart-v2"]),
        ("list --explain p", &["pay"]),
        ("report cart --against staging_th_p", &names[2..3]),
        ("total cart --max-drop 1 --against staging_th_p", &names[2..3]),
        ("total --fail-under 80 p", &["pay"]),
        ("total staging_th_m", &names[4..5]),
        ("total \u{fc}", &["\u{fc}ber"]),
        ("total \"\u{fc}", &["\u{fc}ber"]),
    ];
    let line = |(line, words): &(&str, &[&str])| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        (format!("goc-watchdog --root {} {line}", root.display()), words)
    };
    let services = offered.iter().map(line).collect();
    (world, services)
}

#[test]
fn bash_completes_every_option_of_every_command() {
    assert_completes(&["bash", "--norc"]);
}

#[test]
fn zsh_completes_every_option_of_every_command() {
    assert_completes(&["zsh", "-f"]);
}

#[test]
fn fish_completes_every_option_of_every_command() {
    assert_completes(&["fish", "--no-config"]);
}
