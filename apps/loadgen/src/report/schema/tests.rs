//! The schema is that of the types.

use std::path::Path;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::report::Report;
use crate::report::data::SCHEMA;
use crate::report::ndjson::Line;

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/loadgen.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == committed,
        "docs/loadgen.schema.json differs: BLESS=1 cargo test -p loadgen writes it anew"
    );
}

fn schema() -> Value {
    // as things are written: what may be null is there all the same
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.subschema_for::<Report>();
    generator.subschema_for::<Line<'_>>();
    let mut types = Value::Object(generator.take_definitions(true));
    for name in ["Report", "Begin"] {
        types[name]["properties"]["schema"]["const"] = json!(SCHEMA);
    }
    join_lines(&mut types);
    tidy(&mut types);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:manyhands:loadgen:{SCHEMA}"),
        "title": format!("loadgen, version {SCHEMA}"),
        "description": "A report (loadgen -J, -o FILE.json), or one line of -o FILE.ndjson: that has a type.",
        "if": { "type": "object", "required": ["type"] },
        "then": { "$ref": "#/$defs/Line" },
        "else": { "$ref": "#/$defs/Report" },
        "$defs": types,
    })
}

/// Each kind of line is its type and what it says in one object, so that what belongs to neither can be refused.
fn join_lines(types: &mut Value) {
    let mut kinds = types["Line"]["oneOf"].take();
    for kind in kinds.as_array_mut().unwrap() {
        let name = kind["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let said = types[&name].clone();
        let object = kind.as_object_mut().unwrap();
        object.remove("$ref");
        for (property, schema) in said["properties"].as_object().unwrap() {
            object["properties"][property] = schema.clone();
        }
        object["required"].as_array_mut().unwrap().extend(said["required"].as_array().unwrap().clone());
        if name != "Trial" {
            types.as_object_mut().unwrap().remove(&name);
        }
    }
    types["Line"]["oneOf"] = kinds;
}

/// Nothing is allowed in an object that is not described; and descriptions speak of JSON, not of Rust.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if describes_an_object(object) {
                object.insert("additionalProperties".into(), Value::Bool(false));
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                let plain = [("\n", " "), ("[`", "`"), ("`]", "`"), ("`None`", "`null`")];
                *text = plain.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to));
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn describes_an_object(schema: &Map<String, Value>) -> bool {
    schema.get("type") == Some(&json!("object"))
        && schema.get("properties").is_some_and(Value::is_object)
        && !schema.contains_key("additionalProperties")
}
