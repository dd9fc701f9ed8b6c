//! The ids in SQLite.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::numbers::{Numbering, ProfileNumbers};
use super::{Store, StoreError};
use crate::fleet::assembly::StoredFleet;
use crate::fleet::ids::{BuildGroupId, HighestIds, IdSource, KeyId, LifeId, RowId, ServiceId, StructureId};

macro_rules! stored_as_integers {
    ($($name:ident),* $(,)?) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map(Self)
            }
        }
    )*};
}

stored_as_integers!(KeyId, ServiceId, StructureId, BuildGroupId, LifeId, RowId);

/// Limit of new ids. Without it a damaged or foreign row with a very high id would leave no ids.
pub(super) const HIGHEST_ID: i64 = 1 << 53;

impl Store {
    /// Returns the numbers of new records.
    pub(crate) fn numbering(&self) -> Result<Numbering, StoreError> {
        Ok(Numbering {
            ids: IdSource::after(HighestIds {
                key: self.last_id("cover_key")?,
                service: self.last_id("service")?,
                structure: self.last_id("structure")?,
                build_group: self.last_id("edition")?,
                life: self.last_id("generation")?,
            }),
            profiles: ProfileNumbers::after(self.app_numbers()?),
        })
    }

    /// Reads all that is known of keys, names and addresses.
    pub(crate) fn known_fleet(&self) -> Result<StoredFleet, StoreError> {
        Ok(StoredFleet {
            keys: self.keys()?,
            services: self.services()?,
            listings: self.listings()?.into_iter().chain(self.targets()?).collect(),
            centers: self.centers()?,
            asked: self.asked_centers()?,
            sources: self.target_sources()?,
            schedules: self.schedules()?,
            replicas: self.replicas()?,
            states: self.addresses()?,
            coverport: self.coverport_addresses()?,
        })
    }

    /// Returns the largest id of a table below [`HIGHEST_ID`].
    pub(super) fn last_id(&self, table: &'static str) -> Result<i64, StoreError> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table} WHERE id < ?1");
        self.connection.query_row(&sql, [HIGHEST_ID], |row| row.get(0)).map_err(self.failed())
    }
}
