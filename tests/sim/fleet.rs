//! Thousands of processes behind one port, cheap enough not to disturb a measurement.
//!
//! Each process has an address of its own in 127.0.0.0/8. Answers are rendered beforehand: a few programs, a few
//! replicas of each, and a few rounds with more and more coverage.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::http::{AfterAnswer, Request, Server, chunked, sized};
use super::program::{Program, fraction};

/// Numbers and sizes of a fleet.
#[derive(Clone, Copy)]
pub(crate) struct FleetSize {
    pub(crate) services: usize,
    pub(crate) replicas: usize,
    /// Bytes of a profile.
    pub(crate) bytes: usize,
    /// Number of different programs; services share them in turn.
    pub(crate) programs: usize,
    /// Number of rounds, each with something new.
    pub(crate) rounds: usize,
}

/// A running fleet with its center.
pub(crate) struct SimulatedFleet {
    server: Server,
    state: Arc<State>,
}

struct State {
    size: FleetSize,
    round: AtomicUsize,
    listed: AtomicUsize,
    /// Number of processes of which one is dead; 0 means none.
    dead_every: AtomicUsize,
    removed: Mutex<HashSet<String>>,
    /// Answers by program, round and replica.
    answers: Vec<RenderedAnswer>,
}

struct RenderedAnswer {
    profile: Vec<u8>,
    fraction: Vec<u8>,
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

impl SimulatedFleet {
    pub(crate) fn start(size: FleetSize) -> Self {
        assert!(size.rounds <= 15, "in the fifteenth all is covered");
        let mut answers = Vec::new();
        for program in 0..size.programs {
            let module = format!("example.com/fleet/program{program}");
            // A line has about 60 bytes, and 40 blocks are usual for a file.
            let program = Program::synthetic(&module, (size.bytes / 60 / 40).max(1), 40, program);
            for round in 0..size.rounds {
                for replica in 0..size.replicas {
                    let count = |block: usize| match (block * 7 + replica) % 100 {
                        // Counters only grow, since a process whose counter fell would be asked twice.
                        place if place < 30 + round * 5 => {
                            ((block + replica) * 37 % 5000 + 1 + round * 11) as u64
                        }
                        _ => 0,
                    };
                    let counts: Vec<u64> = (0..program.blocks()).map(count).collect();
                    answers.push(RenderedAnswer {
                        profile: chunked(program.profile("count", &counts).as_bytes()),
                        fraction: sized("200 OK", TEXT, fraction(&counts).as_bytes()),
                    });
                }
            }
        }
        let state = Arc::new(State {
            size,
            round: AtomicUsize::new(0),
            listed: AtomicUsize::new(size.services),
            dead_every: AtomicUsize::new(0),
            removed: Mutex::default(),
            answers,
        });
        let server = Server::start(([0, 0, 0, 0], 0).into(), {
            let state = Arc::clone(&state);
            Arc::new(move |request: &Request, stream: &mut TcpStream| state.answer(request, stream))
        });
        Self { server: server.expect("a free port"), state }
    }

    /// Returns the URL of the center.
    pub(crate) fn center(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.address().port())
    }

    /// Returns all addresses, service by service.
    pub(crate) fn urls(&self) -> Vec<String> {
        let listed = self.state.listed.load(Ordering::SeqCst) * self.state.size.replicas;
        (0..listed).map(|index| self.state.url(index, self.server.address().port())).collect()
    }

    /// Serves the counters of this round from now on.
    pub(crate) fn set_round(&self, round: usize) {
        assert!(round < self.state.size.rounds, "no such round was rendered");
        self.state.round.store(round, Ordering::SeqCst);
    }

    /// Makes one process of this many dead from now on.
    pub(crate) fn set_dead_every(&self, processes: usize) {
        self.state.dead_every.store(processes, Ordering::SeqCst);
    }

    /// Lists only this many services from now on.
    pub(crate) fn set_listed(&self, services: usize) {
        self.state.listed.store(services, Ordering::SeqCst);
    }
}

/// The first address in 127.0.0.0/8 of a process; those before are the center's.
const FIRST: u32 = 0x7f01_0000;
/// A port at which nobody listens.
const DEAD: u16 = 1;

impl State {
    fn url(&self, index: usize, port: u16) -> String {
        let dead_every = self.dead_every.load(Ordering::SeqCst);
        let port = if dead_every > 0 && index.is_multiple_of(dead_every) { DEAD } else { port };
        let host = Ipv4Addr::from_bits(FIRST + u32::try_from(index).expect("fewer than 16 million"));
        format!("http://{host}:{port}")
    }

    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        let SocketAddr::V4(own) = stream.local_addr()? else { return Ok(AfterAnswer::Close) };
        let Some(index) = own.ip().to_bits().checked_sub(FIRST) else {
            return self.center(request, own.port(), stream);
        };
        let index = index as usize;
        let (service, replica) = (index / self.size.replicas, index % self.size.replicas);
        let program = service % self.size.programs;
        let round = self.round.load(Ordering::SeqCst);
        let answer = &self.answers[(program * self.size.rounds + round) * self.size.replicas + replica];
        match request.path.as_str() {
            "/v1/cover/profile" => stream.write_all(&answer.profile)?,
            "/v1/cover/coverage" => stream.write_all(&answer.fraction)?,
            _ => stream.write_all(&sized("404 Not Found", TEXT, b"404 page not found\n"))?,
        }
        Ok(AfterAnswer::KeepAlive)
    }

    fn center(&self, request: &Request, port: u16, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        if request.path == "/v1/cover/remove" {
            let body: serde_json::Value = serde_json::from_slice(&request.body)?;
            let addresses = body["address"].as_array().into_iter().flatten();
            let addresses = addresses.filter_map(|address| address.as_str().map(str::to_owned));
            self.removed.lock().unwrap().extend(addresses);
            stream.write_all(&sized("200 OK", TEXT, b"removed"))?;
            return Ok(AfterAnswer::KeepAlive);
        }
        let removed = self.removed.lock().unwrap();
        let services: BTreeMap<String, Vec<String>> = (0..self.listed.load(Ordering::SeqCst))
            .map(|service| {
                let replicas = service * self.size.replicas..(service + 1) * self.size.replicas;
                let addresses = replicas.map(|index| self.url(index, port));
                let addresses = addresses.filter(|url| !removed.contains(url)).collect();
                (format!("staging_th_app{service}_master_{service:010x}"), addresses)
            })
            .collect();
        let body = serde_json::to_vec(&services).expect("names and addresses");
        stream.write_all(&sized("200 OK", "Content-Type: application/json\r\n", &body))?;
        Ok(AfterAnswer::KeepAlive)
    }
}
