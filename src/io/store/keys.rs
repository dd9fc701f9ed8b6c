//! Keys, service names, and the centers that list their addresses.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::damage::{ValueOwner, described, is_of_value};
use super::reading::{maybe_time, time};
use super::{Store, StoreError, Writer};
use crate::fleet::completion::KnownName;
use crate::fleet::ids::{BuildGroupId, KeyId, ServiceId};
use crate::fleet::records::{AskedCenter, Key, ListedAddress, Lister, StoredService};
use crate::fleet::targets::ServiceFields;
use crate::time::iso;

impl Store {
    /// Returns all keys; `None` for a key that cannot be read.
    pub(crate) fn keys(&self) -> Result<Vec<(KeyId, Option<Key>)>, StoreError> {
        let sql = "SELECT id, env, region, app_name, git_commit FROM cover_key ORDER BY id";
        let mut damaged = Vec::new();
        let keys = self.query_all("cover_key", sql, [], |row| {
            let id = row.get(0)?;
            let sound =
                || Ok(Key { env: row.get(1)?, region: row.get(2)?, app: row.get(3)?, commit: row.get(4)? });
            match sound() {
                Err(error) if is_of_value(&error) => {
                    damaged.push((ValueOwner::Key(id), described("cover_key", row, &error)));
                    Ok((id, None))
                }
                key => Ok((id, Some(key?))),
            }
        })?;
        self.note_all(damaged)?;
        Ok(keys)
    }

    /// Returns all names that can be read, sorted.
    pub(crate) fn services(&self) -> Result<Vec<StoredService>, StoreError> {
        let sql = "SELECT id, name, key_id, git_branch, has_fields FROM service ORDER BY name";
        let mut damaged = Vec::new();
        let services = self.query_all("service", sql, [], |row| {
            let id = row.get(0)?;
            let has_fields = row.get(4).unwrap_or(false);
            let sound = || {
                let place = Some((row.get(2)?, row.get(3)?));
                Ok(StoredService { id, name: row.get(1)?, has_fields: row.get(4)?, place })
            };
            match sound() {
                Ok(service) => Ok(Some(service)),
                Err(error) if is_of_value(&error) => {
                    // The damage is reported with all names of its key.
                    let owner = row.get(2).map_or(ValueOwner::Service(id), ValueOwner::Key);
                    damaged.push((owner, described("service", row, &error)));
                    // The other values can be restored from the name.
                    Ok(row.get(1).ok().map(|name| StoredService { id, name, has_fields, place: None }))
                }
                Err(error) => Err(error),
            }
        })?;
        self.note_all(damaged)?;
        Ok(services.into_iter().flatten().collect())
    }

    /// Returns the names of which the app or the name itself begins with `word`. Damaged names are left out.
    pub(crate) fn names_beginning_with(&self, word: &str) -> Result<Vec<KnownName>, StoreError> {
        // A name with fields is stored in another form than it is shown.
        let sql = "SELECT name, has_fields, env, region, app_name, git_branch, key_id,
                          EXISTS (SELECT 1 FROM listing WHERE service_id = service.id AND unlisted_at IS NULL)
                          OR EXISTS (SELECT 1 FROM target WHERE service_id = service.id AND unlisted_at IS NULL),
                          (SELECT last_change_at FROM schedule WHERE schedule.key_id = service.key_id)
                   FROM service JOIN cover_key ON cover_key.id = key_id
                   WHERE has_fields OR substr(app_name, 1, length(?1)) = ?1 OR substr(name, 1, length(?1)) = ?1";
        self.query_readable(
            "service",
            sql,
            [word],
            |_| Ok(ValueOwner::Nobody),
            |row| {
                let stored: String = row.get(0)?;
                let shown = row.get::<_, bool>(1)?.then(|| ServiceFields::from_stored(&stored)).flatten();
                Ok(KnownName {
                    name: shown.map_or(stored, |fields| fields.to_string()),
                    env: row.get(2)?,
                    region: row.get(3)?,
                    app: row.get(4)?,
                    branch: row.get(5)?,
                    key: row.get(6)?,
                    runs: row.get(7)?,
                    changed_at: row.get(8)?,
                })
            },
        )
    }

    /// Returns the addresses that are or were listed under any name, in the order in which they were listed.
    pub(crate) fn listings(&self) -> Result<Vec<ListedAddress>, StoreError> {
        let sql = "SELECT service_id, address, center, listed_at, unlisted_at FROM listing
                   ORDER BY service_id, position, address";
        let owner = |row: &Row<'_>| Ok(ValueOwner::Service(row.get(0)?));
        // There are few centers, and many addresses of each.
        let mut listers: HashMap<Arc<str>, Lister> = HashMap::new();
        self.query_readable("listing", sql, [], owner, |row| {
            let unlisted_at = maybe_time(row, 4)?;
            let center: Arc<str> = row.get(2)?;
            let lister = listers.entry(Arc::clone(&center)).or_insert(Lister::Center(center)).clone();
            Ok(ListedAddress {
                service: row.get(0)?,
                address: row.get(1)?,
                lister,
                facts: None,
                listed_at: time(row, 3)?,
                listed: unlisted_at.is_none(),
                unlisted_at,
            })
        })
    }

    /// Returns the time of each center's last answer, by URL.
    pub(crate) fn centers(&self) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        let sql = "SELECT url, last_listed_at FROM center";
        let read = |row: &Row<'_>| Ok((row.get(0)?, time(row, 1)?));
        Ok(self.query_readable("center", sql, [], |_| Ok(ValueOwner::Nobody), read)?.into_iter().collect())
    }

    /// Returns the centers that pulls without names asked, by URL.
    pub(crate) fn asked_centers(&self) -> Result<HashMap<String, AskedCenter>, StoreError> {
        let sql = "SELECT url, asked_at, is_latest FROM asked_center";
        let rows = self.query_readable(
            "asked_center",
            sql,
            [],
            |_| Ok(ValueOwner::Nobody),
            |row| Ok((row.get(0)?, AskedCenter { asked_at: time(row, 1)?, is_latest: row.get(2)? })),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Returns the keys whose data was deleted.
    pub(crate) fn dropped_keys(&self) -> Result<BTreeSet<KeyId>, StoreError> {
        let sql = "SELECT id FROM cover_key WHERE dropped_at IS NOT NULL";
        Ok(self.query_all("cover_key", sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// Returns the id of a key; `None` for an unknown key.
    pub(crate) fn key_id(&self, key: &Key) -> Result<Option<KeyId>, StoreError> {
        let sql =
            "SELECT id FROM cover_key WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4";
        Ok(self
            .query_all("cover_key", sql, params![key.env, key.region, key.app, key.commit], |row| row.get(0))?
            .pop())
    }
}

/// Returns a stored name for a message: that of a target's fields as it is shown elsewhere.
pub(super) fn shown_name(stored: String) -> String {
    match ServiceFields::from_stored(&stored) {
        Some(fields) => fields.to_string(),
        None => stored,
    }
}

impl Writer<'_> {
    pub(super) fn insert_key(&self, id: KeyId, key: &Key) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO cover_key (id, env, region, app_name, git_commit) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, key.env, key.region, key.app, key.commit],
        )
    }

    pub(super) fn mend_key(&self, id: KeyId, key: &Key) -> rusqlite::Result<()> {
        self.run(
            "UPDATE cover_key SET env = ?2, region = ?3, app_name = ?4, git_commit = ?5 WHERE id = ?1",
            params![id, key.env, key.region, key.app, key.commit],
        )
    }

    pub(super) fn upsert_service(
        &self,
        (id, name): (ServiceId, &str),
        key: KeyId,
        branch: &str,
        has_fields: bool,
        seen_at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO service (id, name, key_id, git_branch, has_fields, first_seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, git_branch = excluded.git_branch,
                     has_fields = excluded.has_fields",
            params![id, name, key, branch, has_fields, iso(seen_at)],
        )
    }

    /// Replaces the centers that the latest pull without names asked.
    pub(super) fn set_asked_centers(&self, urls: &[String], at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("UPDATE asked_center SET is_latest = 0 WHERE is_latest", params![])?;
        urls.iter().try_for_each(|url| {
            self.run(
                "INSERT OR REPLACE INTO asked_center (url, asked_at, is_latest) VALUES (?1, ?2, 1)",
                params![url, iso(at)],
            )
        })
    }

    pub(super) fn set_center_listed(&self, url: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO center (url, last_listed_at) VALUES (?1, ?2)
                 ON CONFLICT (url) DO UPDATE SET last_listed_at = excluded.last_listed_at",
            params![url, iso(at)],
        )
    }

    pub(super) fn upsert_listing(
        &self,
        service: ServiceId,
        address: &str,
        center: &str,
        position: usize,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO listing (service_id, address, center, position, listed_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (service_id, address) DO UPDATE SET center = excluded.center,
                     position = excluded.position, listed_at = excluded.listed_at, unlisted_at = NULL",
            params![service, address, center, position, iso(at)],
        )
    }

    pub(super) fn end_listing(
        &self,
        service: ServiceId,
        address: &str,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE listing SET unlisted_at = ?3 WHERE service_id = ?1 AND address = ?2",
            params![service, address, iso(at)],
        )
    }

    /// Deletes addresses that were last listed before. The last one of a service stays, because it tells when the service
    /// was listed.
    pub(super) fn delete_listings(&self, before: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM listing AS old WHERE unlisted_at < ?1 AND EXISTS (
                 SELECT 1 FROM listing AS other WHERE other.service_id = old.service_id
                     AND (other.unlisted_at IS NULL
                          OR (other.unlisted_at, other.address) > (old.unlisted_at, old.address)))",
            params![iso(before)],
        )
    }

    /// Deletes all data of a key. Its rows stay and are marked as deleted.
    pub(super) fn drop_key(&self, key: KeyId, at: DateTime<Utc>) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let at = iso(at);
        let sql = "UPDATE goc_o_staging_service_cover SET deleted_at = ?2, updated_at = ?2
                   WHERE deleted_at IS NULL AND (env, region, app_name, git_commit) =
                       (SELECT env, region, app_name, git_commit FROM cover_key WHERE id = ?1)";
        connection.prepare_cached(sql)?.execute(params![key, at])?;
        let sql = "DELETE FROM mark WHERE row_id IN
                       (SELECT cover.id FROM goc_o_staging_service_cover AS cover
                        JOIN cover_key USING (env, region, app_name, git_commit) WHERE cover_key.id = ?1)";
        connection.prepare_cached(sql)?.execute([key])?;
        let build_groups: Vec<BuildGroupId> = connection
            .prepare_cached("SELECT id FROM edition WHERE key_id = ?1")?
            .query_map([key], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for build_group in build_groups {
            self.drop_build_group(build_group)?;
        }
        // The schedule goes, too, so that a key that comes back is pulled like a new one.
        connection.prepare_cached("DELETE FROM schedule WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM election WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM address WHERE key_id = ?1")?.execute([key])?;
        connection.prepare_cached("DELETE FROM replicas WHERE key_id = ?1")?.execute([key])?;
        let sql = "UPDATE cover_key SET dropped_at = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![key, at])?;
        Ok(())
    }

    /// Removes a key and its names, unless it ever had stored data.
    pub(super) fn forget_key(&self, key: KeyId) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        // The state that the caller read may be old: data may have come in meanwhile, and rows of a deleted key stay.
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
            "DELETE FROM target WHERE service_id IN (SELECT id FROM service WHERE key_id = ?1)",
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
}
