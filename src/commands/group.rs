//! The group that a command line names, and the profiles of its apps as one.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::collect::mending::stored_profile;
use crate::commands::notices::told;
use crate::commands::report::notices::source_settings;
use crate::commands::{self, Context};
use crate::exit::EarlyEnd;
use crate::fleet::app_group::AppGroup;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{ServiceQuery, age};
use crate::fleet::row::Row;
use crate::io::signals::Signals;
use crate::names::in_message;
use crate::notice::Notice;
use crate::parallel;
use crate::profile::{Profile, combine, shares_of};
use crate::report::GroupFacts;
use crate::source::GroupState;

/// Number of files with different blocks that are named without `--verbose`.
const NAMED_FILES: usize = 5;

/// Returns the group that a query names, at the commit at which it is shown; `None` if a service is named. The choice
/// and the apps without data are printed, and the latter also with `--quiet` if the total is judged, because the figure of
/// a part passes for that of the whole. Fails if its apps have different repositories.
pub(crate) fn group_state<'a>(
    query: &ServiceQuery<'_>,
    context: &'a Context,
    (entries, rows): (&'a [KeyEntry], &[Row]),
    is_judged: bool,
) -> Result<Option<GroupState<'a>>> {
    let Some(group) = AppGroup::named(query.text, &context.config.groups, entries) else { return Ok(None) };
    let state = GroupState::find(group, query, entries, rows)?;
    let (signals, notify) = (Signals::default(), |_: Notice| {});
    state.check_repositories(source_settings(context, &signals, &notify))?;
    if let Some(choice) = &state.choice_words {
        context.tell(choice);
    }
    let name = in_message(&group.name);
    for missing in &state.missing {
        let message = missing.message(&state.key.commit);
        match is_judged {
            true => commands::inform(format_args!("{name} without {}: {message}", in_message(&missing.app))),
            false => context.tell(format_args!("{name}: {message}")),
        }
    }
    tell_namesakes(group, context, entries);
    Ok(Some(state))
}

/// Prints that a group was taken, and not the services of the app of that name.
fn tell_namesakes(group: &AppGroup, context: &Context, entries: &[KeyEntry]) {
    if namesake(group, entries).is_some() {
        context.tell(format_args!(
            "took the group {} of the configuration, and not the services of the app with that name; a full name chooses \
             one of these",
            in_message(&group.name)
        ));
    }
}

/// Returns the full name of a service whose app has the name of a group, the newest one.
fn namesake<'e>(group: &AppGroup, entries: &'e [KeyEntry]) -> Option<&'e str> {
    let own = entries.iter().filter(|entry| entry.key.app == group.name);
    own.max_by_key(|entry| age(entry)).map(|entry| entry.newest_name().name.as_str())
}

/// Fails if a text names a group where a command takes services of one app. `command` is the command line before the
/// name.
pub(crate) fn refuse_group(text: &str, command: &str, context: &Context, entries: &[KeyEntry]) -> Result<()> {
    let Some(group) = AppGroup::named(text, &context.config.groups, entries) else { return Ok(()) };
    let app = in_message(group.apps.first().map_or("APP", String::as_str)).into_owned();
    let namesake = namesake(group, entries).map(|name| {
        let name = in_message(name);
        format!(
            "\n  for the app of that name, give the full name of a service: goc-watchdog {command} {name}"
        )
    });
    bail!(EarlyEnd::Refused(format!(
        "{} is a group of several apps ({}), and this needs one of them: goc-watchdog {command} {app}{}",
        in_message(&group.name),
        group.list(),
        namesake.unwrap_or_default()
    )))
}

/// Prints the apps that no service has and those that the group hides, if a text names a group.
pub(crate) fn tell_taken(text: &str, context: &Context, entries: &[KeyEntry]) {
    let Some(group) = AppGroup::named(text, &context.config.groups, entries) else { return };
    for app in group.absent(entries) {
        let (group, app) = (in_message(&group.name), in_message(app));
        context.tell(format_args!("{group}: no service has the app {app}"));
    }
    tell_namesakes(group, context, entries);
}

/// Reads the profiles of a group's apps, and combines them. Prints what is wrong with them; `of` begins these messages.
pub(crate) fn combined(
    state: &GroupState<'_>,
    of: &str,
    context: &Context,
) -> Result<(Profile, Arc<GroupFacts>)> {
    let workdir = &context.workdir;
    let read = parallel::on_all_cores(&state.members, |member| stored_profile(&member.row, workdir));
    let profiles = read.into_iter().map(|read| read.map(told)).collect::<Result<Vec<Profile>>>()?;
    Ok(as_one(&profiles, state, of, context))
}

/// Combines the profiles of a group's apps. Prints the files that they have with different blocks; `of` begins these
/// messages.
pub(crate) fn as_one(
    profiles: &[Profile],
    state: &GroupState<'_>,
    of: &str,
    context: &Context,
) -> (Profile, Arc<GroupFacts>) {
    let combined = combine(profiles);
    let facts = Arc::new(state.facts(&combined));
    tell_conflicts(&facts, of, context);
    (combined.profile, facts)
}

/// Returns the facts of a group without the statements that marks take out. `profile` is the combined one. `ignored` has for
/// each file the numbers of its blocks with such statements, each with how many it has.
pub(crate) fn without_marked<'f>(
    state: &GroupState<'_>,
    facts: &GroupFacts,
    profile: &Profile,
    ignored: impl Iterator<Item = (&'f str, &'f [(usize, u32)])>,
    context: &Context,
) -> Result<Arc<GroupFacts>> {
    let workdir = &context.workdir;
    // What is wrong with them was printed when they were combined.
    let read = parallel::on_all_cores(&state.members, |member| stored_profile(&member.row, workdir));
    let profiles = read.into_iter().map(|read| Ok(read?.profile)).collect::<Result<Vec<Profile>>>()?;
    let mut facts = facts.clone();
    for (name, statements) in ignored.filter(|(_, statements)| !statements.is_empty()) {
        if let (Some(file), Some(shares)) = (profile.build.find(name), facts.shares.get_mut(name)) {
            let taken = shares_of(&profiles, &file, statements);
            shares.iter_mut().zip(taken).for_each(|(share, taken)| *share = share.without(taken));
        }
    }
    Ok(Arc::new(facts))
}

/// Prints the files that apps have with different blocks.
fn tell_conflicts(facts: &GroupFacts, of: &str, context: &Context) {
    let shown = if context.is_verbose { facts.conflicts.len() } else { NAMED_FILES };
    for conflict in facts.conflicts.iter().take(shown) {
        let first = in_message(&conflict.blocks_of);
        commands::warn(format_args!(
            "{of}{}; those of {first} count, and the same blocks of the others",
            in_message(&conflict.to_string())
        ));
    }
    if facts.conflicts.len() > shown {
        let more = facts.conflicts.len() - shown;
        commands::warn(format_args!("{of}{more} more files differ between the apps (--verbose)"));
    }
}
