//! Runs, jumps of the clock between them, taken-in snapshots, and messages that are shown only once.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension, Row, params};

use super::damage::ValueOwner;
use super::reading::time;
use super::{Store, StoreError, Writer};
use crate::fleet::ids::LifeId;
use crate::fleet::left_process::PROCESS_IDENTITY;
use crate::fleet::snapshot::ClockJump;
use crate::time::iso;

/// Shortest time for which a jump of the clock is stored. The last jump is never deleted.
const JUMPS_REMEMBERED: TimeDelta = TimeDelta::days(90);

/// Start of the topic under which the globs of `agent_files` that all builds follow are kept among the messages.
const AGENT_FILES: &str = "agent_files ";

impl Store {
    /// Returns the latest time that the last run stored.
    pub(crate) fn last_run_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT max(started_at, coalesce(ended_at, started_at)) AS started_at FROM run ORDER BY id DESC LIMIT 1";
        Ok(self.query_readable("run", sql, [], |_| Ok(ValueOwner::Nobody), |row| time(row, 0))?.pop())
    }

    /// Returns the jumps of the clock.
    pub(crate) fn clock_jumps(&self) -> Result<Vec<ClockJump>, StoreError> {
        let sql = "SELECT went_to, came_from FROM clock_jump";
        let read = |row: &Row<'_>| Ok(ClockJump { to: time(row, 0)?, from: time(row, 1)? });
        self.query_readable("clock_jump", sql, [], |_| Ok(ValueOwner::Nobody), read)
    }

    /// Returns the last life that was stored before the clock last went back.
    pub(crate) fn last_before_jump(&self) -> Result<Option<LifeId>, StoreError> {
        let sql = "SELECT last_generation FROM clock_jump ORDER BY last_generation DESC LIMIT 1";
        Ok(self.query_readable("clock_jump", sql, [], |_| Ok(ValueOwner::Nobody), |row| row.get(0))?.pop())
    }

    /// Tells whether the last run ended regularly; also true if none was made.
    pub(crate) fn last_run_ended(&self) -> Result<bool, StoreError> {
        self.connection
            .query_row("SELECT ended_at IS NOT NULL FROM run ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
            .optional()
            .map(|ended| ended.unwrap_or(true))
            .map_err(self.failed())
    }

    /// Tells whether a message that is shown only once was shown.
    pub(crate) fn is_told(&self, topic: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM told WHERE topic = ?1)";
        self.connection.query_row(sql, [topic], |row| row.get(0)).map_err(self.failed())
    }

    /// Tells whether all stored builds follow these globs of `agent_files`.
    pub(crate) fn follows_agent_files(&self, globs: &str) -> Result<bool, StoreError> {
        self.is_told(&format!("{AGENT_FILES}{globs}"))
    }

    /// Tells whether a snapshot was taken in.
    pub(crate) fn is_taken(&self, snapshot: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM snapshot WHERE identity = ?1";
        Ok(!self.query_all("snapshot", sql, [snapshot], |row| row.get::<_, i64>(0))?.is_empty())
    }

    /// Returns the time since which a snapshot has waited; `None` if that is not stored.
    pub(crate) fn waits_since(&self, snapshot: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT taken_at FROM snapshot WHERE identity = ?1";
        let nobody = |_: &Row<'_>| Ok(ValueOwner::Nobody);
        Ok(self.query_readable("snapshot", sql, [snapshot], nobody, |row| time(row, 0))?.pop())
    }
}

impl Writer<'_> {
    pub(super) fn insert_run(&self, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("INSERT INTO run (started_at) VALUES (?1)", params![iso(at)])
    }

    /// Marks the run as ended, and removes the ones before it.
    pub(super) fn end_run(&self, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("UPDATE run SET ended_at = ?1 WHERE id = (SELECT max(id) FROM run)", params![iso(at)])?;
        self.run("DELETE FROM run WHERE id < (SELECT max(id) FROM run)", params![])
    }

    pub(super) fn insert_clock_jump(&self, ClockJump { to, from }: &ClockJump) -> rusqlite::Result<()> {
        let forgotten = iso(*to - JUMPS_REMEMBERED);
        self.run("DELETE FROM clock_jump WHERE went_to < ?1", params![forgotten])?;
        self.run(
            "INSERT OR REPLACE INTO clock_jump (went_to, came_from, last_generation)
                     SELECT ?1, ?2, coalesce(max(id), 0) FROM generation",
            params![iso(*to), iso(*from)],
        )
    }

    pub(super) fn insert_told(&self, topic: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("INSERT OR IGNORE INTO told (topic, told_at) VALUES (?1, ?2)", params![topic, iso(at)])
    }

    pub(super) fn set_agent_files(&self, globs: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("DELETE FROM told WHERE substr(topic, 1, length(?1)) = ?1", params![AGENT_FILES])?;
        self.insert_told(&format!("{AGENT_FILES}{globs}"), at)
    }

    pub(super) fn insert_snapshot(&self, identity: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO snapshot (identity, taken_at) VALUES (?1, ?2)",
            params![identity, iso(at)],
        )
    }

    /// Stores since when a snapshot has waited, unless that is stored.
    pub(super) fn insert_waiting_snapshot(&self, identity: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR IGNORE INTO snapshot (identity, taken_at) VALUES (?1, ?2)",
            params![identity, iso(at)],
        )
    }

    pub(super) fn delete_snapshots(
        &self,
        files: DateTime<Utc>,
        processes: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM snapshot
                 WHERE taken_at < CASE WHEN substr(identity, 1, length(?3)) = ?3 THEN ?2 ELSE ?1 END",
            params![iso(files), iso(processes), PROCESS_IDENTITY],
        )
    }
}
