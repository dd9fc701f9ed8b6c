//! What can be changed in the database, and the one that changes it.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;

use super::query::HIGHEST_ID;
use super::{Store, StoreError};
use crate::fleet::build_group::Election;
use crate::fleet::change::Change;
use crate::fleet::generation::LastAnswer;
use crate::fleet::ids::{BuildGroupId, GenerationId, KeyId};
use crate::fleet::liveness::{Streak, Suspicion};
use crate::fleet::records::{AddressState, Replicas, ScheduleRow};
use crate::fleet::removal::Tombstone;
use crate::fleet::retention::HIGHEST_NUMBER;
use crate::fleet::row::{NewRow, RowStats};
use crate::fleet::schedule::Schedule;
use crate::fleet::snapshot::Jump;
use crate::lock::Held;
use crate::profile::Fingerprint;
use crate::time::iso;

/// How long a jump of the clock is remembered at least; the last one is for ever.
const JUMPS_REMEMBERED: TimeDelta = TimeDelta::days(90);

/// Carries out changes, in transactions that the caller ends. What is not committed is undone when the
/// writer is dropped.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    store: &'a Store,
    open: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a Store, _held: &'a Held) -> Self {
        Self { store, open: false }
    }

    /// Carries out one change in the open transaction; begins one where none is open.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        if !self.open {
            self.store.connection.execute_batch("BEGIN IMMEDIATE").map_err(self.store.failed())?;
            self.open = true;
        }
        self.execute(change).map_err(self.store.failed())
    }

    /// Carries out changes that belong together: all of them, or none. The transaction stays open where they fail for
    /// one value ([`StoreError::is_of_one_value`]).
    pub(crate) fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let failed = self.store.failed();
        let run = |sql| self.store.connection.execute_batch(sql).map_err(&failed);
        if !self.open {
            run("BEGIN IMMEDIATE")?;
            self.open = true;
        }
        run("SAVEPOINT together")?;
        let applied = changes.iter().try_for_each(|change| self.execute(change).map_err(&failed));
        let Err(error) = applied else { return run("RELEASE together") };
        match run("ROLLBACK TO together").and_then(|()| run("RELEASE together")) {
            // Others can go on only in the transaction that is open.
            Err(closed) if error.is_of_one_value() => Err(closed),
            // SQLite has rolled back all by itself where it failed for want of space or memory.
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

    #[expect(clippy::too_many_lines, reason = "a table: one statement a change")]
    fn execute(&self, change: &Change) -> rusqlite::Result<()> {
        let run = |sql: &str, bound: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
            self.store.connection.prepare_cached(sql)?.execute(bound).map(drop)
        };
        match change {
            Change::RunStarted(at) => run("INSERT INTO run (started_at) VALUES (?1)", params![iso(*at)]),
            Change::Told(topic, at) => {
                run("INSERT INTO told (topic, told_at) VALUES (?1, ?2)", params![topic, iso(*at)])
            }
            Change::RunEnded(at) => run(
                "UPDATE run SET ended_at = ?1 WHERE id = (SELECT max(id) FROM run)",
                params![iso(*at)],
            )
            .and_then(|()| run("DELETE FROM run WHERE id < (SELECT max(id) FROM run)", params![])),
            Change::Key(id, key) => run(
                "INSERT INTO cover_key (id, env, region, app_name, git_commit) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, key.env, key.region, key.app, key.commit],
            ),
            Change::KeyMended(id, key) => run(
                "UPDATE cover_key SET env = ?2, region = ?3, app_name = ?4, git_commit = ?5 WHERE id = ?1",
                params![id, key.env, key.region, key.app, key.commit],
            ),
            Change::Service { id, name, key, branch, seen_at } => run(
                "INSERT INTO service (id, name, key_id, git_branch, first_seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, git_branch = excluded.git_branch",
                params![id, name, key, branch, iso(*seen_at)],
            ),
            Change::CentersAsked { urls, at } => {
                run("UPDATE asked_center SET is_latest = 0 WHERE is_latest", params![])?;
                urls.iter().try_for_each(|url| {
                    run(
                        "INSERT OR REPLACE INTO asked_center (url, asked_at, is_latest) VALUES (?1, ?2, 1)",
                        params![url, iso(*at)],
                    )
                })
            }
            Change::CenterListed { url, at } => run(
                "INSERT INTO center (url, last_listed_at) VALUES (?1, ?2)
                 ON CONFLICT (url) DO UPDATE SET last_listed_at = excluded.last_listed_at",
                params![url, iso(*at)],
            ),
            Change::Listed { service, address, center, position, at } => run(
                "INSERT INTO listing (service_id, address, center, position, listed_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (service_id, address) DO UPDATE SET center = excluded.center,
                     position = excluded.position, listed_at = excluded.listed_at, unlisted_at = NULL",
                params![service, address, center, position, iso(*at)],
            ),
            Change::Unlisted { service, address, at } => run(
                "UPDATE listing SET unlisted_at = ?3 WHERE service_id = ?1 AND address = ?2",
                params![service, address, iso(*at)],
            ),
            Change::Structure { id, fingerprint, data } => run(
                "INSERT INTO structure (id, fingerprint, data) VALUES (?1, ?2, ?3)",
                params![id, fingerprint.as_bytes(), data],
            ),
            Change::StructureMended(id, data) => {
                run("UPDATE structure SET data = ?2 WHERE id = ?1", params![id, data])
            }
            Change::BuildGroup { id, key, at } => run(
                "INSERT INTO edition (id, key_id, status, created_at) VALUES (?1, ?2, 'aside', ?3)",
                params![id, key, iso(*at)],
            ),
            Change::BuildGroupStatus(id, status) => {
                run("UPDATE edition SET status = ?2 WHERE id = ?1", params![id, status.as_str()])
            }
            Change::StructureMoved { structure, from, to } => run(
                "UPDATE generation SET edition_id = ?3 WHERE structure_id = ?1 AND edition_id = ?2",
                params![structure, from, to],
            ),
            Change::GenerationOpened { id, build_group, structure, address, mode, at, counts, answer } => run(
                "INSERT INTO generation (id, edition_id, structure_id, address, mode, opened_at, pulled_at, counts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                params![id, build_group, structure, address, mode.as_str(), iso(*at), counts],
            )
            .and_then(|()| self.remember(*id, answer.as_ref())),
            Change::GenerationMoved { id, mode, at, counts, answer } => run(
                "UPDATE generation SET mode = ?2, pulled_at = ?3, counts = ?4 WHERE id = ?1",
                params![id, mode.as_str(), iso(*at), counts],
            )
            .and_then(|()| self.remember(*id, answer.as_ref())),
            Change::AnswerRemembered(id, answer) => self.remember(*id, Some(answer)),
            Change::GenerationClosed(id, at) => {
                run("UPDATE generation SET closed_at = ?2 WHERE id = ?1", params![id, iso(*at)])
                    .and_then(|()| self.remember(*id, None))
            }
            Change::GenerationReopened(id) => {
                run("UPDATE generation SET closed_at = NULL WHERE id = ?1", params![id])
            }
            Change::GenerationFolded(id) => run("DELETE FROM generation WHERE id = ?1", params![id]),
            Change::SnapshotTaken { identity, at } => run(
                "INSERT OR REPLACE INTO snapshot (identity, taken_at) VALUES (?1, ?2)",
                params![identity, iso(*at)],
            ),
            Change::SnapshotsForgotten(before) => {
                run("DELETE FROM snapshot WHERE taken_at < ?1", params![iso(*before)])
            }
            Change::ClockWentBack(Jump { to, from }) => {
                let forgotten = iso(*to - JUMPS_REMEMBERED);
                run("DELETE FROM clock_jump WHERE went_to < ?1", params![forgotten])?;
                run(
                    "INSERT OR REPLACE INTO clock_jump (went_to, came_from, last_generation)
                     SELECT ?1, ?2, coalesce(max(id), 0) FROM generation",
                    params![iso(*to), iso(*from)],
                )
            }
            Change::NeverPulledForgotten(key) => self.forget_key(*key),
            Change::Address { key, address, state } => {
                let AddressState { last_answer_at, retry, last_error, fraction, peeked, other_build } = state;
                run(
                    "INSERT OR REPLACE INTO address (key_id, address, last_answer_at, failures, next_try_at,
                         last_error, fraction, peeked, other_build)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        key,
                        address,
                        last_answer_at.map(iso),
                        retry.failures,
                        retry.next_try.map(iso),
                        last_error,
                        fraction,
                        peeked,
                        other_build.as_ref().map(Fingerprint::as_bytes),
                    ],
                )
            }
            Change::Unfinished(key) => run(
                "INSERT INTO schedule (key_id, step, addresses, unfinished) VALUES (?1, 0, '[]', 1)
                 ON CONFLICT (key_id) DO UPDATE SET unfinished = 1",
                params![key],
            ),
            Change::Schedule(key, row) => self.set_schedule(*key, row),
            Change::Row(row) => self.add_row(row),
            Change::Replicas(key, Replicas { answered, listed, pulled_at }) => run(
                "INSERT OR REPLACE INTO replicas (key_id, answered, listed, pulled_at) VALUES (?1, ?2, ?3, ?4)",
                params![key, answered, listed, iso(*pulled_at)],
            ),
            Change::Suspected { address, suspicion } => {
                let Suspicion { any, plain, witnessed_since, last_failed_at, probe, is_dead } = suspicion;
                run(
                    "INSERT OR REPLACE INTO suspicion (address, since, runs, plain_since, plain_runs,
                         witnessed_since, last_failed_at, finding, detail, is_dead)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                    params![
                        address,
                        iso(any.since),
                        any.runs,
                        plain.map(|Streak { since, .. }| iso(since)),
                        plain.map_or(0, |Streak { runs, .. }| runs),
                        witnessed_since.map(iso),
                        iso(*last_failed_at),
                        probe.finding.word(),
                        probe.detail,
                        is_dead,
                    ],
                )
            }
            Change::Unsuspected(address) => run("DELETE FROM suspicion WHERE address = ?1", params![address]),
            Change::Buried(Tombstone { center, address, service, build, removed_at, was_alive }) => run(
                "INSERT OR REPLACE INTO tombstone (center, address, service, build, removed_at, was_alive)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    center,
                    address,
                    service,
                    build.as_ref().map(Fingerprint::as_bytes),
                    iso(*removed_at),
                    was_alive,
                ],
            ),
            Change::Exhumed(Tombstone { center, address, service, .. }) => run(
                "DELETE FROM tombstone WHERE center = ?1 AND address = ?2 AND service = ?3",
                params![center, address, service],
            ),
            Change::Closed { service, address, at } => run(
                "UPDATE generation SET closed_at = ?3
                 WHERE address = ?2 AND closed_at IS NULL
                   AND edition_id IN (SELECT edition.id FROM edition
                                      JOIN service ON service.key_id = edition.key_id WHERE service.name = ?1)",
                params![service, address, iso(*at)],
            ),
            Change::FileWritten { row, counts_digest, bytes } => run(
                "UPDATE cover_fact SET counts_digest = ?2, file_bytes = ?3 WHERE row_id = ?1",
                params![row, counts_digest.as_bytes(), bytes],
            ),
            Change::RowDropped(id, at) => run(
                "UPDATE goc_o_staging_service_cover SET deleted_at = ?2, updated_at = ?2
                 WHERE id = ?1 AND deleted_at IS NULL",
                params![id, iso(*at)],
            ),
            Change::BuildGroupDropped(build_group) => self.drop_build_group(*build_group),
            Change::StructuresSwept => {
                run("DELETE FROM structure WHERE id NOT IN (SELECT structure_id FROM generation)", params![])
            }
            Change::KeyDropped(key, at) => self.drop_key(*key, *at),
        }
    }

    /// Replaces what is remembered of a generation's last answer: that of other counters must not stay.
    fn remember(&self, id: GenerationId, answer: Option<&LastAnswer>) -> rusqlite::Result<()> {
        let run = |sql: &str, bound: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
            self.store.connection.prepare_cached(sql)?.execute(bound).map(drop)
        };
        match answer {
            None => run("DELETE FROM last_answer WHERE generation_id = ?1", params![id]),
            Some(LastAnswer { fraction, answer_digest }) => run(
                "INSERT INTO last_answer (generation_id, fraction, imprint) VALUES (?1, ?2, ?3)
                 ON CONFLICT (generation_id) DO UPDATE SET fraction = excluded.fraction,
                     imprint = excluded.imprint",
                params![id, fraction, answer_digest],
            ),
        }
    }

    fn set_schedule(&self, key: KeyId, row: &ScheduleRow) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let ScheduleRow { schedule, last_change_at, counts_moved_at, unfinished, election } = row;
        // When an election is to be decided is computed from the election.
        let Schedule { step, last_pull, next_due, addresses, election: _ } = schedule;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO schedule (key_id, step, last_pull_at, next_due_at, addresses,
                     last_change_at, counts_moved_at, unfinished)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                key,
                step,
                last_pull.map(iso),
                next_due.map(iso),
                serde_json::json!(addresses).to_string(),
                last_change_at.map(iso),
                counts_moved_at.map(iso),
                unfinished,
            ])?;
        if *election == Election::default() {
            connection.prepare_cached("DELETE FROM election WHERE key_id = ?1")?.execute([key])?;
            return Ok(());
        }
        let Election { contest, chosen } = election;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO election (key_id, kind, winner_id, since, votes, listed, chosen_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                key,
                contest.map(|contest| contest.kind.word()),
                contest.and_then(|contest| contest.winner),
                contest.map(|contest| iso(contest.since)),
                contest.map_or(0, |contest| contest.votes),
                contest.map_or(0, |contest| contest.listed),
                chosen,
            ])?;
        Ok(())
    }

    fn drop_build_group(&self, build_group: BuildGroupId) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        connection.prepare_cached("DELETE FROM generation WHERE edition_id = ?1")?.execute([build_group])?;
        let sql = "DELETE FROM election WHERE winner_id = ?1 OR chosen_id = ?1";
        connection.prepare_cached(sql)?.execute([build_group])?;
        // A build group of which a row tells stays, as nothing but a number.
        let sql = "DELETE FROM edition WHERE id = ?1
                   AND NOT EXISTS (SELECT 1 FROM cover_fact WHERE edition_id = edition.id)";
        connection.prepare_cached(sql)?.execute([build_group])?;
        let sql = "UPDATE edition SET status = 'former' WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([build_group])?;
        Ok(())
    }

    fn drop_key(&self, key: KeyId, at: DateTime<Utc>) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let at = iso(at);
        let sql = "UPDATE goc_o_staging_service_cover SET deleted_at = ?2, updated_at = ?2
                   WHERE deleted_at IS NULL AND (env, region, app_name, git_commit) =
                       (SELECT env, region, app_name, git_commit FROM cover_key WHERE id = ?1)";
        connection.prepare_cached(sql)?.execute(params![key, at])?;
        let build_groups: Vec<BuildGroupId> = connection
            .prepare_cached("SELECT id FROM edition WHERE key_id = ?1")?
            .query_map([key], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for build_group in build_groups {
            self.drop_build_group(build_group)?;
        }
        // So that a key that comes back is pulled like a new one.
        connection.prepare_cached("DELETE FROM schedule WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM election WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM address WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM replicas WHERE key_id = ?1")?.execute([key])?;
        let sql = "UPDATE cover_key SET dropped_at = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![key, at])?;
        Ok(())
    }

    fn forget_key(&self, key: KeyId) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        // Whatever the caller knows: data may have come in meanwhile, and rows of a key that was dropped stay.
        let sql = "SELECT EXISTS (SELECT 1 FROM edition WHERE key_id = ?1)
                       OR EXISTS (SELECT 1 FROM schedule WHERE key_id = ?1
                                  AND (last_pull_at IS NOT NULL OR unfinished))
                       OR EXISTS (SELECT 1 FROM cover_key JOIN goc_o_staging_service_cover AS cover
                                      ON (cover.env, cover.region, cover.app_name, cover.git_commit)
                                       = (cover_key.env, cover_key.region, cover_key.app_name, cover_key.git_commit)
                                  WHERE cover_key.id = ?1)";
        if connection.prepare_cached(sql)?.query_row([key], |row| row.get(0))? {
            return Ok(());
        }
        for sql in [
            "DELETE FROM listing WHERE service_id IN (SELECT id FROM service WHERE key_id = ?1)",
            "DELETE FROM service WHERE key_id = ?1",
            "DELETE FROM address WHERE key_id = ?1",
            "DELETE FROM replicas WHERE key_id = ?1",
            "DELETE FROM schedule WHERE key_id = ?1",
            "DELETE FROM cover_key WHERE id = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([key])?;
        }
        Ok(())
    }

    fn add_row(&self, row: &NewRow) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let NewRow { key, at, addresses, branch, cov_file_path, number, stats, file_bytes } = row;
        let at = iso(*at);
        connection
            .prepare_cached(
                "UPDATE goc_o_staging_service_cover SET is_latest = 'n', updated_at = ?5
                 WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4
                   AND is_latest = 'y' AND deleted_at IS NULL",
            )?
            .execute(params![key.env, key.region, key.app, key.commit, at])?;
        // SQLite gives the id, but where a row of another hand has one so high that it would soon find none.
        let id = connection
            .prepare_cached(
                "INSERT INTO goc_o_staging_service_cover (id, created_at, updated_at, env, region, app_name,
                     addresses, git_branch, git_commit, is_latest, cov_file_path, cover_total)
                 SELECT iif(max(highest, coalesce(seq, 0)) >= ?10, below + 1, NULL),
                        ?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'y', ?8, ?9
                 FROM (SELECT coalesce(max(id), 0) AS highest FROM goc_o_staging_service_cover)
                 JOIN (SELECT coalesce(max(id), 0) AS below FROM goc_o_staging_service_cover WHERE id < ?10)
                 JOIN (SELECT max(seq) AS seq FROM sqlite_sequence WHERE name = 'goc_o_staging_service_cover')",
            )?
            .insert(params![
                at,
                key.env,
                key.region,
                key.app,
                addresses.join(","),
                branch,
                key.commit,
                cov_file_path,
                stats.coverage.percent(),
                HIGHEST_ID,
            ])?;
        let RowStats { build_group, coverage, covered_digest, counts_digest, answered, listed } = stats;
        // Whatever is said of a row that was not there is not of this one.
        connection.prepare_cached("DELETE FROM cover_diff WHERE row_id = ?1")?.execute([id])?;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO cover_fact (row_id, edition_id, covered, total, covered_digest, counts_digest,
                     answered, listed, file_bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                id,
                build_group,
                coverage.covered,
                coverage.total,
                covered_digest.as_bytes(),
                counts_digest.as_bytes(),
                answered,
                listed,
                file_bytes,
            ])?;
        connection
            .prepare_cached(
                "INSERT INTO app (folder, app_name, last_number) VALUES (?1, ?2, ?3)
                 ON CONFLICT (folder) DO UPDATE SET last_number = CASE
                     WHEN last_number BETWEEN excluded.last_number AND ?4 THEN last_number
                     ELSE excluded.last_number END",
            )?
            .execute(params![number.0, key.app, number.1, HIGHEST_NUMBER])?;
        Ok(())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.open {
            // SQLite has rolled back by itself where it failed for want of space or memory.
            let _ = self.store.connection.execute_batch("ROLLBACK");
        }
    }
}
