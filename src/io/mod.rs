//! The adapters. No other module does I/O.
//!
//! No adapter uses another, except for a few small ones: `clock` waits for signals, `center` ends its requests at the
//! deadline of `clock`, and `workdir` gets the names of owners from `users`.

pub(crate) mod center;
pub(crate) mod clock;
pub(crate) mod git;
pub(crate) mod host;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod users;
pub(crate) mod workdir;
