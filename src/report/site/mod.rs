//! A static site of everything that is stored: which services there are and how each does, the branches and commits
//! of an app beside each other, and files with stable addresses for others to embed.
//!
//! Pure: what is stored goes in, files come out. The pages are plain HTML that works without script; nothing in them
//! tells how long ago something was, or they would change without a reason: times are absolute, and the script says
//! the rest. The reports that they link to are written by the command, each by itself.
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
mod chart;
mod json;
mod manifest;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::LazyLock;

use super::forms::{Form, Renderer};
use askama::Template;
use chrono::{DateTime, Utc};

use super::badge;
use super::html::{self, grade, grouped, hash, script};
use crate::coverage::{ChangedLines, Coverage};
use crate::names::printable;
use crate::time::{iso, minute};

use address::{BADGE, HISTORY, INDEX, INDEX_JSON, LATEST, REPORT, segment};
use chart::{Chart, Dated, Spark, shown};

pub(crate) use manifest::{Manifest, Need, Origin, Shown, Text, Written};

pub(super) const FORM: Form = Form::new(
    "site",
    "With --all: a folder of static pages of everything that is stored, with reports, badges and JSON",
    Renderer::Folder,
);

/// Style and script stand in each page as they are here, since its policy has their hashes.
const STYLE: &str = concat!(include_str!("../html/base.css"), include_str!("site.css"));
static SCRIPT: LazyLock<String> =
    LazyLock::new(|| script::without_comments(&[script::SHARED, include_str!("site.js")]));
/// Commits of a branch that its app's page compares; `history.json` has the others.
const COMMITS: usize = 10;
/// Branches that may be what all others are held against, the first that is there.
const TRUNKS: [&str; 4] = ["main", "master", "trunk", "develop"];

/// Returns what changes when reports of the same data would look or work otherwise.
#[must_use]
pub(crate) fn page_version() -> String {
    html::version()
}

/// What is known of a commit of an app in an environment and region, under one branch.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// As registered.
    pub name: String,
    /// Other names that differ in nothing that is shown.
    pub also: Vec<String>,
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// Branch.
    pub branch: String,
    /// Commit, as the name has it.
    pub commit: String,
    /// How it does.
    pub state: State,
    /// Why it does not do well, a line each.
    pub errors: Vec<String>,
    /// Replicas that are up, of those listed.
    pub replicas: (usize, usize),
    /// The latest that is stored; `None` where nothing is.
    pub total: Option<Total>,
    /// When a pull last got an answer.
    pub last_pull: Option<DateTime<Utc>>,
    /// When it was last listed.
    pub last_seen: Option<DateTime<Utc>>,
}

/// How a service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// As `list` says it.
    pub word: &'static str,
    /// With what else there is to say, such as `ok, 1 suspect`.
    pub text: String,
    /// How much it is to be looked at.
    pub concern: Concern,
}

/// How much a service is to be looked at, what matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// Some or all of its replicas do not answer.
    Failing,
    /// What is stored is not, or no longer, what runs.
    Stale,
    /// None.
    Fine,
    /// It is listed and was not pulled yet.
    New,
    /// Nobody lists it.
    Gone,
}

impl Concern {
    /// Returns its class, which is also how the search names it.
    fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Fine => "fine",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }

    fn is_any(self) -> bool {
        self <= Self::Stale
    }
}

/// A total that is stored.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    /// Its row of the database.
    pub row: i64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Of all statements.
    pub percent: f64,
    /// Its statements; `None` for rows of other hands, as is the next.
    pub coverage: Option<Coverage>,
    /// Replicas that answered, of those listed.
    pub replicas: Option<(u32, u32)>,
    /// What a report found of its changes, where there was one.
    pub changed: Option<ChangedLines>,
}

/// A row of the history.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// Branch.
    pub branch: String,
    /// Commit, as the name has it.
    pub commit: String,
    /// What it came to.
    pub total: Total,
    /// Only its figures are left.
    pub is_dropped: bool,
}

/// A report that the site links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where it stands.
    pub path: String,
    /// Its row.
    pub row: i64,
    /// The service that it is of.
    pub service: String,
    /// Its branch.
    pub branch: String,
}

impl Page {
    /// Returns where the page of its app is from here.
    #[must_use]
    pub(crate) fn above(&self) -> String {
        // What it is in is in the folder of its app.
        "../".repeat(self.path.matches('/').count() - 1) + INDEX
    }
}

/// Everything that is stored, as a site shows it.
#[derive(Debug)]
pub(crate) struct Site {
    apps: Vec<App>,
}

#[derive(Debug)]
struct App {
    name: String,
    folder: String,
    places: Vec<Place>,
}

/// An app in an environment and region.
#[derive(Debug)]
struct Place {
    env: String,
    region: String,
    folder: String,
    /// By the ranks of their newest commits.
    branches: Vec<Branch>,
    /// The newest last.
    history: Vec<Past>,
}

#[derive(Debug)]
struct Branch {
    name: String,
    folder: String,
    /// At least one, in the same order.
    services: Vec<Service>,
}

impl Service {
    fn is_listed(&self) -> bool {
        self.replicas.1 > 0
    }

    /// What comes first: what runs; of that the branch that others come from and go to, so that what stands for all
    /// does not change with each pull of another; then what was stored last.
    fn rank(&self) -> Reverse<(bool, bool, Option<i64>)> {
        let is_trunk = TRUNKS.contains(&self.branch.as_str());
        Reverse((self.is_listed(), is_trunk, self.total.as_ref().map(|total| total.row)))
    }
}

impl Total {
    /// Returns the percentage, of whatever the database holds: it is open to other hands.
    fn percent(&self) -> f64 {
        let percent = self.coverage.map_or(self.percent, Coverage::percent);
        if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) }
    }

    fn shown(&self) -> String {
        shown(self.percent())
    }

    fn stored(&self) -> Moment {
        Moment(self.stored_at)
    }

    /// Length of its bar, of 100.
    fn bar(&self) -> String {
        format!("{:.1}", self.percent())
    }

    fn grade(&self) -> &'static str {
        match self.coverage {
            Some(coverage) if coverage.total == 0 => "none",
            _ => grade(self.percent()),
        }
    }

    fn since(&self, earlier: &Total) -> String {
        match (self.coverage, earlier.coverage) {
            (Some(now), Some(before)) => now.since(before).to_string(),
            _ => format!("{:+.1}", self.percent() - earlier.percent()),
        }
    }
}

impl Branch {
    fn newest(&self) -> &Service {
        &self.services[0]
    }

    /// Returns the newest that has data, which may be one before the newest.
    fn stored(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.total.is_some())
    }

    fn is_stored(&self, service: &Service) -> bool {
        self.stored().is_some_and(|stored| std::ptr::eq(stored, service))
    }

    /// Returns those that are of interest now: the newest, the newest that has data, and what else runs.
    fn current(&self) -> impl Iterator<Item = &Service> {
        let is_current =
            |(at, service): &(usize, &Service)| *at == 0 || service.is_listed() || self.is_stored(service);
        self.services.iter().enumerate().filter(is_current).map(|(_, service)| service)
    }

    /// Returns where a report stands: that of the newest commit that has one where it always does.
    fn report(&self, service: &Service) -> String {
        match self.is_stored(service) {
            true => format!("{}/{REPORT}", self.folder),
            false => format!("{}/{}/{REPORT}", self.folder, segment(&service.commit)),
        }
    }
}

impl Place {
    /// Returns the service that speaks for all: the first of those that have data.
    fn latest(&self) -> Option<(&Branch, &Service)> {
        let with_data = self.branches.iter().flat_map(|branch| {
            branch
                .services
                .iter()
                .filter(|service| service.total.is_some())
                .map(move |service| (branch, service))
        });
        with_data.min_by_key(|(_, service)| service.rank())
    }

    fn points(&self, branch: &str) -> Vec<Dated> {
        let of_branch = self.history.iter().filter(|past| past.branch == branch);
        of_branch
            .map(|past| Dated {
                stored_at: past.total.stored_at,
                percent: past.total.percent(),
                commit: past.commit.clone(),
            })
            .collect()
    }

    /// Returns the branch that all others are held against.
    fn trunk(&self) -> Option<&Branch> {
        TRUNKS.iter().find_map(|name| self.branches.iter().find(|branch| branch.name == *name))
    }

    fn name(&self) -> String {
        match (self.env.as_str(), self.region.as_str()) {
            ("", "") => String::new(),
            (one, "") | ("", one) => printable(one).into_owned(),
            (env, region) => format!("{} · {}", printable(env), printable(region)),
        }
    }

    /// Its place in the page of its app.
    fn anchor(&self) -> String {
        format!("{}/{}", segment(&self.env), segment(&self.region))
    }
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
            // What was dropped whole, and nobody lists, is no part of the site.
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
                Place { env, region, folder, branches, history }
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
            put(&format!("{}/{INDEX}", app.folder), rendered(&AppPage::of(app, reports))?)?;
            for place in &app.places {
                let history = json::History::of(app, place);
                put(&format!("{}/{HISTORY}", place.folder), json::text(&history)?)?;
                let of_place = place.latest().map(|(branch, service)| (&place.folder, branch, service));
                let of_branches = place.branches.iter().filter_map(|branch| {
                    let service = branch.stored()?;
                    Some((&branch.folder, branch, service))
                });
                for (folder, branch, service) in of_place.into_iter().chain(of_branches) {
                    let latest = json::Latest::of(app, place, branch, service, reports);
                    put(&format!("{folder}/{LATEST}"), json::text(&latest)?)?;
                    put(&format!("{folder}/{BADGE}"), badge_of(service)?)?;
                }
            }
        }
        put(INDEX_JSON, json::text(&json::Index::of(&self.apps, reports))?)?;
        // The last, so that what it links to is there.
        put(INDEX, rendered(&IndexPage::of(&self.apps, reports))?)
    }
}

fn shown_lines(changed: &ChangedLines) -> String {
    match changed.lines.total {
        0 => "none".to_owned(),
        total => format!("{} of {}", changed.lines, grouped(total)),
    }
}

/// Says what changed lines are counted from.
fn base_of(changed: &ChangedLines) -> String {
    format!("Since {}, {}", printable(&changed.base), printable(&changed.how))
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

/// What stands in the head of each page.
struct Frame {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    version: &'static str,
}

impl Frame {
    fn new() -> Self {
        Self {
            style: STYLE,
            script: &SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(&SCRIPT),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage<'s> {
    frame: Frame,
    counts: Vec<(Concern, usize)>,
    number: usize,
    newest: Option<Moment>,
    attention: Vec<Row<'s>>,
    apps: Vec<AppRows<'s>>,
    without_source: usize,
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage<'s> {
    frame: Frame,
    name: String,
    places: Vec<PlaceView<'s>>,
}

/// A time, for people and for the script, which says how long ago it was.
struct Moment(DateTime<Utc>);

impl Moment {
    fn iso(&self) -> String {
        iso(self.0)
    }

    fn minute(&self) -> String {
        minute(self.0)
    }
}

/// A service in the table of all, or in a list of them.
struct Row<'s> {
    app: String,
    folder: &'s str,
    place: String,
    /// Where its app's page has its branch.
    anchor: String,
    branch: String,
    service: &'s Service,
    spark: Option<Spark>,
    report: Option<Link<'s>>,
}

/// A report that is there.
struct Link<'s> {
    path: &'s str,
    has_text: bool,
}

impl<'s> Link<'s> {
    fn to(branch: &Branch, service: &Service, reports: &'s HashMap<String, Shown>) -> Option<Self> {
        let (path, report) = reports.get_key_value(&branch.report(service))?;
        Some(Self { path, has_text: *report != Shown::None })
    }
}

impl<'s> Row<'s> {
    fn of(
        app: &'s App,
        place: &'s Place,
        branch: &'s Branch,
        service: &'s Service,
        reports: &'s HashMap<String, Shown>,
    ) -> Self {
        Self {
            app: printable(&app.name).into_owned(),
            folder: &app.folder,
            place: place.name(),
            anchor: place.anchor(),
            branch: printable(&branch.name).into_owned(),
            service,
            spark: if branch.is_stored(service) { Spark::of(&place.points(&branch.name)) } else { None },
            report: Link::to(branch, service, reports),
        }
    }

    fn commit(&self) -> String {
        printable(&self.service.commit).into_owned()
    }

    /// What tells it from all others.
    fn title(&self) -> String {
        let Self { app, place, branch, .. } = self;
        let commit = self.commit();
        let parts = [app, place, branch, &commit].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// What the search looks in.
    fn words(&self) -> String {
        let Service { name, also, env, region, app, branch, commit, state, .. } = self.service;
        let words = [name, env, region, app, branch, commit, &state.text].into_iter().chain(also);
        printable(&words.map(String::as_str).collect::<Vec<_>>().join(" ")).to_lowercase()
    }

    fn pulled(&self) -> Option<Moment> {
        self.service.last_pull.map(Moment)
    }

    fn errors(&self) -> Vec<String> {
        self.service.errors.iter().map(|error| printable(error).into_owned()).collect()
    }
}

struct AppRows<'s> {
    name: String,
    folder: &'s str,
    rows: Vec<Row<'s>>,
}

impl<'s> IndexPage<'s> {
    fn of(apps: &'s [App], reports: &'s HashMap<String, Shown>) -> Self {
        let rows = |app: &'s App| {
            let of_place = |place: &'s Place| {
                let mut rows: Vec<Row<'s>> = Vec::new();
                for branch in &place.branches {
                    rows.extend(
                        branch.current().map(|service| Row::of(app, place, branch, service, reports)),
                    );
                }
                rows
            };
            app.places.iter().flat_map(of_place)
        };
        let all = || apps.iter().flat_map(rows);
        let mut attention: Vec<Row<'s>> = all().filter(|row| row.service.state.concern.is_any()).collect();
        attention.sort_by_key(|row| row.service.state.concern);
        let count = |concern| (concern, all().filter(|row| row.service.state.concern == concern).count());
        let concerns = [Concern::Failing, Concern::Stale, Concern::Fine, Concern::New, Concern::Gone];
        Self {
            frame: Frame::new(),
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
            without_source: reports.values().filter(|report| **report == Shown::None).count(),
        }
    }
}

/// An environment and region in the page of its app.
struct PlaceView<'s> {
    name: String,
    anchor: String,
    latest: Option<Row<'s>>,
    chart: Option<Chart>,
    trunk: Option<String>,
    /// Changed lines of something in the table are known.
    has_changes: bool,
    branches: Vec<BranchView<'s>>,
}

struct BranchView<'s> {
    newest: Row<'s>,
    since_trunk: Option<String>,
    since_previous: Option<String>,
    earlier: Vec<Earlier<'s>>,
    left_out: usize,
}

/// An earlier commit of a branch.
struct Earlier<'s> {
    commit: String,
    total: Option<&'s Total>,
    since_previous: Option<String>,
    state: Option<&'s State>,
    report: Option<Link<'s>>,
    is_dropped: bool,
}

impl<'s> AppPage<'s> {
    fn of(app: &'s App, reports: &'s HashMap<String, Shown>) -> Self {
        let view = |place: &'s Place| {
            let lines: Vec<(String, Vec<Dated>)> = place
                .branches
                .iter()
                .map(|branch| (branch.name.clone(), place.points(&branch.name)))
                .collect();
            let latest = place.latest();
            let mut services = place.branches.iter().flat_map(|branch| &branch.services);
            let has_changes =
                services.any(|service| service.total.as_ref().is_some_and(|total| total.changed.is_some()));
            PlaceView {
                has_changes,
                name: place.name(),
                anchor: place.anchor(),
                latest: latest.map(|(branch, service)| Row::of(app, place, branch, service, reports)),
                chart: Chart::of(&lines),
                trunk: place.trunk().map(|branch| printable(&branch.name).into_owned()),
                branches: place
                    .branches
                    .iter()
                    .map(|branch| BranchView::of(app, place, branch, reports))
                    .collect(),
            }
        };
        Self {
            frame: Frame::new(),
            name: printable(&app.name).into_owned(),
            places: app.places.iter().map(view).collect(),
        }
    }
}

impl<'s> BranchView<'s> {
    fn of(app: &'s App, place: &'s Place, branch: &'s Branch, reports: &'s HashMap<String, Shown>) -> Self {
        let newest = branch.newest();
        // The last total of each commit, also of those that were dropped.
        let mut last: BTreeMap<&str, &Past> = BTreeMap::new();
        for past in place.history.iter().filter(|past| past.branch == branch.name) {
            last.insert(&past.commit, past);
        }
        let mut earlier: Vec<Earlier<'s>> = Vec::new();
        for service in &branch.services[1..] {
            let past = last.remove(service.commit.as_str());
            earlier.push(Earlier {
                commit: printable(&service.commit).into_owned(),
                total: service.total.as_ref().or(past.map(|past| &past.total)),
                since_previous: None,
                state: Some(&service.state),
                report: Link::to(branch, service, reports),
                is_dropped: service.total.is_none() && past.is_some_and(|past| past.is_dropped),
            });
        }
        last.remove(newest.commit.as_str());
        earlier.extend(last.into_values().map(|past| Earlier {
            commit: printable(&past.commit).into_owned(),
            total: Some(&past.total),
            since_previous: None,
            state: None,
            report: None,
            is_dropped: past.is_dropped,
        }));
        earlier.sort_by_key(|earlier| Reverse(earlier.total.map(|total| total.row)));
        let totals: Vec<Option<&Total>> = earlier.iter().map(|earlier| earlier.total).collect();
        for (index, earlier) in earlier.iter_mut().enumerate() {
            let before = totals.get(index + 1).copied().flatten();
            earlier.since_previous = earlier.total.zip(before).map(|(now, before)| now.since(before));
        }
        let left_out = earlier.len().saturating_sub(COMMITS);
        earlier.truncate(COMMITS);
        let before = totals.first().copied().flatten();
        let trunk = place.trunk().filter(|trunk| !std::ptr::eq(*trunk, branch));
        let trunk = trunk.and_then(|trunk| trunk.stored()?.total.as_ref());
        let since =
            |before: Option<&Total>| newest.total.as_ref().zip(before).map(|(now, before)| now.since(before));
        Self {
            newest: Row::of(app, place, branch, newest, reports),
            since_trunk: since(trunk),
            since_previous: since(before),
            earlier,
            left_out,
        }
    }
}
