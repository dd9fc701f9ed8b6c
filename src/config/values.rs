//! Readers of the values that several tables have: texts, lists, whole numbers, durations, sizes, URLs to
//! ping, and tables.
//!
//! A message that begins with "expected" names the form; [`super::fault`] adds the value found.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::units::{A_DURATION, A_SIZE, parse_duration, parse_size};
use crate::ping::PingUrl;

const A_PING_URL: &str = "a URL such as \"https://hc.example/ping/KEY\"";

const A_FILE: &str = "the path of a file in quotes";

/// Reads a text in quotes; `form` is for the message about any other value.
pub(super) fn text<'de, T, E: Display, D: Deserializer<'de>>(
    value: D,
    form: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    let text = String::deserialize(value).map_err(|_| D::Error::custom(expected(form)))?;
    parse(&text).map_err(D::Error::custom)
}

/// Reads the path of a file.
pub(super) fn file<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    let parse = |path: &str| if path.is_empty() { Err(expected(A_FILE)) } else { Ok(PathBuf::from(path)) };
    text(value, A_FILE, parse).map(Some)
}

/// Reads an array. A fault in an element has the line of the element.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Vec<T>, D::Error> {
    let elements = Vec::<Element<T>>::deserialize(value)?;
    Ok(elements.into_iter().map(|Element(value)| value).collect())
}

/// An element of an array. The toml crate adds its own place to a fault that a newtype makes; without the
/// newtype, the fault would get the place of the array.
#[derive(Deserialize)]
struct Element<T>(T);

/// A number or a text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrText<N> {
    Number(N),
    Text(String),
    /// A value of any other type.
    Other(IgnoredAny),
}

/// A table that is read into a struct. A derived reader would also accept an array with the values of the fields in
/// order.
#[derive(Default)]
pub(super) struct Table<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_map(TableVisitor(PhantomData)).map(Table)
    }
}

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

/// Writes the message about a value that has another form.
pub(super) fn expected(form: &str) -> String {
    format!("expected {form}")
}

pub(super) fn whole<'de, const LEAST: u64, const MOST: u64, N: TryFrom<u64>, D: Deserializer<'de>>(
    value: D,
) -> Result<N, D::Error> {
    let number = u64::deserialize(value).ok().filter(|number| (LEAST..=MOST).contains(number));
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| D::Error::custom(format!("expected a whole number from {LEAST} to {MOST}")))
}

pub(super) fn some_whole<'de, const LEAST: u64, const MOST: u64, N: TryFrom<u64>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<N>, D::Error> {
    whole::<LEAST, MOST, N, D>(value).map(Some)
}

/// Reads a duration, for a field of type `Duration` or `Option<Duration>`.
pub(super) fn duration<'de, T: From<Duration>, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    text(value, A_DURATION, parse_duration).map(T::from)
}

/// Reads a duration above zero, for a field of type `Duration` or `Option<Duration>`.
pub(super) fn above_zero<'de, T: From<Duration>, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    let parse = |text: &str| match parse_duration(text)? {
        Duration::ZERO => Err(expected("more than zero")),
        duration => Ok(duration),
    };
    text(value, A_DURATION, parse).map(T::from)
}

pub(super) fn durations<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Duration>, D::Error> {
    list(value).map(|durations| durations.into_iter().map(|AnyDuration(duration)| duration).collect())
}

#[derive(Deserialize)]
struct AnyDuration(#[serde(deserialize_with = "duration")] Duration);

/// Reads a size above zero, a number of bytes or a text with a unit.
pub(super) fn size<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    match NumberOrText::deserialize(value)? {
        NumberOrText::Number(bytes) if bytes > 0 => Ok(bytes),
        NumberOrText::Text(text) => parse_size(&text).map_err(D::Error::custom),
        _ => Err(D::Error::custom(expected(A_SIZE))),
    }
}

pub(super) fn ping_url<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PingUrl>, D::Error> {
    text(value, A_PING_URL, str::parse).map(Some)
}
