//! Targets that one list has several times, with more labels or with fewer.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{ServiceFields, Target, TargetList, TargetService};
use crate::fleet::records::Key;
use crate::names::Naming;

impl TargetList {
    /// Joins two entries of one address if one says no more than the other: the entry with more labels counts, and takes
    /// the facts of the process that only the other entry tells. Two services of one process would be asked for in turn,
    /// and neither would have its data for certain.
    pub(crate) fn join_vague(&mut self, naming: &Naming) {
        let mut gone = HashSet::new();
        for (address, places) in several_times(&self.targets) {
            let joined = self.joined(&places, naming);
            for &(less, more) in &joined {
                let (told, started_at) = (self.targets[less].facts.clone(), self.targets[less].started_at);
                let kept = &mut self.targets[more];
                kept.facts = std::mem::take(&mut kept.facts).or(told);
                kept.started_at = kept.started_at.or(started_at);
                gone.insert(less);
            }
            let stay = places.iter().filter(|at| joined.iter().all(|(less, _)| less != *at));
            let stay: Vec<&TargetService> = stay.map(|at| &*self.targets[*at].service).collect();
            if let Some(clause) = clause_about(&stay, naming) {
                self.note(&address, &clause);
            }
        }
        if !gone.is_empty() {
            let mut at = 0..;
            self.targets.retain(|_| at.next().is_none_or(|at| !gone.contains(&at)));
        }
    }

    /// Returns those of the places of one address whose entries say no more than another one, each with the place that
    /// counts for it, sorted.
    fn joined(&self, places: &[usize], naming: &Naming) -> Vec<(usize, usize)> {
        // Entries are compared by their services, because one address may have very many entries of few services.
        let mut by_service: HashMap<TargetService, Vec<usize>> = HashMap::new();
        for &at in places {
            let service = &self.targets[at].service;
            let said = service.fields(naming).map_or_else(|| (**service).clone(), TargetService::Fields);
            by_service.entry(said).or_default().push(at);
        }
        let services: Vec<(TargetService, Vec<usize>)> = by_service.into_iter().collect();
        let said_by = |more: &TargetService| -> usize {
            let less = services.iter().filter(|(less, _)| says_no_more(less, more));
            less.map(|(_, places)| places.len()).sum()
        };
        // The service that the most entries mean counts, at its first place.
        let ranks: Vec<(usize, usize)> =
            services.iter().map(|(service, places)| (said_by(service), places[0])).collect();
        let owner = |less: &TargetService| {
            let owners = services.iter().zip(&ranks).filter(|((more, _), _)| says_no_more(less, more));
            owners.map(|(_, rank)| *rank).max().expect("a service says no more than itself").1
        };
        let mut joined = Vec::new();
        for (service, places) in &services {
            let owner = owner(service);
            joined.extend(places.iter().filter(|at| **at != owner).map(|at| (*at, owner)));
        }
        joined.sort_unstable();
        joined
    }
}

/// Returns a clause about the services that one address still has after its entries were joined; `None` if these are
/// names of one key, which counts for all of them.
fn clause_about(services: &[&TargetService], naming: &Naming) -> Option<String> {
    const NAMED: usize = 3;
    if let [service] = services {
        return Some(format!("it is listed several times, and counts once, as {}", shown(service)));
    }
    let key = |service: &TargetService| match service.fields(naming) {
        Some(fields) => fields.key(),
        None => Key::from_parsed(&naming.parse(&shown(service))),
    };
    let first = key(services[0]);
    if services.iter().all(|service| key(service) == first) {
        return None;
    }
    let mut names: Vec<String> = services.iter().take(NAMED).map(|service| shown(service)).collect();
    if services.len() > NAMED {
        names.push(format!("{} more", services.len() - NAMED));
    }
    Some(format!(
        "it is listed several times, as services that contradict each other ({}), and counts for one of them at most; \
         list it under the service whose process answers there",
        names.join(", ")
    ))
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

/// Tells whether the second of two services says all that the first one does.
fn says_no_more(one: &TargetService, other: &TargetService) -> bool {
    match (one, other) {
        (TargetService::Fields(one), TargetService::Fields(other)) => is_part(one, other),
        (TargetService::Fields(one), TargetService::Name(_)) => *one == ServiceFields::default(),
        (TargetService::Name(_), _) => one == other,
    }
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

    /// A list with these labels at one address, joined.
    fn listed(labels: &[serde_json::Value]) -> TargetList {
        let groups: Vec<_> =
            labels.iter().map(|labels| serde_json::json!({"targets": ["a:1"], "labels": labels})).collect();
        let text = serde_json::json!(groups).to_string();
        let limits = TargetLimits { max_bytes: 1 << 22, max_targets: 20_000 };
        let mut list = read(text.as_bytes(), &ServiceTemplate::default(), limits).unwrap();
        list.join_vague(&Naming::default());
        list
    }

    /// The services, pods and number of notes of such a list.
    fn joined(labels: &[serde_json::Value]) -> (Vec<String>, usize) {
        let list = listed(labels);
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
                1,
            ),
            (vec![full.clone(), json!({"app": "other"})], vec![format!("{name} -"), "other -".to_owned()], 1),
            (
                vec![json!({"service": "odd"}), json!({"service": "even"})],
                vec!["odd -".to_owned(), "even -".to_owned()],
                1,
            ),
            // Names that differ in the branch are one key.
            (
                vec![full.clone(), json!({"service": "staging_th_echo_fix_845820727e"})],
                vec![format!("{name} -"), "staging_th_echo_fix_845820727e -".to_owned()],
                0,
            ),
        ] {
            assert_eq!(joined(&labels), (expected, notes), "{labels:?}");
        }
    }

    #[test]
    fn entries_that_contradict_each_other_are_named_once_with_the_next_step() {
        let entries = ["a", "b", "c", "d", "e"].map(|app| serde_json::json!({ "app": app }));
        let mut list = listed(&entries);
        // A pull joins the entries before and after it asks the processes.
        list.join_vague(&Naming::default());
        let said = "\"http://a:1\": it is listed several times, as services that contradict each other (a, b, c, 2 more), \
                    and counts for one of them at most; list it under the service whose process answers there";
        assert_eq!(list.notes, [said]);
    }

    #[test]
    fn very_many_entries_of_one_address_are_joined_by_their_few_services() {
        // Entries that are all compared with each other take minutes.
        let pod = |number| serde_json::json!({"app": "echo", "pod": format!("echo-{number}")});
        let entries: Vec<_> = (0..20_000).map(pod).collect();
        assert_eq!(joined(&entries), (vec!["echo echo-0".to_owned()], 1));
    }
}
