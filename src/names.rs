//! Service names: their fields, their form in the file system and on a terminal, and the choice of
//! one by a part of it.
//!
//! Names come from whoever registered a process, so nothing is assumed about them: no length, no
//! alphabet, no shape. Nothing here is dropped or refused; a name that fits no form stands for itself.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use regex::Regex;
use sha2::{Digest, Sha256};

/// A registered service name and the fields read from it.
///
/// Where the name fits nothing every field but `name` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ParsedName {
    /// The name exactly as the center lists it.
    pub name: String,
    /// The environment, such as `staging`.
    pub env: String,
    /// The region, such as `th`.
    pub region: String,
    /// The application, such as `apa_goc_echoserver`.
    pub app: String,
    /// The branch; of one with `/` its last part.
    pub branch: String,
    /// The commit, 7 to 64 hex digits, in lower case so that one commit is one key.
    pub commit: String,
}

impl ParsedName {
    /// Tells whether the name fitted, so that the fields hold something.
    #[must_use]
    pub(crate) fn is_parsed(&self) -> bool {
        !self.commit.is_empty()
    }

    /// Returns what the app directory is named after (unescaped): the app, or the whole name where
    /// nothing fits.
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

/// How service names are read: `<env>_<region>_<app>_<branch>_<commit>`, or a configured pattern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    pattern: Option<Regex>,
    /// Longest first, so that the first that fits is the one that wins.
    apps: Vec<String>,
}

/// A pattern for service names that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NamingError {
    /// The pattern is no regular expression.
    #[error("\"{}\" is no regular expression: {reason}", printable(.pattern))]
    Syntax {
        /// The pattern as configured.
        pattern: String,
        /// What is wrong with it, on one line.
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
    /// The pattern must have the groups `env region app branch commit` and must fit whole names; it is
    /// anchored here. Where it is given, `apps` do not matter.
    pub(crate) fn new(
        pattern: Option<&str>,
        apps: impl IntoIterator<Item = String>,
    ) -> Result<Naming, NamingError> {
        let pattern = pattern.map(anchored).transpose()?;
        let mut apps: Vec<String> = apps.into_iter().filter(|app| !app.is_empty()).collect();
        apps.sort_by_key(|app| std::cmp::Reverse(app.len()));
        Ok(Naming { pattern, apps })
    }

    /// Reads the fields of `name`; a name that fits nothing has none.
    ///
    /// The default form wants all five fields filled. A pattern may let `env`, `region` or `branch` be
    /// empty, for a house that has no regions, say; an app and a commit there must be.
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
    // Compiled alone first: `a)|(b` must not become valid by the parentheses put around it.
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

/// The regex crate draws the pattern and an arrow; its last line says what is wrong.
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

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The longest result of [`escape`] in bytes: with `_<N>_report.html` and a temporary suffix behind it
/// a file name still fits the 255 bytes of common file systems.
const LONGEST_ESCAPED: usize = 200;
/// Stands between prefix and hash of a long name. No escape looks like it, so that no other name does.
const HASH_MARK: &str = "%-";
/// Entries of the work directory that are ours.
const OWN_ENTRIES: [&str; 1] = ["inbox"];
/// Beginnings of entries of the work directory that are ours: the database with its `-wal`, `-shm` and
/// `-journal`, the configuration, the lock. Temporary files begin with a dot, which no escaped name does.
const OWN_BEGINNINGS: [&str; 2] = ["sqlite.db", "goc-watchdog."];

/// Returns `name` as one safe file name; different names give different results, on file systems that
/// ignore case or normalise Unicode too.
///
/// `a-z 0-9 _ - .` stay, every other byte becomes `%` and two lower-case hex digits; so do a `.` or `-`
/// at the start, a `.` at the end, and the first byte of a name that is one of our own files. The empty
/// name is `%`. A result over 200 bytes becomes a prefix, `%-`, and the SHA-256 of the name: that
/// one cannot be turned back, the original is in the database.
#[must_use]
pub(crate) fn escape(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let own = OWN_ENTRIES.contains(&name) || OWN_BEGINNINGS.iter().any(|own| name.starts_with(own));
    let last = name.len() - 1;
    let hash_bytes = HASH_MARK.len() + 2 * Sha256::output_size();
    let mut prefix_bytes = 0;
    let mut escaped = String::new();
    for (at, byte) in name.bytes().enumerate() {
        let stays = match byte {
            b'.' => at != 0 && at != last,
            b'-' => at != 0,
            b'a'..=b'z' => at != 0 || !own,
            b'0'..=b'9' | b'_' => true,
            _ => false,
        };
        if stays {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            push_hex(&mut escaped, byte);
        }
        if escaped.len() + hash_bytes <= LONGEST_ESCAPED {
            prefix_bytes = escaped.len();
        }
        if escaped.len() > LONGEST_ESCAPED {
            escaped.truncate(prefix_bytes);
            escaped.push_str(HASH_MARK);
            Sha256::digest(name).iter().for_each(|byte| push_hex(&mut escaped, *byte));
            return escaped;
        }
    }
    escaped
}

fn push_hex(text: &mut String, byte: u8) {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    text.extend([digit(byte >> 4), digit(byte & 15)]);
}

/// Returns `text` fit for a terminal: one line, and nothing in it that moves, hides or reorders what
/// stands around it.
///
/// Control characters (ANSI escapes begin with one), line and paragraph separators, and what Unicode
/// ignores by default (zero width, bidi controls, fillers, tags) show as `\n` or `\u{1b}`. A backslash
/// stays as it is, so that text made printable twice is the same.
///
/// Runners of GitHub and Azure take a line that begins with `::`, and `##[` or `##vso[` anywhere in one, for a
/// command; a colon or a number sign of these is escaped, too.
#[must_use]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Most names are; a look at bytes is enough for those.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let shown = if is_plain || !text.contains(is_unprintable) {
        Cow::Borrowed(text)
    } else {
        let mut shown = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if is_unprintable(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        Cow::Owned(shown)
    };
    without_commands(shown)
}

fn without_commands(text: Cow<'_, str>) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let begins_one = text[start..].starts_with("::");
    let holds_one =
        text.as_bytes().contains(&b'#') && ["##[", "##vso["].iter().any(|marker| text.contains(marker));
    if !begins_one && !holds_one {
        return text;
    }
    let mut safe = text.into_owned();
    if begins_one {
        safe.replace_range(start..=start, r"\u{3a}");
    }
    Cow::Owned(safe.replace("##[", r"#\u{23}[").replace("##vso[", r"#\u{23}vso["))
}

/// Returns `text` fit for a message: printable, and without its middle where it is so long that it would push all
/// else off the screen.
#[must_use]
pub(crate) fn in_message(text: &str) -> Cow<'_, str> {
    // An escape is up to ten times as long as its character; what is left out need not be escaped.
    match shortened(text, 10 * SHOWN_AT_EACH_END) {
        Cow::Borrowed(text) => match printable(text) {
            Cow::Borrowed(text) => shortened(text, SHOWN_AT_EACH_END),
            Cow::Owned(text) => Cow::Owned(shortened(&text, SHOWN_AT_EACH_END).into_owned()),
        },
        Cow::Owned(text) => Cow::Owned(shortened(&printable(&text), SHOWN_AT_EACH_END).into_owned()),
    }
}

/// Characters of a value that a message shows at each end of a longer one; a path of ordinary length is whole.
const SHOWN_AT_EACH_END: usize = 200;

/// Returns `text` with so many characters at each end, and `…` for what is between.
#[must_use]
pub(crate) fn shortened(text: &str, end: usize) -> Cow<'_, str> {
    if text.len() <= 2 * end {
        return Cow::Borrowed(text);
    }
    let (first, last) = (text.char_indices().nth(end), text.char_indices().nth_back(end - 1));
    match (first, last) {
        (Some((first, _)), Some((last, _))) if first < last => {
            Cow::Owned(format!("{}…{}", &text[..first], &text[last..]))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Control characters, separators, interlinear annotations, and Unicode's `Default_Ignorable_Code_Point`
/// (`DerivedCoreProperties.txt`).
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Candidates that the message of an ambiguous query shows.
const SHOWN_CANDIDATES: usize = 10;

/// A query that does not choose one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResolveError {
    /// The query is part of several names.
    Ambiguous {
        /// What was asked for.
        query: String,
        /// Every name that fits, sorted.
        candidates: Vec<String>,
    },
    /// The query is part of no name.
    NotFound {
        /// What was asked for.
        query: String,
        /// The name that is nearest to it, when one is near.
        nearest: Option<String>,
    },
}

impl std::error::Error for ResolveError {}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Ambiguous { query, candidates } => {
                write!(
                    f,
                    "\"{}\" fits {} services, give more of the name:",
                    printable(query),
                    candidates.len()
                )?;
                for candidate in candidates.iter().take(SHOWN_CANDIDATES) {
                    write!(f, "\n  {}", printable(candidate))?;
                }
                match candidates.len().saturating_sub(SHOWN_CANDIDATES) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            ResolveError::NotFound { query, nearest: Some(nearest) } => {
                write!(
                    f,
                    "no service fits \"{}\", did you mean \"{}\"?",
                    printable(query),
                    printable(nearest)
                )
            }
            ResolveError::NotFound { query, nearest: None } => {
                write!(f, "no service fits \"{}\", `goc-watchdog list` shows them all", printable(query))
            }
        }
    }
}

/// Returns the one candidate that `query` means: the full name, or the only one that it is a part of.
///
/// A part may also be written as [`printable`] shows it, since that is what people can copy. The empty
/// query means nothing: an unset variable of a script must not choose a service.
pub(crate) fn resolve<'a>(query: &str, candidates: &[&'a str]) -> Result<&'a str, ResolveError> {
    if let Some(exact) = candidates.iter().find(|candidate| **candidate == query) {
        return Ok(exact);
    }
    if query.is_empty() {
        return Err(ResolveError::NotFound { query: String::new(), nearest: None });
    }
    let fits = |candidate: &str| candidate.contains(query) || printable(candidate).contains(query);
    let fitting: BTreeSet<&'a str> = candidates.iter().copied().filter(|candidate| fits(candidate)).collect();
    let mut rest = fitting.iter();
    match (rest.next(), rest.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(ResolveError::Ambiguous {
            query: query.to_owned(),
            candidates: fitting.into_iter().map(str::to_owned).collect(),
        }),
        (None, _) => {
            Err(ResolveError::NotFound { query: query.to_owned(), nearest: nearest(query, candidates) })
        }
    }
}

/// Finds the candidate with a run of segments that is at most a quarter of the query away from it.
fn nearest(query: &str, candidates: &[&str]) -> Option<String> {
    // Nobody mistypes a name of this length, and the distance costs the product of both lengths.
    if query.len() > 2 * LONGEST_ESCAPED {
        return None;
    }
    let near = (query.chars().count() / 4).max(1);
    candidates
        .iter()
        .filter_map(|candidate| Some((distance(query, candidate, near)?, *candidate)))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Returns the smallest edit distance, at most `near`, between `query` and a run of segments of
/// `candidate` as long in segments as it is.
fn distance(query: &str, candidate: &str, near: usize) -> Option<usize> {
    let run = query.split('_').count();
    let starts: Vec<usize> =
        std::iter::once(0).chain(candidate.match_indices('_').map(|(at, _)| at + 1)).collect();
    let ends = starts.iter().skip(run).map(|next| next - 1).chain(std::iter::once(candidate.len()));
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &candidate[*start..end])
        .filter(|part| part.len().abs_diff(query.len()) <= 4 * near)
        .map(|part| strsim::osa_distance(query, part))
        .filter(|distance| *distance <= near)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the name that [`escape`] turned into `escaped`; `None` for a long name's prefix and hash, and
    /// for whatever [`escape`] never makes.
    fn unescape(escaped: &str) -> Option<String> {
        if escaped == "%" {
            return Some(String::new());
        }
        let mut bytes = Vec::with_capacity(escaped.len());
        let mut rest = escaped.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let mut digit =
                    || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit()? * 16 + digit()?);
            } else {
                bytes.push(byte);
            }
        }
        // One form a name: upper-case hex, or an escape where none is needed, is not ours.
        String::from_utf8(bytes).ok().filter(|name| escape(name) == escaped)
    }

    fn fields(naming: &Naming, name: &str) -> [String; 5] {
        let ParsedName { name: original, env, region, app, branch, commit } = naming.parse(name);
        assert_eq!(original, name);
        [env, region, app, branch, commit]
    }

    fn with_apps(apps: &[&str]) -> Naming {
        Naming::new(None, apps.iter().map(|app| (*app).to_owned())).unwrap()
    }

    #[test]
    fn no_text_from_outside_becomes_a_command_of_a_ci_runner() {
        for (text, expected) in [
            ("::error::x", r"\u{3a}:error::x"),
            ("  ::set-output name=a::b", r"  \u{3a}:set-output name=a::b"),
            ("a ##[error]x", r"a #\u{23}[error]x"),
            ("##vso[task.complete]", r"#\u{23}vso[task.complete]"),
            ("\n::error::x", r"\n::error::x"),
            ("a::b", "a::b"),
            ("## [x]", "## [x]"),
        ] {
            assert_eq!(printable(text), expected);
            assert_eq!(printable(&printable(text)), expected);
        }
    }

    #[test]
    fn what_a_message_shows_has_a_bound() {
        let long = format!("a{}b", "x\u{1b}".repeat(50_000));
        let shown = in_message(&long);
        assert_eq!(shown.chars().count(), 401);
        assert!(
            shown.starts_with(r"ax\u{1b}x") && shown.contains('…') && shown.ends_with(r"\u{1b}b"),
            "{shown}"
        );
        let path = "p/".repeat(150);
        assert_eq!(in_message(&path), path);
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
            // The longer app would leave no branch.
            ("e_r_echo_server_0123456", ["e", "r", "echo", "server", "0123456"]),
            ("e_r_echo_server_v2_0123456", ["e", "r", "echo_server", "v2", "0123456"]),
            ("e_r_echo_feature/my_branch_0123456", ["e", "r", "echo", "my_branch", "0123456"]),
            // Not configured: the default rule.
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
        assert_eq!(message("(?<env>"), r#""(?<env>" is no regular expression: unclosed group"#);
        assert_eq!(
            message("(?<env>.)(?<app>.)(?<commit>.)"),
            r#""(?<env>.)(?<app>.)(?<commit>.)" lacks the named groups region, branch, write them as (?<region>...)"#
        );
        assert!(message("a)|(b").contains("is no regular expression"));
    }

    #[test]
    fn ordinary_names_stay_and_others_are_escaped() {
        for (name, escaped) in [
            ("apa_goc_echoserver", "apa_goc_echoserver"),
            ("a.b-c_1", "a.b-c_1"),
            ("", "%"),
            (".", "%2e"),
            ("..", "%2e%2e"),
            ("...", "%2e.%2e"),
            (".hidden", "%2ehidden"),
            ("-rf", "%2drf"),
            ("a.", "a%2e"),
            ("a ", "a%20"),
            ("a/b", "a%2fb"),
            ("../../etc", "%2e.%2f..%2fetc"),
            ("a\0\n\x1b", "a%00%0a%1b"),
            ("A", "%41"),
            ("a%41", "a%2541"),
            ("é", "%c3%a9"),
            ("inbox", "%69nbox"),
            ("inbox2", "inbox2"),
            ("sqlite.db", "%73qlite.db"),
            ("sqlite.db-wal", "%73qlite.db-wal"),
            ("goc-watchdog.toml", "%67oc-watchdog.toml"),
            ("goc-watchdog.lock", "%67oc-watchdog.lock"),
            ("goc-watchdog", "goc-watchdog"),
        ] {
            assert_eq!(escape(name), escaped);
            assert_eq!(unescape(escaped).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_long_name_becomes_prefix_and_hash() {
        let longest = "a".repeat(200);
        assert_eq!(escape(&longest), longest);
        let escaped = escape(&"a".repeat(201));
        // printf 'a%.0s' $(seq 201) | sha256sum
        let hash = "a92efd82109373e58f9a2056dee01e807e216ce6075f7051207c0a9f7d666e50";
        assert_eq!(escaped, format!("{}%-{hash}", "a".repeat(134)));
        assert_eq!(unescape(&escaped), None);
        // An escape is never cut in two.
        assert!(escape(&"é".repeat(5000)).starts_with(&format!("{}%-", "%c3%a9".repeat(22))));
        assert_eq!(escape(&"é".repeat(5000)).len(), 198);
    }

    #[test]
    fn what_escape_never_makes_is_not_turned_back() {
        for text in
            ["", "A", "%4", "%zz", "%+1", "%6E", "%61", "a%", "%ff", "inbox", ".x", "a/b", "é", "%2", "x%-"]
        {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    /// Names with a taste for trouble: case, dots, escapes, our own files, Unicode forms, length.
    fn hostile_name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z0-9_./%\\- ]{0,4}",
            any::<String>(),
            prop::sample::select(vec![
                "inbox",
                "INBOX",
                "sqlite.db",
                "-wal",
                "%69nbox",
                "%",
                "%-",
                "%2e",
                "..",
                "\0",
                "e\u{301}",
                "é",
            ])
            .prop_map(str::to_owned),
            "[a-c]{60,90}",
        ];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn escaped_names_are_safe_and_turn_back(name in hostile_name()) {
            let escaped = escape(&name);
            prop_assert!((1..=200).contains(&escaped.len()));
            let safe = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'%');
            prop_assert!(escaped.bytes().all(safe), "{escaped}");
            prop_assert!(!escaped.starts_with(['.', '-']) && !escaped.ends_with('.'), "{escaped}");
            prop_assert!(escaped != "inbox" && !escaped.starts_with("sqlite.db"), "{escaped}");
            match unescape(&escaped) {
                Some(original) => prop_assert_eq!(original, name),
                None => prop_assert!(escaped.contains("%-"), "{escaped}"),
            }
        }

        #[test]
        fn different_names_escape_differently(a in hostile_name(), b in hostile_name()) {
            prop_assert_eq!(a == b, escape(&a).to_lowercase() == escape(&b).to_lowercase());
        }

        #[test]
        fn unescape_accepts_only_what_escape_makes(text in "[a-c%0-9A-F.\\-]{0,8}") {
            if let Some(name) = unescape(&text) {
                prop_assert_eq!(escape(&name), text);
            }
        }

        #[test]
        fn printable_text_has_nothing_unprintable_and_stays(text in any::<String>()) {
            let shown = printable(&text).into_owned();
            prop_assert!(!shown.contains(is_unprintable));
            prop_assert_eq!(printable(&shown), shown.as_str());
        }

        #[test]
        fn parsing_never_panics_and_keeps_the_name(name in "[a-c_/0-9]{0,40}") {
            let parsed = with_apps(&["a", "a_b"]).parse(&name);
            prop_assert_eq!(&parsed.name, &name);
            prop_assert!(parsed.is_parsed() || parsed == ParsedName::unparsed(&name));
        }

        #[test]
        fn resolving_never_panics(query in any::<String>(), names in prop::collection::vec("[aé_]{0,9}", 0..4)) {
            let candidates: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = resolve(&query, &candidates);
        }
    }

    #[test]
    fn what_could_mislead_a_terminal_is_shown_escaped() {
        for (text, shown) in [
            ("plain_ñ 日本 \\", "plain_ñ 日本 \\"),
            ("a\nb\r\t", "a\\nb\\r\\t"),
            ("\x1b[31mred\x1b]0;x\x07", "\\u{1b}[31mred\\u{1b}]0;x\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}cba\u{2066}\u{200f}", "\\u{202e}cba\\u{2066}\\u{200f}"),
            ("\u{2028}\u{2029}\u{200b}\u{feff}", "\\u{2028}\\u{2029}\\u{200b}\\u{feff}"),
            ("\0\x7f", "\\u{0}\\u{7f}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed("plain")));
    }

    const FLEET: [&str; 4] = [
        "staging_th_echo_master_845820727e",
        "staging_th_echo_v2_master_845820727e",
        "staging_sg_apa_goc_gateway_master_1234567",
        "odd\u{1b}name",
    ];

    #[test]
    fn a_full_name_or_an_unambiguous_part_resolves() {
        for (query, name) in [
            (FLEET[0], FLEET[0]),
            ("echo_master", FLEET[0]),
            ("apa_goc_gateway", FLEET[2]),
            ("odd\\u{1b}", FLEET[3]),
        ] {
            assert_eq!(resolve(query, &FLEET), Ok(name));
        }
        // A full name wins although it is a part of another; a name listed twice is one.
        assert_eq!(resolve("ab", &["abc", "ab"]), Ok("ab"));
        assert_eq!(resolve("ab", &["abc", "abc"]), Ok("abc"));
    }

    #[test]
    fn an_ambiguous_part_lists_the_candidates() {
        assert_eq!(
            resolve("echo", &FLEET).unwrap_err().to_string(),
            "\"echo\" fits 2 services, give more of the name:\n  \
             staging_th_echo_master_845820727e\n  staging_th_echo_v2_master_845820727e"
        );
        let many: Vec<String> = (10..25).map(|n| format!("svc\n{n}")).collect();
        let candidates: Vec<&str> = many.iter().map(String::as_str).collect();
        let message = resolve("svc", &candidates).unwrap_err().to_string();
        assert!(message.starts_with("\"svc\" fits 15 services, give more of the name:\n  svc\\n10\n"));
        assert!(message.ends_with("\n  svc\\n19\n  and 5 more"), "{message}");
    }

    #[test]
    fn a_miss_names_the_nearest_when_it_is_near() {
        let message = |query: &str| resolve(query, &FLEET).unwrap_err().to_string();
        assert_eq!(
            message("apa_goc_gatewya"),
            "no service fits \"apa_goc_gatewya\", did you mean \"staging_sg_apa_goc_gateway_master_1234567\"?"
        );
        assert_eq!(
            message("staging_th_echo_mastre_845820727e"),
            "no service fits \"staging_th_echo_mastre_845820727e\", did you mean \"staging_th_echo_master_845820727e\"?"
        );
        assert_eq!(
            message("billing\n"),
            "no service fits \"billing\\n\", `goc-watchdog list` shows them all"
        );
        assert_eq!(message(""), "no service fits \"\", `goc-watchdog list` shows them all");
    }
}
