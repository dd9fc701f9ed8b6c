//! The choice of the row for a report, and of the row with which it is compared.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail};

use crate::fleet::app_group::AppGroup;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{Picked, ServiceQuery, is_same_app, is_same_commit, pick, pick_app};
use crate::fleet::pick_error::PickError;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::names::{CommitChoice, in_message};
use crate::phrases::place;

/// The name of a stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowName {
    Number(i64),
    /// The name that a person gave to the rows of one pull.
    Mark(String),
}

/// The request for a row of a service: the latest one, unless a number or a commit is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowRequest<'a> {
    /// The service, without a commit besides its text.
    pub(crate) service: ServiceQuery<'a>,
    /// The row, of any commit.
    pub(crate) id: Option<&'a RowName>,
    /// The commit whose newest row is meant. For a service whose name has no commit it is the revision of the source.
    pub(crate) commit: Option<&'a str>,
}

impl RowName {
    /// Tells whether a row has this name.
    pub(super) fn is_of(&self, row: &Row) -> bool {
        match self {
            Self::Number(number) => row.id.0 == *number,
            Self::Mark(mark) => row.mark.as_ref() == Some(mark),
        }
    }
}

/// Returns the error for a row whose profile was dropped.
pub(super) fn no_profile(row: &Row) -> anyhow::Error {
    anyhow!("row {} has no profile any more (goc-watchdog history {})", row.id.0, in_message(&row.key.app))
}

/// Returns an app with its environment and region in words: `shop in staging th`.
fn app_in_words(Key { env, region, app, .. }: &Key) -> String {
    with_part(in_message(app).into_owned(), " in ", &place(env, region))
}

/// Returns a service in words: `shop in staging th at aaaa1111`.
pub(super) fn service_in_words(key: &Key) -> String {
    with_part(app_in_words(key), " at ", &key.commit)
}

/// Adds a part to words, unless it is empty.
fn with_part(words: String, before: &str, part: &str) -> String {
    if part.is_empty() { words } else { format!("{words}{before}{}", in_message(part)) }
}

/// Returns the requested row of a service, and the commits among which that of its latest row was chosen. `rows` are the
/// rows with a profile, the newest last.
pub(super) fn row_of<'r>(
    request: RowRequest<'_>,
    entries: &[KeyEntry],
    rows: &'r [Row],
) -> Result<(&'r Row, Option<CommitChoice>)> {
    let RowRequest { service, id, commit } = request;
    let by_commit = match (id, commit) {
        (Some(RowName::Number(id)), _) => return Ok((row_by_id(*id, &service, entries, rows)?, None)),
        (Some(RowName::Mark(mark)), commit) => return row_by_mark(mark, service, commit, entries, rows),
        (None, Some(commit)) => row_by_commit(commit, &service, entries, rows)?,
        (None, None) => None,
    };
    match by_commit {
        Some(row) => Ok((row, None)),
        None => {
            let Picked { entry, choice } = pick(&service, entries)?;
            Ok((latest_row(entry, rows.iter())?, choice))
        }
    }
}

/// Returns the query for the service in the environment and region whose data is the newest, if it fits services of one app in
/// several. If a row or commit is requested, data of that comes first.
pub(crate) fn in_newest_place<'a>(
    RowRequest { service: query, id, commit }: RowRequest<'a>,
    (entries, rows): (&'a [KeyEntry], &[Row]),
) -> ServiceQuery<'a> {
    if pick(&query, entries).is_ok() {
        return query;
    }
    let places: BTreeSet<(&str, &str)> =
        entries.iter().map(|entry| (entry.key.env.as_str(), entry.key.region.as_str())).collect();
    let in_place = |(env, region): (&'a str, &'a str)| {
        let query = ServiceQuery { env: Some(env), region: Some(query.region.unwrap_or(region)), ..query };
        Some((pick(&query, entries).ok()?.entry, query))
    };
    let fitting: Vec<(&KeyEntry, ServiceQuery<'_>)> = places.into_iter().filter_map(in_place).collect();
    let Some((first, _)) = fitting.first() else { return query };
    if fitting.iter().any(|(entry, _)| entry.key.app != first.key.app) {
        return query;
    }
    let is_requested = |row: &Row| {
        id.is_none_or(|name| name.is_of(row))
            && commit.is_none_or(|commit| is_same_commit(commit, &row.key.commit))
    };
    let newest = |entry: &KeyEntry| {
        let requested = rows.iter().rfind(|row| is_same_app(&row.key, &entry.key) && is_requested(row));
        (requested.map(|row| row.id), rows.iter().rfind(|row| row.key == entry.key).map(|row| row.id))
    };
    fitting.into_iter().max_by_key(|(entry, _)| newest(entry)).map_or(query, |(_, query)| query)
}

/// Returns the query for a group in the environment and region whose data is the newest.
pub(crate) fn group_in_newest_place<'a>(
    query: ServiceQuery<'a>,
    group: &AppGroup,
    rows: &'a [Row],
) -> ServiceQuery<'a> {
    let is_wanted = |row: &&Row| {
        row.deleted_at.is_none() && group.has(&row.key.app) && query.admits(&row.key, &row.branch)
    };
    match rows.iter().rfind(is_wanted) {
        Some(Row { key, .. }) => ServiceQuery { env: Some(&key.env), region: Some(&key.region), ..query },
        None => query,
    }
}

/// The part of another row that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The lines, for which the row needs its profile.
    Lines,
    /// The total, which stays when the profile is dropped.
    Total,
}

/// Returns the row with which another one of the same app is compared, by its number, its mark or its service. `rows` may
/// include rows without a profile.
pub(crate) fn row_to_compare<'r>(
    query: &str,
    with: &Row,
    entries: &[KeyEntry],
    rows: &'r [Row],
    compared: Compared,
) -> Result<&'r Row> {
    let mut kept = rows.iter().filter(|row| row.deleted_at.is_none() || compared == Compared::Total);
    let row = match query.parse::<i64>() {
        Ok(id) => kept.find(|row| row.id.0 == id).ok_or_else(|| anyhow!("there is no row {id}"))?,
        Err(_) => match row_with_mark(query, with, rows) {
            Some(row) if row.deleted_at.is_none() || compared == Compared::Total => row,
            Some(row) => {
                bail!("row {} with the mark \"{}\" has no profile any more", row.id.0, in_message(query))
            }
            None => latest_row(pick(&ServiceQuery::from_text(query), entries)?.entry, kept)?,
        },
    };
    if row.key.app != with.key.app {
        bail!(
            "row {} is of \"{}\", so it cannot be compared with a row of \"{}\"",
            row.id.0,
            in_message(&row.key.app),
            in_message(&with.key.app)
        );
    }
    Ok(row)
}

/// Returns the row of the app of another row that has a mark. Of several, that of the same commit in the same place is
/// meant, else the newest.
pub(super) fn row_with_mark<'r>(mark: &str, with: &Row, rows: &'r [Row]) -> Option<&'r Row> {
    let is_marked = |row: &&Row| row.mark.as_deref() == Some(mark) && row.key.app == with.key.app;
    let marked = || rows.iter().filter(is_marked);
    marked().find(|row| row.key == with.key).or_else(|| marked().next_back())
}

fn latest_row<'r>(entry: &KeyEntry, mut rows: impl DoubleEndedIterator<Item = &'r Row>) -> Result<&'r Row> {
    let row = rows.rfind(|row| row.is_latest && row.key == entry.key);
    row.ok_or_else(|| anyhow!(entry.lack_of_data()))
}

fn row_by_id<'r>(
    id: i64,
    service: &ServiceQuery<'_>,
    entries: &[KeyEntry],
    rows: &'r [Row],
) -> Result<&'r Row> {
    let app = pick_app(service, entries)?;
    let name = in_message(&app.app);
    let row = rows.iter().find(|row| row.id.0 == id);
    let row = row.ok_or_else(|| anyhow!("there is no row {id} (goc-watchdog history {name})"))?;
    if !is_same_app(&row.key, &app) {
        bail!(
            "row {id} is of {}, and not of {} (goc-watchdog history {name})",
            app_in_words(&row.key),
            app_in_words(&app)
        );
    }
    Ok(row)
}

/// Returns the row with a mark. If rows of several commits have it, that of the commit that the service means is chosen.
fn row_by_mark<'r>(
    mark: &str,
    service: ServiceQuery<'_>,
    commit: Option<&str>,
    entries: &[KeyEntry],
    rows: &'r [Row],
) -> Result<(&'r Row, Option<CommitChoice>)> {
    let app = pick_app(&service, entries)?;
    let name = in_message(&app.app);
    let is_of_commit = |row: &Row| match commit {
        Some(commit) if !row.key.commit.is_empty() => is_same_commit(commit, &row.key.commit),
        _ => true,
    };
    let has_name = |row: &Row| row.mark.as_deref() == Some(mark);
    let has_mark = |row: &&Row| has_name(row) && is_same_app(&row.key, &app);
    let mut marked = rows.iter().filter(|row| has_mark(row) && is_of_commit(row));
    let Some(first) = marked.next() else {
        let elsewhere =
            rows.iter().find(|row| has_name(row) && row.key.app == app.app && !is_same_app(&row.key, &app));
        bail!(
            "no row of {} has the mark \"{mark}\"{} (goc-watchdog history {name})",
            app_in_words(&app),
            elsewhere.map_or_else(String::new, |row| format!(
                ", but row {} of {} has it",
                row.id.0,
                app_in_words(&row.key)
            ))
        )
    };
    let others: Vec<&Row> = marked.collect();
    if others.is_empty() {
        return Ok((first, None));
    }
    let Picked { entry, choice } = pick(&service, entries)?;
    let mut all = [first].into_iter().chain(others);
    let row = all.find(|row| row.key == entry.key);
    let row = row.ok_or_else(|| {
        anyhow!("rows of several commits of {name} have the mark \"{mark}\"; give --commit (goc-watchdog history {name})")
    })?;
    Ok((row, choice))
}

/// Returns the newest row of a commit; `None` for services whose names have no commit.
fn row_by_commit<'r>(
    commit: &str,
    service: &ServiceQuery<'_>,
    entries: &[KeyEntry],
    rows: &'r [Row],
) -> Result<Option<&'r Row>> {
    let app = pick_app(service, entries)?;
    let is_meant =
        |row: &&Row| is_same_app(&row.key, &app) && service.branch.is_none_or(|it| it == row.branch);
    let mut of_app = rows.iter().filter(is_meant).peekable();
    if of_app.peek().is_some_and(|row| row.key.commit.is_empty()) {
        return Ok(None);
    }
    if let Some(error) = PickError::of_short_commit(commit) {
        return Err(error.into());
    }
    let fitting: Vec<&Row> = of_app.filter(|row| is_same_commit(commit, &row.key.commit)).collect();
    let name = in_message(&app.app);
    let commits: BTreeSet<&str> = fitting.iter().map(|row| row.key.commit.as_str()).collect();
    if commits.len() > 1 {
        let commits: Vec<&str> = commits.into_iter().collect();
        bail!(
            "commit \"{}\" of {name} is ambiguous; give more digits:\n  {}",
            in_message(commit),
            commits.join("\n  ")
        );
    }
    let row = fitting.into_iter().next_back();
    let row = row.ok_or_else(|| {
        let commit = in_message(commit);
        anyhow!("no data is stored for {name} at commit \"{commit}\" (goc-watchdog history {name})")
    })?;
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{dropped, entry, row, superseded};

    /// Two commits of `shop`, one of which has two rows, and `pay`, whose names have no commit.
    fn entries() -> Vec<KeyEntry> {
        vec![
            entry(1, "shop", "aaaa1111"),
            entry(2, "shop", "aaaa2222"),
            entry(3, "shop", "bbbb3333"),
            entry(4, "pay", ""),
            entry(5, "idle", "cccc4444"),
        ]
    }

    fn rows() -> Vec<Row> {
        vec![
            superseded(row(1, "shop", "aaaa1111")),
            row(2, "shop", "aaaa2222"),
            row(3, "pay", ""),
            row(4, "shop", "aaaa1111"),
        ]
    }

    /// The number of the chosen row, or the first line of the error.
    fn chosen(service: &str, id: Option<i64>, commit: Option<&str>) -> Result<i64, String> {
        let rows = rows();
        let id = id.map(RowName::Number);
        let request = RowRequest { service: ServiceQuery::from_text(service), id: id.as_ref(), commit };
        let row = row_of(request, &entries(), &rows);
        row.map(|(row, _)| row.id.0).map_err(|error| error.to_string().lines().next().unwrap().to_owned())
    }

    #[test]
    fn without_options_the_latest_row_of_the_service_is_reported() {
        assert_eq!(chosen("shop_aaaa1111", None, None), Ok(4));
        assert_eq!(chosen("aaaa2222", None, None), Ok(2));
        assert_eq!(chosen("pay", None, None), Ok(3));
        assert_eq!(
            chosen("idle", None, None).unwrap_err(),
            "idle_cccc4444 was never pulled, so it has no stored data (goc-watchdog pull)"
        );
    }

    #[test]
    fn a_number_names_a_row_of_the_app_whatever_its_commit() {
        assert_eq!(chosen("shop", Some(1), None), Ok(1));
        assert_eq!(chosen("shop_aaaa2222", Some(4), Some("aaaa2222")), Ok(4));
        assert_eq!(
            chosen("shop", Some(3), None).unwrap_err(),
            "row 3 is of pay in staging th, and not of shop in staging th (goc-watchdog history shop)"
        );
        assert_eq!(
            chosen("shop", Some(9), None).unwrap_err(),
            "there is no row 9 (goc-watchdog history shop)"
        );
    }

    #[test]
    fn a_mark_names_the_row_of_each_commit_that_was_pulled_with_it() {
        let marked = |mark: &str, row| Row { mark: Some(mark.to_owned()), ..row };
        let rows = [
            marked("A", row(1, "shop", "aaaa1111")),
            marked("A", row(2, "shop", "aaaa2222")),
            marked("B", row(3, "shop", "bbbb3333")),
            marked("A", row(4, "pay", "")),
        ];
        let chosen = |service, mark: &str, commit| {
            let mark = RowName::Mark(mark.to_owned());
            let request = RowRequest { service: ServiceQuery::from_text(service), id: Some(&mark), commit };
            let row = row_of(request, &entries(), &rows);
            row.map(|(row, _)| row.id.0).map_err(|error| error.to_string())
        };
        assert_eq!(chosen("pay", "A", None), Ok(4));
        assert_eq!(chosen("shop", "B", None), Ok(3), "whatever the commit");
        assert_eq!((chosen("shop", "A", Some("aaaa1")), chosen("shop_aaaa2222", "A", None)), (Ok(1), Ok(2)));
        assert_eq!(
            chosen("shop", "A", None).unwrap_err(),
            "rows of several commits of shop have the mark \"A\"; give --commit (goc-watchdog history shop)"
        );
        assert_eq!(
            chosen("shop", "C", None).unwrap_err(),
            "no row of shop in staging th has the mark \"C\" (goc-watchdog history shop)"
        );
    }

    #[test]
    fn a_commit_names_its_newest_row_by_enough_digits() {
        for (commit, expected) in [
            ("aaaa1", Ok(4)),
            ("AAAA2", Ok(2)),
            ("aaaa2222ffffffff", Ok(2)),
            ("aaaa", Err("commit \"aaaa\" of shop is ambiguous; give more digits:")),
            ("aaa", Err("\"aaa\" has too few digits for a commit, give at least 4")),
            (
                "bbbb3333",
                Err("no data is stored for shop at commit \"bbbb3333\" (goc-watchdog history shop)"),
            ),
        ] {
            assert_eq!(chosen("shop", None, Some(commit)), expected.map_err(str::to_owned), "{commit}");
        }
    }

    #[test]
    fn a_commit_of_a_service_without_one_leaves_its_latest_row() {
        assert_eq!(chosen("pay", None, Some("v1.2")), Ok(3));
    }

    #[test]
    fn of_the_places_that_a_name_fits_that_of_the_newest_row_is_meant() {
        let in_region = |region: &str, number: i64| {
            let mut entry = entry(number, "shop", "aaaa1111");
            entry.key.region = region.to_owned();
            entry.members[0].name = format!("staging_{region}_shop");
            entry
        };
        let entries = [in_region("th", 1), in_region("sg", 2)];
        let rows = [(1, &entries[0]), (2, &entries[1])]
            .map(|(number, entry)| Row { key: entry.key.clone(), ..row(number, "shop", "aaaa1111") });
        let region = |rows: &[Row], query: ServiceQuery<'_>| {
            in_newest_place(RowRequest { service: query, ..RowRequest::default() }, (&entries, rows))
                .region
                .map(str::to_owned)
        };
        let shop = ServiceQuery::from_text("shop");
        assert_eq!(region(&rows, shop).as_deref(), Some("sg"));
        assert_eq!(region(&rows[..1], shop).as_deref(), Some("th"));
        let named = ServiceQuery { region: Some("th"), ..shop };
        assert_eq!(region(&rows, named).as_deref(), Some("th"), "what is named stays");
        let nobody = ServiceQuery::from_text("nobody");
        assert_eq!(region(&rows, nobody), None);
    }

    #[test]
    fn a_row_is_compared_with_another_one_of_its_app() {
        let mut rows = rows();
        rows.push(dropped(row(5, "shop", "bbbb3333")));
        let with = rows[3].clone();
        let other = |query: &str| {
            let row = row_to_compare(query, &with, &entries(), &rows, Compared::Lines);
            row.map(|row| row.id.0).map_err(|error| error.to_string())
        };
        assert_eq!((other("1"), other("shop_aaaa2222")), (Ok(1), Ok(2)));
        assert_eq!(other("5"), Err("there is no row 5".to_owned()), "its profile was dropped");
        let total = row_to_compare("5", &with, &entries(), &rows, Compared::Total);
        assert_eq!(total.unwrap().id.0, 5, "its total stays");
        rows[0].mark = Some("before".to_owned());
        rows[4].mark = Some("dropped".to_owned());
        let other = |query: &str| {
            let row = row_to_compare(query, &with, &entries(), &rows, Compared::Lines);
            row.map(|row| row.id.0).map_err(|error| error.to_string())
        };
        assert_eq!(other("before"), Ok(1));
        assert_eq!(
            other("dropped"),
            Err("row 5 with the mark \"dropped\" has no profile any more".to_owned())
        );
        assert_eq!(
            other("pay").unwrap_err(),
            "row 3 is of \"pay\", so it cannot be compared with a row of \"shop\""
        );
    }
}
