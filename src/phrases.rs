//! Phrases that several messages share: numbers of things, moments, changed lines.

use chrono::{DateTime, Utc};

use crate::coverage::ChangedLines;
use crate::time::{minute, span};

/// The sign for an empty cell of a table.
pub(crate) const NOTHING: &str = "-";

/// Returns the first digits of a commit, as many as people need to tell commits apart.
pub(crate) fn short_commit(commit: &str) -> String {
    const DIGITS: usize = 10;
    commit.chars().take(DIGITS).collect()
}

/// Returns the coverage of a row's changed lines with the beginning of the base's hash: `75.0% of 8, since 1a2b3c4d`.
pub(crate) fn changed_lines(diff: &ChangedLines) -> String {
    const SHORT: usize = 8;
    let base = diff.base.get(..SHORT).unwrap_or(&diff.base);
    match diff.lines.total {
        0 => format!("none since {base}"),
        total => format!("{} of {total}, since {base}", diff.lines),
    }
}

/// Returns `1 replica` or `2 replicas`, and `1 entry` of `entries`.
pub(crate) fn count(number: usize, what: &str) -> String {
    if let (1, Some(stem)) = (number, what.strip_suffix("ies")) {
        return format!("1 {stem}y");
    }
    match what.strip_suffix('s') {
        Some(stem) if number == 1 && what.ends_with("ses") => {
            format!("1 {}", stem.strip_suffix('e').unwrap_or(stem))
        }
        Some(one) if number == 1 => format!("1 {one}"),
        _ => format!("{number} {what}"),
    }
}

/// Returns the number of replicas that answered, of those listed: `2 of 3 replicas`, `0 of 1 replica`, `1 replica`.
pub(crate) fn replicas(answered: u32, listed: u32) -> String {
    match (answered, listed) {
        (1, 1) => "1 replica".to_owned(),
        _ => format!("{answered} of {}", count(listed as usize, "replicas")),
    }
}

/// Returns an environment and region in words: `staging th`; only the one that is not empty.
pub(crate) fn place(env: &str, region: &str) -> String {
    format!("{env} {region}").trim().to_owned()
}

/// Returns the numbers of rows in words: `row 3`, `rows 3 and 5`, `rows 3, 5 and 9`, `rows 3, 5, 9 and 40 more`.
pub(crate) fn rows(numbers: &[i64]) -> String {
    /// More rows than this are counted.
    const MOST: usize = 5;
    const NAMED: usize = 3;
    let named = if numbers.len() > MOST { &numbers[..NAMED] } else { numbers };
    let more = (numbers.len() > named.len()).then(|| format!("{} more", numbers.len() - named.len()));
    let words: Vec<String> = named.iter().map(i64::to_string).chain(more).collect();
    match words.len() {
        0 => "no row".to_owned(),
        1 => format!("row {}", words[0]),
        _ => format!("rows {}", listed(&words)),
    }
}

/// Returns words as a list: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns a time in UTC for people: `14:20` on the same day, else with the date before it.
pub(crate) fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at.date_naive() == now.date_naive() { at.format("%H:%M UTC").to_string() } else { minute(at) }
}

/// Returns the time since a moment as `3m ago`; `-` for none.
pub(crate) fn ago(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), |at| format!("{} ago", span(now - at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_listed() {
        assert_eq!(
            [&[][..], &[3], &[3, 5], &[3, 5, 9]].map(rows),
            ["no row", "row 3", "rows 3 and 5", "rows 3, 5 and 9"]
        );
        let many: Vec<i64> = (1..=50).collect();
        assert_eq!([&many[..5], &many].map(rows), ["rows 1, 2, 3, 4 and 5", "rows 1, 2, 3 and 47 more"]);
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "services"), "1 service");
        assert_eq!(count(0, "replicas"), "0 replicas");
        assert_eq!(count(1, "addresses"), "1 address");
        assert_eq!([1, 2].map(|number| count(number, "entries")), ["1 entry", "2 entries"]);
    }

    #[test]
    fn one_replica_is_counted_as_people_do() {
        let counted =
            [(1, 1), (0, 1), (2, 3), (3, 3), (0, 0)].map(|(answered, listed)| replicas(answered, listed));
        assert_eq!(
            counted,
            ["1 replica", "0 of 1 replica", "2 of 3 replicas", "3 of 3 replicas", "0 of 0 replicas"]
        );
    }
}
