//! The facts about the data of a page: one line above its figures, and the row in its footer.

use crate::names::printable;
use crate::phrases::{place, replicas, short_commit};
use crate::report::{PreviousRow, Report, ReportHead};
use crate::time::{iso, minute};

/// The facts in words; a fact that is unknown is empty.
pub(super) struct Facts {
    pub(super) branch: String,
    pub(super) commit: String,
    /// The longest known hash of the commit.
    pub(super) whole_commit: String,
    /// Environment and region.
    pub(super) place: String,
    /// The replicas that answered, and whether some did not.
    pub(super) replicas: Option<(String, bool)>,
    /// Time of the data, in RFC 3339.
    pub(super) since: String,
    /// Time of the data for people.
    pub(super) minute: String,
    /// The stored rows: `row 7`, or `rows cart 3, pay 5`.
    pub(super) rows: String,
    pub(super) stored: String,
}

impl Facts {
    pub(super) fn new(head: &ReportHead) -> Self {
        let at = head.confirmed_at.unwrap_or(head.stored_at);
        let rows = match &head.group {
            None => format!("row {}", head.row),
            Some(group) => {
                let rows = group.apps.iter().map(|app| format!("{} {}", app.app, app.row));
                format!("rows {}", rows.collect::<Vec<_>>().join(", "))
            }
        };
        let shown = |text: &str| printable(text).into_owned();
        Self {
            branch: shown(&head.branch),
            commit: shown(&short_commit(head.best_commit())),
            whole_commit: shown(head.best_commit()),
            place: shown(&place(&head.env, &head.region)),
            // Data that a process left has no listed replicas.
            replicas: head
                .replicas
                .filter(|(_, listed)| *listed > 0)
                .map(|(answered, listed)| (replicas(answered, listed), answered < listed)),
            since: iso(at),
            minute: minute(at),
            rows: shown(&rows),
            stored: minute(head.stored_at),
        }
    }
}

/// Returns the change of the total since the previous row, in words.
pub(super) fn change(report: &Report<'_>) -> Option<String> {
    let head = &report.head;
    let PreviousRow { stored_at, commit, coverage, .. } = head.previous.as_ref()?;
    let before = (*coverage)?;
    let commit = match !commit.is_empty() && *commit != head.commit {
        true => format!(" of commit {}", printable(&short_commit(commit))),
        false => String::new(),
    };
    let of = format!("the data of {}{commit}", minute(*stored_at));
    // A filtered report cannot be compared with the whole previous row.
    head.filters.is_empty().then(|| match report.coverage().since(before).to_string().as_str() {
        "=" => format!("As in {of}"),
        points => format!("{points} points since {of} ({before})"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{PROFILE, SOURCES, group_of, with_report};
    use super::*;
    use crate::coverage::Coverage;

    #[test]
    fn a_change_has_its_unit_and_the_time_it_is_counted_from() {
        with_report(PROFILE, &SOURCES, |mut report| {
            assert_eq!(
                change(&report).unwrap(),
                "+41.7 points since the data of 2026-11-23 14:20 UTC of commit 0123456 (25.0%)"
            );
            let previous = report.head.previous.as_mut().unwrap();
            previous.coverage = Some(Coverage { covered: 6, total: 9 });
            previous.commit = "845820727e".to_owned();
            assert_eq!(change(&report).unwrap(), "As in the data of 2026-11-23 14:20 UTC");
        });
    }

    #[test]
    fn rows_of_a_group_have_the_names_of_their_apps() {
        with_report(PROFILE, &SOURCES, |mut report| {
            let facts = Facts::new(&report.head);
            assert_eq!(
                [&*facts.commit, &facts.place, &facts.minute, &facts.rows],
                ["845820727e", "staging th", "2026-11-24 14:50 UTC", "row 7"]
            );
            report.head.group = Some(group_of(&report, &["cart", "pay"]));
            let rows = Facts::new(&report.head).rows;
            assert!(rows.starts_with("rows cart ") && rows.contains(", pay "), "{rows}");
        });
    }
}
