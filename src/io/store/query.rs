//! What can be asked of the database.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::damage::{Owner, described, is_of_value};
use super::{Store, StoreError};
use crate::coverage::Coverage;
use crate::fleet::build_group::{BuildGroup, BuildGroupStatus, Contest, ContestKind, Election, Structures};
use crate::fleet::generation::{Generation, LastAnswer};
use crate::fleet::ids::{BuildGroupId, GenerationId, KeyId, StructureId};
use crate::fleet::liveness::{Finding, Probe, Streak, Suspicion};
use crate::fleet::records::{
    AddressState, AddressStates, AskedCenter, Key, KnownService, ListedAddress, Replicas, ScheduleRow,
};
use crate::fleet::removal::Tombstone;
use crate::fleet::retention::{HIGHEST_NUMBER, RowFiles};
use crate::fleet::row::{LatestFile, Row, RowFilter, RowStats};
use crate::fleet::schedule::{AddressRetry, Schedule};
use crate::fleet::snapshot::Jump;
use crate::profile::{Fingerprint, Mode, Template, decode_build, decode_counts};
use crate::time::iso;

impl Store {
    /// Returns all keys; `None` where one cannot be read.
    pub(crate) fn keys(&self) -> Result<Vec<(KeyId, Option<Key>)>, StoreError> {
        let sql = "SELECT id, env, region, app_name, git_commit FROM cover_key ORDER BY id";
        let mut damaged = Vec::new();
        let keys = self.rows_of("cover_key", sql, [], |row| {
            let id = row.get(0)?;
            let sound =
                || Ok(Key { env: row.get(1)?, region: row.get(2)?, app: row.get(3)?, commit: row.get(4)? });
            match sound() {
                Err(error) if is_of_value(&error) => {
                    damaged.push((Owner::Key(id), described("cover_key", row, &error)));
                    Ok((id, None))
                }
                key => Ok((id, Some(key?))),
            }
        })?;
        self.note_all(damaged)?;
        Ok(keys)
    }

    /// Returns all names that can be read, sorted.
    pub(crate) fn services(&self) -> Result<Vec<KnownService>, StoreError> {
        let sql = "SELECT id, name, key_id, git_branch FROM service ORDER BY name";
        let mut damaged = Vec::new();
        let services = self.rows_of("service", sql, [], |row| {
            let id = row.get(0)?;
            let sound =
                || Ok(KnownService { id, name: row.get(1)?, place: Some((row.get(2)?, row.get(3)?)) });
            match sound() {
                Ok(service) => Ok(Some(service)),
                Err(error) if is_of_value(&error) => {
                    // Of a key with more names, the others are told with it.
                    let owner = row.get(2).map_or(Owner::Service(id), Owner::Key);
                    damaged.push((owner, described("service", row, &error)));
                    // The name says what the rest should be.
                    Ok(row.get(1).ok().map(|name| KnownService { id, name, place: None }))
                }
                Err(error) => Err(error),
            }
        })?;
        self.note_all(damaged)?;
        Ok(services.into_iter().flatten().collect())
    }

    /// Returns the addresses that stand or stood under any name, in the order in which they were listed.
    pub(crate) fn listings(&self) -> Result<Vec<ListedAddress>, StoreError> {
        let sql = "SELECT service_id, address, center, listed_at, unlisted_at FROM listing
                   ORDER BY service_id, position, address";
        let owner = |row: &rusqlite::Row<'_>| Ok(Owner::Service(row.get(0)?));
        let mut centers: HashSet<Arc<str>> = HashSet::new();
        self.sound_rows_of("listing", sql, [], owner, |row| {
            let unlisted_at = maybe_time(row, 4)?;
            let center: Arc<str> = row.get(2)?;
            // There are few, and many addresses of each.
            let center = centers.get(&center).cloned().unwrap_or_else(|| {
                centers.insert(Arc::clone(&center));
                center
            });
            Ok(ListedAddress {
                service: row.get(0)?,
                address: row.get(1)?,
                center,
                listed_at: time(row, 3)?,
                listed: unlisted_at.is_none(),
                unlisted_at,
            })
        })
    }

    /// Returns when each center last answered, by URL.
    pub(crate) fn centers(&self) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        let sql = "SELECT url, last_listed_at FROM center";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, time(row, 1)?));
        Ok(self.sound_rows_of("center", sql, [], |_| Ok(Owner::Nobody), read)?.into_iter().collect())
    }

    /// Returns the centers that pulls without names asked, by URL.
    pub(crate) fn asked_centers(&self) -> Result<HashMap<String, AskedCenter>, StoreError> {
        let sql = "SELECT url, asked_at, is_latest FROM asked_center";
        let rows = self.sound_rows_of(
            "asked_center",
            sql,
            [],
            |_| Ok(Owner::Nobody),
            |row| Ok((row.get(0)?, AskedCenter { asked_at: time(row, 1)?, is_latest: row.get(2)? })),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Returns how every address has been answering, by key and the normal form of the address.
    pub(crate) fn addresses(&self) -> Result<AddressStates, StoreError> {
        let sql = "SELECT key_id, address, last_answer_at, failures, next_try_at, last_error, fraction,
                          peeked, other_build FROM address ORDER BY key_id, address";
        let mut addresses = AddressStates::new();
        self.sound_rows_of("address", sql, [], key_owner, |row| {
            let state = AddressState {
                last_answer_at: maybe_time(row, 2)?,
                retry: AddressRetry { failures: row.get(3)?, next_try: maybe_time(row, 4)? },
                last_error: row.get(5)?,
                fraction: row.get(6)?,
                peeked: row.get(7)?,
                other_build: row
                    .get::<_, Option<Vec<u8>>>(8)?
                    .and_then(|bytes| Fingerprint::from_bytes(&bytes)),
            };
            // Most keys have one address, for which a map of its own would be large.
            let of_key: &mut Vec<_> = addresses.entry(row.get(0)?).or_default();
            of_key.reserve_exact(1);
            of_key.push((row.get(1)?, state));
            Ok(())
        })?;
        Ok(addresses)
    }

    /// Returns what is remembered of the pulls of every key.
    pub(crate) fn schedules(&self) -> Result<HashMap<KeyId, ScheduleRow>, StoreError> {
        let sql = "SELECT key_id, step, last_pull_at, next_due_at, addresses, last_change_at,
                          counts_moved_at, unfinished FROM schedule";
        let mut damaged = Vec::new();
        let rows = self.rows_of("schedule", sql, [], |row| {
            let key = row.get(0)?;
            match schedule_row(row) {
                Err(error) if is_of_value(&error) => {
                    damaged.push((Owner::Key(key), described("schedule", row, &error)));
                    // The next pull decides anew about the row, and writes this again.
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
        self.sound_rows_of("election", sql, [], key_owner, |row| {
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

    /// Returns how many replicas of each key answered at its last pull.
    pub(crate) fn replicas(&self) -> Result<HashMap<KeyId, Replicas>, StoreError> {
        let sql = "SELECT key_id, answered, listed, pulled_at FROM replicas";
        let rows = self.sound_rows_of("replicas", sql, [], key_owner, |row| {
            let replicas = Replicas { answered: row.get(1)?, listed: row.get(2)?, pulled_at: time(row, 3)? };
            Ok((row.get(0)?, replicas))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns what is remembered of addresses that fail.
    pub(crate) fn suspicions(&self) -> Result<HashMap<String, Suspicion>, StoreError> {
        let sql = "SELECT address, since, runs, plain_since, plain_runs, witnessed_since, last_failed_at,
                          finding, detail, is_dead FROM suspicion";
        let owner = |row: &rusqlite::Row<'_>| Ok(Owner::Address(row.get(0)?));
        let rows = self.sound_rows_of("suspicion", sql, [], owner, |row| {
            let word: String = row.get(7)?;
            let suspicion = Suspicion {
                any: Streak { since: time(row, 1)?, runs: row.get(2)? },
                plain: match maybe_time(row, 3)? {
                    Some(since) => Some(Streak { since, runs: row.get(4)? }),
                    None => None,
                },
                witnessed_since: maybe_time(row, 5)?,
                last_failed_at: time(row, 6)?,
                probe: Probe {
                    finding: Finding::from_word(&word).ok_or_else(|| unknown(7, &word))?,
                    detail: row.get(8)?,
                },
                is_dead: row.get(9)?,
            };
            Ok((row.get(0)?, suspicion))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns what was removed and may come back.
    pub(crate) fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let sql = "SELECT center, address, service, build, removed_at, was_alive FROM tombstone
                   ORDER BY center, address, service";
        let owner = |row: &rusqlite::Row<'_>| Ok(Owner::Address(row.get(1)?));
        self.sound_rows_of("tombstone", sql, [], owner, |row| {
            Ok(Tombstone {
                center: row.get(0)?,
                address: row.get(1)?,
                service: row.get(2)?,
                build: row.get::<_, Option<Vec<u8>>>(3)?.and_then(|bytes| Fingerprint::from_bytes(&bytes)),
                removed_at: time(row, 4)?,
                was_alive: row.get(5)?,
            })
        })
    }

    /// Returns the structures of the build that a key shows; none where it shows none.
    pub(crate) fn shown(&self, key: &Key) -> Result<Vec<StructureId>, StoreError> {
        let sql = "SELECT DISTINCT cover_key.id, structure_id FROM cover_key
                   JOIN edition ON edition.key_id = cover_key.id AND edition.status = 'current'
                   JOIN generation ON generation.edition_id = edition.id
                   WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4";
        let bound = params![key.env, key.region, key.app, key.commit];
        self.sound_rows_of("generation", sql, bound, key_owner, |row| row.get(1))
    }

    /// Returns what an address, in its normal form, served under a name when it was last pulled.
    pub(crate) fn last_build(&self, service: &str, address: &str) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT service.id, structure.fingerprint FROM generation
                   JOIN edition ON edition.id = generation.edition_id
                   JOIN service ON service.key_id = edition.key_id
                   JOIN structure ON structure.id = generation.structure_id
                   WHERE service.name = ?1 AND generation.address = ?2 AND generation.closed_at IS NULL
                   ORDER BY generation.id DESC LIMIT 1";
        let owner = |row: &rusqlite::Row<'_>| row.get(0).map(Owner::Service);
        let read = |row: &rusqlite::Row<'_>| fingerprint(row, 1);
        Ok(self.sound_rows_of("structure", sql, params![service, address], owner, read)?.pop())
    }

    /// Returns the keys of which all data was dropped.
    pub(crate) fn dropped_keys(&self) -> Result<BTreeSet<KeyId>, StoreError> {
        let sql = "SELECT id FROM cover_key WHERE dropped_at IS NOT NULL";
        Ok(self.rows_of("cover_key", sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// Returns how many bytes the counters of a build group take up.
    pub(crate) fn build_group_bytes(&self, build_group: BuildGroupId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(length(counts)), 0) FROM generation WHERE edition_id = ?1";
        Ok(self.rows_of("generation", sql, [build_group], |row| row.get(0))?.pop().unwrap_or(0))
    }

    /// Returns how many bytes the counters of a key take up.
    pub(crate) fn key_bytes(&self, key: KeyId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(length(counts)), 0) FROM generation
                   JOIN edition ON edition.id = edition_id WHERE key_id = ?1";
        Ok(self.rows_of("generation", sql, [key], |row| row.get(0))?.pop().unwrap_or(0))
    }

    /// Returns the build groups of a key, the oldest first.
    pub(crate) fn build_groups(&self, key: KeyId) -> Result<Vec<BuildGroup>, StoreError> {
        let sql = "SELECT id, status FROM edition WHERE key_id = ?1 ORDER BY id";
        let mut build_groups = self.rows_of("edition", sql, [key], |row| {
            let word: String = row.get(1)?;
            let status = BuildGroupStatus::from_word(&word).ok_or_else(|| unknown(1, &word))?;
            Ok(BuildGroup { id: row.get(0)?, status, structures: Vec::new() })
        })?;
        let sql = "SELECT DISTINCT generation.edition_id, structure.id, structure.fingerprint
                   FROM edition JOIN generation ON generation.edition_id = edition.id
                   JOIN structure ON structure.id = generation.structure_id
                   WHERE edition.key_id = ?1 ORDER BY structure.id";
        let members = self.rows_of("structure", sql, [key], |row| {
            Ok((row.get::<_, BuildGroupId>(0)?, row.get::<_, StructureId>(1)?, fingerprint(row, 2)?))
        })?;
        for (build_group, structure, fingerprint) in members {
            if let Some(build_group) = build_groups.iter_mut().find(|known| known.id == build_group) {
                build_group.structures.push((structure, fingerprint));
            }
        }
        Ok(build_groups)
    }

    /// Returns the generations of a key, the oldest first, without their counters.
    pub(crate) fn generations(&self, key: KeyId) -> Result<Vec<Generation>, StoreError> {
        let sql =
            "SELECT generation.id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at
                   FROM generation JOIN edition ON edition.id = generation.edition_id
                   WHERE edition.key_id = ?1 ORDER BY generation.id";
        self.generations_of(sql, [key])
    }

    /// Returns generations that were closed before `until`, at most `limit`, those that fold together in
    /// one sequence.
    pub(crate) fn closed_before(
        &self,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Generation>, StoreError> {
        let sql = "SELECT id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at
                   FROM generation WHERE address IS NOT NULL AND closed_at < ?1
                   ORDER BY edition_id, structure_id, id LIMIT ?2";
        let owner = |row: &rusqlite::Row<'_>| row.get(1).map(Owner::BuildGroup);
        let mut damaged = Vec::new();
        let read = reading_generations(&mut damaged);
        let generations = self.sound_rows_of("generation", sql, params![iso(until), limit], owner, read)?;
        self.note_all(damaged)?;
        Ok(generations)
    }

    /// Returns the sum into which closed generations of a build were folded, if there is one.
    pub(crate) fn folded(
        &self,
        build_group: BuildGroupId,
        structure: StructureId,
    ) -> Result<Option<Generation>, StoreError> {
        let sql = "SELECT id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at
                   FROM generation WHERE edition_id = ?1 AND structure_id = ?2 AND address IS NULL";
        Ok(self.generations_of(sql, params![build_group, structure])?.pop())
    }

    /// Returns the counters of a generation whose build has so many blocks; `None` if it was folded meanwhile.
    pub(crate) fn counts(
        &self,
        generation: GenerationId,
        blocks: usize,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let sql = "SELECT counts FROM generation WHERE id = ?1";
        let stored: Option<Vec<u8>> = self.rows_of("generation", sql, [generation], |row| row.get(0))?.pop();
        let damaged = |error| {
            let id = generation.0;
            self.damaged(format!(
                "table generation, column counts of id {id}: {error}; put back a copy of the database, or give up what \
                 that process counted alone: sqlite3 FILE \"DELETE FROM generation WHERE id = {id}\""
            ))
        };
        stored.map(|counts| decode_counts(&counts, blocks).map_err(damaged)).transpose()
    }

    /// Returns what the last answer of a generation looked like, where the counters stored are all it said.
    pub(crate) fn last_answer(&self, generation: GenerationId) -> Result<Option<LastAnswer>, StoreError> {
        let sql = "SELECT edition_id, fraction, imprint FROM last_answer
                   JOIN generation ON generation.id = generation_id WHERE generation_id = ?1";
        let owner = |row: &rusqlite::Row<'_>| row.get(0).map(Owner::BuildGroup);
        let answer =
            |row: &rusqlite::Row<'_>| Ok(LastAnswer { fraction: row.get(1)?, answer_digest: row.get(2)? });
        Ok(self.sound_rows_of("last_answer", sql, [generation], owner, answer)?.pop())
    }

    /// Tells whether a snapshot was taken in.
    pub(crate) fn is_taken(&self, snapshot: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM snapshot WHERE identity = ?1";
        Ok(!self.rows_of("snapshot", sql, [snapshot], |row| row.get::<_, i64>(0))?.is_empty())
    }

    /// Returns a block structure, ready to read answers with.
    pub(crate) fn structure(&self, structure: StructureId) -> Result<Template, StoreError> {
        let sql = "SELECT data FROM structure WHERE id = ?1";
        let data: Option<Vec<u8>> = self.rows_of("structure", sql, [structure], |row| row.get(0))?.pop();
        let data = data.ok_or_else(|| self.damaged(format!("table structure: no id {}", structure.0)))?;
        decode_build(&data).map_err(|error| {
            self.damaged(format!("table structure, column data of id {}: {error}", structure.0))
        })
    }

    /// Returns all structures by fingerprint.
    pub(crate) fn structures(&self) -> Result<Structures, StoreError> {
        let sql = "SELECT id, fingerprint FROM structure";
        let owner = |row: &rusqlite::Row<'_>| row.get(0).map(Owner::Structure);
        let read = |row: &rusqlite::Row<'_>| Ok((fingerprint(row, 1)?, row.get(0)?));
        Ok(self.sound_rows_of("structure", sql, [], owner, read)?.into_iter().collect())
    }

    /// Returns the last number of each app's profiles, by folder.
    pub(crate) fn app_numbers(&self) -> Result<HashMap<String, u64>, StoreError> {
        let sql = "SELECT app_name, folder, last_number FROM app";
        let owner = |row: &rusqlite::Row<'_>| row.get(0).map(Owner::App);
        let rows = self.sound_rows_of("app", sql, [], owner, |row| {
            let number: i64 = row.get(2)?;
            let sound = u64::try_from(number).ok().filter(|number| *number <= HIGHEST_NUMBER);
            Ok((row.get(1)?, sound.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, number))?))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns rows of the public table, the newest last.
    pub(crate) fn rows(&self, filter: &RowFilter<'_>) -> Result<Vec<Row>, StoreError> {
        let any = Key::default();
        let key = filter.key.unwrap_or(&any);
        let sql = "SELECT cover.id, cover.created_at, env, region, app_name, addresses,
                          git_branch, git_commit, is_latest, cov_file_path, cover_total,
                          edition_id, covered, total, covered_digest, counts_digest, answered, listed,
                          deleted_at
                   FROM goc_o_staging_service_cover AS cover LEFT JOIN cover_fact ON row_id = cover.id
                   WHERE (?7 OR deleted_at IS NULL) AND (NOT ?1 OR is_latest = 'y')
                     AND (NOT ?2 OR (env = ?3 AND region = ?4 AND app_name = ?5 AND git_commit = ?6))
                   ORDER BY cover.id";
        let bound = params![
            filter.latest_only,
            filter.key.is_some(),
            key.env,
            key.region,
            key.app,
            key.commit,
            filter.with_dropped,
        ];
        self.sound_rows_of(PUBLIC_TABLE, sql, bound, row_owner, public_row)
    }

    /// Returns the newest row of a key.
    pub(crate) fn latest(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let sql = "SELECT cover.id, cover.created_at, env, region, app_name, addresses,
                          git_branch, git_commit, is_latest, cov_file_path, cover_total,
                          edition_id, covered, total, covered_digest, counts_digest, answered, listed,
                          deleted_at
                   FROM goc_o_staging_service_cover AS cover LEFT JOIN cover_fact ON row_id = cover.id
                   WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4
                     AND is_latest = 'y' AND deleted_at IS NULL";
        let bound = params![key.env, key.region, key.app, key.commit];
        Ok(self.sound_rows_of(PUBLIC_TABLE, sql, bound, row_owner, public_row)?.pop())
    }

    /// Returns every stored file that a row names.
    pub(crate) fn row_files(&self) -> Result<RowFiles, StoreError> {
        let sql = "SELECT id, cov_file_path, deleted_at IS NULL FROM goc_o_staging_service_cover";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
        let rows = self.sound_rows_of(PUBLIC_TABLE, sql, [], row_owner, read)?;
        let mut files = RowFiles::default();
        for (path, is_kept) in rows {
            if is_kept { &mut files.kept } else { &mut files.dropped }.insert(path);
        }
        Ok(files)
    }

    /// Returns the files of the latest rows, of which this program knows what is in them.
    pub(crate) fn latest_files(&self) -> Result<Vec<LatestFile>, StoreError> {
        let sql = "SELECT cover.id, cover_key.id,
                          (SELECT name FROM service WHERE key_id = cover_key.id ORDER BY name LIMIT 1),
                          edition_id, cov_file_path, file_bytes, covered_digest, counts_digest
                   FROM goc_o_staging_service_cover AS cover
                   JOIN cover_fact ON row_id = cover.id
                   JOIN cover_key USING (env, region, app_name, git_commit)
                   WHERE is_latest = 'y' AND deleted_at IS NULL ORDER BY cover.id";
        self.sound_rows_of("cover_fact", sql, [], row_owner, |row| {
            Ok(LatestFile {
                row: row.get(0)?,
                key: row.get(1)?,
                service: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                build_group: row.get(3)?,
                path: row.get(4)?,
                bytes: row.get(5)?,
                covered_digest: fingerprint(row, 6)?,
                counts_digest: fingerprint(row, 7)?,
            })
        })
    }

    /// Returns the id of a key; `None` where it is not known.
    pub(crate) fn key_id(&self, key: &Key) -> Result<Option<KeyId>, StoreError> {
        let sql =
            "SELECT id FROM cover_key WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4";
        Ok(self
            .rows_of("cover_key", sql, params![key.env, key.region, key.app, key.commit], |row| row.get(0))?
            .pop())
    }

    /// Returns the latest time that the last run is known to have seen.
    pub(crate) fn last_run_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT max(started_at, coalesce(ended_at, started_at)) AS started_at FROM run ORDER BY id DESC LIMIT 1";
        Ok(self.sound_rows_of("run", sql, [], |_| Ok(Owner::Nobody), |row| time(row, 0))?.pop())
    }

    /// Returns the jumps of the clock.
    pub(crate) fn clock_jumps(&self) -> Result<Vec<Jump>, StoreError> {
        let sql = "SELECT went_to, came_from FROM clock_jump";
        let read = |row: &rusqlite::Row<'_>| Ok(Jump { to: time(row, 0)?, from: time(row, 1)? });
        self.sound_rows_of("clock_jump", sql, [], |_| Ok(Owner::Nobody), read)
    }

    /// Returns the last generation that was stored before the clock last went back.
    pub(crate) fn last_before_jump(&self) -> Result<Option<GenerationId>, StoreError> {
        let sql = "SELECT last_generation FROM clock_jump ORDER BY last_generation DESC LIMIT 1";
        Ok(self.sound_rows_of("clock_jump", sql, [], |_| Ok(Owner::Nobody), |row| row.get(0))?.pop())
    }

    /// Tells whether the last run came to its end; also true where none was made.
    pub(crate) fn last_run_ended(&self) -> Result<bool, StoreError> {
        self.connection
            .query_row("SELECT ended_at IS NOT NULL FROM run ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
            .optional()
            .map(|ended| ended.unwrap_or(true))
            .map_err(self.failed())
    }

    /// Returns the largest id of a table below [`HIGHEST_ID`].
    pub(super) fn last_id(&self, table: &'static str) -> Result<i64, StoreError> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table} WHERE id < ?1");
        self.connection.query_row(&sql, [HIGHEST_ID], |row| row.get(0)).map_err(self.failed())
    }

    fn generations_of(&self, sql: &str, bound: impl rusqlite::Params) -> Result<Vec<Generation>, StoreError> {
        let mut damaged = Vec::new();
        let generations = self.rows_of("generation", sql, bound, reading_generations(&mut damaged))?;
        self.note_all(damaged)?;
        Ok(generations)
    }

    /// Reads rows that belong together: a value that cannot be read costs all of them.
    fn rows_of<T>(
        &self,
        table: &str,
        sql: &str,
        bound: impl rusqlite::Params,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = self.failed();
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement.query(bound).map_err(&failed)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            all.push(read(row).map_err(|error| match is_of_value(&error) {
                true => self.damaged(described(table, row, &error)),
                false => failed(error),
            })?);
        }
        Ok(all)
    }
}

/// End of the ids that are handed out. Beyond it a damaged or foreign id would leave none behind it.
pub(super) const HIGHEST_ID: i64 = 1 << 53;

/// The name of the public table.
const PUBLIC_TABLE: &str = "goc_o_staging_service_cover";

fn key_owner(row: &rusqlite::Row<'_>) -> rusqlite::Result<Owner> {
    row.get(0).map(Owner::Key)
}

fn row_owner(row: &rusqlite::Row<'_>) -> rusqlite::Result<Owner> {
    row.get(0).map(Owner::Row)
}

fn schedule_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let schedule = Schedule {
        step: row.get(1)?,
        last_pull: maybe_time(row, 2)?,
        next_due: maybe_time(row, 3)?,
        addresses: strings(row, 4)?,
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

fn public_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let stats = match row.get::<_, Option<BuildGroupId>>(11)? {
        Some(build_group) => Some(RowStats {
            build_group,
            coverage: Coverage { covered: row.get(12)?, total: row.get(13)? },
            covered_digest: fingerprint(row, 14)?,
            counts_digest: fingerprint(row, 15)?,
            answered: row.get(16)?,
            listed: row.get(17)?,
        }),
        None => None,
    };
    let addresses: String = row.get(5)?;
    Ok(Row {
        id: row.get(0)?,
        created_at: time(row, 1)?,
        key: Key { env: row.get(2)?, region: row.get(3)?, app: row.get(4)?, commit: row.get(7)? },
        addresses: addresses.split(',').filter(|address| !address.is_empty()).map(str::to_owned).collect(),
        branch: row.get(6)?,
        is_latest: row.get::<_, String>(8)? == "y",
        cov_file_path: row.get(9)?,
        cover_total: row.get(10)?,
        stats,
        deleted_at: maybe_time(row, 18)?,
    })
}

/// Returns what reads generations, and notes what stands in for a time that cannot be read.
fn reading_generations(
    damaged: &mut Vec<(Owner, String)>,
) -> impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<Generation> {
    |row| {
        let build_group = row.get(1)?;
        generation(row, |error| {
            damaged.push((Owner::BuildGroup(build_group), described("generation", row, error)));
        })
    }
}

/// Reads a generation. Its counters must not be lost for a time that cannot be read, so another stands in for that,
/// and `damaged` is called.
pub(super) fn generation(
    row: &rusqlite::Row<'_>,
    mut damaged: impl FnMut(&rusqlite::Error),
) -> rusqlite::Result<Generation> {
    let mut lenient = |time: rusqlite::Result<DateTime<Utc>>| match time {
        Err(error) if is_of_value(&error) => {
            damaged(&error);
            Ok(None)
        }
        time => time.map(Some),
    };
    let (opened_at, pulled_at) = (lenient(time(row, 5))?, lenient(time(row, 6))?);
    let known = opened_at.or(pulled_at).unwrap_or(DateTime::UNIX_EPOCH);
    let closed_at = match maybe_time(row, 7) {
        Ok(closed_at) => closed_at,
        Err(error) => Some(lenient(Err(error))?.unwrap_or(pulled_at.unwrap_or(known))),
    };
    Ok(Generation {
        id: row.get(0)?,
        build_group: row.get(1)?,
        structure: row.get(2)?,
        address: row.get(3)?,
        mode: Mode::from_word(&row.get::<_, String>(4)?),
        opened_at: opened_at.unwrap_or(known),
        pulled_at: pulled_at.unwrap_or(known),
        closed_at,
    })
}

pub(super) fn time(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let stored: String = row.get(column)?;
    DateTime::parse_from_rfc3339(&stored)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|_| unknown(column, &stored))
}

fn maybe_time(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => time(row, column).map(Some),
    }
}

fn fingerprint(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Fingerprint> {
    let bytes: Vec<u8> = row.get(column)?;
    Fingerprint::from_bytes(&bytes).ok_or_else(|| unknown(column, "fingerprint"))
}

fn unknown(column: usize, found: &str) -> rusqlite::Error {
    let what = format!("unexpected {found:?}");
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}

fn strings(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let stored: String = row.get(column)?;
    serde_json::from_str(&stored).map_err(|_| unknown(column, &stored))
}
