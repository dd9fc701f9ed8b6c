//! The earlier state with which `--max-drop` compares a total.

use anyhow::{Result, bail};

use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::gate::HowBefore;
use crate::names::in_message;
use crate::source::{Compared, SourceReader, row_to_compare};

/// Finds the row to compare with: the one that `--against` names, or else the newest row of the commit before. The inner
/// `Err` is the reason, in words, why there is none.
pub(crate) fn row_before<'r>(
    against: Option<NamedRow<'r>>,
    row: &Row,
    rows: &'r [Row],
    reader: &SourceReader<'_>,
) -> Result<Result<(&'r Row, HowBefore), String>> {
    let Some(NamedRow { query, row: other }) = against else {
        return Ok(reader.commit_before(row, rows).ok_or_else(|| lack(row)));
    };
    if other.id == row.id {
        bail!("--against {} is row {} itself, so its total cannot be lower", in_message(query), row.id.0);
    }
    Ok(Ok((other, HowBefore::Named)))
}

/// The row of `--against`, as it was written.
#[derive(Clone, Copy)]
pub(crate) struct NamedRow<'r> {
    query: &'r str,
    pub(crate) row: &'r Row,
}

impl<'r> NamedRow<'r> {
    /// Finds the row that the option names, if it is given. `with` is the row that is compared with it.
    pub(crate) fn find(
        against: Option<&'r str>,
        with: &Row,
        entries: &[KeyEntry],
        rows: &'r [Row],
        compared: Compared,
    ) -> Result<Option<Self>> {
        let find = |query| Ok(Self { query, row: row_to_compare(query, with, entries, rows, compared)? });
        against.map(find).transpose()
    }
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
