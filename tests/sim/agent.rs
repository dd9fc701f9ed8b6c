//! An instrumented process, with every kind of failure that was seen.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::http::{AfterAnswer, Request, Server, chunked, sized};
use super::port::ReservedPort;
use super::program::{Program, fraction};

/// Behaviour of a process when it is asked.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Answers as goc does.
    Normal,
    /// Takes the request and never answers, like a stopped process.
    Hang,
    /// Answers as goc does, but only when it is released.
    Hold,
    /// Sends a few bytes, then a pause, and so on.
    Drip(Duration),
    /// Closes the connection this many bytes before the end of the answer; the last chunk alone has 5.
    CutBefore(usize),
    /// Answers with these counters, as a torn reading of racing increments gives them.
    Counts(Vec<u64>),
    /// Answers 200 with this body, chunked.
    Body(Vec<u8>),
    /// Answers 200 with an endless body of this line.
    Endless(&'static str),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Answers with another status and this body.
    Status(&'static str, &'static str),
    /// Redirects to this URL.
    Redirect(String),
    /// Answers 405 to all methods but POST.
    PostOnly,
    /// Answers 400 to a request with a query.
    RefuseQueries,
}

/// An address at which a process runs, or ran.
#[derive(Clone)]
pub(crate) struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    /// Port that stays reserved while nothing listens there.
    port: ReservedPort,
    server: Mutex<Option<Server>>,
    process: Mutex<Process>,
    asked: Condvar,
}

struct Process {
    program: Program,
    mode: &'static str,
    counts: Vec<u64>,
    always: Behaviour,
    next: VecDeque<Behaviour>,
    peeks: usize,
    pulls: usize,
    is_released: bool,
    coverage: Option<Behaviour>,
}

impl Agent {
    /// Starts a process with all counters at 0.
    pub(crate) fn start(program: &Program) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), program)
    }

    /// Starts a process at this address.
    pub(crate) fn start_at(address: SocketAddr, program: &Program) -> Self {
        let process = Process {
            program: program.clone(),
            mode: "count",
            counts: vec![0; program.blocks()],
            always: Behaviour::Normal,
            next: VecDeque::new(),
            peeks: 0,
            pulls: 0,
            is_released: false,
            coverage: None,
        };
        let inner = Arc::new_cyclic(|inner: &std::sync::Weak<Inner>| {
            let port = ReservedPort::new(address).expect("a free port");
            let server = listen(&port, inner.clone());
            Inner {
                port,
                server: Mutex::new(Some(server)),
                process: Mutex::new(process),
                asked: Condvar::new(),
            }
        });
        Self { inner }
    }

    /// Returns the URL under which the process registers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.inner.port.address())
    }

    /// Adds `times` to the counters of these blocks.
    pub(crate) fn hit(&self, blocks: &[usize], times: u64) {
        let mut process = self.process();
        for &block in blocks {
            process.counts[block] += times;
        }
    }

    pub(crate) fn set_counts(&self, counts: &[u64]) {
        self.process().counts = counts.to_vec();
    }

    pub(crate) fn set_mode(&self, mode: &'static str) {
        self.process().mode = mode;
    }

    /// Sets the answer to all requests from now on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.process().always = behaviour;
    }

    /// Sets the answer to requests for the fraction from now on, whatever other requests get.
    pub(crate) fn behave_for_coverage(&self, behaviour: Behaviour) {
        self.process().coverage = Some(behaviour);
    }

    /// Sets the answer to the next request for a profile that has none set yet.
    pub(crate) fn behave_once(&self, behaviour: Behaviour) {
        self.process().next.push_back(behaviour);
    }

    /// Restarts the process: counters at 0, same address.
    pub(crate) fn restart(&self) {
        let mut process = self.process();
        process.counts.fill(0);
    }

    /// Replaces the program at the address.
    pub(crate) fn run(&self, program: &Program) {
        let mut process = self.process();
        process.counts = vec![0; program.blocks()];
        process.program = program.clone();
    }

    /// Kills the process: nothing listens any more.
    pub(crate) fn kill(&self) {
        // The server is dropped outside of the lock, since the drop waits for the thread that listens.
        let server = self.inner.server.lock().unwrap().take();
        drop(server);
    }

    /// Starts a process at the address again, counters at 0.
    pub(crate) fn revive(&self) {
        self.restart();
        let server = listen(&self.inner.port, Arc::downgrade(&self.inner));
        *self.inner.server.lock().unwrap() = Some(server);
    }

    /// Releases all answers that are on hold.
    pub(crate) fn release(&self) {
        self.process().is_released = true;
        self.inner.asked.notify_all();
    }

    /// Returns the number of requests for the profile.
    pub(crate) fn pulls(&self) -> usize {
        self.process().pulls
    }

    /// Returns the number of requests for the fraction.
    pub(crate) fn peeks(&self) -> usize {
        self.process().peeks
    }

    /// Waits for this number of requests for the profile.
    pub(crate) fn wait_for_pulls(&self, pulls: usize) {
        let process = self.process();
        drop(self.inner.asked.wait_while(process, |process| process.pulls < pulls).unwrap());
    }

    /// Waits for this number of requests for the fraction.
    pub(crate) fn wait_for_peeks(&self, peeks: usize) {
        let process = self.process();
        drop(self.inner.asked.wait_while(process, |process| process.peeks < peeks).unwrap());
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.inner.process.lock().unwrap()
    }
}

fn listen(port: &ReservedPort, inner: std::sync::Weak<Inner>) -> Server {
    let answer = move |request: &Request, stream: &mut TcpStream| match inner.upgrade() {
        Some(inner) => inner.answer(request, stream),
        None => Ok(AfterAnswer::Close),
    };
    Server::start_at(port, Arc::new(answer)).expect("its own port")
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

impl Inner {
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        match request.path.split('?').next() {
            Some("/v1/cover/profile") => self.profile(request, stream),
            Some("/v1/cover/coverage") => {
                let mut process = self.process.lock().unwrap();
                process.peeks += 1;
                self.asked.notify_all();
                let always = process.coverage.as_ref().unwrap_or(&process.always).clone();
                let body = fraction(&process.counts);
                drop(process);
                let answer = match always {
                    Behaviour::Hang => return hang(stream),
                    Behaviour::Status(status, body) => sized(status, TEXT, body.as_bytes()),
                    Behaviour::Raw(bytes) => bytes,
                    Behaviour::PostOnly if request.method != "POST" => {
                        sized("405 Method Not Allowed", TEXT, b"405 method not allowed\n")
                    }
                    _ => sized("200 OK", TEXT, body.as_bytes()),
                };
                stream.write_all(&answer)?;
                Ok(AfterAnswer::KeepAlive)
            }
            Some("/v1/cover/clear") => {
                self.process.lock().unwrap().counts.fill(0);
                stream.write_all(&sized("200 OK", TEXT, b"clear call successfully\n"))?;
                Ok(AfterAnswer::KeepAlive)
            }
            _ => {
                stream.write_all(&sized("404 Not Found", TEXT, b"404 page not found\n"))?;
                Ok(AfterAnswer::KeepAlive)
            }
        }
    }

    fn profile(&self, request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        let mut process = self.process.lock().unwrap();
        process.pulls += 1;
        let behaviour = process.next.pop_front().unwrap_or_else(|| process.always.clone());
        let counts = match &behaviour {
            Behaviour::Counts(counts) => counts,
            _ => &process.counts,
        };
        let text = process.program.profile(process.mode, counts);
        drop(process);
        self.asked.notify_all();
        let well = match text.len() {
            0..2048 => sized("200 OK", TEXT, text.as_bytes()),
            _ => chunked(text.as_bytes()),
        };
        match behaviour {
            Behaviour::Normal | Behaviour::Counts(_) | Behaviour::RefuseQueries => stream.write_all(&well)?,
            Behaviour::PostOnly if request.method == "POST" => stream.write_all(&well)?,
            Behaviour::PostOnly => {
                stream.write_all(&sized("405 Method Not Allowed", TEXT, b"405 method not allowed\n"))?;
            }
            Behaviour::Hang => return hang(stream),
            Behaviour::Hold => {
                let process = self.process.lock().unwrap();
                drop(self.asked.wait_while(process, |process| !process.is_released).unwrap());
                stream.write_all(&well)?;
            }
            Behaviour::Drip(pause) => {
                for few in chunked(text.as_bytes()).chunks(7) {
                    stream.write_all(few)?;
                    thread::sleep(pause);
                }
            }
            Behaviour::CutBefore(bytes) => {
                let whole = chunked(text.as_bytes());
                stream.write_all(&whole[..whole.len() - bytes])?;
                return Ok(AfterAnswer::Close);
            }
            Behaviour::Body(body) => stream.write_all(&chunked(&body))?,
            Behaviour::Endless(line) => {
                let body = format!("mode: count\n{}", line.repeat(2048));
                let mut answer = chunked(body.as_bytes());
                answer.truncate(answer.len() - b"0\r\n\r\n".len());
                stream.write_all(&answer)?;
                let line = format!("{:x}\r\n{}\r\n", line.len() * 2048, line.repeat(2048));
                loop {
                    stream.write_all(line.as_bytes())?;
                }
            }
            Behaviour::Raw(bytes) => {
                stream.write_all(&bytes)?;
                return Ok(AfterAnswer::Close);
            }
            Behaviour::Status(status, body) => stream.write_all(&sized(status, TEXT, body.as_bytes()))?,
            Behaviour::Redirect(to) => {
                let headers = format!("Location: {to}\r\n");
                stream.write_all(&sized("302 Found", &headers, b"<a>Found</a>"))?;
            }
        }
        Ok(AfterAnswer::KeepAlive)
    }
}

/// Sends nothing until the other side gives up.
fn hang(stream: &mut TcpStream) -> io::Result<AfterAnswer> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {}
    Ok(AfterAnswer::Close)
}
