//! The committed schemas, by which every entry of a log is judged.

use crate::root;
use forewarn_log::Recorded;
use jsonschema::Validator;

fn validator(name: &str) -> Validator {
    let path = root().join("pipeline/schemas").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap())
        .unwrap_or_else(|e| panic!("{name} is no schema: {e}"))
}

/// Asserts that an entry fits the schemas of the envelope and of its data.
pub fn assert_valid(entry: &Recorded) {
    let envelope = serde_json::to_value(&entry.envelope).unwrap();
    let file = format!("{}.json", entry.envelope.type_);
    for (name, value) in [("envelope.json", &envelope), (file.as_str(), &envelope["data"])] {
        if let Err(error) = validator(name).validate(value) {
            panic!("entry {} does not fit {name}: {error}\n{value:#}", entry.position);
        }
    }
}
