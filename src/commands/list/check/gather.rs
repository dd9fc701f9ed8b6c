//! The look at the root and its configuration, and the order of all findings.

use std::path::Path;

use anyhow::Result;

use super::finding::SetupFinding;
use super::gather_fleet;
use super::judge_fleet::{judge_clock, judge_git, judge_timer};
use super::judge_root::{
    ConfigurationState, OwnerFacts, RootFacts, RootState, judge_configuration, judge_lock, judge_owner,
    judge_root, judge_space,
};
use crate::access::Caller;
use crate::cli::GlobalOptions;
use crate::commands::list::ListArgs;
use crate::commands::{Context, RunEnvironment};
use crate::exit::EarlyEnd;
use crate::io::store::{Store, StoreError};
use crate::io::workdir::{CONFIGURATION, Workdir, WorkdirError};
use crate::io::{git, users};
use crate::names::printable;

/// Returns the findings in the order in which they are printed.
pub(super) fn findings(
    args: &ListArgs,
    global: &GlobalOptions,
    environment: RunEnvironment,
) -> Result<Vec<SetupFinding>> {
    let now = environment.now;
    let opened = Workdir::new(&global.root, environment.caller, global.trust_root);
    let refused = opened.as_ref().err().map(WorkdirError::to_string);
    let workdir = opened.or_else(|_| Workdir::new(&global.root, environment.caller, true))?;
    let (root, store) = look_at_root(&workdir, refused.is_some());
    let mut findings = vec![judge_root(&root)];
    if !matches!(root.state, RootState::NoFolder) {
        findings.push(judge_owner(&look_at_owner(&workdir, environment.caller, refused.clone())));
    }
    if matches!(root.state, RootState::Empty | RootState::Outdated | RootState::Services { .. }) {
        let lock = workdir.lock_state().map_err(|error| format!("{:#}", anyhow::Error::from(error)));
        findings.push(judge_lock(&lock));
    }
    findings.push(judge_space(workdir.space()));
    let (mut clocks, mut names) = (Vec::new(), Vec::new());
    let git = git::version().map_err(|error| error.to_string());
    // A refused root is not looked into, so that its configuration is not obeyed.
    if refused.is_none() {
        let (configuration, context) = look_at_configuration(args, global, environment)?;
        findings.push(judge_configuration(&configuration));
        if let Some(context) = context {
            let seen = gather_fleet::look(args.offline, git.is_ok(), store.as_ref(), &context)?;
            findings.extend(seen.findings);
            clocks = seen.clocks;
            names = seen.names;
        }
    }
    let last_run = store.as_ref().map(Store::last_run_at).transpose()?.flatten();
    findings.push(judge_git(&git));
    findings.push(judge_clock(last_run, &clocks, now));
    findings.extend(names);
    if store.is_some() || matches!(root.state, RootState::Empty | RootState::Missing) {
        findings.push(judge_timer(last_run, now));
    }
    Ok(findings)
}

fn look_at_owner(workdir: &Workdir, caller: Caller, refused: Option<String>) -> OwnerFacts {
    OwnerFacts {
        owner: workdir.owner().map(users::shown),
        user: users::shown(caller.uid),
        unwritable: workdir.unwritable().map(|path| shown(&path)),
        refused,
    }
}

/// Looks at the root. A root that is refused is not looked into.
fn look_at_root(workdir: &Workdir, is_refused: bool) -> (RootFacts, Option<Store>) {
    let root = workdir.root();
    let (state, store) = match (root.exists(), root.is_dir()) {
        (false, _) => (RootState::Missing, None),
        (true, false) => (RootState::NoFolder, None),
        (true, true) if is_refused => (RootState::Refused, None),
        (true, true) => match Store::open_read_only(&workdir.database()) {
            Ok(store) => match store.known_fleet() {
                Ok(known) => {
                    let damages = store.damages();
                    let damage = damages.first().map(ToString::to_string);
                    (RootState::Services { services: known.services.len(), damage }, Some(store))
                }
                Err(error) => (RootState::Unusable(error.to_string()), None),
            },
            Err(StoreError::Missing { .. }) => (RootState::Empty, None),
            Err(StoreError::Outdated { .. }) => (RootState::Outdated, None),
            Err(error) => (RootState::Unusable(error.to_string()), None),
        },
    };
    let path = shown(root);
    (RootFacts { path, state, network: workdir.network_file_system() }, store)
}

/// Looks at the configuration; returns the context of a command that it makes, unless it cannot be used. Commands that
/// may not be run are left out of the sources of that context.
fn look_at_configuration(
    args: &ListArgs,
    global: &GlobalOptions,
    environment: RunEnvironment,
) -> Result<(ConfigurationState, Option<Context>)> {
    let context = match Context::new(global, environment) {
        Ok(context) => context.with_targets(&args.targets)?,
        // A wrong option is no fault of the set-up.
        Err(error) if error.downcast_ref::<EarlyEnd>().is_some() => return Err(error),
        Err(error) => return Ok((ConfigurationState::Unusable(format!("{error:#}")), None)),
    };
    if !args.offline
        && let Err(error) = context.check_commands()
    {
        let state = ConfigurationState::CommandsRefused(format!("{error:#}"));
        return Ok((state, Some(context.without_commands())));
    }
    let path = context.workdir.root().join(CONFIGURATION);
    let state = match path.exists() {
        true => ConfigurationState::Read(shown(&path)),
        false => ConfigurationState::Missing,
    };
    Ok((state, Some(context)))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}
