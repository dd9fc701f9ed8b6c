//! Whole answers of agents that serve Go's binary coverage data, for those who store nothing in a database.

use std::io::Write;

use chrono::{DateTime, Utc};

use crate::agent_files::AgentFiles;
use crate::collect::binary_answer::{WholeMeta, request, whole_meta};
use crate::collect::known_meta::KnownMeta;
use crate::fleet::targets::AgentKind;
use crate::io::center::{AgentHeaders, AskedFor, Client, CoverageAnswer, HttpError};
use crate::memory::Reservation;
use crate::profile::gocover::{CounterFile, Meta};
use crate::profile::{self, Profile};

/// Writes the profile of the process at an address: the text of its agent as it comes, else a text of its counters.
/// `told_kind` is the kind of the agent, if it is known.
pub(crate) fn write_profile_at(
    client: &Client,
    address: &str,
    told_kind: Option<&AgentKind>,
    out: &mut impl Write,
) -> Result<(), HttpError> {
    let found = match told_kind {
        None => client.find_kind(address)?,
        Some(_) => None,
    };
    let kind = match told_kind.or(found.as_ref()) {
        None | Some(AgentKind::Goc) => match client.raw(address, out) {
            // Only the head of the answer was read, so nothing is written yet.
            Err(HttpError::Coverport) => &AgentKind::Coverport,
            written => return written.map(drop),
        },
        Some(kind) => kind,
    };
    let profile = profile_at(client, address, kind)?;
    profile::write(profile.mode, &profile.build, &profile.counts, out).map_err(HttpError::Output)
}

/// A whole answer, decoded, and the files that it is made of.
pub(crate) struct WholeAnswer {
    pub(crate) headers: AgentHeaders,
    /// Import path of the package `main` of its program, if it counts that.
    pub(crate) main_package: Option<String>,
    pub(crate) profile: Profile,
    pub(crate) meta: Vec<u8>,
    /// Without the arguments of the process, which may hold secrets.
    pub(crate) counters: Vec<u8>,
    pub(crate) pid: Option<u32>,
    /// Time at which the counters were read, by the clock of the process.
    pub(crate) read_at: Option<DateTime<Utc>>,
}

/// Asks an address for a whole answer; for those who store nothing.
pub(crate) fn whole_answer_at(client: &Client, address: &str) -> Result<WholeAnswer, HttpError> {
    let mut coverage = request(client, address, &AgentKind::Coverport, AskedFor::Whole, None)?;
    let WholeMeta { meta, bytes } = whole_meta(&mut coverage, client)?;
    let file = CounterFile::from_bytes(&coverage.counters)?;
    let profile = KnownMeta::new(&meta, &AgentFiles::default()).profile(&file)?;
    let counters = file.without_arguments(&coverage.counters);
    let CoverageAnswer { headers, read_at, .. } = coverage;
    let (pid, main_package) = (headers.pid, meta.main_package().map(str::to_owned));
    Ok(WholeAnswer { headers, main_package, profile, meta: bytes, counters, pid, read_at })
}

/// Asks an address for its meta, and returns the import path of the package `main` of its program, if it counts that.
pub(crate) fn main_package_at(
    client: &Client,
    address: &str,
    kind: &AgentKind,
    mut reservation: Reservation,
) -> Result<Option<String>, HttpError> {
    let bytes = match kind {
        AgentKind::Raw { meta, .. } => client.coverage_file(address, meta, 0, Some(&mut reservation))?.1,
        AgentKind::Goc | AgentKind::Coverport => {
            let mut coverage = request(client, address, kind, AskedFor::Whole, Some(&mut reservation))?;
            whole_meta(&mut coverage, client)?.bytes
        }
    };
    let meta = Meta::from_bytes(&bytes, client.limits())?;
    reservation.grow_to((bytes.len() + meta.heap_bytes()) as u64)?;
    Ok(meta.main_package().map(str::to_owned))
}

/// Asks an address for a whole answer, and decodes it; for those who store nothing.
pub(crate) fn profile_at(client: &Client, address: &str, kind: &AgentKind) -> Result<Profile, HttpError> {
    let mut coverage = request(client, address, kind, AskedFor::Whole, None)?;
    let WholeMeta { meta, .. } = whole_meta(&mut coverage, client)?;
    let file = CounterFile::from_bytes(&coverage.counters)?;
    Ok(KnownMeta::new(&meta, &AgentFiles::none()).profile(&file)?)
}
