//! Starting a program, and waiting for its pipes.

use std::io;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

use crate::parallel;

/// Starts a program. If a limit of processes refuses it, waits until a thread of this program ends and makes room.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    const PAUSE: Duration = Duration::from_millis(10);
    const MOST_PAUSES: u32 = 200;
    for _ in 0..MOST_PAUSES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && parallel::are_running() => {
                wait_for(&mut [], PAUSE)?;
            }
            started => return started,
        }
    }
    command.spawn()
}

/// Waits until one of the pipes is ready, the time is over, or a signal came.
pub(super) fn wait_for(polled: &mut [PollFd<'_>], wait: Duration) -> io::Result<()> {
    let timeout = Timespec::try_from(wait).ok();
    match poll(polled, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
