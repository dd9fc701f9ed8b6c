//! The errors of bytes that are no coverage data of Go, or damaged ones.

use std::fmt;

use super::super::limits::ParseError;

/// The two kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Packages, functions and blocks.
    Meta,
    /// Counters of one run.
    Counters,
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meta => "covmeta",
            Self::Counters => "covcounters",
        })
    }
}

/// Bytes are not the coverage data that they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// There are too few bytes for a kind.
    #[error("cut short: {found} bytes, too few to tell what they are")]
    TooShort {
        /// The number of bytes that are there.
        found: usize,
    },
    /// The magic bytes are of neither kind.
    #[error("no coverage data of Go: it begins with \"{found}\"")]
    Unknown {
        /// The first bytes, escaped.
        found: String,
    },
    /// The magic bytes are of the other kind.
    #[error("{found} data where {expected} data was expected")]
    Kind {
        /// The kind that was asked for.
        expected: DataKind,
        /// The kind that is there.
        found: DataKind,
    },
    /// A version of the format that no known release of Go writes.
    #[error("{kind} data of version {found}; this release of goc-watchdog reads version 1 alone")]
    Version {
        /// The kind of the data.
        kind: DataKind,
        /// The version in the header.
        found: u32,
    },
    /// A counter mode that no program has.
    #[error("counter mode {found} in the header is neither 1 (set), 2 (count) nor 3 (atomic)")]
    Mode {
        /// The number in the header.
        found: u8,
    },
    /// Counters are not those of blocks.
    #[error("granularity {found} in the header; only 1, a counter for each block, can be read")]
    Granularity {
        /// The number in the header.
        found: u8,
    },
    /// Numbers are written in an unknown way.
    #[error("counter flavour {found} in the header is neither 1 (raw) nor 2 (uleb128)")]
    Flavour {
        /// The number in the header.
        found: u8,
    },
    /// The data ends too early.
    #[error("cut short: {found} bytes of {kind} data that has {least} or more")]
    Cut {
        /// The kind of the data.
        kind: DataKind,
        /// The least number of bytes that it has to have.
        least: u64,
        /// The number of bytes that are there.
        found: u64,
    },
    /// A counter file does not end as each does.
    #[error("cut short, or changed: the last 16 bytes of the covcounters data are not its footer")]
    NoFooter,
    /// Bytes follow the end that the header tells.
    #[error("{found} bytes of covmeta data where its header says {expected}")]
    Trailing {
        /// The length in the header.
        expected: u64,
        /// The number of bytes that are there.
        found: u64,
    },
    /// A counter file has another number of segments than programs write.
    ///
    /// Go's own tool reads the first segment and drops the counters of the others without a word. No program writes
    /// more than one, so such a file is refused whole rather than understood in part.
    #[error("{found} segments in the covcounters data; programs write exactly one")]
    Segments {
        /// The number in the footer.
        found: u32,
    },
    /// The data contradicts itself or its meta.
    #[error("{place}: {fault}")]
    Damaged {
        /// The place of the contradiction.
        place: DataPlace,
        /// The contradiction.
        fault: DataFault,
    },
    /// The data exceeds a limit.
    #[error(transparent)]
    TooMuch(#[from] ParseError),
}

impl DataError {
    /// Tells whether the data ends early, so that it may be whole when its copy is done.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::TooShort { .. } | Self::Cut { .. } | Self::NoFooter)
    }
}

/// A place in coverage data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPlace {
    /// Bytes before it.
    pub offset: usize,
    /// Index of the package, where the place is in one.
    pub package: Option<u64>,
    /// Index of the function in its package, where the place is in one.
    pub function: Option<u64>,
}

impl fmt::Display for DataPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if let Some(package) = self.package {
            write!(f, ", package {package}")?;
        }
        if let Some(function) = self.function {
            write!(f, ", function {function}")?;
        }
        Ok(())
    }
}

/// The way in which data contradicts itself or its meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// Bytes are missing.
    #[error("the data ends where more was expected")]
    Short,
    /// Bytes have no meaning.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A number does not end within 10 bytes.
    #[error("a number has more than 10 bytes")]
    LongNumber,
    /// A number does not fit.
    #[error("the number {0} is larger than 4294967295")]
    LargeNumber(u64),
    /// A header promises more than there is.
    #[error("the data claims {claimed} {things}, and only {left} bytes are left")]
    Claim {
        /// The number of things.
        claimed: u64,
        /// The plural of the things.
        things: &'static str,
        /// The bytes that could hold them.
        left: usize,
    },
    /// An offset or a length is not that of its part.
    #[error("the {field} is {found} and has to be {expected}")]
    Layout {
        /// The name of the number.
        field: &'static str,
        /// The number that follows from the parts.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// Bytes that every release of Go leaves zero are not.
    #[error("bytes that have to be zero are not")]
    NotZero,
    /// A string is not text.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// An index is beyond its table.
    #[error("string {index} of {count}")]
    NoString {
        /// The index.
        index: u64,
        /// The number of strings.
        count: usize,
    },
    /// A name of a file that no line of a profile can hold.
    #[error("the name of a file is empty, too long, or has a line break")]
    FileName,
    /// A package has no import path.
    #[error("the package has no import path")]
    NoImportPath,
    /// A flag is neither 0 nor 1.
    #[error("the flag of a function literal is {0}")]
    Literal(u64),
    /// A function is of a package that the meta lacks.
    #[error("package {index} of {count} in the meta")]
    NoPackage {
        /// The index.
        index: u64,
        /// The number of packages.
        count: usize,
    },
    /// A function is beyond those that its package has in the meta.
    #[error("function {index} of {count} that package {package} has in the meta")]
    NoFunction {
        /// The index of the package.
        package: u64,
        /// The index of the function.
        index: u64,
        /// The number of functions of the package.
        count: usize,
    },
    /// A function has not as many counters as blocks.
    #[error("{found} counters, and the meta has {expected} blocks")]
    Counters {
        /// The number of blocks.
        expected: usize,
        /// The number of counters.
        found: u64,
    },
}

impl DataFault {
    /// Says where the fault is.
    pub(super) fn at(self, offset: usize) -> DataError {
        DataError::Damaged { place: DataPlace { offset, package: None, function: None }, fault: self }
    }

    /// Says where the fault is, and in which package and function.
    pub(super) fn at_function(self, offset: usize, package: u64, function: Option<u64>) -> DataError {
        DataError::Damaged { place: DataPlace { offset, package: Some(package), function }, fault: self }
    }
}
