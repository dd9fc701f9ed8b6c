//! Messages of an engine while it works: data, which the command that started it prints.

/// A message, by the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Some work begins that takes a while.
    Progress(String),
    /// The work went on in another way than was asked for.
    Warning(String),
    /// A part of the work failed.
    Failure(String),
    /// The reason for something that no message tells by itself.
    Explanation(String),
}

/// The receiver of messages; threads share it.
pub(crate) type Notify<'a> = &'a (dyn Fn(Notice) + Sync);
