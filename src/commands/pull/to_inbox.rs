//! `pull --to-inbox`: the last data of a process of this host, for a hook that runs before it ends.
//!
//! It needs nothing but the folder: no root, no configuration, no database, no lock. Where it runs there may be no
//! home, and nothing else that can be written to.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use super::PullArgs;
use crate::address::host_and_port;
use crate::center::{Client, Options};
use crate::cli::Global;
use crate::config::PullConfig;
use crate::exit::ExitCode;
use crate::host::{self, Listener};
use crate::names::printable;
use crate::parallel;
use crate::profile::{self, Profile};
use crate::snapshot::{Head, LONGEST_NAME, Process};
use crate::{clock, workdir};

/// Well within the 30 seconds that Kubernetes gives a pod.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is to be saved, and where.
struct Task {
    folder: PathBuf,
    service: Option<String>,
    address: Option<String>,
    options: Options,
}

/// A snapshot that lies in the inbox.
struct Left {
    path: PathBuf,
    head: Head,
    profile: Profile,
}

/// Runs the command; unless it is strict, the process goes on to its end whatever happens here.
pub(super) fn run(args: &PullArgs, folder: &Path, global: &Global) -> ExitCode {
    let deadline = args.deadline.unwrap_or(DEADLINE);
    let within = PullConfig {
        connect_timeout: deadline,
        read_timeout: deadline,
        timeout: deadline,
        ..PullConfig::default()
    };
    let task = Task {
        folder: folder.to_owned(),
        service: args.service.clone().or_else(host::own_service),
        address: args.address.clone(),
        options: args.options(Options::of(&within)),
    };
    match before(deadline, task) {
        Ok(Left { path, head, profile }) => {
            if !global.quiet {
                let (name, coverage) = (printable(&head.service).into_owned(), profile.coverage());
                // Whether anybody reads it or not.
                let _ = writeln!(
                    io::stdout(),
                    "{name}: {coverage} of {} statements, left in {}",
                    coverage.total,
                    printable(&path.display().to_string())
                );
            }
            ExitCode::Done
        }
        Err(error) => {
            super::super::fail(format!("the last data was not saved: {error:#}"));
            if args.strict { ExitCode::Failed } else { ExitCode::Done }
        }
    }
}

/// Does it, or fails once the deadline passed: a file system that hangs cannot be broken off, but left behind.
fn before(deadline: Duration, task: Task) -> Result<Left> {
    let (send, done) = mpsc::sync_channel(1);
    let begun = parallel::begin_detached(move || {
        let _ = send.send(save(&task));
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

fn save(task: &Task) -> Result<Left> {
    let address = match &task.address {
        Some(address) => address.clone(),
        None => format!("http://127.0.0.1:{}", port()?),
    };
    let (asked, port) = host_and_port(&address)?;
    let mut addresses = host::addresses();
    let asked: Option<IpAddr> = asked.parse().ok();
    // What listens there is known of this host alone.
    let is_here = asked.is_none_or(|ip| ip.is_loopback() || addresses.contains(&ip));
    let listener = host::listener(port).filter(|_| is_here);
    let service = match (&task.service, listener.as_ref().and_then(|listener| listener.service.clone())) {
        (Some(named), _) => named.clone(),
        (None, Some(found)) => found,
        (None, None) => bail!("{}", nameless(port, listener.as_ref())),
    };
    if service.len() > LONGEST_NAME {
        bail!("the name of the service is longer than {LONGEST_NAME} bytes");
    }

    let client = Client::new(&task.options)?;
    let pulled = client.profile(&address).and_then(|mut incoming| incoming.understand(&[], None, 0));
    let understood = pulled.with_context(|| format!("profile from \"{}\"", printable(&address)))?;
    let captured_at = clock::now();
    let profile = understood.profile;
    let mut text = Vec::new();
    profile::write(profile.mode, &profile.build, &profile.counts, &mut text)?;

    if let Some(ip) = asked.filter(|ip| !addresses.contains(ip)) {
        addresses.insert(0, ip);
    }
    let process =
        listener.and_then(|listener| Some(Process { id: listener.id, started_at: listener.started_at? }));
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
    let path = workdir::inbox::leave(&task.folder, &head.file_name(), &text)?;
    Ok(Left { path, head, profile })
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
                printable(&file.path.display().to_string())
            )
        }
        _ => {
            let listed = files.iter().map(|file| {
                let port = file.port.map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
                format!("\n  {}: {port}", printable(&file.path.display().to_string()))
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
