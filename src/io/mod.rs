//! The adapters. No other module does I/O.
//!
//! No adapter uses another, except for a few small ones: `clock` waits for signals, `center` and `targets` end their work at
//! the deadline of `clock`, `workdir` gets the names of owners from `users`, and `git` and `targets` start programs by
//! `process`.

pub(crate) mod center;
pub(crate) mod clock;
pub(crate) mod git;
pub(crate) mod host;
mod process;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod targets;
pub(crate) mod users;
pub(crate) mod workdir;
