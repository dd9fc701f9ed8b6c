//! The option `--count-unmeasured`: the code of the modules that no stored profile of the commit has counts, too.

use std::collections::HashSet;

use anyhow::Result;
use clap::Args;

use crate::collect::mending::stored_profile;
use crate::commands::notices::told;
use crate::coverage::Coverage;
use crate::fleet::row::Row;
use crate::gate::{Verdict, name_in_coverage};
use crate::profile::Profile;
use crate::report::{CountedUnmeasured, UnmeasuredProfile};
use crate::source::{SourceReader, SourcedState};
use crate::together::Together;

/// The option.
#[derive(Args, Debug)]
pub(crate) struct UnmeasuredArgs {
    /// Count also the packages that no stored profile of the service's commit contains, as not executed; report --unmeasured
    /// lists them. Files that build constraints leave out do not count.
    #[arg(long, conflicts_with_all = ["against", "max_drop"])]
    pub(crate) count_unmeasured: bool,
}

/// The files that were added to a profile, because no stored profile has them.
pub(crate) struct AddedFiles {
    /// The names of those that no other run has either.
    names: HashSet<String>,
}

impl UnmeasuredArgs {
    /// Returns the option as it is given, after a space; empty without it.
    pub(crate) fn shown(&self) -> &'static str {
        if self.count_unmeasured { " --count-unmeasured" } else { "" }
    }
}

/// Adds to a profile, and to that of other runs together with it, the files that no stored profile has.
pub(crate) fn add_unmeasured(
    reader: &SourceReader<'_>,
    subject: SourcedState<'_>,
    rows: &[Row],
    together: Option<&mut Together>,
) -> Result<(Profile, AddedFiles)> {
    let profile = subject.profile;
    let read = |row: &Row| stored_profile(row, reader.settings.workdir).map(told);
    let found = reader.unmeasured(subject, false, rows, read)?;
    let added = UnmeasuredProfile::new(found.files).profile.build;
    let measured = together.as_ref().map_or(profile, |together| together.profile());
    let names = added.files().map(|file| file.name).filter(|name| measured.build.find(name).is_none());
    let names = names.map(str::to_owned).collect();
    if let Some(together) = together {
        together.widen(&added);
    }
    Ok((profile.widened(&added), AddedFiles { names }))
}

impl AddedFiles {
    /// Sums up files, given by their names and coverage.
    pub(crate) fn counted<'n>(&self, files: impl Iterator<Item = (&'n str, Coverage)>) -> CountedUnmeasured {
        CountedUnmeasured::of_files(files.map(|(name, coverage)| (name, self.names.contains(name), coverage)))
    }
}

/// Says in each verdict about coverage that unmeasured code counts.
pub(crate) fn name_unmeasured(verdicts: &mut [Verdict]) {
    name_in_coverage(verdicts, ", with packages that no stored profile has");
}
