//! The messages of a pull about the inboxes.

use crate::collect::inbox::SnapshotOutcome::{
    self, Bad, Known, Merged, NoMeta, OtherBuild, Stuck, TakenBefore, Unfinished,
};
use crate::collect::inbox::{BadInbox, InboxContents, InboxOutcome, LeftKind, SnapshotResult};
use crate::commands::{Context, fail, show, warn};
use crate::io::workdir::inbox::MOST_BAD;
use crate::io::workdir::misplaced::{MisplacedFiles, WrongLevel};
use crate::names::in_message;

/// Largest number of files of the inboxes with trouble that are printed by name.
const NAMED_OF_INBOX: usize = 10;

/// Prints what is not taken in: inboxes that could not be read, and the coverage files at a wrong level of the others;
/// with `--verbose`, links, too.
pub(super) fn tell_left_outside(contents: &InboxContents, context: &Context) {
    for link in contents.links.iter().take(NAMED_OF_INBOX) {
        let link = link.display().to_string();
        context
            .explain(format_args!("inbox: \"{}\" is a link, and links are not followed", in_message(&link)));
    }
    for bad in &contents.bad_inboxes {
        match bad {
            BadInbox::Missing(folder) => fail(format_args!("inbox {:?} does not exist", folder.display())),
            BadInbox::Unreadable(reason) => fail(format_args!("inbox: {reason}")),
        }
    }
    let (named, others) = contents.misplaced.split_at(contents.misplaced.len().min(NAMED_OF_INBOX));
    for misplaced in named {
        fail(misplaced_line(misplaced));
    }
    if !others.is_empty() {
        let files = show::count(others.iter().map(|misplaced| misplaced.files).sum(), "coverage files");
        let folders = show::count(others.len(), "more folders");
        fail(format_args!("inbox: and {files} in {folders} of a wrong level"));
    }
}

/// Returns the message on coverage files at a wrong level of an inbox.
fn misplaced_line(MisplacedFiles { folder, files, level }: &MisplacedFiles) -> String {
    let (count, folder) =
        (show::count(*files, "coverage files"), in_message(&folder.to_string_lossy()).into_owned());
    match level {
        WrongLevel::Inbox => format!(
            "inbox: {count} in \"{folder}\" itself not taken in, because no folder tells the service; let GOCOVERDIR be \
             \"{folder}/<service>/<pod>\", and move the files there"
        ),
        WrongLevel::BelowPod => format!(
            "inbox: {count} in \"{folder}\" not taken in, because that is deeper than <service>/<pod>; let GOCOVERDIR be \
             the folder of a pod, and move the files there"
        ),
    }
}

/// Prints the files of the inboxes that were taken in and could not be removed.
pub(super) fn tell_not_removed(inbox: &InboxOutcome) {
    for error in &inbox.not_removed {
        fail(format_args!(
            "{error}; its data is stored and not counted again; let this user write the folder, or remove the file"
        ));
    }
    for (folder, reason) in &inbox.not_emptied {
        fail(format_args!(
            "cannot remove files from {:?}: {reason}; they stay, their data is stored and not counted again; let this \
             user write the folder (this is said once)",
            folder.display()
        ));
    }
}

/// Prints files of the inboxes. Only some are named, because thousands of bad files must not fill a log.
pub(super) fn tell_inboxes(inbox: &InboxOutcome, context: &Context) {
    let InboxOutcome { results, waiting, .. } = inbox;
    let has_trouble = |result: &SnapshotResult| !matches!(result.outcome, Merged | Known | TakenBefore);
    let (troubled, well): (Vec<&SnapshotResult>, Vec<&SnapshotResult>) =
        results.iter().partition(|result| has_trouble(result));
    let (named, others) = troubled.split_at(troubled.len().min(NAMED_OF_INBOX));
    for result in well.iter().chain(named) {
        tell_snapshot(result, context);
    }
    for reason in &inbox.bad_folders {
        fail(format!("inbox: {reason}"));
    }
    for (service, hash) in &inbox.twin_metas {
        let name = in_message(service);
        warn(format!("{name}: its program has the hash of another one, {hash}; they are two builds"));
    }
    for (service, file) in &inbox.left_out {
        let (name, file) = (in_message(service), in_message(file));
        context.explain(format_args!("{name}: \"{file}\" is a file of its agent and left out (agent_files)"));
    }
    if *waiting > 0 {
        let files = show::count(*waiting, "files");
        warn(format!(
            "{files} of the inbox left for the next run, because half of the deadline is for services"
        ));
    }
    if others.is_empty() {
        return;
    }
    let count =
        |is_so: fn(&SnapshotOutcome) -> bool| others.iter().filter(|result| is_so(&result.outcome)).count();
    let bad = format!("moved to \"bad\" in the inbox, which keeps the newest {MOST_BAD}");
    let outcomes = [
        (count(|outcome| matches!(outcome, Bad(_))), &*bad),
        (count(|outcome| matches!(outcome, OtherBuild(_))), "of another build and set aside"),
        (count(|outcome| matches!(outcome, Stuck(_))), "tried again"),
        (count(|outcome| matches!(outcome, Unfinished(_))), "perhaps still being written"),
        (count(|outcome| matches!(outcome, NoMeta(_))), "waiting for their covmeta files"),
    ];
    let outcomes = outcomes.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = outcomes.map(|(number, outcome)| format!("{number} {outcome}")).collect();
    fail(format!("and {} more files of the inbox: {}", others.len(), parts.join(", ")));
}

/// Returns the place to which bad files are moved.
fn bad_folder(kind: LeftKind) -> &'static str {
    match kind {
        LeftKind::Snapshot => "\"bad\" beside it",
        LeftKind::Counters | LeftKind::Meta => "\"bad\" in the inbox",
    }
}

/// Prints a file of an inbox that was not taken in; with `--verbose`, also one that was.
fn tell_snapshot(result: &SnapshotResult, context: &Context) {
    let word = match result.kind {
        LeftKind::Snapshot => "snapshot",
        LeftKind::Counters | LeftKind::Meta => "coverage file",
    };
    let (file, aside) = (in_message(&result.file), bad_folder(result.kind));
    let name = result.service.as_deref().map(in_message);
    match (&result.outcome, name) {
        (Bad(reason), _) => {
            fail(format!("{word} \"{file}\": {reason}; moved to {aside}"));
        }
        (Unfinished(reason), _) => {
            warn(format!(
                "{word} \"{file}\": {reason}; it may still be written, and the next run tries again"
            ));
        }
        (NoMeta(reason), _) => {
            warn(format!("{word} \"{file}\": {reason}; it waits for that file for 7 days"));
        }
        (Stuck(reason), _) => {
            fail(format!("{word} \"{file}\": {reason}; the next run tries again"));
        }
        (OtherBuild(build), Some(name)) if build.is_of_nothing() => {
            fail(format!(
                "{name}: {word} \"{file}\" has a profile without blocks, so there is nothing to show"
            ));
        }
        (OtherBuild(build), Some(name)) => {
            let build = build.short();
            fail(format!(
                "{name}: {word} \"{file}\" is of build {build}, which contradicts the one shown; its data is set \
                 aside (to show it: goc-watchdog pull {name} --adopt {build})"
            ));
        }
        (Merged, Some(name)) => context.explain(format!("{name}: {word} \"{file}\" was added")),
        (TakenBefore, Some(name)) => {
            let place = match result.kind {
                LeftKind::Snapshot => "",
                LeftKind::Counters | LeftKind::Meta => ", here or in another folder of the service",
            };
            context.explain(format!("{name}: {word} \"{file}\" was taken in before{place}, and counts once"));
        }
        (_, Some(name)) => {
            context.explain(format!("{name}: {word} \"{file}\" has only counts that are stored already"));
        }
        (_, None) => {}
    }
}
