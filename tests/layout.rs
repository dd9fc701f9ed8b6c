//! The folders of `src/` use each other in one direction only.
//!
//! The paths after `use`, and those in the middle of the code, are read from the source text. Unit tests inside a file
//! may use what they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders from top to bottom. A folder uses those of the floors below its own, and no neighbour on its floor.
///
/// Files beside these folders serve several of them, and use the floors below `config`.
const FLOORS: [&[&str]; 9] = [
    &["commands", "cli"],
    &["site", "prune"],
    &["collect", "source"],
    &["io"],
    &["config"],
    &["fleet", "report"],
    &["carry", "together"],
    &["profile"],
    &["code"],
];

/// Folders without threads and locks.
const PURE: [&str; 5] = ["fleet", "carry", "together", "profile", "code"];

/// Threads, locks, channels and numbers that threads share.
const THREADS: [&str; 8] = [
    "std::thread",
    "std::sync::Mutex",
    "std::sync::Condvar",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "std::sync::atomic",
    "crate::parallel",
    "crate::memory",
];

/// Ways to touch the world, which the pure folders, the configuration and the forms of a report lack.
const WORLD: [&str; 8] =
    ["std::fs", "std::env", "std::net", "std::process", "print!", "println!", "eprint!", "eprintln!"];

/// Libraries, each with the one adapter that uses it.
const OF_ONE_ADAPTER: [(&str, &str); 2] = [("rusqlite", "store"), ("ureq", "center")];

/// Paths that hide what is used below them. A glob reads like its bare path here.
const BARE: [&str; 4] = ["crate", "crate::io", "std", "std::sync"];

/// Uses among the adapters, which are strangers to each other else.
const BETWEEN_ADAPTERS: [(&str, &str); 7] = [
    // A wait ends when a signal comes.
    ("clock", "signals"),
    // The deadline of a run ends its requests.
    ("center", "clock"),
    // An error names the owner of a folder.
    ("workdir", "users"),
    // Programs are started, and their pipes waited for, in one way.
    ("git", "process"),
    ("targets", "process"),
    // A command ends with its deadline, or when a signal comes.
    ("targets", "clock"),
    ("targets", "signals"),
];

/// Uses that the rules would forbid, each by one file.
const EXCEPTIONS: [(&str, &str); 8] = [
    // A reservation of memory grows while an answer streams in, and waits for those of other threads.
    ("profile/reader.rs", "crate::memory::Reservation"),
    ("profile/limits.rs", "crate::memory::MemoryExhausted"),
    // Ids are handed to threads.
    ("fleet/ids.rs", "std::sync::atomic::AtomicI64"),
    ("fleet/ids.rs", "std::sync::atomic::Ordering"),
    // The address of a pod is a value; nothing is connected to it.
    ("fleet/snapshot/mod.rs", "std::net::IpAddr"),
    // So are the ranges of addresses that may be asked.
    ("config/addresses.rs", "std::net::IpAddr"),
    ("config/addresses.rs", "std::net::Ipv4Addr"),
    ("config/addresses.rs", "std::net::Ipv6Addr"),
];

/// A path that a file of `src/` uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Usage {
    /// Below `src/`.
    file: String,
    /// From the crate or library on; a macro that prints with its `!`.
    path: String,
}

/// Returns the position of a folder in [`FLOORS`].
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

impl Usage {
    fn new(file: &str, path: &str) -> Self {
        Self { file: file.to_owned(), path: path.to_owned() }
    }

    /// Returns the folder of the file; of an adapter, its name.
    fn room(&self) -> (&str, &str) {
        let mut parts = self.file.trim_end_matches(".rs").split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    fn is_of(&self, forbidden: &str) -> bool {
        self.path.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }

    fn is_of_any(&self, forbidden: &[&str]) -> bool {
        forbidden.iter().any(|path| self.is_of(path))
    }

    /// Tells whether the rules of the layout forbid this.
    fn is_forbidden(&self) -> bool {
        let (room, adapter) = self.room();
        if OF_ONE_ADAPTER.iter().any(|(library, home)| self.is_of(library) && (room, adapter) != ("io", home))
        {
            return true;
        }
        if matches!(room, "commands" | "cli" | "lib" | "main") {
            return false;
        }
        if EXCEPTIONS.contains(&(self.file.as_str(), self.path.as_str())) {
            return false;
        }
        let is_pure = PURE.contains(&room);
        BARE.contains(&self.path.as_str())
            || self.is_upward()
            || floor(room).is_some() && self.is_of("clap")
            || room == "io" && self.is_other_adapter(adapter)
            || is_pure && self.is_of_any(&THREADS)
            || (is_pure || matches!(room, "config" | "report")) && self.is_of_any(&WORLD)
    }

    /// Tells whether the path belongs to a folder above that of the file, or beside it.
    fn is_upward(&self) -> bool {
        let (room, _) = self.room();
        let Some(used) = self.path.strip_prefix("crate::").and_then(|path| path.split("::").next()) else {
            return false;
        };
        let own = floor(room).or_else(|| floor("config"));
        used != room && floor(used).is_some() && floor(used) <= own
    }

    fn is_other_adapter(&self, adapter: &str) -> bool {
        let Some(used) = self.path.strip_prefix("crate::io::").and_then(|path| path.split("::").next())
        else {
            return false;
        };
        used != adapter && !BETWEEN_ADAPTERS.contains(&(adapter, used))
    }
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the length of the string or character that the text begins with.
fn literal_len(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    match chars.next()? {
        '"' => {
            let mut is_escaped = false;
            let end = text[1..].find(|c| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            Some(end.map_or(text.len(), |end| end + 2))
        }
        'r' => {
            let hashes = text[1..].len() - text[1..].trim_start_matches('#').len();
            let end = format!("\"{}", &text[1..=hashes]);
            let inner = text[1 + hashes..].strip_prefix('"')?;
            Some(inner.find(&end).map_or(text.len(), |at| 1 + hashes + 1 + at + end.len()))
        }
        '\'' if text.starts_with("'\\") => text.get(3..)?.find('\'').map(|at| at + 4),
        '\'' => {
            let len = chars.next()?.len_utf8();
            (chars.next() == Some('\'')).then_some(len + 2)
        }
        _ => None,
    }
}

/// Returns the identifiers and the signs of a source text, without comments, strings and unit tests.
fn tokens(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else {
            literal_len(rest)
        };
        if let Some(len) = skipped {
            rest = &rest[len..];
            continue;
        }
        let len = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(rest[..len].to_owned());
        }
        rest = &rest[len..];
    }
    without_unit_tests(tokens)
}

/// Takes `#[cfg(test)] mod NAME { .. }` away; `mod NAME;` says nothing of what follows it.
fn without_unit_tests(mut tokens: Vec<String>) -> Vec<String> {
    const BEGIN: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut at = 0;
    while at + BEGIN.len() + 1 < tokens.len() {
        let body = at + BEGIN.len() + 1;
        if tokens[at..].iter().zip(BEGIN).any(|(token, begin)| token != begin) || tokens[body] != "{" {
            at += 1;
            continue;
        }
        let mut depth = 0;
        let end = tokens[body..].iter().position(|token| {
            depth += i32::from(token == "{") - i32::from(token == "}");
            depth == 0
        });
        tokens.drain(at..=end.map_or(tokens.len() - 1, |end| body + end));
    }
    tokens
}

/// Reads a path with its groups from `at` on, where `prefix` came before; returns the position behind it.
fn read_path(tokens: &[String], mut at: usize, prefix: &[String], paths: &mut BTreeSet<String>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = read_path(tokens, at, &path, paths).max(at + 1);
                    // A comma, or `as` with a name.
                    while tokens.get(at).is_some_and(|token| token != "," && token != "}") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("super") => drop(path.pop()),
            Some("self" | "*") => {}
            Some(word) if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_owned());
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    paths.insert(path.join("::"));
    at
}

/// Returns the paths that a file uses.
fn paths(file: &str, text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module.insert(0, "crate".to_owned());
    let mut paths = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1).map(String::as_str);
        let prefix: Option<&[String]> = match tokens[at].as_str() {
            "crate" | "std" | "clap" | "rusqlite" | "ureq" => Some(&[]),
            "super" | "self" => Some(&module),
            "print" | "println" | "eprint" | "eprintln" if next == Some("!") => {
                paths.insert(format!("{}!", tokens[at]));
                None
            }
            _ => None,
        };
        at = match prefix {
            // A root that another name is given to, as in `use crate as c`, is a path, too.
            Some(prefix) if matches!(next, Some("::" | "as")) => read_path(&tokens, at, prefix, &mut paths),
            _ => at + 1,
        };
    }
    paths
}

#[test]
fn paths_are_read_with_their_groups() {
    let text = "use crate::io::{clock, store::{self, Store as S}};\nuse super::ids::KeyId;\n// crate::a::b\n\
                fn f() -> std::sync::Mutex<u8> { crate::commands::warn(\"\") }\n\n#[cfg(test)]\nmod tests {\n    \
                use crate::io::git;\n}\n";
    let expected = [
        "crate::commands::warn",
        "crate::fleet::ids::KeyId",
        "crate::io::clock",
        "crate::io::store",
        "crate::io::store::Store",
        "std::sync::Mutex",
    ];
    assert_eq!(paths("fleet/row.rs", text), expected.map(str::to_owned).into());
}

#[test]
fn paths_are_read_in_each_spelling() {
    for (text, expected) in [
        ("#[cfg(test)]\nmod x;\n\nuse crate::io::git;", &["crate::io::git"][..]),
        ("#[cfg(test)]\nmod x {\n    fn f() { '{' }\n}\nuse crate::io::git;", &["crate::io::git"]),
        ("use std::sync;", &["std::sync"]),
        ("use std::sync as s;", &["std::sync"]),
        ("use std::{sync as s, fmt};", &["std::fmt", "std::sync"]),
        ("use std::sync::*;", &["std::sync"]),
        ("use std as s;", &["std"]),
        ("use ::std::thread;", &["std::thread"]),
        ("use crate as c;", &["crate"]),
        ("use crate::{self as c};", &["crate"]),
        ("use super::super::*;", &["crate"]),
        ("use crate::io;", &["crate::io"]),
        ("pub(crate) fn f(self) {}", &[]),
        ("fn f() { println!(\"crate::a\") }", &["println!"]),
        ("f(\"http://a\", std::fs::read)", &["std::fs::read"]),
        ("f(r#\"\"//\"#, '\"', '\\'', \"\\\"//\", std::fs::read)", &["std::fs::read"]),
        ("fn f<'a>(a: &'a std::path::Path) {} // std::fs", &["std::path::Path"]),
        ("rusqlite::Error", &["rusqlite::Error"]),
    ] {
        let expected: BTreeSet<String> = expected.iter().map(|&path| path.to_owned()).collect();
        assert_eq!(paths("fleet/row.rs", text), expected, "{text}");
    }
}

#[test]
fn a_forbidden_use_is_found() {
    for (file, path, expected) in [
        ("fleet/row.rs", "crate::io::store::Store", true),
        ("fleet/row.rs", "std::sync::Mutex", true),
        ("fleet/row.rs", "std::sync::atomic::AtomicI64", true),
        ("fleet/ids.rs", "std::sync::atomic::AtomicI64", false),
        ("fleet/row.rs", "std::sync::Arc", false),
        ("fleet/row.rs", "std::sync", true),
        ("fleet/row.rs", "std::env::var", true),
        ("fleet/row.rs", "crate", true),
        ("fleet/row.rs", "crate::profile::Build", false),
        ("fleet/row.rs", "crate::report::Report", true),
        ("profile/parse.rs", "crate::fleet::row::Row", true),
        ("profile/parse.rs", "crate::memory::Reservation", true),
        ("profile/reader.rs", "crate::memory::Reservation", false),
        ("code/patch.rs", "println!", true),
        ("report/text.rs", "clap::ValueEnum", true),
        ("report/text.rs", "crate::fleet::row::Row", true),
        ("report/text.rs", "std::fs::read", true),
        ("report/text.rs", "eprintln!", true),
        ("report/html/packs.rs", "std::thread", false),
        ("io/store/mod.rs", "crate::io::git", true),
        ("io/store/mod.rs", "crate::io", true),
        ("io/store/mod.rs", "crate::io::store::Writer", false),
        ("io/store/mod.rs", "rusqlite::Connection", false),
        ("io/workdir/mod.rs", "rusqlite::Connection", true),
        ("io/center/dial.rs", "ureq::Error", false),
        ("io/git/mod.rs", "ureq::Error", true),
        ("io/clock.rs", "crate::io::signals::Signals", false),
        ("io/clock.rs", "crate::collect::fleet", true),
        ("collect/pull.rs", "crate::commands::Context", true),
        ("collect/pull.rs", "crate::cli::Global", true),
        ("collect/pull.rs", "crate::prune::Inputs", true),
        ("collect/pull.rs", "crate::source::Subject", true),
        ("collect/pull.rs", "crate::collect::run::Run", false),
        ("collect/pull.rs", "crate::io::clock", false),
        ("source/base.rs", "crate::site::Site", true),
        ("source/base.rs", "crate::collect::fleet", true),
        ("site/mod.rs", "crate::prune::Inputs", true),
        ("site/mod.rs", "crate::source::Subject", false),
        ("prune/removal.rs", "crate::site::Site", true),
        ("prune/removal.rs", "crate::collect::fleet", false),
        ("commands/pull/mod.rs", "crate::collect::pull", false),
        ("commands/pull/mod.rs", "rusqlite::Error", true),
        ("config/pull.rs", "clap::ValueEnum", true),
        ("config/pull.rs", "crate::io::clock", true),
        ("config/pull.rs", "std::fs::read", true),
        ("config/pull.rs", "crate::fleet::pull_rules::PullRules", false),
        ("io/center/options.rs", "crate::config::PullConfig", false),
        ("fleet/pull_rules.rs", "crate::config::PullConfig", true),
        ("filter.rs", "crate::config::Config", true),
        ("filter.rs", "crate::io::clock", true),
        ("filter.rs", "crate::commands::Context", true),
        ("filter.rs", "crate::profile::Build", false),
    ] {
        assert_eq!(Usage::new(file, path).is_forbidden(), expected, "{file}: {path}");
    }
}

#[test]
fn folders_use_each_other_in_one_direction_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    let mut usages = BTreeSet::new();
    for path in files {
        let file = path.strip_prefix(&root).expect("below src").display().to_string();
        let text = fs::read_to_string(&path).expect("a source file");
        usages.extend(paths(&file, &text).iter().map(|path| Usage::new(&file, path)));
    }
    for (file, path) in EXCEPTIONS {
        assert!(usages.contains(&Usage::new(file, path)), "{file} needs no exception for {path}");
    }
    usages.retain(Usage::is_forbidden);
    assert_eq!(usages, BTreeSet::new());
}
