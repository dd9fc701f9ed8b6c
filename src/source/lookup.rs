//! The lookup of the source that a report needs, and the consequence when there is none.

use std::collections::HashMap;

use anyhow::{Result, anyhow};

use super::changes::{self, ChangesFrom};
use super::{AtCommit, NotTrusted, SourceReader, SourceTree, Subject};
use crate::filter::Filter;
use crate::io::workdir::Reading;
use crate::profile::Profile;
use crate::report::diff::Changes;
use crate::report::{Source, Wants};

/// The need of source of the forms together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Some form says less without source.
    pub(crate) is_useful: bool,
    /// Some form is nothing without source.
    pub(crate) is_needed: bool,
    /// Every form is nothing without source.
    pub(crate) is_needed_by_all: bool,
}

/// A lookup of the source of a row.
pub(crate) struct SourceLookup<'a> {
    pub(crate) reader: &'a SourceReader<'a>,
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) filter: &'a Filter,
    pub(crate) demand: Demand,
    /// `None` where no form needs changes.
    pub(crate) changes: Option<ChangesFrom<'a>>,
}

/// The source of a commit, before its texts are read.
pub(crate) struct FoundSource {
    pub(crate) at: AtCommit,
    pub(crate) tree: SourceTree,
    pub(crate) changes: Option<Changes>,
}

/// The end of a lookup that does not end the report.
pub(crate) enum LookupOutcome {
    Found(Box<FoundSource>),
    /// No form says less without.
    NotNeeded,
    /// Some forms cannot be written, or say less.
    Lacking(anyhow::Error, Lack),
}

/// The consequence of a lack of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// There is no report.
    NoReport,
    /// There is a report that lacks something.
    Lack(Lack),
    /// The forms are complete without.
    None,
}

/// A lack of source that does not end the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The forms that need the source fail.
    Fail,
    /// The forms that need the source are left out, since its clone is not trusted.
    LeftOut,
    /// The forms say less.
    SayLess,
}

impl Demand {
    fn consequence(self, is_not_trusted: bool) -> Consequence {
        match self {
            Self { is_needed: true, .. } if is_not_trusted => Consequence::Lack(Lack::LeftOut),
            Self { is_needed: true, is_needed_by_all: true, .. } => Consequence::NoReport,
            Self { is_needed: true, .. } => Consequence::Lack(Lack::Fail),
            Self { is_useful: true, .. } => Consequence::Lack(Lack::SayLess),
            Self { .. } => Consequence::None,
        }
    }
}

impl SourceLookup<'_> {
    /// Finds the source, if anything needs it; fails if there can be no report without.
    pub(crate) fn run(&self, reading: &Reading) -> Result<LookupOutcome> {
        let Self { reader, subject, filter, demand, changes } = self;
        if !demand.is_useful && changes.is_none() && filter.takes_all() {
            return Ok(LookupOutcome::NotNeeded);
        }
        let revision = subject.revision.as_ref();
        let at = revision
            .ok_or_else(|| anyhow!("{} does not tell its commit, give one with --commit REV", subject.name()))
            .and_then(|revision| reader.at(revision, reading));
        let error = match at {
            Ok(at) => return Ok(LookupOutcome::Found(Box::new(self.found(at)?))),
            Err(error) if filter.exclude_generated => {
                return Err(error
                    .context("--exclude-generated needs the source, which says which files are generated"));
            }
            Err(error) if filter.exclude_without_source => {
                return Err(
                    error.context("--exclude-without-source needs the commit, which says which files it has")
                );
            }
            Err(error) => error,
        };
        match demand.consequence(error.is::<NotTrusted>()) {
            Consequence::NoReport => Err(error),
            Consequence::None => Ok(LookupOutcome::NotNeeded),
            Consequence::Lack(lack) => Ok(LookupOutcome::Lacking(error, lack)),
        }
    }

    fn found(&self, at: AtCommit) -> Result<FoundSource> {
        let Some(changes_from) = self.changes else {
            return Ok(FoundSource { tree: self.reader.tree(&at)?, at, changes: None });
        };
        let (tree, changes) = changes::find(changes_from, &at, self.reader, &self.subject.rows_of_app)?;
        Ok(FoundSource { at, tree, changes: Some(changes) })
    }
}

impl FoundSource {
    /// Reads the source of each file of a profile, or only of those that changed.
    pub(crate) fn sources(
        &self,
        profile: &Profile,
        reader: &SourceReader<'_>,
        is_only_changed: bool,
        wants: Wants<'_>,
    ) -> Result<Vec<Source>> {
        let paths = self.changes.as_ref().filter(|_| is_only_changed).map(Changes::paths_after);
        let no_texts = HashMap::new();
        let texts = self.changes.as_ref().map_or(&no_texts, |changes| &changes.texts);
        reader.sources(profile, (&self.at, &self.tree), texts, paths.as_ref(), wants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_source_costs_no_more_than_the_forms_that_need_it() {
        let demand =
            |is_useful, is_needed, is_needed_by_all| Demand { is_useful, is_needed, is_needed_by_all };
        let [left_out, fail, say_less] = [Lack::LeftOut, Lack::Fail, Lack::SayLess].map(Consequence::Lack);
        for (demand, untrusted, unreachable) in [
            // func
            (demand(true, true, true), left_out, Consequence::NoReport),
            // func and json
            (demand(true, true, false), left_out, fail),
            // json
            (demand(true, false, false), say_less, say_less),
            // badge
            (demand(false, false, false), Consequence::None, Consequence::None),
        ] {
            assert_eq!(demand.consequence(true), untrusted, "{demand:?}");
            assert_eq!(demand.consequence(false), unreachable, "{demand:?}");
        }
    }
}
