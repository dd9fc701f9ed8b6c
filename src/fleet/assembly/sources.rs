//! The lists of sources of targets, laid over the known services.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Assembly;
use super::target_services::PlacedTargets;
use crate::fleet::change::Change;
use crate::fleet::ids::{KeyId, ServiceId};
use crate::fleet::key_entry::Listing;
use crate::fleet::records::{Key, KnownSource, ListedAddress, Lister};
use crate::fleet::services::FailedSource;
use crate::fleet::targets::{ServiceFields, Target, TargetList, TargetService, known_commit};

/// The answer of one source of targets.
#[derive(Debug)]
pub(crate) struct SourceAnswer {
    pub(crate) name: String,
    /// Its list; `None` where it was not read, so that its last list counts.
    pub(crate) answer: Option<Result<TargetList, String>>,
}

/// Commits by environment, region and app.
type CommitsByApp = HashMap<[String; 3], BTreeSet<String>>;

fn app_of(fields: &ServiceFields) -> [String; 3] {
    [&fields.env, &fields.region, &fields.app].map(String::to_owned)
}

impl Assembly<'_> {
    /// Takes in the answers of sources; returns the lists without their targets, and the sources that gave none.
    pub(super) fn sources_answered(
        &mut self,
        answers: Vec<SourceAnswer>,
        known: &BTreeMap<String, KnownSource>,
        listed_before: &mut HashMap<Lister, Vec<ListedAddress>>,
    ) -> (Vec<(String, TargetList)>, Vec<FailedSource>) {
        let (mut lists, mut failed) = (Vec::new(), Vec::new());
        for SourceAnswer { name, answer } in answers {
            let lister = Lister::Targets(name.as_str().into());
            let before = listed_before.remove(&lister).unwrap_or_default();
            let last_heard = known.get(&name).and_then(|source| source.last_listed_at);
            if let Some(Ok(list)) = answer {
                // An address that a new source lists is probably that of another source or of another name of this one.
                let is_new = last_heard.is_none();
                let of_sources = listed_before.values().flatten().filter(|it| is_new && it.facts.is_some());
                let elsewhere: Vec<ListedAddress> = of_sources.cloned().collect();
                lists.push((name, self.source_listed(&lister, list, (&before, &elsewhere))));
                continue;
            }
            let stood: Vec<&ListedAddress> = before.iter().filter(|listing| listing.listed).collect();
            self.assume(&stood);
            if let Some(Err(message)) = answer {
                failed.push(FailedSource { name, message, last_heard });
            }
        }
        (lists, failed)
    }

    /// Takes in the list of a source; returns it without its targets.
    fn source_listed(
        &mut self,
        lister: &Lister,
        mut list: TargetList,
        (before, elsewhere): (&[ListedAddress], &[ListedAddress]),
    ) -> TargetList {
        let now = self.now;
        let source = lister.targets().unwrap_or_default().to_owned();
        self.changes.push(Change::SourceListed { name: source.clone(), at: now });
        let PlacedTargets { targets, as_before, named_by_program } =
            self.place(&mut list, if before.is_empty() { elsewhere } else { before });
        let names = self.names_of(&targets, &as_before);
        let mut stood: HashMap<(ServiceId, Arc<str>), &ListedAddress> =
            before.iter().map(|listing| ((listing.service, Arc::clone(&listing.address)), listing)).collect();
        let mut seen = HashSet::new();
        let told_by: Arc<str> = source.as_str().into();
        for (position, (target, name)) in targets.into_iter().zip(names).enumerate() {
            let Target { address, facts, started_at, .. } = target;
            let service = self.service(&name);
            let is_named_by_program = named_by_program.contains(&address);
            let address: Arc<str> = address.into();
            if !seen.insert((service, Arc::clone(&address))) {
                continue;
            }
            let known = stood.remove(&(service, Arc::clone(&address))).filter(|listing| listing.listed);
            let listed_at = known.map_or(now, |listing| listing.listed_at);
            let facts_before = known.and_then(|listing| listing.facts.as_ref());
            let is_restarted = facts_before.is_some_and(|before| facts.is_other_process(before));
            let facts = match facts_before {
                Some(known) if **known == facts => Arc::clone(known),
                _ => {
                    let facts = Arc::new(facts);
                    self.changes.push(Change::TargetListed {
                        source: Arc::clone(&told_by),
                        service,
                        address: Arc::clone(&address),
                        facts: Arc::clone(&facts),
                        position,
                        at: listed_at,
                    });
                    facts
                }
            };
            let listing = Listing::new(address, lister, listed_at);
            let (_, member) = self.members.get_mut(&*name).expect("made above");
            let facts = Some(facts);
            let listing = Listing { facts, started_at, is_named_by_program, is_restarted, ..listing };
            member.listings.push(listing);
            member.last_seen = Some(now);
        }
        for ((service, address), listing) in stood {
            if listing.listed {
                let (source, address) = (source.clone(), (*address).to_owned());
                self.changes.push(Change::TargetUnlisted { source, service, address, at: now });
            }
        }
        list
    }

    /// Returns the stored name of the service of each target; makes those known that are not.
    fn names_of(&mut self, targets: &[Target], as_before: &HashMap<String, String>) -> Vec<Arc<str>> {
        let is_new = |target: &&Target| !as_before.contains_key(&target.address);
        let services: HashSet<&TargetService> =
            targets.iter().filter(is_new).map(|target| &*target.service).collect();
        let mut services: Vec<(ServiceFields, &TargetService)> = services
            .into_iter()
            .filter_map(|service| Some((service.fields(self.naming)?, service)))
            .collect();
        // The longest commit first: it is the one that shorter spellings of it in this list mean.
        services.sort_unstable_by(|(a, _), (b, _)| (b.commit.len(), a).cmp(&(a.commit.len(), b)));
        let mut commits = self.commits_of(services.iter().map(|(fields, _)| fields));
        let mut names: HashMap<&TargetService, Arc<str>> = HashMap::new();
        for (fields, service) in &services {
            let known = commits.entry(app_of(fields)).or_default();
            let meant = known_commit(&fields.commit, known).unwrap_or(&fields.commit).to_owned();
            known.insert(meant.clone());
            let name = match service {
                TargetService::Name(name) if meant == fields.commit => name.clone(),
                _ => self.name_of_fields(&ServiceFields { commit: meant, ..fields.clone() }),
            };
            names.insert(service, name.into());
        }
        let name = |target: &Target| match (&*target.service, names.get(&*target.service)) {
            _ if as_before.contains_key(&target.address) => as_before[&target.address].as_str().into(),
            (_, Some(name)) => Arc::clone(name),
            (TargetService::Name(name), None) => name.as_str().into(),
            (TargetService::Fields(_), None) => unreachable!("fields have a name"),
        };
        targets.iter().map(name).collect()
    }

    /// Returns the known commits of each environment, region and app of these fields.
    fn commits_of<'f>(&self, fields: impl Iterator<Item = &'f ServiceFields>) -> CommitsByApp {
        let mut commits: CommitsByApp = fields.map(|fields| (app_of(fields), BTreeSet::new())).collect();
        for Key { env, region, app, commit } in self.key_ids.keys() {
            if let Some(known) = commits.get_mut(&[env, region, app].map(String::to_owned)) {
                known.insert(commit.clone());
            }
        }
        commits
    }

    /// Returns the stored name of a service of these fields: the name that is shown where it reads as the very fields,
    /// so that a center's service of that name is the same one.
    fn name_of_fields(&mut self, fields: &ServiceFields) -> String {
        let shown = fields.to_string();
        let key = fields.key();
        if fields.is_name(self.naming) {
            return shown;
        }
        let stored = fields.stored();
        // Somebody may have registered a name of this very form at a center.
        let known = self.members.get(&stored).map(|(_, member)| member.id);
        let id = known.unwrap_or_else(|| self.ids.service());
        if self.with_fields.insert(id) {
            let is_of_inbox = self.members.get(&shown).is_some_and(|(_, member)| member.last_seen.is_none());
            if is_of_inbox {
                self.new_namesakes.push(shown.clone());
            }
            if fields.commit.is_empty() {
                self.new_without_commit.push(shown);
            }
            self.add_member(id, &stored, &key, fields.branch.clone(), true);
        }
        stored
    }

    /// Lets an address that a source of targets lists stand under one key, where centers or other sources list it under
    /// others: the source that stands first in `order` counts, and after all sources the centers, whose lists keep what
    /// is long gone. A source that fails for a run keeps its place, or the counts of its processes would go to another
    /// service for that run; among centers one that answers counts first.
    ///
    /// Returns the keys that lose addresses, each with one of these addresses and the lister for which it counts.
    pub(super) fn settle(&mut self, order: &[String]) -> BTreeMap<KeyId, (Arc<str>, Lister)> {
        let rank = |listing: &Listing| {
            let place = listing.lister.targets().map(|name| order.iter().position(|known| known == name));
            (place.map_or(usize::MAX, |place| place.unwrap_or(usize::MAX - 1)), listing.assumed)
        };
        let mut first: HashMap<Arc<str>, ((usize, bool), KeyId, Lister)> = HashMap::new();
        let listings = self.members.values().flat_map(|(_, member)| &member.listings);
        let from_sources: HashSet<Arc<str>> = listings
            .filter(|listing| listing.lister.targets().is_some())
            .map(|listing| Arc::clone(&listing.address))
            .collect();
        let mut yielded = BTreeMap::new();
        if from_sources.is_empty() {
            return yielded;
        }
        for (key, member) in self.members.values() {
            for listing in member.listings.iter().filter(|listing| from_sources.contains(&listing.address)) {
                let rank = rank(listing);
                let best = first.entry(Arc::clone(&listing.address));
                let best = best.or_insert_with(|| (rank, *key, listing.lister.clone()));
                if rank < best.0 {
                    *best = (rank, *key, listing.lister.clone());
                }
            }
        }
        for (key, member) in self.members.values_mut() {
            member.listings.retain(|listing| {
                let Some((_, best_key, lister)) = first.get(&listing.address) else { return true };
                let stays = best_key == key || *lister == listing.lister;
                if !stays {
                    yielded.insert(*key, (Arc::clone(&listing.address), lister.clone()));
                }
                stays
            });
        }
        yielded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::assembly::{Answers, CenterAnswer, StoredFleet};
    use crate::fleet::center_list::{CenterList, ListedService};
    use crate::fleet::fixtures::at;
    use crate::fleet::ids::{HighestIds, IdSource};
    use crate::fleet::records::StoredService;
    use crate::fleet::services::Fleet;
    use crate::fleet::targets::{
        NameAnswer, ProgramAnswer, ProgramName, ServiceTemplate, Silence, TargetLimits, ToldProgram, read,
    };
    use crate::names::Naming;

    /// A group of `file_sd` with one address and these labels.
    fn group(address: &str, labels: &[(&str, &str)]) -> serde_json::Value {
        let labels: serde_json::Map<String, serde_json::Value> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        serde_json::json!({ "targets": [address], "labels": labels })
    }

    fn listed(name: &str, groups: &[serde_json::Value]) -> SourceAnswer {
        let json = serde_json::json!(groups).to_string();
        let limits = TargetLimits { max_bytes: 1 << 20, max_targets: 100 };
        let list = read(json.as_bytes(), &ServiceTemplate::default(), limits).unwrap();
        SourceAnswer { name: name.to_owned(), answer: Some(Ok(list)) }
    }

    fn center(name: &str, addresses: &[&str]) -> CenterAnswer {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        let services = vec![ListedService { name: name.to_owned(), addresses }];
        CenterAnswer { url: "http://center".to_owned(), answer: Some(Ok(CenterList { services, cut: None })) }
    }

    fn assemble(known: StoredFleet, answers: Answers) -> Fleet {
        let highest = HighestIds { key: 100, service: 100, ..HighestIds::default() };
        Fleet::assemble(known, answers, &Naming::default(), &IdSource::after(highest), at(0))
    }

    fn from_sources(sources: Vec<SourceAnswer>) -> Fleet {
        assemble(StoredFleet::default(), Answers { centers: Vec::new(), sources })
    }

    /// Names, keys and addresses of a fleet, in words such as `echo_1234567 (||echo|1234567): http://a`.
    fn shown(fleet: &Fleet) -> Vec<String> {
        let member = |entry: &crate::fleet::key_entry::KeyEntry| -> Vec<String> {
            let Key { env, region, app, commit } = &entry.key;
            let line = |member: &crate::fleet::key_entry::ServiceName| {
                let addresses: Vec<&str> = member.addresses().map(|listing| &*listing.address).collect();
                format!("{} ({env}|{region}|{app}|{commit}): {}", member.name, addresses.join(" "))
            };
            entry.members.iter().map(line).collect()
        };
        fleet.entries.iter().flat_map(member).collect()
    }

    const ECHO: &str = "staging_th_echo_master_845820727e";
    const FIELDS: [(&str, &str); 5] = [
        ("env", "staging"),
        ("region", "th"),
        ("app", "echo"),
        ("branch", "master"),
        ("commit", "845820727e"),
    ];

    #[test]
    fn a_name_is_read_and_fields_are_stored_as_given() {
        let fleet = from_sources(vec![listed(
            "x",
            &[
                group("a:1", &[("service", ECHO)]),
                group("b:1", &[("app", "echo"), ("commit", "1234567")]),
                group(
                    "c:1",
                    &[
                        ("env", "a_b"),
                        ("region", "c"),
                        ("app", "d"),
                        ("branch", "f/x"),
                        ("commit", "1234567"),
                    ],
                ),
                group("d:1", &[("service", "echo")]),
                group("e:1", &[("env", "staging"), ("app", "echo")]),
            ],
        )]);
        assert_eq!(
            shown(&fleet),
            [
                "echo (||echo|): http://d:1",
                "echo_1234567 (||echo|1234567): http://b:1",
                "a_b_c_d_f/x_1234567 (a_b|c|d|1234567): http://c:1",
                "staging_echo (staging||echo|): http://e:1",
                "staging_th_echo_master_845820727e (staging|th|echo|845820727e): http://a:1",
            ]
        );
        assert!(!fleet.is_partial());
    }

    #[test]
    fn fields_and_a_name_that_reads_as_them_are_one_service_which_a_center_may_list_too() {
        let sources = vec![listed("x", &[group("a:1", &FIELDS), group("b:1", &[("service", ECHO)])])];
        let answers = Answers { centers: vec![center(ECHO, &["http://a:1", "http://c:1"])], sources };
        let fleet = assemble(StoredFleet::default(), answers);
        let line = format!("{ECHO} (staging|th|echo|845820727e): http://a:1 http://c:1 http://b:1");
        assert_eq!(shown(&fleet), [line]);
    }

    #[test]
    fn fields_whose_name_reads_as_others_are_apart_from_those() {
        // The name of both is a_b_c_d_1234567, which a center registered as env a.
        let given = [("env", "a_b"), ("region", "c"), ("app", "d"), ("commit", "1234567")];
        let sources = vec![listed("x", &[group("a:1", &given)])];
        let answers = Answers { centers: vec![center("a_b_c_d_1234567", &["http://b:1"])], sources };
        let fleet = assemble(StoredFleet::default(), answers);
        assert_eq!(
            shown(&fleet),
            ["a_b_c_d_1234567 (a|b|c|1234567): http://b:1", "a_b_c_d_1234567 (a_b|c|d|1234567): http://a:1"]
        );
    }

    #[test]
    fn a_short_commit_is_the_longer_one_that_is_known_or_listed_beside_it() {
        let fields = |commit: &'static str| {
            let mut fields = FIELDS;
            fields[4].1 = commit;
            fields
        };
        let short = "staging_th_echo_master_8458207";
        let list = || {
            vec![listed(
                "x",
                &[
                    group("a:1", &fields("8458207")),
                    group("b:1", &[("service", short)]),
                    group("c:1", &fields("84582072")),
                ],
            )]
        };
        let fleet = assemble(
            StoredFleet::default(),
            Answers { centers: vec![center(ECHO, &["http://d:1"])], sources: list() },
        );
        let all = format!("{ECHO} (staging|th|echo|845820727e): http://d:1 http://a:1 http://b:1 http://c:1");
        assert_eq!(shown(&fleet), [all]);
        let fleet = from_sources(list());
        let all =
            "staging_th_echo_master_84582072 (staging|th|echo|84582072): http://a:1 http://b:1 http://c:1";
        assert_eq!(shown(&fleet), [all]);
        // Another app is another matter.
        let other = listed("x", &[group("a:1", &[("app", "echo"), ("commit", "8458207")])]);
        let answers = Answers { centers: vec![center(ECHO, &["http://d:1"])], sources: vec![other] };
        assert_eq!(
            shown(&assemble(StoredFleet::default(), answers))[0],
            "echo_8458207 (||echo|8458207): http://a:1"
        );
    }

    #[test]
    fn an_address_counts_once_under_the_source_that_stands_first() {
        let app = |app| [("app", app)];
        let sources = || {
            vec![
                listed("x", &[group("a:1", &app("one"))]),
                listed("y", &[group("a:1", &app("two")), group("b:1", &app("two"))]),
            ]
        };
        let fleet = from_sources(sources());
        assert_eq!(shown(&fleet), ["one (||one|): http://a:1", "two (||two|): http://b:1"]);
        let centers = vec![center(ECHO, &["http://a:1", "http://b:1", "http://c:1"])];
        let fleet = assemble(StoredFleet::default(), Answers { centers, sources: sources() });
        assert_eq!(shown(&fleet)[2], format!("{ECHO} (staging|th|echo|845820727e): http://c:1"));
        // Both sources of one key: one address.
        let fleet = from_sources(vec![
            listed("x", &[group("a:1", &app("one"))]),
            listed("y", &[group("A:1", &app("one"))]),
        ]);
        assert_eq!(shown(&fleet), ["one (||one|): http://a:1"]);
        assert_eq!(fleet.entries[0].sources_of("http://a:1").len(), 2);
    }

    #[test]
    fn a_source_that_fails_keeps_its_place_before_later_ones_and_centers() {
        let failed = || SourceAnswer { name: "x".to_owned(), answer: Some(Err("it is empty".to_owned())) };
        let other = listed("y", &[group("a:1", &[("app", "other")])]);
        let centers = vec![center(ECHO, &["http://b:1"])];
        let fleet = assemble(known(), Answers { centers, sources: vec![failed(), other] });
        assert_eq!(shown(&fleet)[0], "echo (||echo|): http://a:1 http://b:1");
    }

    #[test]
    fn without_asking_sources_count_in_the_order_in_which_they_were_given() {
        let with = |places: [u32; 2]| {
            let mut known = known();
            let one = known.listings[0].clone();
            let other = ServiceFields { app: "other".to_owned(), ..ServiceFields::default() };
            known.keys.push((KeyId(2), Some(other.key())));
            let service = crate::fleet::ids::ServiceId(2);
            known.services.push(StoredService {
                id: service,
                name: other.stored(),
                has_fields: true,
                place: Some((KeyId(2), String::new())),
            });
            known.listings.push(ListedAddress { service, lister: Lister::Targets("y".into()), ..one });
            for (name, place) in ["x", "y"].into_iter().zip(places) {
                let source = KnownSource { asked_at: Some(at(-5)), place, last_listed_at: Some(at(-5)) };
                known.sources.insert(name.to_owned(), source);
            }
            let answers = known.without_asking();
            shown(&assemble(known, answers))
        };
        assert_eq!(with([1, 2]), ["echo (||echo|): http://a:1 http://b:1", "other (||other|): "]);
        assert_eq!(with([2, 1]), ["echo (||echo|): http://b:1", "other (||other|): http://a:1"]);
        // An earlier release stored no order.
        assert_eq!(with([1, 1]), ["echo (||echo|): http://a:1 http://b:1", "other (||other|): "]);
    }

    /// A fleet of which the database knows that source `x` lists `http://a:1` and `http://b:1` of `echo`, by fields.
    fn known() -> StoredFleet {
        known_as(&ServiceFields { app: "echo".to_owned(), ..ServiceFields::default() })
    }

    /// The same of the service with these fields.
    fn known_as(fields: &ServiceFields) -> StoredFleet {
        let service = crate::fleet::ids::ServiceId(1);
        let address = |host: &str| ListedAddress {
            service,
            address: format!("http://{host}:1").into(),
            lister: Lister::Targets("x".into()),
            facts: Some(Arc::default()),
            listed_at: at(-10),
            listed: true,
            unlisted_at: None,
        };
        let source = KnownSource { asked_at: Some(at(-5)), place: 1, last_listed_at: Some(at(-5)) };
        StoredFleet {
            keys: vec![(KeyId(1), Some(fields.key()))],
            services: vec![StoredService {
                id: service,
                name: fields.stored(),
                has_fields: true,
                place: Some((KeyId(1), fields.branch.clone())),
            }],
            listings: vec![address("a"), address("b")],
            sources: [("x".to_owned(), source)].into(),
            ..StoredFleet::default()
        }
    }

    #[test]
    fn what_left_the_list_is_offline_and_what_stays_keeps_its_time() {
        let sources = vec![listed("x", &[group("b:1", &[("app", "echo")])])];
        let fleet = assemble(known(), Answers { centers: Vec::new(), sources });
        assert_eq!(shown(&fleet), ["echo (||echo|): http://b:1"]);
        assert_eq!(fleet.entries[0].listed_at("http://b:1"), Some(at(-10)));
        let changes = format!("{:?}", fleet.changes);
        assert!(changes.contains("TargetUnlisted") && !changes.contains("TargetListed {"), "{changes}");
        // Only a list without entries empties a source.
        let emptied = assemble(known(), Answers { centers: Vec::new(), sources: vec![listed("x", &[])] });
        assert_eq!(shown(&emptied), ["echo (||echo|): "]);
        assert_eq!(format!("{:?}", emptied.changes).matches("TargetUnlisted").count(), 2);
    }

    #[test]
    fn the_last_list_stands_in_for_a_source_that_failed() {
        let failed = SourceAnswer { name: "x".to_owned(), answer: Some(Err("it is empty".to_owned())) };
        let fleet = assemble(known(), Answers { centers: Vec::new(), sources: vec![failed] });
        assert_eq!(shown(&fleet), ["echo (||echo|): http://a:1 http://b:1"]);
        assert!(fleet.entries[0].is_assumed("http://a:1") && fleet.is_partial() && fleet.changes.is_empty());
        assert_eq!(fleet.failed_sources[0].last_heard, Some(at(-5)));
    }

    #[test]
    fn a_source_that_a_run_was_not_given_is_not_judged() {
        let answers = Answers { centers: Vec::new(), sources: vec![listed("y", &[])] };
        let fleet = assemble(known(), answers);
        assert_eq!(shown(&fleet), ["echo (||echo|): "]);
        assert_eq!(fleet.entries[0].members[0].not_asked_since, Some(at(-5)));
        assert_eq!((fleet.unasked_sources["x"].services, fleet.changes.len()), (1, 1));
        // Without asking anybody, the sources of the last pull count.
        let fleet = assemble(known(), known().without_asking());
        assert_eq!(shown(&fleet), ["echo (||echo|): http://a:1 http://b:1"]);
        assert!(!fleet.is_partial());
    }

    #[test]
    fn what_is_told_of_a_target_is_remembered_when_it_changes() {
        let with_pod = group("a:1", &[("app", "echo"), ("pod", "echo-0")]);
        let sources = vec![listed("x", &[with_pod, group("b:1", &[("app", "echo")])])];
        let fleet = assemble(known(), Answers { centers: Vec::new(), sources });
        let told: Vec<&Change> =
            fleet.changes.iter().filter(|change| matches!(change, Change::TargetListed { .. })).collect();
        let [Change::TargetListed { address, facts, at: since, .. }] = told[..] else { panic!("{told:?}") };
        assert_eq!((&**address, facts.pod.as_deref(), *since), ("http://a:1", Some("echo-0"), at(-10)));
    }

    #[test]
    fn a_target_that_cannot_be_asked_is_left_out_with_its_reason() {
        let fleet = from_sources(vec![listed(
            "x",
            &[
                group("a:1", &[("env", "staging")]),
                group("b:1", &[("app", "echo"), ("agent", "coverport")]),
                group("c:1", &[("app", "echo"), ("agent", "goc")]),
            ],
        )]);
        assert_eq!(shown(&fleet), ["echo (||echo|): http://b:1 http://c:1"]);
        let (name, list) = &fleet.sources[0];
        let bad: Vec<String> = list.bad.iter().map(ToString::to_string).collect();
        assert_eq!((name.as_str(), list.bad_count), ("x", 1));
        let reason = "no pull has asked its process yet, so its app, which no label names, is not known";
        assert_eq!(bad, [format!("\"http://a:1\": {reason}")]);
        assert!(fleet.is_partial());
    }

    /// The source `x` with the target `http://a:1`, whose process gave this answer.
    fn answering(labels: &[(&str, &str)], program: ProgramAnswer) -> SourceAnswer {
        let mut source = listed("x", &[group("a:1", labels)]);
        let Some(Ok(list)) = &mut source.answer else { panic!("a list") };
        list.targets[0].program = program;
        source
    }

    fn told(commit: &str, name: NameAnswer) -> ProgramAnswer {
        ProgramAnswer::Told(Box::new(ToldProgram::new(Some(commit), name)))
    }

    fn package(path: &str) -> NameAnswer {
        NameAnswer::Named(ProgramName::new(Some(path), None).unwrap())
    }

    /// The same with a target that lacks a commit, whose process told one, told none (`""`) or did not answer.
    fn lacking(app: &str, commit: Option<&str>) -> SourceAnswer {
        let program =
            commit.map_or(ProgramAnswer::Silent(Silence::Cut), |commit| told(commit, NameAnswer::Unasked));
        answering(&[("app", app)], program)
    }

    fn notes(fleet: &Fleet) -> Vec<&str> {
        fleet.sources.iter().flat_map(|(_, list)| &list.notes).map(String::as_str).collect()
    }

    #[test]
    fn a_target_without_commit_is_of_the_one_that_its_process_tells() {
        let with = |known, source| {
            let fleet = assemble(known, Answers { centers: Vec::new(), sources: vec![source] });
            (shown(&fleet), fleet.sources[0].1.bad_count)
        };
        let told = lacking("echo", Some("845820727E"));
        let expected = vec!["echo_845820727e (||echo|845820727e): http://a:1".to_owned()];
        assert_eq!(with(StoredFleet::default(), told), (expected, 0));
        let none = vec!["echo (||echo|): http://a:1".to_owned()];
        assert_eq!(with(StoredFleet::default(), lacking("echo", Some(""))), (none, 0));
        // Nobody tells: it stays what it was, or is left out.
        assert_eq!(with(StoredFleet::default(), lacking("echo", None)), (Vec::new(), 1));
        let stands = vec!["echo (||echo|): http://a:1".to_owned()];
        assert_eq!(with(known(), lacking("echo", None)), (stands, 0));
        let other = vec!["echo (||echo|): ".to_owned()];
        assert_eq!(with(known(), lacking("other", None)), (other, 1));
    }

    #[test]
    fn the_commit_of_a_label_or_a_full_name_gives_way_to_another_that_the_agent_tells() {
        let commit = |label, commit| {
            let source = answering(&[("app", "echo"), ("commit", label)], told(commit, NameAnswer::Unasked));
            let fleet = from_sources(vec![source]);
            (fleet.entries[0].key.commit.clone(), notes(&fleet).len())
        };
        assert_eq!(commit("1234567", ""), ("1234567".to_owned(), 0));
        assert_eq!(commit("1234567", "no commit"), ("1234567".to_owned(), 0));
        assert_eq!(commit("1234567", "123456789ab"), ("123456789ab".to_owned(), 0));
        assert_eq!(commit("123456789ab", "1234567"), ("123456789ab".to_owned(), 0));
        assert_eq!(commit("1234567", "845820727e"), ("845820727e".to_owned(), 1));

        let source = answering(&[("service", ECHO)], told("0123456789", NameAnswer::Unasked));
        let fleet = from_sources(vec![source]);
        let name = "staging_th_echo_master_0123456789";
        assert_eq!(shown(&fleet), [format!("{name} (staging|th|echo|0123456789): http://a:1")]);
        let said = "\"http://a:1\": its label service names commit 845820727e, and its agent tells 0123456789, which counts";
        assert_eq!(notes(&fleet), [said]);
        let source = answering(&[("service", "echo")], told("0123456789", NameAnswer::Unasked));
        assert_eq!(shown(&from_sources(vec![source])), ["echo (||echo|): http://a:1"]);
    }

    #[test]
    fn where_a_label_lost_before_the_target_stays_what_its_agent_told() {
        let silent =
            || answering(&[("app", "echo"), ("commit", "1234567")], ProgramAnswer::Silent(Silence::Cut));
        let with = |known: StoredFleet| {
            shown(&assemble(known, Answers { centers: Vec::new(), sources: vec![silent()] }))
        };
        let told = || {
            known_as(&ServiceFields {
                app: "echo".to_owned(),
                commit: "89abcde".to_owned(),
                ..ServiceFields::default()
            })
        };
        let coverport = StoredFleet { coverport: ["http://a:1".to_owned()].into(), ..told() };
        assert_eq!(with(coverport), ["echo_89abcde (||echo|89abcde): http://a:1"]);
        // The label is new, because the agent tells no commit.
        assert_eq!(
            with(told()),
            ["echo_1234567 (||echo|1234567): http://a:1", "echo_89abcde (||echo|89abcde): "]
        );
    }

    #[test]
    fn an_app_that_no_label_names_is_that_of_the_program() {
        let with = |source| {
            let fleet = from_sources(vec![source]);
            let bad = fleet.sources[0].1.bad.first().map(ToString::to_string);
            (shown(&fleet), bad)
        };
        let named = |line: &str| (vec![format!("{line}: http://a:1")], None);
        let cart = || told("845820727e", package("example.com/acme/cart/cmd/cart"));
        assert_eq!(with(answering(&[], cart())), named("cart_845820727e (||cart|845820727e)"));
        assert_eq!(
            with(answering(&[("env", "staging")], told("", package("example.com/shop/v2")))),
            named("staging_shop (staging||shop|)")
        );
        let left_out = |why: &str| {
            let reason = format!("\"http://a:1\": {why}, so its app, which no label names, is not known");
            (Vec::<String>::new(), Some(reason))
        };
        assert_eq!(
            with(answering(&[], ProgramAnswer::Silent(Silence::Cut))),
            left_out("the run ended before it answered")
        );
        let refused = ProgramAnswer::Silent(Silence::Failed("no connection: connection refused".to_owned()));
        assert_eq!(
            with(answering(&[], refused)),
            left_out("it does not answer (no connection: connection refused)")
        );
        assert_eq!(
            with(answering(&[], ProgramAnswer::Unasked)),
            left_out("no pull has asked its process yet")
        );
        assert_eq!(
            with(answering(&[], ProgramAnswer::Mute)),
            left_out("no agent that tells its program answers there")
        );
        assert_eq!(
            with(answering(&[], told("", NameAnswer::Nameless))),
            left_out("its agent does not tell its program")
        );
        let goc = answering(&[("agent", "goc")], ProgramAnswer::Unasked);
        assert_eq!(with(goc), left_out("an agent of goc does not tell its program"));
    }

    #[test]
    fn a_target_without_an_app_stays_what_it_was_until_its_process_tells_another_program() {
        let fields = ServiceFields {
            app: "acme/cart".to_owned(),
            commit: "1234567".to_owned(),
            ..ServiceFields::default()
        };
        let with = |program| {
            let answers = Answers { centers: Vec::new(), sources: vec![answering(&[], program)] };
            let fleet = assemble(known_as(&fields), answers);
            let listed: Vec<String> = shown(&fleet).into_iter().filter(|line| line.ends_with(":1")).collect();
            (listed, fleet.entries[0].is_named_by_program("http://a:1"))
        };
        let same = (vec!["acme/cart_1234567 (||acme/cart|1234567): http://a:1".to_owned()], true);
        assert_eq!(with(ProgramAnswer::Silent(Silence::Cut)), same);
        assert_eq!(with(ProgramAnswer::Unasked), same);
        assert_eq!(with(ProgramAnswer::Mute), same);
        assert_eq!(with(told("1234567", NameAnswer::Unasked)), same);
        assert_eq!(with(told("1234567", package("example.com/acme/cart"))), same);
        let next = with(told("89abcde", NameAnswer::Unasked)).0;
        assert_eq!(next, ["acme/cart_89abcde (||acme/cart|89abcde): http://a:1"]);
        let other = with(told("1234567", package("example.com/acme/shop"))).0;
        assert_eq!(other, ["shop_1234567 (||shop|1234567): http://a:1"]);
        assert_eq!(with(told("", NameAnswer::Nameless)).0, Vec::<String>::new());
    }

    #[test]
    fn two_programs_never_have_the_same_app_whatever_the_order_of_the_list() {
        let target = |address: &str, path: &str| (address.to_owned(), package(path));
        let targets = [
            target("a:1", "example.com/b/cart"),
            target("b:1", "example.com/a/cart"),
            target("c:1", "example.com/a/cart"),
            ("d:1".to_owned(), NameAnswer::Named(ProgramName::new(None, Some("/bin/cart")).unwrap())),
        ];
        let source = |order: [usize; 4], taken: &[(String, ProgramName)]| {
            let groups: Vec<serde_json::Value> = order.iter().map(|&at| group(&targets[at].0, &[])).collect();
            let mut source = listed("x", &groups);
            let Some(Ok(list)) = &mut source.answer else { panic!("a list") };
            for (at, target) in order.into_iter().zip(&mut list.targets) {
                let mut told = ToldProgram::new(Some("1234567"), targets[at].1.clone());
                told.taken = taken.to_vec();
                target.program = ProgramAnswer::Told(Box::new(told));
            }
            source
        };
        for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
            let fleet = from_sources(vec![source(order, &[])]);
            let mut found: Vec<String> =
                shown(&fleet).into_iter().filter(|line| line.starts_with('b')).collect();
            found.extend(
                shown(&fleet)
                    .into_iter()
                    .filter(|line| line.starts_with('c'))
                    .map(|line| line[..12].to_owned()),
            );
            assert_eq!(found, ["b/cart_1234567 (||b/cart|1234567): http://a:1", "cart_1234567"]);
            let said = "\"http://a:1\": its program example.com/b/cart has the app b/cart, because cart is the app of \
                        example.com/a/cart there; a label app names it otherwise";
            assert_eq!(notes(&fleet), [said]);
            let reason = "\"http://d:1\": the name of its binary, cart, is the app of another program, so its app, which no \
                          label names, is not known";
            assert_eq!(fleet.sources[0].1.bad[0].to_string(), reason);
        }
        // The program whose data is stored keeps its app.
        let stored = ("cart".to_owned(), ProgramName::new(Some("example.com/b/cart"), None).unwrap());
        let fleet = from_sources(vec![source([0, 1, 2, 3], &[stored])]);
        assert_eq!(shown(&fleet)[0], "a/cart_1234567 (||a/cart|1234567): http://b:1 http://c:1");
    }
}
