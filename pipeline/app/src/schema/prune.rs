//! Leaves out of a schema the definitions that nothing in it refers to.

use serde_json::Value;
use std::collections::BTreeSet;

const DEFINITIONS: [(&str, &str); 2] = [("definitions", "#/definitions/"), ("$defs", "#/$defs/")];

/// Removes each definition that no `$ref` reaches from the document itself, directly or over other definitions.
pub(super) fn unreachable(schema: &mut Value) {
    for (key, prefix) in DEFINITIONS {
        let wanted = reached(schema, key, prefix);
        let Some(map) = schema.as_object_mut() else { continue };
        if let Some(Value::Object(definitions)) = map.get_mut(key) {
            definitions.retain(|name, _| wanted.contains(name));
            if definitions.is_empty() {
                map.shift_remove(key);
            }
        }
    }
}

fn reached(schema: &Value, key: &str, prefix: &str) -> BTreeSet<String> {
    let mut open = Vec::new();
    for (name, part) in schema.as_object().into_iter().flatten() {
        if name != key {
            references(part, prefix, &mut open);
        }
    }
    let mut wanted = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(definition) = schema[key].get(&name)
            && wanted.insert(name)
        {
            references(definition, prefix, &mut open);
        }
    }
    wanted
}

fn references(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(prefix));
            found.extend(name.map(str::to_owned));
            map.values().for_each(|v| references(v, prefix, found));
        }
        Value::Array(all) => all.iter().for_each(|v| references(v, prefix, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_nothing_refers_to_goes_and_the_rest_stays() {
        let mut schema = json!({
            "properties": {"a": {"$ref": "#/definitions/A"}},
            "definitions": {
                "A": {"items": [{"$ref": "#/definitions/B"}]}, "B": {}, "C": {"$ref": "#/definitions/D"}, "D": {},
            },
        });
        unreachable(&mut schema);
        assert_eq!(schema["definitions"], json!({"A": {"items": [{"$ref": "#/definitions/B"}]}, "B": {}}));
        let mut bare = json!({"type": "string", "definitions": {"A": {"$ref": "#/definitions/A"}}});
        unreachable(&mut bare);
        assert_eq!(bare, json!({"type": "string"}));
    }

    #[test]
    fn no_document_has_an_unreachable_definition() {
        for (name, document) in super::super::documents() {
            let mut pruned = document.clone();
            unreachable(&mut pruned);
            assert_eq!(pruned, document, "{name}");
        }
    }
}
