//! A server of one bare repository over HTTP (git's "dumb" protocol), which runs until the test ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A running server. Only the user `me` with the right password gets files.
pub(crate) struct GitServer {
    /// Host and port.
    pub(crate) address: String,
    /// `Authorization` headers of the requests, in order.
    authorizations: Arc<Mutex<Vec<String>>>,
}

/// Control over a server that holds the answer to each authorized request.
pub(crate) struct Hold {
    /// Gets a value when a request waits.
    pub(crate) reached: Receiver<()>,
    /// Releases the waiting request; dropped, it releases all.
    pub(crate) go_on: Sender<()>,
}

impl GitServer {
    /// Serves `<address>/r.git`.
    pub(crate) fn start(repository: PathBuf, password: &str) -> Self {
        Self::serve(repository, password, None)
    }

    /// Serves `<address>/r.git`, but answers each authorized request only when the test releases it.
    pub(crate) fn start_held(repository: PathBuf, password: &str) -> (Self, Hold) {
        let (waits, reached) = channel();
        let (go_on, allowed) = channel();
        (Self::serve(repository, password, Some((waits, allowed))), Hold { reached, go_on })
    }

    /// Returns the `Authorization` headers that clients sent.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.authorizations.lock().unwrap().clone()
    }

    fn serve(repository: PathBuf, password: &str, gate: Option<(Sender<()>, Receiver<()>)>) -> Self {
        let right = format!("Basic {}", STANDARD.encode(format!("me:{password}")));
        let authorizations = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&authorizations);
        let address = answer_each(move |head, stream| {
            let Some(path) = head.split(' ').nth(1).map(requested_path) else { return };
            let authorization = head.lines().find_map(|line| line.strip_prefix("Authorization: "));
            seen.lock().unwrap().extend(authorization.map(str::to_owned));
            let is_allowed = authorization == Some(right.as_str());
            if let Some((waits, allowed)) = gate.as_ref().filter(|_| is_allowed) {
                let _ = waits.send(());
                let _ = allowed.recv();
            }
            let (status, body) = match is_allowed {
                true => match fs::read(repository.join(path.trim_start_matches("/r.git/"))) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                },
                false => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"", Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        });
        Self { address, authorizations }
    }
}

/// Listens at a port of this host, and passes on the head of each request with its connection. Returns host and port.
pub(crate) fn answer_each(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap_or(0) > 0 {}
            answer(&head, &mut stream);
        }
    });
    address
}

/// Returns the path that a request means. Git appends to a URL, so the path follows the value of a query, as in
/// `/r.git?token=x/info/refs&service=git-upload-pack`.
fn requested_path(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let first = query.split('&').next().unwrap_or_default();
    match first.strip_prefix("token=").and_then(|value| value.split_once('/')) {
        Some((_, rest)) => format!("{path}/{rest}"),
        None => path.to_owned(),
    }
}
