//! Go's binary coverage data, as programs write it that were built with `go build -cover`.
//!
//! A *meta* file says what can be counted: packages, functions, blocks. It is the same for every run of a binary. A
//! *counter* file says what one run has counted, by position and without names. Both are read from bytes that are at
//! hand, strictly: every length adds up, every index is in range, and every byte has its meaning. Nothing is allocated
//! on the word of a header alone.
//!
//! The format is that of Go 1.20 to 1.26 (`internal/coverage` in Go's sources). The command line of a process stands in
//! its counter files. It may hold secrets, so the readers here pass over it and neither keep nor show it.

mod build;
mod counters;
mod digest;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod header;
mod input;
mod meta;
mod names;
mod shape;
mod textfmt;

pub use build::MetaBuild;
pub use counters::CounterFile;
pub use digest::RecordsDigest;
pub use error::{DataError, DataFault, DataKind, DataPlace};
pub use header::{CounterHeader, DataHeader, HEADER_BYTES, MetaHash, MetaHeader};
pub use meta::{Meta, MetaFunction, MetaPackage};
pub use names::{DataFileName, find_meta};
pub use textfmt::{MetaCounts, ModeClash, textfmt};
