//! The messages of a pull on stderr, but for those about the inboxes.

use anyhow::{Result, bail};

use super::inbox_messages::tell_inboxes;
use super::table::by_name;
use crate::address::shown_url;
use crate::collect::marking::MarkedRows;
use crate::collect::outcome::{KeyOutcome, KeyResult, WhyQuarantined};
use crate::collect::planning::PlannedPull;
use crate::collect::pull::{PullOutcome, PullRequest, StartedPull};
use crate::collect::upkeep::TidiedRoot;
use crate::commands::group::tell_taken;
use crate::commands::notices::{tell_cut_lists, tell_left, tell_mended, tell_swept, unknown_apps};
use crate::commands::targets::{tell_sources, unlisted};
use crate::commands::{Context, Level, fail, inform, say, show, warn};
use crate::fleet::app_group::AppGroup;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{Picked, pick};
use crate::fleet::plan::WaitingKey;
use crate::fleet::records::Lister;
use crate::fleet::schedule::DueReason;
use crate::fleet::services::Fleet;
use crate::fleet::waiting_address::WaitingAddress;
use crate::io::workdir::CONFIGURATION;
use crate::io::workdir::Workdir;
use crate::names::{in_message, printable};
use crate::phrases::{moment, replicas};
use crate::profile::Fingerprint;

/// Prints that the run made the root. A person who forgot `--root` learns it here.
pub(super) fn tell_new_root(context: &Context) {
    let root = context.workdir.root().display().to_string();
    context.tell(format_args!(
        "the root \"{}\" is new; another one is named by --root or GOC_WATCHDOG_ROOT",
        in_message(&root)
    ));
}

/// Prints how the names of a command line were taken: a full name that is an app's, too, and the apps of a group that no
/// service has.
pub(super) fn tell_named(request: &PullRequest<'_>, entries: &[KeyEntry], context: &Context) {
    for query in &request.services {
        tell_taken(query.text, context, entries);
        // The plan has refused an ambiguous SERVICE. All commits that run are pulled, and one of them names their app.
        if AppGroup::named(query.text, request.groups, entries).is_none()
            && let Ok(Picked { entry, .. }) = pick(query, entries)
        {
            context.tell_namesakes(query, &entry.key, entries);
        }
    }
}

/// Prints the faults that were found in the root before the run.
pub(super) fn tell_tidied(tidied: &TidiedRoot, workdir: &Workdir) {
    const NAMED: usize = 3;
    let TidiedRoot { open_to_others: open, scratch_left, swept } = tidied;
    if !open.is_empty() {
        let root = workdir.root().display();
        let shown: Vec<_> = open.iter().take(NAMED).map(|name| printable(name)).collect();
        let more = match open.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        warn(format!(
            "other users of this machine can read {}{more} in {root}; to close them (this message comes once): cd {root} && \
             chmod -R o= sqlite.db* goc-watchdog.lock goc-watchdog.readers ./*/cov_data",
            shown.join(", ")
        ));
    }
    tell_left(scratch_left);
    if let Some(swept) = swept {
        tell_swept(swept);
    }
}

/// Warns of each center or source of targets that does not answer or lists too much; fails if no address is known without
/// it, unless the run can go on.
pub(super) fn tell_silence(fleet: &Fleet, can_go_on: bool, context: &Context) -> Result<()> {
    tell_cut_lists(fleet);
    tell_sources(fleet, "pulling the addresses it listed", context);
    for silent in &fleet.silent {
        let known = can_go_on || fleet.entries.iter().any(|entry| !entry.addresses().is_empty());
        if !known {
            bail!(
                "center \"{}\": {} (name a center by --center, GOC_CENTER or center in the configuration, or targets by \
                 --targets or [[targets]])",
                shown_url(&silent.url),
                silent.message
            );
        }
        warn(format!(
            "center \"{}\": {}; pulling the addresses that it listed {}",
            shown_url(&silent.url),
            silent.message,
            silent.last_heard.map_or_else(|| "before".to_owned(), |at| moment(at, context.now()))
        ));
    }
    Ok(())
}

/// The number of times that a message names new names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToldNames {
    /// The run stores them, so that the next one does not tell them again.
    Once,
    /// The run stores nothing, so that the next one tells them again.
    UntilStored,
}

impl ToldNames {
    fn suffix(self) -> &'static str {
        match self {
            Self::Once => " (this is said once)",
            Self::UntilStored => "",
        }
    }
}

/// Prints the new names that fit no pattern, those without a commit, and those that only an inbox had before.
pub(super) fn tell_new_names(fleet: &Fleet, told: ToldNames, context: &Context) {
    let once = told.suffix();
    if let Some((names, are_several)) = shown_few(&fleet.new_unparsed) {
        let fit = if are_several {
            "fit no pattern of service names, so each"
        } else {
            "fits no pattern of service names, so the"
        };
        context.tell(format_args!(
            "{names} {fit} whole name is an app without a commit; if it has a commit, set pattern of [naming] in \
             {CONFIGURATION}{once}"
        ));
    }
    if let Some((names, are_several)) = shown_few(&fleet.new_without_commit) {
        let have = if are_several { "have" } else { "has" };
        context.tell(format_args!(
            "{names} {have} no commit, so builds are not told apart; build with -buildvcs=true where git finds the commit, \
             or set SOURCE_GIT_COMMIT for the process or the label commit{once}"
        ));
    }
    if let Some((names, are_several)) = shown_few(&fleet.new_namesakes) {
        let are = if are_several {
            "are those of targets now, and of services"
        } else {
            "is the name of a target now, and of a service"
        };
        context.tell(format_args!(
            "{names} {are} that only the inbox knew: what the inbox brings from now on counts for the target, and what it \
             brought before stays apart (goc-watchdog list shows both; --env, --region and --branch choose one, where '' \
             means none){once}"
        ));
    }
}

/// Returns the first of these names as the subject of a sentence, and whether there are several.
fn shown_few(names: &[String]) -> Option<(String, bool)> {
    const NAMED: usize = 3;
    let shown: Vec<String> =
        names.iter().take(NAMED).map(|name| format!("\"{}\"", in_message(name))).collect();
    let shown = shown.join(", ");
    match names.len() {
        0 => None,
        1 => Some((shown, false)),
        count @ ..=NAMED => Some((format!("{count} names ({shown})"), true)),
        count => Some((format!("{count} names (such as {shown})"), true)),
    }
}

/// Prints each service that a person named and nothing lists; with `--verbose`, also the others that are not pulled, and
/// configured apps without a service. A peek may still make a service due that waits for its time: the run tells of such
/// services by [`tell_not_due`] once it has peeked.
pub(super) fn tell_waiting(
    planned: &PlannedPull<'_>,
    StartedPull { fleet, inbox, .. }: &StartedPull<'_>,
    may_peek: bool,
    context: &Context,
) {
    let in_vain: Vec<KeyId> = planned.named_offline(inbox).map(|waiting| waiting.entry.id).collect();
    for waiting in planned.plan.waiting.iter().filter(|waiting| !(may_peek && waiting.until.is_some())) {
        let said = not_pulled(waiting, fleet, context);
        match in_vain.contains(&waiting.entry.id) {
            true => warn(format_args!("{said}; to pull a process of it, add --address URL")),
            false => context.explain(said),
        }
    }
    if context.is_verbose {
        for message in unknown_apps(fleet, context) {
            inform(message);
        }
    }
}

/// With `--verbose`, prints each service that the peeks of the run did not make due.
pub(super) fn tell_not_due(outcome: &PullOutcome<'_>, may_peek: bool, context: &Context) {
    if context.is_verbose && may_peek {
        for waiting in outcome.waiting.iter().filter(|waiting| waiting.until.is_some()) {
            inform(not_pulled(waiting, outcome.fleet, context));
        }
    }
}

/// Prints that the empty list of a center was accepted, and the stored profiles that were missing or damaged.
pub(super) fn tell_house_keeping(outcome: &PullOutcome<'_>, context: &Context) {
    if outcome.accepted_emptied {
        warn("no address that the emptied center listed answers any more, so its services are offline now");
    }
    tell_mended(&outcome.mended, &context.workdir);
}

/// Prints all other troubles, for all forms of the output.
pub(super) fn tell(outcome: &PullOutcome<'_>, context: &Context) {
    tell_inboxes(&outcome.inbox, context);
    for damage in &outcome.damages {
        fail(damage);
    }
    for pulled in &by_name(&outcome.pulled, &outcome.fleet.entries) {
        tell_troubles(pulled, context);
    }
    tell_waiting_addresses(&outcome.waiting_addresses, context);
    if let Some(marked) = &outcome.marked {
        tell_marked(marked, context);
    }
}

/// Prints the row of each service that got the mark, and the services that got none.
fn tell_marked(MarkedRows { mark, services }: &MarkedRows<'_>, context: &Context) {
    let mark = in_message(mark);
    for (entry, row) in services {
        let name = in_message(&entry.newest_name().name);
        let Some(row) = row else {
            fail(format_args!("{name}: no row of now could be stored, so nothing has the mark \"{mark}\""));
            continue;
        };
        let (answered, listed) = row.stats.as_ref().map_or((0, 0), |stats| (stats.answered, stats.listed));
        let of = match listed {
            0 => "of what ended processes left, because nothing lists an address".to_owned(),
            _ => format!("of {}", replicas(answered, listed)),
        };
        let message = format!("{name}: row {} has the mark \"{mark}\", {of}", row.id.0);
        // A mark that lacks a replica is not what the person asked for.
        if answered < listed { warn(message) } else { context.tell(format_args!("{message}")) }
    }
}

/// Prints some of the failed addresses that were not asked, because the run ends with 3 while there are any.
fn tell_waiting_addresses(waiting: &[WaitingAddress<'_>], context: &Context) {
    const NAMED: usize = 3;
    for WaitingAddress { entry, address, state } in waiting.iter().take(NAMED) {
        let name = in_message(&entry.newest_name().name);
        let failures = show::count(state.retry.failures as usize, "times");
        let error = state.last_error.as_deref().map(|error| format!(" ({})", in_message(error)));
        let next_try = state.retry.next_try.map(|next| format!(", next try {}", moment(next, context.now())));
        fail(format_args!(
            "{name}: profile from \"{}\": failed {failures}{}; not tried again yet{}",
            shown_url(address),
            error.unwrap_or_default(),
            next_try.unwrap_or_default()
        ));
    }
    let more = waiting.len().saturating_sub(NAMED);
    if more > 0 {
        let more = show::count(more, "more addresses");
        fail(format_args!(
            "and {more} that failed, not tried again yet (goc-watchdog list shows the services)"
        ));
    }
}

/// Returns the reason why a service is not pulled.
fn not_pulled(waiting: &WaitingKey<'_>, fleet: &Fleet, context: &Context) -> String {
    let name = in_message(&waiting.entry.newest_name().name);
    match waiting.until {
        Some((until, reason)) => {
            format!("{name}: not pulled, {reason}, due {}", show::minute(until))
        }
        None => match fleet.yielded.get(&waiting.entry.id) {
            Some((address, lister)) => {
                let lister = match lister {
                    Lister::Center(url) => format!("center \"{}\"", shown_url(url)),
                    Lister::Targets(name) => format!("targets \"{}\"", in_message(name)),
                };
                let address = in_message(address);
                format!(
                    "{name}: not pulled, \"{address}\" counts for another service, under which {lister} has it"
                )
            }
            None => format!("{name}: not pulled, {}", unlisted(context)),
        },
    }
}

/// Prints the troubles of a service.
fn tell_troubles((entry, pulled): &(&KeyEntry, &KeyResult), context: &Context) {
    let name = in_message(&entry.members[0].name);
    for fault in &pulled.faults {
        let outcome = match pulled.outcome {
            KeyOutcome::NotStored => "; its counters are kept in the database, its row is not stored",
            KeyOutcome::Refused => "; its counters and its row are not stored",
            _ => "",
        };
        fail(format_args!("{name}: {fault}{outcome}; the next pull tries again"));
    }
    for failure in &pulled.failures {
        let next_try = failure
            .next_try
            .map(|next| format!(", next try {}", moment(next, context.now())))
            .unwrap_or_default();
        let kept = match entry.state(&failure.address).last_answer_at {
            Some(_) => "kept the previous data",
            None => "no answer of it is stored yet",
        };
        fail(format_args!(
            "{name}: profile from \"{}\": {}; {kept}{next_try}",
            shown_url(&failure.address),
            failure.error
        ));
    }
    for aside in &pulled.quarantined {
        let address = in_message(&aside.address);
        let build = aside.build.short();
        let message = match aside.why {
            WhyQuarantined::NoBlocks => format!(
                "{name}: \"{address}\" answers with a profile without blocks, so there is nothing to show; build the \
                 program with the coverage of its packages (goc build, or go build -cover -coverpkg=./...)"
            ),
            WhyQuarantined::OtherBuild => format!(
                "{name}: \"{address}\" serves build {build}, which contradicts the one shown; its data is set \
                 aside (to show it: goc-watchdog pull {name} --adopt {build})"
            ),
            WhyQuarantined::Undecided => format!(
                "{name}: \"{address}\" is listed under two names with the same build {build}, and its answer \
                 does not show which one it is; its data is set aside (take the address from the list of one of them)"
            ),
        };
        say(Level::Warning, &message);
    }
    for note in &pulled.notes {
        warn(format_args!("{name}: {note}"));
    }
    if !context.is_quiet {
        tell_news(&name, pulled, context);
    }
}

/// Prints builds that were adopted or may be soon; with `--verbose`, also the other news of a service.
fn tell_news(name: &str, pulled: &KeyResult, context: &Context) {
    for adopted in &pulled.adopted {
        let short = |build: Option<Fingerprint>| build.map_or_else(|| "-".to_owned(), |build| build.short());
        inform(format_args!(
            "{name}: build {} replaced build {}, whose counts are in the history now",
            short(adopted.to),
            short(adopted.from)
        ));
    }
    if let Some(pending) = &pulled.pending {
        inform(format_args!("{name}: {}", pending.sentence(context.now())));
    }
    if context.is_verbose && pulled.outcome != KeyOutcome::NotDue {
        inform(match pulled.reason {
            DueReason::NeverPulled => format!("{name}: pulled for the first time"),
            DueReason::NeverAnswered => format!("{name}: pulled, no earlier pull stored an answer"),
            reason => format!("{name}: pulled, {reason}"),
        });
        for detail in &pulled.details {
            inform(format_args!("{name}: {detail}"));
        }
        for (address, other) in &pulled.elsewhere {
            inform(format_args!(
                "{name}: \"{}\" is a process of {} now",
                in_message(address),
                in_message(other)
            ));
        }
        if pulled.restarted > 0 {
            inform(format_args!(
                "{name}: {} ended since the last pull",
                show::count(pulled.restarted, "processes")
            ));
        }
    }
}
