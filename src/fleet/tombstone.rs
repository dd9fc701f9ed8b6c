//! Tombstones: records of removed addresses, some of which may have been removed by mistake.
//!
//! Pure: the input is probes, the output is the tombstones to restore or to forget.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::center_address::CenterAddress;
use super::liveness::lasted;
use super::probe::{BuildMatch, ProbeResult};
use super::records::Key;
use crate::address::normal_form;
use crate::names::Naming;
use crate::profile::Fingerprint;

/// The time after the removal in which an address may be restored.
const TOMBSTONE_LASTS: Duration = Duration::from_secs(7 * 24 * 3600);

/// The record of a removed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// URL of the center.
    pub center: String,
    /// The spelling that was registered.
    pub address: String,
    /// A name under which the address was listed.
    pub service: String,
    /// The build that it served last; `None` when no pull ever got an answer.
    pub build: Option<Fingerprint>,
    pub removed_at: DateTime<Utc>,
    /// An agent answered at the address when it was removed, to be registered under its right names. Every later run
    /// tries to register it again until that succeeds, whatever its options are.
    pub was_alive: bool,
}

impl Tombstone {
    /// Tells whether the process that answers at the address now is the removed one.
    ///
    /// A tombstone without a build fits a process whose build is that of the name or unknown. If the removed process
    /// was alive, the tombstone fits any process, because a new one would have registered itself and be listed.
    #[must_use]
    pub(crate) fn fits(&self, answer: Fingerprint, found: BuildMatch) -> bool {
        match self.build {
            Some(build) => build == answer,
            None => self.was_alive || matches!(found, BuildMatch::Own | BuildMatch::Unknown),
        }
    }

    /// Tells whether the result of a probe shows the process that was removed.
    pub(crate) fn is_back(&self, result: &ProbeResult, naming: &Naming) -> bool {
        let key = Key::from_name(&self.service, naming);
        let found = result.build_match(&key).unwrap_or(BuildMatch::Unknown);
        match result.build {
            Some(build) => self.fits(build, found),
            // No pull could read the build before either, perhaps for the same reason, such as its size.
            None => self.build.is_none() && result.is_alive(),
        }
    }
}

/// A tombstone with the result of its probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TombstoneStatus {
    pub tombstone: Tombstone,
    /// The last probe showed the process that was removed ([`Tombstone::is_back`]).
    pub is_back: bool,
}

/// The decision about all tombstones, each sorted by center, address and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TombstoneDecision {
    /// Tombstones whose addresses are registered again.
    pub restores: Vec<Tombstone>,
    /// Tombstones that are no longer needed: listed again, or too old.
    pub forgotten: Vec<Tombstone>,
}

impl TombstoneDecision {
    /// Decides about tombstones by the addresses that their centers list now. Addresses are restored only at centers
    /// that `answered`.
    ///
    /// `may_restore` allows to restore addresses that were removed as dead.
    pub(crate) fn new(
        statuses: Vec<TombstoneStatus>,
        listed: &[CenterAddress],
        answered: &BTreeSet<String>,
        may_restore: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let mut names: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for listed in listed {
            let services = listed.names.iter().map(|name| name.service.as_str());
            names.entry((&listed.center, &listed.identity)).or_default().extend(services);
        }
        let removed: BTreeSet<(String, String)> = statuses
            .iter()
            .map(|status| (normal_form(&status.tombstone.address), status.tombstone.service.clone()))
            .collect();
        let mut decision = Self::default();
        for TombstoneStatus { tombstone, is_back } in statuses {
            let identity = normal_form(&tombstone.address);
            let names = names.get(&(tombstone.center.as_str(), identity.as_str()));
            let is_listed = names.is_some_and(|names| names.contains(&tombstone.service.as_str()));
            // Another process that took over the port registers itself under names that no tombstone of the address
            // has.
            let is_stranger = tombstone.build.is_none()
                && names
                    .into_iter()
                    .flatten()
                    .any(|name| !removed.contains(&(identity.clone(), (*name).to_owned())));
            let is_old = lasted(tombstone.removed_at, now, TOMBSTONE_LASTS);
            let is_wanted = match tombstone.was_alive {
                // A run that ended while it fixed names left the address listed under only some of them.
                true => is_back && !is_stranger,
                false => is_back && may_restore && names.is_none() && !is_old,
            };
            if is_listed || (is_old && !is_wanted) {
                decision.forgotten.push(tombstone);
            } else if is_wanted && answered.contains(&tombstone.center) {
                decision.restores.push(tombstone);
            }
        }
        let order = |a: &Tombstone, b: &Tombstone| {
            (&a.center, &a.address, &a.service).cmp(&(&b.center, &b.address, &b.service))
        };
        decision.restores.sort_by(order);
        decision.forgotten.sort_by(order);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::center_address::testing::{alive, at, name, print};
    use crate::fleet::liveness::{Finding, ProbeFinding};
    use crate::fleet::removal::{RemovalOptions, RemovalPlan};
    use crate::fleet::situation::Situation;
    use crate::fleet::situation::testing::{NOW, OPTIONS};

    fn removed(number: usize, hours: i64, is_back: bool) -> TombstoneStatus {
        let tombstone = Tombstone {
            center: "http://center".to_owned(),
            address: format!("http://10.0.0.{number}:1"),
            service: "app".to_owned(),
            build: None,
            removed_at: at(NOW - hours),
            was_alive: false,
        };
        TombstoneStatus { tombstone, is_back }
    }

    #[test]
    fn what_answers_again_within_a_week_is_registered_again() {
        let taken_over = CenterAddress { names: vec![name("another", None)], ..alive(4) };
        let situation = |tombstones| Situation {
            listed: vec![alive(3), taken_over.clone()],
            tombstones,
            answered: ["http://center".to_owned()].into(),
            now: at(NOW),
        };
        let mut elsewhere = removed(7, 1, true);
        elsewhere.tombstone.center = "http://silent".to_owned();
        let tombstones = vec![
            elsewhere,
            removed(1, 1, true),
            removed(2, 1, false),
            removed(3, 1, true),
            removed(4, 1, true),
            removed(5, 7 * 24, true),
            removed(6, 7 * 24 - 1, true),
        ];
        let addresses = |tombstones: &[Tombstone]| -> Vec<String> {
            tombstones.iter().map(|tombstone| tombstone.address.clone()).collect()
        };
        let plan = RemovalPlan::new(situation(tombstones.clone()), &OPTIONS);
        assert_eq!(addresses(&plan.restores), ["http://10.0.0.1:1", "http://10.0.0.6:1"]);
        assert_eq!(addresses(&plan.forgotten), ["http://10.0.0.3:1", "http://10.0.0.5:1"]);
        let plan = RemovalPlan::new(situation(tombstones), &RemovalOptions { restore: false, ..OPTIONS });
        assert_eq!((plan.restores.len(), plan.forgotten.len()), (0, 2));
    }

    #[test]
    fn what_was_removed_alive_is_registered_again_whatever_a_run_is_told() {
        let under_a_part_of_its_names = CenterAddress { names: vec![name("right", None)], ..alive(4) };
        let removed_alive = |number, hours, is_back| {
            let mut status = removed(number, hours, is_back);
            status.tombstone.was_alive = true;
            status.tombstone.build = Some(print(1));
            status
        };
        let situation = Situation {
            listed: vec![under_a_part_of_its_names, alive(5)],
            tombstones: vec![
                removed_alive(1, 1, true),
                removed_alive(2, 1, false),
                removed_alive(3, 8 * 24, true),
                removed_alive(4, 1, true),
                removed_alive(5, 1, true),
                removed_alive(6, 8 * 24, false),
            ],
            answered: ["http://center".to_owned()].into(),
            now: at(NOW),
        };
        let plan = RemovalPlan::new(situation, &RemovalOptions { restore: false, ..OPTIONS });
        let addresses = |tombstones: &[Tombstone]| -> Vec<String> {
            tombstones.iter().map(|tombstone| tombstone.address.clone()).collect()
        };
        assert_eq!(
            addresses(&plan.restores),
            ["http://10.0.0.1:1", "http://10.0.0.3:1", "http://10.0.0.4:1"]
        );
        assert_eq!(addresses(&plan.forgotten), ["http://10.0.0.5:1", "http://10.0.0.6:1"]);
    }

    #[test]
    fn a_stranger_that_took_the_port_is_not_registered_under_the_old_name() {
        let restored = |build: Option<u8>, stands_under: &[&str]| {
            let mut status = removed(7, 1, true);
            status.tombstone.was_alive = true;
            status.tombstone.build = build.map(print);
            let mut listed = alive(7);
            listed.names = stands_under.iter().map(|service| name(service, None)).collect();
            let listed = if stands_under.is_empty() { Vec::new() } else { vec![listed] };
            let answered = BTreeSet::from(["http://center".to_owned()]);
            let situation = Situation { listed, tombstones: vec![status], answered, now: at(NOW) };
            RemovalPlan::new(situation, &OPTIONS).restores.len()
        };
        // A known build shows whether another process took over the port.
        assert_eq!([restored(Some(1), &[]), restored(Some(1), &["another"])], [1, 1]);
        assert_eq!([restored(None, &[]), restored(None, &["another"])], [1, 0]);
    }

    #[test]
    fn a_tombstone_fits_the_build_that_was_removed() {
        let tombstone = |build| Tombstone { build, ..removed(1, 1, true).tombstone };
        assert!(tombstone(Some(print(1))).fits(print(1), BuildMatch::Unknown));
        assert!(!tombstone(Some(print(1))).fits(print(2), BuildMatch::Own));
        assert!(tombstone(None).fits(print(2), BuildMatch::Own));
        assert!(tombstone(None).fits(print(2), BuildMatch::Unknown));
        assert!(!tombstone(None).fits(print(2), BuildMatch::Other));
        assert!(Tombstone { was_alive: true, ..tombstone(None) }.fits(print(2), BuildMatch::Other));
    }

    fn result(finding: Finding, build: Option<u8>, found: Option<BuildMatch>) -> ProbeResult {
        let key = Key::from_name("app", &Naming::default());
        let matches = found.map(|found| (key, found)).into_iter().collect();
        let probe = ProbeFinding { finding, detail: String::new() };
        ProbeResult { probe, build: build.map(print), matches }
    }

    #[test]
    fn a_process_is_back_when_a_probe_shows_its_build_or_one_that_nothing_contradicts() {
        use BuildMatch::{Other, Own};
        use Finding::{Alive, Silent};
        for (removed_build, seen, expected) in [
            (Some(1), result(Alive, Some(1), Some(Other)), true),
            (Some(1), result(Alive, Some(2), Some(Own)), false),
            // The profile could not be read.
            (Some(1), result(Alive, None, None), false),
            (None, result(Alive, None, None), true),
            (None, result(Silent, None, None), false),
            (None, result(Alive, Some(2), Some(Own)), true),
            (None, result(Alive, Some(2), None), true),
            (None, result(Alive, Some(2), Some(Other)), false),
        ] {
            let tombstone = Tombstone { build: removed_build.map(print), ..removed(1, 1, true).tombstone };
            assert_eq!(tombstone.is_back(&seen, &Naming::default()), expected, "{removed_build:?} {seen:?}");
        }
    }

    #[test]
    fn a_tombstone_of_a_silent_center_is_neither_restored_nor_forgotten() {
        let decided = |answered: &[&str]| {
            let answered = answered.iter().map(|&center| center.to_owned()).collect();
            TombstoneDecision::new(vec![removed(1, 1, true)], &[], &answered, true, at(NOW))
        };
        assert_eq!(decided(&[]), TombstoneDecision::default());
        assert_eq!(decided(&["http://center"]).restores.len(), 1);
    }

    #[test]
    fn a_tombstone_is_forgotten_after_a_week_to_the_hour() {
        let forgotten = |hours| {
            let statuses = vec![removed(1, hours, false)];
            TombstoneDecision::new(statuses, &[], &BTreeSet::new(), true, at(NOW)).forgotten.len()
        };
        assert_eq!([7 * 24 - 1, 7 * 24].map(forgotten), [0, 1]);
    }
}
