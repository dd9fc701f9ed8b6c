//! The decision what a target is asked about its program before its service is known.

use super::{ServiceFields, Target, may_be_same};

/// A question to the process of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A request for the headers of its agent.
    Commit,
    /// The headers, and the coverage data of the whole program, which names its `main` package.
    Program,
}

/// The kind of agent that was found at an address, where no label tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundAgent {
    Nothing,
    Goc,
    Coverport,
}

/// The earlier answers of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressHistory<'a> {
    /// The service under which its source listed it, if the labels may still mean that one.
    pub(crate) before: Option<&'a ServiceFields>,
    pub(crate) found: FoundAgent,
    /// The address failed when it was asked last.
    pub(crate) has_failed: bool,
}

impl Target {
    /// Returns the question to its process, if there is one; `labels` are the fields of its labels or of its full name.
    ///
    /// An agent of goc tells nothing. Any other is asked where the labels leave something open, where it is new, where
    /// its agent contradicted its labels before, and after a failure: the pull fails where an agent tells another
    /// program than before.
    pub(crate) fn question(&self, labels: &ServiceFields, history: AddressHistory<'_>) -> Option<Question> {
        let AddressHistory { before, found, has_failed } = history;
        let is_binary = self.is_labelled_binary();
        if !self.may_tell() || (found == FoundAgent::Goc && !is_binary && !has_failed) {
            return None;
        }
        if labels.app.is_empty() && (before.is_none() || has_failed) {
            return Some(Question::Program);
        }
        let is_lost = |before: &ServiceFields| !may_be_same(&labels.commit, &before.commit);
        let is_asked = labels.commit.is_empty()
            || before.is_none_or(is_lost)
            || (has_failed && (is_binary || found == FoundAgent::Coverport));
        is_asked.then_some(Question::Commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::targets::{AgentKind, ProgramAnswer, TargetFacts, TargetService};

    const NEW: AddressHistory<'_> =
        AddressHistory { before: None, found: FoundAgent::Nothing, has_failed: false };

    fn labels(app: &str, commit: &str) -> ServiceFields {
        ServiceFields { app: app.to_owned(), commit: commit.to_owned(), ..ServiceFields::default() }
    }

    fn question(
        agent: Option<AgentKind>,
        labels: &ServiceFields,
        history: AddressHistory<'_>,
    ) -> Option<Question> {
        let target = Target {
            address: "http://a:1".to_owned(),
            service: TargetService::Fields(labels.clone()).into(),
            facts: TargetFacts { agent, ..TargetFacts::default() },
            started_at: None,
            program: ProgramAnswer::Unasked,
        };
        target.question(labels, history)
    }

    #[test]
    fn a_target_is_asked_for_what_its_labels_leave_open() {
        let echo = labels("echo", "1234567");
        let known = AddressHistory { before: Some(&echo), ..NEW };
        let failed = AddressHistory { has_failed: true, ..known };
        let nameless = labels("", "1234567");
        assert_eq!(question(None, &nameless, NEW), Some(Question::Program));
        assert_eq!(question(None, &nameless, known), None);
        assert_eq!(question(None, &nameless, failed), Some(Question::Program));
        let bare = labels("", "");
        assert_eq!(question(None, &bare, known), Some(Question::Commit));
        assert_eq!(question(None, &labels("echo", ""), known), Some(Question::Commit));
    }

    #[test]
    fn a_label_is_compared_with_the_header_of_a_new_agent_and_where_it_lost_before() {
        let (echo, other) = (labels("echo", "1234567"), labels("echo", "89abcde"));
        assert_eq!(question(None, &echo, NEW), Some(Question::Commit));
        let found = |before, found, has_failed| AddressHistory { before: Some(before), found, has_failed };
        assert_eq!(question(None, &echo, found(&echo, FoundAgent::Coverport, false)), None);
        assert_eq!(
            question(None, &echo, found(&other, FoundAgent::Coverport, false)),
            Some(Question::Commit)
        );
        assert_eq!(question(None, &echo, found(&echo, FoundAgent::Coverport, true)), Some(Question::Commit));
        assert_eq!(question(None, &echo, found(&echo, FoundAgent::Nothing, true)), None);
    }

    #[test]
    fn an_agent_of_goc_is_not_asked() {
        let (bare, echo) = (labels("", ""), labels("echo", "1234567"));
        assert_eq!(question(Some(AgentKind::Goc), &bare, NEW), None);
        let goc = AddressHistory { found: FoundAgent::Goc, ..NEW };
        for labels in [&bare, &echo] {
            assert_eq!(question(None, labels, goc), None);
            assert!(question(Some(AgentKind::Coverport), labels, goc).is_some());
        }
        // Another agent may answer there by now.
        assert_eq!(
            question(None, &bare, AddressHistory { has_failed: true, ..goc }),
            Some(Question::Program)
        );
    }
}
