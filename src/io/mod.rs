//! The adapters: the only rooms that touch the world, and strangers to each other.

pub(crate) mod center;
pub(crate) mod clock;
pub(crate) mod git;
pub(crate) mod host;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod users;
pub(crate) mod workdir;
