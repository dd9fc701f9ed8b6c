//! An address as one center lists it, and the decision which of its names are right.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::liveness::{Finding, ProbeFinding, Suspicion};
use super::probe::{BuildMatch, ProbeResult};
use super::records::Key;
use crate::names::Naming;
use crate::profile::Fingerprint;

/// A name under which a center lists an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressName {
    /// The text as it was registered.
    pub service: String,
    /// The match of the served build with the name's key; `None` when the build was not read.
    pub build_match: Option<BuildMatch>,
    /// The build that the last pull found there, if the name's key shows another.
    pub other_build: Option<Fingerprint>,
}

/// An address that a center lists, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CenterAddress {
    /// URL of the center.
    pub center: String,
    /// The text as it was registered.
    pub address: String,
    /// The normal form of the address, which is the same for all spellings of one process.
    pub identity: String,
    /// The names under which the center lists the address.
    pub names: Vec<AddressName>,
    /// The result of this run's probe; `None` when the address was listed after the probes.
    pub probe: Option<ProbeFinding>,
    /// Failures in earlier runs.
    pub before: Option<Suspicion>,
    /// Time of the last answer to a pull.
    pub last_answer_at: Option<DateTime<Utc>>,
}

impl CenterAddress {
    /// Returns the build that the last pull found there, if none of its names shows that build.
    #[must_use]
    pub(crate) fn other_build(&self) -> Option<Fingerprint> {
        let is_shown =
            |name: &AddressName| name.other_build.is_none() || name.build_match == Some(BuildMatch::Own);
        if self.names.iter().any(is_shown) {
            return None;
        }
        self.names.iter().find_map(|name| name.other_build)
    }

    /// Tells whether an agent answered this run's probe.
    pub(crate) fn is_alive(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.finding == Finding::Alive)
    }

    /// Splits the names into right and stale ones; `None` when no name is stale.
    ///
    /// A name is stale only when its key shows another build than the address serves, and the key of another name shows
    /// the served build; that name may be listed with another spelling of the address. In doubt no name is stale.
    pub(crate) fn renaming(&self, rightful: &RightfulNames) -> Option<Renaming> {
        let (stale, right): (Vec<&AddressName>, Vec<&AddressName>) =
            self.names.iter().partition(|name| name.build_match == Some(BuildMatch::Other));
        if stale.is_empty() {
            return None;
        }
        let rightful = rightful.0.get(&(self.center.clone(), self.identity.clone()))?;
        let mut registrations: Vec<Registration> = right.iter().map(|name| self.registration(name)).collect();
        if !right.iter().any(|name| name.build_match == Some(BuildMatch::Own)) {
            registrations.extend(rightful.iter().cloned());
        }
        let stale = stale.into_iter().map(|name| name.service.clone()).collect();
        Some(Renaming { right: registrations, stale })
    }

    fn registration(&self, name: &AddressName) -> Registration {
        Registration { service: name.service.clone(), address: self.address.clone() }
    }
}

/// The registrations whose key shows the build that the address serves, by center and normal form of the address.
pub(crate) struct RightfulNames(BTreeMap<(String, String), Vec<Registration>>);

impl RightfulNames {
    pub(crate) fn new(listed: &[CenterAddress]) -> Self {
        let mut rightful: BTreeMap<(String, String), Vec<Registration>> = BTreeMap::new();
        for listed in listed {
            for name in listed.names.iter().filter(|name| name.build_match == Some(BuildMatch::Own)) {
                let process = (listed.center.clone(), listed.identity.clone());
                rightful.entry(process).or_default().push(listed.registration(name));
            }
        }
        Self(rightful)
    }
}

/// An address under a name, both spelled as the center lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Registration {
    pub service: String,
    pub address: String,
}

/// The names of an address that is listed under a stale one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    /// Registrations to make again. Some may be listed already with another spelling of the address; registering them
    /// again makes sure of it.
    pub right: Vec<Registration>,
    /// Names whose key shows another build.
    pub stale: Vec<String>,
}

impl Renaming {
    /// Tells whether a later probe still shows a build of a right name and of no stale name.
    pub(crate) fn still_holds(&self, result: &ProbeResult, naming: &Naming) -> bool {
        let found = |service: &String| result.build_match(&Key::from_name(service, naming));
        self.right.iter().any(|right| found(&right.service) == Some(BuildMatch::Own))
            && self.stale.iter().all(|stale| found(stale) == Some(BuildMatch::Other))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + hour * 3600, 0).unwrap()
    }

    pub(crate) fn refused() -> ProbeFinding {
        ProbeFinding { finding: Finding::Refused, detail: "connection refused".to_owned() }
    }

    pub(crate) fn name(service: &str, build_match: Option<BuildMatch>) -> AddressName {
        AddressName { service: service.to_owned(), build_match, other_build: None }
    }

    pub(crate) fn print(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes(&[byte; 32]).unwrap()
    }

    pub(crate) fn listed(number: usize, probe: ProbeFinding, before: Option<Suspicion>) -> CenterAddress {
        CenterAddress {
            center: "http://center".to_owned(),
            address: format!("http://10.0.0.{number}:1"),
            identity: format!("http://10.0.0.{number}:1"),
            names: vec![name("app", None)],
            probe: Some(probe),
            before,
            last_answer_at: None,
        }
    }

    pub(crate) fn alive(number: usize) -> CenterAddress {
        listed(number, ProbeFinding::alive(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{alive, name, print};
    use super::*;

    #[test]
    fn an_address_serves_another_build_where_none_of_its_names_shows_it() {
        let named = |names: &[(Option<BuildMatch>, Option<u8>)]| {
            let name = |&(build_match, build): &(Option<BuildMatch>, Option<u8>)| AddressName {
                other_build: build.map(print),
                ..name("app", build_match)
            };
            CenterAddress { names: names.iter().map(name).collect(), ..alive(1) }.other_build()
        };
        assert_eq!(named(&[(None, None)]), None);
        assert_eq!(named(&[(None, Some(1))]), Some(print(1)));
        assert_eq!(named(&[(None, Some(1)), (None, Some(1))]), Some(print(1)));
        assert_eq!(named(&[(None, Some(1)), (None, None)]), None);
        // The process was started anew with the right build since the pull.
        assert_eq!(named(&[(Some(BuildMatch::Own), Some(1)), (Some(BuildMatch::Other), Some(1))]), None);
    }

    #[test]
    fn a_renaming_holds_while_a_right_name_matches_and_every_stale_one_differs() {
        use BuildMatch::{Other, Own, Unknown};
        let registration =
            |service: &str| Registration { service: service.to_owned(), address: "http://a:1".to_owned() };
        let renaming = Renaming {
            right: vec![registration("new"), registration("newer")],
            stale: vec!["old".to_owned()],
        };
        for (found, expected) in [
            (&[("new", Own), ("old", Other)][..], true),
            (&[("newer", Own), ("new", Unknown), ("old", Other)], true),
            (&[("new", Other), ("old", Other)], false),
            (&[("new", Own), ("old", Own)], false),
            (&[("new", Own), ("old", Unknown)], false),
            (&[("new", Own)], false),
            (&[], false),
        ] {
            let key = |name: &str| Key::from_name(name, &Naming::default());
            let matches = found.iter().map(|&(name, found)| (key(name), found)).collect();
            let result = ProbeResult { probe: ProbeFinding::alive(), build: Some(print(1)), matches };
            assert_eq!(renaming.still_holds(&result, &Naming::default()), expected, "{found:?}");
        }
    }
}
