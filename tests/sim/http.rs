//! A minimal HTTP/1.1 server: keep-alive, a thread for each open connection, and a stop that closes all of them.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::net::{Shutdown, shutdown};

use super::port::ReservedPort;

/// A request, read to its end.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// State of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterAnswer {
    KeepAlive,
    Close,
}

/// Answers one request on a connection.
pub(crate) type Handler = dyn Fn(&Request, &mut TcpStream) -> io::Result<AfterAnswer> + Send + Sync;

/// A server that listens until it is dropped; then every connection is closed.
pub(crate) struct Server {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    connections: Arc<Connections>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Connections {
    is_stopped: AtomicBool,
    /// Handles of open connections, by their numbers.
    open: Mutex<HashMap<u64, TcpStream>>,
    /// Threads that wait for a further connection. The start of a thread costs a bench more than the answer to a request.
    idle: Mutex<Vec<SyncSender<Connection>>>,
}

/// A connection with its number.
type Connection = (u64, TcpStream);

impl Server {
    /// Listens on `address`; port 0 takes a free one.
    pub(crate) fn start(address: SocketAddr, handler: Arc<Handler>) -> io::Result<Self> {
        Self::listen(TcpListener::bind(address)?, handler)
    }

    /// Listens at a port that stays reserved after the server.
    pub(crate) fn start_at(port: &ReservedPort, handler: Arc<Handler>) -> io::Result<Self> {
        Self::listen(port.listen()?, handler)
    }

    fn listen(listener: TcpListener, handler: Arc<Handler>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (listener, connections) = (Arc::new(listener), Arc::new(Connections::default()));
        let listening = thread::spawn({
            let (listener, connections) = (Arc::clone(&listener), Arc::clone(&connections));
            move || accept(&listener, &connections, &handler)
        });
        Ok(Self { address, listener, connections, listening: Some(listening) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn accept(listener: &TcpListener, connections: &Arc<Connections>, handler: &Arc<Handler>) {
    for number in 0.. {
        let accepted = listener.accept();
        if connections.is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else { continue };
        if let Ok(handle) = stream.try_clone() {
            connections.open.lock().unwrap().insert(number, handle);
        }
        let mut connection = (number, stream);
        let idle = connections.idle.lock().unwrap().pop();
        if let Some(idle) = idle {
            match idle.send(connection) {
                Ok(()) => continue,
                // The idle thread has ended by a panic, so another one takes the connection.
                Err(unsent) => connection = unsent.0,
            }
        }
        let (connections, handler) = (Arc::clone(connections), Arc::clone(handler));
        thread::spawn(move || connections.serve_from(connection, &*handler));
    }
}

impl Connections {
    /// Serves a connection, and then those that are accepted later.
    fn serve_from(&self, first: Connection, handler: &Handler) {
        let mut next = Some(first);
        while let Some((number, stream)) = next {
            // A broken connection concerns no other one, as in any server.
            drop(serve(stream, handler));
            self.open.lock().unwrap().remove(&number);
            let (sender, receiver) = sync_channel(1);
            {
                let mut idle = self.idle.lock().unwrap();
                if self.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                idle.push(sender);
            }
            next = receiver.recv().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connections.is_stopped.store(true, Ordering::SeqCst);
        // A close would not be enough: a program that another test starts at this moment holds a copy of each
        // descriptor until it is executed, so the kernel would go on accepting connections. A shutdown also wakes the
        // thread that listens.
        shutdown(&self.listener, Shutdown::Both).expect("a listener");
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
        self.connections.idle.lock().unwrap().clear();
        for stream in self.connections.open.lock().unwrap().values() {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

fn serve(mut stream: TcpStream, handler: &Handler) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    while let Some(request) = read_request(&mut input)? {
        if handler(&request, &mut stream)? == AfterAnswer::Close {
            break;
        }
    }
    stream.shutdown(std::net::Shutdown::Both)
}

fn read_request(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut first = String::new();
    if input.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut length = 0;
    let mut content_type = String::new();
    loop {
        let mut header = String::new();
        input.read_line(&mut header)?;
        match header.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-type") => {
                value.trim().clone_into(&mut content_type);
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    io::Read::read_exact(input, &mut body)?;
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), content_type, body }))
}

/// Returns an answer with Content-Length, as Go sends for a short body.
pub(crate) fn sized(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Returns an answer in chunks of 2048 bytes, as Go sends a long body.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for chunk in body.chunks(2048) {
        write!(answer, "{:x}\r\n", chunk.len()).expect("into memory");
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}
