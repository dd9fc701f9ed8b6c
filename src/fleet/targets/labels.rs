//! The labels of a target, as form one has them and the annotations of a pod.

use super::commit::tidy_commit;
use super::lenient::TextValue;
use super::{AgentKind, ServiceFields, TargetService};
use crate::names::nearest_word;

/// The names of the labels that mean something.
const NAMES: [&str; 11] =
    ["service", "env", "region", "app", "branch", "commit", "scheme", "agent", "meta", "counters", "pod"];

/// Bytes of the longest name of a label that is compared with those that mean something.
const LONGEST_MISSPELT: usize = 64;
/// Misspelt labels of a group that are remembered.
const MOST_MISSPELT: usize = 20;

/// A label without a meaning whose name is near that of one that has a meaning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MisspeltLabel {
    /// The label as given; of an annotation the whole name.
    pub(crate) given: String,
    pub(crate) meant: String,
}

/// The labels that mean something, as given.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    pub(super) service: Option<String>,
    pub(super) env: Option<String>,
    pub(super) region: Option<String>,
    pub(super) app: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) meta: Option<String>,
    pub(super) counters: Option<String>,
    pub(super) pod: Option<String>,
    /// The misspelt labels, at most [`MOST_MISSPELT`].
    pub(super) misspelt: Vec<MisspeltLabel>,
    /// The reason why a value cannot be used; a clause.
    pub(super) fault: Option<String>,
}

impl Labels {
    /// Tells whether a label means something here.
    pub(super) fn has(name: &str) -> bool {
        Self::default().place(name).is_some()
    }

    /// Remembers a label that means nothing here, if its name is near that of one that has a meaning.
    pub(super) fn take_unknown(&mut self, name: &str) {
        if self.misspelt.len() < MOST_MISSPELT
            && let Some(meant) = meant_by(name, &NAMES)
        {
            self.misspelt.push(MisspeltLabel { given: name.to_owned(), meant: meant.to_owned() });
        }
    }

    /// Takes the value of a label in, or notes why it cannot be used; `kind` names its kind.
    pub(super) fn take(&mut self, kind: &str, name: &str, value: &TextValue) {
        match value.given() {
            Ok(given) => {
                if let Some(place) = self.place(name) {
                    *place = given.map(str::to_owned);
                }
            }
            Err(reason) => {
                self.fault.get_or_insert_with(|| format!("its {kind}{name} {reason}"));
            }
        }
    }

    /// Returns the place of a label; `None` for one that means nothing here.
    fn place(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "service" => &mut self.service,
            "env" => &mut self.env,
            "region" => &mut self.region,
            "app" => &mut self.app,
            "branch" => &mut self.branch,
            "commit" => &mut self.commit,
            "scheme" => &mut self.scheme,
            "agent" => &mut self.agent,
            "meta" => &mut self.meta,
            "counters" => &mut self.counters,
            "pod" => &mut self.pod,
            _ => return None,
        })
    }

    /// Returns the service; a full name counts before fields.
    pub(super) fn service(&self) -> TargetService {
        if let Some(name) = self.service.as_ref().filter(|name| !name.is_empty()) {
            return TargetService::Name(name.clone());
        }
        let field = |label: &Option<String>| label.clone().unwrap_or_default();
        TargetService::Fields(ServiceFields {
            env: field(&self.env),
            region: field(&self.region),
            app: field(&self.app),
            branch: field(&self.branch),
            commit: tidy_commit(&field(&self.commit)),
        })
    }

    /// Returns the kind of agent; `None` where no label tells it.
    pub(super) fn agent(&self) -> Result<Option<AgentKind>, String> {
        let given = |label: &Option<String>| label.clone().filter(|value| !value.is_empty());
        let (agent, meta, counters) = (given(&self.agent), given(&self.meta), given(&self.counters));
        match (agent.as_deref(), meta, counters) {
            (None, None, None) => Ok(None),
            (Some(AgentKind::GOC), None, None) => Ok(Some(AgentKind::Goc)),
            (Some(AgentKind::COVERPORT), None, None) => Ok(Some(AgentKind::Coverport)),
            (Some(AgentKind::RAW) | None, Some(meta), Some(counters)) => {
                Ok(Some(AgentKind::Raw { meta: path("meta", meta)?, counters: path("counters", counters)? }))
            }
            (Some(AgentKind::RAW) | None, ..) => {
                Err("an agent raw needs both labels, meta and counters".to_owned())
            }
            (Some(kind @ (AgentKind::GOC | AgentKind::COVERPORT)), ..) => {
                Err(format!("an agent {kind} has neither of the labels meta and counters"))
            }
            (Some(other), ..) => {
                Err(format!("its label agent is \"{other}\", expected goc, coverport or raw"))
            }
        }
    }
}

/// Returns the known name that a misspelt one means.
pub(super) fn meant_by<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let is_short = name.len() <= LONGEST_MISSPELT;
    is_short.then(|| nearest_word(&name.to_ascii_lowercase(), known)).flatten()
}

/// Checks a path below the address of a target.
fn path(label: &str, path: String) -> Result<String, String> {
    let is_path = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('#')
        && !path.chars().any(|c| c.is_control() || c.is_whitespace());
    match is_path {
        true => Ok(path),
        false => Err(format!("its label {label} is \"{path}\", expected a path such as /coverage/{label}")),
    }
}
