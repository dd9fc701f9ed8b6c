//! A static site of everything that is stored: which services there are and how each does, the branches and commits
//! of an app beside each other, and files with stable addresses for others to embed.
//!
//! Pure: what is stored goes in, files come out. The pages are plain HTML that works without script; nothing in them
//! tells how long ago something was, or they would change without a reason: times are absolute, and the script says
//! the rest. The reports that they link to are written by the engine, each by itself.
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
//! <app>/<env>/<region>/<branch>/<commit>/report.html     of another commit, while it runs
//! ```
mod address;
mod app_page;
mod chart;
mod frame;
mod index_page;
mod json;
mod manifest;
mod model;
mod moment;

use std::collections::{BTreeMap, HashMap};
use std::io;

use askama::Template;

use super::forms::{Form, Renderer};
use super::{badge, html};
use crate::names::printable;
use crate::time::minute;

use address::{BADGE, HISTORY, INDEX, INDEX_JSON, LATEST, segment};
use app_page::AppPage;
use index_page::IndexPage;
use model::{App, Branch, EnvRegion};

pub(crate) use manifest::{Manifest, Need, Origin, Shown, Text, Written};
pub(crate) use model::{Concern, Page, Past, Service, State, Total};

pub(super) const FORM: Form = Form::new(
    "site",
    "With --all: a folder of static pages of everything that is stored, with reports, badges and JSON",
    Renderer::Folder,
);

/// Returns a digest that changes when reports of the same data would look or work differently.
#[must_use]
pub(crate) fn page_version() -> String {
    html::version()
}

/// Everything that is stored, as a site shows it.
#[derive(Debug)]
pub(crate) struct Site {
    apps: Vec<App>,
}

impl Site {
    /// Sorts what is stored; the history with its oldest row first.
    #[must_use]
    pub(crate) fn new(services: Vec<Service>, history: Vec<Past>) -> Self {
        type Places = BTreeMap<(String, String), (BTreeMap<String, Vec<Service>>, Vec<Past>)>;
        let mut apps: BTreeMap<String, Places> = BTreeMap::new();
        for service in services {
            let place = (service.env.clone(), service.region.clone());
            let (branches, _) = apps.entry(service.app.clone()).or_default().entry(place).or_default();
            branches.entry(service.branch.clone()).or_default().push(service);
        }
        for past in history {
            // A key that was dropped, and that no center lists, is no part of the site.
            let place = (past.env.clone(), past.region.clone());
            if let Some((_, rows)) = apps.get_mut(&past.app).and_then(|places| places.get_mut(&place)) {
                rows.push(past);
            }
        }
        let app = |(name, places): (String, Places)| {
            let folder = segment(&name);
            let places = places.into_iter().map(|((env, region), (branches, history))| {
                let folder = format!("{folder}/{}/{}", segment(&env), segment(&region));
                let mut branches: Vec<Branch> = branches
                    .into_iter()
                    .map(|(name, mut services)| {
                        services.sort_by_key(Service::rank);
                        Branch { folder: format!("{folder}/{}", segment(&name)), name, services }
                    })
                    .collect();
                branches.sort_by_key(|branch| branch.newest().rank());
                EnvRegion { env, region, folder, branches, history }
            });
            App { places: places.collect(), name, folder }
        };
        Self { apps: apps.into_iter().map(app).collect() }
    }

    /// Returns the reports that the site links to: that of each branch's newest commit, and those of what else runs.
    #[must_use]
    pub(crate) fn pages(&self) -> Vec<Page> {
        let places = self.apps.iter().flat_map(|app| &app.places);
        let branches = places.flat_map(|place| &place.branches);
        let pages = branches.flat_map(|branch| {
            branch.current().filter_map(|service| {
                Some(Page {
                    path: branch.report(service),
                    row: service.total.as_ref()?.row,
                    service: service.name.clone(),
                    branch: branch.name.clone(),
                })
            })
        });
        pages.collect()
    }

    /// Hands on every file but the reports, of which those are told that are there.
    pub(crate) fn write<E: From<io::Error>>(
        &self,
        reports: &HashMap<String, Shown>,
        mut put: impl FnMut(&str, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for app in &self.apps {
            put(&format!("{}/{INDEX}", app.folder), rendered(&AppPage::new(app, reports))?)?;
            for place in &app.places {
                let history = json::History::new(app, place);
                put(&format!("{}/{HISTORY}", place.folder), json::text(&history)?)?;
                let of_place = place.latest().map(|(branch, service)| (&place.folder, branch, service));
                let of_branches = place.branches.iter().filter_map(|branch| {
                    let service = branch.stored()?;
                    Some((&branch.folder, branch, service))
                });
                for (folder, branch, service) in of_place.into_iter().chain(of_branches) {
                    let latest = json::Latest::new(app, place, branch, service, reports);
                    put(&format!("{folder}/{LATEST}"), json::text(&latest)?)?;
                    put(&format!("{folder}/{BADGE}"), badge_of(service)?)?;
                }
            }
        }
        put(INDEX_JSON, json::text(&json::Index::new(&self.apps, reports))?)?;
        // The last, so that what it links to is there.
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
