//! The parts that all pages of a site have: style, script and their hashes, and the rows of services.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::chart::Sparkline;
use super::manifest::SourceShown;
use super::model::{App, Branch, EnvRegion, Service};
use super::moment::Moment;
use crate::names::printable;
use crate::report::html::{hash, script};

/// The kind of agent that is not mentioned where it is the only one.
const GOC: &str = "goc";

/// Style and script must be in each page unchanged, because its policy has their hashes.
const STYLE: &str = concat!(include_str!("../html/base.css"), include_str!("site.css"));
static SCRIPT: LazyLock<String> =
    LazyLock::new(|| script::without_comments(&[script::SHARED, include_str!("site.js")]));

/// The head of each page.
pub(super) struct PageFrame {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) style_hash: String,
    pub(super) script_hash: String,
    pub(super) version: &'static str,
}

impl PageFrame {
    pub(super) fn new() -> Self {
        Self {
            style: STYLE,
            script: &SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(&SCRIPT),
            version: env!("CARGO_PKG_VERSION"),
        }
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
    pub(super) spark: Option<Sparkline>,
    pub(super) report: Option<ReportLink<'s>>,
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
            spark: if branch.is_stored(service) {
                Sparkline::from_points(&place.points(&branch.name))
            } else {
                None
            },
            report: ReportLink::to(branch, service, reports),
        }
    }

    pub(super) fn commit(&self) -> String {
        printable(&self.service.commit).into_owned()
    }

    /// Returns the words that distinguish the service from all others.
    pub(super) fn title(&self) -> String {
        let Self { app, place, branch, .. } = self;
        let commit = self.commit();
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
}
