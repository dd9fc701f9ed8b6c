//! `report --all --format site`: the options of a site, and the messages of its run.

use std::path::Path;

use anyhow::Result;

use super::notices::{print, source_settings};
use super::{ReportArgs, SortOrder};
use crate::commands::{self, Context, Level, lock_wait};
use crate::exit::ExitCode;
use crate::gate::Gate;
use crate::io::signals::Signals;
use crate::names::in_message;
use crate::phrases::count;
use crate::site::{SiteOutcome, SiteRequest, Tally};

/// Largest number of services that a message names.
const NAMED: usize = 5;

/// Returns the folder of the requested site, if one is; fails if other options contradict it.
pub(super) fn folder(args: &ReportArgs) -> Result<Option<&Path>, String> {
    let Some(site) = args.formats.iter().find(|requested| requested.form.is_folder()) else {
        return Ok(None);
    };
    if !args.all || args.service.is_some() {
        return Err("--format site is of all services: give --all and no SERVICE".to_owned());
    }
    if args.formats.len() > 1 {
        return Err("--format site stands alone: it brings reports, badges and JSON of its own".to_owned());
    }
    let ReportArgs {
        service: _,
        narrow,
        formats: _,
        output,
        id,
        commit,
        include,
        exclude,
        exclude_generated,
        exclude_without_source,
        marks,
        sort,
        limit,
        base,
        diff_file,
        against,
        carry,
        carry_in_forms: _,
        with,
        counting,
        since,
        by_mark,
        unused,
        unmeasured,
        only_changed,
        blame,
        all: _,
        offline: _,
        gate,
        changes_gate,
    } = args;
    let of_one = [
        (id.is_some(), "--id"),
        (narrow.is_given(), "--env, --region or --branch"),
        (commit.is_some(), "--commit"),
        (base.is_some(), "--base"),
        (diff_file.is_some(), "--diff-file"),
        (against.is_some(), "--against"),
        (carry.is_given(), "--carry"),
        (with.is_given(), "--with"),
        (counting.count_unmeasured, "--count-unmeasured"),
        (since.is_given(), "--since"),
        (*by_mark, "--by-mark"),
        (unused.is_given(), "--unused"),
        (*unmeasured, "--unmeasured"),
        (marks.ignore_marked, "--ignore-marked"),
        (*only_changed, "--only-changed"),
        (*blame, "--blame"),
        (*sort != SortOrder::default(), "--sort"),
        (limit.is_some(), "--limit"),
        (gate.gate() != Gate::default() || changes_gate.is_given(), "a threshold"),
    ];
    if let Some((_, option)) = of_one.iter().find(|(is_given, _)| *is_given) {
        return Err(format!("{option} is for the report of one service, but a site has all services"));
    }
    if !include.is_empty() || !exclude.is_empty() || *exclude_generated || *exclude_without_source {
        return Err("--include and the --exclude options are for the report of one service: \
                    a site shows totals of the history, which are of whole profiles"
            .to_owned());
    }
    match (site.file.as_deref(), output.as_deref()) {
        (Some(_), Some(_)) => Err("--format site=DIR and -o DIR name the folder twice".to_owned()),
        (Some(folder), None) | (None, Some(folder)) if folder == Path::new("-") => {
            Err("--format site needs a folder, which stdout is not".to_owned())
        }
        (Some(folder), None) | (None, Some(folder)) => Ok(Some(folder)),
        (None, None) => Err("--format site needs a folder: -o DIR".to_owned()),
    }
}

/// Brings the site in a folder up to date.
pub(super) fn run(folder: &Path, is_offline: bool, context: &Context, signals: &Signals) -> Result<ExitCode> {
    // Sweeps are prevented before the rows are read, so that their files still exist when they are opened.
    let reading = lock_wait::hold_off_sweeping(signals, context)?;
    let notify = |notice| print(notice, context);
    let request = SiteRequest {
        folder,
        is_offline,
        source: source_settings(context, signals, &notify),
        reading: &reading,
        now: context.now(),
        shows_progress: context.environment.stderr_is_terminal && !context.is_quiet,
    };
    Ok(match crate::site::write(&request)? {
        SiteOutcome::Busy(busy) => {
            commands::say(Level::Warning, &format!("{busy}; nothing was changed"));
            ExitCode::Busy
        }
        // The signal decides the exit code.
        SiteOutcome::Interrupted => ExitCode::Done,
        SiteOutcome::Written { tally, is_damaged } => {
            tell(&tally, folder, context);
            let is_whole = tally.lacking_source.is_empty() && tally.failed == 0 && !is_damaged;
            if is_whole { ExitCode::Done } else { ExitCode::Partly }
        }
    })
}

fn tell(tally: &Tally, folder: &Path, context: &Context) {
    let Tally { written, unchanged, removed, lacking_source, failed: _ } = tally;
    if !lacking_source.is_empty() {
        let named: Vec<_> = lacking_source.iter().take(NAMED).map(|name| in_message(name)).collect();
        let more = if lacking_source.len() > NAMED { ", ..." } else { "" };
        commands::warn(format!(
            "{} without source that may still be found: {}{more}; goc-watchdog report SERVICE prints the reason",
            count(lacking_source.len(), "reports"),
            named.join(", ")
        ));
    }
    if context.has_spectator() {
        let index = folder.join("index.html");
        commands::inform(format!(
            "{written} written, {unchanged} unchanged, {removed} removed: {}",
            in_message(&index.display().to_string())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    #[test]
    fn a_site_has_a_folder_and_nothing_of_one_service() {
        let site = ["--all", "--format=site", "-o", "d"];
        assert_eq!(folder(&parsed(&site)), Ok(Some(Path::new("d"))));
        assert_eq!(folder(&parsed(&["--all", "--format=site=d", "--offline"])), Ok(Some(Path::new("d"))));
        assert_eq!(folder(&parsed(&["shop", "--format=html"])), Ok(None));
        for (arguments, error) in [
            (&["shop", "--format=site=d"][..], "--format site is of all services: give --all and no SERVICE"),
            (&["--all", "--format=site"], "--format site needs a folder: -o DIR"),
            (&["--all", "--format=site=-"], "--format site needs a folder, which stdout is not"),
            (&["--all", "--format=site=d", "-o", "d"], "--format site=DIR and -o DIR name the folder twice"),
            (
                &["--all", "--format=site=d", "--min-replicas=1"],
                "a threshold is for the report of one service",
            ),
            (&["--all", "--format=site=d", "--sort=percent"], "--sort is for the report of one service"),
            (&["--all", "--format=site=d", "--format=json"], "--format site stands alone"),
            (&["--all", "--format=site=d", "--exclude=x"], "--include and the --exclude options are"),
        ] {
            let found = folder(&parsed(arguments)).unwrap_err();
            assert!(found.starts_with(error), "{arguments:?}: {found}");
        }
    }
}
