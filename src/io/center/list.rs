//! The list of a center, read within limits. An endless list must neither fill memory nor displace known names.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::time::Duration;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Client;
use super::error::{HttpError, asked_without_tls, excerpt, transport};
use crate::address::{base_url, mistyped_center};
use crate::fleet::center_list::{CenterList, ListCut, ListedService};
use crate::profile::ParseError;

/// Bounds of a center's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLimits {
    /// Number of names.
    pub max_names: usize,
    /// Number of addresses of all names together.
    pub max_addresses: usize,
}

impl Client {
    /// Asks a center for its list. Fails if the list exceeds the limits.
    pub(crate) fn list(&self, center: &str) -> Result<Vec<ListedService>, HttpError> {
        let CenterList { services, cut } = self.list_known_first(center, None, &|_| false)?;
        match cut {
            None => Ok(services),
            Some(cut) => Err(HttpError::ListTooLong(cut)),
        }
    }

    /// Asks a center for its list. If the list exceeds the limits, known names are kept first.
    ///
    /// `within` bounds the request if it is shorter than the timeout.
    pub(crate) fn list_known_first(
        &self,
        center: &str,
        within: Option<Duration>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<CenterList, HttpError> {
        if let Some(mistyped) = mistyped_center(center) {
            return Err(mistyped.into());
        }
        let base = base_url(center)?;
        let request = self.bounded_configured(self.configured.get(format!("{base}/v1/cover/list")));
        let request = match within.filter(|within| *within < self.options.center_timeout) {
            Some(within) => request.config().timeout_global(Some(within)).build(),
            None => request,
        };
        let response = request.call().map_err(|error| self.failed(&base, &error))?;
        let status = response.status().as_u16();
        if status == 200 {
            return read(
                response.into_body().into_reader(),
                self.options.limits.max_bytes,
                self.options.list_limits,
                is_known,
            );
        }
        let text = self.text(response)?;
        if let Some(error) = asked_without_tls(&base, status, &text) {
            return Err(error);
        }
        match status {
            404 if self.is_version_2(&base) => return Err(HttpError::Version2),
            404 => return Err(HttpError::NotACenter(format!("{base}/v1/cover/list is not found (404)"))),
            _ => {}
        }
        Err(HttpError::Status { status, body: excerpt(&text) })
    }

    fn is_version_2(&self, base: &str) -> bool {
        let request = self.bounded_configured(self.configured.get(format!("{base}/v2/agents")));
        let Ok(response) = request.call() else { return false };
        let Ok(text) = self.text(response) else { return false };
        serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|json| json["items"].is_array())
    }
}

/// Names of one kind, known or not, with their addresses.
#[derive(Default)]
struct ListPart {
    names: BTreeMap<String, Vec<String>>,
    addresses: usize,
}

/// Reads a list: names that are known first, then the others, each sorted.
fn read(
    reader: impl Read,
    max_bytes: u64,
    limits: ListLimits,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<CenterList, HttpError> {
    let mut watched = ExcerptReader { inner: reader.take(max_bytes + 1), head: Vec::new(), bytes: 0 };
    let mut deserializer =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, &mut watched));
    let seed = ListVisitor { limits, is_known };
    let read = deserializer.deserialize_map(seed).and_then(|list| deserializer.end().map(|()| list));
    drop(deserializer);
    match read {
        Ok(list) => Ok(list),
        Err(_) if watched.bytes > max_bytes => Err(ParseError::TooLong { limit: max_bytes }.into()),
        Err(error) if error.is_io() => Err(transport(&io::Error::from(error).into())),
        Err(_) => Err(HttpError::NotACenter(format!(
            "expected {{\"name\":[\"http://...\"]}}, found {:?}",
            excerpt(&watched.head)
        ))),
    }
}

/// A reader that counts its bytes, and keeps their beginning for a message.
struct ExcerptReader<R> {
    inner: R,
    head: Vec<u8>,
    bytes: u64,
}

impl<R: Read> Read for ExcerptReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const HEAD: usize = 1024;
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        let wanted = HEAD.saturating_sub(self.head.len()).min(read);
        self.head.extend_from_slice(&buffer[..wanted]);
        Ok(read)
    }
}

struct ListVisitor<'a> {
    limits: ListLimits,
    is_known: &'a dyn Fn(&str) -> bool,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = CenterList;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("names with addresses")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CenterList, A::Error> {
        let Self { limits, is_known } = self;
        let (mut known, mut others) = (ListPart::default(), ListPart::default());
        let mut cut = ListCut::default();
        while let Some(name) = map.next_key::<String>()? {
            let is_known = is_known(&name);
            let part = if is_known { &mut known } else { &mut others };
            // A later entry of a name replaces an earlier one, as in any JSON object.
            if let Some(before) = part.names.remove(&name) {
                part.addresses -= before.len();
                cut.names -= 1;
                cut.addresses -= before.len();
            }
            let has_room = part.names.len() < limits.max_names;
            let most = if has_room { limits.max_addresses - part.addresses } else { 0 };
            let (addresses, left_out) = map.next_value_seed(AddressesVisitor { most })?;
            cut.names += 1;
            cut.addresses += addresses.len() + left_out;
            if has_room && (left_out == 0 || !addresses.is_empty()) {
                part.addresses += addresses.len();
                part.names.insert(name, addresses);
            }
            cut.of_known |= is_known && (left_out > 0 || !has_room);
        }
        let mut services: Vec<ListedService> = Vec::new();
        let mut room = limits.max_addresses;
        for (name, mut addresses) in known.names.into_iter().chain(others.names) {
            let most = room.min(addresses.len());
            if services.len() == limits.max_names || (most == 0 && !addresses.is_empty()) {
                continue;
            }
            addresses.truncate(most);
            room -= most;
            services.push(ListedService { name, addresses });
        }
        services.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        cut.names_left_out = cut.names - services.len();
        cut.addresses_left_out = cut.addresses - (limits.max_addresses - room);
        let is_whole = cut.names_left_out == 0 && cut.addresses_left_out == 0;
        Ok(CenterList { services, cut: (!is_whole).then_some(cut) })
    }
}

/// Takes at most `most` texts of a list, and counts the others.
struct AddressesVisitor {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for AddressesVisitor {
    type Value = (Vec<String>, usize);

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AddressesVisitor {
    type Value = (Vec<String>, usize);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of addresses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut taken = Vec::new();
        while taken.len() < self.most {
            match list.next_element()? {
                Some(address) => taken.push(address),
                None => return Ok((taken, 0)),
            }
        }
        let mut left_out = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            left_out += 1;
        }
        taken.shrink_to_fit();
        Ok((taken, left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ListLimits = ListLimits { max_names: 3, max_addresses: 4 };

    fn list(text: &str, known: &[&str]) -> Result<CenterList, HttpError> {
        read(text.as_bytes(), 1000, LIMITS, &|name| known.contains(&name))
    }

    fn taken(list: &CenterList) -> String {
        let shown = |service: &ListedService| format!("{}:{}", service.name, service.addresses.join(","));
        list.services.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_list_within_the_limits_is_taken_whole_and_sorted() {
        let list = list(r#"{"b":["1","2"],"a":[],"c":["3"]}"#, &[]).unwrap();
        assert_eq!((taken(&list).as_str(), list.cut), ("a: b:1,2 c:3", None));
        assert_eq!(super::tests::list("{}", &[]).unwrap(), CenterList::default());
    }

    #[test]
    fn the_last_of_two_entries_of_a_name_counts() {
        let list = list(r#"{"a":["1","2","3"],"a":["4"],"b":["5","6","7"]}"#, &[]).unwrap();
        assert_eq!((taken(&list).as_str(), list.cut), ("a:4 b:5,6,7", None));
    }

    #[test]
    fn known_names_come_first_wherever_they_are_listed() {
        let text = r#"{"a":["1"],"b":["2"],"c":["3"],"d":["4"],"y":["5"],"z":["6"]}"#;
        for (known, expected, of_known) in [
            (&[][..], "a:1 b:2 c:3", false),
            (&["z"], "a:1 b:2 z:6", false),
            (&["y", "z", "c"], "c:3 y:5 z:6", false),
            (&["y", "z", "c", "d"], "c:3 d:4 y:5", true),
        ] {
            let list = list(text, known).unwrap();
            assert_eq!(taken(&list), expected);
            let cut = ListCut { names: 6, addresses: 6, names_left_out: 3, addresses_left_out: 3, of_known };
            assert_eq!(list.cut, Some(cut), "{known:?}");
        }
    }

    #[test]
    fn addresses_beyond_the_limit_are_left_out_and_a_name_without_any_with_them() {
        let text = r#"{"a":["1","2","3"],"b":["4","5","6"],"c":["7"]}"#;
        let list = super::tests::list(text, &["b"]).unwrap();
        let cut =
            ListCut { names: 3, addresses: 7, names_left_out: 1, addresses_left_out: 3, of_known: false };
        assert_eq!((taken(&list).as_str(), list.cut), ("a:1 b:4,5,6", Some(cut)));
        let list = super::tests::list(r#"{"a":["1","2","3","4","5","6"]}"#, &["a"]).unwrap();
        assert_eq!(taken(&list), "a:1,2,3,4");
        assert!(list.cut.unwrap().of_known);
        assert_eq!(
            list.cut.unwrap().to_string(),
            "lists 1 names with 6 addresses, of which 0 and 2 are left out ([pull] max_names, max_addresses), known \
             ones among them"
        );
    }

    #[test]
    fn an_answer_that_is_no_list_is_no_center() {
        for text in ["", "[]", "{", r#"{"a":"b"}"#, r#"{"a":[1]}"#, "{} {}", "<html>"] {
            let error = list(text, &[]).unwrap_err();
            assert!(matches!(error, HttpError::NotACenter(_)), "{text}: {error}");
        }
        let error = list(&format!("{{\"a\":[\"{}\"]}}", "1".repeat(1000)), &[]).unwrap_err();
        assert!(matches!(error, HttpError::NotAProfile(ParseError::TooLong { limit: 1000 })), "{error}");
    }
}
