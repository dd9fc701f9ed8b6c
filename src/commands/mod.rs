//! The commands, a file each: its arguments beside what it does with them.

pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod prune;
pub(crate) mod pull;
pub(crate) mod report;
pub(crate) mod total;

mod gate;
mod ping;
pub(crate) mod show;
pub(crate) mod turn;

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};

use crate::access::Caller;
use crate::cli::{ColorWhen, Global};
use crate::config::Config;
use crate::exit::ExitCode;
use crate::io::center::Options;
use crate::io::host;
use crate::io::store::{self, Outdated, Store, StoreError};
use crate::io::workdir::{FillError, Locked, Workdir, WorkdirError};
use crate::names::{printable, shortened};

/// Where a center is asked that nobody named: goc's own default.
const DEFAULT_CENTER: &str = "http://127.0.0.1:7777";

/// What the outside world is to this run.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// When the run began.
    pub now: DateTime<Utc>,
    /// The user that runs it.
    pub caller: Caller,
    /// Stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Its columns, where it is one.
    pub stdout_width: Option<usize>,
    /// `NO_COLOR` is set, or the terminal knows no colours.
    pub no_color: bool,
}

/// What every command works with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) workdir: Workdir,
    pub(crate) config: Config,
    pub(crate) centers: Vec<String>,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    pub(crate) has_color: bool,
    pub(crate) around: Surroundings,
}

impl Context {
    /// Reads the configuration and settles what the options leave open.
    pub(crate) fn new(global: &Global, around: Surroundings) -> anyhow::Result<Self> {
        let workdir = Workdir::new(&global.root, around.caller, global.trust_root)?;
        let config = match workdir.configuration()? {
            Some((path, text)) => Config::parse(&text, &path.display().to_string())?,
            None => Config::default(),
        };
        let workdir = workdir.shared_with_group(config.files.group_write);
        let centers = match (&global.center, &config.centers) {
            (given, _) if !given.is_empty() => given.clone(),
            (_, configured) if !configured.is_empty() => configured.clone(),
            _ => vec![DEFAULT_CENTER.to_owned()],
        };
        if !global.quiet {
            store::tell_waits(|path| {
                let path = path.display();
                inform(format_args!("{path:?}: another program keeps it locked; waiting up to 10s"));
            });
        }
        let has_color = match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => around.stdout_is_terminal && !around.no_color,
        };
        Ok(Self {
            workdir,
            config,
            centers,
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            has_color,
            around,
        })
    }

    /// Returns the same for output that goes to a file, whoever watches.
    pub(crate) fn for_a_file(&self) -> Self {
        let around = Surroundings { stdout_is_terminal: false, stdout_width: None, ..self.around.clone() };
        Self { has_color: false, around, ..self.clone() }
    }

    /// Returns the same for a run that could begin only now.
    pub(crate) fn begun_at(&self, now: DateTime<Utc>) -> Self {
        Self { around: Surroundings { now, ..self.around.clone() }, ..self.clone() }
    }

    /// Returns how requests to centers and listed addresses are made.
    pub(crate) fn request_options(&self) -> Options {
        let (centers, host_addresses) = (self.centers.clone(), host::addresses());
        Options { centers, host_addresses, ..Options::from_config(&self.config.pull) }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.around.now
    }

    /// Tells whether somebody watches, or wants to know everything.
    pub(crate) fn has_spectator(&self) -> bool {
        !self.is_quiet && (self.is_verbose || self.around.stderr_is_terminal)
    }

    /// Says something that is worth knowing and no fault.
    pub(crate) fn tell(&self, message: impl fmt::Display) {
        if !self.is_quiet {
            inform(message);
        }
    }

    /// Says why, where that was asked for.
    pub(crate) fn explain(&self, message: impl fmt::Display) {
        if self.is_verbose {
            inform(message);
        }
    }
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The command failed, or one of its targets.
    Error,
    /// Something is not as it should be, and the command went on or need not run.
    Warning,
    /// What somebody asked to be told.
    Information,
}

impl Level {
    /// Returns what journald takes from the start of a line (sd-daemon(3)).
    fn prefix(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Information => "<6>",
        }
    }
}

/// Whether stderr is the journal's. One for the process, as stderr is: messages come from anywhere, also
/// from before there is a context.
static STDERR_IS_JOURNAL: OnceLock<bool> = OnceLock::new();

/// Settles, once, whether messages carry the priorities that journald reads.
pub(crate) fn speak_to_journal(stderr_is_journal: bool) {
    let _ = STDERR_IS_JOURNAL.set(stderr_is_journal);
}

/// Tells whether messages carry the priorities that journald reads.
#[must_use]
pub(crate) fn speaks_to_journal() -> bool {
    STDERR_IS_JOURNAL.get().copied().unwrap_or(false)
}

/// Says what failed.
pub(crate) fn fail(message: impl fmt::Display) {
    say(Level::Error, &message.to_string());
}

/// Names the stored values that could not be read; tells whether there are any.
pub(crate) fn tell_damages(store: &Store) -> bool {
    let damages = store.damages();
    for damage in &damages {
        fail(damage);
    }
    !damages.is_empty()
}

/// Says something that went wrong and did not stop the run.
pub(crate) fn warn(message: impl fmt::Display) {
    say(Level::Warning, &format!("warning: {message}"));
}

/// Says what somebody asked to be told.
pub(crate) fn inform(message: impl fmt::Display) {
    say(Level::Information, &message.to_string());
}

/// Characters of one line of a message, beyond which its middle is left out.
const LONGEST_LINE: usize = 4000;

/// Whether a message said that this process has too many files open (EMFILE).
static HAS_TOO_MANY_FILES: AtomicBool = AtomicBool::new(false);

/// Notes where a message, said or not, tells of too many open files.
pub(crate) fn heed_limit_of_files(message: &str) {
    if message.contains("(os error 24)") || message.contains("(ulimit -n)") {
        HAS_TOO_MANY_FILES.store(true, Ordering::Relaxed);
    }
}

/// Says once, after all else, how to raise the limit of open files where that was met.
pub(crate) fn tell_limit_of_files() {
    if HAS_TOO_MANY_FILES.load(Ordering::Relaxed) {
        let limit = host::max_open_files().map_or("few".to_owned(), |limit| limit.to_string());
        warn(format_args!(
            "this process may have {limit} files open at a time, which were too few; raise the limit (ulimit -n, \
             LimitNOFILE= of a systemd unit), or ask fewer processes at a time (--concurrency of pull and prune)"
        ));
    }
}

/// Prints a message on stderr. Lines are the message's own; what came from outside was made printable
/// where it was put in, and is once more here.
pub(crate) fn say(level: Level, message: &str) {
    heed_limit_of_files(message);
    let priority = if speaks_to_journal() { level.prefix() } else { "" };
    for (number, line) in message.lines().enumerate() {
        let name = if number == 0 { "goc-watchdog: " } else { "" };
        // Where nobody can be told, that is no reason to end.
        let line = printable(line);
        let _ = writeln!(io::stderr(), "{priority}{name}{}", shortened(&line, LONGEST_LINE / 2));
    }
}

/// Opens the database for writing, makes it or brings it up to date where needed, and says what that changed. The
/// database of an earlier release is copied first.
pub(crate) fn open_store(locked: &Locked, context: &Context) -> anyhow::Result<Store> {
    let path = locked.database()?;
    let copy = match Store::outdated(&path)? {
        Some(outdated) => Some(keep_copy(&outdated, locked).with_context(|| {
            let path = path.display();
            format!("cannot keep a copy of {path:?}, so it was not brought up to date for this release")
        })?),
        None => None,
    };
    let store = Store::open(&path, locked.held())?;
    if let (Some(copy), Some(upgrade)) = (copy, store.upgrade()) {
        let path = path.display();
        let changes: Vec<_> = upgrade.changes().collect();
        context.tell(format_args!(
            "{path:?} was brought up to date for this release (schema {} to {}): {}; the database before that is \
             kept as {copy}",
            upgrade.from,
            upgrade.to,
            changes.join("; ")
        ));
    }
    Ok(store)
}

/// Copies a database as it was before this release, once; returns the name of the copy.
fn keep_copy(outdated: &Outdated, locked: &Locked) -> anyhow::Result<String> {
    let name = concat!("sqlite.db.before-", env!("CARGO_PKG_VERSION"));
    // The copy of an earlier schema is not that of this one, though releases have a version each.
    let other = format!("{name}-schema-{}", outdated.schema());
    for name in [name, &other] {
        let path = locked.workdir().stored(name);
        if !path.exists() {
            locked
                .keep_copy(name, |path| outdated.copy_into(path))
                .map_err(FillError::into_error::<anyhow::Error>)?;
            return Ok(name.to_owned());
        }
        if Store::schema(&path).is_ok_and(|schema| schema == outdated.schema()) {
            return Ok(name.to_owned());
        }
    }
    bail!("{:?} is no copy of it", locked.workdir().stored(&other).display())
}

/// Returns what a run ends with that failed so.
#[must_use]
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_busy = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StoreError::Busy { .. }))
            || matches!(cause.downcast_ref(), Some(WorkdirError::Busy { .. }))
    });
    if error.chain().any(|cause| cause.downcast_ref::<UsageError>().is_some()) {
        return ExitCode::Usage;
    }
    if is_busy { ExitCode::Busy } else { ExitCode::Failed }
}

/// A command line that the parser accepts, and that lacks something all the same.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(&'static str);

/// Tells whether an error is only that nobody reads the output any more.
#[must_use]
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
