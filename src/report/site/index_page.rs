//! The page of all services.

use std::collections::HashMap;

use askama::Template;

use super::frame::{PageFrame, ServiceRow};
use super::manifest::SourceShown;
use super::model::{App, Concern, EnvRegion};
use super::moment::Moment;
use crate::names::printable;
use crate::report::html::grouped;

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct IndexPage<'s> {
    pub(super) frame: PageFrame,
    pub(super) counts: Vec<(Concern, usize)>,
    pub(super) number: usize,
    pub(super) newest: Option<Moment>,
    pub(super) attention: Vec<ServiceRow<'s>>,
    pub(super) apps: Vec<AppRows<'s>>,
    pub(super) without_source: usize,
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
        let count = |concern| (concern, all().filter(|row| row.service.state.concern == concern).count());
        let concerns = [Concern::Failing, Concern::Stale, Concern::Fine, Concern::New, Concern::Gone];
        Self {
            frame: PageFrame::new(),
            counts: concerns.map(count).into_iter().filter(|(_, number)| *number > 0).collect(),
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
