//! Targets: processes that are asked though no center lists them, read from JSON.
//!
//! Form one is Prometheus' `file_sd` (a list of groups), form two is the answer of `kubectl get pods -o json`. Both are
//! read as a stream of which only the fields named here are kept. A target that cannot be asked is set aside with its
//! reason, and the others count; only text that has neither form fails as a whole.

mod commit;
mod groups;
mod labels;
mod list;
mod pods;
mod reading;
mod template;

use std::fmt;

pub(crate) use commit::{known_commit, tidy_commit};
pub(crate) use list::TargetList;
pub(crate) use reading::{TargetLimits, TargetsError, read};
pub(crate) use template::Template;

/// The port of an agent whose address names none.
pub(crate) const DEFAULT_PORT: u16 = 53_700;

/// A process that is asked though no center lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// In its normal form.
    pub(crate) address: String,
    pub(crate) service: TargetService,
    pub(crate) facts: TargetFacts,
    pub(crate) program: ProgramAnswer,
}

impl Target {
    /// Tells whether the process itself has to say of which commit it is.
    pub(crate) fn lacks_commit(&self) -> bool {
        let TargetService::Fields(fields) = &self.service else { return false };
        fields.commit.is_empty()
            && !fields.app.is_empty()
            && self.facts.agent != Some(AgentKind::Goc)
            && self.program != ProgramAnswer::Told
    }

    /// Tells whether the header of its agent counts before the commit of its label.
    pub(crate) fn may_contradict(&self) -> bool {
        let TargetService::Fields(fields) = &self.service else { return false };
        !fields.commit.is_empty() && self.facts.agent == Some(AgentKind::Coverport)
    }

    /// Takes the commit that its agent tells; returns that of the label where it is another one.
    pub(crate) fn take_commit(&mut self, told: Option<&str>) -> Option<String> {
        self.program = ProgramAnswer::Told;
        let told = tidy_commit(told.unwrap_or_default());
        let TargetService::Fields(fields) = &mut self.service else { return None };
        if told.is_empty() {
            return None;
        }
        let label = std::mem::replace(&mut fields.commit, told);
        let is_same = fields.commit.starts_with(&label) || label.starts_with(&fields.commit);
        (!is_same).then_some(label)
    }
}

/// The answer of a target's process about its program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum ProgramAnswer {
    /// The process was not asked.
    #[default]
    Unasked,
    /// The process answered.
    Told,
    /// The process did not answer.
    Silent,
}

/// The service of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TargetService {
    /// A full name, whose fields are read as those of a registered name.
    Name(String),
    /// Fields that are stored as they are.
    Fields(ServiceFields),
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
        let Self { env, region, app, branch, commit } = self;
        serde_json::json!([env, region, app, branch, commit]).to_string()
    }

    /// Reads such a text.
    pub(crate) fn from_stored(text: &str) -> Option<Self> {
        let [env, region, app, branch, commit] = serde_json::from_str(text).ok()?;
        Some(Self { env, region, app, branch, commit })
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
    /// Returns the word that stands for it in labels and in output.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Goc => "goc",
            Self::Coverport => "coverport",
            Self::Raw { .. } => "raw",
        }
    }
}
