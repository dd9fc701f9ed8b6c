//! This host and its processes, as the kernel shows them: for a hook that runs beside the process whose profile it saves.
//!
//! Facts that cannot be found are left out; only the caller knows whether it needs them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process as ProcEntry};
use rustix::process::{Resource, getrlimit};

use crate::fleet::targets::{ServiceFields, tidy_commit};

/// Environment variable with the name under which a process built by goc registers.
const SERVICE: &str = "GOC_SERVICE_NAME";
/// Environment variable with the port of an agent of Go's binary coverage data.
const COVERAGE_PORT: &str = "COVERAGE_PORT";
/// Environment variables with the parts of the name of a pod's service, as its manifest may set them.
const POD: [&str; 5] = ["POD_NAMESPACE", "POD_REGION", "POD_APP", "POD_BRANCH", "POD_COMMIT"];
/// Suffix of the path of a program for the file into which goc writes its address.
const ADDRESS_FILE: &str = "_profile_listen_addr";

/// A file with the address at which a process built by goc serves its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressFile {
    /// Path for messages.
    pub path: PathBuf,
    /// `None` if the file has none.
    pub port: Option<u16>,
}

/// A process that listens at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Process id in this namespace.
    pub id: i32,
    /// Time by the clock of this host; `None` if the kernel does not show it.
    pub started_at: Option<DateTime<Utc>>,
    /// Name under which it registers, if its environment has one.
    pub service: Option<String>,
    /// The parts of the name of its service that its environment has.
    pub pod: ServiceFields,
}

/// Returns the name in the environment of this process, which may also be the one of the process beside it.
#[must_use]
pub(crate) fn own_service() -> Option<String> {
    service_in(std::env::var_os(SERVICE))
}

/// Returns the parts of the name of a service in the environment of this process: the namespace of the pod, and its region,
/// app, branch and commit.
#[must_use]
pub(crate) fn own_pod() -> ServiceFields {
    pod_in(|name| std::env::var_os(name))
}

fn pod_in(value: impl Fn(&str) -> Option<OsString>) -> ServiceFields {
    let [env, region, app, branch, commit] = POD.map(|name| service_in(value(name)).unwrap_or_default());
    ServiceFields { env, region, app, branch, commit: tidy_commit(&commit) }
}

fn service_in(value: Option<OsString>) -> Option<String> {
    value?.into_string().ok().filter(|name| !name.is_empty())
}

/// Returns the first port that an agent of Go's binary coverage data tries, if the environment tells it, which may also be
/// that of this process.
#[must_use]
pub(crate) fn coverage_port() -> Option<u16> {
    let told = std::env::var_os(COVERAGE_PORT).and_then(|port| port.to_str()?.parse().ok());
    told.filter(|port| *port > 0)
}

/// Returns the addresses of this host. Those that other hosts can reach come first.
#[must_use]
pub(crate) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    // IPv4 before IPv6, as goc lists a process.
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses.dedup();
    addresses
}

/// Returns the name of this host.
#[must_use]
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the id of this run of the kernel.
#[must_use]
pub(crate) fn boot_id() -> Option<String> {
    procfs::sys::kernel::random::boot_id().ok().map(|id| id.trim().to_owned())
}

/// Returns the number of files that this process may have open; `None` if there is no limit.
#[must_use]
pub(crate) fn max_open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Returns the files that goc wrote into the current folder.
#[must_use]
pub(crate) fn address_files_here() -> Vec<AddressFile> {
    let here = fs::read_dir(".").into_iter().flatten().flatten();
    let is_one =
        |path: &PathBuf| path.as_os_str().to_string_lossy().ends_with(ADDRESS_FILE) && path.is_file();
    let here = here.map(|entry| PathBuf::from(entry.file_name())).filter(is_one);
    let mut files: Vec<AddressFile> = here.map(|path| AddressFile { port: port_in(&path), path }).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Returns the files that goc wrote beside the programs that run.
#[must_use]
pub(crate) fn address_files_of_processes() -> Vec<AddressFile> {
    let mut files = BTreeMap::new();
    for process in processes() {
        let Some(program) = process.cmdline().ok().and_then(|line| line.into_iter().next()) else { continue };
        let file = PathBuf::from(format!("{program}{ADDRESS_FILE}"));
        let proc = PathBuf::from(format!("/proc/{}", process.pid()));
        // The path leads through the process's own folders, because it may run in another container.
        let (shown, path) = match file.strip_prefix("/") {
            Ok(below) => (file.clone(), proc.join("root").join(below)),
            Err(_) => (process.cwd().unwrap_or_default().join(&file), proc.join("cwd").join(&file)),
        };
        let Ok(found) = fs::metadata(&path) else { continue };
        if found.is_file() {
            let file = || AddressFile { path: shown, port: port_in(&path) };
            files.entry((found.dev(), found.ino())).or_insert_with(file);
        }
    }
    files.into_values().collect()
}

fn port_in(path: &Path) -> Option<u16> {
    const MAX_BYTES: u64 = 256;
    let mut text = String::new();
    #[expect(clippy::disallowed_methods, reason = "this adapter reads what goc wrote for others to read")]
    File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().rsplit_once(':')?.1.parse().ok().filter(|port| *port != 0)
}

/// Returns the process that listens at a port; `None` if there is none, or none that this user may look at.
#[must_use]
pub(crate) fn listener(port: u16) -> Option<Listener> {
    let at_port = listening().filter(|socket| socket.local_address.port() == port);
    let sockets: HashSet<u64> = at_port.map(|socket| socket.inode).collect();
    let holds = |process: &ProcEntry| {
        let open = process.fd().into_iter().flatten().flatten();
        open.into_iter()
            .any(|open| matches!(open.target, FDTarget::Socket(socket) if sockets.contains(&socket)))
    };
    // A program that the process starts holds a copy of its sockets until it is executed, and may have a lower number.
    let process =
        processes().filter(holds).min_by_key(|process| process.stat().map_or(u64::MAX, |it| it.starttime))?;
    let environment = process.environ().unwrap_or_default();
    let value = |name: &str| environment.get(OsStr::new(name)).cloned();
    let (service, pod) = (service_in(value(SERVICE)), pod_in(value));
    Some(Listener { id: process.pid(), started_at: started_at(&process), service, pod })
}

/// Tells whether anything listens at a port.
#[must_use]
pub(crate) fn is_listened_at(port: u16) -> bool {
    listening().any(|socket| socket.local_address.port() == port)
}

/// Returns the ports of a range at which anything listens, sorted.
#[must_use]
pub(crate) fn listened_ports(ports: RangeInclusive<u16>) -> Vec<u16> {
    let listened = listening().map(|socket| socket.local_address.port());
    let listened: BTreeSet<u16> = listened.filter(|port| ports.contains(port)).collect();
    listened.into_iter().collect()
}

/// Returns the sockets that listen.
fn listening() -> impl Iterator<Item = TcpNetEntry> {
    let all = [procfs::net::tcp(), procfs::net::tcp6()].into_iter().flatten().flatten();
    all.filter(|socket| socket.state == TcpState::Listen)
}

fn processes() -> impl Iterator<Item = ProcEntry> {
    procfs::process::all_processes().into_iter().flatten().flatten()
}

fn started_at(process: &ProcEntry) -> Option<DateTime<Utc>> {
    let booted = i64::try_from(procfs::boot_time_secs().ok()?).ok()?;
    let ticks = process.stat().ok()?.starttime;
    let milliseconds = i64::try_from(ticks.checked_mul(1000)? / procfs::ticks_per_second()).ok()?;
    DateTime::from_timestamp(booted, 0)?.checked_add_signed(TimeDelta::milliseconds(milliseconds))
}
