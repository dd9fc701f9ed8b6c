//! Reads the services that are known, and asks the centers for those that are there.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::address::normal_form;
use crate::fleet::assembly::{CenterAnswer, Fleet, KnownFleet};
use crate::fleet::center_list::CenterList;
use crate::fleet::ids::{HighestIds, IdSource};
use crate::io::center::Client;
use crate::io::store::{Store, StoreError};
use crate::io::workdir::Workdir;
use crate::names::Naming;

/// Asks each center what it lists. One that lists more than the limits let through did not answer.
#[must_use]
pub(crate) fn ask(client: &Client, centers: &[String]) -> Vec<CenterAnswer> {
    let whole = |services| CenterList { services, cut: None };
    let of = |url: &String| CenterAnswer {
        url: normal_form(url),
        answer: Some(client.list(url).map(whole).map_err(|error| error.to_string())),
    };
    centers.iter().map(of).collect()
}

/// Asks each center what it lists, known names first where that is beyond the limits, for as long as there is time.
#[must_use]
pub(crate) fn ask_known_first(
    client: &Client,
    centers: &[String],
    known: &KnownFleet,
    time_left: impl Fn() -> Option<Duration>,
) -> Vec<CenterAnswer> {
    let of = |url: &String| {
        let answer = client.list_known_first(url, time_left(), &|name| known.knows(name));
        let answer = answer.map_err(|error| error.to_string());
        CenterAnswer { url: normal_form(url), answer: Some(answer) }
    };
    centers.iter().map(of).collect()
}

/// Reads what a root knows, for a command that changes nothing; nothing where there is no database yet.
pub(crate) fn known_of_root(workdir: &Workdir) -> Result<(KnownFleet, IdSource), StoreError> {
    match Store::open_read_only(&workdir.database()) {
        Ok(store) => Ok((store.known_fleet()?, store.id_source()?)),
        Err(StoreError::Missing { .. }) => {
            Ok((KnownFleet::default(), IdSource::after(HighestIds::default())))
        }
        Err(error) => Err(error),
    }
}

/// Reads the services that are known, without asking any center.
pub(crate) fn stored_fleet(store: &Store, naming: &Naming, now: DateTime<Utc>) -> Result<Fleet, StoreError> {
    let known = store.known_fleet()?;
    let answers = known.without_asking();
    Ok(Fleet::assemble(known, answers, naming, &store.id_source()?, now))
}
