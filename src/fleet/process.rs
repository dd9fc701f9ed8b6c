//! The process that an agent of Go's binary coverage data speaks for.
//!
//! Such an agent names its process, so that a restart is known where the counters alone would not show it.

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
    /// Time at which its counters were read, by its own clock. No part of its identity.
    pub(crate) read_at: Option<DateTime<Utc>>,
}

impl Process {
    /// Tells whether nothing that both tell says that they are two.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        self.meta == other.meta && !self.is_another(other)
    }

    /// Tells whether the process id, the pod or the restarts say that they are two. A program can be replaced under a
    /// process id, so its meta is left aside.
    pub(crate) fn is_another(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        differ(self.pid.as_ref(), other.pid.as_ref())
            || differ(self.uid.as_ref(), other.uid.as_ref())
            || differ(self.restarts.as_ref(), other.restarts.as_ref())
    }

    /// Tells whether agents tell the same of both: program and process id. A list of targets tells the pod and the
    /// restarts of today, also for an answer of yesterday that a proxy has kept.
    pub(crate) fn answers_as(&self, other: &Self) -> bool {
        self.meta == other.meta && self.pid.zip(other.pid).is_none_or(|(one, other)| one == other)
    }

    /// Tells whether both are of one container that was not started again between them.
    pub(crate) fn is_of_container(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one == other)
        }
        self.may_be(other)
            && same(self.uid.as_ref(), other.uid.as_ref())
            && same(self.restarts.as_ref(), other.restarts.as_ref())
    }

    /// Tells whether both have one process id, and one that tells processes of a host apart.
    pub(crate) fn shares_telling_pid(&self, other: &Self) -> bool {
        self.pid == other.pid && self.pid.is_some_and(|pid| pid != FIRST_PID)
    }

    /// Tells whether both are the same, as far as agents and lists tell.
    pub(crate) fn is_told_as(&self, other: &Self) -> bool {
        let of = |process: &Self| Self { read_at: None, ..process.clone() };
        of(self) == of(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{at, build};

    #[test]
    fn another_pid_meta_pod_or_restart_is_another_process_and_what_is_not_told_tells_nothing() {
        let meta = build("lib").fingerprint();
        let uid = Some("a-1".to_owned());
        let process = Process { meta, pid: Some(1), uid, restarts: Some(0), read_at: None };
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
        let process = Process { meta, pid: Some(1), uid, restarts: Some(0), read_at };
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
        let of_host = Process { pid: Some(812), ..process };
        assert!(of_host.shares_telling_pid(&of_host));
    }
}
