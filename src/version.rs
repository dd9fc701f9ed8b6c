//! The version that `--version` prints.

use std::sync::LazyLock;

/// Number of hex digits of a commit that `--version` prints.
const COMMIT_DIGITS: usize = 12;

/// Returns the version of this build. Its commit and date come from the environment of the compiler, so that a build
/// without git, such as from a source archive, needs nothing.
pub(crate) fn of_this_build() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("GOC_WATCHDOG_BUILD_COMMIT");
        let date = option_env!("GOC_WATCHDOG_BUILD_DATE");
        describe(env!("CARGO_PKG_VERSION"), commit, date)
    });
    &VERSION
}

/// Returns a version with the commit and date that are known, such as `0.2.0 (abc123def456 2026-11-30)`. An empty text
/// is unknown: workflows set a variable so if they have no value for it.
fn describe(version: &str, commit: Option<&str>, date: Option<&str>) -> String {
    let commit = commit.map(|commit| commit.trim().chars().take(COMMIT_DIGITS).collect());
    let date = date.map(|date| date.trim().to_owned());
    let known: Vec<String> = [commit, date].into_iter().flatten().filter(|text| !text.is_empty()).collect();
    match known.is_empty() {
        true => version.to_owned(),
        false => format!("{version} ({})", known.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_and_date_follow_the_version_where_they_are_known() {
        let commit = Some("abc123def4567890abc123def4567890abc123de");
        let date = Some("2026-11-30");
        assert_eq!(describe("0.2.0", commit, date), "0.2.0 (abc123def456 2026-11-30)");
        assert_eq!(describe("0.2.0", Some("abc123d"), None), "0.2.0 (abc123d)");
        assert_eq!(describe("0.2.0", None, date), "0.2.0 (2026-11-30)");
        assert_eq!(describe("0.2.0", None, None), "0.2.0");
    }

    #[test]
    fn an_empty_value_is_unknown() {
        assert_eq!(describe("0.2.0", Some(""), Some("")), "0.2.0");
        assert_eq!(describe("0.2.0", Some(" \n"), Some("2026-11-30\n")), "0.2.0 (2026-11-30)");
    }
}
