//! The value of the option `--with`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::names::in_message;

/// A profile of another run as the command line names it: `PATH[=LABEL][@REV]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WithArgument {
    /// A text profile, or a folder of Go's binary coverage data.
    pub(crate) path: PathBuf,
    /// The name in figures; that of the file, if none is given.
    pub(crate) label: String,
    /// The revision whose source was tested; `None` for that of the service.
    pub(crate) revision: Option<String>,
}

/// A value that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error(
        "--with \"{}\": there is no such file or folder; give PATH[=LABEL][@REV], where PATH is a profile of go test \
         -coverprofile or a folder of GOCOVERDIR",
        in_message(.0)
    )]
    NothingThere(String),
    /// The path is there, and LABEL or REV is empty, whatever the path has.
    #[error("--with \"{}\" has no {part}: give PATH[=LABEL][@REV]", in_message(value))]
    EmptyPart { value: String, part: &'static str },
}

impl WithArgument {
    /// Reads a value. A path that exists wins over splitting, the longest one first, because a path may hold `=` and `@`.
    pub(crate) fn parse(value: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<Self, ArgumentError> {
        if exists(Path::new(value)) {
            return Ok(Self::new(Path::new(value), None, None));
        }
        let nothing_there = || ArgumentError::NothingThere(value.to_string_lossy().into_owned());
        let Some(text) = value.to_str() else { return Err(nothing_there()) };
        let separators = text.rmatch_indices(['=', '@']);
        let path = separators.map(|(at, _)| text.split_at(at)).find(|(path, _)| exists(Path::new(path)));
        let Some((path, rest)) = path else { return Err(nothing_there()) };
        let (label, revision) = match rest.strip_prefix('@') {
            Some(revision) => (None, Some(revision)),
            None => match rest[1..].split_once('@') {
                Some((label, revision)) => (Some(label), Some(revision)),
                None => (Some(&rest[1..]), None),
            },
        };
        for (text_of_part, part) in [(label, "LABEL"), (revision, "REV")] {
            if text_of_part.is_some_and(|text| text.trim().is_empty()) {
                return Err(ArgumentError::EmptyPart { value: text.to_owned(), part });
            }
        }
        Ok(Self::new(Path::new(path), label, revision))
    }

    fn new(path: &Path, label: Option<&str>, revision: Option<&str>) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let label = label.map_or_else(|| name.to_string_lossy().into_owned(), str::to_owned);
        Self { path: path.to_owned(), label, revision: revision.map(str::to_owned) }
    }
}

/// Returns the first label that stands twice.
pub(crate) fn repeated_label(arguments: &[WithArgument]) -> Option<&str> {
    let mut labels: Vec<&str> = arguments.iter().map(|argument| argument.label.as_str()).collect();
    labels.sort_unstable();
    labels.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str, existing: &[&str]) -> Result<(String, String, Option<String>), ArgumentError> {
        let exists = |path: &Path| existing.iter().any(|known| Path::new(known) == path);
        let WithArgument { path, label, revision } = WithArgument::parse(OsStr::new(value), exists)?;
        Ok((path.display().to_string(), label, revision))
    }

    #[test]
    fn a_path_that_exists_wins_over_splitting() {
        let existing = ["unit.out", "a/unit.out", "a=b", "a@b", "a@b=c@d", "data/", "."];
        for (value, path, label, revision) in [
            ("unit.out", "unit.out", "unit.out", None),
            ("a/unit.out", "a/unit.out", "unit.out", None),
            ("data/", "data/", "data", None),
            (".", ".", ".", None),
            ("unit.out=unit", "unit.out", "unit", None),
            ("unit.out=unit@v1", "unit.out", "unit", Some("v1")),
            ("unit.out@v1", "unit.out", "unit.out", Some("v1")),
            ("unit.out=unit@HEAD@{1}", "unit.out", "unit", Some("HEAD@{1}")),
            ("unit.out=a=b", "unit.out", "a=b", None),
            ("unit.out@v1=x", "unit.out", "unit.out", Some("v1=x")),
            ("a=b", "a=b", "a=b", None),
            ("a=b=c", "a=b", "c", None),
            ("a@b", "a@b", "a@b", None),
            ("a@b@c", "a@b", "a@b", Some("c")),
            ("a@b=c@d", "a@b=c@d", "a@b=c@d", None),
            ("a@b=c@e", "a@b", "c", Some("e")),
        ] {
            let expected = (path.to_owned(), label.to_owned(), revision.map(str::to_owned));
            assert_eq!(parsed(value, &existing), Ok(expected), "{value}");
        }
    }

    #[test]
    fn a_value_without_a_path_or_with_an_empty_part_is_refused() {
        for (value, part) in [
            ("none.out=unit@v1", "\"none.out=unit@v1\": there is no such file or folder"),
            ("", "\"\": there is no such file or folder"),
            ("unit.out=", "has no LABEL"),
            ("unit.out= @v1", "has no LABEL"),
            ("unit.out=unit@", "has no REV"),
            ("unit.out@", "has no REV"),
        ] {
            let message = parsed(value, &["unit.out"]).unwrap_err().to_string();
            assert!(message.contains(part), "{value}: {message}");
        }
    }

    #[test]
    fn labels_are_unique() {
        let argument =
            |label: &str| WithArgument { path: "p".into(), label: label.to_owned(), revision: None };
        let labels = |labels: &[&str]| {
            let arguments: Vec<_> = labels.iter().map(|label| argument(label)).collect();
            repeated_label(&arguments).map(str::to_owned)
        };
        assert_eq!(labels(&["unit", "e2e"]), None);
        assert_eq!(labels(&["unit", "e2e", "unit"]), Some("unit".to_owned()));
    }
}
