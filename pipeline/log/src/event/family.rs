//! Types that share their data's form: what happens to recoveries, and what accounts and regions take note of. The data says itself
//! which it is, in `event`; the type says the same.

use super::recovery::{HAPPENED, NOTED};
use super::{DecodeError, Event, Kind, Shape, UPCASTS, upcast};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error};
use serde_json::Value;

/// Gives every kind of both families.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    let kind = |shape| move |(name, version): (&'static str, u32)| Kind { name, version, shape };
    HAPPENED.into_iter().map(kind(Shape::Recovery)).chain(NOTED.into_iter().map(kind(Shape::Admission)))
}

/// Makes the schema of one kind: that of the family, with one kind of event left.
pub(super) fn schema<T: JsonSchema>(generator: SchemaGenerator, name: &str) -> Schema {
    let mut schema = generator.into_root_schema_for::<T>();
    let is_it = |kind: &Value| kind["properties"]["event"]["const"] == event_name(name);
    if let Some(kinds) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        kinds.retain(is_it);
    }
    let title = name.trim_start_matches(super::PREFIX).replace('.', "_");
    schema.insert("title".to_owned(), title.into());
    schema
}

/// Gives the name of the event within its family: `stuck` of `forewarn.recovery.stuck`.
fn event_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Makes a typed event of either family; none for a type of neither.
pub(super) fn decode(type_: &str, name: &str, found: u32, data: &Value) -> Result<Option<Event>, DecodeError> {
    let Some(kind) = kinds().find(|k| k.name == name) else { return Ok(None) };
    let current = upcast::to_current(name, found, kind.version, data, UPCASTS)?.into_owned();
    let event = match kind.shape {
        Shape::Recovery => read(current).map(Event::Recovery),
        Shape::Admission => read(current).map(Event::Admission),
        Shape::Own(_) => return Ok(None),
    };
    let bad = |source| DecodeError::Data { type_: type_.to_owned(), source };
    let event = event.map_err(bad)?;
    if event.type_().rsplit_once('.').is_none_or(|(said, _)| said != name) {
        let (said, expected) = (event.type_(), event_name(name));
        return Err(bad(serde_json::Error::custom(format!("event is of type {said:?}, expected {expected:?}"))));
    }
    Ok(Some(event))
}

fn read<T: DeserializeOwned>(data: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::recovery::{Happened, Noted};
    use std::collections::BTreeSet;

    fn said<T: JsonSchema>(family: &str) -> BTreeSet<String> {
        let schema = SchemaGenerator::default().into_root_schema_for::<T>();
        let kinds = schema.get("oneOf").and_then(Value::as_array).expect("a family has kinds").iter();
        let name = |kind: &Value| kind["properties"]["event"]["const"].as_str().expect("a kind has a name").to_owned();
        kinds.map(|kind| format!("forewarn.{family}.{}", name(kind))).collect()
    }

    #[test]
    fn every_event_of_a_family_is_a_kind() {
        let listed = |table: &[(&str, u32)]| table.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(said::<Happened>("recovery"), listed(&HAPPENED));
        assert_eq!(said::<Noted>("admission"), listed(&NOTED));
    }

    #[test]
    fn data_that_says_another_event_than_its_type_is_refused() {
        let data = serde_json::json!({"recovery_id": "r", "instance_id": "i", "event": "undoing"});
        assert!(Event::decode("forewarn.recovery.undoing.v1", &data).is_ok());
        let e = Event::decode("forewarn.recovery.joined.v1", &data).expect_err("another event");
        assert!(matches!(e, DecodeError::Data { .. }), "{e}");
    }
}
