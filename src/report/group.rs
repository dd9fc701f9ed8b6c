//! The apps of a group in a report of the whole group: which of them executed what, by package.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Report;
use super::json::ReplicasJson;
use crate::coverage::Coverage;
use crate::time::iso;

/// The apps of a group, and the files of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupFacts {
    /// The apps whose profiles the report combines, in the order of the configuration.
    pub(crate) apps: Vec<GroupApp>,
    /// The apps that have no data at the commit.
    pub(crate) missing: Vec<LackingApp>,
    /// Files that apps have with different blocks, sorted by name.
    pub(crate) conflicts: Vec<ConflictingFile>,
    /// The statements of each file that each app executed, and those that it has, in the order of the apps.
    pub(crate) shares: HashMap<Box<str>, Vec<Coverage>>,
}

/// An app whose profile is a part of the report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupApp {
    pub(crate) app: String,
    /// Name of its service.
    pub(crate) service: String,
    /// Row of the database.
    pub(crate) row: i64,
    pub(crate) stored_at: DateTime<Utc>,
    pub(crate) last_pull: Option<DateTime<Utc>>,
    /// Number of replicas that answered, and of those listed; `None` for a row that another program stored.
    pub(crate) replicas: Option<(u32, u32)>,
}

/// An app of a group without data at the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LackingApp {
    pub(crate) app: String,
    /// The reason as a clause.
    pub(crate) reason: String,
    /// The newest commit of which it has data.
    pub(crate) newest_commit: Option<String>,
}

/// A file that apps of a group have with different blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ConflictingFile {
    pub(crate) file: String,
    /// The app whose blocks count.
    pub(crate) blocks_of: String,
    /// The apps with other blocks.
    pub(crate) differs_in: Vec<String>,
}

impl fmt::Display for ConflictingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, blocks_of, differs_in } = self;
        write!(f, "{file} has other blocks in {} than in {blocks_of}", differs_in.join(", "))
    }
}

/// The statements of a package that each app of a group executed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PackageShares<'r> {
    pub(crate) name: &'r str,
    /// The statements that any app executed, and all statements.
    pub(crate) coverage: Coverage,
    /// The statements that each app executed, and those that it has, in the order of the apps.
    pub(crate) of_apps: Vec<Coverage>,
}

impl PackageShares<'_> {
    /// Returns the statements that any app executed, of all statements of the package; `None` if none did.
    pub(crate) fn whole(&self) -> Option<Coverage> {
        (self.coverage.covered > 0).then_some(self.coverage)
    }

    /// Returns the statements that an app executed, of all statements of the package; `None` if it executed none.
    pub(crate) fn executed(&self, app: usize) -> Option<Coverage> {
        let covered = self.of_apps[app].covered;
        (covered > 0).then_some(Coverage { covered, total: self.coverage.total })
    }
}

impl GroupFacts {
    /// Returns the numbers of the rows, ascending.
    pub(crate) fn rows(&self) -> Vec<i64> {
        let mut rows: Vec<i64> = self.apps.iter().map(|app| app.row).collect();
        rows.sort_unstable();
        rows
    }

    /// Adds up what each app has of some files.
    pub(super) fn sum<'f>(&self, files: impl Iterator<Item = &'f str>) -> Vec<Coverage> {
        let mut sums = vec![Coverage::default(); self.apps.len()];
        for shares in files.filter_map(|file| self.shares.get(file)) {
            sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += *share);
        }
        sums
    }

    /// Returns what each app has of some files, for scripts.
    pub(super) fn shares_json<'f>(&self, files: impl Iterator<Item = &'f str>) -> Vec<ShareJson<'_>> {
        let shares = self.apps.iter().zip(self.sum(files));
        shares.map(|(app, sum)| ShareJson { app: &app.app, covered: sum.covered, total: sum.total }).collect()
    }
}

/// Returns the packages of a report of a group with the share of each app, in byte order of their import paths, and the
/// sums of all; `None` for a report of one service.
pub(super) fn shares<'r>(report: &'r Report<'_>) -> Option<Vec<PackageShares<'r>>> {
    let group = report.head.group.as_deref()?;
    let packages = report.packages().into_iter().map(|package| PackageShares {
        name: package.name,
        coverage: package.coverage,
        of_apps: group.sum(package.files.iter().map(|file| file.name)),
    });
    Some(packages.collect())
}

/// Returns the sums of all packages of a group under a name. Filters may leave no package.
pub(super) fn total<'r>(
    group: &GroupFacts,
    packages: &[PackageShares<'_>],
    name: &'r str,
) -> PackageShares<'r> {
    let of_app = |app: usize| packages.iter().map(|package| package.of_apps[app]).sum();
    PackageShares {
        name,
        coverage: packages.iter().map(|package| package.coverage).sum(),
        of_apps: (0..group.apps.len()).map(of_app).collect(),
    }
}

/// A group in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct GroupJson<'r> {
    apps: Vec<GroupAppJson<'r>>,
    missing: &'r [LackingApp],
    conflicts: &'r [ConflictingFile],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct GroupAppJson<'r> {
    app: &'r str,
    service: &'r str,
    id: i64,
    stored_at: String,
    last_pull: Option<String>,
    replicas: ReplicasJson,
    covered: u64,
    total: u64,
}

/// The share of an app in a package, in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ShareJson<'r> {
    app: &'r str,
    covered: u64,
    total: u64,
}

impl<'r> GroupJson<'r> {
    /// Returns the group with the sums of some files.
    pub(crate) fn new<'f>(group: &'r GroupFacts, files: impl Iterator<Item = &'f str>) -> Self {
        let app = |(app, sum): (&'r GroupApp, Coverage)| GroupAppJson {
            app: &app.app,
            service: &app.service,
            id: app.row,
            stored_at: iso(app.stored_at),
            last_pull: app.last_pull.map(iso),
            replicas: app.replicas.into(),
            covered: sum.covered,
            total: sum.total,
        };
        Self {
            apps: group.apps.iter().zip(group.sum(files)).map(app).collect(),
            missing: &group.missing,
            conflicts: &group.conflicts,
        }
    }
}
