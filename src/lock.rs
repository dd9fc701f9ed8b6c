//! Proof that this process is the one that may change the work directory.

/// Held by whoever holds the exclusive lock; what writes asks for it.
///
/// It lives in the core because the adapters that write (the work directory, the store) do not know
/// each other. Only taking the lock makes one.
#[derive(Debug)]
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        Self(())
    }
}
