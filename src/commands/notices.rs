//! Messages of several commands about stored files and about centers.

use std::collections::BTreeSet;
use std::error::Error as _;

use crate::address::shown_url;
use crate::collect::mending::{FaultyFile, MendingOutcome, Repair, StoredProfile};
use crate::commands::{Context, fail, warn};
use crate::config::{Config, toml_key};
use crate::fleet::services::Fleet;
use crate::io::store::Store;
use crate::io::workdir::{ASIDE, CONFIGURATION, Swept, Workdir, WorkdirError};
use crate::names::{in_message, nearest, printable};
use crate::profile::Profile;

/// Warns if nothing is stored in the root, because the data of another one may be meant. `makes` tells that the run makes
/// what is missing.
pub(crate) fn tell_nothing_stored(makes: bool, context: &Context) {
    let root = context.workdir.root();
    let lack = match (root.try_exists(), context.workdir.database().try_exists()) {
        (Ok(false), _) => "does not exist",
        (Ok(true), Ok(false)) => "has no sqlite.db",
        _ => return,
    };
    let made = if makes { "; it is made now, for what prune remembers" } else { "" };
    warn(format_args!(
        "the root \"{}\" {lack}, so nothing is stored there{made}; another one is named by --root or GOC_WATCHDOG_ROOT",
        in_message(&root.display().to_string())
    ));
}

/// Prints the stored values that could not be read; tells whether there are any.
pub(crate) fn tell_damages(store: &Store) -> bool {
    let damages = store.damages();
    for damage in &damages {
        fail(damage);
    }
    !damages.is_empty()
}

/// Prints the files that a sweep could not remove, and those that belong to no row.
pub(crate) fn tell_swept(swept: &Swept) {
    for path in &swept.aside {
        warn(format_args!(
            "\"{}\" belongs to no row of the database, as after restoring an older sqlite.db; it was moved to {ASIDE}/ \
             beside it, where prune removes it in time",
            printable(path)
        ));
    }
    tell_left(&swept.failed);
}

/// Prints the files that a sweep could not remove.
pub(crate) fn tell_left(failed: &[WorkdirError]) {
    for error in failed {
        let why = error.source().map(|why| format!(": {why}")).unwrap_or_default();
        warn(format_args!("left as it is: {error}{why}"));
    }
}

/// Prints the stored profiles that were missing or damaged.
pub(crate) fn tell_mended(mended: &MendingOutcome, workdir: &Workdir) {
    for FaultyFile { service, path, repair } in &mended.faulty {
        let name = printable(service);
        let shown = workdir.stored(path).display().to_string();
        let shown = printable(&shown);
        match repair {
            Repair::Rewritten { fault } => {
                warn(format_args!("{name}: \"{shown}\" {fault}; it was written again from the database"));
            }
            Repair::RowIsBehind { fault } => fail(format_args!(
                "{name}: \"{shown}\" {fault}, and the counters in the database are newer; the next pull stores a new row"
            )),
            Repair::Failed { fault, error } => {
                fail(format_args!("{name}: \"{shown}\" {fault}, and was not written again: {error}"));
            }
            Repair::Unreadable { error } => fail(format_args!("{name}: stored profile: {error}")),
        }
    }
}

/// Returns a message on each app of the configuration that no service has: its name may be mistyped.
pub(crate) fn unknown_apps(fleet: &Fleet, context: &Context) -> Vec<String> {
    let known: BTreeSet<&str> = fleet.entries.iter().map(|entry| entry.key.app.as_str()).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = known.iter().copied().collect();
    let Config { apps, groups, .. } = &context.config;
    let of_tables = apps.keys().map(|app| (app, format!("the app of [apps.{}]", toml_key(app))));
    let of_groups = groups.iter().flat_map(|group| {
        let table = toml_key(&group.name);
        let shown = move |app: &str| format!("the app \"{}\" of [groups.{table}]", in_message(app));
        group.apps.iter().map(move |app| (app, shown(app)))
    });
    let of_groups = of_groups.filter(|(app, _)| !apps.contains_key(*app));
    let unknown = of_tables.chain(of_groups).filter(|(app, _)| !known.contains(app.as_str()));
    unknown
        .map(|(app, shown)| {
            let near = nearest(app, &names).map(|near| format!(", did you mean \"{}\"?", in_message(&near)));
            format!("no service has {shown} in {CONFIGURATION}{}", near.unwrap_or_default())
        })
        .collect()
}

/// Prints the warning of a profile, if it has one.
pub(crate) fn told(StoredProfile { profile, warning }: StoredProfile) -> Profile {
    warning.into_iter().for_each(warn);
    profile
}

/// Prints the centers whose lists exceed the limits.
pub(crate) fn tell_cut_lists(fleet: &Fleet) {
    for (url, message) in &fleet.cut {
        warn(format!("center \"{}\" {message}", shown_url(url)));
    }
}
