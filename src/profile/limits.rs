//! The limits of profiles from outside, and the errors of a text that is not a profile or exceeds them.

use std::io;

use crate::memory::MemoryExhausted;

/// The limits of a profile from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest size of the text.
    pub max_bytes: u64,
    /// Longest line.
    pub max_line_bytes: usize,
    /// Largest number of files.
    pub max_files: usize,
    /// Largest number of blocks, each occurrence counted.
    pub max_blocks: usize,
}

impl Limits {
    /// Returns limits only for lines, for a file that its owner names.
    #[must_use]
    pub fn of_lines() -> Self {
        Self { max_bytes: u64::MAX, max_files: usize::MAX, max_blocks: usize::MAX, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_line_bytes: 64 << 10, max_files: 100_000, max_blocks: 5_000_000 }
    }
}

/// The error for a text that is not a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The first line is not a mode line.
    #[error("line 1: expected \"mode: set|count|atomic\", found {found:?}")]
    NoMode {
        /// The start of the line.
        found: String,
    },
    /// A line is not a block.
    #[error("line {line}: expected \"file:line.col,line.col statements count\", found {found:?}")]
    NotABlock {
        /// Number of the line, from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
    /// A number is too large.
    #[error("line {line}: a number is too large in {found:?}")]
    TooLarge {
        /// Number of the line, from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
    /// A line exceeds its limit.
    #[error("line {line}: longer than {limit} bytes, starts with {found:?}")]
    LineTooLong {
        /// Number of the line, from 1.
        line: u64,
        /// [`Limits::max_line_bytes`].
        limit: usize,
        /// The start of the line.
        found: String,
    },
    /// The text exceeds its limit.
    #[error("more than {limit} bytes, the limit for one answer (--max-body)")]
    TooLong {
        /// [`Limits::max_bytes`].
        limit: u64,
    },
    /// The text names more files than its limit.
    #[error("more than {limit} files, the limit for one answer ([pull] max_files)")]
    TooManyFiles {
        /// [`Limits::max_files`].
        limit: usize,
    },
    /// The text has more blocks than its limit.
    #[error("more than {limit} blocks, the limit for one answer ([pull] max_blocks)")]
    TooManyBlocks {
        /// [`Limits::max_blocks`].
        limit: usize,
    },
    /// The text ends inside a line.
    #[error("line {line}: cut short, the text ends with {found:?}")]
    Cut {
        /// Number of the line, from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
}

/// A profile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text is not a profile.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// There is no memory to decode it.
    #[error(transparent)]
    Memory(#[from] MemoryExhausted),
}
