//! The build constraints of a Go file: its `//go:build` line, the system in its name, and `import "C"` (go/build).

use std::collections::BTreeSet;

use memchr::{memchr_iter, memmem};

use super::scanner::skip_comment;
use super::tokens::{Piece, for_each_token};

/// The values of `GOOS` (Go's internal/syslist).
const SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
/// The systems among them that are no Unix.
const NOT_UNIX: [&str; 6] = ["js", "nacl", "plan9", "wasip1", "windows", "zos"];
/// The values of `GOARCH`.
const ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

const CGO: &str = "cgo";

/// Most nested brackets and negations that are read.
const DEEPEST: usize = 100;

/// The condition under which Go compiles a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Constraint {
    Tag(Box<str>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// The system and the tags of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildTags {
    system: String,
    architecture: String,
    /// Other tags that are set, `cgo` among them.
    others: BTreeSet<String>,
}

/// A file of which it is known whether it was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConstrainedFile {
    pub(crate) constraint: Constraint,
    pub(crate) is_compiled: bool,
}

impl Constraint {
    /// Returns the constraint of a file by its name and text; `None` if Go compiles it on each system. A line that cannot be
    /// read is one that is never met, as Go fails at it.
    pub(crate) fn of(name: &str, text: &[u8]) -> Option<Self> {
        let tag = |tag: &str| Self::Tag(tag.into());
        let mut all: Vec<Self> = systems_of_name(name).into_iter().map(tag).collect();
        let never = || Self::Any(Vec::new());
        match BuildLines::of(text) {
            BuildLines { expression: Some(line), .. } => {
                all.push(Parser::parse(line).unwrap_or_else(never));
            }
            BuildLines { older, .. } => all.extend(older.into_iter().map(of_older_line)),
        }
        if imports_c(text) {
            all.push(tag(CGO));
        }
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Self::All(all)),
        }
    }

    /// Tells whether a build compiles the file.
    pub(crate) fn is_met(&self, tags: &BuildTags) -> bool {
        match self {
            Self::Tag(tag) => tags.have(tag),
            Self::Not(of) => !of.is_met(tags),
            Self::All(of) => of.iter().all(|of| of.is_met(tags)),
            Self::Any(of) => of.iter().any(|of| of.is_met(tags)),
        }
    }

    fn add_tags<'c>(&'c self, tags: &mut BTreeSet<&'c str>) {
        match self {
            Self::Tag(tag) => {
                tags.insert(tag);
            }
            Self::Not(of) => of.add_tags(tags),
            Self::All(of) | Self::Any(of) => of.iter().for_each(|of| of.add_tags(tags)),
        }
    }
}

impl BuildTags {
    /// Concludes the tags of a build from files of which it is known whether it compiled them: those by which most of these
    /// files are explained, else those of Go on Linux and amd64.
    pub(crate) fn concluded(files: &[ConstrainedFile]) -> Self {
        let mut tags = BTreeSet::new();
        for file in files {
            file.constraint.add_tags(&mut tags);
        }
        let explained = |tags: &Self| {
            files.iter().filter(|file| file.constraint.is_met(tags) == file.is_compiled).count()
        };
        let of_list = |list: &[&'static str], first: &'static str| {
            let mentioned = list.iter().copied().filter(|word| *word != first && tags.contains(word));
            [first].into_iter().chain(mentioned).collect::<Vec<_>>()
        };
        let mut best = Self {
            system: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            others: BTreeSet::from([CGO.to_owned()]),
        };
        let mut most = explained(&best);
        for system in of_list(&SYSTEMS, "linux") {
            for architecture in of_list(&ARCHITECTURES, "amd64") {
                let tried = Self {
                    system: system.to_owned(),
                    architecture: architecture.to_owned(),
                    others: best.others.clone(),
                };
                let number = explained(&tried);
                if number > most {
                    (best, most) = (tried, number);
                }
            }
        }
        let is_free = |tag: &&&str| !SYSTEMS.contains(tag) && !ARCHITECTURES.contains(tag);
        for tag in tags.iter().filter(is_free) {
            let mut tried = best.clone();
            if !tried.others.remove(*tag) {
                tried.others.insert((*tag).to_owned());
            }
            let number = explained(&tried);
            if number > most {
                (best, most) = (tried, number);
            }
        }
        best
    }

    fn have(&self, tag: &str) -> bool {
        let system = self.system.as_str();
        tag == system
            || tag == self.architecture
            || tag == "gc"
            || tag == "unix" && !NOT_UNIX.contains(&system)
            || matches!((tag, system), ("linux", "android") | ("solaris", "illumos") | ("darwin", "ios"))
            // A file for a newer Go than the one of the build is rare, and one for an older Go is not.
            || tag.strip_prefix("go1.").is_some_and(|minor| minor.parse::<u32>().is_ok())
            || self.others.contains(tag)
    }

    /// Returns the system, the architecture and the other tags, in words.
    pub(crate) fn words(&self) -> String {
        let Self { system, architecture, others } = self;
        let others = others.iter().map(|tag| format!(", {tag}"));
        format!("{system}, {architecture}{}", others.collect::<String>())
    }
}

/// Returns the system and the architecture in the name of a file, behind its first `_`.
fn systems_of_name(name: &str) -> Vec<&str> {
    let name = name.split('.').next().unwrap_or_default();
    let words: Vec<&str> = name.split('_').skip(1).collect();
    match words[..] {
        [.., system, architecture] if SYSTEMS.contains(&system) && ARCHITECTURES.contains(&architecture) => {
            vec![system, architecture]
        }
        [.., last] if SYSTEMS.contains(&last) || ARCHITECTURES.contains(&last) => vec![last],
        _ => Vec::new(),
    }
}

/// The lines with constraints before the package clause.
#[derive(Debug, Default)]
struct BuildLines<'t> {
    /// The expression of the line `//go:build`.
    expression: Option<&'t str>,
    /// The words of lines `// +build`, which hold if there is no such line.
    older: Vec<&'t str>,
}

impl<'t> BuildLines<'t> {
    fn of(text: &'t [u8]) -> Self {
        let mut found = Self::default();
        // A line `// +build` counts if a blank line follows before the package clause.
        let mut pending = Vec::new();
        let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut begins_line = true;
        loop {
            let blanks = text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let lines = memchr_iter(b'\n', &text[at..at + blanks]).count();
            if lines > 1 {
                found.older.append(&mut pending);
            }
            begins_line |= lines > 0;
            at += blanks;
            if !matches!(text.get(at..at + 2), Some(b"//" | b"/*")) {
                return found;
            }
            let Ok(end) = skip_comment(text, at) else { return found };
            let comment = str::from_utf8(&text[at..end]).unwrap_or_default();
            let is_end = |rest: &&str| rest.starts_with(char::is_whitespace);
            if let Some(rest) = comment.strip_prefix("//go:build").filter(|rest| begins_line && is_end(rest))
            {
                found.expression.get_or_insert(rest);
            }
            let older = comment.strip_prefix("//").and_then(|rest| rest.trim_start().strip_prefix("+build"));
            pending.extend(older.filter(|rest| begins_line && is_end(rest)));
            (at, begins_line) = (end, false);
        }
    }
}

/// Reads the words of a line `// +build`: alternatives after blanks, whose parts after commas must all hold.
fn of_older_line(line: &str) -> Constraint {
    let part = |part: &str| match part.strip_prefix('!') {
        Some(tag) => Constraint::Not(Box::new(Constraint::Tag(tag.into()))),
        None => Constraint::Tag(part.into()),
    };
    let alternative = |word: &str| Constraint::All(word.split(',').map(part).collect());
    Constraint::Any(line.split_whitespace().map(alternative).collect())
}

/// A reader of an expression of tags, `!`, `&&`, `||` and brackets (go/build/constraint).
struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Returns the constraint of a line; `None` if it is none.
    fn parse(line: &'t str) -> Option<Constraint> {
        let mut parser = Self { rest: line, depth: 0 };
        let any = parser.any()?;
        parser.rest.trim().is_empty().then_some(any)
    }

    /// Takes a symbol if it comes next.
    fn takes(&mut self, symbol: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn any(&mut self) -> Option<Constraint> {
        let mut any = vec![self.all()?];
        while self.takes("||") {
            any.push(self.all()?);
        }
        Some(if any.len() == 1 { any.remove(0) } else { Constraint::Any(any) })
    }

    fn all(&mut self) -> Option<Constraint> {
        let mut all = vec![self.not()?];
        while self.takes("&&") {
            all.push(self.not()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Constraint::All(all) })
    }

    fn not(&mut self) -> Option<Constraint> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let found = if self.takes("!") {
            Constraint::Not(Box::new(self.not()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            if !self.takes(")") {
                return None;
            }
            inner
        } else {
            self.tag()?
        };
        self.depth -= 1;
        Some(found)
    }

    fn tag(&mut self) -> Option<Constraint> {
        let rest = self.rest.trim_start();
        let is_of_tag = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let end = rest.find(|letter| !is_of_tag(letter)).unwrap_or(rest.len());
        let (tag, rest) = rest.split_at(end);
        self.rest = rest;
        (!tag.is_empty()).then(|| Constraint::Tag(tag.into()))
    }
}

/// Tells whether a file imports `C`.
fn imports_c(text: &[u8]) -> bool {
    // Most files are told by that alone.
    if memmem::find(text, b"C\"").is_none() && memmem::find(text, b"C`").is_none() {
        return false;
    }
    let (mut is_import, mut is_over, mut found) = (false, false, false);
    for_each_token(text, (0, text.len()), |piece| {
        let Piece::Token { text: token, .. } = piece else { return };
        match token {
            b"import" => is_import = true,
            b"func" | b"type" | b"var" | b"const" => is_over = true,
            b"\"C\"" | b"`C`" => found |= is_import && !is_over,
            _ => {}
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(name: &str, line: &str) -> Option<Constraint> {
        Constraint::of(name, format!("// Copyright\n\n{line}\n\npackage p\n").as_bytes())
    }

    fn tags(system: &str, architecture: &str, others: &[&str]) -> BuildTags {
        let others = others.iter().map(|tag| (*tag).to_owned()).collect();
        BuildTags { system: system.to_owned(), architecture: architecture.to_owned(), others }
    }

    #[test]
    fn a_file_is_compiled_as_go_does() {
        let linux = tags("linux", "amd64", &["cgo"]);
        for (name, line, is_compiled) in [
            ("a_linux.go", "", true),
            ("a_windows.go", "", false),
            ("a_linux_arm64.go", "", false),
            ("a_linux_amd64.go", "", true),
            ("a_linux_x.go", "//go:build !linux", false),
            // Without a word before it, a system is a name.
            ("windows.go", "", true),
            ("a_windows.pb.go", "", false),
            ("a.go", "//go:build ignore", false),
            ("a.go", "//go:build unix && !(darwin || arm64)", true),
            ("a.go", "//go:build go1.18 && gc", true),
            ("a.go", "//go:build !cgo", false),
            ("a.go", "import \"C\"", true),
            ("a_windows.go", "//go:build linux", false),
            ("a.go", "//go:build linux &&", false),
            ("a.go", "//go:builder ignore", true),
            ("a.go", "package p\n//go:build ignore", true),
            ("a.go", "/* a */ //go:build ignore", true),
            ("a.go", "// +build windows,amd64 !linux\n", false),
            ("a.go", "// +build windows linux\n// +build !ignore\n", true),
            ("a.go", "// +build ignore\n//go:build linux\n", true),
            ("a.go", "// A comment\npackage p\n\n// +build ignore\n", true),
        ] {
            let is_met = constraint(name, line).is_none_or(|constraint| constraint.is_met(&linux));
            assert_eq!(is_met, is_compiled, "{name} {line}");
        }
        assert_eq!(constraint("a.go", ""), None);
        let without_cgo = tags("linux", "amd64", &[]);
        let of_text = |text: &str| Constraint::of("a.go", text.as_bytes());
        for text in ["package p\nimport \"C\"\n", "package p\nimport (\n\t\"fmt\"\n\t`C` // so\n)\n"] {
            assert!(!of_text(text).unwrap().is_met(&without_cgo), "{text}");
        }
        for text in
            ["package p\n// import \"C\"\nimport \"fmt\"\n", "package p\nimport \"fmt\"\nvar c = \"C\"\n"]
        {
            assert_eq!(of_text(text), None, "{text}");
        }
        let is_met = |line: &str, tags: &BuildTags| constraint("a.go", line).unwrap().is_met(tags);
        assert!(is_met("//go:build linux && unix", &tags("android", "arm64", &[])));
        assert!(is_met("//go:build !unix && !linux", &tags("windows", "amd64", &[])));
        let deep = format!("//go:build {}linux", "!".repeat(10_000));
        assert!(!is_met(&deep, &linux), "a hostile line is one that Go does not meet");
    }

    #[test]
    fn the_tags_of_a_build_follow_from_what_it_compiled() {
        let concluded = |files: &[(&str, &str, bool)]| {
            let file = |(name, line, is_compiled): &(&str, &str, bool)| {
                let constraint = constraint(name, line).unwrap();
                ConstrainedFile { constraint, is_compiled: *is_compiled }
            };
            BuildTags::concluded(&files.iter().map(file).collect::<Vec<_>>())
        };
        assert_eq!(concluded(&[]), tags("linux", "amd64", &["cgo"]));
        assert_eq!(
            concluded(&[("a_windows.go", "", true), ("a_linux.go", "", false), ("b_arm64.go", "", true)]),
            tags("windows", "arm64", &["cgo"])
        );
        assert_eq!(
            concluded(&[
                ("a.go", "//go:build !cgo", true),
                ("b.go", "//go:build enterprise && !lite", true),
                ("c.go", "//go:build ignore", false),
            ]),
            tags("linux", "amd64", &["enterprise"])
        );
    }
}
