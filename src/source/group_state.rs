//! The state of a group of apps at one commit: the row of each app that has one, and the apps that have none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, Utc};

use super::{Revision, SourceReader, SourceSettings, Subject};
use crate::fleet::app_group::{AppGroup, members_at, pick_group};
use crate::fleet::ids::RowId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::missing_app::{MissingApp, missing_apps};
use crate::fleet::pick::{ServiceQuery, is_same_commit, is_same_place, pick};
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::git::RemoteUrl;
use crate::names::{CommitChoice, in_message};
use crate::profile::CombinedPrograms;
use crate::report::{ConflictingFile, GroupApp, GroupFacts, LackingApp};
use crate::repository_url::RepositoryUrl;

/// A group at one commit in one environment and region.
#[derive(Clone, Debug)]
pub(crate) struct GroupState<'a> {
    pub(crate) group: &'a AppGroup,
    /// Environment, region and commit, with the name of the group as its app.
    pub(crate) key: Key,
    pub(crate) branch: String,
    /// The apps with data, in the order of the configuration; at least one.
    pub(crate) members: Vec<GroupMember<'a>>,
    /// The apps without data at this commit.
    pub(crate) missing: Vec<MissingApp>,
    /// The commits among which this one was chosen; `None`: a person named it, or there was only one.
    pub(crate) choice: Option<CommitChoice>,
    /// The choice in words.
    pub(crate) choice_words: Option<String>,
}

/// An app of a group with its row.
#[derive(Clone, Debug)]
pub(crate) struct GroupMember<'a> {
    pub(crate) entry: &'a KeyEntry,
    pub(crate) row: Row,
}

impl<'a> GroupState<'a> {
    /// Finds the commit at which a group is shown, with the latest row of each app. `query` narrows the choice by its
    /// fields; `rows` are all rows.
    pub(crate) fn find(
        group: &'a AppGroup,
        query: &ServiceQuery<'_>,
        entries: &'a [KeyEntry],
        rows: &[Row],
    ) -> Result<Self> {
        // The reverse order keeps the first row of a key.
        let latest: BTreeMap<&Key, &Row> = rows
            .iter()
            .rev()
            .filter(|row| row.is_latest && is_kept(row))
            .map(|row| (&row.key, row))
            .collect();
        let has_data = |key: &Key| latest.contains_key(key);
        let picked = pick_group(group, query, entries, has_data)?;
        let member = |entry: &&'a KeyEntry| {
            let row = (*latest.get(&entry.key)?).clone();
            Some(GroupMember { entry, row })
        };
        Ok(Self {
            group,
            key: Key {
                env: picked.place.env.to_owned(),
                region: picked.place.region.to_owned(),
                app: group.name.clone(),
                commit: picked.commit.to_owned(),
            },
            branch: picked.place.branch.to_owned(),
            members: picked.members.iter().filter_map(member).collect(),
            missing: missing_apps(group, (picked.place, &picked.members), entries, has_data),
            choice: picked.choice,
            choice_words: picked.choice_words(),
        })
    }

    /// Returns the state of a group at the commit of a row, as far as profiles are kept: of each app the newest row of
    /// that commit, but of the app of the row `exact` that row; `None` without any.
    fn at_commit(
        group: &'a AppGroup,
        row: &Row,
        exact: Option<RowId>,
        (entries, rows): (&'a [KeyEntry], &[Row]),
    ) -> Option<Self> {
        let here = entries.iter().filter(|entry| is_here(&entry.key, group, &row.key));
        let stored = |entry: &KeyEntry| {
            let mut own = rows.iter().filter(|stored| is_kept(stored) && stored.key == entry.key);
            match exact {
                Some(exact) if entry.key == row.key => own.find(|stored| stored.id == exact),
                _ => own.next_back(),
            }
        };
        let with_rows = here.filter(|entry| stored(entry).is_some());
        let members = members_at(group, with_rows, &row.key.commit);
        let members: Vec<GroupMember<'a>> = members
            .into_iter()
            .filter_map(|entry| Some(GroupMember { entry, row: stored(entry)?.clone() }))
            .collect();
        let key = Key { app: group.name.clone(), ..row.key.clone() };
        let (branch, missing) = (row.branch.clone(), Vec::new());
        let state = Self { group, key, branch, members, missing, choice: None, choice_words: None };
        (!state.members.is_empty()).then_some(state)
    }

    /// Returns the state that `--against` names: that of the group at the commit of a row or service of one of its apps.
    /// Of the row's app that row counts, and of the others the newest row.
    pub(crate) fn against(&self, query: &str, stored: (&'a [KeyEntry], &[Row])) -> Result<Self> {
        let (entries, rows) = stored;
        let group = self.group;
        if query == group.name {
            bail!(
                "--against \"{}\" is the group itself; give a row or a service of one of its apps, whose environment, \
                 region and commit are meant",
                in_message(query)
            );
        }
        let (row, exact) = match query.parse::<i64>() {
            Ok(id) => {
                let row = rows.iter().find(|row| row.id.0 == id && is_kept(row));
                (row.ok_or_else(|| anyhow!("there is no row {id}"))?, Some(RowId(id)))
            }
            Err(_) => {
                let entry = pick(&ServiceQuery::from_text(query), entries)?.entry;
                let row = rows.iter().rfind(|row| row.is_latest && row.key == entry.key);
                (row.ok_or_else(|| anyhow!(entry.lack_of_data()))?, None)
            }
        };
        if !group.has(&row.key.app) {
            bail!(
                "row {} is of \"{}\", which is no app of the group {} ({})",
                row.id.0,
                in_message(&row.key.app),
                in_message(&group.name),
                group.list()
            );
        }
        let state = Self::at_commit(group, row, exact, stored);
        let state = state.ok_or_else(|| anyhow!("row {} has no profile any more", row.id.0))?;
        match state.rows() == self.rows() {
            true => bail!("--against {} is the same state of the group", in_message(query)),
            false => Ok(state),
        }
    }

    /// Returns the state at the commit of a row of [`Self::rows_as_one_app`]; `None` if its profiles were dropped.
    pub(crate) fn at_row(&self, row: &Row, stored: (&'a [KeyEntry], &[Row])) -> Option<Self> {
        Self::at_commit(self.group, row, None, stored)
    }

    /// Returns the apps of this state of which another one has no data.
    pub(crate) fn apps_lacking_in(&self, other: &Self) -> Vec<&'a str> {
        let apps = self.members.iter().map(|member| member.entry.key.app.as_str());
        apps.filter(|app| !other.has(app)).collect()
    }

    /// Returns this state with no other apps than those of another one.
    pub(crate) fn with_apps_of(mut self, other: &Self) -> Self {
        self.members.retain(|member| other.has(&member.entry.key.app));
        self
    }

    fn has(&self, app: &str) -> bool {
        self.members.iter().any(|member| member.entry.key.app == app)
    }

    /// Returns those of [`Self::rows_as_one_app`] that are of this commit, or of one at which all apps of this state have
    /// data.
    pub(crate) fn comparable_rows(&self, rows: &[Row]) -> Vec<Row> {
        let mut commits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in rows.iter().filter(|row| is_kept(row) && is_here(&row.key, self.group, &self.key)) {
            commits.entry(&row.key.app).or_default().insert(&row.key.commit);
        }
        let has = |app: &str, commit: &str| {
            let of_app = commits.get(app);
            of_app.is_some_and(|known| {
                known.contains(commit) || known.iter().any(|other| is_same_commit(commit, other))
            })
        };
        let has_all = |commit: &str| self.members.iter().all(|member| has(&member.entry.key.app, commit));
        let mut comparable = self.rows_as_one_app(rows);
        let mut of_all: BTreeSet<String> = comparable.iter().map(|row| row.key.commit.clone()).collect();
        of_all.retain(|commit| *commit == self.key.commit || has_all(commit));
        comparable.retain(|row| of_all.contains(&row.key.commit));
        comparable
    }

    /// Returns the numbers of the rows, ascending.
    pub(crate) fn rows(&self) -> Vec<i64> {
        let mut rows: Vec<i64> = self.members.iter().map(|member| member.row.id.0).collect();
        rows.sort_unstable();
        rows
    }

    /// Returns the row of each app.
    pub(crate) fn member_rows(&self) -> Vec<&Row> {
        self.members.iter().map(|member| &member.row).collect()
    }

    /// Returns the keys of its rows.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.members.iter().map(|member| member.row.key.clone()).collect()
    }

    /// Returns the apps that are not part of this state.
    pub(crate) fn absent(&self) -> Vec<String> {
        self.group.apps.iter().filter(|app| !self.has(app)).cloned().collect()
    }

    /// Returns the newest row under the name of the group. It has no profile of its own.
    pub(crate) fn row(&self) -> Row {
        let newest = self.members.iter().map(|member| &member.row).max_by_key(|row| row.id);
        let newest = newest.expect("a group has a member").clone();
        let (key, branch) = (self.key.clone(), self.branch.clone());
        Row { key, branch, cov_file_path: String::new(), addresses: Vec::new(), stats: None, ..newest }
    }

    /// Returns all rows of the apps in this environment and region as if they were those of one app, the newest last.
    pub(crate) fn rows_as_one_app(&self, rows: &[Row]) -> Vec<Row> {
        let here = rows.iter().filter(|row| is_here(&row.key, self.group, &self.key));
        let commit = |row: &Row| match is_same_commit(&row.key.commit, &self.key.commit) {
            true => self.key.commit.clone(),
            false => row.key.commit.clone(),
        };
        let key = |row: &Row| Key { app: self.group.name.clone(), commit: commit(row), ..row.key.clone() };
        here.map(|row| Row { key: key(row), ..row.clone() }).collect()
    }

    /// Returns the time of the last answer to a pull, of the app whose last answer is the oldest; `None` if an app never
    /// answered.
    pub(crate) fn last_pull(&self) -> Option<DateTime<Utc>> {
        let pulls = self.members.iter().map(|member| member.entry.schedule.schedule.last_pull);
        pulls.min().flatten()
    }

    /// Returns the number of replicas of all apps that answered, and of those listed.
    pub(crate) fn replicas(&self) -> Option<(u32, u32)> {
        let known = self.members.iter().filter_map(|member| member.entry.replicas_now(&member.row));
        known.reduce(|all, one| (all.0.saturating_add(one.0), all.1.saturating_add(one.1)))
    }

    /// Returns the subject of a report of the group.
    pub(crate) fn subject(&self, rows: &[Row], facts: Arc<GroupFacts>) -> Subject {
        let kept = self.rows_as_one_app(rows).into_iter().filter(is_kept).collect();
        Subject {
            service: self.group.name.clone(),
            last_pull: self.last_pull(),
            replicas: self.replicas(),
            previous: None,
            rows_of_app: kept,
            trend: Vec::new(),
            revision: Some(Revision::Hash(self.key.commit.clone())),
            is_of_its_own_commit: true,
            source_commit: None,
            above: None,
            links: None,
            choice: self.choice,
            row: self.row(),
            group: Some(facts),
        }
    }

    /// Returns the facts that a report prints of the apps.
    pub(crate) fn facts(&self, combined: &CombinedPrograms) -> GroupFacts {
        let app = |at: usize| self.members[at].entry.key.app.clone();
        let member = |GroupMember { entry, row }: &GroupMember<'_>| GroupApp {
            app: entry.key.app.clone(),
            service: entry.newest_name().name.clone(),
            row: row.id.0,
            stored_at: row.created_at,
            last_pull: entry.schedule.schedule.last_pull,
            replicas: entry.replicas_now(row),
        };
        let lacking = |missing: &MissingApp| LackingApp {
            app: missing.app.clone(),
            reason: missing.message(&self.key.commit),
            newest_commit: missing.newest().map(str::to_owned),
        };
        let conflicts = combined.conflicts.iter().map(|conflict| ConflictingFile {
            file: conflict.file.clone(),
            blocks_of: app(conflict.kept),
            differs_in: conflict.others.iter().map(|at| app(*at)).collect(),
        });
        let names = combined.profile.build.files().map(|file| file.name.into());
        GroupFacts {
            apps: self.members.iter().map(member).collect(),
            missing: self.missing.iter().map(lacking).collect(),
            conflicts: conflicts.collect(),
            shares: names.zip(combined.shares.iter().cloned()).collect(),
        }
    }

    /// Returns the apps that have a repository in the configuration.
    fn configured_urls(&self, settings: SourceSettings<'_>) -> Vec<(&'a str, RemoteUrl)> {
        let url = |app: &'a String| {
            let reader = SourceReader { settings, app, is_offline: true };
            Some((app.as_str(), reader.network().ok()?.url?))
        };
        self.group.apps.iter().filter_map(url).collect()
    }

    /// Fails if apps have different repositories in the configuration.
    pub(crate) fn check_repositories(&self, settings: SourceSettings<'_>) -> Result<()> {
        let place = |url: &RemoteUrl| RepositoryUrl::parse(url.as_str()).place();
        if let [(first, url), others @ ..] = &self.configured_urls(settings)[..]
            && let Some((other, other_url)) = others.iter().find(|(_, other)| place(other) != place(url))
        {
            let name = in_message(&self.group.name);
            let is_own = |app: &str| settings.config.apps.get(app).is_some_and(|app| app.repo.is_some());
            let cause = match is_own(first) && is_own(other) {
                true => "",
                false => ", because {app} in [git] repo stands for the name of each app",
            };
            bail!(
                "the apps of the group {name} have different repositories{cause}: {} has {}, and {} has {}; a group is of \
                 one repository, so set the same [apps.APP] repo for all of them, or take apps out of [groups.{name}]",
                in_message(first),
                url.shown(),
                in_message(other),
                other_url.shown()
            );
        }
        Ok(())
    }

    /// Returns the app in whose folder the repository is looked for: the first one whose clone has the commit, or else
    /// with a clone, or else with a URL.
    pub(crate) fn source_app(&self, settings: SourceSettings<'_>) -> &'a str {
        let has_clone =
            |app: &&String| settings.workdir.repository(app).is_ok_and(|repository| repository.exists());
        let commit = Revision::Hash(self.key.commit.clone());
        let has_commit =
            |app: &&&String| SourceReader { settings, app, is_offline: true }.known(&commit).is_some();
        let cloned: Vec<&String> = self.group.apps.iter().filter(has_clone).collect();
        if let Some(app) = cloned.iter().find(has_commit).or(cloned.first()) {
            return app;
        }
        self.configured_urls(settings).first().map_or(&self.group.apps[0], |(app, _)| app)
    }
}

/// Tells whether a key is of an app of a group, and of the environment and region of `place`.
fn is_here(key: &Key, group: &AppGroup, place: &Key) -> bool {
    is_same_place(key, place) && group.has(&key.app)
}

/// Tells whether the profile of a row is kept.
fn is_kept(row: &Row) -> bool {
    row.deleted_at.is_none()
}
