//! Ports for programs that must be told where to listen.

use std::env;
use std::fs::{File, OpenOptions};
use std::net::TcpListener;

/// A port of this host that no other test is given until this value is dropped, in whichever process.
///
/// A process that ended without leaving its center stays listed there, and is asked again. Another test's process of
/// the same build that took its port meanwhile would answer, and nothing in that answer tells the two apart.
pub(crate) struct ReservedPort {
    pub(crate) number: u16,
    /// Locked until it is closed.
    _file: File,
}

impl ReservedPort {
    /// Ports below those that the kernel gives to connections.
    pub(crate) fn new() -> Self {
        let numbers = std::iter::repeat_with(|| fastrand::u16(20_000..32_000)).take(10_000);
        numbers.into_iter().find_map(Self::reserve).expect("a port that nobody has")
    }

    fn reserve(number: u16) -> Option<Self> {
        let path = env::temp_dir().join(format!("goc-watchdog-test-port-{number}.lock"));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).ok()?;
        file.try_lock().ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _file: file })
    }
}
