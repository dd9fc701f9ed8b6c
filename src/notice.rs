//! Messages of a working engine, as data that the command prints.

/// A message by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Work begins that takes some time.
    Progress(String),
    /// The work goes on in another way than requested.
    Warning(String),
    /// A part of the work failed.
    Failure(String),
    /// A detail that is only printed with `--verbose`.
    Explanation(String),
}

/// The receiver of messages; threads share it.
pub(crate) type Notify<'a> = &'a (dyn Fn(Notice) + Sync);
