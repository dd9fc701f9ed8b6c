//! A static site of all stored data: the services with their states, the branches and commits of each app beside each
//! other, and files at stable addresses that other pages can embed.
//!
//! Pure: the input is the stored records, the output is files. The pages are plain HTML that works without script.
//! Times in them are absolute, because relative ones would change the files in every run; the script adds the ages. The
//! engine writes each report to which the pages link.
//!
//! ```text
//! index.html  index.json                     all services
//! <app>/index.html                           branches and commits, by environment and region
//! <app>/<env>/<region>/badge.svg             of the service that speaks for all there
//!                     /latest.json
//!                     /history.json          all totals
//! <app>/<env>/<region>/<branch>/badge.svg    of the newest commit of a branch
//!                              /latest.json
//!                              /report.html
//! <app>/<env>/<region>/<branch>/<commit>/report.html     of another commit: those that run, and the newest 20 others
//! ```
mod address;
mod app_page;
mod change;
mod chart;
mod frame;
mod index_page;
mod json;
mod labels;
mod manifest;
mod matrix;
mod model;
mod moment;
mod spark;

use std::collections::{BTreeMap, HashMap};
use std::io;

use askama::Template;
use chrono::{DateTime, Utc};

use super::forms::{Form, Renderer};
use super::{HostLinks, badge, html};
use crate::names::printable;
use crate::time::minute;

use address::{BADGE, HISTORY, INDEX, INDEX_JSON, LATEST, segment};
use app_page::AppPage;
use index_page::IndexPage;
use model::{App, Branch, EnvRegion};

pub(crate) use manifest::{Manifest, ReportOrigin, ReportSource, ReportWork, SiteFile, SourceShown};
pub(crate) use model::{Concern, HistoryRow, LinkedReport, Service, ShownState, Total};

pub(super) const FORM: Form = Form::new(
    "site",
    "With --all: a folder of static pages of all stored data, with reports, badges and JSON",
    Renderer::Folder,
);

/// Returns a digest that changes when reports of the same data change their look or behaviour.
#[must_use]
pub(crate) fn page_version() -> String {
    html::version()
}

/// The stored data of a site.
#[derive(Debug)]
pub(crate) struct Site {
    apps: Vec<App>,
}

impl Site {
    /// Sorts services and history into apps. The history has its oldest row first. `now` is the time to which the
    /// changes of the last 7 days lead.
    #[must_use]
    pub(crate) fn new(services: Vec<Service>, history: Vec<HistoryRow>, now: DateTime<Utc>) -> Self {
        type EnvRegions = BTreeMap<(String, String), (BTreeMap<String, Vec<Service>>, Vec<HistoryRow>)>;
        let mut apps: BTreeMap<String, EnvRegions> = BTreeMap::new();
        for service in services {
            let place = (service.env.clone(), service.region.clone());
            let (branches, _) = apps.entry(service.app.clone()).or_default().entry(place).or_default();
            branches.entry(service.branch.clone()).or_default().push(service);
        }
        for past in history {
            // A key that was deleted and is not listed is not part of the site.
            let place = (past.env.clone(), past.region.clone());
            if let Some((_, rows)) = apps.get_mut(&past.app).and_then(|places| places.get_mut(&place)) {
                rows.push(past);
            }
        }
        let app = |(name, places): (String, EnvRegions)| {
            let folder = segment(&name);
            let places = places.into_iter().map(|((env, region), (branches, history))| {
                let folder = format!("{folder}/{}/{}", segment(&env), segment(&region));
                let mut branches: Vec<Branch> = branches
                    .into_iter()
                    .map(|(name, services)| {
                        let folder = format!("{folder}/{}", segment(&name));
                        Branch::new(name, folder, services, (&history, now))
                    })
                    .collect();
                branches.sort_by_key(|branch| branch.newest().rank());
                EnvRegion { env, region, folder, branches, history }
            });
            App { places: places.collect(), name, folder, links: None }
        };
        Self { apps: apps.into_iter().map(app).collect() }
    }

    /// Lets commits lead to the host of the repository of their app. `links` has the apps whose host is known.
    #[must_use]
    pub(crate) fn with_host_links(mut self, links: &HashMap<String, HostLinks>) -> Self {
        for app in &mut self.apps {
            app.links = links.get(&app.name).cloned();
        }
        self
    }

    /// Returns the reports to which the site links: of each branch those of its newest commit with data, of all running
    /// commits, and of the newest others. The others come last.
    #[must_use]
    pub(crate) fn pages(&self) -> Vec<LinkedReport> {
        let places = self.apps.iter().flat_map(|app| &app.places);
        let branches = places.flat_map(|place| &place.branches);
        let pages = branches.flat_map(|branch| {
            branch.reported().filter_map(|(service, is_current)| {
                Some(LinkedReport {
                    path: branch.report(service),
                    row: service.total.as_ref()?.row,
                    service: service.name.clone(),
                    branch: branch.name.clone(),
                    is_current,
                })
            })
        });
        let mut pages: Vec<LinkedReport> = pages.collect();
        pages.sort_by_key(|page| !page.is_current);
        pages
    }

    /// Calls `put` with each file except the reports. `reports` has the paths of the reports that exist.
    pub(crate) fn write<E: From<io::Error>>(
        &self,
        reports: &HashMap<String, SourceShown>,
        mut put: impl FnMut(&str, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for app in &self.apps {
            put(&format!("{}/{INDEX}", app.folder), rendered(&AppPage::new(app, reports)?)?)?;
            for place in &app.places {
                let history = json::HistoryJson::new(app, place);
                put(&format!("{}/{HISTORY}", place.folder), json::text(&history)?)?;
                let of_place = place.latest().map(|(branch, service)| (&place.folder, branch, service));
                let of_branches = place.branches.iter().filter_map(|branch| {
                    let service = branch.stored()?;
                    Some((&branch.folder, branch, service))
                });
                for (folder, branch, service) in of_place.into_iter().chain(of_branches) {
                    let latest = json::LatestJson::new(app, place, branch, service, reports);
                    put(&format!("{folder}/{LATEST}"), json::text(&latest)?)?;
                    put(&format!("{folder}/{BADGE}"), badge_of(service)?)?;
                }
            }
        }
        put(INDEX_JSON, json::text(&json::IndexJson::new(&self.apps, reports))?)?;
        // The index comes last, so that the files to which it links exist.
        put(INDEX, rendered(&IndexPage::new(&self.apps, reports))?)
    }
}

fn badge_of(service: &Service) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let total = service.total.as_ref();
    let title = match total {
        Some(total) => {
            format!("{}: row {}, stored {}", printable(&service.name), total.row, minute(total.stored_at))
        }
        None => printable(&service.name).into_owned(),
    };
    let value = total.filter(|total| total.grade() != "none").map(|total| (total.percent(), total.shown()));
    badge::draw(value.as_ref().map(|(percent, shown)| (*percent, shown.as_str())), &title, &mut out)?;
    Ok(out)
}

fn rendered(page: &impl Template) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Template::write_into(page, &mut out)?;
    out.push(b'\n');
    Ok(out)
}
