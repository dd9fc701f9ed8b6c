//! The proof that this process holds the exclusive lock of the work directory.

/// Proof of the lock. Functions that write take it as an argument.
///
/// The type is here because the adapters that write (the work directory, the store) do not use each other. Only taking
/// the lock makes a value.
#[derive(Debug)]
pub(crate) struct LockProof(());

impl LockProof {
    pub(crate) fn new() -> Self {
        Self(())
    }
}
