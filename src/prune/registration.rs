//! The registering of addresses again, with a check of the center's list afterwards.

use std::collections::BTreeMap;

use crate::fleet::center_list::ListedService;
use crate::fleet::registration::{is_registered, to_register};
use crate::fleet::tombstone::Tombstone;
use crate::io::center::{Client, HttpError};

/// Registers each address again that its center's list lacks; returns the errors in the same order.
pub(crate) fn register(client: &Client, tombstones: &[&Tombstone]) -> Vec<Option<String>> {
    let mut errors: Vec<Option<String>> = tombstones.iter().map(|_| None).collect();
    let mut by_center: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, tombstone) in tombstones.iter().enumerate() {
        by_center.entry(&tombstone.center).or_default().push(at);
    }
    for (center, indices) in by_center {
        let of_center: Vec<&Tombstone> = indices.iter().map(|&at| tombstones[at]).collect();
        for (at, error) in indices.into_iter().zip(register_at(client, center, &of_center)) {
            errors[at] = error;
        }
    }
    errors
}

fn register_at(client: &Client, center: &str, tombstones: &[&Tombstone]) -> Vec<Option<String>> {
    let before = match client.list(center) {
        Ok(listed) => listed,
        Err(error) => return tombstones.iter().map(|_| Some(error.to_string())).collect(),
    };
    let mut errors: Vec<Option<String>> = tombstones.iter().map(|_| None).collect();
    let absent = to_register(tombstones, &before);
    if absent.is_empty() {
        return errors;
    }
    for &at in &absent {
        let Tombstone { service, address, .. } = tombstones[at];
        errors[at] = client.register(center, service, address).err().map(|error| error.to_string());
    }
    // The center's status 200 does not prove the registration.
    let after = client.list(center);
    for at in absent {
        if errors[at].is_none() {
            errors[at] = check(tombstones[at], after.as_ref());
        }
    }
    errors
}

fn check(tombstone: &Tombstone, listed: Result<&Vec<ListedService>, &HttpError>) -> Option<String> {
    match listed {
        Ok(listed) if is_registered(listed, &tombstone.service, &tombstone.address) => None,
        Ok(_) => Some("the center accepted it, but does not list it as before".to_owned()),
        Err(error) => Some(format!("the center may or may not have accepted it: {error}")),
    }
}
