//! Assembles the fleet from the database, from the answers of the centers, and from sources of targets.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::address::normal_form;
use crate::config::{SourceInput, TargetSource};
use crate::fleet::assembly::{Answers, CenterAnswer, SourceAnswer, StoredFleet};
use crate::fleet::center_list::CenterList;
use crate::fleet::services::Fleet;
use crate::fleet::targets::TargetList;
use crate::io::center::Client;
use crate::io::store::{Numbering, Store, StoreError};
use crate::io::targets::{self, SourceBounds};
use crate::io::workdir::Workdir;
use crate::names::Naming;
use crate::parallel::in_parallel;

/// Asks each center for its list. An answer that exceeds the limits counts as a failure.
#[must_use]
pub(crate) fn ask(client: &Client, centers: &[String]) -> Vec<CenterAnswer> {
    let whole = |services| CenterList { services, cut: None };
    let answer_of = |url: &String| CenterAnswer {
        url: normal_form(url),
        answer: Some(client.list(url).map(whole).map_err(|error| error.to_string())),
    };
    centers.iter().map(answer_of).collect()
}

/// Asks each center for its list until the deadline. A list that exceeds the limits is cut, and known names are kept
/// first.
#[must_use]
pub(crate) fn ask_known_first(
    client: &Client,
    centers: &[String],
    known: &StoredFleet,
    time_left: impl Fn() -> Option<Duration>,
) -> Vec<CenterAnswer> {
    let answer_of = |url: &String| {
        let answer = client.list_known_first(url, time_left(), &|name| known.knows(name));
        let answer = answer.map_err(|error| error.to_string());
        CenterAnswer { url: normal_form(url), answer: Some(answer) }
    };
    centers.iter().map(answer_of).collect()
}

/// A source of targets that a run is given.
#[derive(Clone, Debug)]
pub(crate) struct GivenSource {
    pub(crate) source: TargetSource,
    /// Its list, where it was read before the run: standard input is there only once.
    pub(crate) list: Option<Result<TargetList, String>>,
}

impl GivenSource {
    /// Reads those sources that are there only once.
    pub(crate) fn begin(sources: &[TargetSource], bounds: SourceBounds<'_>) -> Vec<Self> {
        let read = |source: &TargetSource| {
            let list = (source.input == SourceInput::Stdin).then(|| read_source(source, bounds));
            Self { source: source.clone(), list }
        };
        sources.iter().map(read).collect()
    }
}

/// Reads the lists of sources side by side, because a source that hangs takes all the time that they have together.
pub(crate) fn read_sources(sources: Vec<GivenSource>, bounds: SourceBounds<'_>) -> Vec<SourceAnswer> {
    const READ_AT_ONCE: usize = 8;
    let read = |given: &GivenSource| given.list.is_none().then(|| read_source(&given.source, bounds));
    // Reading ends by itself at a signal and at the deadline.
    let lists = in_parallel(&sources, READ_AT_ONCE, read, || false, || ());
    let answer = |(GivenSource { source, list }, read): (GivenSource, Option<Option<_>>)| SourceAnswer {
        name: source.name,
        answer: list.or(read.flatten()),
    };
    sources.into_iter().zip(lists).map(answer).collect()
}

fn read_source(source: &TargetSource, bounds: SourceBounds<'_>) -> Result<TargetList, String> {
    targets::list(source, bounds).map_err(|error| error.to_string())
}

/// Opens the database for reading; `None` when the root has none yet.
pub(crate) fn open_reader(workdir: &Workdir) -> Result<Option<Store>, StoreError> {
    match Store::open_read_only(&workdir.database()) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The stored part of a fleet, and the rules by which its names are read.
#[derive(Clone, Copy)]
pub(crate) struct FleetSource<'a> {
    /// The database; `None` when there is none yet.
    pub(crate) store: Option<&'a Store>,
    pub(crate) naming: &'a Naming,
    /// Start of the run.
    pub(crate) now: DateTime<Utc>,
}

impl FleetSource<'_> {
    /// Lays the answers that `ask` returns over the stored services. The numbers go on after those that the fleet was
    /// given.
    pub(crate) fn assemble(
        &self,
        ask: impl FnOnce(&StoredFleet) -> Answers,
    ) -> Result<(Fleet, Numbering), StoreError> {
        let (known, numbering) = match self.store {
            // Only a pull numbers profiles, but every command names a damaged number.
            Some(store) => (store.known_fleet()?, store.numbering()?),
            None => Default::default(),
        };
        let answers = ask(&known);
        let fleet = Fleet::assemble(known, answers, self.naming, &numbering.ids, self.now);
        Ok((fleet, numbering))
    }
}

/// Assembles the fleet from the database alone.
pub(crate) fn stored_fleet(store: &Store, naming: &Naming, now: DateTime<Utc>) -> Result<Fleet, StoreError> {
    let source = FleetSource { store: Some(store), naming, now };
    Ok(source.assemble(StoredFleet::without_asking)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::targets::ServiceTemplate;
    use crate::io::clock::Deadline;
    use crate::io::signals::Signals;

    #[test]
    fn a_source_that_waits_does_not_keep_the_next_one_waiting() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("pipe");
        #[expect(clippy::disallowed_methods, reason = "a pipe of a test")]
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let given = |name: &str, script: String| {
            let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
            let input = SourceInput::Command { command, folder: "/".into() };
            let (deadline, template) = (Duration::from_secs(20), ServiceTemplate::default());
            let source = TargetSource { name: name.to_owned(), input, deadline, template };
            GivenSource { source, list: None }
        };
        // The first one has nothing to print before the second one has written to the pipe.
        let sources = vec![
            given("first", format!("cat {}", pipe.display())),
            given("second", format!(r#"echo '[{{"targets": ["a"]}}]' > {}; echo '[]'"#, pipe.display())),
        ];
        let bounds = SourceBounds { deadline: Deadline::NONE, signals: &Signals::default(), max_targets: 10 };
        let targets: Vec<_> = read_sources(sources, bounds)
            .into_iter()
            .map(|answer| (answer.name, answer.answer.unwrap().unwrap().targets.len()))
            .collect();
        assert_eq!(targets, [("first".to_owned(), 1), ("second".to_owned(), 0)]);
    }
}
