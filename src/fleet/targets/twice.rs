//! Targets that one list has several times, with more labels or with fewer.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{ServiceFields, Target, TargetList, TargetService};
use crate::names::Naming;

impl TargetList {
    /// Joins entries of one address of which one says no more than another: the one with more labels counts, and takes
    /// facts of its process that only the other one tells. Two services of one process would be asked for in turn, and
    /// none would have its data for certain.
    pub(crate) fn join_vague(&mut self, naming: &Naming) {
        let mut gone = HashSet::new();
        for (address, places) in several_times(&self.targets) {
            let fields: Vec<_> = places.iter().map(|&at| self.targets[at].service.fields(naming)).collect();
            let says_less = |less: usize, more: usize| match (&fields[less], &fields[more]) {
                (Some(one), Some(other)) => is_part(one, other) && (one != other || less > more),
                (Some(one), None) => *one == ServiceFields::default(),
                (None, None) => {
                    less > more && self.targets[places[less]].service == self.targets[places[more]].service
                }
                (None, Some(_)) => false,
            };
            let owner = |less: usize| {
                let more = (0..places.len()).filter(|more| *more != less && says_less(less, *more));
                more.max_by_key(|more| (0..places.len()).filter(|other| says_less(*other, *more)).count())
            };
            let joined: Vec<(usize, usize)> =
                (0..places.len()).filter_map(|less| Some((places[less], places[owner(less)?]))).collect();
            for &(less, more) in &joined {
                let (told, started_at) = (self.targets[less].facts.clone(), self.targets[less].started_at);
                let kept = &mut self.targets[more];
                kept.facts = std::mem::take(&mut kept.facts).or(told);
                kept.started_at = kept.started_at.or(started_at);
                gone.insert(less);
            }
            // Entries that contradict each other do not count, whatever was joined to them.
            if let Some((_, more)) = joined.first().filter(|_| joined.len() + 1 == places.len()) {
                let name = shown(&self.targets[*more].service);
                self.note(&address, &format!("it is listed several times, and counts once, as {name}"));
            }
        }
        if !gone.is_empty() {
            let mut at = 0..;
            self.targets.retain(|_| at.next().is_none_or(|at| !gone.contains(&at)));
        }
    }
}

/// Returns the places of targets that are listed several times, by address.
fn several_times(targets: &[Target]) -> BTreeMap<String, Vec<usize>> {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(targets.len());
    let mut several: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, target) in targets.iter().enumerate() {
        let first = *first.entry(&target.address).or_insert(at);
        if first != at {
            several.entry(target.address.clone()).or_insert_with(|| vec![first]).push(at);
        }
    }
    several
}

/// Tells whether the first of two services has no field that the second one has not.
fn is_part(one: &ServiceFields, other: &ServiceFields) -> bool {
    let is_same = |one: &String, other: &String| one.is_empty() || one == other;
    is_same(&one.env, &other.env)
        && is_same(&one.region, &other.region)
        && is_same(&one.app, &other.app)
        && is_same(&one.branch, &other.branch)
        && other.commit.starts_with(&one.commit)
}

fn shown(service: &TargetService) -> String {
    match service {
        TargetService::Name(name) => name.clone(),
        TargetService::Fields(fields) => fields.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::targets::{ServiceTemplate, TargetLimits, read};

    /// The services, pods and notes of a list with these labels at one address.
    fn joined(labels: &[serde_json::Value]) -> (Vec<String>, usize) {
        let groups: Vec<_> =
            labels.iter().map(|labels| serde_json::json!({"targets": ["a:1"], "labels": labels})).collect();
        let text = serde_json::json!(groups).to_string();
        let limits = TargetLimits { max_bytes: 1 << 20, max_targets: 100 };
        let mut list = read(text.as_bytes(), &ServiceTemplate::default(), limits).unwrap();
        list.join_vague(&Naming::default());
        let line = |target: &Target| {
            format!("{} {}", shown(&target.service), target.facts.pod.as_deref().unwrap_or("-"))
        };
        (list.targets.iter().map(line).collect(), list.notes.len())
    }

    #[test]
    fn of_several_entries_of_one_address_the_most_exact_one_counts() {
        use serde_json::json;
        let full = json!({"service": "staging_th_echo_master_845820727e"});
        let name = "staging_th_echo_master_845820727e";
        for (labels, expected, notes) in [
            (vec![full.clone(), json!({})], vec![format!("{name} -")], 1),
            (vec![json!({"pod": "echo-0"}), full.clone()], vec![format!("{name} echo-0")], 1),
            (vec![json!({"app": "echo"}), json!({}), full.clone()], vec![format!("{name} -")], 1),
            (vec![json!({"app": "echo", "commit": "8458207"}), full.clone()], vec![format!("{name} -")], 1),
            (vec![full.clone(), json!({"service": name, "pod": "x"})], vec![format!("{name} x")], 1),
            (vec![json!({"service": "odd"}), json!({})], vec!["odd -".to_owned()], 1),
            // Entries that contradict each other stay.
            (
                vec![json!({}), full.clone(), json!({"app": "other"})],
                vec![format!("{name} -"), "other -".to_owned()],
                0,
            ),
            (vec![full.clone(), json!({"app": "other"})], vec![format!("{name} -"), "other -".to_owned()], 0),
            (
                vec![json!({"service": "odd"}), json!({"service": "even"})],
                vec!["odd -".to_owned(), "even -".to_owned()],
                0,
            ),
        ] {
            assert_eq!(joined(&labels), (expected, notes), "{labels:?}");
        }
    }
}
