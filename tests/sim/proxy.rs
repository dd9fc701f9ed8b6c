//! A proxy that makes tunnels by CONNECT, and remembers their targets.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::http::{AfterAnswer, Request, Server};

/// A running forward proxy; tunnels lead to addresses of this host only.
pub(crate) struct Proxy {
    server: Server,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let targets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&targets);
        let handler = move |request: &Request, stream: &mut TcpStream| {
            seen.lock().unwrap().push(request.path.clone());
            tunnel(request, stream)
        };
        Self { server: Server::start(([127, 0, 0, 1], 0).into(), Arc::new(handler)).unwrap(), targets }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Returns the targets of all requested tunnels, in order.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

fn tunnel(request: &Request, stream: &mut TcpStream) -> io::Result<AfterAnswer> {
    let target = request.path.parse::<SocketAddr>().ok().filter(|target| target.ip().is_loopback());
    let Some(mut there) = target.and_then(|target| TcpStream::connect(target).ok()) else {
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(AfterAnswer::Close);
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from, mut to) = (stream.try_clone()?, there.try_clone()?);
    let sending = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut there, stream);
    stream.shutdown(Shutdown::Both)?;
    drop(sending.join());
    Ok(AfterAnswer::Close)
}
