//! SIGINT and SIGTERM, which the program catches and checks for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The signal that asked this process to end, if one did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    received: Arc<AtomicUsize>,
}

impl Signals {
    /// Catches SIGINT and SIGTERM from now on; a second one ends the process at once.
    pub(crate) fn catch() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            let again = Arc::new(AtomicBool::new(false));
            // The order matters: the first signal must not find the flag that it sets itself.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
            flag::register(signal, again)?;
            let number = usize::try_from(signal).expect("signals are positive");
            flag::register_usize(signal, Arc::clone(&signals.received), number)?;
        }
        Ok(signals)
    }

    /// Returns the number of the received signal, or 0, as a value that other threads can watch.
    #[must_use]
    pub(crate) fn flag(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.received)
    }

    /// Returns the signal that was received.
    #[must_use]
    pub(crate) fn received(&self) -> Option<i32> {
        i32::try_from(self.received.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
    }
}
