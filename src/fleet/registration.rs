//! Decisions about registering addresses again: which are missing from a center's list, and whether it took them.

use std::collections::{BTreeSet, HashSet};

use super::center_address::Registration;
use super::center_list::ListedService;
use super::tombstone::Tombstone;
use crate::address::normal_form;

/// Returns the tombstones that a center's list lacks, by index.
///
/// An address that is listed already, under whatever name and in whatever spelling, registered itself
/// and is let alone, unless it was removed alive, to be listed under all of its right names.
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

/// Tells whether a list holds an address, spelled so, under a name.
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
