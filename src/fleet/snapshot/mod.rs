//! Snapshots: files with the last data of a process, which `pull --to-inbox` writes and a later pull takes in.
//!
//! A snapshot is a line with the format and its version, a line of JSON about the process (the head), and the profile: in
//! version 1 as text in canonical form, in version 2 as a meta with its counters behind it, as Go writes them. The head
//! has the length and the hash of the profile, so that a file that is still being copied is recognised.

mod clock_doubt;
mod placing;

pub(crate) use clock_doubt::{ClockDoubt, ClockJump, LifeTimes};
pub(crate) use placing::{
    Placement, ResumedLife, SnapshotCounts, SnapshotPlace, beyond, larger, may_be_in_sum, place, resumed,
};

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::process::Process;
use crate::profile::Fingerprint;

/// The suffix of a snapshot's file name.
pub(crate) const SUFFIX: &str = ".snapshot";
/// The first line without its version.
const FORMAT: &str = "goc-watchdog snapshot ";
/// Version of a snapshot with a text profile.
const TEXT: u32 = 1;
/// Version of a snapshot with Go's binary coverage data.
const BINARY: u32 = 2;
/// Largest size in bytes of both lines together. A pod has a few addresses, not thousands.
pub(crate) const LONGEST_HEAD: usize = 64 << 10;
/// Largest length in bytes of a service's name.
pub(crate) const LONGEST_NAME: usize = 4096;
const LONGEST_HOST_NAME: usize = 255;

/// The head of a snapshot: the process whose profile it holds, and the time at which that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotHead {
    /// The name that the process is registered under.
    pub service: String,
    /// Env, region, app, branch and commit of a service whose name was put together from them; `''` for an app that the
    /// program in the meta decides. `None`: the name is the one of a registered service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<[String; 5]>,
    /// The port where the process serves its profile.
    pub port: u16,
    /// Addresses of the host; those that other hosts can reach come first.
    pub addresses: Vec<IpAddr>,
    /// Name of the host; in Kubernetes that of the pod.
    pub host_name: String,
    /// Boot id of the kernel, if it is known.
    pub boot_id: Option<String>,
    /// The process, if it was found.
    pub process: Option<SnapshotProcess>,
    /// Time at which the profile was read, by the clock of that host.
    pub captured_at: DateTime<Utc>,
    /// Size of the profile.
    pub profile_bytes: u64,
    /// SHA-256 of the profile, in hex.
    pub profile_sha256: String,
    /// Size of the meta, behind which the counters stand; `None`: the profile is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_bytes: Option<u64>,
    /// The process as its agent names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<NamedByAgent>,
}

/// The names that an agent of Go's binary data gives its process, as in an answer to a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedByAgent {
    pub pid: Option<u32>,
    /// Time at which the counters were read, by the clock of the process.
    pub read_at: Option<DateTime<Utc>>,
}

/// The identity of a process on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotProcess {
    /// Process id in its own namespace.
    pub id: i32,
    /// Start of the process, by the clock of its host.
    pub started_at: DateTime<Utc>,
}

/// The reason why a file is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSnapshot {
    /// The file ends within its first two lines.
    #[error("it is cut short")]
    Cut,
    /// The file was written by another program.
    #[error("it is not a snapshot of goc-watchdog")]
    NotOurs,
    /// The version is that of no release.
    #[error("its format has version {found}, and this release reads the versions {TEXT} and {BINARY}")]
    OtherVersion {
        /// The version in the file.
        found: String,
    },
    /// The file was written by a newer release.
    #[error(
        "its format has version {found}, which a newer release of goc-watchdog reads; this one reads the versions {TEXT} and {BINARY}"
    )]
    FromTheFuture {
        /// The version.
        found: u32,
    },
    /// The second line is not a valid head.
    #[error("its head is wrong: {0}")]
    Head(String),
}

impl SnapshotHead {
    /// Returns the head with the length and the hash of its profile.
    #[must_use]
    pub(crate) fn with_profile(self, profile: &[u8]) -> Self {
        Self { profile_bytes: profile.len() as u64, profile_sha256: hex(&Sha256::digest(profile)), ..self }
    }

    /// Returns the reason for which the head is invalid.
    fn fault(&self) -> Option<&'static str> {
        let started_at = self.process.map(|process| process.started_at);
        // Sums of such times cannot overflow, and the database can store and read them.
        let is_of_this_age = |at: DateTime<Utc>| (1970..=9999).contains(&at.year());
        let read_at = self.agent.and_then(|agent| agent.read_at);
        let are_times =
            [Some(self.captured_at), started_at, read_at].into_iter().flatten().all(is_of_this_age);
        let is_host_name = |name: &str| {
            name.len() <= LONGEST_HOST_NAME
                && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        };
        match self {
            _ if self.service.is_empty() => Some("it names no service"),
            _ if self.service.len() > LONGEST_NAME => Some("its service has a name that is too long"),
            _ if self.fields.iter().flatten().any(|field| field.len() > LONGEST_NAME) => {
                Some("its service has a field that is too long")
            }
            _ if self.port == 0 => Some("it names no port"),
            _ if !is_host_name(&self.host_name) => Some("its host has a name that no host has"),
            _ if !are_times => Some("a time is not of this age"),
            _ if self.meta_bytes.is_some_and(|bytes| bytes > self.profile_bytes) => {
                Some("its meta is longer than all of it")
            }
            _ => None,
        }
    }

    /// Returns the process of which the counters are, with the SHA-256 of its meta.
    #[must_use]
    pub(crate) fn named_process(&self, meta: Fingerprint) -> Process {
        let NamedByAgent { pid, read_at } = self.agent.unwrap_or(NamedByAgent { pid: None, read_at: None });
        let (pods, started_at) = (BTreeSet::new(), None);
        Process { meta, pid, uid: None, restarts: None, pods, is_shared: false, read_at, started_at }
    }

    /// Returns the two lines before the profile.
    #[must_use]
    pub(crate) fn lines(&self) -> String {
        let json = serde_json::to_string(self).expect("a head is made of texts and numbers");
        let version = if self.meta_bytes.is_some() { BINARY } else { TEXT };
        format!("{FORMAT}{version}\n{json}\n")
    }

    /// Returns the identity of a snapshot: a hash of service, process and profile, without the time.
    ///
    /// The same data written twice is therefore one snapshot, and two replicas with equal counts are two snapshots.
    #[must_use]
    pub(crate) fn identity(&self) -> String {
        let Self { service, port, host_name, boot_id, process, profile_sha256, .. } = self;
        let said = serde_json::json!([service, port, host_name, boot_id, process, profile_sha256]);
        hex(&Sha256::digest(said.to_string()))
    }

    #[must_use]
    pub(crate) fn file_name(&self) -> String {
        format!("{}{SUFFIX}", self.identity())
    }

    /// Returns the address of the process among these, each given with its host and port: the first that fits. A
    /// loopback address is taken only if no other fits.
    #[must_use]
    pub(crate) fn find<'a>(&self, listed: impl Iterator<Item = (&'a str, &'a str, u16)>) -> Option<&'a str> {
        let mut at_loopback = None;
        for (address, host, _) in listed.filter(|(.., port)| *port == self.port) {
            match host.parse::<IpAddr>() {
                Ok(ip) if !self.addresses.contains(&ip) => {}
                Ok(ip) if ip.is_loopback() => at_loopback = at_loopback.or(Some(address)),
                Err(_) if host == "localhost" => at_loopback = at_loopback.or(Some(address)),
                Err(_) if host != self.host_name => {}
                _ => return Some(address),
            }
        }
        at_loopback
    }

    /// Returns the address with which the process would be listed.
    #[must_use]
    pub(crate) fn own_address(&self) -> String {
        match self.addresses.first() {
            Some(IpAddr::V6(ip)) => format!("http://[{ip}]:{}", self.port),
            Some(ip) => format!("http://{ip}:{}", self.port),
            None => format!("http://{}:{}", self.host_name, self.port),
        }
    }
}

/// Reads the lines before the profile; also returns the offset at which the profile begins.
pub(crate) fn read_head(text: &[u8]) -> Result<(SnapshotHead, usize), BadSnapshot> {
    let text = &text[..text.len().min(LONGEST_HEAD)];
    let is_too_long = text.len() == LONGEST_HEAD;
    let end_of = |from: usize| memchr::memchr(b'\n', &text[from..]).map(|length| from + length);
    let Some(first) = end_of(0) else {
        let begins = FORMAT.as_bytes().iter().zip(text).all(|(wanted, found)| wanted == found);
        return Err(if begins && !is_too_long { BadSnapshot::Cut } else { BadSnapshot::NotOurs });
    };
    let line = String::from_utf8_lossy(&text[..first]);
    let Some(version) = line.strip_prefix(FORMAT) else { return Err(BadSnapshot::NotOurs) };
    let is_binary = match version.parse() {
        Ok(TEXT) => false,
        Ok(BINARY) => true,
        Ok(found) if found > BINARY => return Err(BadSnapshot::FromTheFuture { found }),
        _ => return Err(BadSnapshot::OtherVersion { found: version.chars().take(20).collect() }),
    };
    let Some(second) = end_of(first + 1) else {
        return Err(if is_too_long {
            BadSnapshot::Head("it is too long".to_owned())
        } else {
            BadSnapshot::Cut
        });
    };
    let head: SnapshotHead = serde_json::from_slice(&text[first + 1..second])
        .map_err(|error| BadSnapshot::Head(error.to_string()))?;
    match head.fault() {
        Some(fault) => Err(BadSnapshot::Head(fault.to_owned())),
        None if head.meta_bytes.is_some() != is_binary => {
            Err(BadSnapshot::Head("its version is not that of its profile".to_owned()))
        }
        None => Ok((head, second + 1)),
    }
}

/// Writes bytes as two hex digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A reader that hashes the profile, to compare it with the head.
#[derive(Debug)]
pub(crate) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: std::io::Read> HashingReader<R> {
    /// Wraps a reader that stands at the first byte of the profile.
    #[must_use]
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// Tells whether exactly the bytes that the head describes were read.
    #[must_use]
    pub(crate) fn is_whole(&self, head: &SnapshotHead) -> bool {
        self.bytes == head.profile_bytes && hex(&self.hash.clone().finalize()) == head.profile_sha256
    }
}

impl<R: std::io::Read> std::io::Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read;

    use chrono::TimeZone;

    use super::*;

    pub(crate) fn head() -> SnapshotHead {
        let at = |minute| Utc.with_ymd_and_hms(2026, 11, 25, 12, minute, 0).unwrap();
        SnapshotHead {
            service: "staging_th_app_master_845820727e".to_owned(),
            fields: None,
            port: 49970,
            addresses: ["10.2.3.4", "fd00::7", "127.0.0.1"].map(|ip| ip.parse().unwrap()).to_vec(),
            host_name: "app-5d9c".to_owned(),
            boot_id: Some("3f0c".to_owned()),
            process: Some(SnapshotProcess { id: 1, started_at: at(0) }),
            captured_at: at(30),
            profile_bytes: 0,
            profile_sha256: String::new(),
            meta_bytes: None,
            agent: None,
        }
    }

    const PROFILE: &[u8] = b"mode: count\nm/a.go:1.1,2.2 1 3\n";

    #[test]
    fn what_is_written_is_read_again() {
        let head = head().with_profile(PROFILE);
        let text = [head.lines().as_bytes(), PROFILE].concat();
        let (read, start) = read_head(&text).unwrap();
        assert_eq!((&read, &text[start..]), (&head, PROFILE));
        let mut checked = HashingReader::new(&text[start..]);
        checked.read_to_end(&mut Vec::new()).unwrap();
        assert!(checked.is_whole(&head));
    }

    #[test]
    fn every_file_that_is_cut_short_is_known_for_one() {
        let head = head().with_profile(PROFILE);
        let text = [head.lines().as_bytes(), PROFILE].concat();
        for length in 0..text.len() {
            match read_head(&text[..length]) {
                Err(error) => assert_eq!(error, BadSnapshot::Cut, "{length}"),
                Ok((head, start)) => {
                    let mut checked = HashingReader::new(&text[start..length]);
                    checked.read_to_end(&mut Vec::new()).unwrap();
                    assert!(!checked.is_whole(&head), "{length}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_snapshot_says_so() {
        let said = |text: &[u8]| read_head(text).unwrap_err().to_string();
        assert_eq!(said(b"mode: count\n"), "it is not a snapshot of goc-watchdog");
        assert_eq!(said(b"goc-watchdog reminder"), "it is not a snapshot of goc-watchdog");
        assert_eq!(
            said(b"goc-watchdog snapshot 0\n{}\n"),
            "its format has version 0, and this release reads the versions 1 and 2"
        );
        assert_eq!(read_head(b"goc-watchdog snapshot 3\n{}\n"), Err(BadSnapshot::FromTheFuture { found: 3 }));
        let text = head().lines().replacen(" 1\n", " 2\n", 1);
        assert_eq!(said(text.as_bytes()), "its head is wrong: its version is not that of its profile");
        let long = SnapshotHead { meta_bytes: Some(9), ..head() }.lines();
        assert_eq!(said(long.as_bytes()), "its head is wrong: its meta is longer than all of it");
        assert!(said(b"goc-watchdog snapshot 1\n{}\n").starts_with("its head is wrong: missing field"));
        let endless = [b"goc-watchdog snapshot 1\n".as_slice(), &vec![b'x'; LONGEST_HEAD]].concat();
        assert_eq!(said(&endless), "its head is wrong: it is too long");
        let nameless = SnapshotHead { service: String::new(), ..head() }.lines();
        assert_eq!(said(nameless.as_bytes()), "its head is wrong: it names no service");
        let portless = SnapshotHead { port: 0, ..head() }.lines();
        assert_eq!(said(portless.as_bytes()), "its head is wrong: it names no port");
        for name in ["a/b", "a\nb", &"x".repeat(256)] {
            let odd = SnapshotHead { host_name: name.to_owned(), ..head() }.lines();
            assert_eq!(said(odd.as_bytes()), "its head is wrong: its host has a name that no host has");
        }
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let captured = SnapshotHead { captured_at: at, ..head() }.lines();
            assert_eq!(said(captured.as_bytes()), "its head is wrong: a time is not of this age");
            let started =
                SnapshotHead { process: Some(SnapshotProcess { id: 1, started_at: at }), ..head() }.lines();
            assert_eq!(said(started.as_bytes()), "its head is wrong: a time is not of this age");
            let agent = Some(NamedByAgent { pid: None, read_at: Some(at) });
            let read = SnapshotHead { agent, ..head() }.lines();
            assert_eq!(said(read.as_bytes()), "its head is wrong: a time is not of this age");
        }
    }

    #[test]
    fn the_same_data_left_again_is_one_snapshot_and_that_of_another_replica_is_not() {
        let first = head().with_profile(PROFILE);
        let later =
            SnapshotHead { captured_at: first.captured_at + chrono::TimeDelta::seconds(9), ..first.clone() };
        assert_eq!(first.file_name(), later.file_name());
        for other in [
            SnapshotHead { host_name: "app-77aa".to_owned(), ..first.clone() },
            SnapshotHead { process: None, ..first.clone() },
            SnapshotHead { service: "other".to_owned(), ..first.clone() },
            first.clone().with_profile(b"mode: count\nm/a.go:1.1,2.2 1 4\n"),
        ] {
            assert_ne!(first.file_name(), other.file_name());
        }
    }

    #[test]
    fn a_process_is_found_by_its_port_and_any_address_of_its_host() {
        let found = |listed: &[(&'static str, &'static str, u16)]| head().find(listed.iter().copied());
        assert_eq!(found(&[("a", "10.2.3.5", 49970), ("b", "10.2.3.4", 49970)]), Some("b"));
        assert_eq!(found(&[("a", "10.2.3.4", 49971)]), None);
        assert_eq!(found(&[("a", "fd00::7", 49970)]), Some("a"));
        assert_eq!(found(&[("a", "app-5d9c", 49970)]), Some("a"));
        assert_eq!(found(&[("a", "app", 49970)]), None);
        assert_eq!(found(&[("a", "127.0.0.1", 49970), ("b", "fd00::7", 49970)]), Some("b"));
        assert_eq!(found(&[("a", "127.0.0.1", 49970)]), Some("a"));
        assert_eq!(found(&[("a", "localhost", 49970), ("b", "10.2.3.4", 49970)]), Some("b"));
        assert_eq!(found(&[("a", "localhost", 49970)]), Some("a"));
        assert_eq!(head().own_address(), "http://10.2.3.4:49970");
    }
}
