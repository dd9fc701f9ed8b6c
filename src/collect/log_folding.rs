//! The thread that folds the write-ahead log into the database while another one writes, so that little is left to fold at
//! the end of a run, when nothing else is done.

use std::cell::OnceCell;
use std::sync::mpsc::{self, SyncSender};
use std::thread::Scope;

use crate::io::store::Store;
use crate::lock::LockProof;
use crate::parallel;

/// Number of times that the log is folded after a commit, if readers needed it meanwhile.
const TRIES: usize = 3;

/// Starts the thread that folds the log, when there is something to fold. The thread ends when this value is dropped.
pub(crate) struct LogFolding<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    store: &'scope Store,
    proof: &'scope LockProof,
    due: OnceCell<SyncSender<()>>,
}

impl<'scope, 'env> LogFolding<'scope, 'env> {
    /// Starts nothing yet.
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        store: &'scope Store,
        proof: &'scope LockProof,
    ) -> Self {
        Self { scope, store, proof, due: OnceCell::new() }
    }

    /// Lets the thread fold what was committed until now, and does not wait for it.
    pub(crate) fn fold(&self) {
        // A failed sending means that the log is about to be folded anyway, or that there is no thread.
        let _ = self.due.get_or_init(|| self.start()).try_send(());
    }

    /// Starts the thread. Without a thread or a connection of its own, the end of the run folds all of the log.
    fn start(&self) -> SyncSender<()> {
        let (due, received) = mpsc::sync_channel(1);
        if let Ok(connection) = self.store.fold_connection(self.proof) {
            let _ = parallel::spawn(self.scope, move || {
                for () in received {
                    // A log that is folded only in part stays, and the database is not synced. A reader hinders a fold
                    // only for a moment, so it is tried again.
                    let _ = (0..TRIES).any(|_| !connection.fold_log());
                }
            });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;
    use crate::fleet::change::Change;

    #[test]
    fn a_log_is_folded_before_its_database_is_closed() {
        let home = tempfile::tempdir().unwrap();
        let (path, proof) = (home.path().join("db"), LockProof::new());
        let store = Store::open(&path, &proof).unwrap();
        let bytes = || fs::metadata(&path).unwrap().len();
        let before = bytes();
        let mut writer = store.writer(&proof);
        thread::scope(|scope| {
            let folding = LogFolding::new(scope, &store, &proof);
            writer.apply(&Change::RunStarted(chrono::DateTime::UNIX_EPOCH)).unwrap();
            writer.commit().unwrap();
            folding.fold();
        });
        assert!(bytes() > before, "{before} bytes still");
    }
}
