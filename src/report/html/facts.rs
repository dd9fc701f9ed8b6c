//! The facts about the data of a page, beside its total.

use crate::names::printable;
use crate::report::Report;
use crate::time::minute;

/// Returns the names and values of the facts about the data, without empty ones.
pub(super) fn facts(report: &Report<'_>) -> Vec<(&'static str, String)> {
    let head = &report.head;
    let stored = minute(head.stored_at);
    let (word, rows) = match &head.group {
        None => ("Row", head.row.to_string()),
        Some(group) => {
            let rows = group.apps.iter().map(|app| format!("{} {}", app.app, app.row));
            ("Rows", rows.collect::<Vec<_>>().join(", "))
        }
    };
    let facts = [
        ("Branch", head.branch.clone()),
        ("Commit", head.best_commit().to_owned()),
        ("Environment", head.env.clone()),
        ("Region", head.region.clone()),
        (word, format!("{rows}, stored {stored}")),
    ];
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(what, value)| (what, printable(&value).into_owned())).collect()
}
