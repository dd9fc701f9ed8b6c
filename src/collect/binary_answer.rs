//! Asks an address for Go's binary coverage data, and reads what it answers.
//!
//! The first request is for the counters alone, which name their meta by its hash. Only a meta that this service served
//! before is used for them, because the hash alone proves nothing. For the same reason, a process that is new at its
//! address is asked for its meta, too.

use std::sync::Arc;

use crate::address::shown_url;
use crate::collect::address_pull::AddressPull;
use crate::collect::asking::{KnownAnswer, known_answer, note_repeated};
use crate::collect::fault::AskError;
use crate::collect::known_meta::KnownMeta;
use crate::collect::program_check::{check_commit, check_program};
use crate::collect::run::{PullRun, PulledAnswer, StoreMessage};
use crate::collect::taking_in::take_in;
use crate::fleet::address_states::fraction_of_hits;
use crate::fleet::change::Change;
use crate::fleet::process::Process;
use crate::fleet::targets::{AgentKind, TargetFacts};
use crate::io::center::{AgentHeaders, AskedFor, Client, CoverageAnswer, HttpError};
use crate::memory::{MemoryExhausted, Reservation};
use crate::names::in_message;
use crate::profile::gocover::{CounterFile, Meta, RecordsDigest};
use crate::profile::{Fingerprint, HitCounts, Profile, Template};

/// Asks an address for Go's binary coverage data, and takes in what it answers.
pub(crate) fn ask(pull: &AddressPull<'_>, kind: &AgentKind) -> Result<(), AskError> {
    let known = known_answer(pull)?;
    let memory = &pull.run.memory;
    let read = match read_unless_repeated(pull, kind, known.as_ref(), memory.reader(false)) {
        // Once more, while nothing else is read.
        Err(AskError::Address(HttpError::Memory(MemoryExhausted::Crowded { .. }))) => {
            read_unless_repeated(pull, kind, known.as_ref(), memory.reader(true))
        }
        read => read,
    };
    match read? {
        Some(answer) => Ok(take_in(pull, answer, None, &[])?),
        None => Ok(()),
    }
}

/// Asks an address again, whose answer was read a moment ago.
pub(crate) fn ask_again(pull: &AddressPull<'_>, kind: &AgentKind) -> Result<PulledAnswer, AskError> {
    let mut reservation = pull.run.memory.reader(false);
    let coverage = request(pull.run.client, pull.address, kind, AskedFor::Counters, Some(&mut reservation))?;
    read(pull, kind, coverage, reservation)
}

/// Asks for the counters, and decodes them; `None`, and it is noted, where they are those of the last answer.
fn read_unless_repeated(
    pull: &AddressPull<'_>,
    kind: &AgentKind,
    known: Option<&KnownAnswer<'_>>,
    mut reservation: Reservation,
) -> Result<Option<PulledAnswer>, AskError> {
    let asked_for = if known.is_some() { AskedFor::CountersAlone } else { AskedFor::Counters };
    let coverage = request(pull.run.client, pull.address, kind, asked_for, Some(&mut reservation))?;
    match known {
        Some(known) if is_repeated(pull, known, &coverage) => {
            note_repeated(pull, known, coverage.bytes);
            Ok(None)
        }
        _ => Ok(Some(read(pull, kind, coverage, reservation)?)),
    }
}

/// Tells whether the process that answered last answers the same.
fn is_repeated(pull: &AddressPull<'_>, known: &KnownAnswer<'_>, coverage: &CoverageAnswer) -> bool {
    let Some(digest) = RecordsDigest::decode(&known.answer_digest) else { return false };
    if !CounterFile::from_bytes(&coverage.counters).is_ok_and(|file| digest.is_of(&file)) {
        return false;
    }
    let mut open = known.key.lock();
    open.use_processes();
    let process = open.process(known.life.id);
    process
        .is_some_and(|known| known.is_told_as(&of_answer(pull, coverage, known.meta).or_container_of(known)))
}

/// Sends the requests of a kind of agent.
pub(crate) fn request(
    client: &Client,
    address: &str,
    kind: &AgentKind,
    asked_for: AskedFor,
    mut reservation: Option<&mut Reservation>,
) -> Result<CoverageAnswer, HttpError> {
    match kind {
        AgentKind::Goc | AgentKind::Coverport => client.coverport(address, asked_for, reservation),
        AgentKind::Raw { meta, counters } => {
            let (headers, counters) =
                client.coverage_file(address, counters, 0, reservation.as_deref_mut())?;
            let bytes = counters.len() as u64;
            let mut coverage = CoverageAnswer { headers, meta: None, bytes, counters, read_at: None };
            if asked_for == AskedFor::Whole {
                let beside = coverage.counters.capacity() as u64;
                let (_, meta) = client.coverage_file(address, meta, beside, reservation)?;
                coverage.bytes += meta.len() as u64;
                coverage.meta = Some(meta);
            }
            Ok(coverage)
        }
    }
}

/// Reads an answer; asks for the meta where the service has served none that the counters are of.
fn read(
    pull: &AddressPull<'_>,
    kind: &AgentKind,
    mut coverage: CoverageAnswer,
    mut reservation: Reservation,
) -> Result<PulledAnswer, AskError> {
    let file = CounterFile::from_bytes(&coverage.counters).map_err(HttpError::from)?;
    check_commit(pull, &coverage.headers)?;
    let mut known = Vec::new();
    for key in &pull.keys {
        known.extend(key.lock().meta(file.hash(), key.entry.id, pull.run, pull.store)?);
    }
    for meta in &known {
        // A process that is new shows its meta once, because another one of this hash may fit its counters by luck.
        if !is_known(pull, &of_answer(pull, &coverage, meta.sha256)) {
            continue;
        }
        match Counted::new(meta, &coverage, pull, &mut reservation) {
            Ok(counted) => return of_known(pull, meta, kind, counted, reservation),
            // Counters that do not fit are of another meta with this hash.
            Err(HttpError::Data(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut bytes = coverage.bytes;
    if coverage.meta.is_none() {
        coverage = request(pull.run.client, pull.address, kind, AskedFor::Whole, Some(&mut reservation))?;
        bytes += coverage.bytes;
    }
    if let Some(meta) = shown_meta(&coverage, &known) {
        (coverage.meta, coverage.bytes) = (None, bytes);
        let counted = Counted::new(meta, &coverage, pull, &mut reservation)?;
        return of_known(pull, meta, kind, counted, reservation);
    }
    let meta = whole_meta(&mut coverage, pull.run.client)?;
    let whole_bytes = coverage.bytes + meta.meta.heap_bytes() as u64;
    reservation.grow_to(whole_bytes).map_err(HttpError::from)?;
    let WholeMeta { meta, bytes: data } = meta;
    let known = KnownMeta::new(&meta, &pull.run.rules.agent_files);
    drop(meta);
    check_program(pull, &known, &coverage.headers)?;
    coverage.bytes = bytes;
    let counted = Counted::new(&known, &coverage, pull, &mut reservation)?;
    let template = learn(pull, &known, data, &coverage.headers)?;
    Ok(counted.into_answer(kind, Some(template), reservation))
}

/// Returns an answer whose meta the service served before.
fn of_known(
    pull: &AddressPull<'_>,
    meta: &KnownMeta,
    kind: &AgentKind,
    counted: Counted,
    reservation: Reservation,
) -> Result<PulledAnswer, AskError> {
    tell_left_out(pull, meta)?;
    let template = pull.run.template_if_new(meta.build());
    Ok(counted.into_answer(kind, template, reservation))
}

/// Tells whether a process was taken in at its address before.
fn is_known(pull: &AddressPull<'_>, process: &Process) -> bool {
    for key in &pull.keys {
        let mut open = key.lock();
        open.use_processes();
        let mut here = open.state.at(pull.address).filter_map(|life| open.process(life.id));
        if here.any(|known| known.may_be(process)) {
            return true;
        }
    }
    false
}

/// Returns the known meta that an answer has, if its counters are of that meta.
fn shown_meta<'k>(coverage: &CoverageAnswer, known: &'k [KnownMeta]) -> Option<&'k KnownMeta> {
    if known.is_empty() {
        return None;
    }
    let sha256 = Fingerprint::for_data(coverage.meta.as_ref()?);
    let file = CounterFile::from_bytes(&coverage.counters).ok()?;
    known.iter().find(|meta| meta.sha256 == sha256 && meta.hash() == file.hash())
}

/// A meta with the bytes that it was read from.
pub(crate) struct WholeMeta {
    pub(crate) meta: Meta,
    pub(crate) bytes: Vec<u8>,
}

/// Takes the meta of an answer, which has to be that of its counters.
pub(crate) fn whole_meta(coverage: &mut CoverageAnswer, client: &Client) -> Result<WholeMeta, HttpError> {
    let Some(bytes) = coverage.meta.take() else {
        return Err(HttpError::Contradiction(
            "answered without a meta, which its counters need: ask whoever wrote the agent for \"meta_data\"",
        ));
    };
    let meta = Meta::from_bytes(&bytes, client.limits())?;
    if CounterFile::from_bytes(&coverage.counters)?.hash() != meta.hash() {
        return Err(HttpError::Contradiction(
            "its counters are of another program than its meta: it was replaced while it was asked, or its agent mixes \
             two programs",
        ));
    }
    Ok(WholeMeta { meta, bytes })
}

/// Makes a meta known for the keys of an address, and returns the template of its build.
fn learn(
    pull: &AddressPull<'_>,
    known: &KnownMeta,
    data: Vec<u8>,
    headers: &AgentHeaders,
) -> anyhow::Result<Arc<Template>> {
    let (sha256, hash, address) = (known.sha256, known.hash(), in_message(pull.address));
    let template = Arc::new(Template::for_build(known.build()));
    let structure = pull.run.intern(known.build(), Some(&template))?;
    let is_twin = pull.store.has_other_meta(hash, &sha256)?;
    pull.run.send(StoreMessage::Changes(None, vec![Change::Meta { sha256, hash, structure, data }]));
    let twin = is_twin.then(|| {
        format!("the program at \"{address}\" has the hash of another one, {hash}; they are two builds")
    });
    let told = told_by(headers).map(|told| format!("\"{address}\" tells {told}"));
    for key in &pull.keys {
        let mut open = key.lock();
        open.state.notes.extend(twin.clone());
        open.state.details.extend(told.clone());
        open.learn_meta(known.clone());
    }
    tell_left_out(pull, known)?;
    Ok(template)
}

/// Names the files of its agent that a meta leaves out, if somebody reads that.
fn tell_left_out(pull: &AddressPull<'_>, meta: &KnownMeta) -> anyhow::Result<()> {
    if !pull.run.rules.are_details_read || meta.left_out().next().is_none() {
        return Ok(());
    }
    for key in &pull.keys {
        key.lock().tell_left_out(meta, key.entry.id, pull.run, pull.store)?;
    }
    Ok(())
}

/// Returns what an agent tells of its program, in words.
fn told_by(headers: &AgentHeaders) -> Option<String> {
    let AgentHeaders { commit, source_url, binary, .. } = headers;
    let as_told =
        |what: &str, value: &Option<String>| Some(format!("{what} {}", in_message(value.as_ref()?)));
    // A build often takes the URL from its CI job, with the token for the clone in it.
    let source = source_url.as_ref().map(|url| format!("source {}", shown_url(url)));
    let told: Vec<String> =
        [as_told("program", binary), as_told("commit", commit), source].into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// The counters of an answer in the order of its build.
struct Counted {
    profile: Profile,
    hit: Option<HitCounts>,
    digest: Vec<u8>,
    fraction: String,
    process: Process,
    bytes: u64,
}

impl Counted {
    fn new(
        meta: &KnownMeta,
        coverage: &CoverageAnswer,
        pull: &AddressPull<'_>,
        reservation: &mut Reservation,
    ) -> Result<Self, HttpError> {
        let file = CounterFile::from_bytes(&coverage.counters)?;
        let blocks = meta.counted_blocks();
        reservation.grow_to((coverage.counters.len() + 2 * blocks * size_of::<u64>()) as u64)?;
        let (profile, hit, hits) = match meta.hit_counts(&file, pull.run.counts_buffers.take())? {
            Some((hit, hits)) => {
                let (mode, build) = (meta.mode(), Arc::clone(meta.build()));
                (Profile { mode, build, counts: Vec::new() }, Some(hit), hits)
            }
            None => {
                let (profile, hits) = meta.profile_and_hits(&file)?;
                (profile, None, hits)
            }
        };
        Ok(Self {
            profile,
            hit,
            digest: RecordsDigest::new(pull.run.seed, &file).encode(),
            fraction: fraction_of_hits(hits),
            process: of_answer(pull, coverage, meta.sha256),
            bytes: coverage.bytes,
        })
    }

    fn into_answer(
        self,
        kind: &AgentKind,
        template: Option<Arc<Template>>,
        mut reservation: Reservation,
    ) -> PulledAnswer {
        reservation.decoded();
        let Self { profile, hit, digest, fraction, process, bytes } = self;
        PulledAnswer {
            profile,
            hit,
            template,
            digest: Some(digest),
            fraction: Some(fraction),
            process: Some(process),
            kind: kind.clone(),
            reservation: Some(reservation),
            bytes,
        }
    }
}

/// Returns what tells that a process has executed something new, as the fraction of an agent of goc does.
pub(crate) fn hits(file: &CounterFile<'_>) -> Result<String, HttpError> {
    Ok(fraction_of_hits(file.hits()?))
}

/// Returns the process that answered.
fn of_answer(pull: &AddressPull<'_>, coverage: &CoverageAnswer, meta: Fingerprint) -> Process {
    let AgentHeaders { pid, .. } = coverage.headers;
    let read_at = pull.run.believed(coverage.read_at);
    let (facts, started_at) = pull.container().unzip();
    let TargetFacts { uid, restarts, .. } = facts.cloned().unwrap_or_default();
    let started_at = started_at.flatten();
    let pods = pull.pods().map(str::to_owned).collect();
    Process { meta, pid, uid, restarts, pods, is_shared: false, read_at, started_at }
        .without_later_container()
}

/// Asks an address for what tells whether its process has executed something new.
pub(crate) fn peek(run: &PullRun<'_>, address: &str, kind: &AgentKind) -> Result<String, HttpError> {
    let peek = |is_alone| {
        let mut reservation = run.memory.reader(is_alone);
        let coverage = request(run.client, address, kind, AskedFor::Counters, Some(&mut reservation))?;
        hits(&CounterFile::from_bytes(&coverage.counters)?)
    };
    match peek(false) {
        // Once more, while nothing else is read.
        Err(HttpError::Memory(MemoryExhausted::Crowded { .. })) => peek(true),
        peeked => peeked,
    }
}
