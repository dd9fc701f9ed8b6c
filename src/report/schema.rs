//! A comparison of a published JSON schema with the types that are written, so that the two stay equal.
//!
//! The comparison covers the fields, whether they are required, their types and their possible words. Descriptions,
//! ranges and patterns are only in the published file.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// A schema of the folder `man`.
pub(super) struct PublishedSchema(Value);

impl PublishedSchema {
    pub(super) fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap()
    }

    /// Fails unless the file describes `T`, with this number in the field `schema`.
    #[track_caller]
    pub(super) fn assert_describes<T: JsonSchema>(&self, schema: u32) {
        assert_eq!(self.at("/properties/schema/const"), schema);
        assert_eq!(self.shape(), SchemaShape::for_type::<T>());
    }

    fn shape(&self) -> SchemaShape {
        SchemaShape::new(&self.0, &self.0)
    }
}

/// The part of a schema that is compared.
#[derive(Debug, Default, PartialEq)]
struct SchemaShape {
    types: BTreeSet<String>,
    /// The possible words of a text; empty for a free text.
    words: BTreeSet<String>,
    properties: BTreeMap<String, SchemaShape>,
    required: BTreeSet<String>,
    /// Elements of an array, or values of an object with free names.
    elements: Option<Box<SchemaShape>>,
}

impl SchemaShape {
    fn for_type<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let generated = settings.into_generator().into_root_schema_for::<T>().to_value();
        SchemaShape::new(&generated, &generated)
    }

    /// Reads a schema; `root` is the file with its definitions.
    fn new(schema: &Value, root: &Value) -> Self {
        let mut shape = SchemaShape::default();
        for (keyword, value) in schema.as_object().unwrap_or_else(|| panic!("no object: {schema}")) {
            shape.add(keyword, value, root);
        }
        shape
    }

    fn add(&mut self, keyword: &str, value: &Value, root: &Value) {
        let list = || value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter();
        let texts = || list().map(|text| text.as_str().unwrap().to_owned());
        match keyword {
            "type" => self.types.extend(texts()),
            "required" => self.required.extend(texts()),
            "enum" | "const" if list().all(Value::is_string) => {
                self.types.insert("string".to_owned());
                self.words.extend(texts());
            }
            "const" if value.is_u64() => self.types.extend(["integer".to_owned()]),
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                self.properties
                    .extend(properties.map(|(name, schema)| (name.clone(), SchemaShape::new(schema, root))));
            }
            "items" | "additionalProperties" => self.elements = Some(Box::new(SchemaShape::new(value, root))),
            "$ref" => {
                let pointer = value.as_str().unwrap().strip_prefix('#').unwrap();
                self.merge(SchemaShape::new(root.pointer(pointer).unwrap(), root));
            }
            "anyOf" | "oneOf" => list().for_each(|schema| self.merge(SchemaShape::new(schema, root))),
            "$schema" | "$defs" | "title" | "description" | "format" | "pattern" | "minimum" | "maximum"
            | "propertyNames" => {}
            keyword => panic!("the keyword {keyword} is not compared: {value}"),
        }
    }

    /// Adds an alternative. At most one alternative may be an object or an array.
    fn merge(&mut self, SchemaShape { types, words, properties, required, elements }: SchemaShape) {
        self.types.extend(types);
        self.words.extend(words);
        self.properties.extend(properties);
        self.required.extend(required);
        self.elements = elements.or(self.elements.take());
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Sample {
        schema: u32,
        word: Word,
        list: Vec<Option<u64>>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "the schema alone is compared")]
    enum Word {
        One,
        NoTwo,
    }

    fn published(required: &Value, words: &Value, list: &Value) -> PublishedSchema {
        PublishedSchema(json!({
            "required": required,
            "type": "object",
            "properties": {
                "schema": {"const": 1},
                "word": {"enum": words, "description": "A word."},
                "list": {"$ref": "#/$defs/list"},
            },
            "$defs": {"list": list},
        }))
    }

    #[test]
    fn a_difference_of_any_kind_is_found() {
        let required = json!(["word", "schema", "list"]);
        let words = json!(["no_two", "one"]);
        let list = json!({"type": "array", "items": {"type": ["integer", "null"], "minimum": 0}});
        assert_eq!(published(&required, &words, &list).shape(), SchemaShape::for_type::<Sample>());

        let numbers = json!({"type": "array", "items": {"type": "integer"}});
        for wrong in [
            published(&json!(["word", "schema"]), &words, &list),
            published(&required, &json!(["one"]), &list),
            published(&required, &words, &json!({"type": "string"})),
            published(&required, &words, &numbers),
            published(&required, &words, &json!({"anyOf": [list, {"type": "null"}]})),
        ] {
            assert_ne!(wrong.shape(), SchemaShape::for_type::<Sample>());
        }
    }
}
