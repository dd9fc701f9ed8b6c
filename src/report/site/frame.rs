//! The parts that all pages of a site have: style, script and their hashes, and the rows of services.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::change::Change;
use super::manifest::SourceShown;
use super::model::{App, Branch, EnvRegion, Service};
use super::moment::{Moment, ShownCommit};
use super::spark::Sparkline;
use crate::coverage::Coverage;
use crate::names::printable;
use crate::report::HostLinks;
use crate::report::html::{hash, icon, script};

/// The kind of agent that is not mentioned where it is the only one.
const GOC: &str = "goc";

/// Number of services that need attention above the table, so that the table begins on the first screen.
const FEW: usize = 3;

/// Style and script must be in each page unchanged, because its policy has their hashes.
const STYLE: &str = concat!(
    include_str!("../html/base.css"),
    include_str!("site.css"),
    include_str!("../treemap/treemap.css")
);
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    script::without_comments(&[
        script::SHARED,
        include_str!("script/filters.js"),
        include_str!("script/attention.js"),
        include_str!("script/services.js"),
        include_str!("script/places.js"),
        include_str!("script/chart.js"),
        include_str!("script/start.js"),
    ])
});

/// The head of each page.
pub(super) struct PageFrame {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) style_hash: String,
    pub(super) script_hash: String,
    pub(super) version: &'static str,
    pub(super) icon: String,
}

impl PageFrame {
    /// Returns the head of a page whose icon shows a coverage.
    pub(super) fn new(coverage: Coverage) -> Self {
        Self {
            style: STYLE,
            script: &SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(&SCRIPT),
            version: env!("CARGO_PKG_VERSION"),
            icon: icon(coverage),
        }
    }
}

/// Returns the coverage of all statements of the services that represent these places.
pub(super) fn coverage_of<'s>(places: impl IntoIterator<Item = &'s EnvRegion>) -> Coverage {
    let totals = places.into_iter().filter_map(|place| place.latest()?.1.total.as_ref());
    totals.filter_map(|total| total.coverage).sum()
}

/// The services that need attention, the most urgent first.
pub(super) struct Attention<'s> {
    /// The services that are shown at first.
    pub(super) first: Vec<ServiceRow<'s>>,
    /// The services that are shown when asked for.
    pub(super) more: Vec<ServiceRow<'s>>,
}

impl<'s> Attention<'s> {
    pub(super) fn new(rows: impl Iterator<Item = ServiceRow<'s>>) -> Self {
        let mut first: Vec<ServiceRow<'s>> = rows.filter(|row| row.service.state.concern.is_any()).collect();
        first.sort_by_key(|row| row.service.state.concern);
        let more = first.split_off(first.len().min(FEW));
        Self { first, more }
    }

    pub(super) fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }
}

/// A service in the table of all services, or in a list.
pub(super) struct ServiceRow<'s> {
    pub(super) app: String,
    pub(super) folder: &'s str,
    pub(super) place: String,
    /// Fragment of the branch in the page of its app.
    pub(super) anchor: String,
    pub(super) branch: String,
    pub(super) service: &'s Service,
    /// The links to the host of its repository.
    pub(super) links: Option<&'s HostLinks>,
    pub(super) spark: Option<Sparkline>,
    pub(super) week: Option<Change>,
    pub(super) report: Option<ReportLink<'s>>,
    /// Its number among all rows of the page.
    pub(super) number: usize,
}

/// A link to an existing report.
pub(super) struct ReportLink<'s> {
    pub(super) path: &'s str,
    pub(super) has_text: bool,
}

impl<'s> ReportLink<'s> {
    pub(super) fn to(
        branch: &Branch,
        service: &Service,
        reports: &'s HashMap<String, SourceShown>,
    ) -> Option<Self> {
        let (path, report) = reports.get_key_value(&branch.report(service))?;
        Some(Self { path, has_text: *report != SourceShown::None })
    }
}

impl<'s> ServiceRow<'s> {
    pub(super) fn new(
        app: &'s App,
        place: &'s EnvRegion,
        branch: &'s Branch,
        service: &'s Service,
        reports: &'s HashMap<String, SourceShown>,
    ) -> Self {
        Self {
            app: printable(&app.name).into_owned(),
            folder: &app.folder,
            place: place.name(),
            anchor: place.anchor(),
            branch: printable(&branch.name).into_owned(),
            service,
            links: app.links.as_ref(),
            spark: if branch.is_stored(service) {
                Sparkline::new(&place.points(branch), service.last_pull)
            } else {
                None
            },
            week: branch.week_of(service),
            report: ReportLink::to(branch, service, reports),
            number: 0,
        }
    }

    pub(super) fn commit(&self) -> ShownCommit<'_> {
        ShownCommit { hash: &self.service.commit, links: self.links }
    }

    /// Returns the words that distinguish the service from all others.
    pub(super) fn title(&self) -> String {
        let Self { app, place, branch, .. } = self;
        let commit = self.commit().short();
        let parts = [app, place, branch, &commit].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Returns the words in which the search looks.
    pub(super) fn words(&self) -> String {
        let Service { name, also, targets, agents, env, region, app, branch, commit, state, .. } =
            self.service;
        let words = [name, env, region, app, branch, commit, &state.text];
        let words = words.into_iter().chain(also).chain(targets).chain(agents);
        printable(&words.map(String::as_str).collect::<Vec<_>>().join(" ")).to_lowercase()
    }

    pub(super) fn pulled(&self) -> Option<Moment> {
        self.service.last_pull.map(Moment)
    }

    /// Returns its covered and all statements; `None` without data, or if another program stored them.
    pub(super) fn coverage(&self) -> Option<Coverage> {
        self.service.total.as_ref()?.coverage
    }

    /// Returns the sources of targets that list the service, in one line.
    pub(super) fn targets(&self) -> String {
        printable(&self.service.targets.join(" ")).into_owned()
    }

    /// Returns the kinds of its agents, in one line; empty where all are of goc, or none is known.
    pub(super) fn agents(&self) -> String {
        match &self.service.agents[..] {
            [only] if only == GOC => String::new(),
            agents => agents.join(", "),
        }
    }

    /// Returns what an index says of the origin of its data beside the name; empty where a center lists agents of goc.
    pub(super) fn origin(&self) -> String {
        let said = [("agent", self.agents()), ("targets", self.targets())];
        let said = said.into_iter().filter(|(_, text)| !text.is_empty());
        said.map(|(what, text)| format!("{what} {text}")).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn errors(&self) -> Vec<String> {
        self.service.errors.iter().map(|error| printable(error).into_owned()).collect()
    }

    /// Returns the reason for its state in a line: the first error, or the meaning of the state.
    pub(super) fn reason(&self) -> String {
        let errors = self.errors();
        match &errors[..] {
            [] => self.service.state.meaning.to_owned(),
            [only] => only.clone(),
            [first, more @ ..] => format!("{first} (+{})", more.len()),
        }
    }
}
