//! The owners of files, from the `CODEOWNERS` file of a repository.
//!
//! The rules are those of GitHub, with the sections of GitLab. A pattern is one of `.gitignore` without `!` and `[ ]`. The
//! last pattern that fits a file decides, in each section for itself.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

/// Paths at which hosts look for the file, in their order.
pub(crate) const PLACES: [&str; 4] =
    [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// Largest number of patterns that are read. GitHub reads a file of 3 MB.
const MOST_PATTERNS: usize = 20_000;

/// The owners of files.
#[derive(Clone, Debug)]
pub(crate) struct CodeOwners {
    sections: Vec<Section>,
}

/// Rules of which the last one that fits decides.
#[derive(Clone, Debug)]
struct Section {
    /// All globs of the rules.
    globs: GlobSet,
    /// The index of the rule of each glob.
    rules: Vec<usize>,
    /// The owners of each rule; none for files that nobody owns.
    owners: Vec<Vec<String>>,
}

/// A section while the file is read.
#[derive(Default)]
struct SectionText<'t> {
    name: String,
    default_owners: Vec<String>,
    rules: Vec<(&'t str, Vec<String>)>,
}

impl CodeOwners {
    /// Reads the text of such a file. Lines that are no rule are passed over, as hosts do. The error is a clause.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut sections = vec![SectionText::default()];
        let mut current = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((name, default_owners)) = section_head(line) {
                // A name that comes again goes on with its section.
                let known = sections.iter().position(|section| section.name.eq_ignore_ascii_case(&name));
                current = known.unwrap_or_else(|| {
                    sections.push(SectionText { name, ..SectionText::default() });
                    sections.len() - 1
                });
                sections[current].default_owners = default_owners;
                continue;
            }
            let section = &mut sections[current];
            let (pattern, rest) = pattern_and_rest(line);
            let owners = owners(rest);
            let owners = if owners.is_empty() { section.default_owners.clone() } else { owners };
            section.rules.push((pattern, owners));
        }
        sections.retain(|section| !section.rules.is_empty());
        // The last rules decide, so a part of them would tell wrong owners.
        if sections.iter().map(|section| section.rules.len()).sum::<usize>() > MOST_PATTERNS {
            return Err(format!("has more than {MOST_PATTERNS} patterns"));
        }
        let sections: Result<Vec<Section>, globset::Error> = sections.into_iter().map(Section::new).collect();
        let sections = sections.map_err(|error| format!("cannot be compiled: {error}"))?;
        Ok(Self { sections })
    }

    /// Returns the owners of a file by its path in the repository, without repetitions.
    #[must_use]
    pub(crate) fn of(&self, path: &str) -> Vec<&str> {
        let path = Candidate::new(path);
        let mut owners: Vec<&str> = Vec::new();
        for section in &self.sections {
            let fitting = section.globs.matches_candidate(&path);
            let Some(rule) = fitting.into_iter().map(|glob| section.rules[glob]).max() else { continue };
            for owner in &section.owners[rule] {
                if !owners.contains(&owner.as_str()) {
                    owners.push(owner);
                }
            }
        }
        owners
    }
}

impl Section {
    /// Compiles the rules; fails if they are too many together.
    fn new(text: SectionText<'_>) -> Result<Self, globset::Error> {
        let mut globs = GlobSetBuilder::new();
        let (mut rules, mut owners) = (Vec::new(), Vec::new());
        for (pattern, of_rule) in text.rules {
            for glob in globs_of(pattern) {
                let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build();
                let Ok(glob) = glob else { continue };
                globs.add(glob);
                rules.push(owners.len());
            }
            owners.push(of_rule);
        }
        Ok(Self { globs: globs.build()?, rules, owners })
    }
}

/// Reads the head of a section of GitLab, such as `^[Docs][2] @writers`: its name and its default owners.
fn section_head(line: &str) -> Option<(String, Vec<String>)> {
    let (name, rest) = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?.split_once(']')?;
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => rest,
    };
    Some((name.trim().to_owned(), owners(rest)))
}

/// Splits a rule at the first blank that no backslash escapes.
fn pattern_and_rest(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.find(|c: char| {
        let is_end = c.is_whitespace() && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    line.split_at(end.unwrap_or(line.len()))
}

/// Reads the owners of a rule: users and teams with `@`, and addresses of mail. A comment ends them.
fn owners(text: &str) -> Vec<String> {
    let words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
    words.filter(|word| word.contains('@')).map(str::to_owned).collect()
}

/// Returns the globs that together fit the same paths as a pattern.
fn globs_of(pattern: &str) -> Vec<String> {
    let is_folder = pattern.ends_with('/');
    let path = pattern.trim_end_matches('/');
    let is_anchored = path.contains('/');
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        // A lone slash is the whole repository.
        return vec!["**".to_owned()];
    }
    // These signs are no special ones in such a file.
    let mut glob = String::from(if is_anchored { "" } else { "**/" });
    for c in path.chars() {
        if matches!(c, '[' | ']' | '{' | '}') {
            glob.push('\\');
        }
        glob.push(c);
    }
    let within = format!("{glob}/**");
    match path.rsplit('/').next() {
        _ if is_folder => vec![within],
        // Such a pattern means the files of the folder, and not those of its folders.
        Some("*") if is_anchored => vec![glob],
        _ => vec![glob, within],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners_of(text: &str, path: &str) -> String {
        CodeOwners::parse(text).unwrap().of(path).join(" ")
    }

    #[test]
    fn the_last_pattern_that_fits_decides() {
        // The examples of GitHub's documentation.
        let text = "# a comment
*       @global-owner1 @global-owner2
*.js    @js-owner #an inline comment
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
";
        for (path, owners) in [
            ("main.c", "@global-owner1 @global-owner2"),
            ("deep/down/x.js", "@js-owner"),
            ("cmd/main.go", "docs@example.com"),
            ("note.txt", "@octo-org/octocats"),
            ("build/logs/today.c", "@octocat"),
            ("x/build/logs/a/b.go", "@octocat"),
            ("docs/a.go", "@doctocat"),
            ("docs/deep/a.go", "@doctocat"),
            ("x/apps/a.c", "@octocat"),
            ("scripts/run", "@doctocat @octocat"),
            ("apps/github/main.go", ""),
            ("apps/gitlab/main.go", "@octocat"),
        ] {
            assert_eq!(owners_of(text, path), owners, "{path}");
        }
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        for (pattern, fits, fits_not) in [
            ("/x.go", &["x.go"][..], &["a/x.go"][..]),
            ("x.go", &["x.go", "a/b/x.go"], &["xx.go"]),
            ("docs/*", &["docs/a.go"], &["docs/b/a.go", "x/docs/a.go"]),
            ("*", &["a", "a/b"], &[]),
            ("/", &["a", "a/b"], &[]),
            ("a/**/z", &["a/z", "a/b/c/z", "a/b/z/x.go"], &["z", "b/a/z"]),
            (
                "internal/api",
                &["internal/api/x.go", "internal/api"],
                &["internal/apis/x.go", "x/internal/api/y"],
            ),
            ("a?.go", &["ab.go", "x/ab.go"], &["a.go", "a/.go"]),
            ("name\\ with\\ blank/", &["name with blank/x"], &["name"]),
            ("/[a].{b}", &["[a].{b}"], &["a.b"]),
            ("\\#x", &["#x"], &["x"]),
        ] {
            let owners = CodeOwners::parse(&format!("{pattern} @o")).unwrap();
            for path in fits {
                assert_eq!(owners.of(path), ["@o"], "{pattern} {path}");
            }
            for path in fits_not {
                assert!(owners.of(path).is_empty(), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn sections_decide_each_for_itself() {
        let text = "* @all
[Docs] @writers
*.md
README.md @lead
^[Database][2] @dba
model/
[docs]
*.txt @notes
";
        for (path, owners) in [
            ("a.go", "@all"),
            ("a.md", "@all @writers"),
            ("README.md", "@all @lead"),
            ("x/model/a.md", "@all @writers @dba"),
            ("a.txt", "@all @notes"),
        ] {
            assert_eq!(owners_of(text, path), owners, "{path}");
        }
    }

    #[test]
    fn any_text_is_read() {
        for text in ["", "\u{feff}* @a\n[", "[x\n\\", "* \n** @b\n{ @c\n[[[ @d", "a\\ "] {
            let _ = CodeOwners::parse(text).unwrap().of("x/y.go");
        }
        assert_eq!(owners_of("* nobody\n", "x"), "", "a word without @ is no owner");
    }

    #[test]
    fn more_patterns_than_are_read_are_an_error() {
        let text = "/a.go @all\n".repeat(MOST_PATTERNS);
        assert_eq!(CodeOwners::parse(&text).unwrap().of("a.go"), ["@all"]);
        let error = CodeOwners::parse(&(text + "/a.go @last\n")).unwrap_err();
        assert_eq!(error, "has more than 20000 patterns");
    }
}
