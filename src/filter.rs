//! The choice of a report's files by globs.

use globset::{GlobBuilder, GlobMatcher};

use crate::names::printable;

/// The error for a text that is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a glob: {reason}", printable(.text))]
pub(crate) struct FilterError {
    text: String,
    reason: String,
}

/// A pattern for files and packages.
///
/// A glob matches a file if it matches its import path, its path in the repository, or a folder above either. A glob
/// without `/` also matches the last part of these. `*` and `?` stop at `/`, `**` does not.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    text: String,
    matcher: GlobMatcher,
    by_last_part: bool,
}

/// Equal texts are equal globs.
impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::str::FromStr for Glob {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let pattern = text.trim_end_matches('/');
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
        let glob =
            glob.map_err(|error| FilterError { text: text.to_owned(), reason: error.kind().to_string() })?;
        let by_last_part = !pattern.contains('/');
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher(), by_last_part })
    }
}

impl Glob {
    /// Returns the text of the glob.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether the glob matches a path or a folder above it.
    #[must_use]
    pub(crate) fn fits(&self, path: &str) -> bool {
        let mut path = path;
        loop {
            let last = path.rsplit_once('/').map(|(_, last)| last);
            if self.matcher.is_match(path)
                || (self.by_last_part && last.is_some_and(|last| self.matcher.is_match(last)))
            {
                return true;
            }
            match path.rsplit_once('/') {
                Some((folder, _)) => path = folder,
                None => return false,
            }
        }
    }
}

/// The choice of a report's files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Globs of which one must match a file; without any, all files are wanted.
    pub include: Vec<Glob>,
    /// Globs of which none may match a file, even an included one.
    pub exclude: Vec<Glob>,
    /// Files with a comment that a program wrote them are left out.
    pub exclude_generated: bool,
    /// Files that the commit lacks are left out, including symbolic links to no file.
    pub exclude_without_source: bool,
    /// Code with a mark in the source is left out.
    pub ignore_marked: bool,
}

/// The properties of a file that a filter needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilteredFile<'a> {
    /// Import path of the package, a slash and the file name.
    pub name: &'a str,
    /// Path from the root of the repository, also that of a symbolic link to no file; `None` if the repository has no
    /// such path.
    pub path: Option<&'a str>,
    /// A comment in the file says that a program wrote it.
    pub is_generated: bool,
    /// The commit has the contents of the file, not only a link.
    pub is_in_commit: bool,
}

impl Filter {
    /// Tells whether all code of every file is wanted.
    #[must_use]
    pub(crate) fn takes_all(&self) -> bool {
        self.takes_all_files() && !self.ignore_marked
    }

    /// Tells whether every file is wanted.
    #[must_use]
    pub(crate) fn takes_all_files(&self) -> bool {
        let Self { include, exclude, exclude_generated, exclude_without_source, ignore_marked: _ } = self;
        include.is_empty() && exclude.is_empty() && !exclude_generated && !exclude_without_source
    }

    /// Tells whether a file is wanted.
    #[must_use]
    pub(crate) fn takes(&self, file: FilteredFile<'_>) -> bool {
        let FilteredFile { name, path, is_generated, is_in_commit } = file;
        let fits = |glob: &Glob| glob.fits(name) || path.is_some_and(|path| glob.fits(path));
        (self.include.is_empty() || self.include.iter().any(fits))
            && !self.exclude.iter().any(fits)
            && !(self.exclude_generated && is_generated)
            && (!self.exclude_without_source || is_in_commit)
    }

    /// Returns the choice in words.
    #[must_use]
    pub(crate) fn words(&self) -> Vec<String> {
        let texts = |verb: &str, globs: &[Glob]| {
            globs.iter().map(|glob| format!("{verb} {}", glob.as_str())).collect::<Vec<_>>()
        };
        let mut words = texts("include", &self.include);
        words.extend(texts("exclude", &self.exclude));
        if self.exclude_generated {
            words.push("exclude generated files".to_owned());
        }
        if self.exclude_without_source {
            words.push("exclude files without source".to_owned());
        }
        if self.ignore_marked {
            words.push("ignore marked code".to_owned());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(glob: &str, path: &str) -> bool {
        glob.parse::<Glob>().unwrap().fits(path)
    }

    /// A file that the commit lacks.
    fn lacked(name: &str) -> FilteredFile<'_> {
        FilteredFile { name, path: None, is_generated: false, is_in_commit: false }
    }

    #[test]
    fn a_glob_fits_a_path_whole_or_by_a_folder_above_it() {
        assert!(fits("example.com/app/a.go", "example.com/app/a.go"));
        assert!(fits("example.com/app", "example.com/app/sub/a.go"));
        assert!(fits("example.com/*/sub/", "example.com/app/sub/a.go"));
        assert!(fits("**/sub", "example.com/app/sub/a.go"));
        assert!(!fits("app/sub", "example.com/app/sub/a.go"), "a glob with a slash begins at the start");
        assert!(!fits("example.com/*/a.go", "example.com/app/sub/a.go"), "a star stops at a slash");
        assert!(fits("example.com/**/a.go", "example.com/app/sub/a.go"));
    }

    #[test]
    fn a_glob_without_slash_fits_any_part() {
        assert!(fits("*.pb.go", "example.com/app/a.pb.go"));
        assert!(fits("mock?", "example.com/mocks/a.go"));
        assert!(fits("{a,b}.go", "b.go"));
        assert!(!fits("mock", "example.com/mocks/a.go"));
    }

    #[test]
    fn what_is_excluded_is_out_though_it_is_included() {
        let filter = Filter {
            include: vec!["internal".parse().unwrap(), "m/x.go".parse().unwrap()],
            exclude: vec!["*_gen.go".parse().unwrap()],
            exclude_generated: true,
            ..Filter::default()
        };
        let internal = lacked("example.com/m/internal/a.go");
        assert!(filter.takes(internal));
        let by_path = FilteredFile { path: Some("m/x.go"), ..lacked("example.com/m/x.go") };
        assert!(filter.takes(by_path), "by its path in the repository");
        assert!(!filter.takes(lacked("example.com/m/internal/a_gen.go")));
        assert!(!filter.takes(FilteredFile { is_generated: true, ..internal }));
        assert!(!filter.takes(lacked("example.com/m/y.go")));
        assert_eq!(
            filter.words(),
            ["include internal", "include m/x.go", "exclude *_gen.go", "exclude generated files"]
        );
    }

    #[test]
    fn a_file_that_the_commit_lacks_is_taken_unless_it_is_left_out() {
        let filter = Filter { exclude_without_source: true, ..Filter::default() };
        let made = lacked("m/made.go");
        assert!(Filter::default().takes(made) && !filter.takes(made));
        let lost_link = FilteredFile { path: Some("x.go"), ..lacked("m/x.go") };
        assert!(Filter::default().takes(lost_link) && !filter.takes(lost_link));
        assert!(filter.takes(FilteredFile { is_in_commit: true, ..lost_link }) && !filter.takes_all());
        assert_eq!(filter.words(), ["exclude files without source"]);
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        let error = "a[".parse::<Glob>().unwrap_err().to_string();
        assert!(error.starts_with("\"a[\" is not a glob: "), "{error}");
    }
}
