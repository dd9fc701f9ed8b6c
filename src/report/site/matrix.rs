//! The table of an app's environments and branches beside each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::frame::ServiceRow;
use super::manifest::SourceShown;
use super::model::{App, Branch, EnvRegion, is_trunk};
use crate::names::printable;

/// Largest number of branches that stand beside each other.
const BRANCHES: usize = 6;

/// The newest data of each branch in each environment and region.
pub(super) struct Matrix<'s> {
    pub(super) branches: Vec<String>,
    /// Number of branches that were left out.
    pub(super) left_out: usize,
    pub(super) rows: Vec<MatrixRow<'s>>,
}

/// An environment and region with a cell for each branch.
pub(super) struct MatrixRow<'s> {
    pub(super) name: String,
    pub(super) anchor: String,
    pub(super) cells: Vec<Option<ServiceRow<'s>>>,
}

impl<'s> Matrix<'s> {
    /// Returns the table; `None` if it would have one cell.
    pub(super) fn new(app: &'s App, reports: &'s HashMap<String, SourceShown>) -> Option<Self> {
        let mut branches = branches(app);
        if app.places.len() * branches.len() < 2 {
            return None;
        }
        let left_out = branches.len().saturating_sub(BRANCHES);
        branches.truncate(BRANCHES);
        let row = |place: &'s EnvRegion| {
            let cell = |name: &&str| {
                let branch = place.branches.iter().find(|branch| branch.name == *name)?;
                let service = branch.stored().unwrap_or(branch.newest());
                Some(ServiceRow::new(app, place, branch, service, reports))
            };
            MatrixRow {
                name: place.name(),
                anchor: place.anchor(),
                cells: branches.iter().map(cell).collect(),
            }
        };
        Some(Self {
            rows: app.places.iter().map(row).collect(),
            branches: branches.iter().map(|name| printable(name).into_owned()).collect(),
            left_out,
        })
    }

    /// Returns the cells of a row with their branches.
    pub(super) fn cells<'m>(
        &'m self,
        row: &'m MatrixRow<'s>,
    ) -> impl Iterator<Item = (&'m String, &'m Option<ServiceRow<'s>>)> {
        self.branches.iter().zip(&row.cells)
    }
}

/// Returns the names of all branches: main branches first, then those in most places, then the newest.
fn branches(app: &App) -> Vec<&str> {
    let mut weights: BTreeMap<&str, (usize, Option<i64>)> = BTreeMap::new();
    for branch in app.places.iter().flat_map(|place| &place.branches) {
        let (places, newest) = weights.entry(&branch.name).or_default();
        *places += 1;
        *newest = (*newest).max(newest_row(branch));
    }
    let mut names: Vec<(&str, (usize, Option<i64>))> = weights.into_iter().collect();
    names.sort_by_key(|(name, weight)| Reverse((is_trunk(name), *weight)));
    names.into_iter().map(|(name, _)| name).collect()
}

fn newest_row(branch: &Branch) -> Option<i64> {
    branch.services.iter().filter_map(|service| service.total.as_ref()).map(|total| total.row).max()
}
