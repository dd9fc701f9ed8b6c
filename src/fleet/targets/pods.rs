//! Form two: pods, as `kubectl get pods -o json` prints them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::labels::{Labels, MAX_VALUE_BYTES};
use super::list::{Collected, PodReason};
use super::template::{Template, Value};
use super::{DEFAULT_PORT, ProgramAnswer, Target, TargetFacts, TargetService};
use crate::address::target_url;

/// Beginning of the annotations that are about coverage.
const ANNOTATION: &str = "goc-watchdog/";
/// Name of a container port that serves coverage.
const PORT_NAME: &str = "coverage";
/// Annotations that mean something, beside those of the template.
const ANNOTATIONS: [&str; 6] = ["port", "service", "scheme", "agent", "meta", "counters"];
/// Elements of a list, and entries of a map, that are kept of a pod. More than any pod has.
const MOST_ELEMENTS: usize = 1024;

/// A pod, or another object among pods, with the fields that are used.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    #[serde(deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    spec: Spec,
    #[serde(deserialize_with = "or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    #[serde(deserialize_with = "or_default")]
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    uid: Option<String>,
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(deserialize_with = "or_default")]
    labels: Texts,
    #[serde(deserialize_with = "or_default")]
    annotations: Texts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    containers: Few<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    ports: Few<Port>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    #[serde(deserialize_with = "or_default")]
    name: String,
    container_port: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    phase: String,
    #[serde(rename = "podIP", deserialize_with = "or_default")]
    pod_ip: String,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Few<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    #[serde(deserialize_with = "or_default")]
    name: String,
    restart_count: u64,
}

/// Reads `null` as the default, as Go writes an empty list or map.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// The first elements of a list; the rest is read and dropped.
#[derive(Default)]
struct Few<T>(Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(list: D) -> Result<Self, D::Error> {
        list.deserialize_seq(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
        let mut few = Vec::new();
        while few.len() < MOST_ELEMENTS
            && let Some(element) = list.next_element()?
        {
            few.push(element);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Few(few))
    }
}

/// Labels or annotations; those that are too long to be used, and all beyond very many, are dropped.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(map: D) -> Result<Self, D::Error> {
        map.deserialize_map(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("texts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let mut texts = BTreeMap::new();
        while texts.len() < MOST_ELEMENTS
            && let Some((name, text)) = map.next_entry::<String, String>()?
        {
            if name.len() <= MAX_VALUE_BYTES && text.len() <= MAX_VALUE_BYTES {
                texts.insert(name, text);
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Texts(texts))
    }
}

impl Texts {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the annotations about coverage, without the beginning of their names.
    fn about_coverage(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, text)| Some((name.strip_prefix(ANNOTATION)?, text.as_str())))
    }
}

/// Reads the list of pods.
pub(super) struct PodsSeed<'c> {
    pub(super) collected: &'c mut Collected,
    pub(super) template: &'c Template,
}

impl<'de> DeserializeSeed<'de> for PodsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, pods: D) -> Result<(), D::Error> {
        // Go writes an empty list as null where nobody made one.
        pods.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for PodsSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of pods")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, pods: D) -> Result<(), D::Error> {
        pods.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pods: A) -> Result<(), A::Error> {
        while let Some(pod) = pods.next_element::<Pod>()? {
            self.collected.note_kind(&pod.kind);
            match pod.why_no_target() {
                Some(reason) => self.collected.pass_over(reason),
                None => {
                    let is_known = |name: &str| {
                        ANNOTATIONS.contains(&name)
                            || self.template.uses_annotation(&format!("{ANNOTATION}{name}"))
                    };
                    for (name, _) in pod.metadata.annotations.about_coverage() {
                        if !is_known(name) {
                            self.collected.note_unknown(&format!("{ANNOTATION}{name}"));
                        }
                    }
                    let name = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
                    self.collected.add(&name, pod.target(self.template)).map_err(A::Error::custom)?;
                }
            }
        }
        Ok(())
    }
}

impl Pod {
    fn why_no_target(&self) -> Option<PodReason> {
        let Self { kind, metadata, status, .. } = self;
        let is_marked = metadata.annotations.about_coverage().next().is_some() || self.named_port().is_some();
        if !kind.is_empty() && kind != "Pod" {
            Some(PodReason::NotAPod)
        } else if !is_marked {
            Some(PodReason::NotMarked)
        } else if status.phase != "Running" {
            Some(PodReason::NotRunning)
        } else if metadata.deletion_timestamp.is_some() {
            Some(PodReason::BeingDeleted)
        } else if status.pod_ip.is_empty() {
            Some(PodReason::NoAddress)
        } else {
            None
        }
    }

    /// Returns the first port that is named for coverage, with its container.
    fn named_port(&self) -> Option<(&Container, u64)> {
        let named = |container: &'_ Container| {
            container.ports.0.iter().find(|port| port.name == PORT_NAME).map(|port| port.container_port)
        };
        self.spec.containers.0.iter().find_map(|container| Some((container, named(container)?)))
    }

    /// Returns the target that this pod is; fails with a clause.
    fn target(&self, template: &Template) -> Result<Target, String> {
        let Self { metadata, status, .. } = self;
        let mut labels = Labels::default();
        for (name, text) in
            metadata.annotations.about_coverage().filter(|(name, _)| ANNOTATIONS.contains(name))
        {
            // The port stands for itself below.
            if let Some(place) = labels.place(name) {
                *place = Some(text.to_owned());
            }
        }
        let (port, container) = self.port()?;
        let host = match status.pod_ip.contains(':') {
            true => format!("[{}]:{port}", status.pod_ip),
            false => format!("{}:{port}", status.pod_ip),
        };
        let address = target_url(&host, labels.scheme.as_deref(), DEFAULT_PORT)
            .map_err(|error| format!("\"{host}\" is no address: {}", error.fault))?;
        let service = match labels.service.as_ref().filter(|name| !name.is_empty()) {
            Some(name) => TargetService::Name(name.clone()),
            None => TargetService::Fields(template.fields(|value| self.value(value))),
        };
        let restarts = container.and_then(|container| self.restarts(container));
        let pod = Some(metadata.name.clone()).filter(|name| !name.is_empty());
        let uid = metadata.uid.clone().filter(|uid| !uid.is_empty() && uid.len() <= MAX_VALUE_BYTES);
        let facts = TargetFacts { agent: labels.agent()?, pod, uid, restarts };
        Ok(Target { address, service, facts, program: ProgramAnswer::default() })
    }

    /// Returns the port that serves coverage, and the container that has it where that can be told.
    fn port(&self) -> Result<(u16, Option<&Container>), String> {
        let Some(annotation) = self.metadata.annotations.get("goc-watchdog/port") else {
            return match self.named_port() {
                Some((container, port)) => Ok((port_number(&port.to_string())?, Some(container))),
                None => Ok((DEFAULT_PORT, self.container_of(DEFAULT_PORT))),
            };
        };
        let port = port_number(annotation)?;
        Ok((port, self.container_of(port)))
    }

    /// Returns the container that declares a port, or the only one.
    fn container_of(&self, port: u16) -> Option<&Container> {
        let containers = &self.spec.containers.0;
        let declares = |container: &&Container| {
            container.ports.0.iter().any(|declared| declared.container_port == u64::from(port))
        };
        let only = || containers.first().filter(|_| containers.len() == 1);
        containers.iter().find(declares).or_else(only)
    }

    fn restarts(&self, container: &Container) -> Option<u64> {
        let mut statuses = self.status.container_statuses.0.iter();
        statuses.find(|status| status.name == container.name).map(|status| status.restart_count)
    }

    fn value(&self, value: &Value) -> Option<&str> {
        match value {
            Value::Namespace => Some(&self.metadata.namespace),
            Value::Name => Some(&self.metadata.name),
            Value::Label(name) => self.metadata.labels.get(name),
            Value::Annotation(name) => self.metadata.annotations.get(name),
        }
    }
}

fn port_number(text: &str) -> Result<u16, String> {
    let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    number.ok_or_else(|| format!("its port \"{text}\" is not between 1 and 65535"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::fleet::targets::{AgentKind, ServiceFields, TargetLimits, TargetList, read};

    /// A pod as kubectl prints it, changed by a merge patch (RFC 7396).
    fn pod(patch: &Json) -> Json {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "echo-7f-x", "namespace": "staging", "uid": "u-1", "generateName": "echo-7f-",
                "labels": {"app.kubernetes.io/name": "apa_goc", "region": "th", "branch": "master", "pod-template-hash": "7f"},
                "annotations": {"goc-watchdog/commit": "845820727e", "kubernetes.io/psp": "x"},
            },
            "spec": {
                "containers": [
                    {"name": "proxy", "ports": [{"containerPort": 9000, "name": "http", "protocol": "TCP"}]},
                    {"name": "main", "env": [{"name": "X", "value": "y"}], "ports": [{"containerPort": 8080, "name": "coverage"}]},
                ],
                "nodeName": "n1",
            },
            "status": {
                "phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
                "containerStatuses": [
                    {"name": "main", "restartCount": 3, "ready": true},
                    {"name": "proxy", "restartCount": 7},
                ],
            },
        });
        merge(&mut pod, patch);
        pod
    }

    fn merge(target: &mut Json, patch: &Json) {
        let Json::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (name, value) in patch {
            match value {
                Json::Null => drop(target.as_object_mut().unwrap().remove(name)),
                value => merge(target.as_object_mut().unwrap().entry(name).or_insert(Json::Null), value),
            }
        }
    }

    fn list_of(pods: &[Json]) -> TargetList {
        let answer =
            json!({"apiVersion": "v1", "items": pods, "kind": "List", "metadata": {"resourceVersion": ""}});
        let limits = TargetLimits { max_bytes: 1 << 20, max_targets: 1000 };
        read(answer.to_string().as_bytes(), &Template::default(), limits).unwrap()
    }

    /// The target that a changed pod is, or its fault.
    fn target(patch: &Json) -> Result<Target, String> {
        let list = list_of(&[pod(patch)]);
        match (&list.targets[..], &list.bad[..]) {
            ([target], []) => Ok(target.clone()),
            ([], [bad]) => Err(bad.to_string()),
            other => panic!("{other:?} {:?}", list.passed_over),
        }
    }

    fn annotated(annotations: &Json) -> Result<Target, String> {
        target(&json!({"metadata": {"annotations": annotations}}))
    }

    #[test]
    fn a_running_pod_with_a_port_named_coverage_is_a_target() {
        let fields = ["staging", "th", "apa_goc", "master", "845820727e"].map(str::to_owned);
        let [env, region, app, branch, commit] = fields;
        let expected = Target {
            address: "http://10.1.2.3:8080".to_owned(),
            service: TargetService::Fields(ServiceFields { env, region, app, branch, commit }),
            facts: TargetFacts {
                agent: None,
                pod: Some("echo-7f-x".to_owned()),
                uid: Some("u-1".to_owned()),
                restarts: Some(3),
            },
            program: ProgramAnswer::Unasked,
        };
        assert_eq!(target(&json!({})), Ok(expected));
    }

    #[test]
    fn the_port_is_that_of_the_annotation_else_the_named_one_else_53700() {
        let at = |patch: Json| target(&patch).map(|target| (target.address, target.facts.restarts));
        let http = |port: u16| format!("http://10.1.2.3:{port}");
        let annotation = |port: &str| json!({"metadata": {"annotations": {"goc-watchdog/port": port}}});
        let unnamed = json!({"spec": {"containers": [{"name": "main"}, {"name": "proxy"}]}});
        assert_eq!(at(json!({})), Ok((http(8080), Some(3))));
        // The restarts are those of the container that declares the port.
        assert_eq!(at(annotation("9000")), Ok((http(9000), Some(7))));
        assert_eq!(at(annotation("53701")), Ok((http(53701), None)));
        assert_eq!(at(unnamed), Ok((http(53700), None)));
        let only = json!({"spec": {"containers": [{"name": "main", "ports": null}]}});
        assert_eq!(at(only), Ok((http(53700), Some(3))));
        for port in ["", "0", "65536", "-1", "8080 ", "http", "+1"] {
            let expected = format!("\"staging/echo-7f-x\": its port \"{port}\" is not between 1 and 65535");
            assert_eq!(at(annotation(port)), Err(expected));
        }
        let far = json!({"spec": {"containers": [{"name": "main", "ports": [{"name": "coverage", "containerPort": 70000}]}]}});
        assert_eq!(
            at(far).unwrap_err(),
            "\"staging/echo-7f-x\": its port \"70000\" is not between 1 and 65535"
        );
    }

    #[test]
    fn the_address_is_the_ip_of_the_pod_also_of_version_6() {
        let at = |ip: &str| target(&json!({"status": {"podIP": ip}})).map(|target| target.address);
        assert_eq!(at("fd00::0:1"), Ok("http://[fd00::1]:8080".to_owned()));
        assert_eq!(at("x y").unwrap_err().split(": ").next(), Some("\"staging/echo-7f-x\""));
        let https = annotated(&json!({"goc-watchdog/scheme": "https"})).unwrap();
        assert_eq!(https.address, "https://10.1.2.3:8080");
    }

    #[test]
    fn the_service_is_that_of_the_annotation_else_of_the_template() {
        let named = annotated(&json!({"goc-watchdog/service": "a_b_c_d_1234567"})).unwrap();
        assert_eq!(named.service, TargetService::Name("a_b_c_d_1234567".to_owned()));
        let plain = target(&json!({"metadata": {"labels": null, "annotations": null}})).unwrap();
        let env = "staging".to_owned();
        assert_eq!(plain.service, TargetService::Fields(ServiceFields { env, ..ServiceFields::default() }));
    }

    #[test]
    fn annotations_tell_the_kind_of_agent() {
        let agent = |annotations: Json| annotated(&annotations).map(|target| target.facts.agent);
        let raw =
            json!({"goc-watchdog/agent": "raw", "goc-watchdog/meta": "/m", "goc-watchdog/counters": "/c"});
        let (meta, counters) = ("/m".to_owned(), "/c".to_owned());
        assert_eq!(agent(raw), Ok(Some(AgentKind::Raw { meta, counters })));
        assert!(agent(json!({"goc-watchdog/agent": "x"})).is_err());
    }

    #[test]
    fn other_pods_are_counted_by_what_they_lack() {
        let bare = json!({"metadata": {"annotations": null}, "spec": null});
        let list = list_of(&[
            pod(&json!({})),
            pod(&json!({"status": {"phase": "Pending"}})),
            pod(&json!({"status": {"phase": "Succeeded"}})),
            pod(&json!({"metadata": {"deletionTimestamp": "2026-11-29T12:00:00Z"}})),
            pod(&json!({"status": {"podIP": null}})),
            pod(&bare),
            pod(&json!({"metadata": {"annotations": null}, "spec": null, "status": {"phase": "Failed"}})),
            pod(&json!({"kind": "Service"})),
            json!({}),
        ]);
        let passed_over: Vec<(PodReason, usize)> = list.passed_over.into_iter().collect();
        assert_eq!(list.targets.len(), 1);
        assert_eq!(
            passed_over,
            [
                (PodReason::NotAPod, 1),
                (PodReason::NotMarked, 3),
                (PodReason::NotRunning, 2),
                (PodReason::BeingDeleted, 1),
                (PodReason::NoAddress, 1),
            ]
        );
        // Any annotation about coverage marks a pod.
        let marked = json!({"metadata": {"annotations": {"goc-watchdog/x": ""}}, "spec": null});
        let list = list_of(&[pod(&marked)]);
        assert_eq!((list.targets.len(), list.unknown_labels.len()), (1, 1));
        assert!(list.unknown_labels.contains("goc-watchdog/x"));
    }

    #[test]
    fn nulls_are_read_as_what_is_absent() {
        let nulls = json!({"items": [
            {"metadata": null, "spec": null, "status": null, "kind": null},
            {"metadata": {"annotations": {"goc-watchdog/port": "1"}, "labels": null, "uid": null, "deletionTimestamp": null},
             "spec": {"containers": null},
             "status": {"phase": "Running", "podIP": "10.1.2.3", "containerStatuses": null}},
        ]});
        let limits = TargetLimits { max_bytes: 1 << 20, max_targets: 10 };
        let list = read(nulls.to_string().as_bytes(), &Template::default(), limits).unwrap();
        assert_eq!(list.targets.len(), 1);
        assert_eq!(list.targets[0].facts, TargetFacts::default());
    }

    #[test]
    fn long_lists_and_texts_of_a_pod_are_cut() {
        let labels: serde_json::Map<String, Json> =
            (0..5000).map(|n| (format!("l{n:04}"), json!("x"))).collect();
        let long = json!({"metadata": {"labels": labels, "annotations": {"note": "x".repeat(300_000)}}});
        assert!(target(&long).is_ok());
        let containers = vec![json!({"name": "x", "ports": [{"containerPort": 1}]}); 3000];
        assert!(target(&json!({"spec": {"containers": containers}})).is_ok());
    }
}
