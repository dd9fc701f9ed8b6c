use std::time::Duration;

use serde::Serialize;

use super::lines::AddressLine;
use crate::address::shown_url;
use crate::prune::outcome::PruneOutcome;
use crate::prune::retention::RetentionRun;

/// The figures of a run, which are also an object in its JSON output.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) asked: usize,
    pub(super) alive: usize,
    pub(super) suspect: usize,
    pub(super) dead: usize,
    pub(super) removed: usize,
    pub(super) renamed: usize,
    pub(super) restored: usize,
    pub(super) held_back: usize,
    pub(super) failed: usize,
    pub(super) stale_names: usize,
    pub(super) other_builds: usize,
    pub(super) braked_centers: Vec<String>,
    pub(super) silent_centers: Vec<String>,
    pub(super) dropped_profiles: usize,
    pub(super) dropped_keys: usize,
    pub(super) dropped_set_aside: usize,
    pub(super) freed_files: usize,
    pub(super) freed_bytes: u64,
    pub(super) freed_counter_bytes: u64,
    pub(super) rewritten_files: Vec<String>,
    pub(super) lost_files: Vec<String>,
    /// The run worked on the centers' lists.
    #[serde(skip)]
    pub(super) has_lists: bool,
    pub(super) seconds: f64,
    pub(super) ended_by: &'static str,
    pub(super) is_dry_run: bool,
}

impl Summary {
    pub(super) fn new(
        lines: &[AddressLine],
        done: &PruneOutcome,
        is_dry_run: bool,
        elapsed: Duration,
    ) -> Self {
        let PruneOutcome { lists, retention, mended, .. } = done;
        let brakes = lists.iter().flat_map(|lists| &lists.plan.brakes);
        let silent = lists.iter().flat_map(|lists| &lists.silent);
        let nothing = RetentionRun::default();
        let retention = retention.as_ref().unwrap_or(&nothing);
        let listed = || lines.iter().filter(|line| line.action != "restore");
        let in_state = |state: &str| listed().filter(|line| line.state() == state).count();
        let ended = |word: &str| lines.iter().filter(|line| line.word() == word).count();
        Self {
            asked: listed().filter(|line| line.finding.is_some()).count(),
            alive: in_state("alive"),
            suspect: in_state("suspect"),
            dead: in_state("dead"),
            removed: ended("removed"),
            renamed: ended("renamed"),
            restored: ended("restored"),
            held_back: ended("held back"),
            failed: ended("failed"),
            stale_names: listed().map(|line| line.stale.len()).sum(),
            other_builds: listed().filter(|line| line.other_build.is_some()).count(),
            braked_centers: brakes.map(|brake| shown_url(&brake.center)).collect(),
            silent_centers: silent.map(|silent| shown_url(&silent.url)).collect(),
            dropped_profiles: retention.rows.len()
                + retention.keys.iter().map(|key| key.rows.len()).sum::<usize>(),
            dropped_keys: retention.keys.len(),
            dropped_set_aside: retention.build_groups.len(),
            freed_files: retention.freed.files,
            freed_bytes: retention.freed.bytes,
            freed_counter_bytes: retention.counter_bytes,
            rewritten_files: mended.rewritten(),
            lost_files: mended.lost(),
            has_lists: lists.is_some(),
            seconds: elapsed.as_secs_f64(),
            ended_by: match lists {
                _ if done.has_signal => "signal",
                Some(lists) if lists.is_cut => "deadline",
                _ => "completion",
            },
            is_dry_run,
        }
    }
}
