//! Values of JSON that a source may have written in another way than expected. They fail their entry alone, because an
//! error while a list is read would fail the whole list.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest text that is used.
pub(super) const MAX_VALUE_BYTES: usize = 4096;

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum TextValue {
    /// The value is missing, or `null`, as Go writes a missing one.
    #[default]
    Absent,
    Text(String),
    /// A number or a boolean: converters of YAML write a commit that has digits alone in this way.
    Bare(String),
    /// A value that cannot be used, with the reason as the end of a clause.
    Unfit(&'static str),
}

impl TextValue {
    const OTHER_KIND: Self = Self::Unfit("is no text");

    /// Returns the text; `''` where there is none.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bare(text) => text,
            Self::Absent | Self::Unfit(_) => "",
        }
    }

    /// Returns the text where one was given; fails with the end of a clause.
    pub(super) fn given(&self) -> Result<Option<&str>, &'static str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Ok(Some(text)),
            Self::Absent => Ok(None),
            Self::Unfit(reason) => Err(reason),
        }
    }
}

impl<'de> Deserialize<'de> for TextValue {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = TextValue;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextValue, E> {
        Ok(match text.len() <= MAX_VALUE_BYTES {
            true => TextValue::Text(text.to_owned()),
            false => TextValue::Unfit("is longer than 4096 bytes"),
        })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<TextValue, E> {
        Ok(TextValue::Bare(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<TextValue, E> {
        Ok(TextValue::Bare(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<TextValue, E> {
        Ok(TextValue::Bare(value.to_string()))
    }

    /// Reads a number with a fraction, such as a version. The digits of a large one are lost.
    fn visit_f64<E: Error>(self, value: f64) -> Result<TextValue, E> {
        /// From here on, neighbouring integers are one number.
        const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;
        let number = serde_json::Number::from_f64(value).filter(|_| value.abs() < FIRST_INEXACT);
        let lost = TextValue::Unfit("is a number of too many digits; put it in quotes");
        Ok(number.map_or(lost, |number| TextValue::Bare(number.to_string())))
    }

    fn visit_unit<E: Error>(self) -> Result<TextValue, E> {
        Ok(TextValue::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TextValue, A::Error> {
        pass_over_list(list).map(|()| TextValue::OTHER_KIND)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<TextValue, A::Error> {
        pass_over_object(object).map(|()| TextValue::OTHER_KIND)
    }
}

fn pass_over_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn pass_over_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// A value where one of a certain kind is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given<T> {
    Value(T),
    Null,
    /// A value of another kind, which was passed over.
    OtherKind,
}

/// Reads an object or a list by a visitor, and passes over values of other kinds.
pub(super) struct OfKind<V> {
    visitor: V,
    is_list: bool,
}

impl<V> OfKind<V> {
    pub(super) fn object(visitor: V) -> Self {
        Self { visitor, is_list: false }
    }

    pub(super) fn list(visitor: V) -> Self {
        Self { visitor, is_list: true }
    }
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for OfKind<V> {
    type Value = Given<V::Value>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for OfKind<V> {
    type Value = Given<V::Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(out)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        match self.is_list {
            true => self.visitor.visit_seq(list).map(Given::Value),
            false => pass_over_list(list).map(|()| Given::OtherKind),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        match self.is_list {
            true => pass_over_object(object).map(|()| Given::OtherKind),
            false => self.visitor.visit_map(object).map(Given::Value),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Given::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Given::OtherKind)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Given::OtherKind)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Given::OtherKind)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Given::OtherKind)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Given::OtherKind)
    }
}

/// An object, or the default where the value is `null` or of another kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<T> {
    pub(super) fields: T,
    pub(super) is_other_kind: bool,
}

impl<T: Default> From<Given<T>> for Object<T> {
    fn from(given: Given<T>) -> Self {
        let is_other_kind = matches!(given, Given::OtherKind);
        let fields = if let Given::Value(fields) = given { fields } else { T::default() };
        Self { fields, is_other_kind }
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        OfKind::object(FieldsVisitor(PhantomData)).deserialize(value).map(Self::from)
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> TextValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_and_booleans_are_texts_and_null_is_none() {
        let bare = |text: &str| TextValue::Bare(text.to_owned());
        for (json, expected) in [
            ("\"a\\u00e9\"", TextValue::Text("a\u{e9}".to_owned())),
            ("1234567", bare("1234567")),
            ("-1", bare("-1")),
            ("18446744073709551615", bare("18446744073709551615")),
            ("1.0", bare("1.0")),
            ("1.25", bare("1.25")),
            ("true", bare("true")),
            ("null", TextValue::Absent),
            ("[1, [2]]", TextValue::Unfit("is no text")),
            ("{\"a\": {}}", TextValue::Unfit("is no text")),
        ] {
            assert_eq!(text(json), expected, "{json}");
        }
        // A commit of 40 digits that lost its quotes.
        let lost = TextValue::Unfit("is a number of too many digits; put it in quotes");
        assert_eq!(text("1234567890123456789012345678901234567890"), lost);
        assert_eq!(text("12345e67"), lost);
    }

    #[test]
    fn a_text_is_used_up_to_its_bound() {
        let of = |len: usize| text(&format!("\"{}\"", "x".repeat(len)));
        assert_eq!(of(MAX_VALUE_BYTES), TextValue::Text("x".repeat(MAX_VALUE_BYTES)));
        assert_eq!(of(MAX_VALUE_BYTES + 1), TextValue::Unfit("is longer than 4096 bytes"));
    }
}
