//! The hook that saves the counters of a process of this host in an inbox before the process ends.
//!
//! The hook needs only the folder: no root, no configuration, no database, no lock. A pod may have no home and no other
//! folder that can be written.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use chrono::{DateTime, Utc};

use crate::address::{host_and_port, shown_url};
use crate::collect::hook_port;
use crate::collect::whole_answer::{WholeAnswer, whole_answer_at};
use crate::fleet::snapshot::{LONGEST_NAME, NamedByAgent, SnapshotHead, SnapshotProcess};
use crate::fleet::targets::{AgentKind, ProgramName, tidy_commit};
use crate::io::center::{Client, HttpError, RequestOptions};
use crate::io::host::{self, Listener};
use crate::io::{clock, workdir};
use crate::names::in_message;
use crate::parallel;
use crate::profile::{self, Profile};

/// Number of attempts when another process takes the port meanwhile.
const TRIES: usize = 3;

/// The process whose counters are saved, and the folder for them.
pub(crate) struct SnapshotRequest {
    pub(crate) folder: PathBuf,
    /// Name of the service; `None` for the name in the environment of the process.
    pub(crate) service: Option<String>,
    /// Address of the process; `None` for the one at which the process is found on this host.
    pub(crate) address: Option<String>,
    pub(crate) options: RequestOptions,
}

/// A snapshot that was written into the inbox.
pub(crate) struct LeftSnapshot {
    pub(crate) path: PathBuf,
    pub(crate) head: SnapshotHead,
    pub(crate) profile: Profile,
}

/// Saves a snapshot, or fails after the deadline. The work has its own thread, because a call to a hanging file system
/// cannot be interrupted.
pub(crate) fn leave_within(deadline: Duration, request: SnapshotRequest) -> Result<LeftSnapshot> {
    let (send, done) = mpsc::sync_channel(1);
    let begun = parallel::spawn_detached(move || {
        let _ = send.send(leave(&request));
    });
    // Without a thread only the requests have the deadline.
    let _ = begun.map_err(|work| work());
    done.recv_timeout(deadline).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            Err(anyhow!("it took longer than {} (--deadline)", humantime::format_duration(deadline)))
        }
        RecvTimeoutError::Disconnected => Err(anyhow!("the thread that does it ended")),
    })
}

fn leave(request: &SnapshotRequest) -> Result<LeftSnapshot> {
    // The folder is checked before the process is asked. Otherwise a slow process would hide the fault of the folder
    // behind the deadline.
    workdir::inbox::check(&request.folder).map_err(|error| {
        anyhow!("{:#}; let --to-inbox be a folder that exists and that this user can write", anyhow!(error))
    })?;
    let client = Client::new(&request.options)?;
    let address = match &request.address {
        Some(address) => address.clone(),
        None => format!("http://127.0.0.1:{}", hook_port::find(&client, request.service.as_deref())?),
    };
    let (asked, port) = host_and_port(&address)?;
    let mut addresses = host::addresses();
    let asked: Option<IpAddr> = asked.parse().ok();
    // Only listeners of this host can be looked up.
    let is_here = asked.is_none_or(|ip| ip.is_loopback() || addresses.contains(&ip));
    let listener = || host::listener(port).filter(|_| is_here);
    if request.service.is_none() && is_here && !host::is_listened_at(port) {
        bail!("{}", nameless(port, None));
    }
    let ProcessAnswer { service, data, captured_at, process } =
        ask(&client, request.service.as_deref(), &address, port, listener)?;
    let HookService { name: service, fields } = service;
    let (profile, mut content, meta_bytes, agent) = match data {
        Data::Text(profile) => {
            let mut text = Vec::new();
            profile::write(profile.mode, &profile.build, &profile.counts, &mut text)?;
            (profile, text, None, None)
        }
        Data::Binary(WholeAnswer { profile, mut meta, counters, pid, read_at, .. }) => {
            let meta_bytes = meta.len() as u64;
            meta.extend(counters);
            (profile, meta, Some(meta_bytes), Some(NamedByAgent { pid, read_at }))
        }
    };

    if let Some(ip) = asked.filter(|ip| !addresses.contains(ip)) {
        addresses.insert(0, ip);
    }
    let process = process
        .and_then(|listener| Some(SnapshotProcess { id: listener.id, started_at: listener.started_at? }));
    let head = SnapshotHead {
        service,
        fields,
        port,
        addresses,
        host_name: host::name(),
        boot_id: host::boot_id(),
        process,
        captured_at,
        profile_bytes: 0,
        profile_sha256: String::new(),
        meta_bytes,
        agent,
    }
    .with_profile(&content);
    content.splice(..0, head.lines().into_bytes());
    let path = workdir::inbox::leave(&request.folder, &head.file_name(), &content)?;
    Ok(LeftSnapshot { path, head, profile })
}

/// The data of one process.
enum Data {
    Text(Profile),
    Binary(WholeAnswer),
}

/// The answer of one process.
struct ProcessAnswer {
    service: HookService,
    data: Data,
    captured_at: DateTime<Utc>,
    /// The process; `None` if it is on another host or belongs to another user.
    process: Option<Listener>,
}

/// Asks for the profile until the same process listens before and after the answer.
fn ask(
    client: &Client,
    given: Option<&str>,
    address: &str,
    port: u16,
    listener: impl Fn() -> Option<Listener>,
) -> Result<ProcessAnswer> {
    let mut before = listener();
    let mut tries = 0;
    loop {
        let service = match tries {
            0 => service_at(given, before.as_ref())?,
            _ => service_of_successor(port, given, before.as_ref())?,
        };
        let pulled = data_at(client, address);
        let data = pulled.with_context(|| format!("profile from \"{}\"", shown_url(address)))?;
        let captured_at = clock::now();
        let after = listener();
        if is_answer_of(before.as_ref(), after.as_ref()) {
            let service = match service {
                Some(name) => HookService { name, fields: None },
                None => service_of_program(port, before.as_ref(), &data)?,
            };
            return Ok(ProcessAnswer { service, data, captured_at, process: before });
        }
        tries += 1;
        if tries == TRIES {
            bail!("another process took port {port} while it was asked");
        }
        before = after;
    }
}

fn data_at(client: &Client, address: &str) -> Result<Data, HttpError> {
    if client.find_kind(address)? == Some(AgentKind::Coverport) {
        return whole_answer_at(client, address).map(Data::Binary);
    }
    match client.profile(address).and_then(|mut incoming| incoming.parse(&[], None, 0)) {
        Err(HttpError::Coverport) => whole_answer_at(client, address).map(Data::Binary),
        answer => answer.map(|answer| Data::Text(answer.profile)),
    }
}

/// The service of a snapshot.
#[derive(Debug, PartialEq, Eq)]
struct HookService {
    name: String,
    fields: Option<[String; 5]>,
}

/// Returns the name of the service of the process at a port: the given name, or else the one in its environment. `None`
/// where both have none.
fn service_at(given: Option<&str>, listener: Option<&Listener>) -> Result<Option<String>> {
    let Some(service) = given.or_else(|| listener?.service.as_deref()) else { return Ok(None) };
    if service.len() > LONGEST_NAME {
        bail!("the name of the service is longer than {LONGEST_NAME} bytes");
    }
    Ok(Some(service.to_owned()))
}

/// Returns the service of a process without a name, from the variables of its pod and from what its agent tells.
///
/// The program in its meta decides an app that no variable names when the snapshot is taken in: only then is it known
/// which app stands for which program.
fn service_of_program(port: u16, listener: Option<&Listener>, data: &Data) -> Result<HookService> {
    let mut fields = host::own_pod();
    if let Some(listener) = listener {
        fields = fields.or(&listener.pod);
    }
    let mut shown = fields.clone();
    if let Data::Binary(WholeAnswer { headers, main_package, .. }) = data {
        let told = tidy_commit(headers.commit.as_deref().unwrap_or_default());
        if !told.is_empty() {
            fields.commit = told;
        }
        shown.commit.clone_from(&fields.commit);
        let program = ProgramName::new(main_package.as_deref(), headers.binary.as_deref());
        let app = program.as_ref().and_then(|program| program.apps().into_iter().next());
        if let Some(app) = app.filter(|_| fields.app.is_empty()) {
            shown.app = app;
        }
        if matches!(program, Some(ProgramName::Binary(_))) {
            fields.app.clone_from(&shown.app);
        }
    }
    if shown.app.is_empty() {
        bail!("{}", nameless(port, listener));
    }
    Ok(HookService { name: shown.to_string(), fields: Some(fields.to_list()) })
}

/// Returns the name of the service of a process that took a port during the request. The name in its environment must
/// equal the given one; otherwise its counters would be stored for another service.
fn service_of_successor(
    port: u16,
    given: Option<&str>,
    listener: Option<&Listener>,
) -> Result<Option<String>> {
    let own = listener.and_then(|listener| listener.service.as_deref());
    match (given, own) {
        (Some(given), Some(own)) if given != own => {
            bail!("the process ended, and one of \"{}\" took port {port} while it was asked", in_message(own))
        }
        (Some(_), None) => {
            bail!(
                "the process ended, and another one, whose name cannot be read, took port {port} during the request"
            )
        }
        _ => service_at(None, listener),
    }
}

/// Tells whether an answer came from the process that listened before the request.
///
/// If no process listens any more, the earlier one answered. If another one listens now, either may have answered.
fn is_answer_of(before: Option<&Listener>, after: Option<&Listener>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => (before.id, before.started_at) == (after.id, after.started_at),
        (_, None) => true,
        (None, Some(_)) => false,
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
    format!("{what}: name the service with --service, or its app with POD_APP")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::fleet::targets::ServiceFields;

    #[test]
    fn a_process_that_took_the_port_is_saved_under_its_own_name_alone() {
        let process = |service: Option<&str>| Listener {
            id: 7,
            started_at: None,
            service: service.map(str::to_owned),
            pod: ServiceFields::default(),
        };
        let named = |given, own| service_of_successor(80, given, Some(&process(own))).ok().flatten();
        assert_eq!(named(None, Some("b")).as_deref(), Some("b"));
        assert_eq!(named(Some("a"), Some("a")).as_deref(), Some("a"));
        assert_eq!(named(Some("a"), Some("b")), None);
        assert_eq!(named(Some("a"), None), None);
        assert_eq!(named(None, None), None);
    }

    #[test]
    fn an_answer_is_that_of_the_process_that_listens_before_and_after_it() {
        let process = |id: i32, second: i64| {
            Some(Listener {
                id,
                started_at: DateTime::from_timestamp(second, 0),
                service: None,
                pod: ServiceFields::default(),
            })
        };
        for (before, after, expected) in [
            (process(7, 0), process(7, 0), true),
            (process(7, 0), process(8, 5), false),
            // The kernel reuses process ids.
            (process(7, 0), process(7, 5), false),
            (process(7, 0), None, true),
            (None, process(8, 5), false),
            (None, None, true),
        ] {
            assert_eq!(is_answer_of(before.as_ref(), after.as_ref()), expected, "{before:?} {after:?}");
        }
    }
}
