//! The model of a site: apps, their environments and regions, branches, commits, and the history of totals.

use std::cmp::Reverse;
use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::address::{INDEX, REPORT, segment};
use super::change::{self, Change};
use super::chart::shown;
use super::moment::Moment;
use crate::coverage::{ChangedLines, Coverage};
use crate::names::printable;
use crate::phrases::replicas;
use crate::report::html::grade;
use crate::report::{HostLinks, TrendPoint};

/// Branches with which all others are compared; the first that exists is taken.
const TRUNKS: [&str; 4] = ["main", "master", "trunk", "develop"];

/// Largest number of a branch's earlier commits that have a report.
pub(super) const EARLIER_REPORTS: usize = 20;

pub(super) fn is_trunk(branch: &str) -> bool {
    TRUNKS.contains(&branch)
}

/// A commit of an app in an environment and region, under one branch.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The name as it was registered.
    pub name: String,
    /// Other registered names of the same service.
    pub also: Vec<String>,
    /// Names of the sources of targets that list it.
    pub targets: Vec<String>,
    /// Kinds of the agents at its addresses, where they are known.
    pub agents: Vec<String>,
    /// Empty when the name fits no pattern. So are region, branch and commit.
    pub env: String,
    pub region: String,
    /// The whole name when it fits no pattern.
    pub app: String,
    pub branch: String,
    /// The commit in the name.
    pub commit: String,
    pub state: ShownState,
    /// Reasons for its state, one line each.
    pub errors: Vec<String>,
    /// Number of replicas that are up, and of those listed.
    pub replicas: (usize, usize),
    /// The latest stored total; `None` when nothing is stored.
    pub total: Option<Total>,
    /// Time of the last answer to a pull.
    pub last_pull: Option<DateTime<Utc>>,
    /// Time at which it was last listed.
    pub last_seen: Option<DateTime<Utc>>,
}

/// The state of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownState {
    /// The word of the state for scripts.
    pub word: &'static str,
    /// The word of the state for people.
    pub phrase: &'static str,
    /// The word with details, such as `ok, 1 suspect`.
    pub text: String,
    /// The meaning of the word, as a clause.
    pub meaning: &'static str,
    /// The attention that the service needs.
    pub concern: Concern,
}

impl ShownState {
    /// Tells whether its text needs a line of its own on a phone.
    pub(super) fn is_long(&self) -> bool {
        /// Length of the longest state without details.
        const SHORT: usize = 12;
        self.text.chars().count() > SHORT
    }
}

/// The attention that a service needs, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// None of its replicas answers.
    Failing,
    /// Some of its replicas do not answer.
    Partial,
    /// The stored data is not of the processes that run now.
    Stale,
    /// The service is listed and was not pulled yet.
    New,
    /// The service needs no attention.
    Fine,
    /// No center lists the service.
    Gone,
}

impl Concern {
    /// Returns the word that names it in JSON, and in addresses of earlier releases.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failing | Self::Partial => "failing",
            Self::Stale => "stale",
            Self::Fine => "fine",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }

    /// Returns its place in the order of urgency, by which the script sorts.
    pub(super) fn rank(self) -> u8 {
        self as u8
    }

    /// Returns the class of its colour and sign.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            _ => self.word(),
        }
    }

    pub(super) fn is_any(self) -> bool {
        self <= Self::Stale
    }
}

/// A stored total.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    /// Id of its row.
    pub row: i64,
    pub stored_at: DateTime<Utc>,
    /// Percentage of covered statements.
    pub percent: f64,
    /// Covered and all statements; `None` for a row that another program stored.
    pub coverage: Option<Coverage>,
    /// Number of replicas that answered, and of those listed; `None` for a row that another program stored.
    pub replicas: Option<(u32, u32)>,
    /// Changed lines that a report computed, if there was one.
    pub changed: Option<ChangedLines>,
}

/// A row of the history.
#[derive(Clone, Debug)]
pub(crate) struct HistoryRow {
    /// Empty when the name fits no pattern. So are region, branch and commit.
    pub env: String,
    pub region: String,
    /// The whole name when it fits no pattern.
    pub app: String,
    pub branch: String,
    /// The commit in the name.
    pub commit: String,
    pub total: Total,
    /// The file of the row was deleted, and only its figures were kept.
    pub is_dropped: bool,
}

/// A report to which the site links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkedReport {
    /// Path of the page.
    pub path: String,
    /// Id of its row.
    pub row: i64,
    /// Name of its service.
    pub service: String,
    pub branch: String,
    /// The commit runs or is the newest one of the branch, so its source may still have to be fetched.
    pub is_current: bool,
}

impl LinkedReport {
    /// Returns the relative address of the page of its app.
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
    /// The links to the host of its repository, if it is known.
    pub(super) links: Option<HostLinks>,
}

/// An app in an environment and region.
#[derive(Debug)]
pub(super) struct EnvRegion {
    pub(super) env: String,
    pub(super) region: String,
    pub(super) folder: String,
    /// The branches in order of the ranks of their newest services.
    pub(super) branches: Vec<Branch>,
    /// The history with the newest row last.
    pub(super) history: Vec<HistoryRow>,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) folder: String,
    /// The services in order of their ranks; at least one.
    pub(super) services: Vec<Service>,
    /// The commits of the services.
    commits: HashSet<String>,
    /// The change of the newest total within 7 days; `None` if no total is that old.
    pub(super) week: Option<Change>,
}

impl Service {
    pub(super) fn is_listed(&self) -> bool {
        self.replicas.1 > 0
    }

    /// Returns how many of its replicas are up, in words; `None` where its state tells that.
    pub(super) fn up(&self) -> Option<String> {
        match self.replicas {
            (_, 0 | 1) => None,
            (0, listed) => Some(format!("all {listed} replicas are down")),
            (up, listed) if up == listed => Some(format!("all {listed} replicas are up")),
            (up, listed) => Some(format!("{up} of {listed} replicas are up")),
        }
    }

    /// Returns a sort key: listed services first, then those of a main branch, then those that were stored last. So the
    /// service that represents all of them does not change with each pull of another branch.
    pub(super) fn rank(&self) -> Reverse<(bool, bool, Option<i64>)> {
        let is_trunk = is_trunk(&self.branch);
        Reverse((self.is_listed(), is_trunk, self.total.as_ref().map(|total| total.row)))
    }
}

impl Total {
    /// Returns the percentage as a valid number, because other programs may write to the database.
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

    /// Returns how many replicas answered when it was stored, in words; `None` if that is unknown.
    pub(super) fn answered(&self) -> Option<String> {
        self.replicas.map(|(answered, listed)| replicas(answered, listed))
    }

    pub(super) fn lacks_replicas(&self) -> bool {
        self.replicas.is_some_and(|(answered, listed)| answered < listed)
    }

    /// Returns the length of its bar, of 100 units.
    pub(super) fn bar(&self) -> String {
        format!("{:.1}", self.percent())
    }

    pub(super) fn grade(&self) -> &'static str {
        match self.coverage {
            Some(coverage) if coverage.total == 0 => "none",
            _ => grade(self.percent()),
        }
    }

    pub(super) fn since(&self, earlier: &Total) -> Change {
        match (self.coverage, earlier.coverage) {
            (Some(now), Some(before)) => Change::Exact(now.since(before)),
            _ => Change::Points(self.percent() - earlier.percent()),
        }
    }
}

impl Branch {
    /// Makes a branch of its services, at least one, with the rows of all branches there, the oldest first.
    pub(super) fn new(
        name: String,
        folder: String,
        mut services: Vec<Service>,
        (rows, now): (&[HistoryRow], DateTime<Utc>),
    ) -> Self {
        services.sort_by_key(Service::rank);
        let commits =
            services.iter().map(|service| service.commit.clone()).filter(|commit| !commit.is_empty());
        let mut branch = Self { name, folder, commits: commits.collect(), services, week: None };
        let own = rows.iter().filter(|row| branch.has(row));
        let total = branch.stored().and_then(|service| service.total.as_ref());
        branch.week = total.and_then(|total| change::of_week(total, own, now));
        branch
    }

    /// Tells whether a row counts for the branch. A row names one branch alone, but the data of a commit that was
    /// registered under several branches is one thing.
    pub(super) fn has(&self, past: &HistoryRow) -> bool {
        past.branch == self.name || self.commits.contains(&past.commit)
    }

    pub(super) fn newest(&self) -> &Service {
        &self.services[0]
    }

    /// Returns the newest service that has data.
    pub(super) fn stored(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.total.is_some())
    }

    pub(super) fn is_stored(&self, service: &Service) -> bool {
        self.stored().is_some_and(|stored| std::ptr::eq(stored, service))
    }

    /// Returns the newest service, the newest one that has data, and all others that are listed.
    pub(super) fn current(&self) -> impl Iterator<Item = &Service> {
        let is_current =
            |(at, service): &(usize, &Service)| *at == 0 || service.is_listed() || self.is_stored(service);
        self.services.iter().enumerate().filter(is_current).map(|(_, service)| service)
    }

    /// Returns the services that have a report if it can be written: the current ones, and the newest others that have
    /// data, each with whether it is current.
    pub(super) fn reported(&self) -> impl Iterator<Item = (&Service, bool)> {
        let is_earlier = |service: &&Service| {
            service.total.is_some() && !self.current().any(|current| std::ptr::eq(current, *service))
        };
        let earlier = self.services.iter().filter(is_earlier).take(EARLIER_REPORTS);
        self.current().map(|service| (service, true)).chain(earlier.map(|service| (service, false)))
    }

    /// Returns the change within 7 days, which only the newest service that has data shows.
    pub(super) fn week_of(&self, service: &Service) -> Option<Change> {
        self.week.filter(|_| self.is_stored(service))
    }

    /// Returns the path of a report. The newest commit with data has the path of its branch, which never changes.
    pub(super) fn report(&self, service: &Service) -> String {
        match self.is_stored(service) {
            true => format!("{}/{REPORT}", self.folder),
            false => format!("{}/{}/{REPORT}", self.folder, segment(&service.commit)),
        }
    }
}

impl EnvRegion {
    /// Returns the service that represents all: the first in rank of those that have data.
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

    pub(super) fn points(&self, branch: &Branch) -> Vec<TrendPoint> {
        let of_branch = self.history.iter().filter(|past| branch.has(past));
        let point =
            |past: &HistoryRow| TrendPoint::new(past.total.stored_at, &past.commit, past.total.percent());
        of_branch.map(point).collect()
    }

    /// Returns the branch with which all others are compared; `None` if there is no other.
    pub(super) fn trunk(&self) -> Option<&Branch> {
        if self.branches.len() < 2 {
            return None;
        }
        TRUNKS.iter().find_map(|name| self.branches.iter().find(|branch| branch.name == *name))
    }

    pub(super) fn name(&self) -> String {
        match (self.env.as_str(), self.region.as_str()) {
            ("", "") => String::new(),
            (one, "") | ("", one) => printable(one).into_owned(),
            (env, region) => format!("{} {}", printable(env), printable(region)),
        }
    }

    /// Returns the fragment of the section in the page of its app.
    pub(super) fn anchor(&self) -> String {
        format!("{}/{}", segment(&self.env), segment(&self.region))
    }
}
