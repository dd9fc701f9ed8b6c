//! The fields of a service name: env, region, app, branch and commit.
//!
//! Any process can register any name, so nothing is assumed about its length, its characters or its form. A name that
//! fits no form is an app by itself.

use regex::Regex;

use super::printable;

/// A registered service name and the fields read from it.
///
/// A name that fits no form leaves every field but `name` empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ParsedName {
    /// The exact name that the center lists.
    pub name: String,
    /// The environment, such as `staging`.
    pub env: String,
    /// The region, such as `th`.
    pub region: String,
    /// The application, such as `apa_goc_echoserver`.
    pub app: String,
    /// The branch; of a branch with `/` only the last part.
    pub branch: String,
    /// The commit, 7 to 64 hex digits, in lower case, so that each commit has one spelling.
    pub commit: String,
}

impl ParsedName {
    /// Tells whether the name fits the form, so that its fields are filled.
    #[must_use]
    pub(crate) fn is_parsed(&self) -> bool {
        !self.commit.is_empty()
    }

    /// Returns the unescaped name of the app's folder: the app, or the whole name if no form fits.
    #[must_use]
    pub(crate) fn app_or_name(&self) -> &str {
        if self.is_parsed() { &self.app } else { &self.name }
    }

    fn unparsed(name: &str) -> ParsedName {
        ParsedName { name: name.to_owned(), ..ParsedName::default() }
    }
}

/// The named groups that a pattern must have.
const GROUPS: [&str; 5] = ["env", "region", "app", "branch", "commit"];

/// The rules for the fields of service names: `<env>_<region>_<app>_<branch>_<commit>`, or a configured pattern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    pattern: Option<Regex>,
    /// The configured app names, the longest first, so that the first that fits is taken.
    apps: Vec<String>,
}

/// The reason for which a pattern for service names cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NamingError {
    /// The pattern is not a regular expression.
    #[error("\"{}\" is not a regular expression: {reason}", printable(.pattern))]
    Syntax {
        /// The pattern as configured.
        pattern: String,
        /// The fault, on one line.
        reason: String,
    },
    /// The pattern lacks groups.
    #[error(
        "\"{}\" lacks the named groups {}, write them as (?<{}>...)",
        printable(.pattern), .missing.join(", "), .missing[0]
    )]
    MissingGroups {
        /// The pattern as configured.
        pattern: String,
        /// The groups it lacks, at least one.
        missing: Vec<&'static str>,
    },
}

impl Naming {
    /// Makes the rules from the configured `pattern`, if any, and the configured app names.
    ///
    /// The pattern must have the groups `env region app branch commit` and is matched with whole names. If a pattern is
    /// given, `apps` have no effect.
    pub(crate) fn new(
        pattern: Option<&str>,
        apps: impl IntoIterator<Item = String>,
    ) -> Result<Naming, NamingError> {
        let pattern = pattern.map(anchored).transpose()?;
        let mut apps: Vec<String> = apps.into_iter().filter(|app| !app.is_empty()).collect();
        apps.sort_by_key(|app| std::cmp::Reverse(app.len()));
        Ok(Naming { pattern, apps })
    }

    /// Reads the fields of `name`. A name that fits no form has empty fields.
    ///
    /// In the default form none of the five fields is empty. A pattern may leave `env`, `region` or `branch` empty, for
    /// example without regions; app and commit must not be empty.
    #[must_use]
    pub(crate) fn parse(&self, name: &str) -> ParsedName {
        let fields = match &self.pattern {
            Some(pattern) => fields_by_pattern(pattern, name),
            None => self.fields_by_segments(name),
        };
        fields.unwrap_or_else(|| ParsedName::unparsed(name))
    }

    fn fields_by_segments(&self, name: &str) -> Option<ParsedName> {
        let (env, rest) = name.split_once('_')?;
        let (region, rest) = rest.split_once('_')?;
        let (rest, commit) = rest.rsplit_once('_')?;
        let configured = self.apps.iter().find_map(|app| {
            let branch = rest.strip_prefix(app.as_str())?.strip_prefix('_')?;
            Some((app.as_str(), last_part(branch))).filter(|(_, branch)| !branch.is_empty())
        });
        let (app, branch) = match configured {
            Some(fields) => fields,
            None => rest.rsplit_once('_').map(|(app, branch)| (app, last_part(branch)))?,
        };
        if [env, region, app, branch].contains(&"") || !is_commit(commit) {
            return None;
        }
        Some(service_name(name, [env, region, app, branch, commit]))
    }
}

fn anchored(pattern: &str) -> Result<Regex, NamingError> {
    // The pattern is first compiled by itself, because `a)|(b` must not become valid by the parentheses around it.
    let compile = |text: &str| {
        Regex::new(text).map_err(|error| NamingError::Syntax {
            pattern: pattern.to_owned(),
            reason: last_line(&error.to_string()),
        })
    };
    let alone = compile(pattern)?;
    let has = |group: &str| alone.capture_names().flatten().any(|name| name == group);
    let missing: Vec<&'static str> = GROUPS.into_iter().filter(|group| !has(group)).collect();
    if !missing.is_empty() {
        return Err(NamingError::MissingGroups { pattern: pattern.to_owned(), missing });
    }
    compile(&format!(r"\A(?:{pattern})\z"))
}

/// Returns the last line of an error of the regex crate, which has the reason. The lines before it show the pattern.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn fields_by_pattern(pattern: &Regex, name: &str) -> Option<ParsedName> {
    let captures = pattern.captures(name)?;
    let [env, region, app, branch, commit] =
        GROUPS.map(|group| captures.name(group).map_or("", |found| found.as_str()));
    if app.is_empty() || !is_commit(commit) {
        return None;
    }
    Some(service_name(name, [env, region, app, last_part(branch), commit]))
}

fn service_name(name: &str, [env, region, app, branch, commit]: [&str; 5]) -> ParsedName {
    ParsedName {
        name: name.to_owned(),
        env: env.to_owned(),
        region: region.to_owned(),
        app: app.to_owned(),
        branch: branch.to_owned(),
        commit: commit.to_ascii_lowercase(),
    }
}

fn last_part(branch: &str) -> &str {
    branch.rsplit_once('/').map_or(branch, |(_, last)| last)
}

/// Tells whether a text has the form of a commit: 7 to 64 hex digits.
pub(crate) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(naming: &Naming, name: &str) -> [String; 5] {
        let ParsedName { name: original, env, region, app, branch, commit } = naming.parse(name);
        assert_eq!(original, name);
        [env, region, app, branch, commit]
    }

    fn with_apps(apps: &[&str]) -> Naming {
        Naming::new(None, apps.iter().map(|app| (*app).to_owned())).unwrap()
    }

    #[test]
    fn first_two_and_last_two_segments_are_fixed_and_the_app_lies_between() {
        for (name, expected) in [
            (
                "staging_th_apa_goc_echoserver_master_845820727e",
                ["staging", "th", "apa_goc_echoserver", "master", "845820727e"],
            ),
            ("a_b_c_d_0123456", ["a", "b", "c", "d", "0123456"]),
            ("a_b_c__d_0123456", ["a", "b", "c_", "d", "0123456"]),
            ("a_b_c_feature/x_0123456", ["a", "b", "c", "x", "0123456"]),
            ("a_b_c_d_ABCDEF0", ["a", "b", "c", "d", "abcdef0"]),
            ("ü_b_c\n_d e_0123456", ["ü", "b", "c\n", "d e", "0123456"]),
        ] {
            assert_eq!(fields(&Naming::default(), name), expected, "{name}");
        }
    }

    #[test]
    fn a_commit_is_7_to_64_hex_digits() {
        for (commit, fits) in [
            ("012345".to_owned(), false),
            ("0123456".to_owned(), true),
            ("a".repeat(64), true),
            ("a".repeat(65), false),
            ("012345g".to_owned(), false),
            ("012345\u{664}".to_owned(), false),
        ] {
            assert_eq!(Naming::default().parse(&format!("e_r_a_b_{commit}")).is_parsed(), fits, "{commit}");
        }
    }

    #[test]
    fn a_name_that_fits_nothing_stands_for_itself() {
        for name in [
            "",
            "_",
            "____",
            "plain",
            "a_b_c_d",
            "a_b_c_0123456",
            "_b_c_d_0123456",
            "a__c_d_0123456",
            "a_b__d_0123456",
            "a_b_c__0123456",
            "a_b_c_d/_0123456",
            "a_b_c_d_main",
            "a_b_c_d_0123456 ",
            "a_b_c_d_0123456\n",
        ] {
            let parsed = Naming::default().parse(name);
            assert_eq!(parsed, ParsedName::unparsed(name));
            assert_eq!(parsed.app_or_name(), name);
        }
    }

    #[test]
    fn the_longest_configured_app_that_fits_wins() {
        let naming = with_apps(&["echo", "echo_server", "echo_server_v2", ""]);
        for (name, expected) in [
            ("e_r_echo_server_my_branch_0123456", ["e", "r", "echo_server", "my_branch", "0123456"]),
            ("e_r_echo_my_branch_0123456", ["e", "r", "echo", "my_branch", "0123456"]),
            // The longer app would leave the branch empty.
            ("e_r_echo_server_0123456", ["e", "r", "echo", "server", "0123456"]),
            ("e_r_echo_server_v2_0123456", ["e", "r", "echo_server", "v2", "0123456"]),
            ("e_r_echo_feature/my_branch_0123456", ["e", "r", "echo", "my_branch", "0123456"]),
            // An app that is not configured follows the default rule.
            ("e_r_echoes_my_branch_0123456", ["e", "r", "echoes_my", "branch", "0123456"]),
        ] {
            assert_eq!(fields(&naming, name), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_replaces_the_form_and_must_fit_the_whole_name() {
        let pattern = r"(?<app>[a-z]+)\.(?<env>[a-z]+)(?<region>)@(?<branch>.+):(?<commit>\w+)";
        let naming = Naming::new(Some(pattern), []).unwrap();
        assert_eq!(
            fields(&naming, "echo.staging@feature/x_y:845820727E"),
            ["staging", "", "echo", "x_y", "845820727e"]
        );
        for name in [
            "echo.staging@main:not_hex",
            "echo.staging@main:845820727e!",
            "!echo.staging@main:845820727e",
            "e_r_a_b_0123456",
        ] {
            assert_eq!(naming.parse(name), ParsedName::unparsed(name));
        }
    }

    #[test]
    fn alternatives_of_a_pattern_are_anchored_as_one() {
        let pattern = r"x(?<env>.)(?<region>.)(?<app>.)(?<branch>.)(?<commit>.{7})|y";
        let naming = Naming::new(Some(pattern), []).unwrap();
        assert!(naming.parse("xerab0123456").is_parsed());
        assert!(!naming.parse("xerab0123456 trailing").is_parsed());
    }

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        let message = |pattern: &str| Naming::new(Some(pattern), []).unwrap_err().to_string();
        assert_eq!(message("(?<env>"), r#""(?<env>" is not a regular expression: unclosed group"#);
        assert_eq!(
            message("(?<env>.)(?<app>.)(?<commit>.)"),
            r#""(?<env>.)(?<app>.)(?<commit>.)" lacks the named groups region, branch, write them as (?<region>...)"#
        );
        assert!(message("a)|(b").contains("is not a regular expression"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_name(name in "[a-c_/0-9]{0,40}") {
            let parsed = with_apps(&["a", "a_b"]).parse(&name);
            prop_assert_eq!(&parsed.name, &name);
            prop_assert!(parsed.is_parsed() || parsed == ParsedName::unparsed(&name));
        }
    }
}
