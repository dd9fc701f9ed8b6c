//! The page of an app: its branches and commits, by environment and region.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io;

use askama::Template;

use super::address::segment;
use super::change::Change;
use super::chart::{History, HistoryChart};
use super::frame::{Attention, PageFrame, ReportLink, ServiceRow, coverage_of};
use super::manifest::SourceShown;
use super::matrix::Matrix;
use super::model::{App, Branch, EnvRegion, HistoryRow, Service, ShownState, Total};
use super::moment::{ShownCommit, base_of, counted, shown_lines};
use crate::names::printable;
use crate::report::html::{grouped, json_in_markup};

/// Number of earlier commits of a branch that the page of its app shows at first. `history.json` has all commits.
const COMMITS: usize = 10;

#[derive(Template)]
#[template(path = "app.html")]
pub(super) struct AppPage<'s> {
    pub(super) frame: PageFrame,
    pub(super) name: String,
    /// The total of its environments, or the lowest and the highest of several.
    pub(super) totals: Option<String>,
    pub(super) attention: Attention<'s>,
    pub(super) matrix: Option<Matrix<'s>>,
    pub(super) chart: Option<HistoryChart>,
    /// The figures of the chart as JSON.
    pub(super) values: String,
    pub(super) places: Vec<EnvRegionView<'s>>,
}

/// An environment and region in the page of its app.
pub(super) struct EnvRegionView<'s> {
    pub(super) name: String,
    pub(super) anchor: String,
    pub(super) latest: Option<ServiceRow<'s>>,
    pub(super) trunk: Option<String>,
    /// The table has changed lines in at least one row.
    pub(super) has_changes: bool,
    pub(super) branches: Vec<BranchView<'s>>,
}

pub(super) struct BranchView<'s> {
    /// The beginning of the fragments of its rows.
    anchor: String,
    pub(super) newest: ServiceRow<'s>,
    pub(super) since_trunk: Option<Change>,
    pub(super) since_previous: Option<Change>,
    /// No other commit of the branch was stored.
    pub(super) is_first: bool,
    /// The newest of its earlier commits.
    pub(super) earlier: Vec<EarlierCommit<'s>>,
    /// The commits before them that have a report, which are folded.
    pub(super) folded: Vec<EarlierCommit<'s>>,
    pub(super) left_out: usize,
}

/// An earlier commit of a branch.
pub(super) struct EarlierCommit<'s> {
    pub(super) commit: ShownCommit<'s>,
    pub(super) total: Option<&'s Total>,
    pub(super) since_previous: Option<Change>,
    /// No earlier commit of the branch was stored.
    pub(super) is_first: bool,
    pub(super) state: Option<&'s ShownState>,
    pub(super) report: Option<ReportLink<'s>>,
    pub(super) is_dropped: bool,
}

impl<'s> AppPage<'s> {
    pub(super) fn new(app: &'s App, reports: &'s HashMap<String, SourceShown>) -> io::Result<Self> {
        let view = |place: &'s EnvRegion| {
            let latest = place.latest();
            let mut services = place.branches.iter().flat_map(|branch| &branch.services);
            let has_changes =
                services.any(|service| service.total.as_ref().is_some_and(|total| total.changed.is_some()));
            EnvRegionView {
                has_changes,
                name: place.name(),
                anchor: place.anchor(),
                latest: latest.map(|(branch, service)| ServiceRow::new(app, place, branch, service, reports)),
                trunk: place.trunk().map(|branch| printable(&branch.name).into_owned()),
                branches: place
                    .branches
                    .iter()
                    .map(|branch| BranchView::new(app, place, branch, reports))
                    .collect(),
            }
        };
        let rows = |place: &'s EnvRegion| {
            let of = move |branch: &'s Branch| {
                let row = move |service| ServiceRow::new(app, place, branch, service, reports);
                branch.current().map(row)
            };
            place.branches.iter().flat_map(of)
        };
        let places: Vec<EnvRegionView<'s>> = app.places.iter().map(view).collect();
        let chart = HistoryChart::new(&histories(app, &places, reports));
        let values = chart.as_ref().map(|chart| json_in_markup(&chart.values)).transpose()?;
        Ok(Self {
            attention: Attention::new(app.places.iter().flat_map(rows)),
            frame: PageFrame::new(coverage_of(&app.places)),
            name: printable(&app.name).into_owned(),
            totals: totals(&app.places),
            matrix: Matrix::new(app, reports),
            values: values.unwrap_or_default(),
            chart,
            places,
        })
    }
}

/// Returns the newest total of an app, or the lowest and the highest one of its environments; `None` without data.
fn totals(places: &[EnvRegion]) -> Option<String> {
    let mut all: Vec<&Total> = places.iter().filter_map(|place| place.latest()?.1.total.as_ref()).collect();
    all.sort_by(|a, b| a.percent().total_cmp(&b.percent()));
    let (low, high) = (all.first()?.shown(), all.last()?.shown());
    Some(if low == high { low } else { format!("{} – {high}", low.trim_end_matches('%')) })
}

/// Returns the lines of the chart: the branch that represents each environment and region, then the others, the newest
/// first.
fn histories(app: &App, views: &[EnvRegionView<'_>], reports: &HashMap<String, SourceShown>) -> Vec<History> {
    let mut lines = Vec::new();
    for (place, view) in app.places.iter().zip(views) {
        let latest = place.latest().map(|(branch, _)| branch);
        for (branch, table) in place.branches.iter().zip(&view.branches) {
            let Some(service) = branch.stored() else { continue };
            let is_latest = latest.is_some_and(|latest| std::ptr::eq(latest, branch));
            let row = service.total.as_ref().map(|total| total.row);
            let report = |(service, _): (&Service, bool)| {
                let path = branch.report(service);
                reports.contains_key(&path).then(|| (service.commit.clone(), format!("../{path}")))
            };
            let history = History {
                name: [&place.name(), &branch.name].map(String::as_str).join(" ").trim().to_owned(),
                points: place.points(branch),
                last_pull: service.last_pull,
                reports: branch.reported().filter_map(report).collect(),
                rows: table.rows(),
            };
            lines.push((Reverse((is_latest, row)), history));
        }
    }
    lines.sort_by_key(|(rank, _)| *rank);
    lines.into_iter().map(|(_, history)| history).collect()
}

impl EnvRegionView<'_> {
    /// Returns the number of columns of its table.
    pub(super) fn columns(&self) -> usize {
        8 + usize::from(self.has_changes)
    }
}

impl<'s> BranchView<'s> {
    fn new(
        app: &'s App,
        place: &'s EnvRegion,
        branch: &'s Branch,
        reports: &'s HashMap<String, SourceShown>,
    ) -> Self {
        let newest = branch.newest();
        let shown = |hash: &'s str| ShownCommit { hash, links: app.links.as_ref() };
        // The last total of each commit, including deleted ones.
        let mut last: BTreeMap<&str, &HistoryRow> = BTreeMap::new();
        for past in place.history.iter().filter(|past| branch.has(past)) {
            last.insert(&past.commit, past);
        }
        let mut earlier: Vec<EarlierCommit<'s>> = Vec::new();
        for service in &branch.services[1..] {
            let past = last.remove(service.commit.as_str());
            earlier.push(EarlierCommit {
                commit: shown(&service.commit),
                total: service.total.as_ref().or(past.map(|past| &past.total)),
                since_previous: None,
                is_first: false,
                state: Some(&service.state),
                report: ReportLink::to(branch, service, reports),
                is_dropped: service.total.is_none() && past.is_some_and(|past| past.is_dropped),
            });
        }
        last.remove(newest.commit.as_str());
        earlier.extend(last.into_values().map(|past| EarlierCommit {
            commit: shown(&past.commit),
            total: Some(&past.total),
            since_previous: None,
            is_first: false,
            state: None,
            report: None,
            is_dropped: past.is_dropped,
        }));
        earlier.sort_by_key(|earlier| Reverse(earlier.total.map(|total| total.row)));
        let totals: Vec<Option<&Total>> = earlier.iter().map(|earlier| earlier.total).collect();
        for (index, earlier) in earlier.iter_mut().enumerate() {
            let before = totals.get(index + 1).copied().flatten();
            earlier.since_previous = earlier.total.zip(before).map(|(now, before)| now.since(before));
            earlier.is_first = index + 1 == totals.len() && earlier.total.is_some();
        }
        let (folded, left_out): (Vec<_>, Vec<_>) =
            earlier.split_off(earlier.len().min(COMMITS)).into_iter().partition(|past| past.report.is_some());
        let before = totals.first().copied().flatten();
        let trunk = place.trunk().filter(|trunk| !std::ptr::eq(*trunk, branch));
        let trunk = trunk.and_then(|trunk| trunk.stored()?.total.as_ref());
        let since =
            |before: Option<&Total>| newest.total.as_ref().zip(before).map(|(now, before)| now.since(before));
        Self {
            anchor: format!("{}/{}", place.anchor(), segment(&branch.name)),
            newest: ServiceRow::new(app, place, branch, newest, reports),
            since_trunk: since(trunk),
            since_previous: since(before),
            is_first: totals.is_empty() && newest.total.is_some(),
            earlier,
            folded,
            left_out: left_out.len(),
        }
    }

    /// Returns the fragment of the row of a commit.
    pub(super) fn row<'c>(&self, commit: impl Borrow<ShownCommit<'c>>) -> String {
        format!("{}/{}", self.anchor, segment(commit.borrow().hash))
    }

    /// Returns the addresses of its rows by their commits.
    fn rows(&self) -> HashMap<String, String> {
        let newest = [self.newest.commit()];
        let earlier = self.earlier.iter().chain(&self.folded);
        let commits = earlier.map(|earlier| &earlier.commit).chain(&newest);
        commits.map(|commit| (commit.hash.to_owned(), format!("#{}", self.row(commit)))).collect()
    }
}
