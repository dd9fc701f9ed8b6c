//! Form one: groups of Prometheus' `file_sd` JSON.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::labels::Labels;
use super::lenient::{Given, Object, OfKind, TextValue};
use super::list::Collected;
use super::{DEFAULT_PORT, ProgramAnswer, Target, TargetFacts, TargetService};
use crate::address::target_url;

/// Reads groups, one after the other, into a list.
pub(super) struct GroupSeed<'c> {
    pub(super) collected: &'c mut Collected,
    /// Place of the group in its list, counted from 1.
    pub(super) number: usize,
}

impl<'de> DeserializeSeed<'de> for GroupSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, group: D) -> Result<(), D::Error> {
        let Self { collected, number } = self;
        match OfKind::object(GroupVisitor { collected, number }).deserialize(group)? {
            Given::Value(()) => Ok(()),
            Given::Null | Given::OtherKind => {
                let reason = "it is no object such as {\"targets\": [\"host:port\"], \"labels\": {}}";
                collected.add_unfit(&group_name(number), reason).map_err(D::Error::custom)
            }
        }
    }
}

/// Returns the name of a group for messages: its place in the list.
fn group_name(number: usize) -> String {
    format!("group {number}")
}

struct GroupVisitor<'c> {
    collected: &'c mut Collected,
    number: usize,
}

impl<'de> Visitor<'de> for GroupVisitor<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a group {\"targets\": [\"host:port\"], \"labels\": {}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut group: A) -> Result<(), A::Error> {
        let (mut addresses, mut labels) = (None, Labels::default());
        let mut has_labels_of_other_kind = false;
        while let Some(key) = group.next_key::<String>()? {
            match key.as_str() {
                "targets" => {
                    let visitor = AddressVisitor { room: self.collected.room() };
                    addresses = Some(group.next_value_seed(OfKind::list(visitor))?);
                }
                "labels" => {
                    let visitor = LabelVisitor { collected: &mut *self.collected };
                    let given = Object::from(group.next_value_seed(OfKind::object(visitor))?);
                    (labels, has_labels_of_other_kind) = (given.fields, given.is_other_kind);
                }
                _ => {
                    self.collected.note_unknown(&key);
                    group.next_value::<IgnoredAny>()?;
                }
            }
        }
        let name = group_name(self.number);
        let mut refuse = |reason| self.collected.add_unfit(&name, reason).map_err(A::Error::custom);
        let Addresses { texts, others } = match addresses {
            Some(Given::Value(addresses)) => addresses,
            // Go writes a list that nobody made as null, and Prometheus reads that as an empty one.
            Some(Given::Null) => Addresses::default(),
            Some(Given::OtherKind) => return refuse("its \"targets\" are no list"),
            None => return refuse("it has no \"targets\""),
        };
        if has_labels_of_other_kind {
            return refuse("its \"labels\" are no object");
        }
        for _ in 0..others {
            refuse("one of its targets is no text such as \"host:port\"")?;
        }
        let shared = facts_and_service(&labels).map(|(service, facts)| (Arc::new(service), facts));
        if let (Ok((service, _)), Some(commit)) = (&shared, &labels.commit)
            && matches!(**service, TargetService::Fields(_))
        {
            self.collected.note_commit(commit, texts.len());
        }
        if let Ok((service, _)) = &shared
            && service.lacks_app()
        {
            self.collected.note_misspelt(labels.misspelt, texts.len());
        }
        for address in texts {
            let target = shared.clone().and_then(|(service, facts)| {
                let address = target_url(&address, labels.scheme.as_deref(), DEFAULT_PORT);
                let address = address.map_err(|error| error.fault.to_owned())?;
                Ok(Target { address, service, facts, started_at: None, program: ProgramAnswer::default() })
            });
            self.collected.add(&address, target).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Reads what all targets of a group share.
fn facts_and_service(labels: &Labels) -> Result<(TargetService, TargetFacts), String> {
    if let Some(fault) = &labels.fault {
        return Err(fault.clone());
    }
    let pod = labels.pod.clone().filter(|pod| !pod.is_empty());
    let facts = TargetFacts { agent: labels.agent()?, pod, ..TargetFacts::default() };
    Ok((labels.service(), facts))
}

/// The addresses of a group.
#[derive(Default)]
struct Addresses {
    texts: Vec<String>,
    /// Number of those that are no texts.
    others: usize,
}

/// Reads the addresses of a group, and no more than [`Collected`] takes, which would only see when all are in memory.
struct AddressVisitor {
    room: usize,
}

impl<'de> Visitor<'de> for AddressVisitor {
    type Value = Addresses;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of addresses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut addresses = Addresses::default();
        // The loop reads one address more than there is room for, and `Collected` refuses that one with its message.
        while addresses.texts.len() + addresses.others <= self.room
            && let Some(address) = list.next_element()?
        {
            match address {
                TextValue::Text(text) => addresses.texts.push(text),
                // A number is no address, though 8080 is one of IPv4 as well.
                TextValue::Absent | TextValue::Bare(_) | TextValue::Unfit(_) => addresses.others += 1,
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(addresses)
    }
}

/// Reads the labels of a group, and notes those that mean nothing here.
struct LabelVisitor<'c> {
    collected: &'c mut Collected,
}

impl<'de> Visitor<'de> for LabelVisitor<'_> {
    type Value = Labels;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("labels with texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::default();
        while let Some(name) = given.next_key::<String>()? {
            if Labels::has(&name) {
                labels.take("label ", &name, &given.next_value()?);
                continue;
            }
            // Prometheus has labels of its own, such as __meta_kubernetes_pod_name.
            if !name.starts_with("__") {
                self.collected.note_unknown(&name);
                labels.take_unknown(&name);
            }
            given.next_value::<IgnoredAny>()?;
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::targets::{AgentKind, ServiceFields, ServiceTemplate, TargetLimits, TargetList, read};

    fn list(groups: &Value) -> TargetList {
        let limits = TargetLimits { max_bytes: 1 << 20, max_targets: 1000 };
        read(groups.to_string().as_bytes(), &ServiceTemplate::default(), limits).unwrap()
    }

    /// The only target of a group at `echo:1` with these labels.
    fn target(labels: &Value) -> Result<Target, String> {
        let list = list(&json!([{"targets": ["echo:1"], "labels": labels}]));
        match (&list.targets[..], &list.bad[..]) {
            ([target], []) => Ok(target.clone()),
            ([], [bad]) => Err(bad.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn fields(env: &str, region: &str, app: &str, branch: &str, commit: &str) -> Arc<TargetService> {
        let [env, region, app, branch, commit] = [env, region, app, branch, commit].map(str::to_owned);
        Arc::new(TargetService::Fields(ServiceFields { env, region, app, branch, commit }))
    }

    #[test]
    fn each_address_of_a_group_is_a_target_with_its_labels() {
        let list = list(&json!([
            {"targets": ["10.1.2.3:4", "[fd00::1]"], "labels": {"service": "a_b_c_d_1234567", "pod": "echo-0"}},
            {"labels": {"scheme": "https"}, "targets": ["echo/base"]},
            {"targets": []},
        ]));
        let addresses: Vec<&str> = list.targets.iter().map(|target| target.address.as_str()).collect();
        assert_eq!(addresses, ["http://10.1.2.3:4", "http://[fd00::1]:53700", "https://echo:53700/base"]);
        let facts = TargetFacts { pod: Some("echo-0".to_owned()), ..TargetFacts::default() };
        let service = Arc::new(TargetService::Name("a_b_c_d_1234567".to_owned()));
        for target in &list.targets[..2] {
            assert_eq!((&target.service, &target.facts), (&service, &facts));
        }
        assert_eq!(list.targets[2].service, fields("", "", "", "", ""));
    }

    #[test]
    fn fields_are_stored_as_given_but_for_a_commit_that_is_none() {
        let given = json!({"env": "a_b", "region": "th", "app": "apa_goc", "branch": "feature/x_y", "commit": "845820727E"});
        let service = target(&given).unwrap().service;
        assert_eq!(service, fields("a_b", "th", "apa_goc", "feature/x_y", "845820727e"));
        let TargetService::Fields(given) = &*service else { panic!("fields") };
        assert_eq!(given.to_string(), "a_b_th_apa_goc_feature/x_y_845820727e");
        let service = target(&json!({"app": "echo", "region": "", "commit": "v1.2.3"})).unwrap().service;
        assert_eq!(service, fields("", "", "echo", "", ""));
        assert_eq!(ServiceFields { app: "echo".to_owned(), ..ServiceFields::default() }.to_string(), "echo");
        // A full name counts before fields.
        let both = target(&json!({"service": "x", "app": "echo"})).unwrap().service;
        assert_eq!(*both, TargetService::Name("x".to_owned()));
        assert_eq!(
            target(&json!({"service": "", "app": "echo"})).unwrap().service,
            fields("", "", "echo", "", "")
        );
    }

    #[test]
    fn the_kind_of_agent_is_told_by_labels_or_found_out_later() {
        let agent = |labels| target(&labels).map(|target| target.facts.agent);
        let raw = AgentKind::Raw { meta: "/m".to_owned(), counters: "/c?x=1".to_owned() };
        assert_eq!(agent(json!({})), Ok(None));
        assert_eq!(agent(json!({"agent": ""})), Ok(None));
        assert_eq!(agent(json!({"agent": "goc"})), Ok(Some(AgentKind::Goc)));
        assert_eq!(agent(json!({"agent": "coverport"})), Ok(Some(AgentKind::Coverport)));
        assert_eq!(agent(json!({"agent": "raw", "meta": "/m", "counters": "/c?x=1"})), Ok(Some(raw.clone())));
        assert_eq!(agent(json!({"meta": "/m", "counters": "/c?x=1"})), Ok(Some(raw)));
        for (labels, expected) in [
            (
                json!({"agent": "Goc"}),
                r#""echo:1": its label agent is "Goc", expected goc, coverport or raw"#,
            ),
            (json!({"agent": "raw"}), r#""echo:1": an agent raw needs both labels, meta and counters"#),
            (
                json!({"agent": "raw", "meta": "/m"}),
                r#""echo:1": an agent raw needs both labels, meta and counters"#,
            ),
            (
                json!({"agent": "coverport", "meta": "/m"}),
                r#""echo:1": an agent coverport has neither of the labels meta and counters"#,
            ),
            (
                json!({"meta": "m", "counters": "/c"}),
                r#""echo:1": its label meta is "m", expected a path such as /coverage/meta"#,
            ),
            (
                json!({"meta": "/m", "counters": "//evil/c"}),
                r#""echo:1": its label counters is "//evil/c", expected a path such as /coverage/counters"#,
            ),
            (
                json!({"meta": "/m", "counters": "/c\n"}),
                r#""echo:1": its label counters is "/c\n", expected a path such as /coverage/counters"#,
            ),
        ] {
            assert_eq!(agent(labels).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_bad_address_is_set_aside_by_name_and_the_others_count() {
        let list = list(&json!([{"targets": ["a:0", "echo:1", "\u{1b}[31m:1", "ftp://x"]}]));
        let bad: Vec<String> = list.bad.iter().map(ToString::to_string).collect();
        assert_eq!((list.targets.len(), list.bad_count), (1, 3));
        assert_eq!(bad[0], r#""a:0": the port is not between 1 and 65535"#);
        assert!(bad[1].starts_with(r#""\u{1b}[31m:1": "#), "{}", bad[1]);
        assert_eq!(bad[2], r#""ftp://x": the scheme is neither http nor https"#);
        let scheme = target(&json!({"scheme": "ftp"})).unwrap_err();
        assert_eq!(scheme, r#""echo:1": the scheme is neither http nor https"#);
        let long = target(&json!({"app": "x".repeat(4097)})).unwrap_err();
        assert_eq!(long, r#""echo:1": its label app is longer than 4096 bytes"#);
    }

    #[test]
    fn an_odd_group_is_rejected_by_its_place_and_the_others_count() {
        for (odd, reason) in [
            (json!("a:1"), "it is no object such as {\"targets\": [\"host:port\"], \"labels\": {}}"),
            (json!(null), "it is no object such as {\"targets\": [\"host:port\"], \"labels\": {}}"),
            (json!({"labels": {"env": "x"}}), "it has no \"targets\""),
            (json!({"targets": "a:1"}), "its \"targets\" are no list"),
            (json!({"targets": {"a": 1}}), "its \"targets\" are no list"),
            (json!({"targets": ["a:1"], "labels": [1]}), "its \"labels\" are no object"),
            (json!({"targets": [8080]}), "one of its targets is no text such as \"host:port\""),
        ] {
            let list = list(&json!([{"targets": ["echo:1"]}, odd]));
            let bad: Vec<String> = list.bad.iter().map(ToString::to_string).collect();
            assert_eq!((list.targets.len(), bad), (1, vec![format!("\"group 2\": {reason}")]), "{odd}");
        }
        let env = target(&json!({"env": ["x"]})).unwrap_err();
        assert_eq!(env, r#""echo:1": its label env is no text"#);
    }

    #[test]
    fn numbers_are_texts_and_null_is_absent() {
        let service =
            target(&json!({"env": true, "region": 2, "app": null, "branch": 1.5, "commit": 1_234_567}));
        assert_eq!(service.unwrap().service, fields("true", "2", "", "1.5", "1234567"));
        let nulls =
            list(&json!([{"targets": null, "labels": null}, {"targets": ["echo:1"], "labels": null}]));
        assert_eq!((nulls.targets.len(), nulls.bad_count), (1, 0));
        let lost: Value =
            serde_json::from_str(r#"{"commit": 1234567890123456789012345678901234567890}"#).unwrap();
        assert_eq!(
            target(&lost).unwrap_err(),
            r#""echo:1": its label commit is a number of too many digits; put it in quotes"#
        );
    }

    #[test]
    fn of_a_long_group_one_address_more_than_there_is_room_for_is_held() {
        let read = |list: &Value| {
            let text = list.to_string();
            let mut deserializer = serde_json::Deserializer::from_str(&text);
            let read = OfKind::list(AddressVisitor { room: 10 }).deserialize(&mut deserializer).unwrap();
            deserializer.end().unwrap();
            let Given::Value(Addresses { texts, others }) = read else { panic!("a list") };
            (texts.len(), others)
        };
        assert_eq!(read(&json!(vec!["a:0"; 1000])), (11, 0));
        assert_eq!(read(&json!(vec![0; 1000])), (0, 11));
        assert_eq!(read(&json!(["a", 1, "b"])), (2, 1));
    }

    #[test]
    fn of_many_bad_addresses_the_first_are_named_and_all_are_counted() {
        let addresses: Vec<String> = (0..500).map(|number| format!("{}:0", "x".repeat(number))).collect();
        let list = list(&json!([{ "targets": addresses }]));
        assert_eq!((list.bad.len(), list.bad_count), (10, 500));
    }

    #[test]
    fn labels_of_prometheus_are_ignored_and_unknown_ones_are_named() {
        let labels = json!({"__meta_x": 1, "__address__": "y:1", "team": "apa", "job": "goc", "app": "echo"});
        let list = list(&json!([{"targets": ["echo:1"], "labels": labels, "extra": {"a": [1]}}]));
        let unknown: Vec<&str> = list.unknown_labels.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["extra", "job", "team"]);
        assert_eq!(list.targets.len(), 1);
        let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("l{n}"), json!(""))).collect();
        assert_eq!(self::list(&json!([{"targets": [], "labels": many}])).unknown_labels.len(), 20);
    }
}
