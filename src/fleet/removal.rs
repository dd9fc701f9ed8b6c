//! What leaves a center's list and what comes back to it, decided as one value before anything is done.
//!
//! Pure: `--dry-run` prints the very plan that a run carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::address::normal_form;
use crate::fleet::liveness::{Evidence, Finding, Kinship, Probe, Rules, Suspicion, judge, lasted};
use crate::profile::Fingerprint;

/// After so long the brake lifts for an address by itself.
const BRAKE_LIFTS_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A shorter list has to lose all of its addresses at once for the brake to hold; of a longer one more
/// than half will do.
const SHORT_LIST: usize = 4;
/// How long an address that was removed may come back.
const TOMBSTONE_LASTS: Duration = Duration::from_secs(7 * 24 * 3600);

/// A name under which an address is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// As registered.
    pub service: String,
    /// How what the address serves stands to the name's key; `None` where nobody looked that closely.
    pub kinship: Option<Kinship>,
    /// The build that the last pull found there, where it is not the one that the name's key shows.
    pub other_build: Option<Fingerprint>,
}

/// An address that a center lists, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// URL of the center.
    pub center: String,
    /// As registered.
    pub address: String,
    /// In its normal form: one process, however often it is listed.
    pub identity: String,
    /// Each name under which that center lists it.
    pub names: Vec<Name>,
    /// What asking it came to; `None` where it was listed after the others were asked.
    pub probe: Option<Probe>,
    /// What is remembered of its failures.
    pub before: Option<Suspicion>,
    /// When a pull last got an answer from it.
    pub last_answer_at: Option<DateTime<Utc>>,
}

impl Listed {
    /// Returns the build that the last pull found there, where none of its names shows that one.
    #[must_use]
    pub(crate) fn other_build(&self) -> Option<Fingerprint> {
        let is_shown = |name: &Name| name.other_build.is_none() || name.kinship == Some(Kinship::Own);
        if self.names.iter().any(is_shown) {
            return None;
        }
        self.names.iter().find_map(|name| name.other_build)
    }

    /// Splits its names into those that what it serves belongs to, and stale ones.
    ///
    /// A name is stale only where its key shows a build that is not what the address serves, while
    /// another name's key shows just that, in this spelling of the address or another. In doubt none is.
    fn split(&self, rightful: &Rightful) -> Option<Renaming> {
        let (stale, right): (Vec<&Name>, Vec<&Name>) =
            self.names.iter().partition(|name| name.kinship == Some(Kinship::Other));
        if stale.is_empty() {
            return None;
        }
        let rightful = rightful.get(&(self.center.clone(), self.identity.clone()))?;
        let mut registrations: Vec<Registration> = right.iter().map(|name| self.registration(name)).collect();
        if !right.iter().any(|name| name.kinship == Some(Kinship::Own)) {
            registrations.extend(rightful.iter().cloned());
        }
        let stale = stale.into_iter().map(|name| name.service.clone()).collect();
        Some(Renaming { right: registrations, stale })
    }

    fn registration(&self, name: &Name) -> Registration {
        Registration { service: name.service.clone(), address: self.address.clone() }
    }
}

/// By center and identity: each name whose key shows what the address serves, as it is registered.
type Rightful = BTreeMap<(String, String), Vec<Registration>>;

fn rightful(listed: &[Listed]) -> Rightful {
    let mut rightful = Rightful::new();
    for listed in listed {
        for name in listed.names.iter().filter(|name| name.kinship == Some(Kinship::Own)) {
            let place = (listed.center.clone(), listed.identity.clone());
            rightful.entry(place).or_default().push(listed.registration(name));
        }
    }
    rightful
}

/// An address under a name, both as they are spelled there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The name.
    pub service: String,
    /// The address.
    pub address: String,
}

/// The names of an address that stands under a stale one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    /// To be registered again; those of another spelling stand already, and are made sure of.
    pub right: Vec<Registration>,
    /// Not what it serves.
    pub stale: Vec<String>,
}

/// An address that was removed, and may have been by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// URL of the center.
    pub center: String,
    /// As it was registered.
    pub address: String,
    /// A name under which it stood.
    pub service: String,
    /// What it served last; `None` where no pull ever got an answer.
    pub build: Option<Fingerprint>,
    /// When it was removed.
    pub removed_at: DateTime<Utc>,
    /// An agent answered there when it was taken off the list. Every later run registers it again, whatever it
    /// is told and however long that takes.
    pub was_alive: bool,
}

impl Tombstone {
    /// Tells whether a process that answers there now is the one that was removed.
    ///
    /// A tombstone without a build fits any process that does not serve another build than the name shows, and any
    /// process at all if the removed one was alive: a new process would have registered itself, and stand in the
    /// list.
    #[must_use]
    pub(crate) fn fits(&self, answer: Fingerprint, kinship: Kinship) -> bool {
        match self.build {
            Some(build) => build == answer,
            None => self.was_alive || matches!(kinship, Kinship::Own | Kinship::Unknown),
        }
    }
}

/// A tombstone, with whether something answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grave {
    /// What was removed.
    pub tombstone: Tombstone,
    /// A process answers there that [`Tombstone::fits`].
    pub is_back: bool,
}

/// What is known when a plan is made.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    /// Every address that a center lists, once for each center.
    pub listed: Vec<Listed>,
    /// What was removed before.
    pub graves: Vec<Grave>,
    /// URLs of the centers that answered.
    pub answered: BTreeSet<String>,
    /// When the run began.
    pub now: DateTime<Utc>,
}

/// What a person or a configuration chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    /// How much it takes for an address to be dead.
    pub rules: Rules,
    /// The brake does not hold.
    pub force: bool,
    /// Addresses under a stale name are registered anew.
    pub fix_names: bool,
    /// What was removed by mistake is registered again.
    pub restore: bool,
}

/// What is done about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It stays as it is.
    Keep,
    /// It stays, also under a stale name: the center removes an address under all its names or none.
    KeepStale(Renaming),
    /// It is removed, and registered again under the right names alone.
    Rename(Renaming),
    /// It is removed.
    Remove,
    /// It is dead, and the brake keeps it.
    Hold,
}

/// An address with what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// What was known of it.
    pub listed: Listed,
    /// What is to be remembered of it.
    pub suspicion: Option<Suspicion>,
    /// What is done about it.
    pub action: Action,
}

/// Too many addresses of one center are dead at once for it to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Brake {
    /// URL of the center.
    pub center: String,
    /// Addresses that would have gone, and have not been failing for a day.
    pub going: usize,
    /// Addresses that it lists.
    pub listed: usize,
}

/// What a run does about the lists of the centers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// By center and address.
    pub judged: Vec<Judged>,
    /// To be registered again.
    pub restores: Vec<Tombstone>,
    /// Tombstones that have served: listed again, or too old.
    pub forgotten: Vec<Tombstone>,
    /// Centers of which nothing is removed.
    pub brakes: Vec<Brake>,
}

impl Plan {
    /// Decides for every address and every tombstone.
    #[must_use]
    pub(crate) fn make(situation: Situation, choices: &Choices) -> Self {
        let Situation { mut listed, graves, answered, now } = situation;
        listed.sort_by(|a, b| (&a.center, &a.address).cmp(&(&b.center, &b.address)));
        let is_alive =
            |listed: &Listed| listed.probe.as_ref().is_some_and(|probe| probe.finding == Finding::Alive);
        let is_witnessed = listed.iter().any(is_alive);
        let rightful = rightful(&listed);
        let (restores, forgotten) = exhume(graves, &listed, &answered, now, choices);
        let judged = listed.into_iter().map(|listed| {
            let evidence = Evidence { last_answer_at: listed.last_answer_at, is_witnessed, now };
            let suspicion = match &listed.probe {
                Some(probe) => judge(listed.before.as_ref(), probe, evidence, &choices.rules),
                None => listed.before.clone(),
            };
            // One that was not asked in this run, or not to any end, is not removed by it.
            let has_failed = listed.probe.as_ref().is_some_and(|probe| probe.finding.is_failure());
            let is_dead = has_failed && suspicion.as_ref().is_some_and(|suspicion| suspicion.is_dead);
            let action = match listed.split(&rightful) {
                _ if is_dead => Action::Remove,
                Some(renaming) if is_alive(&listed) && choices.fix_names => Action::Rename(renaming),
                Some(renaming) if is_alive(&listed) => Action::KeepStale(renaming),
                _ => Action::Keep,
            };
            Judged { listed, suspicion, action }
        });
        let mut plan = Self { judged: judged.collect(), restores, forgotten, brakes: Vec::new() };
        if !choices.force {
            plan.brake(is_witnessed, now);
        }
        plan
    }

    fn brake(&mut self, is_witnessed: bool, now: DateTime<Utc>) {
        // Failing for a day, while others answered all the time and do so now: that is no fault of ours.
        let is_settled = |judged: &Judged| {
            let since = judged.suspicion.as_ref().and_then(|suspicion| suspicion.witnessed_since);
            is_witnessed && since.is_some_and(|since| lasted(since, now, BRAKE_LIFTS_AFTER))
        };
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for judged in &self.judged {
            if !counted.insert((&judged.listed.center, &judged.listed.identity)) {
                continue;
            }
            let (going, listed) = counts.entry(&judged.listed.center).or_default();
            *listed += 1;
            *going += usize::from(judged.action == Action::Remove && !is_settled(judged));
        }
        let is_too_much = |&(_, &(going, listed)): &(&&str, &(usize, usize))| match listed {
            0..SHORT_LIST => going == listed,
            _ => going * 2 > listed,
        };
        self.brakes = counts
            .iter()
            .filter(is_too_much)
            .map(|(center, &(going, listed))| Brake { center: (*center).to_owned(), going, listed })
            .collect();
        let held: BTreeSet<&str> = self.brakes.iter().map(|brake| brake.center.as_str()).collect();
        for judged in self.judged.iter_mut().filter(|judged| held.contains(judged.listed.center.as_str())) {
            judged.action = match std::mem::replace(&mut judged.action, Action::Keep) {
                Action::Remove => Action::Hold,
                Action::Rename(renaming) => Action::KeepStale(renaming),
                other => other,
            };
        }
    }
}

/// Decides about tombstones: those to be registered again, and those that have served.
fn exhume(
    graves: Vec<Grave>,
    listed: &[Listed],
    answered: &BTreeSet<String>,
    now: DateTime<Utc>,
    choices: &Choices,
) -> (Vec<Tombstone>, Vec<Tombstone>) {
    let mut names: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for listed in listed {
        let of_it = listed.names.iter().map(|name| name.service.as_str());
        names.entry((&listed.center, &listed.identity)).or_default().extend(of_it);
    }
    let removed: BTreeSet<(String, String)> = graves
        .iter()
        .map(|grave| (normal_form(&grave.tombstone.address), grave.tombstone.service.clone()))
        .collect();
    let (mut restores, mut forgotten) = (Vec::new(), Vec::new());
    for Grave { tombstone, is_back } in graves {
        let identity = normal_form(&tombstone.address);
        let stands_under = names.get(&(tombstone.center.as_str(), identity.as_str()));
        let is_listed = stands_under.is_some_and(|names| names.contains(&tombstone.service.as_str()));
        // A stranger that took the port registers itself, under names that no tombstone of the address has.
        let is_stranger = tombstone.build.is_none()
            && stands_under
                .into_iter()
                .flatten()
                .any(|name| !removed.contains(&(identity.clone(), (*name).to_owned())));
        let is_old = lasted(tombstone.removed_at, now, TOMBSTONE_LASTS);
        let is_wanted = match tombstone.was_alive {
            // After a run that broke off while it fixed names, the address stands under a part of them.
            true => is_back && !is_stranger,
            false => is_back && choices.restore && stands_under.is_none() && !is_old,
        };
        if is_listed || (is_old && !is_wanted) {
            forgotten.push(tombstone);
        } else if is_wanted && answered.contains(&tombstone.center) {
            restores.push(tombstone);
        }
    }
    let order = |a: &Tombstone, b: &Tombstone| {
        (&a.center, &a.address, &a.service).cmp(&(&b.center, &b.address, &b.service))
    };
    restores.sort_by(order);
    forgotten.sort_by(order);
    (restores, forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::liveness::Streak;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + hour * 3600, 0).unwrap()
    }

    const NOW: i64 = 100;
    const CHOICES: Choices = Choices {
        rules: Rules {
            plain: crate::fleet::liveness::Confirmation { runs: 2, over: Duration::from_secs(300) },
            any: crate::fleet::liveness::Confirmation { runs: 3, over: Duration::from_secs(1800) },
        },
        force: false,
        fix_names: false,
        restore: true,
    };

    fn refused() -> Probe {
        Probe { finding: Finding::Refused, detail: "connection refused".to_owned() }
    }

    fn name(service: &str, kinship: Option<Kinship>) -> Name {
        Name { service: service.to_owned(), kinship, other_build: None }
    }

    fn print(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes(&[byte; 32]).unwrap()
    }

    fn listed(number: usize, probe: Probe, before: Option<Suspicion>) -> Listed {
        Listed {
            center: "http://center".to_owned(),
            address: format!("http://10.0.0.{number}:1"),
            identity: format!("http://10.0.0.{number}:1"),
            names: vec![name("app", None)],
            probe: Some(probe),
            before,
            last_answer_at: None,
        }
    }

    fn alive(number: usize) -> Listed {
        listed(number, Probe::alive(), None)
    }

    /// One that was refused in a run so many hours ago, and is now.
    fn dead(number: usize, hours: i64) -> Listed {
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

    fn plan(listed: Vec<Listed>, choices: Choices) -> Plan {
        Plan::make(
            Situation { listed, graves: Vec::new(), answered: BTreeSet::new(), now: at(NOW) },
            &choices,
        )
    }

    fn actions(plan: &Plan) -> String {
        let letter = |judged: &Judged| match judged.action {
            Action::Keep => 'k',
            Action::KeepStale(_) => 's',
            Action::Rename(_) => 'r',
            Action::Remove => 'x',
            Action::Hold => 'h',
        };
        plan.judged.iter().map(letter).collect()
    }

    /// A list of dead addresses, failing for so many hours each, and some that are alive.
    fn fleet(dead_for: &[i64], living: usize) -> Vec<Listed> {
        let dead_ones = dead_for.iter().enumerate().map(|(number, &hours)| dead(number, hours));
        dead_ones.chain((0..living).map(|number| alive(5 + number))).collect()
    }

    #[test]
    fn the_dead_go_and_the_living_and_the_suspect_stay() {
        let suspect = listed(9, refused(), None);
        let plan = plan(vec![alive(1), dead(2, 1), suspect, alive(4)], CHOICES);
        assert_eq!(actions(&plan), "kxkk");
        assert_eq!(plan.brakes, []);
        assert_eq!(plan.judged[2].listed.address, "http://10.0.0.4:1");
        assert!(plan.judged[3].suspicion.is_some() && plan.judged[0].suspicion.is_none());
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
            let plan = plan(fleet(dead_for, living), CHOICES);
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
        let plan = plan(fleet(&[1, 1, 1], 0), Choices { force: true, ..CHOICES });
        assert_eq!((actions(&plan).as_str(), plan.brakes.len()), ("xxx", 0));
    }

    #[test]
    fn the_brake_lifts_by_itself_after_a_day_in_which_others_answered() {
        assert_eq!(actions(&plan(fleet(&[24, 24, 24], 1), CHOICES)), "xxxk");
        assert_eq!(actions(&plan(fleet(&[23, 23, 24], 1), CHOICES)), "xxxk");
        assert_eq!(actions(&plan(fleet(&[23, 23, 23], 1), CHOICES)), "hhhk");
        // Nobody answers now.
        assert_eq!(actions(&plan(fleet(&[24, 24, 24], 0), CHOICES)), "hhh");
        // Nobody answered in a run in between.
        let mut unseen = fleet(&[24, 24, 24], 1);
        for listed in &mut unseen[..3] {
            listed.before.as_mut().unwrap().witnessed_since = None;
        }
        assert_eq!(actions(&plan(unseen, CHOICES)), "hhhk");
    }

    #[test]
    fn each_center_has_its_own_brake_and_any_of_them_has_witnesses() {
        let elsewhere = |listed: Listed| Listed { center: "http://other".to_owned(), ..listed };
        let mut all = fleet(&[1], 2);
        all.extend([elsewhere(dead(1, 1)), elsewhere(dead(2, 1))]);
        let held = plan(all, CHOICES);
        assert_eq!((actions(&held).as_str(), held.brakes.len()), ("xkkhh", 1));
        let mut all = fleet(&[], 2);
        all.extend([elsewhere(dead(1, 24)), elsewhere(dead(2, 24))]);
        assert_eq!(actions(&plan(all, CHOICES)), "kkxx");
    }

    #[test]
    fn what_was_not_asked_in_this_run_is_not_removed_by_it() {
        let dead_before = |probe: Option<Probe>| {
            let mut listed = dead(1, 1);
            listed.before.as_mut().unwrap().is_dead = true;
            Listed { probe, ..listed }
        };
        let withheld = Probe { finding: Finding::Withheld, detail: "too many open files".to_owned() };
        for probe in [None, Some(withheld)] {
            let plan = plan(vec![dead_before(probe), alive(2)], CHOICES);
            assert_eq!(actions(&plan), "kk");
            assert!(plan.judged[0].suspicion.as_ref().is_some_and(|suspicion| suspicion.is_dead));
        }
    }

    fn named(names: &[(&str, Kinship)]) -> Listed {
        let names = names.iter().map(|&(service, kinship)| name(service, Some(kinship)));
        Listed { names: names.collect(), ..alive(1) }
    }

    #[test]
    fn a_name_is_stale_only_where_another_is_right() {
        use Kinship::{Other, Own, Unknown};
        let fix = Choices { fix_names: true, ..CHOICES };
        for (names, without, with) in [
            (&[("new", Own), ("old", Other)][..], "s", "r"),
            (&[("new", Own), ("old", Own)], "k", "k"),
            (&[("new", Unknown), ("old", Other)], "k", "k"),
            (&[("new", Own), ("old", Unknown)], "k", "k"),
            (&[("only", Other)], "k", "k"),
        ] {
            assert_eq!(actions(&plan(vec![named(names)], CHOICES)), without, "{names:?}");
            assert_eq!(actions(&plan(vec![named(names)], fix)), with, "{names:?}");
        }
        let three = named(&[("new", Own), ("old", Other), ("unknown", Unknown)]);
        assert_eq!(plan(vec![three], fix).judged[0].action, renaming(&[("new", 1), ("unknown", 1)], "old"));
    }

    /// A renaming to names at addresses of these numbers.
    fn renaming(right: &[(&str, usize)], stale: &str) -> Action {
        let right = right
            .iter()
            .map(|&(service, number)| Registration {
                service: service.to_owned(),
                address: format!("http://10.0.0.{number}:1"),
            })
            .collect();
        Action::Rename(Renaming { right, stale: vec![stale.to_owned()] })
    }

    #[test]
    fn a_stale_name_is_seen_in_any_spelling_and_what_is_right_in_another_stays() {
        use Kinship::{Other, Own, Unknown};
        let fix = Choices { fix_names: true, ..CHOICES };
        let spelled = |number, identity: &str, names| Listed {
            address: format!("http://10.0.0.{number}:1"),
            identity: identity.to_owned(),
            ..named(names)
        };
        let spellings = |names| vec![spelled(1, "one", &[("new", Own)]), spelled(2, "one", names), alive(3)];
        let fixed = plan(spellings(&[("old", Other), ("unknown", Unknown)]), fix);
        assert_eq!(actions(&fixed), "krk");
        assert_eq!(fixed.judged[1].action, renaming(&[("unknown", 2), ("new", 1)], "old"));
        assert_eq!(actions(&plan(spellings(&[("old", Other)]), CHOICES)), "ksk");
        // Of another process, or at another center, nothing follows.
        let mut apart = spellings(&[("old", Other)]);
        "two".clone_into(&mut apart[0].identity);
        assert_eq!(actions(&plan(apart, fix)), "kkk");
        let mut apart = spellings(&[("old", Other)]);
        "http://other".clone_into(&mut apart[0].center);
        assert_eq!(actions(&plan(apart, fix)), "kkk");
    }

    #[test]
    fn a_braked_center_is_not_renamed_in_either() {
        use Kinship::{Other, Own};
        let mut all = fleet(&[1, 1, 1], 0);
        all.push(Listed {
            address: "http://10.0.0.9:1".to_owned(),
            ..named(&[("new", Own), ("old", Other)])
        });
        assert_eq!(actions(&plan(all, Choices { fix_names: true, ..CHOICES })), "hhhs");
    }

    fn grave(number: usize, hours: i64, is_back: bool) -> Grave {
        let tombstone = Tombstone {
            center: "http://center".to_owned(),
            address: format!("http://10.0.0.{number}:1"),
            service: "app".to_owned(),
            build: None,
            removed_at: at(NOW - hours),
            was_alive: false,
        };
        Grave { tombstone, is_back }
    }

    #[test]
    fn what_answers_again_within_a_week_is_registered_again() {
        let taken_over = Listed { names: vec![name("another", None)], ..alive(4) };
        let situation = |graves| Situation {
            listed: vec![alive(3), taken_over.clone()],
            graves,
            answered: ["http://center".to_owned()].into(),
            now: at(NOW),
        };
        let mut elsewhere = grave(7, 1, true);
        elsewhere.tombstone.center = "http://silent".to_owned();
        let graves = vec![
            elsewhere,
            grave(1, 1, true),
            grave(2, 1, false),
            grave(3, 1, true),
            grave(4, 1, true),
            grave(5, 7 * 24, true),
            grave(6, 7 * 24 - 1, true),
        ];
        let addresses = |tombstones: &[Tombstone]| -> Vec<String> {
            tombstones.iter().map(|tombstone| tombstone.address.clone()).collect()
        };
        let plan = Plan::make(situation(graves.clone()), &CHOICES);
        assert_eq!(addresses(&plan.restores), ["http://10.0.0.1:1", "http://10.0.0.6:1"]);
        assert_eq!(addresses(&plan.forgotten), ["http://10.0.0.3:1", "http://10.0.0.5:1"]);
        let plan = Plan::make(situation(graves), &Choices { restore: false, ..CHOICES });
        assert_eq!((plan.restores.len(), plan.forgotten.len()), (0, 2));
    }

    #[test]
    fn what_was_removed_alive_is_registered_again_whatever_a_run_is_told() {
        let under_a_part_of_its_names = Listed { names: vec![name("right", None)], ..alive(4) };
        let grave = |number, hours, is_back| {
            let mut grave = grave(number, hours, is_back);
            grave.tombstone.was_alive = true;
            grave.tombstone.build = Some(print(1));
            grave
        };
        let situation = Situation {
            listed: vec![under_a_part_of_its_names, alive(5)],
            graves: vec![
                grave(1, 1, true),
                grave(2, 1, false),
                grave(3, 8 * 24, true),
                grave(4, 1, true),
                grave(5, 1, true),
                grave(6, 8 * 24, false),
            ],
            answered: ["http://center".to_owned()].into(),
            now: at(NOW),
        };
        let plan = Plan::make(situation, &Choices { restore: false, ..CHOICES });
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
    fn an_address_serves_another_build_where_none_of_its_names_shows_it() {
        let named = |names: &[(Option<Kinship>, Option<u8>)]| {
            let name = |&(kinship, build): &(Option<Kinship>, Option<u8>)| Name {
                other_build: build.map(print),
                ..name("app", kinship)
            };
            Listed { names: names.iter().map(name).collect(), ..alive(1) }.other_build()
        };
        assert_eq!(named(&[(None, None)]), None);
        assert_eq!(named(&[(None, Some(1))]), Some(print(1)));
        assert_eq!(named(&[(None, Some(1)), (None, Some(1))]), Some(print(1)));
        assert_eq!(named(&[(None, Some(1)), (None, None)]), None);
        // The process was started anew with the right build since the pull.
        assert_eq!(named(&[(Some(Kinship::Own), Some(1)), (Some(Kinship::Other), Some(1))]), None);
    }

    #[test]
    fn a_stranger_that_took_the_port_is_not_registered_under_the_old_name() {
        let restored = |build: Option<u8>, stands_under: &[&str]| {
            let mut grave = grave(7, 1, true);
            grave.tombstone.was_alive = true;
            grave.tombstone.build = build.map(print);
            let mut listed = alive(7);
            listed.names = stands_under.iter().map(|service| name(service, None)).collect();
            let listed = if stands_under.is_empty() { Vec::new() } else { vec![listed] };
            let answered = BTreeSet::from(["http://center".to_owned()]);
            let situation = Situation { listed, graves: vec![grave], answered, now: at(NOW) };
            Plan::make(situation, &CHOICES).restores.len()
        };
        // A build that is known tells a stranger by what it serves.
        assert_eq!([restored(Some(1), &[]), restored(Some(1), &["another"])], [1, 1]);
        assert_eq!([restored(None, &[]), restored(None, &["another"])], [1, 0]);
    }

    #[test]
    fn a_tombstone_fits_the_build_that_was_removed() {
        let tombstone = |build| Tombstone { build, ..grave(1, 1, true).tombstone };
        assert!(tombstone(Some(print(1))).fits(print(1), Kinship::Unknown));
        assert!(!tombstone(Some(print(1))).fits(print(2), Kinship::Own));
        assert!(tombstone(None).fits(print(2), Kinship::Own));
        assert!(tombstone(None).fits(print(2), Kinship::Unknown));
        assert!(!tombstone(None).fits(print(2), Kinship::Other));
        assert!(Tombstone { was_alive: true, ..tombstone(None) }.fits(print(2), Kinship::Other));
    }
}
