//! The build constraints of a Go file: its `//go:build` line, the system in its name, and `import "C"` (go/build).

use std::collections::BTreeSet;

use memchr::memmem;

use super::build_tags::{ARCHITECTURES, BuildTags, SYSTEMS};
use super::tokens::{Piece, for_each_token};

pub(super) const CGO: &str = "cgo";

/// Most nested brackets and negations that are read.
const DEEPEST: usize = 100;

/// The condition under which Go compiles a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Constraint {
    Tag(Box<str>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// The constraint of a file, as far as Go can read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileConstraint {
    /// `None` if Go compiles the file on each system.
    pub(crate) constraint: Option<Constraint>,
    /// The reason for which Go fails at the file if its name fits the system. The constraint is then that of the name.
    pub(crate) refused: Option<&'static str>,
}

impl FileConstraint {
    /// Finds the constraint of a file by its name and text.
    pub(crate) fn of(name: &str, text: &[u8]) -> Self {
        let tag = |tag: &str| Constraint::Tag(tag.into());
        let of_name = systems_of_name(name).into_iter().map(tag);
        match BuildLines::of(text).constraints() {
            Err(reason) => Self { constraint: Constraint::all_of(of_name), refused: Some(reason) },
            Ok(lines) => {
                let of_import = imports_c(text).then(|| tag(CGO));
                let constraint = Constraint::all_of(of_name.chain(lines).chain(of_import));
                Self { constraint, refused: None }
            }
        }
    }

    /// Tells whether a build has the file.
    pub(crate) fn is_met(&self, tags: &BuildTags) -> bool {
        self.constraint.as_ref().is_none_or(|constraint| constraint.is_met(tags))
    }
}

impl Constraint {
    fn all_of(constraints: impl Iterator<Item = Self>) -> Option<Self> {
        let mut all: Vec<Self> = constraints.collect();
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Self::All(all)),
        }
    }

    fn is_met(&self, tags: &BuildTags) -> bool {
        self.value(&|tag| Some(tags.have(tag))) == Some(true)
    }

    /// Tells whether it is met, as far as the tags are known.
    pub(super) fn value(&self, known: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
        let of_list = |list: &[Self], deciding: bool| {
            let mut is_known = true;
            for of in list {
                match of.value(known) {
                    Some(value) if value == deciding => return Some(deciding),
                    value => is_known &= value.is_some(),
                }
            }
            is_known.then_some(!deciding)
        };
        match self {
            Self::Tag(tag) => known(tag),
            Self::Not(of) => of.value(known).map(|value| !value),
            Self::All(of) => of_list(of, false),
            Self::Any(of) => of_list(of, true),
        }
    }

    pub(super) fn add_tags<'c>(&'c self, tags: &mut BTreeSet<&'c str>) {
        match self {
            Self::Tag(tag) => {
                tags.insert(tag);
            }
            Self::Not(of) => of.add_tags(tags),
            Self::All(of) | Self::Any(of) => of.iter().for_each(|of| of.add_tags(tags)),
        }
    }
}

/// Returns the system and the architecture in the name of a file, behind its first `_`.
fn systems_of_name(name: &str) -> Vec<&str> {
    let name = name.split('.').next().unwrap_or_default();
    let mut words: Vec<&str> = name.split('_').skip(1).collect();
    words.pop_if(|word| *word == "test");
    match words[..] {
        [.., system, architecture] if SYSTEMS.contains(&system) && ARCHITECTURES.contains(&architecture) => {
            vec![system, architecture]
        }
        [.., last] if SYSTEMS.contains(&last) || ARCHITECTURES.contains(&last) => vec![last],
        _ => Vec::new(),
    }
}

/// The lines with constraints before the package clause, found as go/build does in `parseFileHeader`.
#[derive(Debug, Default)]
struct BuildLines<'t> {
    /// The expressions of lines `//go:build`.
    expressions: Vec<&'t str>,
    /// The words of lines `// +build`, which hold if there is no such line.
    older: Vec<&'t str>,
}

impl<'t> BuildLines<'t> {
    fn of(text: &'t [u8]) -> Self {
        let mut found = Self::default();
        // A line `// +build` counts if a blank line follows before the first line that is no `//` comment.
        let mut pending = Vec::new();
        let (mut has_ended, mut is_in_comment) = (false, false);
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() && !has_ended {
                found.older.append(&mut pending);
                continue;
            }
            has_ended |= !line.starts_with(b"//");
            if !is_in_comment && let Ok(comment) = str::from_utf8(line) {
                let is_end = |rest: &&str| rest.is_empty() || rest.starts_with(char::is_whitespace);
                found.expressions.extend(comment.strip_prefix("//go:build").filter(is_end));
                let older =
                    comment.strip_prefix("//").and_then(|rest| rest.trim_start().strip_prefix("+build"));
                pending.extend(older.filter(is_end).filter(|_| !has_ended));
            }
            if !is_of_comments(line, &mut is_in_comment) {
                break;
            }
        }
        found
    }

    /// Returns the constraints of the lines; the reason if Go refuses these.
    fn constraints(self) -> Result<Vec<Constraint>, &'static str> {
        match self.expressions[..] {
            [] => Ok(self.older.into_iter().map(of_older_line).collect()),
            [line] => match Parser::parse(line) {
                Some(constraint) => Ok(vec![constraint]),
                None => Err("its //go:build line is no constraint"),
            },
            _ => Err("it has several //go:build lines"),
        }
    }
}

/// Tells whether a line has comments alone. `is_in_comment` tells whether it begins in a comment, and then whether the next
/// one does.
fn is_of_comments(line: &[u8], is_in_comment: &mut bool) -> bool {
    let mut rest = line;
    while !rest.is_empty() {
        if *is_in_comment {
            let Some(at) = memmem::find(rest, b"*/") else { return true };
            *is_in_comment = false;
            rest = rest[at + 2..].trim_ascii_start();
        } else if rest.starts_with(b"//") {
            return true;
        } else if let Some(inside) = rest.strip_prefix(b"/*") {
            *is_in_comment = true;
            rest = inside;
        } else {
            return false;
        }
    }
    true
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

    fn of_text(name: &str, line: &str) -> FileConstraint {
        FileConstraint::of(name, format!("// Copyright\n\n{line}\n\npackage p\n").as_bytes())
    }

    /// The expectations are what `go list` says of such files.
    #[test]
    fn a_file_is_compiled_as_go_does() {
        let linux = BuildTags::concluded(&[], 21);
        for (name, line, is_compiled) in [
            ("a_linux.go", "", true),
            ("a_windows.go", "", false),
            ("a_linux_arm64.go", "", false),
            ("a_linux_amd64.go", "", true),
            ("a_linux_x.go", "//go:build !linux", false),
            // Without a word before it, a system is a name.
            ("windows.go", "", true),
            ("a_windows.pb.go", "", false),
            ("a_windows_test.pb.go", "", false),
            ("a_windows_amd64_test.pb.go", "", false),
            ("a_test.pb.go", "", true),
            ("a.go", "//go:build ignore", false),
            ("a.go", "  //go:build ignore", false),
            ("a.go", "//go:build unix && !(darwin || arm64)", true),
            ("a.go", "//go:build go1.18 && gc", true),
            ("a.go", "//go:build go1.99", false),
            ("a.go", "//go:build !cgo", false),
            ("a.go", "//go:build amd64.v1 && !amd64.v2 && !arm64.v8.0", true),
            ("a.go", "//go:build goexperiment.regabiargs && !goexperiment.arenas && !boringcrypto", true),
            ("a.go", "import \"C\"", true),
            ("a_windows.go", "//go:build linux", false),
            ("a.go", "//go:builder ignore", true),
            ("a.go", "package p\n//go:build ignore", true),
            ("a.go", "/* a */ //go:build ignore", true),
            ("a.go", "/* a\n*/\n//go:build ignore", false),
            ("a.go", "/*\n//go:build ignore\n*/", true),
            ("a.go", "// +build windows,amd64 !linux\n", false),
            ("a.go", "// +build windows linux\n// +build !ignore\n", true),
            ("a.go", "// +build ignore\n//go:build linux\n", true),
            ("a.go", "// +build ignore\n/* a */\n", true),
            ("a.go", "/* a */\n// +build ignore\n", true),
            ("a.go", "\t// +build ignore\n", false),
            ("a.go", "// A comment\npackage p\n\n// +build ignore\n", true),
        ] {
            let found = of_text(name, line);
            assert_eq!((found.is_met(&linux), found.refused), (is_compiled, None), "{name} {line}");
        }
        assert_eq!(of_text("a.go", ""), FileConstraint::default());
        let tag = |tag: &str| Constraint::Tag(tag.into());
        let of_text = |text: &str| FileConstraint::of("a.go", text.as_bytes()).constraint;
        for text in ["package p\nimport \"C\"\n", "package p\nimport (\n\t\"fmt\"\n\t`C` // so\n)\n"] {
            assert_eq!(of_text(text), Some(tag("cgo")), "{text}");
        }
        for text in
            ["package p\n// import \"C\"\nimport \"fmt\"\n", "package p\nimport \"fmt\"\nvar c = \"C\"\n"]
        {
            assert_eq!(of_text(text), None, "{text}");
        }
    }

    #[test]
    fn lines_at_which_go_fails_are_told_unless_the_name_leaves_the_file_out() {
        let no_constraint = "its //go:build line is no constraint";
        let deep = format!("//go:build {}linux", "!".repeat(10_000));
        for (line, reason) in [
            ("//go:build linux &&", no_constraint),
            ("//go:build", no_constraint),
            ("//go:build linux // alone", no_constraint),
            ("//go:build (linux", no_constraint),
            (&deep, no_constraint),
            ("//go:build linux\n//go:build !ignore", "it has several //go:build lines"),
        ] {
            let refused = Some(reason);
            assert_eq!(of_text("a.go", line), FileConstraint { constraint: None, refused }, "{line}");
            let constraint = Some(Constraint::Tag("windows".into()));
            assert_eq!(of_text("a_windows.go", line), FileConstraint { constraint, refused }, "{line}");
        }
    }
}
