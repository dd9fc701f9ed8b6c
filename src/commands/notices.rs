//! Messages of several commands about stored files and about centers.

use std::error::Error as _;

use crate::address::shown_url;
use crate::collect::mending::{FaultyFile, MendingOutcome, Repair};
use crate::commands::{fail, warn};
use crate::fleet::services::Fleet;
use crate::io::store::Store;
use crate::io::workdir::{ASIDE, Swept, Workdir, WorkdirError};
use crate::names::printable;

/// Names the stored values that could not be read; tells whether there are any.
pub(crate) fn tell_damages(store: &Store) -> bool {
    let damages = store.damages();
    for damage in &damages {
        fail(damage);
    }
    !damages.is_empty()
}

/// Names the files that a sweep left, and those that no row of the database knows.
pub(crate) fn tell_swept(swept: &Swept) {
    for path in &swept.aside {
        warn(format_args!(
            "\"{}\" is of no row of the database, as after an older sqlite.db was put back; it was moved to {ASIDE}/ \
             beside it, where prune removes it in time",
            printable(path)
        ));
    }
    tell_left(&swept.failed);
}

/// Names the files that a sweep left.
pub(crate) fn tell_left(failed: &[WorkdirError]) {
    for error in failed {
        let why = error.source().map(|why| format!(": {why}")).unwrap_or_default();
        warn(format_args!("left as it is: {error}{why}"));
    }
}

/// Names the stored profiles that were missing or damaged.
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
                "{name}: \"{shown}\" {fault}, and the database holds more by now; the next pull stores a new row"
            )),
            Repair::Failed { fault, error } => {
                fail(format_args!("{name}: \"{shown}\" {fault}, and was not written again: {error}"));
            }
            Repair::Unreadable { error } => fail(format_args!("{name}: stored profile: {error}")),
        }
    }
}

/// Names the centers that list more than the limits let through.
pub(crate) fn tell_cut_lists(fleet: &Fleet) {
    for (url, message) in &fleet.cut {
        warn(format!("center \"{}\" {message}", shown_url(url)));
    }
}
