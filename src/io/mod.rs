//! The adapters: the only rooms that touch the world, and strangers to each other.

pub mod center;
pub mod clock;
pub mod git;
pub mod host;
pub mod progress;
pub mod signals;
pub mod store;
pub mod users;
pub mod workdir;
