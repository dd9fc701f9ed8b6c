//! The page of all services.

use std::collections::{BTreeMap, HashMap};

use askama::Template;

use super::frame::{PageFrame, ServiceRow};
use super::manifest::SourceShown;
use super::model::{App, Concern, EnvRegion, ShownState};
use super::moment::Moment;
use crate::names::printable;
use crate::report::html::grouped;

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct IndexPage<'s> {
    pub(super) frame: PageFrame,
    pub(super) counts: Vec<StateCount>,
    pub(super) number: usize,
    pub(super) newest: Option<Moment>,
    pub(super) attention: Vec<ServiceRow<'s>>,
    pub(super) apps: Vec<AppRows<'s>>,
    pub(super) without_source: usize,
}

/// The number of services in a state.
pub(super) struct StateCount {
    pub(super) word: &'static str,
    pub(super) phrase: &'static str,
    /// The concern of the least urgent service, because one suspect address must not make the others look urgent.
    pub(super) concern: Concern,
    pub(super) services: usize,
}

impl StateCount {
    /// Counts the services in each state; the most urgent state first.
    fn of_states<'s>(states: impl Iterator<Item = &'s ShownState>) -> Vec<Self> {
        let mut counts: BTreeMap<&str, Self> = BTreeMap::new();
        for ShownState { word, phrase, concern, .. } in states {
            let new = Self { word, phrase, concern: *concern, services: 0 };
            let count = counts.entry(word).or_insert(new);
            count.services += 1;
            count.concern = count.concern.max(*concern);
        }
        let mut counts: Vec<Self> = counts.into_values().collect();
        counts.sort_by_key(|count| count.concern);
        counts
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
        let mut attention: Vec<ServiceRow<'s>> =
            all().filter(|row| row.service.state.concern.is_any()).collect();
        attention.sort_by_key(|row| row.service.state.concern);
        Self {
            frame: PageFrame::new(),
            counts: StateCount::of_states(all().map(|row| &row.service.state)),
            number: all().count(),
            newest: all().filter_map(|row| row.service.last_pull).max().map(Moment),
            attention,
            apps: apps
                .iter()
                .map(|app| AppRows {
                    name: printable(&app.name).into_owned(),
                    folder: &app.folder,
                    rows: rows(app).collect(),
                })
                .collect(),
            without_source: reports.values().filter(|report| **report == SourceShown::None).count(),
        }
    }
}
