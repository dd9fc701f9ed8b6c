//! Lists and maps of which the first elements are kept, whatever else a document holds.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::{MAX_VALUE_BYTES, Object, OfKind, TextValue};

/// Elements of a list, and entries of a map, that are kept. More than any pod has.
pub(super) const MOST_ELEMENTS: usize = 1024;

/// The first objects of a list; the rest is read and dropped.
#[derive(Default)]
pub(super) struct Few<T> {
    pub(super) objects: Vec<T>,
    /// The value is no list of objects.
    pub(super) is_other_kind: bool,
}

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(list: D) -> Result<Self, D::Error> {
        let given = Object::from(OfKind::list(FewVisitor(PhantomData)).deserialize(list)?);
        let Object { fields: few, is_other_kind } = given;
        Ok(Self { is_other_kind: is_other_kind || few.is_other_kind, ..few })
    }
}

struct FewVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned + Default> Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
        let mut few = Few { objects: Vec::new(), is_other_kind: false };
        while few.objects.len() < MOST_ELEMENTS
            && let Some(Object { fields, is_other_kind }) = list.next_element()?
        {
            few.objects.push(fields);
            few.is_other_kind |= is_other_kind;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(few)
    }
}

/// Labels or annotations, without those beyond very many.
#[derive(Default)]
pub(super) struct Texts {
    by_name: BTreeMap<String, TextValue>,
    /// There are more.
    is_cut: bool,
    /// The value is no map.
    pub(super) is_other_kind: bool,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(map: D) -> Result<Self, D::Error> {
        let Object { fields, is_other_kind } = Object::from(OfKind::object(TextsVisitor).deserialize(map)?);
        Ok(Self { is_other_kind, ..fields })
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("texts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let mut texts = Texts::default();
        while texts.by_name.len() < MOST_ELEMENTS
            && let Some((name, text)) = map.next_entry::<String, TextValue>()?
        {
            if name.len() <= MAX_VALUE_BYTES {
                texts.by_name.insert(name, text);
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            texts.is_cut = true;
        }
        Ok(texts)
    }
}

impl Texts {
    /// Returns the text of a name; fails with a clause where it cannot be used. `kind` names it for that.
    pub(super) fn get(&self, kind: &str, name: &str) -> Result<Option<&str>, String> {
        match self.by_name.get(name).map(TextValue::given) {
            Some(Ok(text)) => Ok(text),
            Some(Err(reason)) => Err(format!("its {kind} {name} {reason}")),
            None if self.is_cut => {
                Err(format!("its {kind} {name} is not among the first {MOST_ELEMENTS}, and no more are read"))
            }
            None => Ok(None),
        }
    }

    /// Returns the texts that are given, with their names.
    pub(super) fn given(&self) -> impl Iterator<Item = (&str, &TextValue)> {
        let given = self.by_name.iter().filter(|(_, text)| **text != TextValue::Absent);
        given.map(|(name, text)| (&**name, text))
    }
}
