//! The names of this machine: `localhost`, `127.0.0.1` and `::1` with one port are one process.
//!
//! A process mostly listens at all of them, and text answers do not tell whether it is the same one. Two processes at one
//! port, each at another of these names, have to be listed by another address of the machine.

use std::collections::HashMap;

use super::{Answers, SourceAnswer, StoredFleet};
use crate::address::{LoopbackHost, loopback, normal_form};

/// The address by which each process of this machine is known, by its address at `127.0.0.1`.
#[derive(Default)]
struct LoopbackAddresses(HashMap<String, (LoopbackRank, String)>);

/// The address with the lowest rank is chosen. An address that was listed before comes first, because under another
/// address the counts of its process would count again.
type LoopbackRank = (LoopbackOrigin, LoopbackHost);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LoopbackOrigin {
    ListedBefore,
    Center,
    Source,
}

impl LoopbackAddresses {
    /// Adds an address; tells whether it is one of this machine.
    fn add(&mut self, address: &str, origin: LoopbackOrigin) -> bool {
        let Some((host, process)) = loopback(address) else { return false };
        let rank = (origin, host);
        let known = self.0.entry(process).or_insert_with(|| (rank, address.to_owned()));
        if rank < known.0 {
            *known = (rank, address.to_owned());
        }
        true
    }

    fn known_as(&self, address: &str) -> Option<&String> {
        let (_, process) = loopback(address)?;
        self.0.get(&process).map(|(_, known)| known)
    }
}

/// Gives all targets at names of this machine that have one port the same address.
pub(crate) fn join_loopback(sources: &mut [SourceAnswer], known: &StoredFleet) {
    join(sources, known, LoopbackAddresses::default());
}

impl Answers {
    pub(super) fn join_loopback(&mut self, known: &StoredFleet) {
        let mut addresses = LoopbackAddresses::default();
        let lists = self.centers.iter().filter_map(|center| center.answer.as_ref()?.as_ref().ok());
        for address in lists.flat_map(|list| &list.services).flat_map(|service| &service.addresses) {
            addresses.add(&normal_form(address), LoopbackOrigin::Center);
        }
        join(&mut self.sources, known, addresses);
    }
}

fn join(sources: &mut [SourceAnswer], known: &StoredFleet, mut addresses: LoopbackAddresses) {
    let lists = sources.iter().filter_map(|source| source.answer.as_ref()?.as_ref().ok());
    let mut has_loopback = false;
    for target in lists.flat_map(|list| &list.targets) {
        has_loopback |= addresses.add(&target.address, LoopbackOrigin::Source);
    }
    if !has_loopback {
        return;
    }
    for listing in &known.listings {
        addresses.add(&normal_form(&listing.address), LoopbackOrigin::ListedBefore);
    }
    let lists = sources.iter_mut().filter_map(|source| source.answer.as_mut()?.as_mut().ok());
    for target in lists.flat_map(|list| &mut list.targets) {
        if let Some(address) = addresses.known_as(&target.address) {
            target.address.clone_from(address);
        }
    }
}
