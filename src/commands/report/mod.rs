//! `report`: a stored profile combined with its source, in the requested forms.

mod by_mark;
mod carrying;
mod finished;
mod judging;
mod keeping;
mod lacking_source;
mod list_of_functions;
pub(crate) mod notices;
mod outputs;
mod reported;
mod run;
mod site;
mod unmeasured;
mod unused;

use anyhow::Result;
use clap::{Args, ValueEnum};
use outputs::{RequestedOutput, RequestedOutputParser};
use unused::UnusedArgs;

use crate::commands::carry::CarryArgs;
use crate::commands::count_unmeasured::UnmeasuredArgs;
use crate::commands::gate::{ChangesGateArgs, GateArgs};
use crate::commands::marks::MarkArgs;
use crate::commands::narrow::NarrowArgs;
use crate::commands::row_name::parse_row_name;
use crate::commands::since::SinceArgs;
use crate::commands::with::WithArgs;
use crate::commands::{Context, lock_wait};
use crate::exit::ExitCode;
use crate::filter::{Filter, Glob};
use crate::fleet::pick::ServiceQuery;
use crate::fleet::row::Row;
use crate::io::signals::Signals;
use crate::report::FileOrder;
use crate::source::{BaseChoice, ChangesFrom, RowName, RowRequest};

/// Report the coverage of a service: function by function, for people, or in a form for other tools.
///
/// The command needs neither Go nor a checkout: it reads the source from the git repository in the app's folder, at the
/// commit of the service, even if the service ended long ago. Without --format the output is byte for byte that of `go
/// tool cover -func` in a checkout of that commit, and is stored beside the profile, too.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  goc-watchdog report cart\n  goc-watchdog report cart --format html=cart.html"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ReportArgs {
    /// Full name of the service, its app, any part of its name, or a group of the configuration; with --format site, --all
    /// replaces it. If several commits fit, the one that runs is meant, or else the newest.
    #[arg(required_unless_present = "all")]
    pub(crate) service: Option<String>,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Form of the report, and the file to write it to; may be given several times [default: func].
    ///
    /// Without FILE the form goes to stdout, or to the file of --output. A page is not printed on a terminal: it is
    /// written to a file in the current folder, and the name of the file is printed. Each file is replaced as a whole.
    #[arg(long = "format", value_name = "FORM[=FILE]", value_parser = RequestedOutputParser)]
    pub(crate) formats: Vec<RequestedOutput>,

    /// File for the form without FILE, in place of stdout; with --format site, the folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,

    /// Report this row of the history instead of the latest: its number, or the name that pull --mark gave it.
    #[arg(long, value_name = "N|MARK", value_parser = parse_row_name)]
    pub(crate) id: Option<RowName>,

    /// Report the newest row of this commit; for a service whose name has no commit, the revision of its source.
    #[arg(long, value_name = "REV")]
    pub(crate) commit: Option<String>,

    /// Report only files that match this glob by import path, path in the repository, or a folder above; may be given
    /// several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<Glob>,

    /// Leave out files that match this glob, even included ones; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<Glob>,

    /// Leave out files with the comment `// Code generated ... DO NOT EDIT.`.
    #[arg(long)]
    pub(crate) exclude_generated: bool,

    /// Leave out files that the commit lacks, such as files that were written at build time, and symbolic links to no
    /// file of the commit. genhtml, which reads lcov, fails at such a file.
    #[arg(long)]
    pub(crate) exclude_without_source: bool,

    #[command(flatten)]
    marks: MarkArgs,

    /// With --format text: order of the files.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    pub(crate) sort: SortOrder,

    /// With --format text: largest number of files, 0 for all [default: 100 on a terminal, else all].
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// With the forms of changes and html: the base of the changes. It is the merge base of this branch, tag or commit
    /// with the service's commit, or `previous` for the previous stored commit, or `parent` for the first parent
    /// [default: the merge base with the default branch; for a commit on that branch, the previous stored commit].
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,

    /// With the forms of changes and html: read the changes from this unified diff, `-` for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    pub(crate) diff_file: Option<std::path::PathBuf>,

    /// With the forms of changes and html: compare each line with another stored state of the app, in the categories of
    /// lcov's differential coverage. The state is the row with this number or this name of pull --mark, or the latest row
    /// of this service. With --max-drop: compare the total with that state, in every form.
    #[arg(long, value_name = "ROW|MARK|SERVICE", conflicts_with_all = ["base", "diff_file", "carry", "with"])]
    pub(crate) against: Option<String>,

    #[command(flatten)]
    pub(crate) carry: CarryArgs,

    #[command(flatten)]
    pub(crate) with: WithArgs,

    /// With --carry: the forms for other tools (lcov, cobertura, codecov, profile) have what is carried, too, with a count
    /// of 1.
    #[arg(long, requires = "carry")]
    pub(crate) carry_in_forms: bool,

    #[command(flatten)]
    pub(crate) counting: UnmeasuredArgs,

    #[command(flatten)]
    pub(crate) since: SinceArgs,

    /// List the functions with the marks of pull --mark between which they were executed, as text or JSON. With --base or
    /// --diff-file: only functions that changed, also by test runs at other commits, and which of these to repeat.
    #[arg(long, conflicts_with_all = [
        "since", "against", "carry", "with", "all", "blame", "only_changed", "sort", "limit", "fail_under", "max_age",
        "min_replicas", "max_drop", "fail_missed", "min_changed", "fail_on", "ignore_marked", "count_unmeasured",
    ])]
    pub(crate) by_mark: bool,

    #[command(flatten)]
    unused: UnusedArgs,

    /// List the packages and functions of the service's modules that no stored profile of its commit contains, of any app,
    /// environment and region, as text or JSON: code that no collected program links.
    #[arg(long, conflicts_with_all = [
        "since", "against", "carry", "with", "all", "blame", "only_changed", "sort", "limit", "fail_under", "max_age",
        "min_replicas", "max_drop", "fail_missed", "min_changed", "fail_on", "ignore_marked", "by_mark", "unused", "base",
        "diff_file", "exclude_without_source", "count_unmeasured",
    ])]
    pub(crate) unmeasured: bool,

    /// Report only files that changed, in every form. A page of them is small enough for a pull request.
    #[arg(long, conflicts_with = "against")]
    pub(crate) only_changed: bool,

    /// With --format html: name the authors of missed changed lines, as git blame tells them, and the owners of files by
    /// CODEOWNERS. Nothing is fetched for that.
    #[arg(long)]
    pub(crate) blame: bool,

    /// With --format site: all services. With --format diff: show all missed places, not only the first ones of each
    /// file.
    #[arg(long)]
    pub(crate) all: bool,

    /// Fetch nothing; use only the existing clones.
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) gate: GateArgs,

    #[command(flatten)]
    pub(crate) changes_gate: ChangesGateArgs,
}

/// Order of packages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortOrder {
    /// Files in order of import path.
    #[default]
    Name,
    /// Files with the lowest percentage first.
    Percent,
    /// Files with most uncovered statements first.
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

impl ReportArgs {
    fn filter(&self) -> Filter {
        Filter {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            exclude_generated: self.exclude_generated,
            exclude_without_source: self.exclude_without_source,
            ignore_marked: self.marks.ignore_marked,
        }
    }

    fn query<'a>(&'a self, service: &'a str) -> ServiceQuery<'a> {
        let query = self.narrow.query(service, self.commit.as_deref());
        match self.names_all_environments() {
            true => ServiceQuery { env: None, ..query },
            false => query,
        }
    }

    /// Tells whether functions count as used that any environment executed.
    fn names_all_environments(&self) -> bool {
        self.unused.is_given() && self.narrow.names_environment("all")
    }

    fn row<'a>(&'a self, service: &'a str) -> RowRequest<'a> {
        RowRequest {
            service: ServiceQuery { commit: None, ..self.query(service) },
            id: self.id.as_ref(),
            commit: self.commit.as_deref(),
        }
    }

    /// Tells whether more counts than what the processes of the commit executed.
    fn counts_more(&self) -> bool {
        self.carry.is_given() || self.with.is_given() || self.counting.count_unmeasured
    }

    /// Tells whether the report is that of its row, with nothing else and no part of it.
    fn is_of_the_row_alone(&self) -> bool {
        !self.counts_more() && !self.since.is_given() && !self.unused.is_given()
    }

    /// Tells whether an option sets the base of the changes, or requires something of them.
    fn asks_about_changes(&self) -> bool {
        self.against.is_some() || self.needs_changes()
    }

    /// Tells whether an option has no effect without changes. The state before of a total needs none.
    fn needs_changes(&self) -> bool {
        let is_against_lines = self.against.is_some() && self.gate.gate().max_drop.is_none();
        let names_base = self.base.is_some() || self.diff_file.is_some() || is_against_lines;
        names_base || self.changes_gate.is_given()
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
        // Sweeps are prevented before the row is chosen, so that its file still exists when it is opened.
        (Ok(None), Some(service)) => {
            let reading = lock_wait::hold_off_sweeping(&signals, context)?;
            let report = match (args.by_mark, args.unmeasured) {
                (true, _) => by_mark::report,
                (_, true) => unmeasured::report,
                _ => run::report,
            };
            report(service, args, context, &signals, &reading)
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

    /// Parses the options of a report of a service.
    pub(super) fn args(options: &[&str]) -> ReportArgs {
        parsed(&[&["shop"], options].concat())
    }

    /// Parses all arguments of a report.
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
