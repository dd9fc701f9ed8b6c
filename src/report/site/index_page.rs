//! The page of all services.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use askama::Template;

use super::frame::{Attention, PageFrame, ServiceRow, coverage_of};
use super::manifest::SourceShown;
use super::model::{App, Concern, EnvRegion, Service, ShownState, is_trunk};
use super::moment::{Moment, counted};
use crate::names::printable;
use crate::report::html::grouped;
use crate::report::treemap::{Part, PartKind, Treemap};

/// Largest number of buttons of environments. The search finds other names.
const ENVIRONMENTS: usize = 12;
/// Largest number of buttons of branches.
const BRANCHES: usize = 6;
/// The filter by branch.
const BRANCH: &str = "branch";

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct IndexPage<'s> {
    pub(super) frame: PageFrame,
    pub(super) counts: Vec<StateCount>,
    pub(super) number: usize,
    pub(super) newest: Option<Moment>,
    pub(super) chips: [ChipGroup; 2],
    pub(super) attention: Attention<'s>,
    /// The treemap; `None` without statements.
    pub(super) treemap: Option<Treemap>,
    /// Number of services that the treemap leaves out.
    pub(super) unmapped: usize,
    pub(super) apps: Vec<AppRows<'s>>,
    /// The column of states has long texts, so it gets room from the names.
    pub(super) has_long_states: bool,
    pub(super) without_source: usize,
}

/// The number of services in a state.
pub(super) struct StateCount {
    pub(super) word: &'static str,
    pub(super) phrase: &'static str,
    pub(super) meaning: &'static str,
    /// The concern of the least urgent service, because one suspect address must not make the others look urgent.
    pub(super) concern: Concern,
    pub(super) services: usize,
}

impl StateCount {
    /// Counts the services in each state; the most urgent state first.
    fn of_states<'s>(states: impl Iterator<Item = &'s ShownState>) -> Vec<Self> {
        let mut counts: BTreeMap<&str, Self> = BTreeMap::new();
        for ShownState { word, phrase, meaning, concern, .. } in states {
            let new = Self { word, phrase, meaning, concern: *concern, services: 0 };
            let count = counts.entry(word).or_insert(new);
            count.services += 1;
            count.concern = count.concern.max(*concern);
        }
        let mut counts: Vec<Self> = counts.into_values().collect();
        counts.sort_by_key(|count| count.concern);
        counts
    }
}

/// Buttons that filter the services by one part of their names.
pub(super) struct ChipGroup {
    pub(super) label: &'static str,
    /// The name of the filter in the address.
    pub(super) filter: &'static str,
    pub(super) chips: Vec<Chip>,
}

pub(super) struct Chip {
    pub(super) name: String,
    pub(super) services: usize,
}

impl ChipGroup {
    /// Makes a button for each of the most frequent names, main branches first; none if all services have one name.
    /// Branches of one service have none, because there are as many of them as services.
    fn new<'s>(label: &'static str, filter: &'static str, names: impl Iterator<Item = &'s str>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let has_choice = counts.len() > 1;
        let is_rare = |name: &str, services| filter == BRANCH && services == 1 && !is_trunk(name);
        let is_choice =
            |(name, services): &(&str, usize)| has_choice && !name.is_empty() && !is_rare(name, *services);
        let mut chosen: Vec<(&str, usize)> = counts.into_iter().filter(is_choice).collect();
        chosen.sort_by_key(|(name, services)| Reverse((is_trunk(name), *services)));
        chosen.truncate(if filter == BRANCH { BRANCHES } else { ENVIRONMENTS });
        let chip = |(name, services)| Chip { name: printable(name).into_owned(), services };
        Self { label, filter, chips: chosen.into_iter().map(chip).collect() }
    }
}

pub(super) struct AppRows<'s> {
    pub(super) name: String,
    pub(super) folder: &'s str,
    pub(super) rows: Vec<ServiceRow<'s>>,
}

impl<'s> IndexPage<'s> {
    pub(super) fn new(apps: &'s [App], reports: &'s HashMap<String, SourceShown>) -> Self {
        let rows = |app: &'s App| {
            let of_place = |place: &'s EnvRegion| {
                let mut rows: Vec<ServiceRow<'s>> = Vec::new();
                for branch in &place.branches {
                    rows.extend(
                        branch.current().map(|service| ServiceRow::new(app, place, branch, service, reports)),
                    );
                }
                rows
            };
            app.places.iter().flat_map(of_place)
        };
        let all = || apps.iter().flat_map(rows);
        let services: Vec<&'s Service> = all().map(|row| row.service).collect();
        let numbered = all().enumerate().map(|(number, row)| ServiceRow { number, ..row });
        let tables: Vec<AppRows<'s>> = apps
            .iter()
            .map(|app| AppRows {
                name: printable(&app.name).into_owned(),
                folder: &app.folder,
                rows: rows(app).collect(),
            })
            .collect();
        let treemap = Treemap::new(&parts(&tables));
        Self {
            frame: PageFrame::new(coverage_of(apps.iter().flat_map(|app| &app.places))),
            has_long_states: services.iter().any(|service| service.state.is_long()),
            counts: StateCount::of_states(services.iter().map(|service| &service.state)),
            number: services.len(),
            newest: services.iter().filter_map(|service| service.last_pull).max().map(Moment),
            chips: [
                ChipGroup::new("Environment", "env", services.iter().map(|service| &*service.env)),
                ChipGroup::new("Branch", BRANCH, services.iter().map(|service| &*service.branch)),
            ],
            attention: Attention::new(numbered),
            unmapped: services.len() - treemap.as_ref().map_or(0, |treemap| treemap.areas.len()),
            treemap,
            apps: tables,
            without_source: reports.values().filter(|report| **report == SourceShown::None).count(),
        }
    }
}

/// Returns the services as parts of their apps, in the order of the table.
fn parts(apps: &[AppRows<'_>]) -> Part {
    let mut all = Part::group(String::new(), String::new());
    for app in apps {
        let mut of_app = Part::group(app.name.clone(), app.name.clone());
        for row in &app.rows {
            of_app.add(area(row));
        }
        all.add(of_app);
    }
    all
}

/// Returns the area of a service, which leads to its report, or to the page of its app.
fn area(row: &ServiceRow<'_>) -> Part {
    let name = [&row.place, &row.branch].into_iter().filter(|part| !part.is_empty());
    let address = match &row.report {
        Some(report) => report.path.to_owned(),
        None => format!("{}/index.html#{}", row.folder, row.anchor),
    };
    Part {
        name: name.map(String::as_str).collect::<Vec<_>>().join(" "),
        coverage: row.service.total.as_ref().and_then(|total| total.coverage).unwrap_or_default(),
        key: printable(&row.service.name).into_owned(),
        kind: PartKind::Area { title: row.title(), address },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_names_have_buttons_and_main_branches_come_first() {
        let of = |filter: &'static str, names: &[&'static str]| -> Vec<(String, usize)> {
            let group = ChipGroup::new("Label", filter, names.iter().copied());
            group.chips.into_iter().map(|chip| (chip.name, chip.services)).collect()
        };
        let named = |names: &[(&str, usize)]| -> Vec<(String, usize)> {
            names.iter().map(|(name, services)| ((*name).to_owned(), *services)).collect()
        };
        let branches = ["b", "a", "main", "b", ""];
        assert_eq!(of("env", &branches), named(&[("main", 1), ("b", 2), ("a", 1)]));
        assert_eq!(of(BRANCH, &branches), named(&[("main", 1), ("b", 2)]));
        let many = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"];
        assert_eq!(of("env", &many[..7]).len(), 7);
        assert_eq!(of("env", &many).len(), ENVIRONMENTS);
        assert_eq!(of("env", &["main", "main"]), [], "there is no choice");
    }
}
