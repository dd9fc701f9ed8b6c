//! The apps of a group that have no data at the commit at which it is shown, with the reasons.

use super::app_group::{AppGroup, Place, place_of};
use super::key_entry::{KeyEntry, PullHistory};
use super::pick::{age, is_same_commit};
use super::records::Key;
use crate::names::in_message;

/// An app of a group without data at the group's commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingApp {
    pub(crate) app: String,
    pub(crate) why: WhyMissing,
}

/// The reason for which an app has no data at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhyMissing {
    NoService,
    /// The app has no profile of any commit.
    NoProfile(PullHistory),
    /// The names of the app tell no commit.
    NoCommit,
    /// The app has data of other commits.
    OtherCommit {
        newest: String,
        /// The options that choose the newest one, if it is in another environment, region or branch.
        elsewhere: Option<String>,
    },
    /// The newest data of the app is of this commit, and of another environment, region or branch.
    OtherPlace {
        newest: String,
        /// The place of the group.
        here: String,
        /// The place of the data, with the options that choose it.
        there: String,
    },
}

impl MissingApp {
    /// Returns the lack of data at a commit as a clause.
    pub(crate) fn message(&self, commit: &str) -> String {
        let (app, commit) = (in_message(&self.app), in_message(commit));
        match &self.why {
            WhyMissing::NoService => format!("no service has the app {app}"),
            WhyMissing::NoProfile(PullHistory::NeverPulled) => {
                format!("{app} was never pulled, so it has no data")
            }
            WhyMissing::NoProfile(PullHistory::NeverAnswered) => {
                format!("{app} was listed but never answered, so it has no data")
            }
            WhyMissing::NoProfile(PullHistory::Answered) => {
                format!("{app} answered, but no profile of it is stored")
            }
            WhyMissing::NoCommit => {
                format!("{app} has no data of commit {commit}, because its names tell no commit")
            }
            WhyMissing::OtherCommit { newest, elsewhere } => {
                let place = elsewhere.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
                format!("{app} has no data of commit {commit}, its newest is {}{place}", in_message(newest))
            }
            WhyMissing::OtherPlace { here, there, .. } => {
                format!("{app} has no data of commit {commit} in {here}, but in {there}")
            }
        }
    }

    /// Returns the newest commit with data.
    pub(crate) fn newest(&self) -> Option<&str> {
        match &self.why {
            WhyMissing::OtherCommit { newest, .. } | WhyMissing::OtherPlace { newest, .. } => Some(newest),
            WhyMissing::NoService | WhyMissing::NoProfile(_) | WhyMissing::NoCommit => None,
        }
    }
}

/// Returns the apps of a group that have no data at the commit of its members in `place`.
pub(crate) fn missing_apps(
    group: &AppGroup,
    (place, members): (Place<'_>, &[&KeyEntry]),
    entries: &[KeyEntry],
    has_data: impl Fn(&Key) -> bool,
) -> Vec<MissingApp> {
    let is_missing = |app: &&String| members.iter().all(|entry| entry.key.app != **app);
    let missing = group.apps.iter().filter(is_missing).map(|app| {
        let own: Vec<&KeyEntry> = entries.iter().filter(|entry| entry.key.app == *app).collect();
        let stored = own.iter().copied().filter(|entry| has_data(&entry.key));
        let is_here = |entry: &KeyEntry| entry.members.iter().any(|member| place_of(entry, member) == place);
        let newest = stored.max_by_key(|entry| (is_here(entry), age(entry)));
        let furthest = own.iter().map(|entry| entry.pull_history()).max();
        let why = match newest {
            None => furthest.map_or(WhyMissing::NoService, WhyMissing::NoProfile),
            Some(entry) if entry.key.commit.is_empty() => WhyMissing::NoCommit,
            Some(entry)
                if !is_here(entry)
                    && members.iter().any(|member| is_same_commit(&entry.key.commit, &member.key.commit)) =>
            {
                let there = place_of(entry, entry.newest_name());
                WhyMissing::OtherPlace {
                    newest: entry.key.commit.clone(),
                    here: place.words(&there),
                    there: format!("{} ({})", there.words(&place), there.options_beside(&place)),
                }
            }
            Some(entry) => WhyMissing::OtherCommit {
                newest: entry.key.commit.clone(),
                elsewhere: (!is_here(entry)).then(|| place_of(entry, entry.newest_name()).to_string()),
            },
        };
        MissingApp { app: app.clone(), why }
    });
    missing.collect()
}
