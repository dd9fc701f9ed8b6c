//! The process that an agent of Go's binary coverage data speaks for.
//!
//! Such an agent names its process, so that a restart is known where the counters alone would not show it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::profile::Fingerprint;

/// The process id of a container's first process, which tells nothing apart.
const FIRST_PID: u32 = 1;

/// A process, as far as its agent and the list of targets tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// SHA-256 of the meta of its program.
    pub(crate) meta: Fingerprint,
    pub(crate) pid: Option<u32>,
    /// Uid of its pod. In containers the process id is mostly 1.
    pub(crate) uid: Option<String>,
    /// Restarts of its container before it.
    pub(crate) restarts: Option<u64>,
    /// Names of its pod in the lists with which it was pulled; empty: no list told one. There are several where sources
    /// differ, or where a list names another pod while the counters go on. So a name tells no restart.
    pub(crate) pods: BTreeSet<String>,
    /// Another process with the same names was found to answer at its address, too.
    pub(crate) is_shared: bool,
    /// Time at which its counters were read, by its own clock. No part of its identity.
    pub(crate) read_at: Option<DateTime<Utc>>,
    /// Start of its container, as a list tells it together with the restarts. It is compared with the times at which
    /// counters of known processes were read, and not stored.
    pub(crate) started_at: Option<DateTime<Utc>>,
}

impl Process {
    /// Tells whether nothing that both tell says that this known process and the one that answers now are two.
    pub(crate) fn may_be(&self, answering: &Self) -> bool {
        self.meta == answering.meta && !self.is_another(answering)
    }

    /// Tells whether the process id or the container say that this known process and the one that answers now are two. A
    /// program can be replaced under a process id, so its meta is left aside.
    pub(crate) fn is_another(&self, answering: &Self) -> bool {
        differ(self.pid.as_ref(), answering.pid.as_ref()) || self.is_of_other_container(answering)
    }

    /// Tells whether the container of the process that answers now is not that of this known one.
    ///
    /// The restarts of a known process can be those of the container before: a list may be older than its answer. Counters
    /// that were read after the start of a container are of that one, whatever was told of it then.
    fn is_of_other_container(&self, answering: &Self) -> bool {
        let differs = differ(self.uid.as_ref(), answering.uid.as_ref())
            || differ(self.restarts.as_ref(), answering.restarts.as_ref());
        match self.read_at.zip(answering.started_at) {
            Some((read_at, started_at)) => read_at < started_at && (differs || self.restarts.is_none()),
            None => differs,
        }
    }

    /// Tells whether agents tell the same of both: program and process id. A list of targets tells the pod and the
    /// restarts of today, also for an answer of yesterday that a proxy has kept.
    pub(crate) fn answers_as(&self, other: &Self) -> bool {
        self.meta == other.meta && !differ(self.pid.as_ref(), other.pid.as_ref())
    }

    /// Tells whether both are of one container that was not started again between them.
    pub(crate) fn is_of_container(&self, answering: &Self) -> bool {
        fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one == other)
        }
        self.may_be(answering)
            && same(self.uid.as_ref(), answering.uid.as_ref())
            && same(self.restarts.as_ref(), answering.restarts.as_ref())
    }

    /// Tells whether both have the same process id, and not 1, which the first process of each container has.
    pub(crate) fn shares_telling_pid(&self, other: &Self) -> bool {
        self.pid == other.pid && self.pid.is_some_and(|pid| pid != FIRST_PID)
    }

    /// Tells whether both are the same, as far as agents and lists tell.
    pub(crate) fn is_told_as(&self, other: &Self) -> bool {
        let of = |process: &Self| Self { read_at: None, started_at: None, ..process.clone() };
        of(self) == of(other)
    }

    /// Returns this process with what is known of its container where no list tells it now, and of its address.
    pub(crate) fn or_container_of(self, known: &Self) -> Self {
        let (uid, restarts) = (self.uid.or_else(|| known.uid.clone()), self.restarts.or(known.restarts));
        Self { uid, restarts, ..self }.with_address_of(known)
    }

    /// Returns this process with the pods that were told of it before, and with what was found of its address.
    pub(crate) fn with_address_of(mut self, known: &Self) -> Self {
        self.pods.extend(known.pods.iter().cloned());
        self.is_shared |= known.is_shared;
        self
    }

    /// Returns this process without what a list tells of a container that started after its counters were read. A proxy
    /// has kept such an answer.
    pub(crate) fn without_later_container(self) -> Self {
        match self.read_at.zip(self.started_at) {
            Some((read_at, started_at)) if read_at < started_at => {
                Self { uid: None, restarts: None, started_at: None, ..self }
            }
            _ => self,
        }
    }
}

fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{at, build, process};

    #[test]
    fn another_pid_meta_pod_or_restart_is_another_process_and_what_is_not_told_tells_nothing() {
        let meta = build("lib").fingerprint();
        let uid = Some("a-1".to_owned());
        let process = Process { uid, restarts: Some(0), ..process(meta, Some(1)) };
        assert!(process.may_be(&process.clone()));
        assert!(process.may_be(&Process { pid: None, uid: None, restarts: None, ..process.clone() }));
        for other in [
            Process { meta: build("lib'").fingerprint(), ..process.clone() },
            Process { pid: Some(2), ..process.clone() },
            Process { uid: Some("a-2".to_owned()), ..process.clone() },
            Process { restarts: Some(1), ..process.clone() },
        ] {
            assert!(!process.may_be(&other), "{other:?}");
        }
    }

    #[test]
    fn what_tells_a_process_decides_how_certain_it_is() {
        let meta = build("lib").fingerprint();
        let (uid, read_at) = (Some("a-1".to_owned()), Some(at(1)));
        let process = Process { uid, restarts: Some(0), read_at, ..process(meta, Some(1)) };
        let later = Process { read_at: Some(at(2)), ..process.clone() };
        assert!(process.is_told_as(&later) && process.is_of_container(&later) && process.answers_as(&later));
        let restarted = Process { restarts: Some(1), ..later.clone() };
        assert!(process.is_another(&restarted) && process.answers_as(&restarted));
        assert!(!process.is_told_as(&restarted) && !process.is_of_container(&restarted));
        let unlisted = Process { uid: None, restarts: None, ..later };
        assert!(process.may_be(&unlisted) && !process.is_of_container(&unlisted));
        let rebuilt = Process { meta: build("lib'").fingerprint(), ..process.clone() };
        assert!(!process.is_another(&rebuilt) && !process.answers_as(&rebuilt));
        assert!(!process.shares_telling_pid(&process));
        let of_pod = Process { pods: BTreeSet::from(["a".to_owned()]), ..process.clone() };
        assert!(process.may_be(&of_pod) && of_pod.may_be(&process) && !process.is_told_as(&of_pod));
        assert_eq!(process.clone().or_container_of(&of_pod), of_pod);
        let of_host = Process { pid: Some(812), ..process };
        assert!(of_host.shares_telling_pid(&of_host));
    }

    #[test]
    fn counters_that_were_read_after_the_start_of_a_container_are_of_that_one() {
        let meta = build("lib").fingerprint();
        let (uid, pid) = (Some("a-1".to_owned()), Some(1));
        let (restarts, read_at) = (Some(3), Some(at(10)));
        let known = Process { uid: uid.clone(), restarts, read_at, ..process(meta, pid) };
        let answers = |started_at, restarts| Process {
            restarts: Some(restarts),
            read_at: Some(at(20)),
            started_at: Some(at(started_at)),
            ..known.clone()
        };
        for (started_at, restarts, may_be) in
            [(9, 4, true), (10, 4, true), (11, 4, false), (9, 3, true), (11, 3, true)]
        {
            let answers = answers(started_at, restarts);
            assert_eq!(known.may_be(&answers), may_be, "{started_at} {restarts}");
            let of_other_pod = Process { uid: Some("a-2".to_owned()), ..answers.clone() };
            assert_eq!(known.may_be(&of_other_pod), started_at <= 10, "{started_at} {restarts}");
            let unlisted = Process { uid: None, restarts: None, ..known.clone() };
            assert_eq!(unlisted.may_be(&answers), started_at <= 10, "{started_at} {restarts}");
            // Without times the restarts alone tell it.
            assert_eq!(Process { read_at: None, ..known.clone() }.may_be(&answers), restarts == 3);
            assert_eq!(known.may_be(&Process { started_at: None, ..answers }), restarts == 3);
        }
        assert!(!known.may_be(&Process { pid: Some(2), ..answers(9, 4) }));
    }

    #[test]
    fn an_answer_from_before_the_start_of_the_container_is_of_an_unknown_one() {
        let meta = build("lib").fingerprint();
        let (uid, pid) = (Some("a-1".to_owned()), Some(1));
        let at_time = |read_at, started_at| Process {
            uid: uid.clone(),
            restarts: Some(3),
            read_at: Some(at(read_at)),
            started_at: Some(at(started_at)),
            ..process(meta, pid)
        };
        let of_it = at_time(11, 10);
        assert_eq!(of_it.clone().without_later_container(), of_it);
        let kept = at_time(9, 10).without_later_container();
        assert_eq!((kept.uid.clone(), kept.restarts, kept.started_at), (None, None, None));
        assert_eq!(kept.or_container_of(&of_it), Process { started_at: None, ..at_time(9, 10) });
    }
}
