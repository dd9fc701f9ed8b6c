//! The command line: global options, and the list of commands.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::history::HistoryArgs;
use crate::commands::list::ListArgs;
use crate::commands::prune::PruneArgs;
use crate::commands::pull::PullArgs;
use crate::commands::report::ReportArgs;
use crate::commands::total::TotalArgs;

/// Collects, keeps and reports the coverage of running Go services built with goc.
///
/// Each command is one synchronous operation on a work directory and its SQLite database. There is no
/// daemon: cron or a systemd timer runs `goc-watchdog pull`, and what is due is known from the database.
#[derive(Debug, Parser)]
#[command(name = "goc-watchdog", version, propagate_version = true, disable_help_subcommand = true)]
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
        global = true
    )]
    pub root: PathBuf,

    /// As root, use a work directory that belongs to another user.
    ///
    /// The owner of the work directory can then control which files root reads, runs and writes. A user who calls sudo
    /// needs the option only for folders of others.
    #[arg(long, env = "GOC_WATCHDOG_TRUST_ROOT", value_parser = FalseyValueParser::new(), global = true)]
    pub trust_root: bool,

    /// Goc center to ask; may be given several times.
    ///
    /// Without the option the centers of the configuration are asked; without any there, <http://127.0.0.1:7777>.
    #[arg(long, value_name = "URL", env = "GOC_CENTER", value_delimiter = ',', value_parser = trimmed, global = true)]
    pub center: Vec<String>,

    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more, such as why each service was or was not pulled.
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// When to use colours; `NO_COLOR` is heeded.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    pub color: ColorWhen,
}

/// Takes the white space around a value away: a secret that is a file ends in a newline, a list has spaces.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a parser that may fail")]
fn trimmed(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.trim().to_owned())
}

/// Form of the output of most commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For scripts; the fields are described in the command's man page.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands; the help of each stands beside its arguments.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a line here would be the help, in place of that of the arguments")]
pub enum Command {
    Pull(Box<PullArgs>),
    Prune(PruneArgs),
    Report(ReportArgs),
    List(ListArgs),
    Total(TotalArgs),
    History(HistoryArgs),
}
