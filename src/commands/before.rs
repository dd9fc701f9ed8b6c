//! The earlier state with which `--max-drop` compares a total.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use anyhow::{Result, bail};

use crate::collect::mending::stored_profile;
use crate::commands::Context;
use crate::commands::group::combined;
use crate::commands::notices::told;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::gate::{Before, HowBefore};
use crate::names::in_message;
use crate::phrases::rows;
use crate::profile::Profile;
use crate::source::{Compared, GroupState, SourceReader, SourceSettings, row_to_compare};
use crate::time::iso;

/// A stored state of a service or of a group.
#[derive(Clone, Debug)]
pub(crate) enum StoredState<'a> {
    Service(&'a Row),
    Group(Rc<StoredGroup<'a>>),
}

/// A group with its profile, which is read when it is needed, and once.
#[derive(Debug)]
pub(crate) struct StoredGroup<'a> {
    state: GroupState<'a>,
    profile: OnceCell<Profile>,
}

impl<'a> StoredState<'a> {
    pub(crate) fn of_group(state: GroupState<'a>) -> Self {
        Self::Group(Rc::new(StoredGroup { state, profile: OnceCell::new() }))
    }

    /// Returns the row; for a group, the newest of its rows under the name of the group.
    pub(crate) fn row(&self) -> Row {
        match self {
            Self::Service(row) => (*row).clone(),
            Self::Group(group) => group.state.row(),
        }
    }

    /// Returns the numbers of its rows, ascending.
    pub(crate) fn rows(&self) -> Vec<i64> {
        match self {
            Self::Service(row) => vec![row.id.0],
            Self::Group(group) => group.state.rows(),
        }
    }

    /// Returns the profile of a state that is compared with, and prints what is wrong with its files.
    pub(crate) fn profile(&self, context: &Context) -> Result<Cow<'_, Profile>> {
        let group = match self {
            Self::Service(row) => return Ok(Cow::Owned(told(stored_profile(row, &context.workdir)?))),
            Self::Group(group) => group,
        };
        if let Some(profile) = group.profile.get() {
            return Ok(Cow::Borrowed(profile));
        }
        let of = format!("compared with {}: ", rows(&group.state.rows()));
        let (profile, _) = combined(&group.state, &of, context)?;
        Ok(Cow::Borrowed(group.profile.get_or_init(|| profile)))
    }

    /// Returns the total of a state that is compared with.
    pub(crate) fn before(&self, chosen_by: HowBefore, context: &Context) -> Result<Before> {
        let group = match self {
            Self::Service(row) => return Ok(Before::from_row(row, chosen_by)),
            Self::Group(group) => &group.state,
        };
        let coverage = self.profile(context)?.coverage();
        let row = group.row();
        Ok(Before {
            id: None,
            rows: group.rows(),
            missing: group.absent(),
            stored_at: iso(row.created_at),
            ..Before::from_row(&row, chosen_by).of_part(coverage)
        })
    }
}

/// The state of `--against`, as it was written.
#[derive(Clone, Debug)]
pub(crate) struct NamedState<'r> {
    query: &'r str,
    pub(crate) state: StoredState<'r>,
}

impl<'r> NamedState<'r> {
    /// Finds the state that the option names, to compare it with a row, or with a group.
    pub(crate) fn find(
        query: &'r str,
        (row, group): (&Row, Option<&GroupState<'r>>),
        (entries, rows): (&'r [KeyEntry], &'r [Row]),
        compared: Compared,
    ) -> Result<Self> {
        let state = match group {
            None => StoredState::Service(row_to_compare(query, row, entries, rows, compared)?),
            Some(group) => StoredState::of_group(group.against(query, (entries, rows))?),
        };
        Ok(Self { query, state })
    }
}

/// Finds the state to compare with: the one that `--against` names, or else that of the commit before. The inner `Err`
/// is the reason, in words, why there is none.
pub(crate) fn state_before<'r>(
    against: Option<NamedState<'r>>,
    now: &StoredState<'r>,
    (entries, rows): (&'r [KeyEntry], &'r [Row]),
    reader: &SourceReader<'_>,
) -> Result<Result<(StoredState<'r>, HowBefore), String>> {
    if let Some(NamedState { query, state }) = against {
        if let (StoredState::Service(row), StoredState::Service(other)) = (now, &state)
            && other.id == row.id
        {
            bail!("--against {} is row {} itself, so its total cannot be lower", in_message(query), row.id.0);
        }
        return Ok(Ok((state, HowBefore::Named)));
    }
    let group = match now {
        StoredState::Service(row) => {
            let found = reader.commit_before(row, rows).map(|(row, how)| (StoredState::Service(row), how));
            return Ok(found.ok_or_else(|| lack(row)));
        }
        StoredState::Group(group) => &group.state,
    };
    let comparable = group.comparable_rows(rows);
    let found = reader.commit_before(&group.row(), &comparable).and_then(|(row, how)| {
        let state = group.at_row(row, (entries, rows))?.with_apps_of(group);
        Some((StoredState::of_group(state), how))
    });
    Ok(found.ok_or_else(|| lack_of_group(group, (entries, rows), reader)))
}

/// Returns the reason why a group has no state to compare with.
fn lack_of_group(
    group: &GroupState<'_>,
    (entries, rows): (&[KeyEntry], &[Row]),
    reader: &SourceReader<'_>,
) -> String {
    // The first search has printed its notices.
    let silent = |_| {};
    let settings = SourceSettings { notify: &silent, ..reader.settings };
    let of_group = group.rows_as_one_app(rows);
    let Some((row, _)) = SourceReader { settings, ..*reader }.commit_before(&group.row(), &of_group) else {
        return lack(&group.row());
    };
    let commit = in_message(&row.key.commit);
    let Some(state) = group.at_row(row, (entries, rows)) else {
        return format!("commit {commit} before it has no profile any more");
    };
    let list = |apps: Vec<&str>| apps.into_iter().map(in_message).collect::<Vec<_>>().join(" and ");
    let here = group.members.iter().map(|member| member.entry.key.app.as_str()).collect();
    format!(
        "commit {commit} before it has no data of {}, and no earlier one has data of {}",
        list(group.apps_lacking_in(&state)),
        list(here)
    )
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
