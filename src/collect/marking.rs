//! Marks: names that a person gives to the rows of now.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::{Row, RowFilter};
use crate::io::store::{Store, StoreError};
use crate::names::in_message;

/// The rows that got a mark in a run.
pub(crate) struct MarkedRows<'s> {
    pub(crate) mark: String,
    /// The services that a person named, each with its row; `None` where none was stored.
    pub(crate) services: Vec<(&'s KeyEntry, Option<Row>)>,
}

impl<'s> MarkedRows<'s> {
    /// Reads the rows with a mark that was given in this run.
    pub(crate) fn read(store: &Store, mark: &str, named: &[&'s KeyEntry]) -> Result<Self, StoreError> {
        let mut rows = store.rows(&RowFilter { mark: Some(mark), ..RowFilter::default() })?;
        let mut row_of = |entry: &KeyEntry| {
            let index = rows.iter().position(|row| row.key == entry.key)?;
            Some(rows.swap_remove(index))
        };
        let services = named.iter().map(|&entry| (entry, row_of(entry))).collect();
        Ok(Self { mark: mark.to_owned(), services })
    }

    /// Returns the row of a service that got the mark.
    pub(crate) fn row_of(&self, entry: &KeyEntry) -> Option<&Row> {
        self.services.iter().find(|(named, _)| named.id == entry.id)?.1.as_ref()
    }

    /// Tells whether a service that a person named has no row with the mark.
    pub(crate) fn lacks_any(&self) -> bool {
        self.services.iter().any(|(_, row)| row.is_none())
    }
}

/// Fails if a row of one of these apps has the mark already, at whatever commit and in whatever environment.
pub(crate) fn refuse_used(store: &Store, mark: &str, apps: &BTreeSet<&str>) -> Result<()> {
    let rows = store.rows(&RowFilter { mark: Some(mark), ..RowFilter::default() })?;
    match rows.iter().find(|row| apps.contains(row.key.app.as_str())) {
        None => Ok(()),
        Some(row) => bail!(
            "the mark \"{}\" of {} is used already, by row {}; give another name",
            in_message(mark),
            in_message(&row.key.app),
            row.id.0
        ),
    }
}
