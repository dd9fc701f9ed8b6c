//! Schedules of keys, and the elections of their build groups.

use std::collections::HashMap;

use rusqlite::{Row, params};

use super::damage::{ValueOwner, described, is_of_value};
use super::reading::{key_owner, maybe_time, string_list, time, unknown};
use super::{Store, StoreError, Writer};
use crate::fleet::election::{Contest, ContestKind, Election};
use crate::fleet::ids::{BuildGroupId, KeyId};
use crate::fleet::records::ScheduleRow;
use crate::fleet::schedule::Schedule;
use crate::time::iso;

impl Store {
    /// Returns the stored schedules of all keys.
    pub(crate) fn schedules(&self) -> Result<HashMap<KeyId, ScheduleRow>, StoreError> {
        let sql = "SELECT key_id, step, last_pull_at, next_due_at, addresses, last_change_at,
                          counts_moved_at, unfinished FROM schedule";
        let mut damaged = Vec::new();
        let rows = self.query_all("schedule", sql, [], |row| {
            let key = row.get(0)?;
            match schedule_row(row) {
                Err(error) if is_of_value(&error) => {
                    damaged.push((ValueOwner::Key(key), described("schedule", row, &error)));
                    // The next pull decides about the row again, and stores a new schedule.
                    Ok((key, ScheduleRow { unfinished: true, ..ScheduleRow::default() }))
                }
                schedule => Ok((key, schedule?)),
            }
        })?;
        self.note_all(damaged)?;
        let mut schedules: HashMap<KeyId, ScheduleRow> = rows.into_iter().collect();
        for (key, election) in self.elections()? {
            let row = schedules.entry(key).or_default();
            row.schedule.election = election.decided_at();
            row.election = election;
        }
        Ok(schedules)
    }

    fn elections(&self) -> Result<Vec<(KeyId, Election<BuildGroupId>)>, StoreError> {
        let sql = "SELECT key_id, kind, winner_id, since, votes, listed, chosen_id FROM election";
        self.query_readable("election", sql, [], key_owner, |row| {
            let contest = match row.get::<_, Option<String>>(1)? {
                Some(word) => Some(Contest {
                    kind: ContestKind::from_word(&word).ok_or_else(|| unknown(1, &word))?,
                    winner: row.get(2)?,
                    since: time(row, 3)?,
                    votes: row.get(4)?,
                    listed: row.get(5)?,
                }),
                None => None,
            };
            Ok((row.get(0)?, Election { contest, chosen: row.get(6)? }))
        })
    }
}

impl Writer<'_> {
    pub(super) fn set_unfinished(&self, key: KeyId) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO schedule (key_id, step, addresses, unfinished) VALUES (?1, 0, '[]', 1)
                 ON CONFLICT (key_id) DO UPDATE SET unfinished = 1",
            params![key],
        )
    }

    pub(super) fn set_schedule(&self, key: KeyId, row: &ScheduleRow) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let ScheduleRow { schedule, last_change_at, counts_moved_at, unfinished, election } = row;
        // The time of the decision is computed from the election.
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
}

fn schedule_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let schedule = Schedule {
        step: row.get(1)?,
        last_pull: maybe_time(row, 2)?,
        next_due: maybe_time(row, 3)?,
        addresses: string_list(row, 4)?,
        election: None,
    };
    Ok(ScheduleRow {
        schedule,
        last_change_at: maybe_time(row, 5)?,
        counts_moved_at: maybe_time(row, 6)?,
        unfinished: row.get(7)?,
        election: Election::default(),
    })
}
