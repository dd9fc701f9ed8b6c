//! Listed addresses that failed, and that a run does not ask because their retry is not due.

use std::collections::HashSet;

use super::key_entry::KeyEntry;
use super::plan::PullPlan;
use super::records::AddressState;

/// An address that waits for its retry, under a key that lists it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingAddress<'a> {
    pub(crate) entry: &'a KeyEntry,
    pub(crate) address: &'a str,
    pub(crate) state: &'a AddressState,
}

/// Returns the listed addresses of these keys that failed and that the plan does not ask, each once.
pub(crate) fn waiting_addresses<'a>(
    plan: &PullPlan<'a>,
    entries: impl Iterator<Item = &'a KeyEntry>,
) -> Vec<WaitingAddress<'a>> {
    let asked = plan.pulls.iter().flat_map(|group| &group.addresses);
    let mut left_out: HashSet<&str> = asked.map(|asked| asked.address.as_str()).collect();
    let mut waiting = Vec::new();
    for entry in entries {
        let failed = entry.states.iter().filter(|(_, state)| state.retry.failures > 0);
        for (address, state) in failed.filter(|(address, _)| entry.listed_at(address).is_some()) {
            if left_out.insert(address) {
                waiting.push(WaitingAddress { entry, address, state });
            }
        }
    }
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{address, at, entry, failing, pulled, rules};
    use crate::fleet::plan::Selection;

    #[test]
    fn failed_addresses_wait_once_each_unless_they_are_asked_or_nobody_lists_them() {
        let entries = [
            failing(failing(pulled(1, &["a", "b"]), "b", 2, 8), "gone", 2, 8),
            failing(pulled(2, &["b", "c"]), "b", 2, 8),
            failing(pulled(3, &["d"]), "d", 1, 4),
            entry(4, &["e"]),
        ];
        let waiting_at = |minute| {
            let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(minute));
            let waiting = waiting_addresses(&plan, entries.iter());
            waiting.iter().map(|it| (it.entry.id.0, it.address.to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(waiting_at(3), [(1, address("b")), (3, address("d"))]);
        assert_eq!(waiting_at(5), [(1, address("b"))]);
    }
}
