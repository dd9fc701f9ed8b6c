//! A fleet for a bench whose processes serve the same counters on one of two wires: as text, as goc does, or as Go's
//! binary coverage data, as coverport does. The center has a port of its own.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::sim::{AfterAnswer, BinaryProgram, Program, Request, Server, chunked, fraction, sized};

/// Blocks of a function, and functions of a file.
const BLOCKS: usize = 6;
const FUNCTIONS: usize = 7;
/// Number of different programs; services share them in turn.
const PROGRAMS: usize = 4;
/// The first address in 127.0.0.0/8 of a process.
const FIRST: u32 = 0x7f01_0000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Text,
    Coverport,
}

/// Numbers and sizes of a fleet.
#[derive(Clone, Copy)]
pub(crate) struct WireFleetSize {
    pub(crate) services: usize,
    pub(crate) replicas: usize,
    /// Blocks of a program, in [whole files](whole_files).
    pub(crate) blocks: usize,
    /// One function in so many has run.
    pub(crate) one_in: usize,
    /// Number of states, see [`WireFleet::set_state`].
    pub(crate) states: usize,
}

pub(crate) struct WireFleet {
    center: Server,
    _processes: Server,
    processes: Arc<Processes>,
}

struct Processes {
    size: WireFleetSize,
    wire: Wire,
    state: AtomicUsize,
    sent: AtomicU64,
    /// By program, state and replica.
    answers: Vec<Answer>,
}

struct Answer {
    headers: String,
    /// The text profile, or the counters.
    counters: Vec<u8>,
    /// The counters with their meta.
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

impl WireFleet {
    pub(crate) fn start(size: WireFleetSize, wire: Wire) -> Self {
        let answers = (0..PROGRAMS).flat_map(|program| answers(program, size, wire)).collect();
        let (state, sent) = (AtomicUsize::new(0), AtomicU64::new(0));
        let processes = Arc::new(Processes { size, wire, state, sent, answers });
        let any = ([0, 0, 0, 0], 0).into();
        let server = Server::start(any, {
            let processes = Arc::clone(&processes);
            Arc::new(move |request: &Request, stream: &mut TcpStream| processes.answer(request, stream))
        });
        let server = server.expect("a free port");
        let list = list(size, server.address().port());
        let center = Server::start(
            any,
            Arc::new(move |_: &Request, stream: &mut TcpStream| {
                stream.write_all(&list)?;
                Ok(AfterAnswer::KeepAlive)
            }),
        );
        Self { center: center.expect("a free port"), _processes: server, processes }
    }

    pub(crate) fn center(&self) -> String {
        format!("http://127.0.0.1:{}", self.center.address().port())
    }

    /// Serves another state: in an odd one the counters of the one before have grown, in an even one each process has
    /// executed a block that it had not before, too.
    pub(crate) fn set_state(&self, state: usize) {
        assert!(state < self.processes.size.states, "no such state was rendered");
        self.processes.state.store(state, Ordering::SeqCst);
    }

    /// Returns the bytes that processes sent since the last call.
    pub(crate) fn sent(&self) -> u64 {
        self.processes.sent.swap(0, Ordering::SeqCst)
    }
}

fn list(size: WireFleetSize, port: u16) -> Vec<u8> {
    let address = |index: usize| {
        let host = Ipv4Addr::from_bits(FIRST + u32::try_from(index).expect("fewer than 16 million"));
        format!("http://{host}:{port}")
    };
    let services: BTreeMap<String, Vec<String>> = (0..size.services)
        .map(|service| {
            let replicas = service * size.replicas..(service + 1) * size.replicas;
            (format!("staging_th_app{service}_master_{service:010x}"), replicas.map(address).collect())
        })
        .collect();
    sized("200 OK", "Content-Type: application/json\r\n", &serde_json::to_vec(&services).expect("texts"))
}

/// Returns the number of blocks in the files that have about so many blocks together.
pub(crate) fn whole_files(blocks: usize) -> usize {
    blocks.div_ceil(BLOCKS * FUNCTIONS) * BLOCKS * FUNCTIONS
}

/// Renders the answers of a program.
fn answers(program: usize, size: WireFleetSize, wire: Wire) -> Vec<Answer> {
    let files = size.blocks / (BLOCKS * FUNCTIONS);
    let module = format!("example.com/fleet/program{program}");
    let text = Program::synthetic(&module, files, BLOCKS * FUNCTIONS, program);
    let zeros = vec![0; text.blocks()];
    let binary =
        BinaryProgram::from_profile(&ordered(&text.profile("atomic", &zeros))).with_functions_of(BLOCKS);
    let mut answers = Vec::new();
    for state in 0..size.states {
        for replica in 0..size.replicas {
            let counts = counts(text.blocks(), size.one_in, state, replica);
            answers.push(match wire {
                Wire::Text => Answer {
                    headers: String::new(),
                    counters: chunked(text.profile("atomic", &counts).as_bytes()),
                    whole: Vec::new(),
                    fraction: sized("200 OK", "", fraction(&counts).as_bytes()),
                },
                Wire::Coverport => coverport(&binary, &counts, state, replica),
            });
        }
    }
    answers
}

/// Puts the files of a profile in the order of their names, in which counters are numbered.
fn ordered(profile: &str) -> String {
    let number = |line: &str| {
        let file = line.split_once(".go:").and_then(|(file, _)| file.rsplit_once("/f")).expect("a file").1;
        file.parse::<usize>().expect("its number")
    };
    let mut lines: Vec<&str> = profile.lines().skip(1).collect();
    lines.sort_by_key(|line| number(line));
    lines.join("\n")
}

/// Returns the counts of a replica: of an executed function the first block was hit, and two in three of the others,
/// most of them a few times.
fn counts(blocks: usize, one_in: usize, state: usize, replica: usize) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(replica as u64);
    let mut missed = 0;
    let count = |block: usize| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to 100,000")]
        let count = (random.f64() * 11.5).exp() as u64;
        let is_hit = block.is_multiple_of(BLOCKS) || !block.is_multiple_of(3);
        match (block / BLOCKS).is_multiple_of(one_in) {
            true if is_hit => count + state as u64,
            true => {
                missed += 1;
                // Each even state hits one more of these.
                if missed <= state / 2 { 1 + state as u64 } else { 0 }
            }
            false => 0,
        }
    };
    (0..blocks).map(count).collect()
}

fn coverport(program: &BinaryProgram, counts: &[u64], state: usize, replica: usize) -> Answer {
    let pid = 100 + replica;
    // The name tells when the counters were read.
    let read_at = 1_795_924_465_674_610_462 + 1_000_000_000 * state as u64;
    let headers = format!(
        "X-Art-Coverage-Binary: svc\r\nX-Art-Coverage-Pid: {pid}\r\nX-Art-Coverage-Server: 1\r\n\
         X-Art-Coverage-Source-Commit: \r\nX-Art-Coverage-Source-Url: \r\n"
    );
    let counters = program.counters(counts);
    let body = |meta: Option<Vec<u8>>| {
        let body = json!({
            "meta_filename": if meta.is_some() { "covmeta.02000000000000002829394659209d70" } else { "" },
            "meta_data": meta.map(|meta| STANDARD.encode(meta)).unwrap_or_default(),
            "counters_filename": format!("covcounters.02000000000000002829394659209d70.{pid}.{read_at}"),
            "counters_data": STANDARD.encode(&counters),
            "timestamp": 1_795_924_465_675_318_441_u64,
        });
        sized(
            "200 OK",
            &format!("Content-Type: application/json\r\n{headers}"),
            format!("{body}\n").as_bytes(),
        )
    };
    let (whole, without_meta) = (body(Some(program.meta())), body(None));
    Answer { headers, counters: without_meta, whole, fraction: Vec::new() }
}

impl Processes {
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        let SocketAddr::V4(own) = stream.local_addr()? else { return Ok(AfterAnswer::Close) };
        let Some(index) = own.ip().to_bits().checked_sub(FIRST) else { return Ok(AfterAnswer::Close) };
        let (service, replica) = (index as usize / self.size.replicas, index as usize % self.size.replicas);
        let state = self.state.load(Ordering::SeqCst);
        let program = service % PROGRAMS;
        let answer = &self.answers[(program * self.size.states + state) * self.size.replicas + replica];
        let none = sized("404 Not Found", &answer.headers, b"404 page not found\n");
        let body = match (self.wire, &*request.path) {
            (Wire::Text, "/v1/cover/profile") | (Wire::Coverport, "/coverage?nometa=1") => &answer.counters,
            (Wire::Text, "/v1/cover/coverage") => &answer.fraction,
            (Wire::Coverport, "/coverage") => &answer.whole,
            _ => &none,
        };
        self.sent.fetch_add(body.len() as u64, Ordering::SeqCst);
        stream.write_all(body)?;
        Ok(AfterAnswer::KeepAlive)
    }
}
