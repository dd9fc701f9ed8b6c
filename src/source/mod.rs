//! The engine for source text: the clone and the commit of a stored row, and the changes since a base.
//!
//! The engine takes values and returns sources and changes; messages go to the caller. Nothing here prints or knows the
//! command line.

mod authors;
mod base;
mod carry;
mod changes;
mod clone;
mod commit_before;
mod comparison;
mod function_dates;
mod group_state;
mod lookup;
mod marks;
mod revision;
mod row_choice;
mod since;
mod stored_commits;
mod subject;
#[cfg(test)]
mod testing;
mod texts;
mod tree;
mod unmeasured;
mod with;

pub(crate) use base::BaseChoice;
pub(crate) use carry::{CarryRange, CarryRequest};
pub(crate) use changes::ChangesFrom;
pub(crate) use clone::{NotFetched, NotTrusted};
pub(crate) use commit_before::{CommitBefore, nearest_stored, row_of_commit_before};
pub(crate) use comparison::{OtherState, compared, filtered_coverage};
pub(crate) use function_dates::{DatedFunction, DatedRows, DigestedTexts, UnknownCommit, dropped_undated};
pub(crate) use group_state::GroupState;
pub(crate) use lookup::{FoundSource, LookupOutcome, SourceDemand, SourceLack, SourceLookup};
pub(crate) use marks::{MarkedProfile, check_texts};
pub(crate) use revision::{RepositoryCommit, Revision};
pub(crate) use row_choice::{
    Compared, RowName, RowRequest, group_in_newest_place, in_newest_place, row_to_compare,
};
pub(crate) use since::SinceChoice;
pub(crate) use stored_commits::StoredCommits;
pub(crate) use subject::{Subject, previous_row, trend};
pub(crate) use tree::{SourceTree, SourcedState};
pub(crate) use with::{ProfileRefused, TogetherHere, WithProfile};

use crate::access::Caller;
use crate::config::Config;
use crate::io::signals::Signals;
use crate::io::workdir::Workdir;
use crate::notice::{Notice, Notify};

/// The settings for finding and reading the source of apps.
#[derive(Clone, Copy)]
pub(crate) struct SourceSettings<'a> {
    pub(crate) workdir: &'a Workdir,
    pub(crate) config: &'a Config,
    pub(crate) caller: Caller,
    /// A signal ends a fetch.
    pub(crate) signals: &'a Signals,
    pub(crate) notify: Notify<'a>,
}

/// The reader of one app's source.
pub(crate) struct SourceReader<'a> {
    pub(crate) settings: SourceSettings<'a>,
    pub(crate) app: &'a str,
    /// Nothing may be fetched.
    pub(crate) is_offline: bool,
}

impl SourceReader<'_> {
    fn warn(&self, message: String) {
        (self.settings.notify)(Notice::Warning(message));
    }

    fn tell_progress(&self, message: String) {
        (self.settings.notify)(Notice::Progress(message));
    }
}
