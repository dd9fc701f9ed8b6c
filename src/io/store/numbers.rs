//! The numbers of new records: ids, and numbers of profiles.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::fleet::ids::IdSource;
use crate::fleet::retention::HIGHEST_NUMBER;
use crate::parallel::lock;

/// The numbers of new records, which go on after the stored ones.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    pub(crate) ids: IdSource,
    pub(crate) profiles: ProfileNumbers,
}

/// The source of new numbers of profiles for the threads of the process that holds the lock.
#[derive(Debug, Default)]
pub(crate) struct ProfileNumbers(Mutex<Numbers>);

impl ProfileNumbers {
    /// Creates a source that continues after the last number of each app.
    #[must_use]
    pub(crate) fn after(last: HashMap<String, u64>) -> Self {
        Self(Mutex::new(Numbers { last, compared: HashSet::new() }))
    }

    /// Returns the number of the next profile of an app; `None` if none is left. No number is used twice.
    ///
    /// Numbers also continue after the highest stored file, because an older database may have been restored. `stored`
    /// returns that number, and is called once for each folder.
    pub(crate) fn next<E>(
        &self,
        app_folder: &str,
        stored: impl FnOnce() -> Result<u64, E>,
    ) -> Result<Option<u64>, E> {
        let mut numbers = lock(&self.0);
        let Numbers { last, compared } = &mut *numbers;
        let last = last.entry(app_folder.to_owned()).or_default();
        if !compared.contains(app_folder) {
            *last = (*last).max(stored()?);
            compared.insert(app_folder.to_owned());
        }
        if *last >= HIGHEST_NUMBER {
            return Ok(None);
        }
        *last += 1;
        Ok(Some(*last))
    }
}

/// The numbers of profiles that were used.
#[derive(Debug, Default)]
struct Numbers {
    /// The last number of each folder.
    last: HashMap<String, u64>,
    /// Folders whose last number was compared with the stored files.
    compared: HashSet<String>,
}
