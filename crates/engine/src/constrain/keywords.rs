//! The values that the keywords of a JSON schema may have.
//!
//! The compiler of grammars does not read a keyword that says nothing about the declared type, so a `minLength` of true in a schema
//! of an object would pass in silence. Here it is refused, as the meta-schema does: JSON Schema 2020-12 with what older drafts
//! allow besides. Words that only describe (`title`, `default`) may hold anything.

use serde_json::Value;

use super::kind_of;

/// What a keyword's value must be.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// A whole number of at least 0; 3.0 is one.
    Count,
    Number,
    Positive,
    /// A number, or a boolean as in draft 4.
    Bound,
    Flag,
    Texts,
    /// One name of a type or a list of them.
    Types,
    List,
    Schema,
    Schemas,
    /// One schema or a list of them, as before 2020-12.
    SchemaOrSchemas,
    /// Schemas by name.
    Named,
}

impl Shape {
    /// `None` for a keyword that is not known here: the compiler refuses what it does not support.
    fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "$id" | "id" | "$schema" | "$ref" | "$anchor" | "pattern" | "format" => Self::Text,
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => Self::Count,
            "minimum" | "maximum" => Self::Number,
            "multipleOf" => Self::Positive,
            "exclusiveMinimum" | "exclusiveMaximum" => Self::Bound,
            "uniqueItems" => Self::Flag,
            "required" => Self::Texts,
            "type" => Self::Types,
            "enum" => Self::List,
            "additionalItems"
            | "additionalProperties"
            | "contains"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else" => Self::Schema,
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Self::Schemas,
            "items" => Self::SchemaOrSchemas,
            "properties" | "patternProperties" | "$defs" | "definitions" => Self::Named,
            _ => return None,
        })
    }

    fn allows(self, value: &Value) -> bool {
        let texts = |list: &Value| {
            list.as_array()
                .is_some_and(|items| items.iter().all(Value::is_string))
        };
        match self {
            Self::Text => value.is_string(),
            Self::Count => value
                .as_f64()
                .is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
            Self::Number => value.is_number(),
            Self::Positive => value.as_f64().is_some_and(|number| number > 0.0),
            Self::Bound => value.is_number() || value.is_boolean(),
            Self::Flag => value.is_boolean(),
            Self::Texts => texts(value),
            Self::Types => value.is_string() || texts(value),
            Self::List => value.is_array(),
            // What the schemas inside are is checked where they are looked into.
            Self::Schema => value.is_object() || value.is_boolean(),
            Self::Schemas => value.as_array().is_some_and(|items| !items.is_empty()),
            Self::SchemaOrSchemas => Self::Schema.allows(value) || Self::Schemas.allows(value),
            Self::Named => value.is_object(),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Count => "a whole number of at least 0",
            Self::Number => "a number",
            Self::Positive => "a number above 0",
            Self::Bound => "a number or a boolean",
            Self::Flag => "a boolean",
            Self::Texts => "a list of strings",
            Self::Types => "a string or a list of strings",
            Self::List => "a list",
            Self::Schema => "a schema",
            Self::Schemas => "a list of at least one schema",
            Self::SchemaOrSchemas => "a schema or a list of at least one",
            Self::Named => "an object that holds schemas",
        }
    }

    /// The schemas in a value of this shape, each with its place in the value as a JSON pointer.
    fn schemas(self, value: &Value) -> Vec<(String, &Value)> {
        match (self, value) {
            (Self::Schema | Self::SchemaOrSchemas, Value::Object(_) | Value::Bool(_)) => {
                vec![(String::new(), value)]
            }
            (Self::Schemas | Self::SchemaOrSchemas, Value::Array(items)) => (0..)
                .zip(items)
                .map(|(at, item): (usize, _)| (format!("/{at}"), item))
                .collect(),
            (Self::Named, Value::Object(named)) => named
                .iter()
                .map(|(name, item)| (pointer(name), item))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// One step of a JSON pointer (RFC 6901, section 3).
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The first keyword in `schema` whose value cannot be one, in words for the caller. Its depth was checked before.
pub(super) fn wrong(schema: &Value) -> Option<String> {
    let mut left = vec![("#".to_owned(), schema)];
    while let Some((place, schema)) = left.pop() {
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(_) => continue,
            other => {
                let kind = kind_of(other);
                return Some(format!("{place} must be a schema, not {kind}"));
            }
        };
        for (keyword, value) in keywords {
            let Some(shape) = Shape::of(keyword) else {
                continue;
            };
            if !shape.allows(value) {
                let (wanted, shown) = (shape.wanted(), shown(value));
                return Some(format!("{place}/{keyword} must be {wanted}, not {shown}"));
            }
            for (step, inner) in shape.schemas(value) {
                left.push((format!("{place}/{keyword}{step}"), inner));
            }
        }
    }
    None
}

/// A number as it is, since its kind says too little; the kind of anything else.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Array(_) => "this list".to_owned(),
        other => kind_of(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_value_is_found_wherever_schemas_are() {
        let bad = json!({ "type": "object", "minLength": true });
        for (schema, place) in [
            (bad.clone(), "#"),
            (json!({ "properties": { "a/b": bad } }), "#/properties/a~1b"),
            (json!({ "items": bad }), "#/items"),
            (json!({ "items": [{}, bad] }), "#/items/1"),
            (json!({ "prefixItems": [true, bad] }), "#/prefixItems/1"),
            (json!({ "anyOf": [{ "not": bad }] }), "#/anyOf/0/not"),
            (json!({ "$defs": { "": bad } }), "#/$defs/"),
            (
                json!({ "additionalProperties": bad }),
                "#/additionalProperties",
            ),
        ] {
            let says =
                format!("{place}/minLength must be a whole number of at least 0, not a boolean");
            assert_eq!(wrong(&schema), Some(says), "{schema}");
        }
    }

    #[test]
    fn each_shape_has_its_limits() {
        for (keyword, good, bad) in [
            ("pattern", json!("a"), json!({})),
            ("maxItems", json!(3.0), json!(-1.5)),
            ("minItems", json!(0), json!("3")),
            ("minimum", json!(-1.5), json!(null)),
            ("exclusiveMinimum", json!(true), json!("1")),
            ("uniqueItems", json!(false), json!(1)),
            ("required", json!([]), json!([1])),
            ("required", json!(["a"]), json!(true)),
            ("type", json!(["null", "string"]), json!([{}])),
            ("type", json!("null"), json!(null)),
            ("enum", json!([{ "minLength": true }]), json!({})),
            ("not", json!(true), json!([])),
            ("multipleOf", json!(0.01), json!(0)),
            ("allOf", json!([{}]), json!([])),
            ("oneOf", json!([true]), json!([3])),
            ("items", json!([{}]), json!("x")),
            (
                "properties",
                json!({ "type": {} }),
                json!({ "type": "object" }),
            ),
        ] {
            assert_eq!(wrong(&json!({ keyword: good })), None, "{keyword}");
            let says = wrong(&json!({ keyword: bad })).unwrap();
            assert!(says.starts_with(&format!("#/{keyword}")), "{says}");
        }
    }

    #[test]
    fn what_is_no_schema_is_left_alone() {
        let odd = json!({ "minLength": true });
        for keyword in [
            "const",
            "default",
            "examples",
            "title",
            "description",
            "x-own",
        ] {
            assert_eq!(wrong(&json!({ keyword: odd })), None, "{keyword}");
        }
        assert_eq!(wrong(&json!({ "title": null, "description": null })), None);
    }
}
