//! A process of `go build -cover` whose agent speaks the wire of coverport (`tests/fixtures/gocover`), or serves the
//! files themselves below two paths. The strings of its counters stand in another order in each answer, as Go's do.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::agent::Behaviour;
use super::http::{AfterAnswer, Request, Server, sized};
use super::port::ReservedPort;

/// A program as Go's coverage data has it: functions of files, with blocks in the order of the text; at first one function
/// for each file.
#[derive(Clone)]
pub(crate) struct BinaryProgram {
    /// By import path: files, each with its blocks.
    packages: Vec<(String, Vec<BinaryFile>)>,
    hash: [u8; 16],
}

#[derive(Clone)]
struct BinaryFile {
    name: String,
    /// Start line, start column, end line, end column, statements.
    blocks: Vec<[u32; 5]>,
    /// Index of the first block among those of the text.
    first: usize,
}

impl BinaryProgram {
    /// Reads the lines of a profile, of which the blocks of a file follow each other. Counters may be missing.
    pub(crate) fn from_profile(profile: &str) -> Self {
        let mut packages: Vec<(String, Vec<BinaryFile>)> = Vec::new();
        let lines = profile.lines().filter(|line| !line.is_empty() && !line.starts_with("mode:"));
        for (index, line) in lines.enumerate() {
            let (file, block) = line.rsplit_once(':').expect("a block's line");
            let numbers: Vec<u32> =
                block.split(['.', ',', ' ']).filter_map(|number| number.parse().ok()).take(5).collect();
            let numbers: [u32; 5] = numbers.try_into().expect("five numbers");
            let import_path = file.rsplit_once('/').expect("a package").0;
            let package = packages.iter().position(|(known, _)| known == import_path).unwrap_or_else(|| {
                packages.push((import_path.to_owned(), Vec::new()));
                packages.len() - 1
            });
            let files = &mut packages[package].1;
            match files.iter_mut().find(|known| known.name == file) {
                Some(known) => known.blocks.push(numbers),
                None => files.push(BinaryFile { name: file.to_owned(), blocks: vec![numbers], first: index }),
            }
        }
        let mut hash = [0_u8; 16];
        for (at, byte) in profile.bytes().enumerate() {
            let place = &mut hash[at % 16];
            *place = place.wrapping_mul(31).wrapping_add(byte);
        }
        Self { packages, hash }
    }

    /// Returns the same program under the hash of another, as a bug or an attacker makes it.
    pub(crate) fn with_hash_of(mut self, other: &Self) -> Self {
        self.hash = other.hash;
        self
    }

    /// Returns the same program with several functions in each file, each of so many blocks.
    pub(crate) fn with_functions_of(mut self, blocks: usize) -> Self {
        for (_, files) in &mut self.packages {
            let functions = files.iter().flat_map(|file| {
                let parts = file.blocks.chunks(blocks).enumerate();
                parts.map(|(part, of_function)| BinaryFile {
                    name: file.name.clone(),
                    blocks: of_function.to_vec(),
                    first: file.first + part * blocks,
                })
            });
            *files = functions.collect();
        }
        self
    }

    fn blocks(&self) -> usize {
        self.packages.iter().flat_map(|(_, files)| files).map(|file| file.blocks.len()).sum()
    }

    /// Returns the meta file.
    pub(crate) fn meta(&self) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = self.packages.iter().map(|(path, files)| package(path, files)).collect();
        let strings_at = 56 + 16 * parts.len();
        let first = strings_at + 2;
        let length = first + parts.iter().map(Vec::len).sum::<usize>();
        let mut out = b"\0cvm\x01\0\0\0".to_vec();
        out.extend_from_slice(&(length as u64).to_le_bytes());
        out.extend_from_slice(&(parts.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.hash);
        push_u32s(&mut out, [strings_at, 2]);
        out.extend_from_slice(&[3, 1, 0, 0, 0, 0, 0, 0]);
        let mut offset = first as u64;
        for part in &parts {
            out.extend_from_slice(&offset.to_le_bytes());
            offset += part.len() as u64;
        }
        for part in &parts {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        }
        out.extend_from_slice(&[1, 0]);
        out.extend(parts.concat());
        out
    }

    /// Returns a counter file with a record for each function that ran.
    pub(crate) fn counters(&self, counts: &[u64]) -> Vec<u8> {
        let mut arguments =
            [("argc", "1"), ("argv0", "./svc --token=s3cret"), ("GOOS", "linux"), ("GOARCH", "amd64")];
        fastrand::shuffle(&mut arguments);
        let strings: Vec<&str> =
            [""].into_iter().chain(arguments.iter().flat_map(|&(key, value)| [key, value])).collect();
        let (mut table, mut indices) = (Vec::new(), Vec::new());
        push_strings(&mut table, &strings);
        push_uleb(&mut indices, arguments.len() as u64);
        (1..strings.len()).for_each(|index| push_uleb(&mut indices, index as u64));
        while (table.len() + indices.len()) % 4 != 0 {
            indices.push(0);
        }
        let (mut records, mut functions) = (Vec::new(), 0_u64);
        for (package, (_, files)) in self.packages.iter().enumerate() {
            for (function, file) in files.iter().enumerate() {
                let counts = &counts[file.first..file.first + file.blocks.len()];
                if counts.iter().all(|count| *count == 0) {
                    continue;
                }
                functions += 1;
                for number in [counts.len(), package, function] {
                    push_uleb(&mut records, number as u64);
                }
                for count in counts {
                    push_uleb(&mut records, *count);
                }
            }
        }
        let mut out = b"\0cwm\x01\0\0\0".to_vec();
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&functions.to_le_bytes());
        push_u32s(&mut out, [table.len(), indices.len()]);
        out.extend(table);
        out.extend(indices);
        out.extend(records);
        out.extend_from_slice(b"\0cwm\0\0\0\0\x01\0\0\0\0\0\0\0");
        out
    }
}

fn package(import_path: &str, files: &[BinaryFile]) -> Vec<u8> {
    let is_main = files.iter().any(|file| file.name.ends_with("/main.go"));
    let name = if is_main { "main" } else { import_path.rsplit('/').next().unwrap_or_default() };
    let mut strings = vec!["", import_path, "F", name];
    let mut functions = Vec::new();
    for file in files {
        let mut bytes = Vec::new();
        strings.push(&file.name);
        for number in [file.blocks.len(), 2, strings.len() - 1] {
            push_uleb(&mut bytes, number as u64);
        }
        file.blocks.iter().flatten().for_each(|number| push_uleb(&mut bytes, u64::from(*number)));
        bytes.push(0);
        functions.push(bytes);
    }
    let mut table = Vec::new();
    push_strings(&mut table, &strings);
    let first = 44 + 4 * functions.len() + table.len();
    let mut out = Vec::new();
    push_u32s(&mut out, [first + functions.iter().map(Vec::len).sum::<usize>(), 3, 1, 0]);
    out.extend_from_slice(&[7; 16]);
    push_u32s(&mut out, [0, strings.len(), functions.len()]);
    let mut offset = first;
    for function in &functions {
        push_u32s(&mut out, [offset]);
        offset += function.len();
    }
    out.extend_from_slice(&table);
    out.extend(functions.concat());
    out
}

fn push_uleb(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
}

fn push_strings(out: &mut Vec<u8>, strings: &[&str]) {
    push_uleb(out, strings.len() as u64);
    for string in strings {
        push_uleb(out, string.len() as u64);
        out.extend_from_slice(string.as_bytes());
    }
}

fn push_u32s<const N: usize>(out: &mut Vec<u8>, numbers: [usize; N]) {
    for number in numbers {
        out.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
    }
}

/// An address at which such a process runs.
#[derive(Clone)]
pub(crate) struct Coverport {
    inner: Arc<Inner>,
}

struct Inner {
    port: ReservedPort,
    server: Mutex<Option<Server>>,
    process: Mutex<Process>,
}

struct Process {
    program: BinaryProgram,
    counts: Vec<u64>,
    pid: u32,
    /// The agent names itself in headers.
    has_headers: bool,
    commit: &'static str,
    /// The service answers 200 to any path.
    answers_all: bool,
    /// The agent has no JSON, only the files below `/meta` and `/counters`.
    has_files_alone: bool,
    always: Behaviour,
    next: VecDeque<Behaviour>,
    /// Answers so far, which tell the time.
    answers: u64,
    /// Requests for counters alone, and for all.
    peeks: usize,
    pulls: usize,
    /// All requests, such as `GET /coverage`.
    asked: Vec<String>,
    /// A recorded body of each, in place of the program's.
    recorded: Option<[Vec<u8>; 2]>,
}

impl Coverport {
    /// Starts a process with all counters at 0.
    pub(crate) fn start(program: &BinaryProgram) -> Self {
        Self::start_at(ReservedPort::local(), program)
    }

    /// Starts a process at a port.
    pub(crate) fn start_at(port: ReservedPort, program: &BinaryProgram) -> Self {
        let process = Process {
            counts: vec![0; program.blocks()],
            program: program.clone(),
            pid: 1,
            has_headers: true,
            commit: "",
            answers_all: false,
            has_files_alone: false,
            always: Behaviour::Normal,
            next: VecDeque::new(),
            answers: 0,
            peeks: 0,
            pulls: 0,
            asked: Vec::new(),
            recorded: None,
        };
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let server = Mutex::new(Some(listen(&port, inner.clone())));
            Inner { port, server, process: Mutex::new(process) }
        });
        Self { inner }
    }

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

    /// Restarts the process: another process id, counters at 0, same address.
    pub(crate) fn restart(&self) {
        let mut process = self.process();
        process.pid += 1;
        process.counts.fill(0);
    }

    /// Restarts the process as in a container, where its id is the same again.
    pub(crate) fn restart_with_same_pid(&self) {
        self.process().counts.fill(0);
    }

    /// Replaces the program at the address; the process id stays.
    pub(crate) fn run(&self, program: &BinaryProgram) {
        let mut process = self.process();
        process.counts = vec![0; program.blocks()];
        process.program = program.clone();
    }

    /// Lets the agent be one of the kind raw, which has the two files alone and says nothing of itself.
    pub(crate) fn serve_files_alone(&self) {
        let mut process = self.process();
        (process.has_files_alone, process.has_headers) = (true, false);
    }

    /// Lets the agent say nothing of itself in headers.
    pub(crate) fn hide_headers(&self) {
        self.process().has_headers = false;
    }

    /// Lets the service behind the agent answer 200 to any path, as a page that routes by itself does.
    pub(crate) fn answer_all(&self) {
        self.process().answers_all = true;
    }

    /// Lets the agent tell the commit of its program.
    pub(crate) fn tell_commit(&self, commit: &'static str) {
        self.process().commit = commit;
    }

    /// Answers with recorded bodies: counters alone, and all.
    pub(crate) fn record(&self, without_meta: &[u8], whole: &[u8]) {
        self.process().recorded = Some([without_meta.to_vec(), whole.to_vec()]);
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.process().always = behaviour;
    }

    /// Sets the answer to the next request for coverage.
    pub(crate) fn behave_once(&self, behaviour: Behaviour) {
        self.process().next.push_back(behaviour);
    }

    /// Returns what the process answers now, as a proxy keeps it that takes all queries for one.
    pub(crate) fn kept_answer(&self) -> Behaviour {
        Behaviour::Body(self.process().body("/coverage", false))
    }

    /// Lets another process of the program answer from now on, as one of several behind a load balancer.
    pub(crate) fn switch_to(&self, pid: u32, counts: &[u64]) {
        let mut process = self.process();
        process.pid = pid;
        process.counts = counts.to_vec();
    }

    /// Returns the time that the next answer will tell, in seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        (self.process().next_time() / 1_000_000_000).try_into().unwrap()
    }

    /// Kills the process: nothing listens any more.
    pub(crate) fn kill(&self) {
        let server = self.inner.server.lock().unwrap().take();
        drop(server);
    }

    /// Returns the number of requests for counters alone, and for all.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let process = self.process();
        (process.peeks, process.pulls)
    }

    /// Returns all requests since the last call, such as `GET /coverage`.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.process().asked)
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.inner.process.lock().unwrap()
    }
}

fn listen(port: &ReservedPort, inner: Weak<Inner>) -> Server {
    let answer = move |request: &Request, stream: &mut TcpStream| match inner.upgrade() {
        Some(inner) => inner.answer(request, stream),
        None => Ok(AfterAnswer::Close),
    };
    Server::start_at(port, Arc::new(answer)).expect("its own port")
}

impl Inner {
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
        let mut process = self.process.lock().unwrap();
        process.asked.push(format!("{} {}", request.method, request.path));
        let headers = match process.has_headers {
            true => format!(
                "X-Art-Coverage-Binary: svc\r\nX-Art-Coverage-Pid: {}\r\nX-Art-Coverage-Server: 1\r\n\
                 X-Art-Coverage-Source-Commit: {}\r\nX-Art-Coverage-Source-Url: \r\n",
                process.pid, process.commit
            ),
            false => String::new(),
        };
        let is_peek = request.path == "/coverage?nometa=1" || request.path == "/counters";
        match &*request.path {
            "/coverage" | "/meta" if process.serves(&request.path) => process.pulls += 1,
            "/coverage?nometa=1" | "/counters" if process.serves(&request.path) => process.peeks += 1,
            _ => {
                let (status, body): (_, &[u8]) = match process.answers_all {
                    true => ("200 OK", b"<html>the service</html>"),
                    false => ("404 Not Found", b"404 page not found\n"),
                };
                drop(process);
                let mut answer = sized(status, &headers, body);
                if request.method == "HEAD" {
                    answer.truncate(answer.len() - body.len());
                }
                stream.write_all(&answer)?;
                return Ok(AfterAnswer::KeepAlive);
            }
        }
        let behaviour = process.next.pop_front().unwrap_or_else(|| process.always.clone());
        let body = process.body(&request.path, is_peek);
        drop(process);
        let headers = format!("Content-Type: application/json\r\n{headers}");
        let well = sized("200 OK", &headers, &body);
        match behaviour {
            Behaviour::Hang => {
                let mut byte = [0];
                while stream.read(&mut byte)? > 0 {}
                return Ok(AfterAnswer::Close);
            }
            Behaviour::Drip(pause) => {
                for few in well.chunks(7) {
                    stream.write_all(few)?;
                    thread::sleep(pause);
                }
            }
            Behaviour::CutBefore(bytes) => {
                stream.write_all(&well[..well.len() - bytes])?;
                return Ok(AfterAnswer::Close);
            }
            Behaviour::RefuseQueries if request.path.contains('?') => {
                stream.write_all(&sized("400 Bad Request", &headers, b"unknown query"))?;
            }
            Behaviour::Body(body) => stream.write_all(&sized("200 OK", &headers, &body))?,
            Behaviour::Status(status, body) => stream.write_all(&sized(status, &headers, body.as_bytes()))?,
            _ => stream.write_all(&well)?,
        }
        Ok(AfterAnswer::KeepAlive)
    }
}

impl Process {
    fn serves(&self, path: &str) -> bool {
        !self.has_files_alone || !path.starts_with("/coverage")
    }

    /// Returns the time of the next answer in nanoseconds: one a minute, long ago.
    fn next_time(&self) -> u64 {
        1_700_000_060_675_318_441 + 60_000_000_000 * self.answers
    }

    fn body(&mut self, path: &str, is_peek: bool) -> Vec<u8> {
        if let Some([without_meta, whole]) = &self.recorded {
            return if is_peek { without_meta.clone() } else { whole.clone() };
        }
        let (meta, counters) = (self.program.meta(), self.program.counters(&self.counts));
        match path {
            "/meta" => return meta,
            "/counters" => return counters,
            _ => {}
        }
        let time = self.next_time();
        self.answers += 1;
        let body = json!({
            "meta_filename": if is_peek { "" } else { "covmeta.0" },
            "meta_data": if is_peek { String::new() } else { STANDARD.encode(meta) },
            "counters_filename": format!("covcounters.0.{}.{time}", self.pid),
            "counters_data": STANDARD.encode(counters),
            "timestamp": time,
        });
        format!("{body}\n").into_bytes()
    }
}
