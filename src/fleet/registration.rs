//! Decisions about registering addresses again: which ones a center's list lacks, and whether the center accepted them.

use std::collections::{BTreeSet, HashSet};

use super::center_address::Registration;
use super::center_list::ListedService;
use super::tombstone::Tombstone;
use crate::address::normal_form;

/// Returns the indices of the tombstones whose registration a center's list lacks.
///
/// An address that is listed already, under any name and in any spelling, registered itself and is left alone. The
/// exception is an address that was removed alive, because it has to be listed under all of its right names.
pub(crate) fn to_register(tombstones: &[&Tombstone], listed: &[ListedService]) -> Vec<usize> {
    let wanted: HashSet<(&str, &str)> =
        tombstones.iter().map(|tombstone| (tombstone.service.as_str(), tombstone.address.as_str())).collect();
    let (mut present, mut taken) = (HashSet::new(), HashSet::new());
    for ListedService { name, addresses } in listed {
        for address in addresses {
            let registration = (name.as_str(), address.as_str());
            if wanted.contains(&registration) {
                present.insert(registration);
            } else {
                taken.insert(normal_form(address));
            }
        }
    }
    let is_absent = |at: &usize| {
        let Tombstone { service, address, was_alive, .. } = tombstones[*at];
        !present.contains(&(service.as_str(), address.as_str()))
            && (*was_alive || !taken.contains(&normal_form(address)))
    };
    (0..tombstones.len()).filter(is_absent).collect()
}

/// Tells whether a list has exactly this spelling of an address under a name.
pub(crate) fn is_registered(listed: &[ListedService], service: &str, address: &str) -> bool {
    listed.iter().any(|known| known.name == service && known.addresses.iter().any(|listed| listed == address))
}

/// Returns all registrations of a list.
pub(crate) fn registrations(listed: &[ListedService]) -> BTreeSet<Registration> {
    let of_service = |service: &ListedService| -> Vec<Registration> {
        let registration =
            |address: &String| Registration { service: service.name.clone(), address: address.clone() };
        service.addresses.iter().map(registration).collect()
    };
    listed.iter().flat_map(of_service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;

    fn removed(service: &str, address: &str, was_alive: bool) -> Tombstone {
        Tombstone {
            center: "http://center:1".to_owned(),
            address: address.to_owned(),
            service: service.to_owned(),
            build: None,
            removed_at: at(0),
            was_alive,
        }
    }

    fn list(services: &[(&str, &[&str])]) -> Vec<ListedService> {
        let service = |&(name, addresses): &(&str, &[&str])| ListedService {
            name: name.to_owned(),
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        };
        services.iter().map(service).collect()
    }

    /// Tells whether `app` at `http://a:1` is registered again.
    fn is_to_register(was_alive: bool, services: &[(&str, &[&str])]) -> bool {
        !to_register(&[&removed("app", "http://a:1", was_alive)], &list(services)).is_empty()
    }

    #[test]
    fn an_address_removed_as_dead_returns_only_where_it_is_not_listed_at_all() {
        assert!(is_to_register(false, &[]));
        assert!(is_to_register(false, &[("app", &["http://b:1"])]));
        assert!(!is_to_register(false, &[("app", &["http://a:1"])]));
        assert!(!is_to_register(false, &[("other", &["http://a:1"])]));
        assert!(!is_to_register(false, &[("app", &["HTTP://A:1"])]));
    }

    #[test]
    fn an_address_removed_alive_returns_under_each_of_its_names() {
        assert!(!is_to_register(true, &[("app", &["http://a:1"])]));
        assert!(is_to_register(true, &[("other", &["http://a:1"])]));
        assert!(is_to_register(true, &[("app", &["HTTP://A:1"])]));
    }

    #[test]
    fn names_that_were_removed_together_do_not_keep_each_other_away() {
        let tombstones = [removed("one", "http://a:1", false), removed("two", "http://a:1", false)];
        let listed = list(&[("one", &["http://a:1"])]);
        assert_eq!(to_register(&tombstones.each_ref(), &listed), [1]);
    }

    #[test]
    fn a_registration_is_known_by_its_name_and_its_exact_spelling() {
        let listed = list(&[("one", &["http://a:1", "http://b:1"]), ("two", &["http://c:1"])]);
        for (service, address, expected) in [
            ("one", "http://b:1", true),
            ("two", "http://c:1", true),
            ("one", "http://c:1", false),
            ("one", "http://a:1/", false),
            ("three", "http://a:1", false),
        ] {
            assert_eq!(is_registered(&listed, service, address), expected, "{service} {address}");
        }
    }

    #[test]
    fn the_registrations_of_a_list_are_sorted_and_each_is_there_once() {
        let listed = list(&[("two", &["http://b:1", "http://a:1", "http://b:1"]), ("one", &["http://b:1"])]);
        let found: Vec<String> =
            registrations(&listed).into_iter().map(|it| format!("{} {}", it.service, it.address)).collect();
        assert_eq!(found, ["one http://b:1", "two http://a:1", "two http://b:1"]);
    }
}
