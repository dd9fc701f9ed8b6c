//! The commands, one file for each, with its arguments, output and exit code. The engines do the work.

pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod prune;
pub(crate) mod pull;
pub(crate) mod report;
pub(crate) mod total;

mod before;
mod carry;
mod count_unmeasured;
mod counted;
mod gate;
mod group;
pub(crate) mod lock_wait;
pub(crate) mod marks;
mod narrow;
pub(crate) mod notices;
mod pending;
mod ping;
mod read_fleet;
pub(crate) mod row_name;
pub(crate) mod show;
pub(crate) mod since;
mod table;
pub(crate) mod targets;
mod with;

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};

use crate::access::Caller;
use crate::address::{BadAddress, base_url, mistyped_center, shown_url};
use crate::cli::{ColorWhen, GlobalOptions};
use crate::config::{Config, TargetSource};
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{ServiceQuery, namesakes};
use crate::fleet::records::Key;
use crate::io::center::{HttpError, RequestOptions};
use crate::io::host;
use crate::io::store::{self, Outdated, Store, StoreError};
use crate::io::workdir::{FillError, LockedWorkdir, Workdir, WorkdirError};
use crate::names::{CommitChoice, in_message, printable, shortened};

pub(crate) use notices::tell_damages;

/// The default center, which is goc's own default.
const DEFAULT_CENTER: &str = "http://127.0.0.1:7777";

/// The time, the user and the terminals of this run.
#[derive(Clone, Debug)]
pub(crate) struct RunEnvironment {
    /// The time at which the run began.
    pub now: DateTime<Utc>,
    /// The user that runs it.
    pub caller: Caller,
    /// Stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Columns of the terminal; `None` if stdout is not one.
    pub stdout_width: Option<usize>,
    /// `NO_COLOR` is set, or the terminal has no colours.
    pub no_color: bool,
}

/// The root, the configuration and the output options of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) workdir: Workdir,
    pub(crate) config: Config,
    /// URLs of the centers that are asked.
    pub(crate) centers: Vec<String>,
    /// URLs of the centers that an option, the environment or the configuration names.
    pub(crate) named_centers: Vec<String>,
    /// Sources of targets that are read.
    pub(crate) sources: Vec<TargetSource>,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    pub(crate) has_color: bool,
    pub(crate) environment: RunEnvironment,
}

impl Context {
    /// Reads the configuration, which gives the values of options that are not set.
    pub(crate) fn new(global: &GlobalOptions, environment: RunEnvironment) -> anyhow::Result<Self> {
        let workdir = Workdir::new(&global.root, environment.caller, global.trust_root)?;
        let config = match workdir.configuration()? {
            Some((path, text)) => Config::parse(&text, &path.display().to_string())?,
            None => Config::default(),
        };
        let root = std::path::absolute(workdir.root()).context("the current folder is gone")?;
        let config = config.below(&root);
        let workdir = workdir.shared_with_group(config.files.group_write);
        let named_centers = if global.center.is_empty() { &config.centers } else { &global.center }.clone();
        let centers = match named_centers.is_empty() {
            true => vec![DEFAULT_CENTER.to_owned()],
            false => named_centers.clone(),
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
            ColorWhen::Auto => environment.stdout_is_terminal && !environment.no_color,
        };
        Ok(Self {
            sources: config.targets.clone(),
            workdir,
            config,
            centers,
            named_centers,
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            has_color,
            environment,
        })
    }

    /// Fails if an option or the environment has a common mistake in the URL of a center, or no URL that can be asked. A
    /// center of the configuration with a mistake only counts as one that does not answer, so that the others are asked.
    pub(crate) fn check_centers(&self) -> anyhow::Result<()> {
        if self.named_centers == self.config.centers {
            return Ok(());
        }
        let mistake = |center: &String| Some((shown_url(center), mistyped_center(center)?));
        if let Some((center, mistyped)) = self.centers.iter().find_map(mistake) {
            bail!(EarlyEnd::Refused(format!("center \"{center}\": {mistyped}")));
        }
        valid_center(&self.centers).map_err(|fault| EarlyEnd::Refused(format!("center: {fault}")).into())
    }

    /// Returns the context for output to a file.
    pub(crate) fn for_a_file(&self) -> Self {
        let environment =
            RunEnvironment { stdout_is_terminal: false, stdout_width: None, ..self.environment.clone() };
        Self { has_color: false, environment, ..self.clone() }
    }

    /// Returns the context of a run that begins at another time.
    pub(crate) fn begun_at(&self, now: DateTime<Utc>) -> Self {
        Self { environment: RunEnvironment { now, ..self.environment.clone() }, ..self.clone() }
    }

    /// Returns the options of requests to centers and listed addresses.
    pub(crate) fn request_options(&self) -> RequestOptions {
        let (centers, host_addresses) = (self.centers.clone(), host::addresses());
        let ca = self.config.tls.ca.as_ref().map(|file| self.workdir.root().join(file));
        RequestOptions { ca, centers, host_addresses, ..RequestOptions::from_config(&self.config.pull) }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.environment.now
    }

    /// Tells whether stdout is a terminal, or `--verbose` was given.
    pub(crate) fn has_spectator(&self) -> bool {
        !self.is_quiet && (self.is_verbose || self.environment.stderr_is_terminal)
    }

    /// Prints a message that is not a failure, unless `--quiet` was given.
    pub(crate) fn tell(&self, message: impl fmt::Display) {
        if !self.is_quiet {
            inform(message);
        }
    }

    /// Tells which of several commits was chosen, unless `--quiet` was given.
    pub(crate) fn tell_choice(&self, choice: Option<CommitChoice>, commit: &str) {
        if let Some(choice) = choice {
            self.tell(choice.words(commit));
        }
    }

    /// Tells that a text was taken for the full name of a service with this key, though it is also the app of others.
    pub(crate) fn tell_namesakes(&self, query: &ServiceQuery<'_>, taken: &Key, entries: &[KeyEntry]) {
        let others = namesakes(query, taken, entries);
        if others > 0 {
            let (name, others) = (in_message(query.text), show::count(others, "other services"));
            self.tell(format_args!(
                "took the service whose full name is \"{name}\", and not {others} with that app; to choose otherwise, give \
                 more of a name, or --env, --region, --branch or --commit"
            ));
        }
    }

    /// Prints a message if `--verbose` was given.
    pub(crate) fn explain(&self, message: impl fmt::Display) {
        if self.is_verbose {
            inform(message);
        }
    }
}

/// Fails if some centers are given and none has a valid URL.
pub(crate) fn valid_center(centers: &[String]) -> Result<(), BadAddress> {
    let mut faults = Vec::new();
    for center in centers {
        match base_url(center) {
            Ok(_) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    faults.into_iter().next().map_or(Ok(()), Err)
}

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The command failed, or one of its targets.
    Error,
    /// A fault after which the command went on, or because of which it need not run.
    Warning,
    /// A message that is not about a fault.
    Information,
}

impl Level {
    /// Returns the prefix of a line by which journald knows its priority (sd-daemon(3)).
    fn prefix(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Information => "<6>",
        }
    }
}

/// The decision whether stderr goes to the journal. It is static, because stderr belongs to the process and some
/// messages come before a context exists.
static STDERR_IS_JOURNAL: OnceLock<bool> = OnceLock::new();

/// Sets whether messages carry the priorities that journald reads. Only the first call has an effect.
pub(crate) fn speak_to_journal(stderr_is_journal: bool) {
    let _ = STDERR_IS_JOURNAL.set(stderr_is_journal);
}

/// Tells whether messages carry the priorities that journald reads.
#[must_use]
pub(crate) fn speaks_to_journal() -> bool {
    STDERR_IS_JOURNAL.get().copied().unwrap_or(false)
}

/// Prints an error: the command or one of its targets failed.
pub(crate) fn fail(message: impl fmt::Display) {
    say(Level::Error, &message.to_string());
}

/// Prints a warning: a fault that did not stop the run.
pub(crate) fn warn(message: impl fmt::Display) {
    say(Level::Warning, &format!("warning: {message}"));
}

/// Prints a message that is not about a fault.
pub(crate) fn inform(message: impl fmt::Display) {
    say(Level::Information, &message.to_string());
}

/// Largest number of characters of a line in a message. The middle of a longer line is left out.
const LONGEST_LINE: usize = 4000;

/// The mark that a message was about too many open files of this process (EMFILE).
static HAS_TOO_MANY_FILES: AtomicBool = AtomicBool::new(false);

/// Notes whether a message, printed or not, is about too many open files.
pub(crate) fn heed_limit_of_files(message: &str) {
    if message.contains("(os error 24)") || message.contains("(ulimit -n)") {
        HAS_TOO_MANY_FILES.store(true, Ordering::Relaxed);
    }
}

/// Prints at the end how to raise the limit of open files, if the run reached it.
pub(crate) fn tell_limit_of_files() {
    if HAS_TOO_MANY_FILES.load(Ordering::Relaxed) {
        let limit = host::max_open_files().map_or("few".to_owned(), |limit| limit.to_string());
        warn(format_args!(
            "this process may have {limit} files open at a time, which were too few; raise the limit (ulimit -n, \
             LimitNOFILE= of a systemd unit), or ask fewer processes at a time (--concurrency of pull and prune)"
        ));
    }
}

/// Prints a message on stderr. Text from outside was made printable when it entered the message, and the whole message
/// is made printable again here.
pub(crate) fn say(level: Level, message: &str) {
    heed_limit_of_files(message);
    let priority = if speaks_to_journal() { level.prefix() } else { "" };
    for (number, line) in message.lines().enumerate() {
        let name = if number == 0 { "goc-watchdog: " } else { "" };
        // A message that cannot be printed must not end the run.
        let line = printable(line);
        let _ = writeln!(io::stderr(), "{priority}{name}{}", shortened(&line, LONGEST_LINE / 2));
    }
}

/// Opens the database for writing; creates it or brings it up to date, and prints that. A database of an earlier
/// release is copied first.
pub(crate) fn open_store(locked: &LockedWorkdir, context: &Context) -> anyhow::Result<Store> {
    let path = locked.database()?;
    let copy = match Store::outdated(&path)? {
        Some(outdated) => Some(keep_copy(&outdated, locked).with_context(|| {
            let path = path.display();
            format!("cannot keep a copy of {path:?}, so it was not brought up to date for this release")
        })?),
        None => None,
    };
    let store = Store::open(&path, locked.proof())?;
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

/// Copies a database of an earlier release once; returns the name of the copy.
fn keep_copy(outdated: &Outdated, locked: &LockedWorkdir) -> anyhow::Result<String> {
    let name = concat!("sqlite.db.before-", env!("CARGO_PKG_VERSION"));
    // An existing copy of that name may have another schema, which a version before this release wrote.
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
    bail!("{:?} is not a copy of it", locked.workdir().stored(&other).display())
}

/// Returns the exit code of a run that failed.
#[must_use]
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if let Some(early) = error.chain().find_map(|cause| cause.downcast_ref::<EarlyEnd>()) {
        return early.exit_code();
    }
    let is_busy = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StoreError::Busy { .. }))
            || matches!(cause.downcast_ref(), Some(WorkdirError::Busy { .. }))
    });
    if is_busy { ExitCode::Busy } else { ExitCode::Failed }
}

/// Prints the reason why a run failed; nothing if a signal ended it.
pub(crate) fn tell_failure(error: &anyhow::Error) {
    match error.downcast_ref::<EarlyEnd>() {
        Some(EarlyEnd::Signal(_)) => {}
        Some(EarlyEnd::Busy(message)) => say(Level::Warning, message),
        // Other layers name the file or the peer in an error of their own.
        None if matches!(error.chain().next(), Some(outermost) if outermost.is::<io::Error>()) => {
            fail(format_args!("cannot write to stdout: {error:#}"));
        }
        Some(EarlyEnd::Usage(_) | EarlyEnd::Refused(_)) | None => fail(format_args!("{error:#}")),
    }
}

/// Tells whether an error is a closed pipe, so that no program reads the output any more.
#[must_use]
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let of_output = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(HttpError::Output(error)) => Some(error.kind()),
        _ => cause.downcast_ref::<io::Error>().map(io::Error::kind),
    };
    error.chain().filter_map(of_output).any(|kind| kind == io::ErrorKind::BrokenPipe)
}
