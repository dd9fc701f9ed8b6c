//! The command line: global options, and the list of commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::commands::history::HistoryArgs;
use crate::commands::list::ListArgs;
use crate::commands::prune::PruneArgs;
use crate::commands::pull::PullArgs;
use crate::commands::report::ReportArgs;
use crate::commands::total::TotalArgs;
use crate::config::parse_duration;
use crate::version;

/// Collects, keeps and reports the coverage of running Go services, built with go build -cover or with goc.
///
/// Each command is one synchronous operation on a work directory and its SQLite database. There is no daemon: cron or a
/// systemd timer runs `goc-watchdog pull`, and the database has the services that are due.
#[derive(Debug, Parser)]
#[command(name = "goc-watchdog", version = version::of_this_build(), propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Examples:\n  goc-watchdog pull --center http://127.0.0.1:7777\n  goc-watchdog list")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Work directory: database, stored profiles, configuration.
    #[arg(
        long,
        value_name = "DIR",
        env = "GOC_WATCHDOG_ROOT",
        default_value = "./goc_watch_dog_root",
        value_parser = OsStringValueParser::new().try_map(root),
        global = true
    )]
    pub root: PathBuf,

    /// As root, use a work directory that belongs to another user.
    ///
    /// The owner of the work directory can then control which files root reads, runs and writes. A user who calls sudo
    /// needs the option only for folders of others.
    #[arg(long, env = "GOC_WATCHDOG_TRUST_ROOT", value_parser = FalseyValueParser::new(), global = true)]
    pub trust_root: bool,

    /// URL of the goc center; may be given several times.
    ///
    /// The default is the centers in the configuration; if it has none, <http://127.0.0.1:7777>. An empty `GOC_CENTER`
    /// names no center.
    #[arg(long, value_name = "URL", env = "GOC_CENTER", value_delimiter = ',', value_parser = trimmed, global = true)]
    pub center: Vec<String>,

    /// Print only errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more, such as the reason why each service was or was not pulled.
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Use of colours; `NO_COLOR` has an effect, too.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    pub color: ColorWhen,
}

impl GlobalOptions {
    /// Removes an empty center: an empty `GOC_CENTER` names no center.
    pub(crate) fn without_empty_center(&mut self) {
        self.center.retain(|center| !center.is_empty());
    }
}

/// Reads the work directory. An empty one is more often an unset variable of a script than the current folder.
fn root(text: OsString) -> Result<PathBuf, &'static str> {
    match text.is_empty() {
        true => Err(
            "the path is empty; name a folder by --root or GOC_WATCHDOG_ROOT, or unset the variable, which means \
                     ./goc_watch_dog_root",
        ),
        false => Ok(text.into()),
    }
}

/// Returns the arguments with `help COMMAND` replaced by `COMMAND --help`. The command `help` of clap would be
/// listed beside the commands that do the work.
pub(crate) fn with_help_option(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let asked = arguments.iter().skip(1).take_while(|argument| *argument == "help").count();
    if asked > 0 {
        arguments.drain(1..=asked);
        arguments.push("--help".into());
    }
    arguments
}

/// Adds to an error about an unknown argument, which follows an option that takes its age after `=`, how that is written.
fn with_age(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let is_age = |value: &OsString| value.to_str().is_some_and(|value| parse_duration(value).is_ok());
    let mut pairs = arguments.windows(2);
    let apart = pairs.find(|pair| pair[0] == "--carry" && is_age(&pair[1]));
    if let (ErrorKind::UnknownArgument, Some([option, age])) = (error.kind(), apart) {
        let [option, age] = [option, age].map(|argument| argument.to_string_lossy());
        let tip = format!("an age follows this option after \"=\": {option}={age}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Adds to an error about the arguments how they could be written.
pub(crate) fn with_tip(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    with_age(with_commands(error), arguments)
}

/// Adds the names of the commands to an error about an unknown one, unless the error already names a similar one.
fn with_commands(mut error: clap::Error) -> clap::Error {
    let is_told = error.get(ContextKind::SuggestedSubcommand).is_some();
    if error.kind() == ErrorKind::InvalidSubcommand && !is_told {
        let cli = Cli::command();
        let names: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
        let tip = format!("the commands are {}", names.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Removes the white space around a value: a secret from a file ends in a newline, and a list may have spaces.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a parser that may fail")]
fn trimmed(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.trim().to_owned())
}

/// Form of the output of most commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// JSON for scripts.
    Json,
}

/// The use of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Colours always.
    Always,
    /// No colours.
    Never,
}

/// The commands. The help of each is with its arguments.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a line here would be the help, in place of that of the arguments")]
pub enum Command {
    Pull(Box<PullArgs>),
    Prune(PruneArgs),
    Report(Box<ReportArgs>),
    List(ListArgs),
    Total(TotalArgs),
    History(HistoryArgs),
}
