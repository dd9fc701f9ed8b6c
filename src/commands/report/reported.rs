//! The service or the group that a report is about.

use std::time::Duration;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::ReportArgs;
use super::run::page_name;
use crate::commands::before::{NamedState, StoredState};
use crate::commands::group::without_marked;
use crate::commands::narrow::{among_stored, shown_commit};
use crate::commands::since::{self, combined_or_since};
use crate::commands::{self, Context};
use crate::config::Config;
use crate::exit::EarlyEnd;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::names::{escape, in_message};
use crate::profile::Profile;
use crate::report::{HostLinks, Report, SinceFacts};
use crate::source::{Compared, GroupState, RowRequest, SinceChoice, SourceSettings, Subject};

/// The service or the group of a report.
pub(super) struct Reported<'a> {
    pub(super) subject: Subject,
    /// The app whose repository has the source.
    pub(super) app: String,
    /// `None` for a service.
    group: Option<GroupState<'a>>,
    /// The two states, if only what was executed between them counts and that is known.
    pub(super) since: Option<SinceFacts>,
}

impl<'a> Reported<'a> {
    /// Finds the row of a service, and prints how it was chosen.
    pub(super) fn from_service(
        request: RowRequest<'_>,
        context: &Context,
        (entries, rows): (&[KeyEntry], &[Row]),
    ) -> Result<Self> {
        let subject = Subject::find(request, entries, rows)
            .map_err(|error| among_stored(error, &context.config.groups))?;
        context.tell_choice(subject.choice, &subject.row.key.commit);
        context.tell_namesakes(&request.service, &subject.row.key, entries);
        Ok(Self { app: subject.row.key.app.clone(), subject, group: None, since: None })
    }

    /// Reads the profiles of a group, and returns them as one.
    pub(super) fn from_group(
        group: GroupState<'a>,
        args: &ReportArgs,
        (context, settings): (&Context, SourceSettings<'_>),
        rows: &[Row],
    ) -> Result<(Self, Profile)> {
        if let Some(id) = &args.id {
            let name = in_message(&group.group.name);
            bail!(EarlyEnd::Refused(format!(
                "--id {id} is a row of one app, and {name} is a group of several; give --commit, or the name of the app \
                 in place of {name}"
            )));
        }
        let app = group.source_app(settings).to_owned();
        let (profile, facts, since) = combined_or_since(args.since.choice(), &group, rows, context)?;
        let subject = group.subject(rows, facts);
        Ok((Self { subject, app, group: Some(group), since }, profile))
    }

    /// Returns the keys of its rows.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.group.as_ref().map_or_else(|| vec![self.subject.row.key.clone()], GroupState::keys)
    }

    /// Leaves of the profile of a service what was executed since a row; that of a group has nothing else.
    pub(super) fn since(
        &mut self,
        choice: Option<&SinceChoice>,
        profile: Profile,
        rows: &[Row],
        context: &Context,
    ) -> Result<Profile> {
        let Some(choice) = choice.filter(|_| self.group.is_none()) else { return Ok(profile) };
        let found = since::since(choice, (&self.subject.row, &profile), rows, context)?;
        self.since = Some(found.facts);
        Ok(found.profile)
    }

    /// Returns its rows; of a group, that of each app.
    pub(super) fn rows(&self) -> Vec<&Row> {
        match &self.group {
            None => vec![&self.subject.row],
            Some(group) => group.member_rows(),
        }
    }

    /// Leaves what marks take out of a report also out of what each app of a group executed. The profile is that of the group.
    pub(super) fn leave_out_marked(
        &self,
        report: &mut Report<'_>,
        profile: &Profile,
        context: &Context,
    ) -> Result<()> {
        let (Some(state), Some(facts)) = (&self.group, &report.head.group) else { return Ok(()) };
        let ignored = report.files.iter().map(|file| (file.name, file.ignored_blocks()));
        report.head.group = Some(without_marked(state, facts, profile, ignored, context)?);
        Ok(())
    }

    /// Returns the stored state that is reported.
    pub(super) fn state(&self) -> StoredState<'_> {
        match &self.group {
            None => StoredState::Service(&self.subject.row),
            Some(group) => StoredState::of_group(group.clone()),
        }
    }

    /// Returns the options with which `report` shows this state, each after a space; the full name of a service is enough
    /// for its latest row.
    pub(super) fn options(&self, args: &ReportArgs) -> String {
        let state = match (&self.group, &args.id, &args.commit) {
            (Some(group), ..) => args.narrow.shown() + &shown_commit(&group.key.commit),
            (None, Some(id), _) => format!(" --id {id}"),
            (None, None, Some(revision)) if self.subject.row.key.commit.is_empty() => shown_commit(revision),
            (None, None, _) => String::new(),
        };
        state + &args.carry.shown() + &args.with.shown() + args.counting.shown()
    }

    /// Returns the state that `--against` names.
    pub(super) fn against<'r>(
        &self,
        query: &'r str,
        stored: (&'r [KeyEntry], &'r [Row]),
        compared: Compared,
    ) -> Result<NamedState<'r>>
    where
        'a: 'r,
    {
        NamedState::find(query, (&self.subject.row, self.group.as_ref()), stored, compared)
    }

    /// Returns the base of changes in the configuration: that of the app, or the one of all apps of a group that have
    /// one.
    pub(super) fn configured_base<'c>(&self, config: &'c Config) -> Option<&'c str> {
        let base = |app: &str| config.apps.get(app).and_then(|app| app.base.as_deref());
        let Some(GroupState { group, .. }) = &self.group else { return base(&self.app) };
        let bases: BTreeSet<&str> = group.apps.iter().filter_map(|app| base(app)).collect();
        if bases.len() > 1 {
            commands::warn(format_args!(
                "the apps of the group {} have different bases in the configuration, so none is taken; --base gives one",
                in_message(&group.name)
            ));
            return None;
        }
        bases.into_iter().next()
    }

    /// Returns the app, or the apps of the group, also those without data.
    pub(super) fn apps(&self) -> impl Iterator<Item = &str> {
        let of_group = self.group.as_ref().map(|state| &state.group.apps[..]);
        let apps = of_group.unwrap_or(std::slice::from_ref(&self.app));
        apps.iter().map(String::as_str)
    }

    /// Returns the age of the oldest data that pages of all its apps have as carried, by the configuration; `None` if an app
    /// has nothing carried.
    pub(super) fn age_of_carried(&self, config: &Config) -> Option<Duration> {
        let ages: Option<Vec<Duration>> =
            self.apps().map(|app| config.apps.get(app).and_then(|app| app.carry)).collect();
        ages?.into_iter().min()
    }

    /// Tells whether the configuration wants pages to name authors and owners; for a group, each of its apps must.
    pub(super) fn names_people(&self, config: &Config) -> bool {
        self.apps().all(|app| config.apps.get(app).is_some_and(|app| app.blame))
    }

    /// Returns the links to the host that the configuration gives: for a group, those of the app that has the source, or
    /// else of the first app that has some. The apps of a group share one repository.
    pub(super) fn configured_links<'c>(&self, config: &'c Config) -> Option<&'c HostLinks> {
        let apps = [self.app.as_str()].into_iter().chain(self.apps());
        apps.filter_map(|app| config.apps.get(app)).find_map(|app| app.web.as_ref())
    }

    /// Returns the name of the file for a page.
    pub(super) fn page_name(&self) -> String {
        match &self.group {
            None => page_name(&self.subject.row),
            Some(state) => format!("{}_report.html", escape(&state.group.name)),
        }
    }
}
