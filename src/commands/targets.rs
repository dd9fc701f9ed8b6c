//! `--targets` and `[[targets]]`: the sources of targets of a run, and what there is to say of them.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{Args, ValueHint};

use crate::collect::fleet::{GivenSource, read_sources};
use crate::commands::{Context, fail, show, warn};
use crate::config::{SourceInput, TargetSource, doubled_name};
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::services::{FailedSource, Fleet};
use crate::fleet::targets::{MisspeltLabel, TargetList};
use crate::io::store::Store;
use crate::io::targets::SourceBounds;
use crate::io::workdir::{WorkdirError, absolute_path};
use crate::names::in_message;

/// The option `--targets`.
#[derive(Args, Debug)]
pub(crate) struct TargetArgs {
    /// Use the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is
    /// standard input; may be given several times.
    ///
    /// Replaces the sources of the configuration ([[targets]]). No center is asked beside them unless one is named. A
    /// source is remembered under NAME [default: the absolute path, or stdin].
    #[arg(long, value_name = "[NAME=]FILE", value_hint = ValueHint::AnyPath)]
    targets: Vec<TargetSource>,
}

impl TargetArgs {
    /// Returns the given sources. A file without a name has that of its absolute path, so that a source is the same one
    /// from each folder.
    fn sources(&self) -> Vec<TargetSource> {
        let named = |source: &TargetSource| match source.unnamed_file().map(absolute_path) {
            Some(path) => TargetSource { name: path.to_string_lossy().into_owned(), ..source.clone() },
            None => source.clone(),
        };
        self.targets.iter().map(named).collect()
    }
}

impl Context {
    /// Returns the context of a run that is given these sources of targets, or else those of the configuration.
    ///
    /// No center is asked if none is named and a source is given, or known to the root.
    pub(crate) fn with_targets(&self, args: &TargetArgs) -> Result<Self> {
        let given = &args.sources();
        if let Some(name) = doubled_name(given) {
            return Err(EarlyEnd::Refused(format!(
                "two sources of targets are \"{}\"; --targets NAME=FILE tells them apart, and standard input is read once",
                in_message(name)
            ))
            .into());
        }
        if given.iter().filter(|source| source.input == SourceInput::Stdin).count() > 1 {
            return Err(
                EarlyEnd::Usage("standard input is one source of targets, and can be read once").into()
            );
        }
        let sources = if given.is_empty() { self.sources.clone() } else { given.clone() };
        let knows_sources = || {
            let store = Store::open_read_only(&self.workdir.database());
            store.and_then(|store| store.knows_sources()).unwrap_or(false)
        };
        let has_other_sources = self.named_centers.is_empty() && (!sources.is_empty() || knows_sources());
        let centers = if has_other_sources { Vec::new() } else { self.centers.clone() };
        Ok(Self { centers, sources, ..self.clone() })
    }

    /// Returns the same context without the sources that are commands.
    pub(crate) fn without_commands(mut self) -> Self {
        self.sources.retain(|source| !matches!(source.input, SourceInput::Command { .. }));
        self
    }

    /// Fails where a command is to be run, and somebody else could have written it.
    pub(crate) fn check_commands(&self) -> Result<()> {
        if self.sources.iter().all(|source| !matches!(source.input, SourceInput::Command { .. })) {
            return Ok(());
        }
        self.workdir.check_writers_of_configuration().map_err(|error| {
            let remedy = match &error {
                WorkdirError::WrittenByOthers { is_of_another: true, .. } => {
                    "give it to this user (chown), or choose another work directory (--root), or use --targets FILE"
                }
                WorkdirError::WrittenByOthers { .. } => {
                    "take the right to write from its group and others (chmod go-w), or use --targets FILE"
                }
                _ => "use --targets FILE",
            };
            let refused = format!(
                "a command of [[targets]] is run only where nobody but this user and root can write the configuration, and \
                 {error}; {remedy}"
            );
            EarlyEnd::Refused(refused).into()
        })
    }
}

/// Says that nothing that this run asks lists a service.
pub(crate) fn unlisted(context: &Context) -> &'static str {
    match (context.centers.is_empty(), context.sources.is_empty()) {
        (false, true) => "no center lists it",
        (false, false) => "no center and no source of targets lists it",
        (true, _) => "no source of targets lists it",
    }
}

/// Tells of sources that gave no list and of entries that are not asked; with `--verbose`, of all that was passed over.
/// `stands_in` says what becomes of the last list of a source.
pub(crate) fn tell_sources(fleet: &Fleet, stands_in: &str, context: &Context) {
    for FailedSource { name, message, last_heard } in &fleet.failed_sources {
        let before = match last_heard {
            Some(at) => format!("{stands_in} {}", show::moment(*at, context.now())),
            None => "it listed nothing before".to_owned(),
        };
        warn(format_args!("targets \"{}\": {message}; {before}", in_message(name)));
    }
    for (name, list) in &fleet.sources {
        tell_list(name, list, context);
    }
}

fn tell_list(name: &str, list: &TargetList, context: &Context) {
    let name = in_message(name);
    for bad in &list.bad {
        let next_step = bad.next_step().map(|step| format!("; {step}")).unwrap_or_default();
        fail(format_args!("targets \"{name}\": {bad}; it is left out{next_step}"));
    }
    let more = list.bad_count - list.bad.len();
    if more > 0 {
        fail(format_args!("targets \"{name}\": and {} more left out", show::count(more, "entries")));
    }
    for note in &list.notes {
        warn(format_args!("targets \"{name}\": {note}"));
    }
    for (commit, targets) in &list.odd_commits {
        let (commit, of) = (in_message(commit), show::count(*targets, "targets"));
        warn(format_args!(
            "targets \"{name}\": the commit \"{commit}\" of {of} is left out, because it is not 7 to 64 hex digits; let it \
             be the hash that git rev-parse prints"
        ));
    }
    for (MisspeltLabel { given, meant }, targets) in &list.misspelt {
        let (given, of) = (in_message(given), show::count(*targets, "targets"));
        warn(format_args!(
            "targets \"{name}\": \"{given}\" of {of} has no meaning, did you mean \"{meant}\"?"
        ));
    }
    if !list.passed_over.is_empty() {
        let mut said = String::new();
        for (reason, number) in &list.passed_over {
            let _ = write!(said, "{}{number} {}", if said.is_empty() { "" } else { ", " }, reason.phrase());
        }
        let said = format!("targets \"{name}\": pods that are no targets: {said}");
        // A list of nothing else is more likely a mistake than a quiet namespace.
        match list.targets.is_empty() {
            true => context.tell(format_args!(
                "{said}; a target is running and has a port named coverage or an annotation goc-watchdog/..."
            )),
            false => context.explain(said),
        }
    }
    if !list.unknown_labels.is_empty() {
        let labels: Vec<_> = list.unknown_labels.iter().map(|label| in_message(label)).collect();
        context.explain(format_args!(
            "targets \"{name}\": labels without a meaning here: {}",
            labels.join(", ")
        ));
    }
}

/// Tells that `prune` removes nothing from sources of targets. A file that was given is read, to say how much it lists.
/// Configured sources are not read: a command may take long and need rights, and `prune` would learn nothing from its
/// list.
pub(crate) fn tell_nothing_to_remove(
    args: &TargetArgs,
    bounds: SourceBounds<'_>,
    context: &Context,
) -> ExitCode {
    let mut code = ExitCode::Done;
    for answer in read_sources(GivenSource::begin(&args.sources(), bounds), bounds) {
        let name = in_message(&answer.name).into_owned();
        match answer.answer {
            Some(Ok(list)) => {
                let number = show::count(list.targets.len(), "targets");
                context.tell(format_args!("targets \"{name}\": {number}; there is nothing to remove"));
                tell_list(&answer.name, &list, context);
                if list.bad_count > 0 {
                    code = ExitCode::Partly;
                }
            }
            Some(Err(message)) => {
                warn(format_args!("targets \"{name}\": {message}"));
                code = ExitCode::Partly;
            }
            None => {}
        }
    }
    if args.targets.is_empty() && !context.sources.is_empty() {
        context.tell(
            "[[targets]]: files are not read and commands are not run, since there is nothing to remove from sources of targets",
        );
    }
    if context.centers.is_empty() {
        context.tell(
            "no center is named, and this root has sources of targets: what left them is offline by itself, and there \
             is nothing to remove",
        );
    }
    code
}
