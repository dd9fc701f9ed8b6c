//! The adapters. No other room touches the world.
//!
//! No adapter uses another, but for a few small ones: `clock` waits for signals, `center` ends its requests by the
//! deadline of `clock`, and `workdir` names the owners of files by `users`.

pub(crate) mod center;
pub(crate) mod clock;
pub(crate) mod git;
pub(crate) mod host;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod users;
pub(crate) mod workdir;
