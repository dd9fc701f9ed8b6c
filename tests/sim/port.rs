//! Ports that nobody else gets, whether or not a process listens there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// A port of this host that the kernel gives to no other program and to no connection until this value is dropped.
///
/// A process that ended without leaving its center stays listed there, and is asked again. A process of the same build
/// that another test starts at that port would answer, and its answer would look the same.
///
/// A socket that is bound without listening reserves the port, and connections to it are refused. A process that knows
/// the number can still listen there: with `SO_REUSEADDR`, which the standard library and Go set, sockets that do not
/// listen do not conflict.
pub(crate) struct ReservedPort {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl ReservedPort {
    /// Reserves this address, with a free port where it has port 0.
    pub(crate) fn new(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &address)?;
        let address = getsockname(&socket)?.try_into().expect("an address of the family it was bound to");
        Ok(Self { address, _socket: socket })
    }

    /// Reserves a free port at 127.0.0.1.
    pub(crate) fn local() -> Self {
        Self::new(([127, 0, 0, 1], 0).into()).expect("a free port")
    }

    /// Reserves ports at 127.0.0.1 that follow each other, below those that the kernel gives out by itself.
    pub(crate) fn in_a_row(number: u16) -> Vec<Self> {
        let at = |port: u16| Self::new(([127, 0, 0, 1], port).into());
        let mut rows = (0..1000).filter_map(|_| {
            let first = fastrand::u16(10_000..30_000);
            let row: io::Result<Vec<Self>> = (first..first + number).map(at).collect();
            row.ok().filter(|row| row.iter().all(|port| port.listen().is_ok()))
        });
        rows.next().expect("free ports in a row")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        TcpListener::bind(self.address)
    }
}
