//! Processes that left their counters in a folder: what tells them apart, and which pulled processes may be the same.

use sha2::{Digest, Sha256};

use super::process::Process;
use super::snapshot::hex;
use crate::profile::Fingerprint;
use crate::profile::gocover::DataFileName;

/// Start of the address of a life whose counters were left in a folder. No agent can be asked there.
pub(crate) const SCHEME: &str = "gocoverdir:";
/// Start of the identities of processes, which are remembered longer than those of files.
pub(crate) const PROCESS_IDENTITY: &str = "process-";

/// A process that left its counters in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftProcess<'a> {
    pub(crate) service: &'a str,
    /// Folder of its pod; in containers the process id is mostly 1.
    pub(crate) pod: Option<&'a str>,
    pub(crate) pid: u64,
    /// SHA-256 of the meta of its program.
    pub(crate) meta: Fingerprint,
}

impl LeftProcess<'_> {
    /// Returns what stands in place of an address for its lives.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        let Self { service, pod, pid, meta } = self;
        // No name of a folder has a slash.
        format!("{SCHEME}/{service}/{}/{pid}/{}", pod.unwrap_or_default(), hex(meta.as_bytes()))
    }

    /// Returns the identity by which it is remembered that counters of it were taken in.
    #[must_use]
    pub(crate) fn identity(&self) -> String {
        format!("{PROCESS_IDENTITY}{}", hex(&Sha256::digest(self.address())))
    }

    /// Returns the identity of one of its files: by its name and its content.
    ///
    /// Files of one name and content in several folders of a service are copies, or one volume that is mounted in several
    /// places, if the name has the nanosecond of their writing. So their identity does not depend on the pod.
    #[must_use]
    pub(crate) fn file_identity((service, pod): (&str, Option<&str>), name: &str, content: &[u8]) -> String {
        let content = hex(&Sha256::digest(content));
        let pod = pod.filter(|_| !has_nanosecond(name));
        let said = serde_json::json!([SCHEME, service, pod, name, content]);
        hex(&Sha256::digest(said.to_string()))
    }

    /// Returns the identity by which it is remembered since when one of its files has waited for its meta.
    #[must_use]
    pub(crate) fn waiting_identity((service, pod): (&str, Option<&str>), name: &str) -> String {
        let said = serde_json::json!([SCHEME, "waiting", service, pod, name]);
        hex(&Sha256::digest(said.to_string()))
    }
}

/// Tells whether the name of a counter file has the nanosecond at which Go wrote it. Other tools write other numbers,
/// which may be the same in several folders.
fn has_nanosecond(name: &str) -> bool {
    const OF_2001: u64 = 1_000_000_000_000_000_000;
    matches!(DataFileName::parse(name), Some(DataFileName::Counters { written_at, .. }) if written_at >= OF_2001)
}

/// A process as the text in place of an address names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftName<'a> {
    pod: Option<&'a str>,
    pid: u64,
    /// SHA-256 of the meta of its program, in hex digits.
    pub(crate) meta: &'a str,
}

impl<'a> LeftName<'a> {
    /// Reads what [`LeftProcess::address`] wrote; `None` for an address that can be asked.
    pub(crate) fn parse(address: &'a str) -> Option<Self> {
        let mut parts = address.strip_prefix(SCHEME)?.rsplitn(4, '/');
        let (meta, pid, pod) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        Some(Self { pod: Some(pod).filter(|pod| !pod.is_empty()), pid, meta })
    }

    /// Tells whether this may be the process that answers at an address.
    pub(crate) fn may_be(&self, answered: &Process) -> bool {
        may_be_pulled((self.pod, self.pid), answered) && self.meta == hex(answered.meta.as_bytes())
    }
}

/// Tells whether a process of the same program with this pod and process id may be the pulled one: the pods are the
/// same, or the process ids if one of the two pods is not known.
///
/// The pods are those with which it was pulled, because another pod may have its address now. A process that is known to
/// be of another pod is another process, and so is one with another id: its agent and its file tell the same id.
pub(crate) fn may_be_pulled((pod, pid): (Option<&str>, u64), pulled: &Process) -> bool {
    if pulled.pid.is_some_and(|pulled| u64::from(pulled) != pid) {
        return false;
    }
    match pod.filter(|_| !pulled.pods.is_empty()) {
        Some(pod) => pulled.pods.contains(pod),
        None => pulled.pid.is_some(),
    }
}

/// Tells whether the counters of a life were left in a folder.
#[must_use]
pub(crate) fn is_left(address: &str) -> bool {
    address.starts_with(SCHEME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::host_and_port;
    use crate::fleet::fixtures::{build, process};

    #[test]
    fn processes_differ_by_service_pod_pid_and_meta_and_have_no_address_to_ask() {
        let meta = build("lib").fingerprint();
        let process = LeftProcess { service: "svc", pod: Some("pod-1"), pid: 1, meta };
        let others = [
            LeftProcess { service: "svd", ..process.clone() },
            LeftProcess { pod: None, ..process.clone() },
            LeftProcess { pod: Some("pod-2"), ..process.clone() },
            LeftProcess { pid: 2, ..process.clone() },
            LeftProcess { meta: build("lib'").fingerprint(), ..process.clone() },
        ];
        for other in others {
            assert_ne!((other.address(), other.identity()), (process.address(), process.identity()));
        }
        assert!(is_left(&process.address()) && host_and_port(&process.address()).is_err());
    }

    #[test]
    fn a_process_that_is_pulled_is_that_of_a_folder_by_its_pod_and_id_or_by_its_id() {
        let meta = build("lib").fingerprint();
        let answered = |pid, pods: &[&str]| {
            let pods = pods.iter().map(|&pod| pod.to_owned()).collect();
            Process { pods, ..process(meta, pid) }
        };
        let left = |pod, pid| LeftProcess { service: "svc", pod, pid, meta }.address();
        let may_be = |address: &str, pid, pods: &[&str]| {
            LeftName::parse(address).unwrap().may_be(&answered(pid, pods))
        };
        let (of_pod, of_none) = (left(Some("pod-1"), 1), left(None, 1));
        assert!(may_be(&of_pod, Some(1), &["pod-0", "pod-1"]));
        assert!(may_be(&of_pod, None, &["pod-0", "pod-1"]));
        assert!(!may_be(&of_pod, Some(7), &["pod-0", "pod-1"]));
        assert!(!may_be(&of_pod, Some(1), &["pod-0"]));
        assert!(may_be(&of_pod, Some(1), &[]));
        assert!(may_be(&of_none, Some(1), &["pod-0"]));
        assert!(!may_be(&of_none, Some(2), &[]));
        assert!(!may_be(&of_none, None, &[]));
        let other = LeftProcess { service: "svc", pod: None, pid: 1, meta: build("lib'").fingerprint() };
        assert!(!may_be(&other.address(), Some(1), &[]));
        assert_eq!(LeftName::parse("http://10.0.0.1:53700"), None);
    }

    #[test]
    fn a_file_is_known_by_its_folder_name_and_content() {
        let identity = |folder, name, content| LeftProcess::file_identity(folder, name, content);
        let one = identity(("svc", None), "covcounters.a.1.2", b"x");
        assert_eq!(one, identity(("svc", None), "covcounters.a.1.2", b"x"));
        for other in [
            identity(("svc", Some("pod")), "covcounters.a.1.2", b"x"),
            identity(("svc", None), "covcounters.a.1.3", b"x"),
            identity(("svc", None), "covcounters.a.1.2", b"y"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_file_that_was_written_at_one_nanosecond_is_the_same_in_all_folders_of_its_service() {
        let identity =
            |service, pod, name| LeftProcess::file_identity((service, Some(pod)), name, b"content");
        let name = "covcounters.a.1.1795924281869788675";
        assert_eq!(identity("svc", "pod-0", name), identity("svc", "pod-1", name));
        assert_ne!(identity("svc", "pod-0", name), identity("other", "pod-0", name));
        let other = "covcounters.a.1.17959";
        assert_ne!(identity("svc", "pod-0", other), identity("svc", "pod-1", other));
    }
}
