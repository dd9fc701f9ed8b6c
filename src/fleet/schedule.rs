//! The time of the next pull of a service, and of the next request to an address that failed.
//!
//! Pure: the input is the stored schedule and the time; the output is the schedule to store.
//!
//! `now` is always the start of the run, before its jitter, and the same for the whole run. A timer ticks at fixed
//! times. If a wait began when a slow run reached the service, the next tick would come too early for it, and a whole
//! period would be lost.
//!
//! A run calls [`due`] for each service and [`AddressRetry::due`] for each address that failed. A due service is pulled
//! from every address that is not waiting for its retry; another service is pulled only from addresses whose retry is
//! due. A name given by a person, `--force` and a peek overrule both.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;
use sha2::{Digest, Sha256};

use super::waits::{PullWaits, RetryWaits, delta};

const MINUTE: u64 = 60;
/// The time for which another build must have more votes than the one shown before it is adopted.
pub(crate) const MAJORITY_AFTER: Duration = Duration::from_secs(5 * 60);
/// The longest time by which a timer may be early.
const MOST_SLACK: Duration = Duration::from_secs(MINUTE);

/// Returns the time by which a timer may be early for this wait: a tenth of it, at most a minute.
///
/// Without this slack a tick some seconds early would find nothing due, and the next one comes a period later.
fn slack(wait: Duration) -> TimeDelta {
    delta((wait / 10).min(MOST_SLACK))
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    now.checked_add_signed(delta(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns the end of a wait that began at `since`.
#[must_use]
pub(crate) fn end_of(since: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    later(since, wait)
}

/// Tells whether a wait that began at `since` is over, for a timer that may fire a little early.
#[must_use]
pub(crate) fn is_over(since: DateTime<Utc>, wait: Duration, now: DateTime<Utc>) -> bool {
    end_of(since, wait).signed_duration_since(now) <= slack(wait)
}

/// The stored schedule of a service. The default is that of a service that was never pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The current step in [`PullWaits`], from 0.
    pub step: usize,
    /// Start of the run that last pulled it; `None` when it was never pulled.
    pub last_pull: Option<DateTime<Utc>>,
    /// Time at which it is due next; `None` when it is due now.
    pub next_due: Option<DateTime<Utc>>,
    /// The distinct addresses listed at the last pull, sorted, whether they answered or not.
    pub addresses: Vec<String>,
    /// Time from which a pull decides the build that it shows ([`crate::fleet::election::Election`]); `None` without an
    /// open election.
    pub election: Option<DateTime<Utc>>,
}

/// The outcome of a pull of a service, for its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleOutcome {
    /// Coverage changed.
    Changed,
    /// Some of the addresses of a due service answered, and nothing changed.
    Unchanged,
    /// Only addresses whose retry was due were asked, and nothing changed. The others may have changed.
    UnchangedAtRetry,
    /// No address answered, so coverage may have changed. Each address has its own retry.
    NothingAnswered,
}

/// The decision whether a service or an address is pulled in this run, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The service or address is to be pulled now.
    Now(DueReason),
    /// The service or address waits until this time.
    Later(DateTime<Utc>, DueReason),
}

/// The reason for which a service or an address is pulled now, or waits. Its text is a clause for `-v` and `--explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DueReason {
    /// The service was never pulled. This holds for every new commit, because it is a new key.
    NeverPulled,
    /// No pull of the service has got an answer that could be stored (decided by the caller).
    NeverAnswered,
    /// The wait of its step is over.
    Elapsed {
        /// The step, from 0.
        step: usize,
        /// The wait of the step.
        wait: Duration,
    },
    /// The wait of its step is not over.
    Waiting {
        /// The step, from 0.
        step: usize,
        /// The wait of the step.
        wait: Duration,
    },
    /// The set of addresses differs from that of the last pull.
    AddressesChanged {
        /// Number of new addresses.
        new: usize,
        /// Number of addresses that are gone.
        gone: usize,
    },
    /// The last pull lies in the future, so the stored schedule is worthless.
    ClockWentBack,
    /// The address failed.
    Retry {
        /// Failures in a row.
        failures: u32,
    },
    /// The lists show a new process at an address that failed.
    NewProcess,
    /// An address that failed is tried again before the step is over, for which the other addresses wait.
    RetryInStep {
        /// The step, from 0.
        step: usize,
        /// The wait of the step.
        wait: Duration,
    },
    /// The last run stored counters and ended before it decided about the row (decided by the caller).
    CutOff,
    /// A snapshot of one of its processes was taken in (decided by the caller).
    CameIn,
    /// A person named the service (decided by the caller).
    Named,
    /// `--force` was given (decided by the caller).
    Forced,
    /// A peek found that the fraction changed (decided by the caller).
    Peeked,
    /// The address is about to be removed from the center's list (decided by the caller).
    LastChance,
    /// Another build has as many votes as the one shown, or more, and the next pull may adopt it.
    Election,
}

impl fmt::Display for DueReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DueReason::NeverPulled => write!(f, "never pulled"),
            DueReason::NeverAnswered => write!(f, "no pull has stored an answer yet"),
            DueReason::Elapsed { step, wait } => {
                write!(f, "the wait of {} is over (step {})", format_duration(*wait), step + 1)
            }
            DueReason::Waiting { step, wait } => {
                write!(f, "waiting {} (step {})", format_duration(*wait), step + 1)
            }
            DueReason::AddressesChanged { new, gone } => {
                write!(f, "addresses changed: {new} new, {gone} gone")
            }
            DueReason::ClockWentBack => write!(f, "the clock went back, the last pull lies in the future"),
            DueReason::Retry { failures: 1 } => write!(f, "retry after a failure"),
            DueReason::Retry { failures } => write!(f, "retry after {failures} failures in a row"),
            DueReason::NewProcess => write!(f, "a new process is listed at an address that failed"),
            DueReason::RetryInStep { step, wait } => {
                write!(
                    f,
                    "a failed address; the others waiting {} (step {})",
                    format_duration(*wait),
                    step + 1
                )
            }
            DueReason::CutOff => write!(f, "the last run was cut off"),
            DueReason::CameIn => write!(f, "the last data of a process came in"),
            DueReason::Named => write!(f, "named"),
            DueReason::Forced => write!(f, "forced"),
            DueReason::Peeked => write!(f, "a peek found that coverage moved"),
            DueReason::LastChance => write!(f, "its address is about to be removed"),
            DueReason::Election => {
                write!(f, "as many addresses or more serve another build than the one shown")
            }
        }
    }
}

/// Decides whether a service is due.
///
/// A timer may be early by a tenth of the wait, at most a minute. A wait never ends later than by the present `steps`,
/// so that shorter waits in the configuration take effect at once. The end of an election makes a service due earlier.
#[must_use]
pub(crate) fn due(
    schedule: &Schedule,
    addresses_now: &[String],
    now: DateTime<Utc>,
    steps: &PullWaits,
) -> Due {
    let Some(last_pull) = schedule.last_pull else {
        return Due::Now(DueReason::NeverPulled);
    };
    let (before, listed) = (set(&schedule.addresses), set(addresses_now));
    if before != listed {
        let new = listed.difference(&before).count();
        return Due::Now(DueReason::AddressesChanged { new, gone: before.difference(&listed).count() });
    }
    let step = schedule.step;
    let wait = steps.wait(step);
    if last_pull.signed_duration_since(now) > slack(wait) {
        return Due::Now(DueReason::ClockWentBack);
    }
    let next_due = schedule.next_due.map_or(now, |next_due| next_due.min(later(last_pull, wait)));
    if next_due.signed_duration_since(now) <= slack(wait) {
        return Due::Now(DueReason::Elapsed { step, wait });
    }
    if let Some(election) = schedule.election.filter(|election| *election < next_due) {
        let is_due = election.signed_duration_since(now) <= slack(MAJORITY_AFTER);
        return if is_due {
            Due::Now(DueReason::Election)
        } else {
            Due::Later(election, DueReason::Election)
        };
    }
    Due::Later(next_due, DueReason::Waiting { step, wait })
}

impl Schedule {
    /// Returns the schedule after a pull of a service.
    ///
    /// A change, a first pull and a different set of addresses lead to the first step; an unchanged pull leads to the
    /// next step, and the last step repeats. The wait counts from `now`: missed pulls are not made up for.
    /// [`ScheduleOutcome::UnchangedAtRetry`] and [`ScheduleOutcome::NothingAnswered`] change nothing.
    ///
    /// Each wait is shortened by up to a tenth, so that not all services are due in the same run. The part is always
    /// the same for a service and a step. A wait is never lengthened, or the tick at its end would come too early.
    #[must_use]
    pub(crate) fn after(
        &self,
        service: &str,
        outcome: ScheduleOutcome,
        addresses: &[String],
        now: DateTime<Utc>,
        steps: &PullWaits,
    ) -> Schedule {
        let listed = set(addresses);
        let first = self.last_pull.is_none() || set(&self.addresses) != listed;
        let step = match outcome {
            ScheduleOutcome::UnchangedAtRetry | ScheduleOutcome::NothingAnswered => return self.clone(),
            ScheduleOutcome::Changed => 0,
            ScheduleOutcome::Unchanged if first => 0,
            ScheduleOutcome::Unchanged => steps.after(self.step),
        };
        Schedule {
            step,
            last_pull: Some(now),
            next_due: Some(later(now, spread(steps.wait(step), service, step))),
            addresses: listed.into_iter().map(str::to_owned).collect(),
            election: self.election,
        }
    }

    /// Returns the schedule of a service whose snapshots changed its coverage although no address was asked. The
    /// service is due after the first step's wait at the latest, and its last pull stays the same.
    #[must_use]
    pub(crate) fn hastened(&self, service: &str, now: DateTime<Utc>, steps: &PullWaits) -> Schedule {
        let soon = later(now, spread(steps.wait(0), service, 0));
        match self.next_due {
            Some(due) if due > soon => Schedule { step: 0, next_due: Some(soon), ..self.clone() },
            _ => self.clone(),
        }
    }
}

fn set(addresses: &[String]) -> BTreeSet<&str> {
    addresses.iter().map(String::as_str).collect()
}

/// Shortens `wait` by up to a tenth, by a hash of service and step that must be the same in all releases.
fn spread(wait: Duration, service: &str, step: usize) -> Duration {
    let hash = Sha256::digest(format!("{step} {service}"));
    // The factor is 2305 to 2560 parts of 2560, so from nine tenths to the whole.
    wait * (2560 - u32::from(hash[0])) / 2560
}

/// Returns a sort key that puts the most overdue services first: those never pulled, then by the time at which they
/// were due, then by name.
///
/// A service that a deadline cuts off stays due and comes earlier in the next run.
#[must_use]
pub(crate) fn most_overdue_first<'a>(schedule: &Schedule, name: &'a str) -> (Option<DateTime<Utc>>, &'a str) {
    // `None` sorts before every time.
    (
        schedule
            .next_due
            .map(|next_due| schedule.election.map_or(next_due, |election| election.min(next_due))),
        name,
    )
}

/// The stored failures of an address. The default is that of an address that did not fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressRetry {
    /// Failures in a row.
    pub failures: u32,
    /// Time at which it is tried again, or a new process there for the first time; `None` when it is asked whenever its
    /// service is due.
    pub next_try: Option<DateTime<Utc>>,
}

impl AddressRetry {
    /// Returns the state of an address that failed before, where a new process is to be asked now.
    #[must_use]
    pub(crate) fn for_new_process(now: DateTime<Utc>) -> AddressRetry {
        AddressRetry { failures: 0, next_try: Some(now) }
    }

    /// Returns the failures to store after one more failure. After an answer they are [`AddressRetry::default`].
    #[must_use]
    pub(crate) fn after_failure(&self, now: DateTime<Utc>, retry: &RetryWaits) -> AddressRetry {
        let failures = self.failures.saturating_add(1);
        AddressRetry { failures, next_try: Some(later(now, retry.wait(failures))) }
    }

    /// Decides whether the address is tried again; `None` for an address that did not fail, which is asked with its
    /// service.
    ///
    /// The slack is the same as for services. A next try further away than the wait is due now, because the clock went
    /// back.
    #[must_use]
    pub(crate) fn due(&self, now: DateTime<Utc>, retry: &RetryWaits) -> Option<Due> {
        let next_try = self.next_try?;
        if self.failures == 0 {
            return Some(Due::Now(DueReason::NewProcess));
        }
        let wait = retry.wait(self.failures);
        let left = next_try.signed_duration_since(now);
        Some(if left > delta(wait) + slack(wait) {
            Due::Now(DueReason::ClockWentBack)
        } else if left <= slack(wait) {
            Due::Now(DueReason::Retry { failures: self.failures })
        } else {
            Due::Later(next_try, DueReason::Retry { failures: self.failures })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn minutes(minutes: u64) -> Duration {
        secs(minutes * MINUTE)
    }

    /// The time `seconds` seconds after 12:00 of an ordinary day.
    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_049_600 + seconds, 0).unwrap()
    }

    fn addresses(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|host| format!("http://{host}:1")).collect()
    }

    /// A service that was pulled at 12:00 and waits for the whole of `step`.
    fn pulled(step: usize) -> Schedule {
        Schedule {
            step,
            last_pull: Some(at(0)),
            next_due: Some(later(at(0), PullWaits::default().wait(step))),
            addresses: addresses(&["a", "b"]),
            election: None,
        }
    }

    fn due_at(schedule: &Schedule, now: DateTime<Utc>) -> Due {
        due(schedule, &addresses(&["a", "b"]), now, &PullWaits::default())
    }

    fn after_at(schedule: &Schedule, outcome: ScheduleOutcome, now: DateTime<Utc>) -> Schedule {
        schedule.after("svc", outcome, &addresses(&["a", "b"]), now, &PullWaits::default())
    }

    #[test]
    fn an_election_makes_a_service_due_when_it_can_be_decided() {
        let elects_at = |seconds| Schedule { election: Some(at(seconds)), ..pulled(1) };
        for (now, due) in [
            (0, Due::Later(at(300), DueReason::Election)),
            (269, Due::Later(at(300), DueReason::Election)),
            (270, Due::Now(DueReason::Election)),
            (900, Due::Now(DueReason::Election)),
        ] {
            assert_eq!(due_at(&elects_at(300), at(now)), due, "{now}");
        }
        // An election that is further away than the step changes nothing.
        assert_eq!(due_at(&elects_at(86_400), at(0)), due_at(&pulled(1), at(0)));
        // A pull leaves the election to the caller, and the service comes before those that are due later.
        assert_eq!(after_at(&elects_at(300), ScheduleOutcome::Unchanged, at(9)).election, Some(at(300)));
        assert_eq!(most_overdue_first(&elects_at(300), "svc").0, Some(at(300)));
    }

    #[test]
    fn what_changed_unasked_is_due_soon_and_no_sooner_pulled() {
        let steps = PullWaits::default();
        let late = pulled(3);
        let hasty = late.hastened("svc", at(60), &steps);
        assert_eq!((hasty.step, hasty.last_pull), (0, late.last_pull));
        assert!(hasty.next_due < late.next_due && hasty.next_due > Some(at(60)));
        // A service that is due earlier stays so, however often it changes.
        assert_eq!(hasty.hastened("svc", at(120), &steps), hasty);
        assert_eq!(Schedule::default().hastened("svc", at(60), &steps), Schedule::default());
    }

    #[test]
    fn a_service_never_pulled_is_due() {
        assert_eq!(due_at(&Schedule::default(), at(0)), Due::Now(DueReason::NeverPulled));
    }

    #[test]
    fn unchanged_pulls_climb_the_steps_and_the_last_repeats() {
        let mut schedule = after_at(&Schedule::default(), ScheduleOutcome::Changed, at(0));
        let mut steps = vec![schedule.step];
        for pull in 1..6 {
            schedule = after_at(&schedule, ScheduleOutcome::Unchanged, at(pull * 86_400));
            steps.push(schedule.step);
        }
        assert_eq!(steps, [0, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn a_change_leads_back_to_the_first_step() {
        let schedule = after_at(&pulled(3), ScheduleOutcome::Changed, at(100));
        assert_eq!((schedule.step, schedule.last_pull), (0, Some(at(100))));
        assert_eq!(schedule.next_due, Some(later(at(100), spread(minutes(15), "svc", 0))));
    }

    #[test]
    fn a_first_pull_is_the_first_step_even_if_nothing_is_covered() {
        assert_eq!(after_at(&Schedule::default(), ScheduleOutcome::Unchanged, at(0)).step, 0);
    }

    #[test]
    fn a_different_set_of_addresses_is_due_and_leads_back_to_the_first_step() {
        for (now, reason) in [
            (addresses(&["a"]), Some(DueReason::AddressesChanged { new: 0, gone: 1 })),
            (addresses(&["a", "c"]), Some(DueReason::AddressesChanged { new: 1, gone: 1 })),
            (addresses(&["c", "b", "a"]), Some(DueReason::AddressesChanged { new: 1, gone: 0 })),
            // Neither order nor an address listed twice makes a difference.
            (addresses(&["b", "a", "b"]), None),
        ] {
            let decided = due(&pulled(2), &now, at(60), &PullWaits::default());
            let step =
                pulled(2).after("svc", ScheduleOutcome::Unchanged, &now, at(60), &PullWaits::default()).step;
            let waiting = Due::Later(at(7200), DueReason::Waiting { step: 2, wait: minutes(120) });
            let expected = reason.map_or((waiting, 3), |reason| (Due::Now(reason), 0));
            assert_eq!((decided, step), expected);
        }
    }

    #[test]
    fn addresses_are_remembered_sorted_and_once() {
        let listed = addresses(&["b", "a", "b"]);
        let schedule =
            pulled(0).after("svc", ScheduleOutcome::Changed, &listed, at(0), &PullWaits::default());
        assert_eq!(schedule.addresses, addresses(&["a", "b"]));
    }

    #[test]
    fn what_says_nothing_of_the_service_leaves_its_schedule_alone() {
        for outcome in [ScheduleOutcome::NothingAnswered, ScheduleOutcome::UnchangedAtRetry] {
            for schedule in [pulled(2), Schedule::default()] {
                assert_eq!(after_at(&schedule, outcome, at(9999)), schedule);
            }
        }
    }

    #[test]
    fn a_timer_may_be_early_by_a_tenth_and_at_most_a_minute() {
        for (step, now, is_due) in [
            (0, 15 * 60 - 61, false),
            (0, 15 * 60 - 60, true),
            (0, 15 * 60, true),
            (3, 4 * 3600 - 61, false),
            (3, 4 * 3600 - 60, true),
        ] {
            let decided = due_at(&pulled(step), at(now));
            assert_eq!(matches!(decided, Due::Now(DueReason::Elapsed { .. })), is_due, "{step} {now}");
        }
        let short = PullWaits::new(vec![secs(100)]).unwrap();
        let schedule = Schedule { next_due: Some(at(100)), ..pulled(0) };
        let decided = |now| due(&schedule, &schedule.addresses, at(now), &short);
        assert_eq!(decided(89), Due::Later(at(100), DueReason::Waiting { step: 0, wait: secs(100) }));
        assert_eq!(decided(90), Due::Now(DueReason::Elapsed { step: 0, wait: secs(100) }));
    }

    #[test]
    fn a_clock_that_jumped_back_does_not_make_a_service_sleep() {
        // A clock that went back by up to a minute changes nothing.
        assert!(matches!(due_at(&pulled(0), at(-60)), Due::Later(_, DueReason::Waiting { .. })));
        assert_eq!(due_at(&pulled(0), at(-61)), Due::Now(DueReason::ClockWentBack));
        assert_eq!(due_at(&pulled(3), at(-1_000_000_000)), Due::Now(DueReason::ClockWentBack));
        // The next pull stores a valid schedule again.
        let schedule = after_at(&pulled(3), ScheduleOutcome::Unchanged, at(-1_000_000_000));
        assert_eq!(schedule.last_pull, Some(at(-1_000_000_000)));
        assert!(matches!(due_at(&schedule, at(-999_999_000)), Due::Later(..)));
    }

    #[test]
    fn a_machine_that_slept_for_a_day_pulls_once_and_counts_from_then() {
        let woke = at(86_400);
        assert!(matches!(due_at(&pulled(0), woke), Due::Now(DueReason::Elapsed { step: 0, .. })));
        let schedule = after_at(&pulled(0), ScheduleOutcome::Unchanged, woke);
        assert_eq!(schedule.next_due, Some(later(woke, spread(minutes(60), "svc", 1))));
        assert!(matches!(due_at(&schedule, woke + TimeDelta::minutes(15)), Due::Later(..)));
    }

    #[test]
    fn shortened_steps_take_effect_at_once() {
        let steps = PullWaits::new(vec![minutes(1), minutes(2)]).unwrap();
        let decided = |now| due(&pulled(3), &addresses(&["a", "b"]), at(now), &steps);
        assert_eq!(decided(60), Due::Later(at(120), DueReason::Waiting { step: 3, wait: minutes(2) }));
        assert_eq!(decided(120), Due::Now(DueReason::Elapsed { step: 3, wait: minutes(2) }));
        assert_eq!(
            pulled(3).after("svc", ScheduleOutcome::Unchanged, &addresses(&["a", "b"]), at(0), &steps).step,
            1
        );
    }

    #[test]
    fn services_do_not_stay_in_step() {
        let due_at: BTreeSet<Duration> =
            (0..100).map(|n| spread(minutes(240), &format!("svc{n}"), 3)).collect();
        assert!(due_at.len() > 50, "{} different waits", due_at.len());
        assert!(due_at.iter().all(|wait| *wait > minutes(216) && *wait <= minutes(240)));
        // The same for a service at every run and in every release: printf '0 svc' | sha256sum
        assert_eq!(spread(secs(2560), "svc", 0), secs(2560 - 0xb4));
    }

    #[test]
    fn the_most_overdue_goes_first() {
        let of = |next_due: Option<i64>| Schedule { next_due: next_due.map(at), ..Schedule::default() };
        let mut queue = [("b", of(Some(50))), ("late", of(Some(10))), ("a", of(Some(50))), ("new", of(None))];
        queue.sort_by(|(a, x), (b, y)| most_overdue_first(x, a).cmp(&most_overdue_first(y, b)));
        assert_eq!(queue.map(|(name, _)| name), ["new", "late", "a", "b"]);
    }

    #[test]
    fn a_new_process_is_due_at_once_and_its_first_failure_is_the_first() {
        let retry = RetryWaits::default();
        let new = AddressRetry::for_new_process(at(0));
        // A clock that went back makes it no later.
        for now in [-9000, 0, 9000] {
            assert_eq!(new.due(at(now), &retry), Some(Due::Now(DueReason::NewProcess)));
        }
        assert_eq!(new.after_failure(at(0), &retry), AddressRetry { failures: 1, next_try: Some(at(60)) });
    }

    #[test]
    fn a_failed_address_is_retried_apart_from_the_backoff() {
        let retry = RetryWaits::default();
        let mut address = AddressRetry::default();
        assert_eq!(address.due(at(0), &retry), None);
        let mut waits = Vec::new();
        for _ in 0..6 {
            address = address.after_failure(at(0), &retry);
            waits.push((address.next_try.unwrap() - at(0)).num_minutes());
        }
        assert_eq!(waits, [1, 5, 15, 60, 60, 60]);
        let reason = DueReason::Retry { failures: 6 };
        assert_eq!(address.due(at(3539), &retry), Some(Due::Later(at(3600), reason)));
        assert_eq!(address.due(at(3540), &retry), Some(Due::Now(reason)));
        assert_eq!(address.due(at(-61), &retry), Some(Due::Now(DueReason::ClockWentBack)));
    }

    #[test]
    fn reasons_read_as_clauses() {
        let shown = [
            DueReason::NeverPulled,
            DueReason::NeverAnswered,
            DueReason::Elapsed { step: 1, wait: minutes(60) },
            DueReason::Waiting { step: 0, wait: minutes(15) },
            DueReason::AddressesChanged { new: 2, gone: 1 },
            DueReason::Retry { failures: 1 },
            DueReason::Retry { failures: 3 },
        ]
        .map(|reason| reason.to_string());
        assert_eq!(
            shown,
            [
                "never pulled",
                "no pull has stored an answer yet",
                "the wait of 1h is over (step 2)",
                "waiting 15m (step 1)",
                "addresses changed: 2 new, 1 gone",
                "retry after a failure",
                "retry after 3 failures in a row",
            ]
        );
    }

    fn any_steps() -> impl Strategy<Value = PullWaits> {
        prop::collection::btree_set(1..1_000_000_u64, 1..6)
            .prop_map(|waits| PullWaits::new(waits.into_iter().map(secs).collect()).unwrap())
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let time = || prop::option::of((-2_000_000..2_000_000_i64).prop_map(at));
        (0..9_usize, time(), time(), prop::sample::subsequence(addresses(&["a", "b", "c"]), 0..3)).prop_map(
            |(step, last_pull, next_due, addresses)| Schedule {
                step,
                last_pull,
                next_due,
                addresses,
                election: None,
            },
        )
    }

    fn any_outcome() -> impl Strategy<Value = ScheduleOutcome> {
        prop::sample::select(vec![
            ScheduleOutcome::Changed,
            ScheduleOutcome::Unchanged,
            ScheduleOutcome::UnchangedAtRetry,
            ScheduleOutcome::NothingAnswered,
        ])
    }

    proptest! {
        #[test]
        fn a_pull_is_followed_by_one_of_the_waits(
            schedule in any_schedule(), outcome in any_outcome(), steps in any_steps(), service: String,
        ) {
            let listed = addresses(&["a"]);
            let next = schedule.after(&service, outcome, &listed, at(0), &steps);
            if matches!(outcome, ScheduleOutcome::NothingAnswered | ScheduleOutcome::UnchangedAtRetry) {
                prop_assert_eq!(next, schedule);
            } else {
                prop_assert!(next.step <= steps.after(usize::MAX - 1), "no step is after the last one");
                let wait = next.next_due.unwrap() - at(0);
                prop_assert!(wait > delta(steps.wait(next.step)) * 9 / 10);
                prop_assert!(wait <= delta(steps.wait(next.step)));
                // The service is not due again at once, and not a period late.
                prop_assert!(matches!(due(&next, &listed, at(0), &steps), Due::Later(..)));
                let end = at(0) + delta(steps.wait(next.step));
                prop_assert!(matches!(due(&next, &listed, end, &steps), Due::Now(_)));
            }
        }

        #[test]
        fn nothing_sleeps_longer_than_its_wait(
            schedule in any_schedule(), steps in any_steps(), now in -2_000_000..2_000_000_i64,
        ) {
            if let Due::Later(next, _) = due(&schedule, &schedule.addresses, at(now), &steps) {
                let wait = steps.wait(schedule.step);
                prop_assert!(next > at(now));
                prop_assert!(next - at(now) <= delta(wait) + slack(wait));
            }
        }

        #[test]
        fn no_retry_waits_longer_than_its_wait(
            failures: u32, next_try in -9_000..9_000_i64, now in -9_000..9_000_i64,
        ) {
            let retry = RetryWaits::default();
            let address = AddressRetry { failures, next_try: Some(at(next_try)) };
            if let Some(Due::Later(next, _)) = address.due(at(now), &retry) {
                let wait = retry.wait(failures);
                prop_assert!(next > at(now) && next - at(now) <= delta(wait) + slack(wait));
            }
            let failed = address.after_failure(at(now), &retry);
            prop_assert!(matches!(failed.due(at(now), &retry), Some(Due::Later(..))));
        }

        #[test]
        fn a_steady_timer_pulls_at_every_tick_of_its_period(
            service: String, early in prop::collection::vec(0..30_i64, 20),
        ) {
            // Cron every 15 minutes, up to 30 s off, coverage that changes all the time.
            let listed = addresses(&["a"]);
            let mut schedule = Schedule::default();
            for (tick, early) in early.into_iter().enumerate() {
                let now = at(i64::try_from(tick).unwrap() * 900 - early);
                let decided = due(&schedule, &listed, now, &PullWaits::default());
                prop_assert!(matches!(decided, Due::Now(_)), "{decided:?}");
                schedule = schedule.after(&service, ScheduleOutcome::Changed, &listed, now, &PullWaits::default());
            }
        }
    }
}
