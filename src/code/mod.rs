//! The text of Go source files, changed lines, and unified diffs.
//!
//! Pure: files are read by whoever calls.

pub(crate) mod gosrc;
pub mod linediff;
pub mod patch;
