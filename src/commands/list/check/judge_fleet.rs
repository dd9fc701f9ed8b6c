//! The findings about the fleet: who lists it, who answers, its source, its names, and the clock and timer of pulls. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{FindingLevel, SetupFinding};
use crate::io::git::{OLDEST, is_older_than_needed};
use crate::names::in_message;
use crate::phrases::{ago, count, moment};
use crate::source::StoredCommits;
use crate::time::{minute, span};

/// The answer of a center or of a source of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListerAnswer {
    /// `--offline` was given.
    NotAsked,
    /// Numbers of services and addresses that it lists.
    Listed { services: usize, addresses: usize },
    /// A part of the list is left out, for this reason.
    Cut(String),
    Silent {
        reason: String,
        /// Addresses are known without it, so that a pull goes on.
        can_go_on: bool,
    },
}

/// Judges a center. `is_default` tells that nobody named it.
pub(super) fn judge_center(url: &str, is_default: bool, answer: &ListerAnswer) -> SetupFinding {
    let next_step = if is_default {
        "name a center by --center, GOC_CENTER or center in the configuration, or targets by --targets or [[targets]]"
    } else {
        "start it, or correct its URL (--center, GOC_CENTER, center in the configuration)"
    };
    judge_lister("center", url, next_step, answer)
}

/// Judges a source of targets.
pub(super) fn judge_source(name: &str, answer: &ListerAnswer) -> SetupFinding {
    let name = format!("\"{}\"", in_message(name));
    judge_lister("targets", &name, "correct the file or the command", answer)
}

fn judge_lister(check: &'static str, name: &str, next_step: &str, answer: &ListerAnswer) -> SetupFinding {
    match answer {
        ListerAnswer::NotAsked => SetupFinding::ok(check, format!("{name} is not asked (--offline)")),
        ListerAnswer::Listed { services, addresses } => {
            let (services, addresses) = (count(*services, "services"), count(*addresses, "addresses"));
            SetupFinding::ok(check, format!("{name} lists {services}, {addresses}"))
        }
        ListerAnswer::Cut(reason) => {
            SetupFinding::new(check, FindingLevel::TargetsFailed, format!("{name}: {reason}"), next_step)
        }
        ListerAnswer::Silent { reason, can_go_on } => {
            let level = if *can_go_on { FindingLevel::TargetsFailed } else { FindingLevel::Failed };
            SetupFinding::new(check, level, format!("{name}: {reason}"), next_step)
        }
    }
}

/// The answers of some agents.
#[derive(Clone, Debug)]
pub(super) enum AgentAnswers {
    /// `--offline` was given.
    NotAsked,
    Asked {
        asked: usize,
        /// Number of all addresses.
        known: usize,
        /// The asked addresses that do not answer, with reasons and with the source of targets that lists each.
        silent: Vec<(String, String, Option<String>)>,
    },
}

/// Judges the agents.
pub(super) fn judge_agents(answers: &AgentAnswers) -> SetupFinding {
    const CHECK: &str = "agent";
    let (asked, known, silent) = match answers {
        AgentAnswers::NotAsked => return SetupFinding::ok(CHECK, "none is asked (--offline)"),
        AgentAnswers::Asked { asked: 0, .. } => {
            return SetupFinding::new(
                CHECK,
                FindingLevel::Warning,
                "no address is listed",
                "start a service that registers at the center, or name targets (--targets, [[targets]])",
            );
        }
        AgentAnswers::Asked { asked, known, silent } => (*asked, *known, silent),
    };
    let answering = asked - silent.len();
    let of = match known - asked {
        0 => count(asked, "addresses"),
        _ => format!("{asked} asked addresses (of {known})"),
    };
    let answer = if answering == 1 || asked == 1 { "answers" } else { "answer" };
    match silent.first() {
        None => SetupFinding::ok(CHECK, format!("{answering} of {of} {answer}")),
        Some((address, reason, source)) => SetupFinding::new(
            CHECK,
            FindingLevel::TargetsFailed,
            format!("{answering} of {of} {answer}, {}: {reason}", in_message(address)),
            match source {
                None => "start the process again, or take its address off the list (prune)".to_owned(),
                Some(source) => format!(
                    "start the process again, or let whoever writes the targets \"{}\" leave it out (prune removes \
                     nothing there)",
                    in_message(source)
                ),
            },
        ),
    }
}

/// Judges the repository of an app. `Err` is the reason for which it cannot be read.
pub(super) fn judge_repository(app: &str, found: &Result<StoredCommits, String>) -> SetupFinding {
    const CHECK: &str = "repository";
    let app = in_message(app);
    let warning = |message: String, step: String| {
        SetupFinding::new(CHECK, FindingLevel::Warning, format!("{app}: {message}"), step)
    };
    match found {
        Ok(StoredCommits::NoneRun) => warning(
            "no commit is known".to_owned(),
            "give report --commit, or let the name or the label commit tell it".to_owned(),
        ),
        Ok(StoredCommits::All(commits)) => match &commits[..] {
            [commit] => SetupFinding::ok(CHECK, format!("{app}: the clone has {commit}")),
            commits => {
                SetupFinding::ok(CHECK, format!("{app}: the clone has {}", count(commits.len(), "commits")))
            }
        },
        Ok(StoredCommits::Missing { commit, path }) => warning(
            format!("{path} has no commit {commit}"),
            "a report fetches it from the clone's remote; without one, git push it there".to_owned(),
        ),
        Ok(StoredCommits::NotCloned { url, has_commit }) => match has_commit {
            None => {
                SetupFinding::ok(CHECK, format!("{app}: the first report clones {url}, which is not asked"))
            }
            Some(Ok(true)) => {
                SetupFinding::ok(CHECK, format!("{app}: the first report clones {url}, which answers"))
            }
            Some(Ok(false)) => warning(
                format!("{url} answers and has no commit"),
                format!("push the commits there, or correct repo in [apps.{app}] if this is no repository"),
            ),
            Some(Err(reason)) => {
                SetupFinding::without_step(CHECK, FindingLevel::Warning, format!("{app}: {reason}"))
            }
        },
        Ok(StoredCommits::NoUrl { path }) => warning(
            "no repository, so reports have no source".to_owned(),
            format!("git clone --bare URL {path}, or set repo in [apps.{app}]"),
        ),
        Err(reason) => SetupFinding::without_step(CHECK, FindingLevel::Warning, format!("{app}: {reason}")),
    }
}

/// Judges git. `Err` is the reason for which it cannot be run.
pub(super) fn judge_git(version: &Result<String, String>) -> SetupFinding {
    const CHECK: &str = "git";
    match version {
        Ok(version) if is_older_than_needed(version) => SetupFinding::new(
            CHECK,
            FindingLevel::Warning,
            format!("version {version} is older than {OLDEST}"),
            "reports may find no source: install a newer one",
        ),
        Ok(version) => SetupFinding::ok(CHECK, format!("version {version}")),
        Err(reason) => SetupFinding::new(
            CHECK,
            FindingLevel::Warning,
            reason.clone(),
            "reports have no source without it, so no repository is looked at",
        ),
    }
}

/// A time that a center told, and that of this host when it was told.
#[derive(Clone, Debug)]
pub(super) struct CenterClock {
    pub(super) url: String,
    pub(super) told: DateTime<Utc>,
    pub(super) own: DateTime<Utc>,
}

/// Judges the clock by the times that the last run stored and centers told.
pub(super) fn judge_clock(
    last_run: Option<DateTime<Utc>>,
    centers: &[CenterClock],
    now: DateTime<Utc>,
) -> SetupFinding {
    const CHECK: &str = "clock";
    /// A pull that is under way may have stored a time after the start of this check.
    const SLACK: TimeDelta = TimeDelta::minutes(1);
    const TOLERATED: TimeDelta = TimeDelta::minutes(5);
    let set_clock = "set the clock (timedatectl, NTP)";
    if let Some(last) = last_run.filter(|last| *last > now + SLACK) {
        let message = format!("{}, and the last pull stored {}", minute(now), minute(last));
        return SetupFinding::new(CHECK, FindingLevel::Warning, message, set_clock);
    }
    let wrong = centers.iter().find(|center| (center.told - center.own).abs() > TOLERATED);
    match wrong {
        Some(CenterClock { url, told, own }) => {
            let (off, side) = (span(*told - *own), if told > own { "ahead of" } else { "behind" });
            let message = format!("the clock of {url} is {off} {side} this one");
            SetupFinding::new(CHECK, FindingLevel::Warning, message, set_clock)
        }
        None => SetupFinding::ok(CHECK, minute(now)),
    }
}

/// Judges a source of targets that was given to an earlier run and is not read now.
pub(super) fn judge_earlier_source(name: &str, is_gone: bool, answer: &ListerAnswer) -> SetupFinding {
    let lists = match answer {
        ListerAnswer::Listed { services, addresses } => {
            format!("listed {}, {}", count(*services, "services"), count(*addresses, "addresses"))
        }
        _ => "listed nothing".to_owned(),
    };
    let message = format!("\"{}\" {lists} at an earlier run, and is not read", in_message(name));
    match is_gone {
        true => SetupFinding::new(
            "targets",
            FindingLevel::Warning,
            format!("{message}; the file is gone"),
            "pull uses that last list until it is given a new one (--targets, [[targets]])",
        ),
        false => {
            SetupFinding::new("targets", FindingLevel::Ok, message, "give it to this check, too (--targets)")
        }
    }
}

/// Judges a run that asks nobody.
pub(super) fn judge_nobody() -> SetupFinding {
    SetupFinding::new(
        "targets",
        FindingLevel::Warning,
        "no center is named, and the sources of targets of earlier runs list nothing now",
        "give pull a list (--targets, [[targets]]), or name a center (--center, GOC_CENTER)",
    )
}

/// Judges the names that centers list. `unfit` are those that fit no pattern, sorted.
pub(super) fn judge_names(unfit: &[&str], listed: usize) -> SetupFinding {
    const CHECK: &str = "names";
    match unfit.first() {
        None if listed == 0 => SetupFinding::ok(CHECK, "no center lists a name"),
        None => {
            SetupFinding::ok(CHECK, format!("{} that centers list fit the pattern", count(listed, "names")))
        }
        Some(first) => SetupFinding::new(
            CHECK,
            FindingLevel::Warning,
            format!("{} of {listed} fit no pattern, such as \"{}\"", unfit.len(), in_message(first)),
            "set pattern in [naming] if they have a commit",
        ),
    }
}

/// Judges by the last pull whether a timer starts pulls.
pub(super) fn judge_timer(last_run: Option<DateTime<Utc>>, now: DateTime<Utc>) -> SetupFinding {
    const CHECK: &str = "timer";
    const LONG_AGO: TimeDelta = TimeDelta::hours(1);
    let next_step = "let cron or a systemd timer start pull every few minutes";
    let Some(last) = last_run else {
        return SetupFinding::new(CHECK, FindingLevel::Warning, "nothing was pulled yet", next_step);
    };
    let message = format!("the last pull was {} ({})", ago(Some(last), now.max(last)), moment(last, now));
    match now - last > LONG_AGO {
        true => SetupFinding::new(CHECK, FindingLevel::Warning, message, next_step),
        false => SetupFinding::ok(CHECK, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FindingLevel::{Failed, Ok as Fine, TargetsFailed, Warning};

    #[track_caller]
    fn assert_finding(finding: &SetupFinding, level: FindingLevel, text: &str) {
        assert_eq!((finding.level, finding.text().as_str()), (level, text));
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-30T{text}Z").parse().unwrap()
    }

    #[test]
    fn a_silent_center_fails_the_pull_only_if_no_address_is_known() {
        let silent = |can_go_on| ListerAnswer::Silent { reason: "connection refused".to_owned(), can_go_on };
        let start = "start it, or correct its URL (--center, GOC_CENTER, center in the configuration)";
        let name = "name a center by --center, GOC_CENTER or center in the configuration, or targets by --targets or \
                    [[targets]]";
        for (answer, is_default, level, text) in [
            (ListerAnswer::NotAsked, false, Fine, "http://c is not asked (--offline)".to_owned()),
            (
                ListerAnswer::Listed { services: 2, addresses: 1 },
                false,
                Fine,
                "http://c lists 2 services, 1 address".to_owned(),
            ),
            (silent(true), false, TargetsFailed, format!("http://c: connection refused; {start}")),
            (silent(false), true, Failed, format!("http://c: connection refused; {name}")),
            (
                ListerAnswer::Cut("too long".to_owned()),
                false,
                TargetsFailed,
                format!("http://c: too long; {start}"),
            ),
        ] {
            assert_finding(&judge_center("http://c", is_default, &answer), level, &text);
        }
        let source = judge_source("pods", &silent(true));
        assert_finding(
            &source,
            TargetsFailed,
            "\"pods\": connection refused; correct the file or the command",
        );
    }

    #[test]
    fn agents_fail_if_one_of_those_asked_is_silent() {
        let asked = |asked, known, silent: &[&str]| AgentAnswers::Asked {
            asked,
            known,
            silent: silent
                .iter()
                .map(|address| ((*address).to_owned(), "refused".to_owned(), None))
                .collect(),
        };
        for (answers, level, message) in [
            (AgentAnswers::NotAsked, Fine, "none is asked (--offline)"),
            (asked(0, 0, &[]), Warning, "no address is listed"),
            (asked(1, 1, &[]), Fine, "1 of 1 address answers"),
            (asked(1, 1, &["http://a:1"]), TargetsFailed, "0 of 1 address answers, http://a:1: refused"),
            (asked(8, 30, &[]), Fine, "8 of 8 asked addresses (of 30) answer"),
            (asked(2, 2, &["http://a:1"]), TargetsFailed, "1 of 2 addresses answers, http://a:1: refused"),
        ] {
            let finding = judge_agents(&answers);
            assert_eq!((finding.level, finding.message.as_str()), (level, message));
        }
    }

    #[test]
    fn a_repository_is_never_more_than_a_warning() {
        let path = || "/srv/g/cart/repo".to_owned();
        for (found, level, text) in [
            (
                Ok(StoredCommits::NoneRun),
                Warning,
                "cart: no commit is known; give report --commit, or let the name or the label commit tell it",
            ),
            (Ok(StoredCommits::All(vec!["0123456".to_owned()])), Fine, "cart: the clone has 0123456"),
            (
                Ok(StoredCommits::All(vec!["0123456".to_owned(), "6543210".to_owned()])),
                Fine,
                "cart: the clone has 2 commits",
            ),
            (
                Ok(StoredCommits::Missing { commit: "0123456".to_owned(), path: path() }),
                Warning,
                "cart: /srv/g/cart/repo has no commit 0123456; a report fetches it from the clone's remote; without one, \
                 git push it there",
            ),
            (
                Ok(StoredCommits::NotCloned { url: "https://git/cart".to_owned(), has_commit: None }),
                Fine,
                "cart: the first report clones https://git/cart, which is not asked",
            ),
            (
                Ok(StoredCommits::NotCloned {
                    url: "https://git/cart".to_owned(),
                    has_commit: Some(Ok(true)),
                }),
                Fine,
                "cart: the first report clones https://git/cart, which answers",
            ),
            (
                Ok(StoredCommits::NotCloned {
                    url: "https://git/cart".to_owned(),
                    has_commit: Some(Ok(false)),
                }),
                Warning,
                "cart: https://git/cart answers and has no commit; push the commits there, or correct repo in [apps.cart] \
                 if this is no repository",
            ),
            (
                Ok(StoredCommits::NotCloned {
                    url: "https://git/cart".to_owned(),
                    has_commit: Some(Err("cannot clone it".to_owned())),
                }),
                Warning,
                "cart: cannot clone it",
            ),
            (
                Ok(StoredCommits::NoUrl { path: path() }),
                Warning,
                "cart: no repository, so reports have no source; git clone --bare URL /srv/g/cart/repo, or set repo in \
                 [apps.cart]",
            ),
            (Err("not trusted".to_owned()), Warning, "cart: not trusted"),
        ] {
            assert_finding(&judge_repository("cart", &found), level, text);
        }
        assert_finding(&judge_git(&Ok("2.39.5".to_owned())), Fine, "version 2.39.5");
        assert_eq!(judge_git(&Err("cannot run git".to_owned())).level, Warning);
        assert_finding(
            &judge_git(&Ok("2.25.1".to_owned())),
            Warning,
            "version 2.25.1 is older than 2.32; reports may find no source: install a newer one",
        );
    }

    #[test]
    fn a_clock_is_compared_with_stored_times_and_with_centers() {
        let clock = |told| CenterClock { url: "http://c".to_owned(), told, own: at("10:00:00") };
        let step = "set the clock (timedatectl, NTP)";
        for (last_run, told, level, text) in [
            (None, None, Fine, "2026-11-30 10:00 UTC".to_owned()),
            (Some(at("10:01:00")), Some(at("10:05:00")), Fine, "2026-11-30 10:00 UTC".to_owned()),
            (
                Some(at("10:01:01")),
                None,
                Warning,
                format!("2026-11-30 10:00 UTC, and the last pull stored 2026-11-30 10:01 UTC; {step}"),
            ),
            (
                None,
                Some(at("10:05:01")),
                Warning,
                format!("the clock of http://c is 5m ahead of this one; {step}"),
            ),
            (
                None,
                Some(at("08:00:00")),
                Warning,
                format!("the clock of http://c is 2h behind this one; {step}"),
            ),
        ] {
            let centers: Vec<_> = told.map(clock).into_iter().collect();
            assert_finding(&judge_clock(last_run, &centers, at("10:00:00")), level, &text);
        }
    }

    #[test]
    fn names_that_fit_no_pattern_are_counted() {
        assert_finding(&judge_names(&[], 0), Fine, "no center lists a name");
        assert_finding(&judge_names(&[], 3), Fine, "3 names that centers list fit the pattern");
        assert_finding(
            &judge_names(&["billing", "x"], 3),
            Warning,
            "2 of 3 fit no pattern, such as \"billing\"; set pattern in [naming] if they have a commit",
        );
    }

    #[test]
    fn a_pull_more_than_an_hour_ago_is_a_warning() {
        let step = "let cron or a systemd timer start pull every few minutes";
        for (last_run, level, text) in [
            (None, Warning, format!("nothing was pulled yet; {step}")),
            (Some(at("09:55:00")), Fine, "the last pull was 5m ago (09:55 UTC)".to_owned()),
            (Some(at("09:00:00")), Fine, "the last pull was 1h ago (09:00 UTC)".to_owned()),
            (Some(at("08:59:59")), Warning, format!("the last pull was 1h ago (08:59 UTC); {step}")),
            (Some(at("10:00:30")), Fine, "the last pull was 0s ago (10:00 UTC)".to_owned()),
        ] {
            assert_finding(&judge_timer(last_run, at("10:00:00")), level, &text);
        }
    }
}
