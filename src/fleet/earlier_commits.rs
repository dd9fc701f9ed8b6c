//! The choice of the commits that stand in a list, so that the list does not grow with each deploy.

use std::collections::{BTreeSet, HashMap};

use super::pick::{Age, Group, age, group_of};
use super::service_state::ServiceLine;

/// The commits that were left out of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierCommits {
    pub(crate) count: usize,
    /// The apps of these commits.
    pub(crate) apps: BTreeSet<String>,
}

/// Removes the commits that are offline from a list, except the newest one with data of each environment, region, app
/// and branch. `is_kept` names further ones that stay.
pub(crate) fn leave_out_earlier<'a>(
    lines: &mut Vec<ServiceLine<'a>>,
    is_kept: impl Fn(&ServiceLine<'_>) -> bool,
) -> EarlierCommits {
    let mut newest: HashMap<Group<'a>, (bool, Age)> = HashMap::new();
    for line in lines.iter() {
        let of_group = newest.entry(group_of(line.entry, line.member)).or_insert_with(|| place(line));
        *of_group = place(line).max(*of_group);
    }
    let mut earlier = EarlierCommits::default();
    lines.retain(|line| {
        let is_newest = newest[&group_of(line.entry, line.member)] == place(line);
        let stays = is_newest || line.state.is_listed() || is_kept(line);
        if !stays {
            earlier.count += 1;
            if !earlier.apps.contains(&line.entry.key.app) {
                earlier.apps.insert(line.entry.key.app.clone());
            }
        }
        stays
    });
    earlier
}

/// Returns the place of a commit among those of its branch: one without data comes before all with data.
fn place(line: &ServiceLine<'_>) -> (bool, Age) {
    (line.stored.is_some(), age(line.entry))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fleet::fixtures::{at, entry as entry_of_hosts};
    use crate::fleet::key_entry::KeyEntry;
    use crate::fleet::service_state::{AddressHealth, RowTotal};
    use crate::fleet::services::Fleet;

    /// A commit of this app and branch, whose data changed last at `minute`; one that runs has an address.
    fn commit(id: i64, group: [&str; 2], runs: bool, minute: i64) -> KeyEntry {
        let [app, branch] = group;
        let mut entry = entry_of_hosts(id, if runs { &["a"] } else { &[] });
        entry.key.app = app.to_owned();
        entry.key.commit = format!("000000{id}");
        entry.members[0].branch = branch.to_owned();
        entry.schedule.last_change_at = Some(at(minute));
        entry
    }

    /// The ids that stay, and what was left out.
    fn left(entries: &[KeyEntry], without_data: &[i64], kept: &[i64]) -> (Vec<i64>, EarlierCommits) {
        let health = AddressHealth::new(&Fleet::default(), HashMap::new(), HashSet::new());
        let mut lines: Vec<ServiceLine<'_>> = entries
            .iter()
            .map(|entry| ServiceLine {
                stored: (!without_data.contains(&entry.id.0))
                    .then_some(RowTotal { cover_total: 50.0, coverage: None }),
                ..ServiceLine::new(&entry.members[0], entry, None, &health, at(0))
            })
            .collect();
        let earlier = leave_out_earlier(&mut lines, |it| kept.contains(&it.entry.id.0));
        (lines.iter().map(|it| it.entry.id.0).collect(), earlier)
    }

    fn earlier(count: usize, apps: &[&str]) -> EarlierCommits {
        EarlierCommits { count, apps: apps.iter().map(|app| (*app).to_owned()).collect() }
    }

    #[test]
    fn commits_that_run_stay_and_the_newest_with_data_where_none_runs() {
        let entries = [
            commit(1, ["cart", "master"], false, 10),
            commit(2, ["cart", "master"], true, 20),
            commit(3, ["cart", "master"], true, 30),
            commit(4, ["cart", "fix"], false, 40),
            commit(5, ["cart", "fix"], false, 50),
            commit(6, ["pay", "master"], false, 60),
        ];
        assert_eq!(left(&entries, &[], &[]), (vec![2, 3, 5, 6], earlier(2, &["cart"])));
        assert_eq!(left(&entries, &[], &[1, 4]), (vec![1, 2, 3, 4, 5, 6], earlier(0, &[])));
    }

    #[test]
    fn data_of_the_commit_before_stays_until_the_one_that_runs_has_data() {
        let entries = [
            commit(1, ["cart", "master"], false, 10),
            commit(2, ["cart", "master"], false, 20),
            commit(3, ["cart", "master"], false, 30),
            commit(4, ["cart", "master"], true, 40),
        ];
        assert_eq!(left(&entries, &[3, 4], &[]), (vec![2, 4], earlier(2, &["cart"])));
        assert_eq!(left(&entries, &[3], &[]), (vec![4], earlier(3, &["cart"])));
        assert_eq!(left(&entries, &[1, 2, 3, 4], &[]), (vec![4], earlier(3, &["cart"])));
        assert_eq!(left(&entries[..3], &[1, 2, 3], &[]), (vec![3], earlier(2, &["cart"])));
    }

    #[test]
    fn an_environment_has_commits_of_its_own() {
        let mut entries = [commit(1, ["cart", "m"], false, 10), commit(2, ["cart", "m"], true, 20)];
        entries[0].key.env = "prod".to_owned();
        assert_eq!(left(&entries, &[], &[]), (vec![1, 2], earlier(0, &[])));
    }
}
