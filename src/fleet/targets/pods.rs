//! Form two: pods, as `kubectl get pods -o json` prints them.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use super::container_status::ContainerStatus;
use super::few::{Few, Texts};
use super::labels::{Labels, MisspeltLabel, meant_by};
use super::lenient::{Object, TextValue};
use super::list::{Collected, PodReason};
use super::template::{ServiceTemplate, Value};
use super::{DEFAULT_PORT, ProgramAnswer, Target, TargetFacts, TargetService};
use crate::address::target_url;

/// Beginning of the annotations that are about coverage.
const ANNOTATION: &str = "goc-watchdog/";
/// Name of a container port that serves coverage.
const PORT_NAME: &str = "coverage";
/// Annotations that mean something, beside those of the template.
const ANNOTATIONS: [&str; 6] = ["port", "service", "scheme", "agent", "meta", "counters"];

/// A pod, or another object among pods, with the fields that are used.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    kind: TextValue,
    metadata: Object<Metadata>,
    spec: Object<Spec>,
    status: Object<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    namespace: TextValue,
    name: TextValue,
    uid: TextValue,
    deletion_timestamp: Option<IgnoredAny>,
    labels: Texts,
    annotations: Texts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    containers: Few<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    name: TextValue,
    ports: Few<Port>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    name: TextValue,
    container_port: TextValue,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: TextValue,
    #[serde(rename = "podIP")]
    pod_ip: TextValue,
    container_statuses: Few<ContainerStatus>,
}

/// Reads the list of pods.
pub(super) struct PodsSeed<'c> {
    pub(super) collected: &'c mut Collected,
    pub(super) template: &'c ServiceTemplate,
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
        let mut number = 0;
        while let Some(Object { fields: pod, is_other_kind }) = pods.next_element::<Object<Pod>>()? {
            number += 1;
            let name = || pod.shown_name().unwrap_or_else(|| format!("pod {number}"));
            if !is_other_kind {
                self.collected.note_kind(pod.kind.as_str());
            }
            let fault = if is_other_kind { Some("it is no object".to_owned()) } else { pod.fault() };
            if let Some(fault) = fault {
                self.collected.add_unfit(&name(), &fault).map_err(A::Error::custom)?;
                continue;
            }
            match pod.why_no_target() {
                Some(reason) => self.collected.pass_over(reason),
                None => {
                    let is_known = |name: &str| {
                        ANNOTATIONS.contains(&name)
                            || self.template.uses_annotation(&format!("{ANNOTATION}{name}"))
                    };
                    for (name, _) in about_coverage(&pod.metadata.fields.annotations) {
                        if !is_known(name) {
                            self.collected.note_unknown(&format!("{ANNOTATION}{name}"));
                            self.collected.note_misspelt(misspelt(name), 1);
                        }
                    }
                    let target = pod.target(self.template);
                    // A full name in an annotation takes the place of the template.
                    if target.as_ref().is_ok_and(|target| matches!(*target.service, TargetService::Fields(_)))
                        && let Some(commit) = pod.commit_text(self.template)
                    {
                        self.collected.note_commit(&commit, 1);
                    }
                    self.collected.add(&name(), target).map_err(A::Error::custom)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the annotations about coverage, without the beginning of their names.
fn about_coverage(annotations: &Texts) -> impl Iterator<Item = (&str, &TextValue)> {
    annotations.given().filter_map(|(name, text)| Some((name.strip_prefix(ANNOTATION)?, text)))
}

impl Pod {
    /// Returns the name for messages; `None` where it has none.
    fn shown_name(&self) -> Option<String> {
        let Metadata { namespace, name, .. } = &self.metadata.fields;
        (*name != TextValue::Absent).then(|| format!("{}/{}", namespace.as_str(), name.as_str()))
    }

    /// Returns the clause that says which part has not the form of that of a pod.
    fn fault(&self) -> Option<String> {
        let Self { kind, metadata, spec, status } = self;
        let (Metadata { namespace, name, labels, annotations, .. }, Status { phase, pod_ip, .. }) =
            (&metadata.fields, &status.fields);
        let containers = &spec.fields.containers;
        let objects = [
            ("metadata", metadata.is_other_kind),
            ("labels", labels.is_other_kind),
            ("annotations", annotations.is_other_kind),
            ("spec", spec.is_other_kind),
            ("status", status.is_other_kind),
        ];
        let lists = [
            ("containers", containers.is_other_kind),
            ("ports", containers.objects.iter().any(|container| container.ports.is_other_kind)),
        ];
        let texts =
            [("kind", kind), ("namespace", namespace), ("name", name), ("phase", phase), ("podIP", pod_ip)];
        let object = objects.iter().find(|(_, is_other_kind)| *is_other_kind);
        let list = lists.iter().find(|(_, is_other_kind)| *is_other_kind);
        let text = texts.iter().find_map(|(name, text)| Some((name, text.given().err()?)));
        object
            .map(|(name, _)| format!("its {name:?} is no object"))
            .or_else(|| list.map(|(name, _)| format!("its {name:?} is no list of objects")))
            .or_else(|| text.map(|(name, reason)| format!("its {name} {reason}")))
    }

    fn why_no_target(&self) -> Option<PodReason> {
        let kind = self.kind.as_str();
        let (Metadata { annotations, deletion_timestamp, .. }, Status { phase, pod_ip, .. }) =
            (&self.metadata.fields, &self.status.fields);
        let is_marked = about_coverage(annotations).next().is_some() || self.named_port().is_some();
        if !kind.is_empty() && kind != "Pod" {
            Some(PodReason::NotAPod)
        } else if !is_marked {
            Some(PodReason::NotMarked)
        } else if phase.as_str() != "Running" {
            Some(PodReason::NotRunning)
        } else if deletion_timestamp.is_some() {
            Some(PodReason::BeingDeleted)
        } else if pod_ip.as_str().is_empty() {
            Some(PodReason::NoAddress)
        } else {
            None
        }
    }

    fn containers(&self) -> &[Container] {
        &self.spec.fields.containers.objects
    }

    /// Returns the first port that is named for coverage, with its container.
    fn named_port(&self) -> Option<(&Container, &str)> {
        let mut ports = self
            .containers()
            .iter()
            .flat_map(|container| container.ports.objects.iter().map(move |port| (container, port)));
        let (container, port) = ports.find(|(_, port)| port.name.as_str() == PORT_NAME)?;
        Some((container, port.container_port.as_str()))
    }

    /// Returns the target that this pod is; fails with a clause.
    fn target(&self, template: &ServiceTemplate) -> Result<Target, String> {
        let Metadata { name, uid, annotations, .. } = &self.metadata.fields;
        let mut labels = Labels::default();
        // The port stands for itself below, and is no label.
        for (name, text) in about_coverage(annotations).filter(|(name, _)| ANNOTATIONS.contains(name)) {
            if Labels::has(name) {
                labels.take("annotation goc-watchdog/", name, text);
            }
        }
        if let Some(fault) = labels.fault {
            return Err(fault);
        }
        let (port, container) = self.port()?;
        let ip = self.status.fields.pod_ip.as_str();
        let host = if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
        let address = target_url(&host, labels.scheme.as_deref(), DEFAULT_PORT)
            .map_err(|error| format!("\"{host}\" is no address: {}", error.fault))?;
        let service = match labels.service.as_ref().filter(|name| !name.is_empty()) {
            Some(name) => TargetService::Name(name.clone()),
            None => TargetService::Fields(template.fields(|value| self.value(value))?),
        };
        let status = container.and_then(|container| self.status_of(container));
        let (restarts, started_at) = status.map_or((None, None), |it| (it.restarts(), it.started_at()));
        let given = |text: &TextValue| Some(text.as_str().to_owned()).filter(|text| !text.is_empty());
        let (agent, pod, uid) = (labels.agent()?, given(name), given(uid));
        let facts = TargetFacts { agent, pod, uid, restarts };
        let (service, program) = (Arc::new(service), ProgramAnswer::default());
        Ok(Target { address, service, facts, started_at, program })
    }

    /// Returns the text that stands for its commit in the template.
    fn commit_text(&self, template: &ServiceTemplate) -> Option<String> {
        template.commit_text(|value| self.value(value)).ok().flatten()
    }

    /// Returns the port that serves coverage, and the container that has it where that can be told.
    fn port(&self) -> Result<(u16, Option<&Container>), String> {
        let annotations = &self.metadata.fields.annotations;
        let port = match (annotations.get("annotation", "goc-watchdog/port")?, self.named_port()) {
            (Some(annotation), _) => port_number(annotation)?,
            (None, Some((container, port))) => return Ok((port_number(port)?, Some(container))),
            (None, None) => DEFAULT_PORT,
        };
        Ok((port, self.container_of(port)))
    }

    /// Returns the container that declares a port, or the only one.
    fn container_of(&self, port: u16) -> Option<&Container> {
        let (containers, port) = (self.containers(), port.to_string());
        let declares = |container: &&Container| {
            container.ports.objects.iter().any(|declared| declared.container_port.as_str() == port)
        };
        let only = || containers.first().filter(|_| containers.len() == 1);
        containers.iter().find(declares).or_else(only)
    }

    fn status_of(&self, container: &Container) -> Option<&ContainerStatus> {
        let mut statuses = self.status.fields.container_statuses.objects.iter();
        statuses.find(|status| status.name.as_str() == container.name.as_str())
    }

    fn value(&self, value: &Value) -> Result<Option<&str>, String> {
        let Metadata { namespace, name, labels, annotations, .. } = &self.metadata.fields;
        match value {
            Value::Namespace => Ok(Some(namespace.as_str())),
            Value::Name => Ok(Some(name.as_str())),
            Value::Label(name) => labels.get("label", name),
            Value::Annotation(name) => annotations.get("annotation", name),
        }
    }
}

/// Returns an annotation as a misspelt one, if its name is near that of one that has a meaning.
fn misspelt(name: &str) -> Option<MisspeltLabel> {
    let meant = meant_by(name, &ANNOTATIONS)?;
    Some(MisspeltLabel { given: format!("{ANNOTATION}{name}"), meant: format!("{ANNOTATION}{meant}") })
}

fn port_number(text: &str) -> Result<u16, String> {
    let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    number.ok_or_else(|| format!("its port \"{text}\" is not between 1 and 65535"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::few::MOST_ELEMENTS;
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
        read(answer.to_string().as_bytes(), &ServiceTemplate::default(), limits).unwrap()
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
            service: Arc::new(TargetService::Fields(ServiceFields { env, region, app, branch, commit })),
            started_at: None,
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
    fn the_start_of_the_running_container_is_read_and_an_odd_one_is_none() {
        let started_at = |state: Json| {
            let status = json!([{"name": "main", "restartCount": 3, "state": state}]);
            let target = target(&json!({"status": {"containerStatuses": status}})).unwrap();
            assert_eq!(target.facts.restarts, Some(3));
            target.started_at
        };
        let running = |at: Json| started_at(json!({"running": {"startedAt": at}}));
        let at = "2026-11-29T20:00:07Z".parse().unwrap();
        assert_eq!(running(json!("2026-11-29T20:00:07Z")), Some(at));
        assert_eq!(running(json!("2026-11-29T21:00:07+01:00")), Some(at));
        for odd in [json!(null), json!(""), json!("yesterday"), json!(7), json!({})] {
            assert_eq!(running(odd.clone()), None, "{odd}");
        }
        for state in
            [json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"running": 1}), json!("running")]
        {
            assert_eq!(started_at(state.clone()), None, "{state}");
        }
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
        assert_eq!(*named.service, TargetService::Name("a_b_c_d_1234567".to_owned()));
        let plain = target(&json!({"metadata": {"labels": null, "annotations": null}})).unwrap();
        let env = "staging".to_owned();
        assert_eq!(*plain.service, TargetService::Fields(ServiceFields { env, ..ServiceFields::default() }));
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
        let list = read(nulls.to_string().as_bytes(), &ServiceTemplate::default(), limits).unwrap();
        assert_eq!(list.targets.len(), 1);
        assert_eq!(list.targets[0].facts, TargetFacts::default());
    }

    #[test]
    fn of_very_many_labels_and_containers_the_first_are_read() {
        let labels: serde_json::Map<String, Json> =
            (0..5000).map(|n| (format!("l{n:04}"), json!("x"))).collect();
        let texts: Texts = serde_json::from_value(Json::Object(labels.clone())).unwrap();
        assert_eq!(texts.given().count(), MOST_ELEMENTS);
        // A label of the template that may stand behind the others is not taken for an absent one.
        let message = target(&json!({"metadata": {"labels": labels}})).unwrap_err();
        let expected =
            "\"staging/echo-7f-x\": its label region is not among the first 1024, and no more are read";
        assert_eq!(message, expected);

        let containers = |before: usize| {
            let mut containers = vec![json!({"name": "x", "ports": [{"containerPort": 1}]}); before];
            containers.push(json!({"name": "main", "ports": [{"containerPort": 8080, "name": "coverage"}]}));
            list_of(&[pod(&json!({"spec": {"containers": containers}}))])
        };
        assert_eq!(containers(MOST_ELEMENTS - 1).targets[0].address, "http://10.1.2.3:8080");
        // Its annotation marks the pod, and its port is not found any more.
        assert_eq!(containers(MOST_ELEMENTS).targets[0].address, "http://10.1.2.3:53700");
    }

    #[test]
    fn a_text_that_is_too_long_costs_its_pod_where_it_is_needed() {
        let long = "x".repeat(4097);
        assert!(annotated(&json!({"kubectl.kubernetes.io/last-applied-configuration": long})).is_ok());
        for name in ["service", "port", "agent", "commit"] {
            let name = format!("goc-watchdog/{name}");
            let expected = format!("\"staging/echo-7f-x\": its annotation {name} is longer than 4096 bytes");
            assert_eq!(annotated(&json!({ name: long })).unwrap_err(), expected);
        }
        let label = target(&json!({"metadata": {"labels": {"region": long}}})).unwrap_err();
        assert_eq!(label, "\"staging/echo-7f-x\": its label region is longer than 4096 bytes");
    }

    #[test]
    fn an_odd_pod_is_rejected_by_name_and_the_others_count() {
        for (patch, reason) in [
            (json!({"spec": []}), "its \"spec\" is no object"),
            (json!({"metadata": {"labels": ["x"]}}), "its \"labels\" is no object"),
            (json!({"metadata": {"annotations": "x"}}), "its \"annotations\" is no object"),
            (json!({"spec": {"containers": {"x": 1}}}), "its \"containers\" is no list of objects"),
            (json!({"spec": {"containers": ["x"]}}), "its \"containers\" is no list of objects"),
            (json!({"spec": {"containers": [{"ports": 1}]}}), "its \"ports\" is no list of objects"),
            (json!({"status": {"phase": ["Running"]}}), "its phase is no text"),
            (
                json!({"metadata": {"annotations": {"goc-watchdog/service": {}}}}),
                "its annotation goc-watchdog/service is no text",
            ),
        ] {
            let list = list_of(&[pod(&patch), pod(&json!({}))]);
            assert_eq!(list.targets.len(), 1, "{patch}");
            let bad: Vec<String> = list.bad.iter().map(ToString::to_string).collect();
            assert_eq!(bad, [format!("\"staging/echo-7f-x\": {reason}")], "{patch}");
        }
        let list = list_of(&[pod(&json!({})), json!(7), json!({"metadata": 1})]);
        let bad: Vec<String> = list.bad.iter().map(ToString::to_string).collect();
        assert_eq!(bad, ["\"pod 2\": it is no object", "\"pod 3\": its \"metadata\" is no object"]);
        assert_eq!(list.targets.len(), 1);
    }

    #[test]
    fn numbers_are_texts_and_odd_hints_are_none() {
        let facts = |count: Json| {
            let statuses = json!([{"name": "main", "restartCount": count}]);
            target(&json!({"metadata": {"uid": [1]}, "status": {"containerStatuses": statuses}}))
                .unwrap()
                .facts
        };
        for (count, restarts) in [
            (json!(3), Some(3)),
            (json!("3"), Some(3)),
            (Json::Null, None),
            (json!(-1), None),
            (json!([]), None),
        ] {
            assert_eq!((facts(count.clone()).restarts, facts(count).uid), (restarts, None));
        }
        let numbers = json!({"metadata": {"labels": {"branch": 2.5}, "annotations": {"goc-watchdog/commit": 1_234_567}}});
        let service = target(&numbers).unwrap().service;
        let TargetService::Fields(fields) = &*service else { panic!("fields") };
        assert_eq!((fields.branch.as_str(), fields.commit.as_str()), ("2.5", "1234567"));
        assert_eq!(annotated(&json!({"goc-watchdog/port": 9000})).unwrap().address, "http://10.1.2.3:9000");
    }
}
