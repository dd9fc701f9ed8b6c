//! The dates of functions, kept before the profiles that tell them are dropped.

use std::collections::HashSet;

use anyhow::{Result, bail};

use crate::collect::fleet::stored_fleet;
use crate::collect::mending::{present_counts, stored_profile};
use crate::fleet::pick::is_same_app;
use crate::fleet::records::Key;
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::services::Fleet;
use crate::io::store::Store;
use crate::io::workdir::Workdir;
use crate::names::in_message;
use crate::notice::Notice;
use crate::prune::retention::RetentionRun;
use crate::prune::run::PruneRun;
use crate::source::{DatedRows, DigestedTexts, RepositoryCommit, Revision, SourceReader, UnknownCommit};

/// Number of stored commits that are looked for in a clone, the newest ones.
const MOST_COMMITS: usize = 100;

impl PruneRun<'_> {
    /// Dates the functions of the rows that are about to be dropped, for `report --unused`. That is done for apps in whose
    /// environment and region a report has dated functions before, with what the clone has. A failure is told, and keeps
    /// no row.
    pub(super) fn date_functions(&self, run: &RetentionRun, store: &Store, workdir: &Workdir) -> Result<()> {
        let dropped = || run.rows.iter().chain(run.keys.iter().flat_map(|key| &key.rows));
        let mut seen = HashSet::new();
        let places =
            dropped().map(|row| &row.key).filter(|key| seen.insert((&key.env, &key.region, &key.app)));
        let places: Vec<&Key> = places.collect();
        if places.is_empty() {
            return Ok(());
        }
        let fleet = stored_fleet(store, self.inputs.naming, self.inputs.now)?;
        let rows = store.rows(&RowFilter::default())?;
        for place in places {
            let of_place: Vec<&Row> = rows.iter().filter(|row| is_same_app(&row.key, place)).collect();
            let of_dropped = dropped().filter(|row| is_same_app(&row.key, place));
            let commits: HashSet<&str> = of_dropped.map(|row| row.key.commit.as_str()).collect();
            if let Err(error) = self.date_place((place, &commits), of_place, &fleet, store, workdir) {
                let app = in_message(&place.app);
                (self.source.notify)(Notice::Warning(format!(
                    "report --unused loses the dates of what is deleted of {app}: {error:#}"
                )));
            }
        }
        Ok(())
    }

    /// Dates the functions of an app in an environment and region; fails if that fails for one of the commits of which
    /// something is dropped.
    fn date_place(
        &self,
        (place, dropped): (&Key, &HashSet<&str>),
        rows: Vec<&Row>,
        fleet: &Fleet,
        store: &Store,
        workdir: &Workdir,
    ) -> Result<()> {
        let Some(mut dates) = store.function_dates(place)? else { return Ok(()) };
        let (reader, at) = self.source_of(place, &rows, workdir)?;
        let tree = reader.tree(&at)?;
        let profile = |row: &Row| Ok(stored_profile(row, workdir)?.profile);
        let present = |row: &Row| present_counts(row, workdir);
        let entries = &fleet.entries;
        let of_place = DatedRows { rows, entries, store, profile: &profile, present: &present };
        let mut texts = DigestedTexts::default();
        let unknown = reader.date_functions((&at, &tree), &mut texts, &mut dates, &of_place);
        store.store_function_dates(place, &dates)?;
        match unknown.iter().find(|unknown| dropped.contains(&*unknown.commit)) {
            None => Ok(()),
            Some(UnknownCommit { commit, why }) => bail!("commit {}: {why}", in_message(commit)),
        }
    }

    /// Returns the source of an app at the newest commit of its rows that its clone has. The apps of a group share one
    /// repository, so where its own clone has none, those of the others are asked.
    fn source_of<'s>(
        &'s self,
        place: &'s Key,
        rows: &[&Row],
        workdir: &Workdir,
    ) -> Result<(SourceReader<'s>, RepositoryCommit)> {
        let others =
            self.inputs.groups.iter().filter(|group| group.has(&place.app)).flat_map(|group| &group.apps);
        let reader = |app: &'s String| SourceReader { settings: self.source, app, is_offline: true };
        let own = reader(&place.app);
        let why = match newest_commit(&own, rows, workdir) {
            Ok(at) => return Ok((own, at)),
            Err(error) => error,
        };
        let mut others = others.filter(|app| **app != place.app).map(reader);
        let found = others.find_map(|reader| {
            let at = newest_commit(&reader, rows, workdir).ok()?;
            Some((reader, at))
        });
        found.ok_or(why)
    }
}

/// Returns the newest commit of the rows that the clone has.
fn newest_commit(reader: &SourceReader<'_>, rows: &[&Row], workdir: &Workdir) -> Result<RepositoryCommit> {
    let reading = workdir.lock_for_reading()?;
    let mut seen = HashSet::new();
    let commits = rows.iter().rev().map(|row| row.key.commit.as_str());
    let commits = commits.filter(|commit| !commit.is_empty() && seen.insert(*commit));
    let mut why = None;
    for commit in commits.take(MOST_COMMITS) {
        match reader.at(&Revision::Hash(commit.to_owned()), &reading) {
            Ok(at) => return Ok(at),
            Err(error) => why = why.or(Some(error)),
        }
    }
    match why {
        Some(error) => Err(error),
        None => bail!("no row has a commit"),
    }
}
