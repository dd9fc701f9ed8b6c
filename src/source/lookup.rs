//! The lookup of the source for a report, and the consequence when none is found.

use std::collections::HashMap;

use anyhow::{Result, anyhow};

use super::changes::{self, ChangesFrom};
use super::{NotTrusted, RepositoryCommit, SourceReader, SourceTree, Subject};
use crate::filter::Filter;
use crate::io::workdir::ReadersLock;
use crate::profile::Profile;
use crate::report::diff::Changes;
use crate::report::{FileNeeds, FileSource};

/// The need for source of all requested forms together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceDemand {
    /// At least one form has less data without source.
    pub(crate) is_useful: bool,
    /// At least one form is empty without source.
    pub(crate) is_needed: bool,
    /// Every form is empty without source.
    pub(crate) is_needed_by_all: bool,
}

/// A lookup of the source of a row.
pub(crate) struct SourceLookup<'a> {
    pub(crate) reader: &'a SourceReader<'a>,
    pub(crate) subject: &'a Subject,
    pub(crate) filter: &'a Filter,
    pub(crate) demand: SourceDemand,
    /// `None` where no form needs changes.
    pub(crate) changes: Option<ChangesFrom<'a>>,
}

/// The source of a commit, before its texts are read.
pub(crate) struct FoundSource {
    pub(crate) at: RepositoryCommit,
    pub(crate) tree: SourceTree,
    pub(crate) changes: Option<Changes>,
}

/// The result of a lookup after which the report goes on.
pub(crate) enum LookupOutcome {
    Found(Box<FoundSource>),
    /// No form needs source.
    NotNeeded,
    /// Some forms cannot be written or have less data.
    Lacking(anyhow::Error, SourceLack),
}

/// The consequence of a lack of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// The report fails.
    NoReport,
    /// The report is written with a lack.
    Lack(SourceLack),
    /// The forms are complete without source.
    None,
}

/// A lack of source after which the report goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceLack {
    /// The forms that need the source fail.
    Fail,
    /// The forms that need the source are left out, because its clone is not trusted.
    LeftOut,
    /// The forms have less data.
    SayLess,
}

impl SourceDemand {
    fn consequence(self, is_not_trusted: bool) -> Consequence {
        match self {
            Self { is_needed: true, .. } if is_not_trusted => Consequence::Lack(SourceLack::LeftOut),
            Self { is_needed: true, is_needed_by_all: true, .. } => Consequence::NoReport,
            Self { is_needed: true, .. } => Consequence::Lack(SourceLack::Fail),
            Self { is_useful: true, .. } => Consequence::Lack(SourceLack::SayLess),
            Self { .. } => Consequence::None,
        }
    }
}

impl SourceLookup<'_> {
    /// Finds the source if it is needed; fails if no report is possible without it.
    pub(crate) fn run(&self, reading: &ReadersLock) -> Result<LookupOutcome> {
        let Self { reader, subject, filter, demand, changes } = self;
        if !demand.is_useful && changes.is_none() && filter.takes_all() {
            return Ok(LookupOutcome::NotNeeded);
        }
        let revision = subject.revision.as_ref();
        let at = revision
            .ok_or_else(|| {
                anyhow!("{} has no commit in its name; give one with --commit REV", subject.name())
            })
            .and_then(|revision| reader.at(revision, reading));
        let error = match at {
            Ok(at) => return Ok(LookupOutcome::Found(Box::new(self.found(at)?))),
            Err(error) if filter.exclude_generated => {
                return Err(error.context("--exclude-generated needs the source to find the generated files"));
            }
            Err(error) if filter.exclude_without_source => {
                return Err(error
                    .context("--exclude-without-source needs the commit to find the files that it lacks"));
            }
            Err(error) if filter.ignore_marked => {
                return Err(error.context("--ignore-marked needs the source to find the marks"));
            }
            Err(error) => error,
        };
        match demand.consequence(error.is::<NotTrusted>()) {
            Consequence::NoReport => Err(error),
            Consequence::None => Ok(LookupOutcome::NotNeeded),
            Consequence::Lack(lack) => Ok(LookupOutcome::Lacking(error, lack)),
        }
    }

    fn found(&self, at: RepositoryCommit) -> Result<FoundSource> {
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
        needs: FileNeeds<'_>,
    ) -> Result<Vec<FileSource>> {
        let paths = self.changes.as_ref().filter(|_| is_only_changed).map(Changes::paths_after);
        let no_texts = HashMap::new();
        let texts = self.changes.as_ref().map_or(&no_texts, |changes| &changes.texts);
        let is_wanted = |path: &str| paths.as_ref().is_none_or(|paths| paths.contains(path));
        reader.sources(profile, (&self.at, &self.tree), texts, is_wanted, needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_source_costs_no_more_than_the_forms_that_need_it() {
        let demand =
            |is_useful, is_needed, is_needed_by_all| SourceDemand { is_useful, is_needed, is_needed_by_all };
        let [left_out, fail, say_less] =
            [SourceLack::LeftOut, SourceLack::Fail, SourceLack::SayLess].map(Consequence::Lack);
        for (demand, untrusted, unreachable) in [
            // The demand of func.
            (demand(true, true, true), left_out, Consequence::NoReport),
            // The demand of func and json.
            (demand(true, true, false), left_out, fail),
            // The demand of json.
            (demand(true, false, false), say_less, say_less),
            // The demand of a badge.
            (demand(false, false, false), Consequence::None, Consequence::None),
        ] {
            assert_eq!(demand.consequence(true), untrusted, "{demand:?}");
            assert_eq!(demand.consequence(false), unreachable, "{demand:?}");
        }
    }
}
