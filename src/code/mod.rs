//! The text of Go source files, changed lines, and unified diffs.
//!
//! Pure: the callers read the files.

pub(crate) mod gosrc;
pub mod linediff;
pub mod patch;
