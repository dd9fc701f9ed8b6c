//! The earlier state with which `--max-drop` compares a total.

use anyhow::{Result, bail};

use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::gate::HowBefore;
use crate::names::in_message;
use crate::source::{Compared, SourceReader, row_to_compare};

/// Finds the row to compare with: the row that `--against` names, or else the newest row of the commit before. The inner
/// `Err` is the reason, in words, why there is none.
pub(crate) fn row_before<'r>(
    against: Option<&str>,
    row: &Row,
    entries: &[KeyEntry],
    rows: &'r [Row],
    reader: &SourceReader<'_>,
) -> Result<Result<(&'r Row, HowBefore), String>> {
    let Some(query) = against else {
        return Ok(reader.commit_before(row, rows).ok_or_else(|| lack(row)));
    };
    let other = row_to_compare(query, row, entries, rows, Compared::Total)?;
    if other.id == row.id {
        bail!("--against {} is row {} itself, so its total cannot be lower", in_message(query), row.id.0);
    }
    Ok(Ok((other, HowBefore::Named)))
}

fn lack(row: &Row) -> String {
    let commit = in_message(&row.key.commit);
    match (row.key.commit.as_str(), row.branch.as_str()) {
        ("", _) => "the service has no commit, so none is before it".to_owned(),
        (_, "") => format!("nothing is stored of a commit before {commit}"),
        (_, branch) => {
            format!("nothing is stored of a commit before {commit} on branch {}", in_message(branch))
        }
    }
}
