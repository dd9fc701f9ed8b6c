//! The choice of the row since which executions count.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;

use super::row_choice::{RowName, no_profile, row_with_mark, service_in_words};
use crate::exit::EarlyEnd;
use crate::fleet::row::Row;
use crate::names::in_message;
use crate::time::minute;

/// The moment since which executions count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SinceChoice {
    Row(RowName),
    /// The newest row that is at least so old.
    Age(Duration),
    /// The newest row that was stored by then.
    Time(DateTime<Utc>),
}

impl SinceChoice {
    /// Returns the row since which executions count that `row` has. `rows` are all rows, the newest last.
    ///
    /// # Errors
    ///
    /// A row of another service or commit, or one that came later, is refused, because no later run can answer either.
    pub(crate) fn row_before<'r>(&self, row: &Row, rows: &'r [Row], now: DateTime<Utc>) -> Result<&'r Row> {
        let found = match self {
            Self::Row(name) => named(name, row, rows)?,
            Self::Age(age) => {
                let shown = format_duration(*age);
                let by = TimeDelta::from_std(*age).ok().and_then(|age| now.checked_sub_signed(age));
                by.and_then(|by| stored_by(by, row, rows))
                    .ok_or_else(|| none_so_old(&format!("is at least {shown} old"), row, rows))?
            }
            Self::Time(at) => stored_by(*at, row, rows)
                .ok_or_else(|| none_so_old(&format!("was stored by {}", minute(*at)), row, rows))?,
        };
        let app = in_message(&row.key.app);
        if found.id == row.id {
            bail!(
                "no row of {app} was stored after row {}, so it is unknown what was executed since; goc-watchdog pull \
                 {app} --mark NAME stores a row of now",
                row.id.0
            );
        }
        if found.id > row.id {
            let (later, row) = (found.id.0, row.id.0);
            bail!(EarlyEnd::Refused(format!(
                "row {later} was stored after row {row}; --since {row} --id {later} tells what was executed in between"
            )));
        }
        Ok(found)
    }
}

/// Returns the row with a number or mark, which has to be of the same service and commit.
fn named<'r>(name: &RowName, row: &Row, rows: &'r [Row]) -> Result<&'r Row> {
    let app = in_message(&row.key.app);
    let found = match name {
        RowName::Number(number) => rows
            .iter()
            .find(|other| other.id.0 == *number)
            .ok_or_else(|| anyhow!("there is no row {number} (goc-watchdog history {app})"))?,
        RowName::Mark(mark) => row_with_mark(mark, row, rows).ok_or_else(|| {
            let mark = in_message(mark);
            anyhow!("no row of {app} has the mark \"{mark}\" (goc-watchdog history {app})")
        })?,
    };
    if found.key != row.key {
        let of = |row: &Row| service_in_words(&row.key);
        bail!(EarlyEnd::Refused(format!(
            "row {} is of {}, and row {} of {}, so their counts cannot be compared; goc-watchdog history {app} shows the \
             rows of each",
            found.id.0,
            of(found),
            row.id.0,
            of(row)
        )));
    }
    if found.deleted_at.is_some() {
        return Err(no_profile(found));
    }
    Ok(found)
}

/// Returns the newest row of the same service and commit that was stored by a time.
fn stored_by<'r>(at: DateTime<Utc>, row: &Row, rows: &'r [Row]) -> Option<&'r Row> {
    let is_kept = |other: &Row| other.key == row.key && other.deleted_at.is_none();
    rows.iter().rfind(|other| is_kept(other) && other.id <= row.id && other.created_at <= at)
}

fn none_so_old(what: &str, row: &Row, rows: &[Row]) -> anyhow::Error {
    let oldest = rows.iter().find(|other| other.key == row.key && other.deleted_at.is_none()).unwrap_or(row);
    anyhow!(
        "no row with a profile of {} {what}; the oldest one is row {}, stored {}",
        service_in_words(&row.key),
        oldest.id.0,
        minute(oldest.created_at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use crate::fleet::fixtures::at;
    use crate::source::testing::{dropped, row, superseded};

    /// Rows 1, 3 and 5 of one commit, stored at these minutes, and row 4 of another one.
    fn rows() -> Vec<Row> {
        let marked = |mark: &str, row| Row { mark: Some(mark.to_owned()), ..row };
        vec![
            dropped(row(0, "shop", "aaaa")),
            superseded(row(1, "shop", "aaaa")),
            marked("B", superseded(row(3, "shop", "aaaa"))),
            marked("C", row(4, "shop", "bbbb")),
            row(5, "shop", "aaaa"),
            row(6, "pay", "aaaa"),
        ]
    }

    /// The number of the row since which row `of` is counted, at minute 10, or the exit code with the message.
    fn since(choice: &SinceChoice, of: i64) -> Result<i64, (ExitCode, String)> {
        let rows = rows();
        let row = rows.iter().find(|row| row.id.0 == of).unwrap();
        let found = choice.row_before(row, &rows, at(10));
        found.map(|row| row.id.0).map_err(|error| {
            let code = error.downcast_ref::<EarlyEnd>().map_or(ExitCode::Failed, EarlyEnd::exit_code);
            (code, error.to_string())
        })
    }

    const fn minutes(minutes: u64) -> SinceChoice {
        SinceChoice::Age(Duration::from_secs(minutes * 60))
    }

    #[test]
    fn a_row_is_chosen_by_its_number_its_mark_its_age_or_a_time() {
        let mark = |mark: &str| SinceChoice::Row(RowName::Mark(mark.to_owned()));
        for (choice, of, expected) in [
            (SinceChoice::Row(RowName::Number(1)), 5, 1),
            (mark("B"), 5, 3),
            (minutes(6), 5, 3),
            (minutes(7), 5, 3),
            (minutes(8), 5, 1),
            (minutes(9), 5, 1),
            (SinceChoice::Time(at(3)), 5, 3),
            (SinceChoice::Time(at(2)), 5, 1),
            (SinceChoice::Time(at(2)), 3, 1),
        ] {
            assert_eq!(since(&choice, of), Ok(expected), "{choice:?}");
        }
    }

    #[test]
    fn a_row_that_is_not_there_fails_and_one_that_can_never_be_compared_is_refused() {
        let mark = |mark: &str| SinceChoice::Row(RowName::Mark(mark.to_owned()));
        for (choice, of, code, message) in [
            (
                minutes(10),
                5,
                ExitCode::Failed,
                "no row with a profile of shop in staging th at aaaa is at least 10m old; the oldest one is row 1, stored ",
            ),
            (
                SinceChoice::Row(RowName::Number(9)),
                5,
                ExitCode::Failed,
                "there is no row 9 (goc-watchdog history shop)",
            ),
            (
                SinceChoice::Row(RowName::Number(0)),
                5,
                ExitCode::Failed,
                "row 0 has no profile any more (goc-watchdog history shop)",
            ),
            (mark("X"), 5, ExitCode::Failed, "no row of shop has the mark \"X\" (goc-watchdog history shop)"),
            (
                minutes(1),
                5,
                ExitCode::Failed,
                "no row of shop was stored after row 5, so it is unknown what was executed since; goc-watchdog pull shop --mark NAME stores a row of now",
            ),
            (
                mark("C"),
                5,
                ExitCode::Usage,
                "row 4 is of shop in staging th at bbbb, and row 5 of shop in staging th at aaaa, so their counts cannot be compared",
            ),
            (
                SinceChoice::Row(RowName::Number(6)),
                5,
                ExitCode::Usage,
                "row 6 is of pay in staging th at aaaa, and row 5 of shop in staging th at aaaa, so their counts cannot be compared",
            ),
            (
                SinceChoice::Row(RowName::Number(5)),
                3,
                ExitCode::Usage,
                "row 5 was stored after row 3; --since 3 --id 5 tells what was executed in between",
            ),
        ] {
            let (found, said) = since(&choice, of).unwrap_err();
            assert_eq!(found, code, "{choice:?}: {said}");
            assert!(said.starts_with(message), "{said}");
        }
    }
}
