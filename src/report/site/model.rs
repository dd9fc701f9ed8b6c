//! The model of a site: apps, their environments and regions, branches, commits, and the history of totals.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::address::{INDEX, REPORT, segment};
use super::chart::{Dated, shown};
use super::moment::Moment;
use crate::coverage::{ChangedLines, Coverage};
use crate::names::printable;
use crate::report::html::grade;

/// Branches that may be what all others are held against, the first that is there.
const TRUNKS: [&str; 4] = ["main", "master", "trunk", "develop"];

/// A commit of an app in an environment and region, under one branch.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// As registered.
    pub name: String,
    /// Other names that differ in nothing that is shown.
    pub also: Vec<String>,
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// Branch.
    pub branch: String,
    /// Commit, as the name has it.
    pub commit: String,
    /// Its state.
    pub state: State,
    /// Reasons for its state, a line each.
    pub errors: Vec<String>,
    /// Replicas that are up, of those listed.
    pub replicas: (usize, usize),
    /// The latest that is stored; `None` where nothing is.
    pub total: Option<Total>,
    /// When a pull last got an answer.
    pub last_pull: Option<DateTime<Utc>>,
    /// When it was last listed.
    pub last_seen: Option<DateTime<Utc>>,
}

/// The state of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The word of `list`.
    pub word: &'static str,
    /// The word with details, such as `ok, 1 suspect`.
    pub text: String,
    /// The attention that it needs.
    pub concern: Concern,
}

/// The attention that a service needs, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// Some or all of its replicas do not answer.
    Failing,
    /// The stored data is not, or no longer, of the processes that run.
    Stale,
    /// None.
    Fine,
    /// The service is listed and was not pulled yet.
    New,
    /// No center lists the service.
    Gone,
}

impl Concern {
    /// Returns its class, which is also how the search names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Fine => "fine",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }

    pub(super) fn is_any(self) -> bool {
        self <= Self::Stale
    }
}

/// A total that is stored.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    /// Its row of the database.
    pub row: i64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Of all statements.
    pub percent: f64,
    /// Its statements; `None` for a row that another program stored, as is the next.
    pub coverage: Option<Coverage>,
    /// Replicas that answered, of those listed.
    pub replicas: Option<(u32, u32)>,
    /// Changed lines that a report found, if there was one.
    pub changed: Option<ChangedLines>,
}

/// A row of the history.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// Branch.
    pub branch: String,
    /// Commit, as the name has it.
    pub commit: String,
    /// Its total.
    pub total: Total,
    /// Only its figures are left.
    pub is_dropped: bool,
}

/// A report that the site links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Path of the page.
    pub path: String,
    /// Its row.
    pub row: i64,
    /// The service that it is of.
    pub service: String,
    /// Its branch.
    pub branch: String,
}

impl Page {
    /// Returns where the page of its app is from here.
    #[must_use]
    pub(crate) fn above(&self) -> String {
        // The page lies below its app's folder, so its path has one `../` less than slashes.
        "../".repeat(self.path.matches('/').count() - 1) + INDEX
    }
}

#[derive(Debug)]
pub(super) struct App {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) places: Vec<EnvRegion>,
}

/// An app in an environment and region.
#[derive(Debug)]
pub(super) struct EnvRegion {
    pub(super) env: String,
    pub(super) region: String,
    pub(super) folder: String,
    /// By the ranks of their newest commits.
    pub(super) branches: Vec<Branch>,
    /// The newest last.
    pub(super) history: Vec<Past>,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) folder: String,
    /// At least one, in the same order.
    pub(super) services: Vec<Service>,
}

impl Service {
    pub(super) fn is_listed(&self) -> bool {
        self.replicas.1 > 0
    }

    /// Returns the order of services: those that run first, of them those of a trunk, so that the service that stands for
    /// all does not change with each pull of another branch; then those that were stored last.
    pub(super) fn rank(&self) -> Reverse<(bool, bool, Option<i64>)> {
        let is_trunk = TRUNKS.contains(&self.branch.as_str());
        Reverse((self.is_listed(), is_trunk, self.total.as_ref().map(|total| total.row)))
    }
}

impl Total {
    /// Returns the percentage, of whatever the database holds: it is open to other hands.
    pub(super) fn percent(&self) -> f64 {
        let percent = self.coverage.map_or(self.percent, Coverage::percent);
        if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) }
    }

    pub(super) fn shown(&self) -> String {
        shown(self.percent())
    }

    pub(super) fn stored(&self) -> Moment {
        Moment(self.stored_at)
    }

    /// Length of its bar, of 100.
    pub(super) fn bar(&self) -> String {
        format!("{:.1}", self.percent())
    }

    pub(super) fn grade(&self) -> &'static str {
        match self.coverage {
            Some(coverage) if coverage.total == 0 => "none",
            _ => grade(self.percent()),
        }
    }

    pub(super) fn since(&self, earlier: &Total) -> String {
        match (self.coverage, earlier.coverage) {
            (Some(now), Some(before)) => now.since(before).to_string(),
            _ => format!("{:+.1}", self.percent() - earlier.percent()),
        }
    }
}

impl Branch {
    pub(super) fn newest(&self) -> &Service {
        &self.services[0]
    }

    /// Returns the newest that has data, which may be one before the newest.
    pub(super) fn stored(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.total.is_some())
    }

    pub(super) fn is_stored(&self, service: &Service) -> bool {
        self.stored().is_some_and(|stored| std::ptr::eq(stored, service))
    }

    /// Returns those that are of interest now: the newest, the newest that has data, and what else runs.
    pub(super) fn current(&self) -> impl Iterator<Item = &Service> {
        let is_current =
            |(at, service): &(usize, &Service)| *at == 0 || service.is_listed() || self.is_stored(service);
        self.services.iter().enumerate().filter(is_current).map(|(_, service)| service)
    }

    /// Returns where a report stands: that of the newest commit that has one where it always does.
    pub(super) fn report(&self, service: &Service) -> String {
        match self.is_stored(service) {
            true => format!("{}/{REPORT}", self.folder),
            false => format!("{}/{}/{REPORT}", self.folder, segment(&service.commit)),
        }
    }
}

impl EnvRegion {
    /// Returns the service that speaks for all: the first of those that have data.
    pub(super) fn latest(&self) -> Option<(&Branch, &Service)> {
        let with_data = self.branches.iter().flat_map(|branch| {
            branch
                .services
                .iter()
                .filter(|service| service.total.is_some())
                .map(move |service| (branch, service))
        });
        with_data.min_by_key(|(_, service)| service.rank())
    }

    pub(super) fn points(&self, branch: &str) -> Vec<Dated> {
        let of_branch = self.history.iter().filter(|past| past.branch == branch);
        of_branch
            .map(|past| Dated {
                stored_at: past.total.stored_at,
                percent: past.total.percent(),
                commit: past.commit.clone(),
            })
            .collect()
    }

    /// Returns the branch that all others are held against.
    pub(super) fn trunk(&self) -> Option<&Branch> {
        TRUNKS.iter().find_map(|name| self.branches.iter().find(|branch| branch.name == *name))
    }

    pub(super) fn name(&self) -> String {
        match (self.env.as_str(), self.region.as_str()) {
            ("", "") => String::new(),
            (one, "") | ("", one) => printable(one).into_owned(),
            (env, region) => format!("{} · {}", printable(env), printable(region)),
        }
    }

    /// Its place in the page of its app.
    pub(super) fn anchor(&self) -> String {
        format!("{}/{}", segment(&self.env), segment(&self.region))
    }
}
