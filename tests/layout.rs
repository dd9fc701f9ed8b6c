//! The folders of `src/` use each other in one direction only.
//!
//! The paths after `use`, and those in the middle of the code, are read from the source text. Unit tests at the end of a
//! file may use what they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that do the work of the commands.
const ENGINES: [&str; 4] = ["site", "prune", "collect", "source"];

/// Folders without I/O, threads and locks.
const PURE: [&str; 3] = ["fleet", "profile", "code"];

/// Threads, locks and channels.
const THREADS: [&str; 6] = [
    "std::thread",
    "std::sync::Mutex",
    "std::sync::Condvar",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "crate::parallel",
];

/// Uses among the adapters, which are strangers to each other else.
const BETWEEN_ADAPTERS: [(&str, &str); 3] = [
    // A wait ends when a signal comes.
    ("clock", "signals"),
    // The deadline of a run ends its requests.
    ("center", "clock"),
    // An error names the owner of a folder.
    ("workdir", "users"),
];

/// Files that still use a room above theirs, each with the first part of the path.
const LEFT: [(&str, &str); 0] = [];

/// A path that a file of `src/` uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Usage {
    /// Below `src/`.
    file: String,
    /// From `crate`, `std` or `clap` on.
    path: String,
}

impl Usage {
    /// Returns the folder of the file; of an adapter, its name.
    fn room(&self) -> (&str, &str) {
        let mut parts = self.file.trim_end_matches(".rs").split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    fn is_of(&self, forbidden: &str) -> bool {
        self.path.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }

    /// Tells whether the rules of the layout forbid this.
    fn is_forbidden(&self) -> bool {
        let (room, adapter) = self.room();
        let uses = |path: &str| self.is_of(path);
        let uses_any = |rooms: &[&str]| rooms.iter().any(|room| uses(&format!("crate::{room}")));
        let is_above = uses_any(&ENGINES) || uses("crate::commands") || uses("crate::cli");
        match room {
            "commands" | "cli" | "lib" | "main" => false,
            _ if uses("crate::commands") || uses("crate::cli") => true,
            _ if ENGINES.contains(&room) => uses("clap"),
            "io" => is_above || uses("clap") || self.is_other_adapter(adapter),
            "report" => is_above || uses("clap") || uses("crate::io"),
            _ if PURE.contains(&room) => {
                let upward = match room {
                    "fleet" => &["report"][..],
                    "profile" => &["report", "fleet"],
                    _ => &["report", "fleet", "profile"],
                };
                let is_threaded = THREADS.iter().any(|path| uses(path));
                is_above || uses("clap") || uses("crate::io") || is_threaded || uses_any(upward)
            }
            _ => uses_any(&ENGINES) || uses("crate::io"),
        }
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

/// Returns the identifiers and the signs of a source text that make up paths, without comments and unit tests.
fn tokens(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut tokens = Vec::new();
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
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
        let begins = at == 0 || tokens[at - 1] != "::";
        let goes_on = tokens.get(at + 1).is_some_and(|token| token == "::");
        let prefix: Option<&[String]> = match tokens[at].as_str() {
            "crate" | "std" | "clap" => Some(&[]),
            "super" | "self" => Some(&module),
            _ => None,
        };
        at = match prefix {
            Some(prefix) if begins && goes_on => read_path(&tokens, at, prefix, &mut paths),
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
fn a_forbidden_use_is_found() {
    let is_forbidden =
        |file: &str, path: &str| Usage { file: file.to_owned(), path: path.to_owned() }.is_forbidden();
    for (file, path, expected) in [
        ("fleet/row.rs", "crate::io::store::Store", true),
        ("fleet/row.rs", "std::sync::Mutex", true),
        ("fleet/row.rs", "std::sync::Arc", false),
        ("fleet/row.rs", "crate::profile::Build", false),
        ("profile/parse.rs", "crate::fleet::row::Row", true),
        ("report/text.rs", "clap::ValueEnum", true),
        ("report/html/packs.rs", "std::thread", false),
        ("io/store/mod.rs", "crate::io::git", true),
        ("io/store/mod.rs", "crate::io::store::change", false),
        ("io/clock.rs", "crate::io::signals::Signals", false),
        ("io/clock.rs", "crate::collect::fleet", true),
        ("collect/pull.rs", "crate::commands::Context", true),
        ("collect/pull.rs", "crate::io::clock", false),
        ("commands/pull/mod.rs", "crate::collect::pull", false),
        ("names.rs", "crate::io::clock", true),
    ] {
        assert_eq!(is_forbidden(file, path), expected, "{file}: {path}");
    }
}

#[test]
fn folders_use_each_other_in_one_direction_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    let mut found = BTreeSet::new();
    for path in files {
        let file = path.strip_prefix(&root).expect("below src").display().to_string();
        let text = fs::read_to_string(&path).expect("a source file");
        let usages = paths(&file, &text).into_iter().map(|path| Usage { file: file.clone(), path });
        found.extend(usages.filter(Usage::is_forbidden));
    }
    found.retain(|usage| !LEFT.iter().any(|(file, path)| *file == usage.file && usage.is_of(path)));
    assert_eq!(found, BTreeSet::new());
}
