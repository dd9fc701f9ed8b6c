//! The plan for the centers' lists: the addresses to remove and to restore, decided as one value before any of it is
//! carried out.
//!
//! Pure: `--dry-run` prints the same plan that a run carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::center_address::{CenterAddress, Renaming, RightfulNames};
use super::liveness::{Evidence, Finding, LivenessRules, ProbeFinding, Suspicion, judge, lasted};
use super::situation::Situation;
use super::tombstone::{Tombstone, TombstoneDecision};

/// An address that has been failing for this time no longer counts for the brake.
const BRAKE_LIFTS_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The brake holds when a list of fewer addresses would lose all of them at once, or a list of at least so many would
/// lose more than half.
const SHORT_LIST: usize = 4;

/// The choices of a person or of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemovalOptions {
    /// The failures after which an address is dead.
    pub rules: LivenessRules,
    /// The brake is off.
    pub force: bool,
    /// Addresses under a stale name are registered anew.
    pub fix_names: bool,
    /// Addresses that were removed by mistake are registered again.
    pub restore: bool,
}

/// The action for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressAction {
    /// The address stays as it is.
    Keep,
    /// The address stays, even under a stale name, because a center removes an address under all its names or under
    /// none.
    KeepStale(Renaming),
    /// The address is removed, and registered again under the right names alone.
    Rename(Renaming),
    /// The address is removed.
    Remove,
    /// The address is dead, and the brake prevents its removal.
    Hold,
}

/// The decision about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressDecision {
    pub listed: CenterAddress,
    /// The failures to remember.
    pub suspicion: Option<Suspicion>,
    pub action: AddressAction,
}

impl AddressDecision {
    /// Decides about an address without the brake. `is_witnessed` tells whether any address answered in this run.
    fn new(
        listed: CenterAddress,
        rightful: &RightfulNames,
        options: &RemovalOptions,
        is_witnessed: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let evidence = Evidence { last_answer_at: listed.last_answer_at, is_witnessed, now };
        let suspicion = match &listed.probe {
            Some(probe) => judge(listed.before.as_ref(), probe, evidence, &options.rules),
            None => listed.before.clone(),
        };
        // A run removes no address without a conclusive probe of its own.
        let has_failed = listed.probe.as_ref().is_some_and(|probe| probe.finding.is_failure());
        let is_dead = has_failed && suspicion.as_ref().is_some_and(|suspicion| suspicion.is_dead);
        let action = match listed.renaming(rightful) {
            _ if is_dead => AddressAction::Remove,
            Some(renaming) if listed.is_alive() && options.fix_names => AddressAction::Rename(renaming),
            Some(renaming) if listed.is_alive() => AddressAction::KeepStale(renaming),
            _ => AddressAction::Keep,
        };
        Self { listed, suspicion, action }
    }

    /// Tells whether the address has been failing for a day while others answered in every run, so that the fault is
    /// not on this host.
    fn has_failed_for_a_day(&self, now: DateTime<Utc>) -> bool {
        let since = self.suspicion.as_ref().and_then(|suspicion| suspicion.witnessed_since);
        since.is_some_and(|since| lasted(since, now, BRAKE_LIFTS_AFTER))
    }

    /// Cancels an action that the brake forbids.
    fn hold(&mut self) {
        self.action = match std::mem::replace(&mut self.action, AddressAction::Keep) {
            AddressAction::Remove => AddressAction::Hold,
            AddressAction::Rename(renaming) => AddressAction::KeepStale(renaming),
            other => other,
        };
    }
}

/// The brake on a center, of whose addresses so many seem dead at once that a fault on this side is more likely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Brake {
    /// URL of the center.
    pub center: String,
    /// Number of addresses to remove that have not been failing for a day.
    pub going: usize,
    /// Number of addresses that the center lists.
    pub listed: usize,
}

/// All changes of the centers' lists in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemovalPlan {
    /// Sorted by center and address.
    pub decisions: Vec<AddressDecision>,
    /// Tombstones whose addresses are registered again.
    pub restores: Vec<Tombstone>,
    /// Tombstones that are no longer needed: listed again, or too old.
    pub forgotten: Vec<Tombstone>,
    /// Centers of which this run removes no address.
    pub brakes: Vec<Brake>,
}

impl RemovalPlan {
    /// Decides about every address and every tombstone.
    #[must_use]
    pub(crate) fn new(situation: Situation, options: &RemovalOptions) -> Self {
        let Situation { mut listed, tombstones, answered, now } = situation;
        listed.sort_by(|a, b| (&a.center, &a.address).cmp(&(&b.center, &b.address)));
        let is_witnessed = listed.iter().any(CenterAddress::is_alive);
        let rightful = RightfulNames::new(&listed);
        let TombstoneDecision { restores, forgotten } =
            TombstoneDecision::new(tombstones, &listed, &answered, options.restore, now);
        let decide = |listed| AddressDecision::new(listed, &rightful, options, is_witnessed, now);
        let decisions = listed.into_iter().map(decide).collect();
        let mut plan = Self { decisions, restores, forgotten, brakes: Vec::new() };
        if !options.force {
            plan.brake(is_witnessed, now);
        }
        plan
    }

    /// Returns the addresses to remove, for good or only until they are registered anew, by center.
    pub(crate) fn removals(&self) -> BTreeMap<&str, Vec<&AddressDecision>> {
        let mut by_center: BTreeMap<&str, Vec<&AddressDecision>> = BTreeMap::new();
        for decision in &self.decisions {
            if matches!(decision.action, AddressAction::Remove | AddressAction::Rename(_)) {
                by_center.entry(&decision.listed.center).or_default().push(decision);
            }
        }
        by_center
    }

    fn brake(&mut self, is_witnessed: bool, now: DateTime<Utc>) {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for decision in &self.decisions {
            if !counted.insert((&decision.listed.center, &decision.listed.identity)) {
                continue;
            }
            let (going, listed) = counts.entry(&decision.listed.center).or_default();
            *listed += 1;
            let is_certain = is_witnessed && decision.has_failed_for_a_day(now);
            *going += usize::from(decision.action == AddressAction::Remove && !is_certain);
        }
        self.brakes = counts
            .iter()
            .filter(|&(_, &(going, listed))| is_too_much(going, listed))
            .map(|(center, &(going, listed))| Brake { center: (*center).to_owned(), going, listed })
            .collect();
        let held: BTreeSet<&str> = self.brakes.iter().map(|brake| brake.center.as_str()).collect();
        let is_held = |decision: &&mut AddressDecision| held.contains(decision.listed.center.as_str());
        self.decisions.iter_mut().filter(is_held).for_each(AddressDecision::hold);
    }
}

/// Tells whether the brake holds for a center that would lose so many of its listed addresses.
fn is_too_much(going: usize, listed: usize) -> bool {
    match listed {
        0..SHORT_LIST => going == listed,
        _ => going * 2 > listed,
    }
}

/// Returns the reason for which a dead address stays after its last probe and, if there was one, its last pull; `None`
/// when it is removed.
pub(crate) fn reason_to_spare(probe: &ProbeFinding, has_answered_pull: bool) -> Option<String> {
    match probe.finding {
        _ if has_answered_pull => Some("it answered the last pull".to_owned()),
        Finding::Alive => Some("it answers again".to_owned()),
        Finding::Withheld => Some(probe.detail.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::center_address::Registration;
    use crate::fleet::center_address::testing::{alive, at, listed, name, refused};
    use crate::fleet::liveness::Streak;
    use crate::fleet::probe::BuildMatch;
    use crate::fleet::situation::testing::{NOW, OPTIONS};

    /// An address that refused the connection in a run `hours` ago, and refuses it now.
    fn dead(number: usize, hours: i64) -> CenterAddress {
        let streak = Streak { since: at(NOW - hours), runs: 1 };
        let before = Suspicion {
            any: streak,
            plain: Some(streak),
            witnessed_since: Some(streak.since),
            last_failed_at: streak.since,
            probe: refused(),
            is_dead: false,
        };
        listed(number, refused(), Some(before))
    }

    fn plan(listed: Vec<CenterAddress>, options: RemovalOptions) -> RemovalPlan {
        RemovalPlan::new(
            Situation { listed, tombstones: Vec::new(), answered: BTreeSet::new(), now: at(NOW) },
            &options,
        )
    }

    fn actions(plan: &RemovalPlan) -> String {
        let letter = |decision: &AddressDecision| match decision.action {
            AddressAction::Keep => 'k',
            AddressAction::KeepStale(_) => 's',
            AddressAction::Rename(_) => 'r',
            AddressAction::Remove => 'x',
            AddressAction::Hold => 'h',
        };
        plan.decisions.iter().map(letter).collect()
    }

    /// A list of dead addresses, each failing for this many hours, and of living ones.
    fn fleet(dead_for: &[i64], living: usize) -> Vec<CenterAddress> {
        let dead_ones = dead_for.iter().enumerate().map(|(number, &hours)| dead(number, hours));
        dead_ones.chain((0..living).map(|number| alive(5 + number))).collect()
    }

    #[test]
    fn the_dead_go_and_the_living_and_the_suspect_stay() {
        let suspect = listed(9, refused(), None);
        let plan = plan(vec![alive(1), dead(2, 1), suspect, alive(4)], OPTIONS);
        assert_eq!(actions(&plan), "kxkk");
        assert_eq!(plan.brakes, []);
        assert_eq!(plan.decisions[2].listed.address, "http://10.0.0.4:1");
        assert!(plan.decisions[3].suspicion.is_some() && plan.decisions[0].suspicion.is_none());
    }

    #[test]
    fn the_brake_holds_where_more_than_half_would_go_or_all_of_a_few() {
        for (dead_for, living, expected) in [
            (&[1][..], 0, "h"),
            (&[1], 1, "xk"),
            (&[1, 1], 1, "xxk"),
            (&[1, 1, 1], 0, "hhh"),
            (&[1, 1], 2, "xxkk"),
            (&[1, 1, 1], 1, "hhhk"),
            (&[1, 1, 1, 1], 0, "hhhh"),
            (&[1, 1, 1], 3, "xxxkkk"),
            (&[1, 1, 1, 1], 3, "hhhhkkk"),
        ] {
            let plan = plan(fleet(dead_for, living), OPTIONS);
            assert_eq!(actions(&plan), expected);
            let brake = Brake {
                center: "http://center".to_owned(),
                going: dead_for.len(),
                listed: dead_for.len() + living,
            };
            let brakes = if expected.contains('h') { vec![brake] } else { Vec::new() };
            assert_eq!(plan.brakes, brakes, "{expected}");
        }
    }

    #[test]
    fn force_lifts_the_brake() {
        let plan = plan(fleet(&[1, 1, 1], 0), RemovalOptions { force: true, ..OPTIONS });
        assert_eq!((actions(&plan).as_str(), plan.brakes.len()), ("xxx", 0));
    }

    #[test]
    fn the_brake_lifts_by_itself_after_a_day_in_which_others_answered() {
        assert_eq!(actions(&plan(fleet(&[24, 24, 24], 1), OPTIONS)), "xxxk");
        assert_eq!(actions(&plan(fleet(&[23, 23, 24], 1), OPTIONS)), "xxxk");
        assert_eq!(actions(&plan(fleet(&[23, 23, 23], 1), OPTIONS)), "hhhk");
        // No address answers now.
        assert_eq!(actions(&plan(fleet(&[24, 24, 24], 0), OPTIONS)), "hhh");
        // No address answered in a run in between.
        let mut unseen = fleet(&[24, 24, 24], 1);
        for listed in &mut unseen[..3] {
            listed.before.as_mut().unwrap().witnessed_since = None;
        }
        assert_eq!(actions(&plan(unseen, OPTIONS)), "hhhk");
    }

    #[test]
    fn each_center_has_its_own_brake_and_any_of_them_has_witnesses() {
        let elsewhere = |listed: CenterAddress| CenterAddress { center: "http://other".to_owned(), ..listed };
        let mut all = fleet(&[1], 2);
        all.extend([elsewhere(dead(1, 1)), elsewhere(dead(2, 1))]);
        let held = plan(all, OPTIONS);
        assert_eq!((actions(&held).as_str(), held.brakes.len()), ("xkkhh", 1));
        let mut all = fleet(&[], 2);
        all.extend([elsewhere(dead(1, 24)), elsewhere(dead(2, 24))]);
        assert_eq!(actions(&plan(all, OPTIONS)), "kkxx");
    }

    #[test]
    fn what_was_not_asked_in_this_run_is_not_removed_by_it() {
        let dead_before = |probe: Option<ProbeFinding>| {
            let mut listed = dead(1, 1);
            listed.before.as_mut().unwrap().is_dead = true;
            CenterAddress { probe, ..listed }
        };
        let withheld = ProbeFinding { finding: Finding::Withheld, detail: "too many open files".to_owned() };
        for probe in [None, Some(withheld)] {
            let plan = plan(vec![dead_before(probe), alive(2)], OPTIONS);
            assert_eq!(actions(&plan), "kk");
            assert!(plan.decisions[0].suspicion.as_ref().is_some_and(|suspicion| suspicion.is_dead));
        }
    }

    fn named(names: &[(&str, BuildMatch)]) -> CenterAddress {
        let names = names.iter().map(|&(service, build_match)| name(service, Some(build_match)));
        CenterAddress { names: names.collect(), ..alive(1) }
    }

    #[test]
    fn a_name_is_stale_only_where_another_is_right() {
        use BuildMatch::{Other, Own, Unknown};
        let fix = RemovalOptions { fix_names: true, ..OPTIONS };
        for (names, without, with) in [
            (&[("new", Own), ("old", Other)][..], "s", "r"),
            (&[("new", Own), ("old", Own)], "k", "k"),
            (&[("new", Unknown), ("old", Other)], "k", "k"),
            (&[("new", Own), ("old", Unknown)], "k", "k"),
            (&[("only", Other)], "k", "k"),
        ] {
            assert_eq!(actions(&plan(vec![named(names)], OPTIONS)), without, "{names:?}");
            assert_eq!(actions(&plan(vec![named(names)], fix)), with, "{names:?}");
        }
        let three = named(&[("new", Own), ("old", Other), ("unknown", Unknown)]);
        assert_eq!(
            plan(vec![three], fix).decisions[0].action,
            renaming(&[("new", 1), ("unknown", 1)], "old")
        );
    }

    /// A renaming to names at addresses of these numbers.
    fn renaming(right: &[(&str, usize)], stale: &str) -> AddressAction {
        let right = right
            .iter()
            .map(|&(service, number)| Registration {
                service: service.to_owned(),
                address: format!("http://10.0.0.{number}:1"),
            })
            .collect();
        AddressAction::Rename(Renaming { right, stale: vec![stale.to_owned()] })
    }

    #[test]
    fn a_stale_name_is_seen_in_any_spelling_and_what_is_right_in_another_stays() {
        use BuildMatch::{Other, Own, Unknown};
        let fix = RemovalOptions { fix_names: true, ..OPTIONS };
        let spelled = |number, identity: &str, names| CenterAddress {
            address: format!("http://10.0.0.{number}:1"),
            identity: identity.to_owned(),
            ..named(names)
        };
        let spellings = |names| vec![spelled(1, "one", &[("new", Own)]), spelled(2, "one", names), alive(3)];
        let fixed = plan(spellings(&[("old", Other), ("unknown", Unknown)]), fix);
        assert_eq!(actions(&fixed), "krk");
        assert_eq!(fixed.decisions[1].action, renaming(&[("unknown", 2), ("new", 1)], "old"));
        assert_eq!(actions(&plan(spellings(&[("old", Other)]), OPTIONS)), "ksk");
        // Another process, or another center, is no evidence.
        let mut apart = spellings(&[("old", Other)]);
        "two".clone_into(&mut apart[0].identity);
        assert_eq!(actions(&plan(apart, fix)), "kkk");
        let mut apart = spellings(&[("old", Other)]);
        "http://other".clone_into(&mut apart[0].center);
        assert_eq!(actions(&plan(apart, fix)), "kkk");
    }

    #[test]
    fn a_braked_center_is_not_renamed_in_either() {
        use BuildMatch::{Other, Own};
        let mut all = fleet(&[1, 1, 1], 0);
        all.push(CenterAddress {
            address: "http://10.0.0.9:1".to_owned(),
            ..named(&[("new", Own), ("old", Other)])
        });
        assert_eq!(actions(&plan(all, RemovalOptions { fix_names: true, ..OPTIONS })), "hhhs");
    }

    #[test]
    fn a_dead_address_is_spared_when_it_answers_or_when_nothing_was_learnt() {
        let withheld = ProbeFinding { finding: Finding::Withheld, detail: "too many open files".to_owned() };
        for (probe, has_answered_pull, expected) in [
            (refused(), false, None),
            (refused(), true, Some("it answered the last pull")),
            (ProbeFinding::alive(), true, Some("it answered the last pull")),
            (ProbeFinding::alive(), false, Some("it answers again")),
            (withheld, false, Some("too many open files")),
        ] {
            assert_eq!(reason_to_spare(&probe, has_answered_pull).as_deref(), expected, "{probe:?}");
        }
    }

    #[test]
    fn the_brake_counts_an_address_once_however_it_is_spelled() {
        let spelled = |spelling: &str| CenterAddress { address: format!("http://{spelling}"), ..dead(1, 1) };
        // The brake counts addresses: one of three would go, although three spellings of five would.
        let plan = plan(vec![dead(1, 1), spelled("other"), spelled("third"), alive(2), alive(3)], OPTIONS);
        assert_eq!((actions(&plan).as_str(), plan.brakes.len()), ("xkkxx", 0));
    }

    #[test]
    fn removals_are_sorted_by_center_and_leave_out_what_stays() {
        let elsewhere = |listed: CenterAddress| CenterAddress { center: "http://other".to_owned(), ..listed };
        let plan = plan(vec![elsewhere(dead(7, 1)), elsewhere(alive(8)), dead(2, 1), alive(1)], OPTIONS);
        let removals: Vec<(&str, Vec<&str>)> = plan
            .removals()
            .into_iter()
            .map(|(center, of_it)| (center, of_it.iter().map(|it| it.listed.address.as_str()).collect()))
            .collect();
        let expected =
            [("http://center", vec!["http://10.0.0.2:1"]), ("http://other", vec!["http://10.0.0.7:1"])];
        assert_eq!(removals, expected);
    }
}
