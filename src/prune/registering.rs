//! Putting addresses back on a center's list, and seeing that they stand there.

use std::collections::{BTreeMap, HashSet};

use crate::address::normal_form;
use crate::fleet::center_list::ListedService;
use crate::fleet::removal::Tombstone;
use crate::io::center::{Client, HttpError};

/// Registers each again, and returns for each what went wrong.
///
/// An address that stands in the list already, under whatever name and in whatever spelling, registered itself
/// and is let alone, unless it was removed alive, to stand under all of its right names. A 200 of the center
/// proves nothing, so the list is read again.
pub(crate) fn register(client: &Client, tombstones: &[&Tombstone]) -> Vec<Option<String>> {
    let mut errors: Vec<Option<String>> = tombstones.iter().map(|_| None).collect();
    let mut by_center: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, tombstone) in tombstones.iter().enumerate() {
        by_center.entry(&tombstone.center).or_default().push(at);
    }
    for (center, indices) in by_center {
        let before = match client.list(center) {
            Ok(listed) => listed,
            Err(error) => {
                for at in indices {
                    errors[at] = Some(error.to_string());
                }
                continue;
            }
        };
        let ours: HashSet<(&str, &str)> = indices
            .iter()
            .map(|&at| (tombstones[at].service.as_str(), tombstones[at].address.as_str()))
            .collect();
        let (mut standing, mut taken) = (HashSet::new(), HashSet::new());
        for ListedService { name, addresses } in &before {
            for address in addresses {
                let listing = (name.as_str(), address.as_str());
                if ours.contains(&listing) {
                    standing.insert(listing);
                } else {
                    taken.insert(normal_form(address));
                }
            }
        }
        let is_absent = |at: &usize| {
            let Tombstone { service, address, was_alive, .. } = tombstones[*at];
            let (service, address) = (service.as_str(), address.as_str());
            !standing.contains(&(service, address)) && (*was_alive || !taken.contains(&normal_form(address)))
        };
        let absent: Vec<usize> = indices.into_iter().filter(is_absent).collect();
        if absent.is_empty() {
            continue;
        }
        for &at in &absent {
            let Tombstone { service, address, .. } = tombstones[at];
            errors[at] = client.register(center, service, address).err().map(|error| error.to_string());
        }
        let after = client.list(center);
        for at in absent {
            if errors[at].is_none() {
                errors[at] = check(tombstones[at], after.as_ref());
            }
        }
    }
    errors
}

fn check(tombstone: &Tombstone, listed: Result<&Vec<ListedService>, &HttpError>) -> Option<String> {
    match listed {
        Ok(listed) if stands(listed, &tombstone.service, &tombstone.address) => None,
        Ok(_) => Some("the center took it, and lists it not as it was listed before".to_owned()),
        Err(error) => Some(format!("it is not known whether the center took it: {error}")),
    }
}

/// Tells whether an address stands under a name.
pub(crate) fn stands(listed: &[ListedService], service: &str, address: &str) -> bool {
    listed.iter().any(|known| known.name == service && known.addresses.iter().any(|listed| listed == address))
}
