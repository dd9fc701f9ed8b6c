//! The rules by which changed files do not count.

use std::fmt;

use serde::Serialize;

/// A changed file that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Path from the root of the repository.
    pub path: String,
    pub why: WhyLeftOut,
}

/// The reason for which a changed file does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhyLeftOut {
    /// The file was deleted.
    Deleted,
    /// The file is not a Go file.
    NotGo,
    /// The file is not text.
    Binary,
    /// The file changed and is too large to be compared.
    TooLarge,
    /// The name ends with `_test.go`.
    Test,
    /// The file lies in a `vendor` folder.
    Vendored,
    /// A comment in the file says that a program wrote it.
    Generated,
    /// `--include` or `--exclude` leave the file out.
    Excluded,
    /// The file has no statements.
    NoStatements,
    /// The profile does not have the file: it is not linked into the program, or build tags leave it out.
    NotBuilt,
    /// The profile does not have the file, and the go tool leaves it out of packages: it lies in a `testdata` folder, or
    /// its name or that of a folder begins with `_` or `.`.
    Ignored,
    /// `//line` comments give the lines other numbers, so the profile does not tell which lines of the file were
    /// executed.
    MovedLines,
    /// The diff has no lines of the file, because an attribute keeps it out of diffs.
    NoDiff,
    /// No changed line of the file has code.
    NoCodeChanged,
    /// Marks take out all changed lines of the file that have code.
    Marked,
    /// The service's commit lacks the file.
    NotInCommit,
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deleted => "deleted",
            Self::NotGo => "not a Go file",
            Self::Binary => "not text",
            Self::TooLarge => "too large",
            Self::Test => "a test",
            Self::Vendored => "vendored",
            Self::Generated => "generated",
            Self::Excluded => "excluded",
            Self::NoStatements => "has no statements",
            Self::NotBuilt => "not in the profile: not linked into the program, or left out by build tags",
            Self::Ignored => "ignored by the go tool: in testdata, or the name begins with _ or .",
            Self::MovedLines => {
                "its //line comments give its lines other numbers, so their coverage is unknown"
            }
            Self::NoDiff => "the diff has no lines of it, because .gitattributes has -diff or binary",
            Self::NoCodeChanged => "no code changed",
            Self::Marked => "all changed code is marked with coverage-ignore",
            Self::NotInCommit => "not in the commit",
        })
    }
}

/// Tells whether a changed file can count, judged by its path alone.
#[must_use]
pub(crate) fn is_candidate(path: &str) -> bool {
    rule_of_path(path).is_none()
}

/// Tells whether a path is that of a Go test file, which no program contains.
#[must_use]
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("_test.go")
}

/// Tells whether the go tool leaves a file out of packages, unless a command names its folder.
pub(super) fn is_ignored(path: &str) -> bool {
    path.split('/').any(|part| part == "testdata" || part.starts_with(['_', '.']))
}

/// Returns the rule by which a file does not count, judged by its path alone.
pub(super) fn rule_of_path(path: &str) -> Option<WhyLeftOut> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_suffix(".go") {
        None => Some(WhyLeftOut::NotGo),
        Some(_) if folders.split('/').any(|folder| folder == "vendor") => Some(WhyLeftOut::Vendored),
        Some(_) if is_test(name) => Some(WhyLeftOut::Test),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_go_tool_ignores_testdata_and_names_with_a_mark() {
        for path in ["testdata/a.go", "a/testdata/b/c.go", "_old/a.go", "a/.b/c.go", "a/_b.go", ".a.go"] {
            assert!(is_ignored(path), "{path}");
        }
        for path in ["a.go", "a/testdata2/b.go", "my_old/a_b.go", "a.b/c.go"] {
            assert!(!is_ignored(path), "{path}");
        }
    }
}
