//! The facts about the data of a page: one line above its figures, and the row in its footer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
    pub(super) pull: PullFacts,
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
            pull: PullFacts { since: at, replicas: head.replicas },
            rows: shown(&rows),
            stored: minute(head.stored_at),
        }
    }
}

/// The facts about the last pull, which change when nothing else of a page does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PullFacts {
    /// Time of the data: of the last pull, or of the row if there was none.
    pub since: DateTime<Utc>,
    /// Number of replicas that answered, and of those listed.
    pub replicas: Option<(u32, u32)>,
}

impl PullFacts {
    /// Returns the markup of these facts, in which nothing comes from outside.
    pub(super) fn markup(&self) -> String {
        // Data that a process left has no listed replicas.
        let listed = self.replicas.filter(|(_, listed)| *listed > 0);
        let replicas = listed.map(|(answered, listed)| {
            let class = if answered < listed { " class=\"warning\"" } else { "" };
            format!("<li{class}>{}</li>\n", replicas(answered, listed))
        });
        let (iso, minute) = (iso(self.since), minute(self.since));
        format!(
            "{}<li><time id=\"age\" datetime=\"{iso}\" title=\"{minute}\">{minute}</time></li>",
            replicas.unwrap_or_default()
        )
    }

    /// Puts newer facts in the place of these into a page; `None` if the page does not have these.
    pub(crate) fn replaced_in(&self, page: &[u8], newer: &Self) -> Option<Vec<u8>> {
        let (before, after) = std::str::from_utf8(page).ok()?.split_once(&self.markup())?;
        Some([before, &newer.markup(), after].concat().into_bytes())
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
    fn the_facts_of_a_pull_replace_those_of_an_earlier_one() {
        let at = |minutes: i64| DateTime::from_timestamp(60 * minutes, 0).unwrap();
        let two = PullFacts { since: at(0), replicas: Some((2, 2)) };
        assert_eq!(
            two.markup(),
            "<li>2 of 2 replicas</li>\n<li><time id=\"age\" datetime=\"1970-01-01T00:00:00.000Z\" \
             title=\"1970-01-01 00:00 UTC\">1970-01-01 00:00 UTC</time></li>"
        );
        let one = PullFacts { since: at(1), replicas: Some((1, 2)) };
        assert!(one.markup().starts_with("<li class=\"warning\">1 of 2 replicas</li>\n<li><time"));
        let none = PullFacts { since: at(2), replicas: Some((0, 0)) };
        assert!(none.markup().starts_with("<li><time"));
        let page = |facts: &PullFacts| format!("<ul>{}</ul>", facts.markup()).into_bytes();
        assert_eq!(two.replaced_in(&page(&two), &one), Some(page(&one)));
        assert_eq!(two.replaced_in(&page(&one), &none), None);
        assert_eq!(two.replaced_in(b"\xff", &none), None);
    }

    #[test]
    fn rows_of_a_group_have_the_names_of_their_apps() {
        with_report(PROFILE, &SOURCES, |mut report| {
            let facts = Facts::new(&report.head);
            assert_eq!([&*facts.commit, &facts.place, &facts.rows], ["845820727e", "staging th", "row 7"]);
            report.head.group = Some(group_of(&report, &["cart", "pay"]));
            let rows = Facts::new(&report.head).rows;
            assert!(rows.starts_with("rows cart ") && rows.contains(", pay "), "{rows}");
        });
    }
}
