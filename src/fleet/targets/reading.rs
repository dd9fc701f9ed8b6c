//! Reading of JSON whose form is told by its beginning.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserializer as _;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::groups::GroupSeed;
use super::lenient::TextValue;
use super::list::{Collected, TargetList};
use super::pods::PodsSeed;
use super::template::ServiceTemplate;
use crate::names::in_message;

/// Bounds of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetLimits {
    pub(crate) max_bytes: u64,
    pub(crate) max_targets: usize,
}

impl TargetLimits {
    /// Bytes that are read of a source. A pod takes some 10 kB, and only a part of that is kept.
    pub(crate) const MAX_BYTES: u64 = 256 << 20;
}

/// Bytes of the longest text. All annotations of a pod together have at most 256 KiB.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Lists and objects inside each other. Passing over them takes memory for each that is open; those of a pod are some ten.
const MAX_DEPTH: usize = 128;

/// A source that says nothing, or something else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetsError {
    #[error("it is empty")]
    Empty,
    #[error(
        "no list of targets: {}; expected JSON, [{{\"targets\": [\"host:port\"]}}] or what \"kubectl get pods -o json\" prints",
        in_message(.0)
    )]
    OtherForm(String),
    #[error("it is longer than {limit} bytes")]
    TooLong { limit: u64 },
    /// The stream could not be read.
    #[error("{0}")]
    Io(#[source] io::Error),
}

/// Reads the targets of a source, in either form.
///
/// Only a list that is there and has no entries has no targets; anything else that names none is an error.
pub(crate) fn read(
    source: impl Read,
    template: &ServiceTemplate,
    limits: TargetLimits,
) -> Result<TargetList, TargetsError> {
    let mut bounded = Bounded::new(source, limits.max_bytes);
    let mut deserializer =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, &mut bounded));
    let mut collected = Collected::new(limits.max_targets);
    let forms = Forms { collected: &mut collected, template };
    let read = deserializer.deserialize_any(forms).and_then(|()| deserializer.end());
    drop(deserializer);
    match read {
        Ok(()) => collected.finish().map_err(TargetsError::OtherForm),
        Err(_) if bounded.is_too_long() => Err(TargetsError::TooLong { limit: limits.max_bytes }),
        Err(error) if error.is_io() => Err(TargetsError::Io(error.into())),
        Err(_) if bounded.is_blank => Err(TargetsError::Empty),
        Err(error) => Err(TargetsError::OtherForm(error.to_string())),
    }
}

/// Passes bytes on up to a bound. Breaks off texts without end, and lists inside each other without end, which a parser
/// would hold in memory.
struct Bounded<R> {
    inner: io::Take<R>,
    max_bytes: u64,
    /// Nothing but white space came.
    is_blank: bool,
    /// Bytes of the text that is open, with its escapes.
    text_bytes: Option<usize>,
    is_escaped: bool,
    /// Number of lists and objects that are open.
    depth: usize,
}

impl<R: Read> Bounded<R> {
    fn new(source: R, max_bytes: u64) -> Self {
        let inner = source.take(max_bytes.saturating_add(1));
        Self { inner, max_bytes, is_blank: true, text_bytes: None, is_escaped: false, depth: 0 }
    }

    fn is_too_long(&self) -> bool {
        self.inner.limit() == 0 && self.max_bytes < u64::MAX
    }

    /// Follows texts, lists and objects of JSON; returns a clause about one beyond its bound.
    fn fault(&mut self, bytes: &[u8]) -> Option<String> {
        for byte in bytes {
            let Some(len) = &mut self.text_bytes else {
                match byte {
                    b'"' => self.text_bytes = Some(0),
                    b'[' | b'{' if self.depth == MAX_DEPTH => {
                        return Some(format!(
                            "more than {MAX_DEPTH} of its lists and objects are inside each other"
                        ));
                    }
                    b'[' | b'{' => self.depth += 1,
                    b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                continue;
            };
            *len += 1;
            if *len > MAX_TEXT_BYTES {
                return Some(format!("a text of it is longer than {MAX_TEXT_BYTES} bytes"));
            }
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.text_bytes = None,
                _ => {}
            }
        }
        None
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let read = &buffer[..len];
        self.is_blank &= read.iter().all(u8::is_ascii_whitespace);
        match self.fault(read) {
            _ if self.is_too_long() => Err(io::Error::other("too long")),
            Some(fault) => Err(io::Error::other(fault)),
            None => Ok(len),
        }
    }
}

/// Tells the forms apart: a list of groups, or an object with pods as its items.
struct Forms<'c> {
    collected: &'c mut Collected,
    template: &'c ServiceTemplate,
}

impl<'de> Visitor<'de> for Forms<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "[{\"targets\": [\"host:port\"], \"labels\": {}}] as Prometheus reads it, or {\"items\": [...]} as \
             kubectl get pods -o json prints it",
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut groups: A) -> Result<(), A::Error> {
        let mut number = 1;
        while groups.next_element_seed(GroupSeed { collected: &mut *self.collected, number })?.is_some() {
            number += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (mut has_items, mut kind) = (false, TextValue::Absent);
        while let Some(key) = object.next_key::<String>()? {
            match key.as_str() {
                "items" => {
                    has_items = true;
                    object.next_value_seed(PodsSeed {
                        collected: &mut *self.collected,
                        template: self.template,
                    })?;
                }
                "kind" => kind = object.next_value()?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = kind.as_str();
        // Only a list of pods may say that there are no targets.
        if has_items && !matches!(kind, "" | "List" | "PodList") {
            return Err(A::Error::custom(format!("an object of kind {kind:?}, not a list of pods")));
        }
        if let Some(kinds) = self.collected.kinds_without_pods() {
            return Err(A::Error::custom(format!("a list of objects of kind {kinds}, not of pods")));
        }
        match has_items {
            true => Ok(()),
            // A failed request is answered by an object of kind Status, a single pod by one of kind Pod.
            false if kind.is_empty() => Err(A::Error::custom("an object without \"items\"")),
            false => Err(A::Error::custom(format!("an object of kind {kind:?} without \"items\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: TargetLimits = TargetLimits { max_bytes: 1 << 20, max_targets: 1000 };

    fn failed(json: &str) -> String {
        read(json.as_bytes(), &ServiceTemplate::default(), LIMITS).unwrap_err().to_string()
    }

    #[test]
    fn only_a_list_without_entries_has_no_targets() {
        for empty in ["[]", " [ ]\n", r#"{"items": []}"#, r#"{"kind":"List","items":null}"#] {
            let list = read(empty.as_bytes(), &ServiceTemplate::default(), LIMITS).unwrap();
            assert_eq!(list, TargetList::default(), "{empty}");
        }
        assert_eq!(failed(""), "it is empty");
        assert_eq!(failed(" \n\t"), "it is empty");
        let status = failed(r#"{"kind": "Status", "status": "Failure", "items": []}"#);
        assert!(status.contains("an object of kind \"Status\", not a list of pods"), "{status}");
        assert_eq!(
            failed("{}"),
            "no list of targets: an object without \"items\" at line 1 column 2; expected JSON, \
             [{\"targets\": [\"host:port\"]}] or what \"kubectl get pods -o json\" prints"
        );
        for (items, kinds) in [
            (r#"[{"kind": "Deployment"}]"#, r#""Deployment""#),
            (r#"[{"kind": "Service"}, {"kind": "Deployment"}]"#, r#""Deployment", "Service""#),
        ] {
            for kind in ["List", "PodList", ""] {
                let said = failed(&format!(r#"{{"kind": "{kind}", "items": {items}}}"#));
                let expected =
                    format!("no list of targets: a list of objects of kind {kinds}, not of pods at line");
                assert!(said.starts_with(&expected), "{said}");
            }
        }
        // Pods among other objects are a list of pods.
        let mixed = r#"{"kind": "List", "items": [{"kind": "Deployment"}, {"kind": "Pod"}]}"#;
        assert_eq!(read(mixed.as_bytes(), &ServiceTemplate::default(), LIMITS).unwrap().targets, []);
        let status = r#"{"kind": "Status", "status": "Failure", "code": 403}"#;
        assert!(failed(status).contains(r#"an object of kind "Status" without "items""#));
        for other in ["null", "1", "\"x\"", "true"] {
            assert!(failed(other).contains("as Prometheus reads it, or"), "{}", failed(other));
        }
        for invalid in ["[", "[]x", "{\"items\": [", "error: forbidden", "- targets: [a]", "[]{}"] {
            assert!(failed(invalid).starts_with("no list of targets: "), "{invalid}");
        }
        for unfit in [
            r#"["host:1"]"#,
            "[{}]",
            r#"[{"targets": "host:1"}]"#,
            r#"[{"targets": [1]}]"#,
            r#"[{"targets": [], "labels": []}]"#,
            r#"{"items": [1]}"#,
            r#"{"items": {}}"#,
            r#"{"items": [{"metadata": 1}]}"#,
        ] {
            assert!(failed(unfit).starts_with("no list of targets: "), "{unfit}: {}", failed(unfit));
        }
    }

    #[test]
    fn a_source_is_read_up_to_its_bounds() {
        let entry = r#"{"targets": ["a", "b", "c"]},"#;
        let list = format!("[{}]", entry.repeat(10).trim_end_matches(','));
        let read_with = |max_bytes, max_targets| {
            let limits = TargetLimits { max_bytes, max_targets };
            read(list.as_bytes(), &ServiceTemplate::default(), limits).map(|list| list.targets.len())
        };
        let len = list.len() as u64;
        // Equal targets are one, and each counts for the bound.
        assert_eq!(read_with(len, 30).unwrap(), 3);
        assert_eq!(
            read_with(len - 1, 1000).unwrap_err().to_string(),
            format!("it is longer than {} bytes", len - 1)
        );
        let message = read_with(len, 29).unwrap_err().to_string();
        assert!(message.contains("more than 29 targets ([pull] max_addresses)"), "{message}");
        // The bound holds within a group, too.
        let group = format!("[{{\"targets\": [{}]}}]", vec!["\"a:0\""; 100_000].join(","));
        assert!(failed(&group).contains("more than 1000 targets"), "{}", failed(&group));
    }

    #[test]
    fn input_without_end_is_broken_off() {
        struct Endless(u8);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(self.0);
                Ok(buffer.len())
            }
        }
        let read = |start: &'static str, byte: u8| {
            let source = start.as_bytes().chain(Endless(byte));
            let limits = TargetLimits { max_bytes: 4 << 20, max_targets: 10 };
            read(source, &ServiceTemplate::default(), limits).unwrap_err().to_string()
        };
        assert_eq!(read("", b' '), "it is longer than 4194304 bytes");
        assert_eq!(read("[{\"targets\": [\"", b'a'), "a text of it is longer than 1048576 bytes");
        assert_eq!(
            read("{\"items\": [{\"spec\": {\"x\": \"", b'\\'),
            "a text of it is longer than 1048576 bytes"
        );
        let deep = "more than 128 of its lists and objects are inside each other";
        for (start, open) in [("", b'['), ("[{\"x\": ", b'['), ("{\"items\": [{\"spec\": ", b'[')] {
            assert_eq!(read(start, open), deep, "{start}");
        }
        let nested = |depth: usize| {
            let list =
                format!("[{{\"targets\": [\"a\"], \"x\": {}{}}}]", "[".repeat(depth), "]".repeat(depth));
            super::read(list.as_bytes(), &ServiceTemplate::default(), LIMITS).map(|list| list.targets.len())
        };
        assert_eq!(nested(126).unwrap(), 1);
        assert_eq!(nested(127).unwrap_err().to_string(), deep);
    }

    #[test]
    fn messages_show_nothing_of_the_input_raw() {
        let long = format!("{{\"kind\": \"\\u001b[31m{}\", \"items\": []}}", "x".repeat(4000));
        let message = failed(&long);
        assert!(message.contains("\\u{1b}[31m") && message.len() < 1000, "{message}");
    }

    /// A failure of the stream, with its kind.
    #[test]
    fn a_stream_that_fails_is_told_from_text_of_another_form() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        let error = read("[{\"targets\":".as_bytes().chain(Failing), &ServiceTemplate::default(), LIMITS);
        let Err(TargetsError::Io(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// JSON that often has the form of one of the lists.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof![
            Just("Running".to_owned()),
            Just("coverage".to_owned()),
            Just("10.1.2.3".to_owned()),
            Just("fd00::1".to_owned()),
            "[a-f0-9:/\\[\\].%@_\u{1b}é-]{0,12}",
        ];
        let name = prop::sample::select(vec![
            "items",
            "kind",
            "metadata",
            "spec",
            "status",
            "labels",
            "annotations",
            "targets",
            "containers",
            "ports",
            "containerPort",
            "name",
            "phase",
            "podIP",
            "service",
            "env",
            "agent",
            "meta",
            "counters",
            "__x",
            "other",
            "goc-watchdog/port",
            "goc-watchdog/service",
            "goc-watchdog/x",
            "uid",
            "restartCount",
            "state",
            "running",
            "startedAt",
        ]);
        let leaf = prop_oneof![
            text.prop_map(serde_json::Value::from),
            any::<u32>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(8, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Puts JSON where it stands in a list: as the whole, as labels, or as a pod.
    fn in_form(json: serde_json::Value, form: usize) -> serde_json::Value {
        match form {
            0 => json,
            1 => serde_json::json!([{"targets": ["a", "b:1"], "labels": json}]),
            _ => serde_json::json!({"items": [json]}),
        }
    }

    /// Gives a few bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    proptest! {
        #[test]
        fn damaged_lists_are_read_or_refused_whatever_the_pieces_in_which_they_come(
            json in json(),
            form in 0..3_usize,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
            few in 1..40_usize,
        ) {
            let mut bytes = in_form(json, form).to_string().into_bytes();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let shown = |read: Result<TargetList, TargetsError>| read.map_err(|error| error.to_string());
            let whole = shown(read(&bytes[..], &ServiceTemplate::default(), LIMITS));
            let dripped = shown(read(Dripping(&bytes, few), &ServiceTemplate::default(), LIMITS));
            prop_assert_eq!(whole, dripped);
        }

        #[test]
        fn any_json_is_read_or_refused_and_all_addresses_have_their_normal_form(
            json in json(), form in 0..3_usize,
        ) {
            if let Ok(list) = read(in_form(json, form).to_string().as_bytes(), &ServiceTemplate::default(), LIMITS) {
                for target in list.targets {
                    prop_assert_eq!(&crate::address::base_url(&target.address).unwrap(), &target.address);
                }
            }
        }
    }
}
