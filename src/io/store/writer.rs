//! The writer, which carries out changes in transactions. The SQL of each change is in the file of its table.

use chrono::{DateTime, Utc};
use rusqlite::{ToSql, params};

use super::{Store, StoreError};
use crate::fleet::change::Change;
use crate::lock::LockProof;
use crate::time::iso;

/// The writer of changes in transactions that the caller ends. Dropping the writer undoes uncommitted changes.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(super) store: &'a Store,
    open: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a Store, _proof: &'a LockProof) -> Self {
        Self { store, open: false }
    }

    /// Carries out one change in the open transaction, or begins one.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        if !self.open {
            self.store.connection.execute_batch("BEGIN IMMEDIATE").map_err(self.store.failed())?;
            self.open = true;
        }
        self.execute(change).map_err(self.store.failed())
    }

    /// Carries out either all of these changes or none. The transaction stays open if they fail because of one value
    /// ([`StoreError::is_of_one_value`]).
    pub(crate) fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let (store, failed) = (self.store, self.store.failed());
        let run = |sql| store.connection.prepare_cached(sql)?.execute([]);
        let run = |sql| run(sql).map(drop).map_err(&failed);
        if !self.open {
            run("BEGIN IMMEDIATE")?;
            self.open = true;
        }
        run("SAVEPOINT together")?;
        let applied = changes.iter().try_for_each(|change| self.execute(change).map_err(&failed));
        let Err(error) = applied else { return run("RELEASE together") };
        match run("ROLLBACK TO together").and_then(|()| run("RELEASE together")) {
            // Later changes need the transaction, which the error has closed.
            Err(closed) if error.is_of_one_value() => Err(closed),
            // SQLite has rolled back by itself when it lacked space or memory.
            _ => Err(error),
        }
    }

    /// Ends the open transaction. Once it returns, the changes survive a power cut.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        if self.open {
            self.store.connection.execute_batch("COMMIT").map_err(self.store.failed())?;
            self.open = false;
        }
        Ok(())
    }

    /// Tells whether a transaction is open, so that a commit stores something.
    pub(crate) const fn has_changes(&self) -> bool {
        self.open
    }

    /// Folds the write-ahead log into the database between two transactions, as far as no reader needs the log. The end of
    /// the run folds what is left, so a failure costs nothing.
    pub(crate) fn fold_log(&self) {
        let _ = self.store.fold_log();
    }

    /// Runs one statement.
    pub(super) fn run(&self, sql: &str, bound: &[&dyn ToSql]) -> rusqlite::Result<()> {
        self.store.connection.prepare_cached(sql)?.execute(bound).map(drop)
    }

    fn forget_unlisted(&self, before: DateTime<Utc>) -> rusqlite::Result<()> {
        self.delete_listings(before)?;
        self.delete_targets(before)?;
        self.delete_address_states(before)
    }

    /// Carries out one change.
    fn execute(&self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::RunStarted(at) => self.insert_run(*at),
            Change::RunEnded(at) => self.end_run(*at),
            Change::Told(topic, at) => self.insert_told(topic, *at),
            Change::ClockWentBack(jump) => self.insert_clock_jump(jump),
            Change::SnapshotTaken { identity, at } => self.insert_snapshot(identity, *at),
            Change::SnapshotWaits { identity, since } => self.insert_waiting_snapshot(identity, *since),
            Change::UnlistedForgotten(before) => self.forget_unlisted(*before),
            Change::SnapshotsForgotten { files, processes } => self.delete_snapshots(*files, *processes),
            Change::Key(id, key) => self.insert_key(*id, key),
            Change::KeyMended(id, key) => self.mend_key(*id, key),
            Change::KeyDropped(key, at) => self.drop_key(*key, *at),
            Change::NeverPulledForgotten(key) => self.forget_key(*key),
            Change::Service { id, name, key, branch, has_fields, seen_at } => {
                self.upsert_service((*id, name), *key, branch, *has_fields, *seen_at)
            }
            Change::ListersAsked { centers, sources, at } => {
                self.set_asked_centers(centers, *at)?;
                self.set_asked_sources(sources, *at)
            }
            Change::CenterListed { url, at } => self.set_center_listed(url, *at),
            Change::Listed { service, address, center, position, at } => {
                self.upsert_listing(*service, address, center, *position, *at)
            }
            Change::Unlisted { service, address, at } => self.end_listing(*service, address, *at),
            Change::SourceListed { name, at } => self.set_source_listed(name, *at),
            Change::TargetListed { source, service, address, facts, position, at } => {
                self.upsert_target(source, (*service, address), facts, *position, *at)
            }
            Change::TargetUnlisted { source, service, address, at } => {
                self.end_target(source, *service, address, *at)
            }
            Change::Unfinished(key) => self.set_unfinished(*key),
            Change::Schedule(key, row) => self.set_schedule(*key, row),
            Change::Address { key, address, state } => self.set_address_state(*key, address, state),
            Change::Replicas(key, replicas) => self.set_replicas(*key, replicas),
            Change::Suspected { address, suspicion } => self.set_suspicion(address, suspicion),
            Change::Unsuspected(address) => self.delete_suspicion(address),
            Change::TombstoneAdded(tombstone) => self.insert_tombstone(tombstone),
            Change::TombstoneRemoved(tombstone) => self.delete_tombstone(tombstone),
            Change::Structure { id, fingerprint, data } => self.insert_structure(*id, fingerprint, data),
            Change::StructureMended(id, data) => self.mend_structure(*id, data),
            Change::StructuresSwept => {
                self.delete_unused_structures()?;
                self.forget_left_out()?;
                self.delete_unused_agents()
            }
            Change::Meta { sha256, hash, structure, data } => {
                self.insert_meta(sha256, *hash, *structure, data)
            }
            Change::AgentFilesFollowed { globs, at } => self.set_agent_files(globs, *at),
            Change::LeftOutTold { key, meta, at } => self.set_left_out_told(*key, meta, *at),
            Change::MetaRebuilt { sha256, structure } => self.set_build_of_meta(sha256, *structure),
            Change::LifeRebuilt { id, structure, counts, left, settled } => {
                self.set_build_of_life(*id, *structure, counts, (left.as_deref(), settled.as_deref()))
            }
            Change::MetaLeft { key, sha256, at } => self.insert_left_meta(*key, sha256, *at),
            Change::LeftMetasForgotten(before) => self.delete_left_metas(*before),
            Change::ProcessOf(generation, process) => self.set_process(*generation, process),
            Change::AgentFound { address, is_coverport } => self.set_coverport(address, *is_coverport),
            Change::BuildGroup { id, key, at } => self.insert_build_group(*id, *key, *at),
            Change::BuildGroupStatus(id, status) => self.set_build_group_status(*id, *status),
            Change::StructureMoved { structure, from, to } => self.move_structure(*structure, *from, *to),
            Change::BuildGroupDropped(build_group) => self.drop_build_group(*build_group),
            Change::Row(row) => self.add_row(row),
            Change::FileWritten { row, counts_digest, bytes } => {
                self.set_row_file(*row, counts_digest, *bytes)
            }
            Change::RowDropped(id, at) => self.drop_row(*id, *at),
            Change::LifeOpened {
                id,
                build_group,
                structure,
                address,
                mode,
                at,
                closed_at,
                counts,
                answer,
            } => {
                let (mode, at, closed_at) = (mode.as_str(), iso(*at), closed_at.map(iso));
                self.insert_life(params![id, build_group, structure, address, mode, at, closed_at, counts])?;
                self.set_last_answer(*id, answer.as_ref())
            }
            Change::LifeMoved { id, mode, at, counts, answer } => {
                self.set_counts(*id, *mode, *at, counts, answer.as_ref())
            }
            Change::AnswerRemembered(id, answer) => self.set_last_answer(*id, Some(answer)),
            Change::LifeClosed(id, at) => self.close_life(*id, *at),
            Change::LifeReopened(id) => self.reopen_life(*id),
            Change::LifeMixed(id) => self.mark_mixture(*id),
            Change::LifeFolded(id) => self.delete_life(*id),
            Change::LifeUnsettled(id) => self.insert_unsettled(*id),
            Change::LivesSettled(key) => self.delete_unsettled(*key),
            Change::LeftCounts { life, counts, owners } => self.set_left_counts(*life, counts, owners),
            Change::Closed { service, address, at } => self.close_lives_at(service, address, *at),
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.open {
            // SQLite has rolled back by itself when it lacked space or memory.
            let _ = self.store.connection.execute_batch("ROLLBACK");
        }
    }
}
