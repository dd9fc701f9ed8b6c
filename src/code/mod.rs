//! The text of Go source files, changed lines, unified diffs, and the authors and owners of lines and files.
//!
//! Pure: the callers read the files.

pub(crate) mod blame;
pub(crate) mod codeowners;
pub(crate) mod gosrc;
pub mod linediff;
pub mod patch;
