//! Saves the counters of a process of this host in the inbox of a root, for a hook that runs before the process ends.
//!
//! The folder is all that is needed: no root, no configuration, no database, no lock. The host of a pod may have no home,
//! and no other place that can be written to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use chrono::{DateTime, Utc};

use crate::address::host_and_port;
use crate::fleet::snapshot::{Head, LONGEST_NAME, Process};
use crate::io::center::{Client, Options};
use crate::io::host::{self, Listener};
use crate::io::{clock, workdir};
use crate::names::in_message;
use crate::parallel;
use crate::profile::{self, Profile};

/// Number of times that a process is asked whose port another one took meanwhile.
const TRIES: usize = 3;

/// The process whose counters are saved, and the folder for them.
pub(crate) struct SnapshotRequest {
    pub(crate) folder: PathBuf,
    /// `None`: the name in the environment of the process.
    pub(crate) service: Option<String>,
    /// `None`: the address that goc wrote into a file.
    pub(crate) address: Option<String>,
    pub(crate) options: Options,
}

/// A snapshot that lies in the inbox.
pub(crate) struct LeftSnapshot {
    pub(crate) path: PathBuf,
    pub(crate) head: Head,
    pub(crate) profile: Profile,
}

/// Saves a snapshot, or fails once the deadline passed: a file system that hangs cannot be broken off, but left behind.
pub(crate) fn leave_within(deadline: Duration, request: SnapshotRequest) -> Result<LeftSnapshot> {
    let (send, done) = mpsc::sync_channel(1);
    let begun = parallel::begin_detached(move || {
        let _ = send.send(leave(&request));
    });
    // The deadline of each request holds without a thread, too.
    let _ = begun.map_err(|work| work());
    done.recv_timeout(deadline).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            Err(anyhow!("it took longer than {} (--deadline)", humantime::format_duration(deadline)))
        }
        RecvTimeoutError::Disconnected => Err(anyhow!("the thread that does it ended")),
    })
}

fn leave(request: &SnapshotRequest) -> Result<LeftSnapshot> {
    let address = match &request.address {
        Some(address) => address.clone(),
        None => format!("http://127.0.0.1:{}", port()?),
    };
    let (asked, port) = host_and_port(&address)?;
    let mut addresses = host::addresses();
    let asked: Option<IpAddr> = asked.parse().ok();
    // Listeners of this host alone can be looked up.
    let is_here = asked.is_none_or(|ip| ip.is_loopback() || addresses.contains(&ip));
    let listener = || host::listener(port).filter(|_| is_here);
    let Answer { service, profile, captured_at, process } = ask(request, &address, port, listener)?;
    let mut text = Vec::new();
    profile::write(profile.mode, &profile.build, &profile.counts, &mut text)?;

    if let Some(ip) = asked.filter(|ip| !addresses.contains(ip)) {
        addresses.insert(0, ip);
    }
    let process =
        process.and_then(|listener| Some(Process { id: listener.id, started_at: listener.started_at? }));
    let head = Head {
        service,
        port,
        addresses,
        host_name: host::name(),
        boot_id: host::boot_id(),
        process,
        captured_at,
        profile_bytes: 0,
        profile_sha256: String::new(),
    }
    .of(&text);
    text.splice(..0, head.lines().into_bytes());
    let path = workdir::inbox::leave(&request.folder, &head.file_name(), &text)?;
    Ok(LeftSnapshot { path, head, profile })
}

/// The answer of one process.
struct Answer {
    service: String,
    profile: Profile,
    captured_at: DateTime<Utc>,
    /// `None` where the process is not of this host, or another user's.
    process: Option<Listener>,
}

/// Asks for the profile until the process that listened before the answer is the one that listens after it.
fn ask(
    request: &SnapshotRequest,
    address: &str,
    port: u16,
    listener: impl Fn() -> Option<Listener>,
) -> Result<Answer> {
    let client = Client::new(&request.options)?;
    let given = request.service.as_deref();
    let mut before = listener();
    let mut tries = 0;
    loop {
        let service = match tries {
            0 => service_at(port, given, before.as_ref())?,
            _ => service_of_successor(port, given, before.as_ref())?,
        };
        let pulled = client.profile(address).and_then(|mut incoming| incoming.understand(&[], None, 0));
        let understood = pulled.with_context(|| format!("profile from \"{}\"", in_message(address)))?;
        let captured_at = clock::now();
        let after = listener();
        if is_answer_of(before.as_ref(), after.as_ref()) {
            return Ok(Answer { service, profile: understood.profile, captured_at, process: before });
        }
        tries += 1;
        if tries == TRIES {
            bail!("another process took port {port} while it was asked");
        }
        before = after;
    }
}

/// Returns the name that the process at a port is registered under: the one that was given, else that of its
/// environment.
fn service_at(port: u16, given: Option<&str>, listener: Option<&Listener>) -> Result<String> {
    let Some(service) = given.or_else(|| listener?.service.as_deref()) else {
        bail!("{}", nameless(port, listener));
    };
    if service.len() > LONGEST_NAME {
        bail!("the name of the service is longer than {LONGEST_NAME} bytes");
    }
    Ok(service.to_owned())
}

/// Returns the name of a process that took a port while the one before it was asked: its own name, which must be the
/// one that was given, or its counters would be stored as another service's.
fn service_of_successor(port: u16, given: Option<&str>, listener: Option<&Listener>) -> Result<String> {
    let own = listener.and_then(|listener| listener.service.as_deref());
    match (given, own) {
        (Some(given), Some(own)) if given != own => {
            bail!(
                "the process is gone, and one of \"{}\" took port {port} while it was asked",
                in_message(own)
            )
        }
        (Some(_), None) => {
            bail!(
                "the process is gone, and one whose name cannot be read took port {port} while it was asked"
            )
        }
        _ => service_at(port, None, listener),
    }
}

/// Tells whether an answer is that of the process that listened before it was asked for.
///
/// A process that ended since has answered. Where another one listens now, either may have.
fn is_answer_of(before: Option<&Listener>, after: Option<&Listener>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => (before.id, before.started_at) == (after.id, after.started_at),
        (_, None) => true,
        (None, Some(_)) => false,
    }
}

/// Returns the port that goc wrote for the process: in the current folder, else beside a program that runs. Of
/// several the one that is listened at.
fn port() -> Result<u16> {
    let here = host::address_files_here();
    let files = if here.is_empty() { host::address_files_of_processes() } else { here };
    let told: Vec<u16> = files.iter().filter_map(|file| file.port).collect();
    let listened: Vec<u16> = told.iter().copied().filter(|port| host::is_listened_at(*port)).collect();
    match (&listened[..], &told[..], files.first()) {
        ([port], ..) | ([], [port], _) => Ok(*port),
        ([], [], None) => bail!(
            "no *_profile_listen_addr lies here or beside a program that runs, as goc writes it where it may: \
             name the process with --address http://127.0.0.1:PORT (goc build --agentport fixes the port)"
        ),
        ([], [], Some(file)) => {
            bail!(
                "\"{}\" says no port, name the process with --address",
                in_message(&file.path.display().to_string())
            )
        }
        _ => {
            let listed = files.iter().map(|file| {
                let port = file.port.map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
                format!("\n  {}: {port}", in_message(&file.path.display().to_string()))
            });
            bail!(
                "several processes wrote an address, choose one with --address http://127.0.0.1:PORT:{}",
                listed.collect::<String>()
            )
        }
    }
}

fn nameless(port: u16, listener: Option<&Listener>) -> String {
    let what = match listener {
        Some(Listener { id, .. }) => format!(
            "GOC_SERVICE_NAME is neither in this environment nor in that of process {id}, which listens at port {port}"
        ),
        None if host::is_listened_at(port) => format!(
            "GOC_SERVICE_NAME is not in this environment, and the process that listens at port {port} is another \
             user's"
        ),
        None => format!("GOC_SERVICE_NAME is not in this environment, and nothing listens at port {port}"),
    };
    format!("{what}: name the service with --service")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_process_that_took_the_port_is_saved_under_its_own_name_alone() {
        let process =
            |service: Option<&str>| Listener { id: 7, started_at: None, service: service.map(str::to_owned) };
        let named = |given, own| service_of_successor(80, given, Some(&process(own))).ok();
        assert_eq!(named(None, Some("b")).as_deref(), Some("b"));
        assert_eq!(named(Some("a"), Some("a")).as_deref(), Some("a"));
        assert_eq!(named(Some("a"), Some("b")), None);
        assert_eq!(named(Some("a"), None), None);
        assert_eq!(named(None, None), None);
    }

    #[test]
    fn an_answer_is_that_of_the_process_that_listens_before_and_after_it() {
        let process = |id: i32, second: i64| {
            Some(Listener { id, started_at: DateTime::from_timestamp(second, 0), service: None })
        };
        for (before, after, expected) in [
            (process(7, 0), process(7, 0), true),
            (process(7, 0), process(8, 5), false),
            // The kernel gives numbers out again.
            (process(7, 0), process(7, 5), false),
            (process(7, 0), None, true),
            (None, process(8, 5), false),
            (None, None, true),
        ] {
            assert_eq!(is_answer_of(before.as_ref(), after.as_ref()), expected, "{before:?} {after:?}");
        }
    }
}
