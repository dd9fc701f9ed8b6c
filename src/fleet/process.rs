//! The process that an agent of Go's binary coverage data speaks for.
//!
//! Such an agent names its process, so that a restart is known where the counters alone would not show it.

use crate::profile::Fingerprint;

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
}

impl Process {
    /// Tells whether nothing that both tell says that they are two.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_none_or(|(one, other)| one == other)
        }
        self.meta == other.meta
            && agree(self.pid.as_ref(), other.pid.as_ref())
            && agree(self.uid.as_ref(), other.uid.as_ref())
            && agree(self.restarts.as_ref(), other.restarts.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::build;

    #[test]
    fn another_pid_meta_pod_or_restart_is_another_process_and_what_is_not_told_tells_nothing() {
        let meta = build("lib").fingerprint();
        let uid = Some("a-1".to_owned());
        let process = Process { meta, pid: Some(1), uid, restarts: Some(0) };
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
}
