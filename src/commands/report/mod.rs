//! `report`: a stored profile laid over its source, in the forms that were asked for.

mod notices;
mod outputs;
mod run;
mod site;

use anyhow::Result;
use clap::{Args, ValueEnum};
use outputs::{RequestedOutput, RequestedOutputParser};

use crate::commands::gate::GateArgs;
use crate::commands::{Context, lock_wait};
use crate::exit::ExitCode;
use crate::filter::{Filter, Glob};
use crate::fleet::row::Row;
use crate::io::signals::Signals;
use crate::report::FileOrder;
use crate::source::{BaseChoice, ChangesFrom, RowRequest};

/// Report what of a service is covered: function by function, for people, or in a form that other tools read.
///
/// Needs neither Go nor a checkout: the source is read from the objects of the git repository in the
/// app's folder, at the commit of the service, which may be long gone. Without --format it prints, to the
/// byte, what `go tool cover -func` prints in a checkout of that commit, and stores it beside the profile.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ReportArgs {
    /// Full name of the service, or any unambiguous part of it; with --format site, --all replaces it.
    #[arg(required_unless_present = "all")]
    pub(crate) service: Option<String>,

    /// Form of the report, and the file that it goes to; several times for several of them [default: func].
    ///
    /// Without FILE it goes to stdout, or to the file of --output; a page that would go to a terminal goes to a file
    /// in the current folder, and its name is printed. A file is there whole or not at all.
    #[arg(long = "format", value_name = "FORM[=FILE]", value_parser = RequestedOutputParser)]
    pub(crate) formats: Vec<RequestedOutput>,

    /// Write the form without a file of its own to this one instead of stdout; with --format site the folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,

    /// Report this row of the history instead of the latest.
    #[arg(long, value_name = "N")]
    pub(crate) id: Option<i64>,

    /// Report the newest row of this commit; for a service whose name has no commit, the revision of its source.
    #[arg(long, value_name = "REV")]
    pub(crate) commit: Option<String>,

    /// Report only files that this glob fits, by import path, path in the repository, or a folder above; may be
    /// repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<Glob>,

    /// Leave out files that this glob fits, included or not; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<Glob>,

    /// Leave out files that say `// Code generated ... DO NOT EDIT.`.
    #[arg(long)]
    pub(crate) exclude_generated: bool,

    /// Leave out files that the commit lacks, such as those written at build time and links that lead to none of its
    /// files; genhtml, which reads lcov, stops at such a file.
    #[arg(long)]
    pub(crate) exclude_without_source: bool,

    /// With --format text: order of the files.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    pub(crate) sort: SortOrder,

    /// With --format text: at most so many files, 0 for all [default: 100 on a terminal, else all].
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// With the forms of changes and html: count them from this branch, tag or commit, or from its merge base with
    /// this one's; `previous` is the commit that was stored before, `parent` the first parent [default: the
    /// merge base with the default branch; for a commit on that branch, the commit stored before].
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,

    /// With the forms of changes and html: take them from this unified diff, `-` for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    pub(crate) diff_file: Option<std::path::PathBuf>,

    /// With the forms of changes and html: hold each line against another stored state of the app, the row with
    /// this number or the latest of this service, in the categories of lcov's differential coverage.
    #[arg(long, value_name = "ROW|SERVICE", conflicts_with_all = ["base", "diff_file"])]
    pub(crate) against: Option<String>,

    /// Only files that changed, in every form: a page of them is small enough for a pull request.
    #[arg(long, conflicts_with = "against")]
    pub(crate) only_changed: bool,

    /// With --against: fail when unchanged code was executed there, and is not here.
    #[arg(long, value_enum, value_name = "WHAT", requires = "against")]
    pub(crate) fail_on: Option<FailOn>,

    /// With --format site: of all services. With --format diff: show all places that were missed, not the first
    /// ones of each file.
    #[arg(long)]
    pub(crate) all: bool,

    /// Fetch nothing; use the clones that are here.
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// Order of packages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortOrder {
    /// By import path.
    #[default]
    Name,
    /// The lowest percentage first.
    Percent,
    /// The most statements that were not executed first.
    Uncovered,
}

impl From<SortOrder> for FileOrder {
    fn from(order: SortOrder) -> Self {
        match order {
            SortOrder::Name => Self::Name,
            SortOrder::Percent => Self::Percent,
            SortOrder::Uncovered => Self::Uncovered,
        }
    }
}

/// The reason for which a comparison fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Lost coverage: code that was executed, did not change, and is not executed now.
    Lost,
}

impl ReportArgs {
    fn filter(&self) -> Filter {
        Filter {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            exclude_generated: self.exclude_generated,
            exclude_without_source: self.exclude_without_source,
        }
    }

    fn row(&self) -> RowRequest<'_> {
        RowRequest { id: self.id, commit: self.commit.as_deref() }
    }

    /// Tells whether an option names what changes are counted from.
    fn names_base(&self) -> bool {
        self.base.is_some() || self.diff_file.is_some() || self.against.is_some()
    }

    /// Returns the origin of changes: an option is stronger than the configuration.
    fn changes_from<'a>(&'a self, against: Option<&'a Row>, configured: Option<&'a str>) -> ChangesFrom<'a> {
        match (&self.diff_file, against) {
            (Some(path), _) => ChangesFrom::DiffFile(path),
            (None, Some(row)) => ChangesFrom::Base(BaseChoice::Row(row)),
            (None, None) => ChangesFrom::Base(BaseChoice::from_words(self.base.as_deref().or(configured))),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ReportArgs, context: &Context) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    let ended = match (site::folder(args), &args.service) {
        (Err(message), _) => Ok(usage(&message)),
        (Ok(Some(folder)), _) => site::run(folder, args.offline, context, &signals),
        // Holds off sweeping before the row is chosen, so that its file is there when it is opened.
        (Ok(None), Some(service)) => {
            let reading = lock_wait::hold_off_sweeping(&signals, context)?;
            run::report(service, args, context, &signals, &reading)
        }
        (Ok(None), None) => Ok(usage("--all without SERVICE is for --format site -o DIR")),
    };
    match signals.received() {
        Some(signal) => Ok(ExitCode::from_signal(signal)),
        None => ended,
    }
}

fn usage(message: &str) -> ExitCode {
    super::fail(format_args!("{message}; see goc-watchdog report --help"));
    ExitCode::Usage
}

#[cfg(test)]
mod testing {
    use clap::FromArgMatches as _;

    use super::*;

    /// Reads the options of a report of a service.
    pub(super) fn args(options: &[&str]) -> ReportArgs {
        parsed(&[&["shop"], options].concat())
    }

    /// Reads all arguments of a report.
    pub(super) fn parsed(arguments: &[&str]) -> ReportArgs {
        let command = ReportArgs::augment_args(clap::Command::new("report")).no_binary_name(true);
        ReportArgs::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::testing::args;
    use super::*;

    #[test]
    fn an_option_chooses_the_base_before_the_configuration() {
        for (options, configured, expected) in [
            (&[][..], None, ChangesFrom::Base(BaseChoice::Default)),
            (&[], Some("main"), ChangesFrom::Base(BaseChoice::Revision("main"))),
            (&[], Some("parent"), ChangesFrom::Base(BaseChoice::Parent)),
            (&["--base=previous"], Some("main"), ChangesFrom::Base(BaseChoice::Previous)),
            (&["--base=v1"], Some("parent"), ChangesFrom::Base(BaseChoice::Revision("v1"))),
            (&["--diff-file=f.diff"], Some("main"), ChangesFrom::DiffFile(Path::new("f.diff"))),
        ] {
            assert_eq!(args(options).changes_from(None, configured), expected, "{options:?} {configured:?}");
        }
    }
}
