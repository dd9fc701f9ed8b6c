//! Sets of files of the build group that a key shows, as its addresses serve them one after the other.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::collect::ledger::{Ledger, LiveBuildGroup};
use crate::fleet::build_group::Served;
use crate::fleet::generation::Generation;
use crate::fleet::ids::StructureId;
use crate::fleet::key_entry::KeyEntry;
use crate::profile::{Build, Fingerprint};

/// Returns the addresses that answer with a set of files of `build_group`, with the sets of it that they served before.
///
/// An address that was not asked in this pull and did not fail at its last one counts with its last answer. One
/// that no center vouches for now replaces nothing. A set that another process began to serve when the address
/// began with its present one, or later, is not left behind by it: a server and a worker changed places.
pub(crate) fn served(
    entry: &KeyEntry,
    ledger: &Ledger,
    build_group: &LiveBuildGroup,
    asked: &HashSet<&str>,
) -> Vec<Served<StructureId>> {
    let structures: HashMap<Fingerprint, StructureId> =
        build_group.structures.iter().map(|(structure, build)| (*build, *structure)).collect();
    // A profile without any file says nothing of the build.
    let silent = structures.get(&Build::empty().fingerprint()).copied();
    let mut before: HashMap<&str, Vec<StructureId>> = HashMap::new();
    let mut now: BTreeMap<&str, StructureId> = BTreeMap::new();
    let mut begun_last: HashMap<StructureId, DateTime<Utc>> = HashMap::new();
    let mut since: HashMap<(&str, StructureId), DateTime<Utc>> = HashMap::new();
    let listed = entry.addresses();
    let is_unasked = |address: &str| !asked.contains(address) && entry.state(address).retry.failures == 0;
    let unasked: HashSet<&str> =
        listed.iter().map(String::as_str).filter(|address| is_unasked(address)).collect();
    let of_it = |known: &&Generation| known.build_group == build_group.id && Some(known.structure) != silent;
    for known in ledger.generations.iter().filter(of_it) {
        let Some(address) = known.address.as_deref() else { continue };
        before.entry(address).or_default().push(known.structure);
        let last = begun_last.entry(known.structure).or_insert(known.opened_at);
        *last = known.opened_at.max(*last);
        if known.closed_at.is_none() {
            since.insert((address, known.structure), known.opened_at);
            if unasked.contains(address) {
                now.insert(address, known.structure);
            }
        }
    }
    for (address, answer) in &ledger.answered {
        let structure = structures.get(&answer.build).copied().filter(|structure| Some(*structure) != silent);
        if let Some(structure) =
            structure.filter(|_| answer.build_group == build_group.id && answer.is_decided)
        {
            now.insert(address, structure);
        }
    }
    let of_address = |(address, now): (&str, StructureId)| {
        let mut before = before.remove(address).unwrap_or_default();
        // A set that began with this pull is later than all that is stored.
        let since = since.get(&(address, now));
        before.retain(|set| *set != now && since.is_none_or(|since| begun_last[set] < *since));
        if !before.is_empty() && entry.is_assumed(address) {
            before.clear();
        }
        Served { now, before }
    };
    now.into_iter().map(of_address).collect()
}
