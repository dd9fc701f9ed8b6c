//! The targets of a source, and the entries that are none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::{MisspeltLabel, Target, TargetService, Unplaced};
use crate::address::shown_url;
use crate::names::{in_message, is_commit, shortened};

/// Entries that are named among those that cannot be asked; a list of thousands must not fill a log.
const NAMED_BAD: usize = 10;
/// Names of labels that are remembered.
const NAMED_LABELS: usize = 20;
/// Characters at each end of a name that is remembered for a message.
const SHOWN_AT_EACH_END: usize = 200;

/// The targets that a source lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetList {
    /// In the order listed, each once.
    pub(crate) targets: Vec<Target>,
    /// The first entries that cannot be asked.
    pub(crate) bad: Vec<BadTarget>,
    /// Number of all entries that cannot be asked.
    pub(crate) bad_count: usize,
    /// Addresses that are left out only because this run does not ask their processes; a pull asks them.
    pub(crate) unasked: Vec<String>,
    /// Targets that are rejected because their services are not known.
    pub(crate) unplaced: Vec<Target>,
    /// Targets whose labels or names do not say what counts, as sentences; not all of very many.
    pub(crate) notes: Vec<String>,
    /// Texts in place of commits, each with the number of targets that have it; not all of very many.
    pub(crate) odd_commits: BTreeMap<String, usize>,
    /// Number of pods that are no targets, by reason.
    pub(crate) passed_over: BTreeMap<PodReason, usize>,
    /// Names of labels and annotations that mean nothing here; not all of very many.
    pub(crate) unknown_labels: BTreeSet<String>,
    /// Labels that are probably misspelt, each with the number of targets that have it; not all of very many.
    pub(crate) misspelt: BTreeMap<MisspeltLabel, usize>,
}

/// An entry that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadTarget {
    /// The address or the pod for messages, without a password.
    name: String,
    /// A clause.
    reason: String,
    /// A clause about what to do; mostly empty.
    next_step: String,
}

impl BadTarget {
    /// Returns the next step as a clause; `None` where the reason says enough.
    pub(crate) fn next_step(&self) -> Option<Cow<'_, str>> {
        (!self.next_step.is_empty()).then(|| in_message(&self.next_step))
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\": {}", self.name, in_message(&self.reason))
    }
}

impl TargetList {
    /// Notes something about a target that its user should know, once; a clause.
    pub(crate) fn note(&mut self, address: &str, clause: &str) {
        let said = format!("\"{}\": {}", in_message(address), in_message(clause));
        if self.notes.len() < NAMED_BAD && !self.notes.contains(&said) {
            self.notes.push(said);
        }
    }

    /// Notes the text that this number of targets have in place of a commit. A text that is a commit needs no note.
    pub(crate) fn note_commit(&mut self, text: &str, targets: usize) {
        if text.is_empty() || targets == 0 || is_commit(text) {
            return;
        }
        let text = shortened(text, SHOWN_AT_EACH_END);
        if let Some(known) = self.odd_commits.get_mut(&*text) {
            *known += targets;
        } else if self.odd_commits.len() < NAMED_BAD {
            self.odd_commits.insert(text.into_owned(), targets);
        }
    }

    /// Counts an entry that cannot be asked; the reason is a clause.
    pub(crate) fn reject(&mut self, name: &str, reason: impl Into<Unplaced>) {
        if self.bad.len() < NAMED_BAD {
            let Unplaced { reason, next_step } = reason.into();
            self.bad.push(BadTarget { name: shown_url(name), reason, next_step });
        }
        self.bad_count += 1;
    }
}

/// The reason why a pod is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PodReason {
    /// Another kind of object stands among the pods.
    NotAPod,
    /// Neither an annotation nor a port says that it serves coverage.
    NotMarked,
    NotRunning,
    BeingDeleted,
    NoAddress,
}

impl PodReason {
    /// Returns what a counted pod lacks, or is.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::NotAPod => "no pods",
            Self::NotMarked => "without an annotation goc-watchdog/... or a port named coverage",
            Self::NotRunning => "not running",
            Self::BeingDeleted => "being deleted",
            Self::NoAddress => "without an address",
        }
    }
}

/// Collects the entries of a list, with its bounds.
pub(super) struct Collected {
    list: TargetList,
    most: usize,
    has_pods: bool,
    /// The services of its targets.
    services: HashSet<Arc<TargetService>>,
    /// Kinds of objects that are no pods; not all of very many.
    other_kinds: BTreeSet<String>,
    /// Number of entries without the form of one.
    unfit: usize,
}

impl Collected {
    pub(super) fn new(most: usize) -> Self {
        let (list, services) = (TargetList::default(), HashSet::new());
        Self { list, most, has_pods: false, services, other_kinds: BTreeSet::new(), unfit: 0 }
    }

    /// Takes a target in, or the reason why an entry cannot be asked. Fails beyond the bound, with a message.
    pub(super) fn add(&mut self, name: &str, target: Result<Target, String>) -> Result<(), String> {
        if self.room() == 0 {
            return Err(format!("more than {} targets ([pull] max_addresses)", self.most));
        }
        match target {
            Ok(mut target) => {
                match self.services.get(&target.service) {
                    Some(known) => target.service = Arc::clone(known),
                    None => drop(self.services.insert(Arc::clone(&target.service))),
                }
                self.list.targets.push(target);
            }
            Err(reason) => self.list.reject(name, reason),
        }
        Ok(())
    }

    /// Rejects an entry that has not the form of one. Fails beyond the bound, with a message.
    pub(super) fn add_unfit(&mut self, name: &str, reason: &str) -> Result<(), String> {
        self.unfit += 1;
        self.add(name, Err(reason.to_owned()))
    }

    /// Returns how many further entries are taken.
    pub(super) fn room(&self) -> usize {
        self.most.saturating_sub(self.list.targets.len() + self.list.bad_count)
    }

    /// Notes the kind of an object among pods; without a kind it is taken for a pod, as in a list of kind `PodList`.
    pub(super) fn note_kind(&mut self, kind: &str) {
        match kind {
            "" | "Pod" => self.has_pods = true,
            _ if self.other_kinds.len() < NAMED_LABELS => {
                self.other_kinds.insert(shortened(kind, SHOWN_AT_EACH_END).into_owned());
            }
            _ => {}
        }
    }

    /// Returns the kinds of the objects of a list that has objects and no pods.
    pub(super) fn kinds_without_pods(&self) -> Option<String> {
        let kinds: Vec<String> = self.other_kinds.iter().map(|kind| format!("{kind:?}")).collect();
        (!self.has_pods && !kinds.is_empty()).then(|| kinds.join(", "))
    }

    pub(super) fn pass_over(&mut self, reason: PodReason) {
        *self.list.passed_over.entry(reason).or_default() += 1;
    }

    pub(super) fn note_commit(&mut self, text: &str, targets: usize) {
        self.list.note_commit(text, targets);
    }

    pub(super) fn note_unknown(&mut self, label: &str) {
        if self.list.unknown_labels.len() < NAMED_LABELS {
            self.list.unknown_labels.insert(shortened(label, SHOWN_AT_EACH_END).into_owned());
        }
    }

    /// Notes misspelt labels that this number of targets have.
    pub(super) fn note_misspelt(&mut self, labels: impl IntoIterator<Item = MisspeltLabel>, targets: usize) {
        for label in labels.into_iter().filter(|_| targets > 0) {
            if self.list.misspelt.len() < NAMED_LABELS || self.list.misspelt.contains_key(&label) {
                *self.list.misspelt.entry(label).or_default() += targets;
            }
        }
    }

    /// Returns the list, without targets that are listed again. Fails where no entry has the form of one: such a text is
    /// no list, and must not empty its source.
    pub(super) fn finish(mut self) -> Result<TargetList, String> {
        let TargetList { targets, bad, bad_count, passed_over, .. } = &self.list;
        if self.unfit > 0 && self.unfit == *bad_count && targets.is_empty() && passed_over.is_empty() {
            return Err(bad.first().map(ToString::to_string).unwrap_or_default());
        }
        let mut seen = HashSet::with_capacity(self.list.targets.len());
        let is_first: Vec<bool> = self.list.targets.iter().map(|target| seen.insert(target)).collect();
        drop(seen);
        let mut is_first = is_first.into_iter();
        self.list.targets.retain(|_| is_first.next().unwrap_or(true));
        self.list.targets.shrink_to_fit();
        Ok(self.list)
    }
}
