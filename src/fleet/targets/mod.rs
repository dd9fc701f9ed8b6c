//! Targets: processes that are asked though no center lists them, read from JSON.
//!
//! Form one is Prometheus' `file_sd` (a list of groups), form two is the answer of `kubectl get pods -o json`. Both are
//! read as a stream of which only the fields named here are kept. A target that cannot be asked is set aside with its
//! reason, and the others count; only text that has neither form fails as a whole.

mod commit;
mod container_status;
mod few;
mod groups;
mod labels;
mod lenient;
mod list;
mod pods;
mod program;
mod question;
mod reading;
mod silence;
mod template;
mod twice;

use std::fmt;
use std::sync::Arc;

pub(crate) use commit::{known_commit, may_be_same, tidy_commit};
pub(crate) use labels::MisspeltLabel;
pub(crate) use list::TargetList;
pub(crate) use program::{NameAnswer, ProgramAnswer, ProgramName, ToldProgram};
pub(crate) use question::{AddressHistory, FoundAgent, Question};
pub(crate) use reading::{TargetLimits, TargetsError, read};
pub(crate) use silence::{Silence, Unplaced, unknown};
pub(crate) use template::ServiceTemplate;

use chrono::{DateTime, Utc};

use crate::fleet::records::Key;
use crate::names::{Naming, ParsedName};

/// The port of an agent whose address names none.
pub(crate) const DEFAULT_PORT: u16 = 53_700;

/// A process that is asked though no center lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// In its normal form.
    pub(crate) address: String,
    /// Targets of one list share it, because a list of very many has few services.
    pub(crate) service: Arc<TargetService>,
    pub(crate) facts: TargetFacts,
    /// Start of its container. Not stored.
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) program: ProgramAnswer,
}

impl Target {
    /// Tells whether no label names an app.
    pub(crate) fn lacks_app(&self) -> bool {
        self.service.lacks_app()
    }

    /// Tells whether no label names a commit.
    pub(crate) fn lacks_commit(&self) -> bool {
        matches!(&*self.service, TargetService::Fields(fields) if fields.commit.is_empty())
    }

    /// Tells whether a label names an agent that says of which program it is.
    pub(crate) fn is_labelled_binary(&self) -> bool {
        matches!(self.facts.agent, Some(AgentKind::Coverport | AgentKind::Raw { .. }))
    }

    /// Tells whether its agent may say of which program it is.
    pub(crate) fn may_tell(&self) -> bool {
        self.facts.agent != Some(AgentKind::Goc)
    }

    /// Tells whether the target may still be of the service `before`, under which its source listed it with these facts.
    /// `labels` are the fields of its labels.
    pub(crate) fn may_still_be(
        &self,
        labels: &ServiceFields,
        before: &ServiceFields,
        facts: Option<&TargetFacts>,
    ) -> bool {
        let is_other_pod = || facts.is_some_and(|facts| facts.is_other_pod(&self.facts));
        labels.may_label(before) && !(labels.app.is_empty() && is_other_pod())
    }
}

/// The service of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TargetService {
    /// A full name, whose fields are read as those of a registered name.
    Name(String),
    /// Fields that are stored as they are.
    Fields(ServiceFields),
}

impl TargetService {
    /// Tells whether neither a name nor an app is given.
    pub(crate) fn lacks_app(&self) -> bool {
        matches!(self, Self::Fields(fields) if fields.app.is_empty())
    }

    /// Returns the fields of the service; `None` for a name that has none.
    pub(crate) fn fields(&self, naming: &Naming) -> Option<ServiceFields> {
        match self {
            Self::Fields(fields) => Some(fields.clone()),
            Self::Name(name) => ServiceFields::from_name(name, naming),
        }
    }
}

/// The fields of a service; `''` where one is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceFields {
    pub(crate) env: String,
    pub(crate) region: String,
    pub(crate) app: String,
    pub(crate) branch: String,
    /// In lower case, or empty.
    pub(crate) commit: String,
}

impl ServiceFields {
    /// Returns the text by which the database knows the service: a name that the fields make could be that of others.
    pub(crate) fn stored(&self) -> String {
        serde_json::json!(self.to_list()).to_string()
    }

    /// Reads a text that [`Self::stored`] returned.
    pub(crate) fn from_stored(text: &str) -> Option<Self> {
        Some(Self::from_list(serde_json::from_str(text).ok()?))
    }

    /// Reads a full name; `None` for one that fits no pattern.
    pub(crate) fn from_name(name: &str, naming: &Naming) -> Option<Self> {
        let parsed = naming.parse(name);
        let is_parsed = parsed.is_parsed();
        let ParsedName { env, region, app, branch, commit, .. } = parsed;
        is_parsed.then_some(Self { env, region, app, branch, commit })
    }

    /// Returns these fields, and for those that are not given the ones of `other`.
    pub(crate) fn or(self, other: &Self) -> Self {
        let or = |one: String, other: &String| if one.is_empty() { other.clone() } else { one };
        let Self { env, region, app, branch, commit } = self;
        Self {
            env: or(env, &other.env),
            region: or(region, &other.region),
            app: or(app, &other.app),
            branch: or(branch, &other.branch),
            commit: or(commit, &other.commit),
        }
    }

    /// Returns the fields in the order of their declaration.
    pub(crate) fn to_list(&self) -> [String; 5] {
        let Self { env, region, app, branch, commit } = self.clone();
        [env, region, app, branch, commit]
    }

    /// Makes the fields from a list in the order of [`Self::to_list`].
    pub(crate) fn from_list([env, region, app, branch, commit]: [String; 5]) -> Self {
        Self { env, region, app, branch, commit }
    }

    /// Makes the fields of a key and a branch.
    pub(crate) fn from_key(key: &Key, branch: &str) -> Self {
        let Key { env, region, app, commit } = key.clone();
        Self { env, region, app, branch: branch.to_owned(), commit }
    }

    /// Returns the key of the service.
    pub(crate) fn key(&self) -> Key {
        let Self { env, region, app, branch: _, commit } = self.clone();
        Key { env, region, app, commit }
    }

    /// Tells whether the name that is shown reads as these very fields, so that it can be a registered name.
    pub(crate) fn is_name(&self, naming: &Naming) -> bool {
        Self::from_name(&self.to_string(), naming).is_some_and(|read| read == *self)
    }

    /// Tells whether these labels may mean a service, whatever its commit. Where they name no app, each app is meant.
    pub(crate) fn may_label(&self, service: &Self) -> bool {
        let Self { env, region, app, branch, commit: _ } = service;
        (env, region, branch) == (&self.env, &self.region, &self.branch)
            && (self.app.is_empty() || *app == self.app)
    }
}

impl fmt::Display for ServiceFields {
    /// Writes the name under which the service is shown: the fields that are not empty, joined by `_`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, region, app, branch, commit } = self;
        let given = [env, region, app, branch, commit].into_iter().filter(|field| !field.is_empty());
        out.write_str(&given.map(String::as_str).collect::<Vec<_>>().join("_"))
    }
}

/// The facts that a source tells of a process beside its address and service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TargetFacts {
    /// `None` where the process itself has to show it.
    pub(crate) agent: Option<AgentKind>,
    /// Name of the pod.
    pub(crate) pod: Option<String>,
    /// Uid of the pod: another one at the same address is another process.
    pub(crate) uid: Option<String>,
    /// Restarts of the container that serves the address.
    pub(crate) restarts: Option<u64>,
}

impl TargetFacts {
    /// Returns these facts; a missing one is taken from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        let Self { agent, pod, uid, restarts } = self;
        Self {
            agent: agent.or(other.agent),
            pod: pod.or(other.pod),
            uid: uid.or(other.uid),
            restarts: restarts.or(other.restarts),
        }
    }

    /// Tells whether the pod or the restarts say that these facts and earlier ones are of two processes.
    pub(crate) fn is_other_process(&self, earlier: &Self) -> bool {
        self.is_other_pod(earlier)
            || self.restarts.zip(earlier.restarts).is_some_and(|(restarts, earlier)| restarts != earlier)
    }

    /// Tells whether both are of pods, and of different ones.
    pub(crate) fn is_other_pod(&self, other: &Self) -> bool {
        self.uid.as_ref().zip(other.uid.as_ref()).is_some_and(|(uid, other)| uid != other)
    }
}

/// The way in which an agent serves coverage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AgentKind {
    /// Text, as processes built by goc serve it.
    Goc,
    /// JSON with Go's binary data.
    Coverport,
    /// Go's binary data below two paths, which begin with a slash.
    Raw { meta: String, counters: String },
}

impl AgentKind {
    /// The words that stand for the kinds in labels, in output and in the database.
    pub(crate) const GOC: &str = "goc";
    pub(crate) const COVERPORT: &str = "coverport";
    pub(crate) const RAW: &str = "raw";

    /// Returns the word that stands for it in labels and in output.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Goc => Self::GOC,
            Self::Coverport => Self::COVERPORT,
            Self::Raw { .. } => Self::RAW,
        }
    }
}
