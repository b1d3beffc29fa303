//! Policies in a table of DynamoDB: an item for each instance, its partition key `instance_id`, and one called `default`. Items may be
//! written by hand.

use super::{MAX_BYTES, Policies, PolicyStoreError, check_name};
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, ScalarAttributeType};
use forewarn_log::LogError;
use forewarn_log::dynamodb::{Api, CallError, make};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::telemetry::causes;
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use std::fmt::Display;

/// The attribute that says whose item it is.
const KEY: &str = "instance_id";

/// A table; its calls block.
#[derive(Debug)]
pub struct PolicyTable(Api);

type Item = HashMap<String, AttributeValue>;

impl PolicyTable {
    /// Takes a table in the own account and region; nothing is called yet.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self(Api::new(aws.clone(), aws.base(), table, RuntimeContext::standalone()))
    }

    /// Makes the table where there is none, and waits until it can be used.
    ///
    /// # Errors
    /// When it can't be made, or is there with other keys.
    pub fn create(&self) -> Result<(), PolicyStoreError> {
        let made = make(&self.0, &[(KEY, KeyType::Hash, ScalarAttributeType::S)]);
        made.map_err(|e| PolicyStoreError::Io { place: self.0.label.clone(), why: words(e) })
    }

    fn io(&self, name: &str, why: impl Display) -> PolicyStoreError {
        PolicyStoreError::Io { place: self.place(name), why: why.to_string() }
    }

    fn item(&self, name: &str) -> Result<Option<Item>, PolicyStoreError> {
        check_name(name)?;
        let key = AttributeValue::S(name.to_owned());
        let reply = self.0.call("GetItem", "read a policy", |client| {
            client.get_item().table_name(&self.0.table).key(KEY, key.clone()).consistent_read(true).send()
        });
        reply.map(|reply| reply.item).map_err(|failed| self.io(name, words(failed.error)))
    }

    fn read(&self, name: &str, item: &Item) -> Result<Map<String, Value>, PolicyStoreError> {
        let mut row = Map::new();
        let mut fields: Vec<_> = item.iter().filter(|(key, _)| *key != KEY).collect();
        fields.sort_unstable_by_key(|(key, _)| *key);
        for (key, value) in fields {
            let bad = |what| PolicyStoreError::Bad { place: self.place(name), why: format!("attribute {key} {what}") };
            row.insert(key.clone(), json(value).map_err(bad)?);
        }
        let length = Value::Object(row.clone()).to_string().len() as u64;
        if length > MAX_BYTES {
            return Err(self.io(name, format_args!("longer than {MAX_BYTES} bytes")));
        }
        Ok(row)
    }
}

impl Policies for PolicyTable {
    fn row(&self, name: &str) -> Result<Option<Map<String, Value>>, PolicyStoreError> {
        self.item(name)?.map(|item| self.read(name, &item)).transpose()
    }

    fn put(
        &self,
        name: &str,
        was: Option<&Map<String, Value>>,
        row: &Map<String, Value>,
    ) -> Result<(), PolicyStoreError> {
        let changed = || PolicyStoreError::Changed { place: self.place(name) };
        let item = self.item(name)?;
        let now = item.as_ref().map(|item| self.read(name, item)).transpose()?;
        if now.as_ref() != was {
            return Err(changed());
        }
        let item = item.unwrap_or_default();
        let old = now.unwrap_or_default();
        let keys = old.keys().chain(row.keys().filter(|key| !old.contains_key(*key)));
        let touched: Vec<&String> = keys.filter(|key| old.get(*key) != row.get(*key)).collect();
        if touched.is_empty() {
            return Ok(());
        }
        // Only what changes is written, and only if it still is what it was: two people who change two things do not undo each other.
        let (mut sets, mut removes, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut names, mut values) = (HashMap::new(), HashMap::new());
        for (n, key) in touched.into_iter().enumerate() {
            names.insert(format!("#n{n}"), key.clone());
            match row.get(key) {
                Some(value) => {
                    sets.push(format!("#n{n} = :v{n}"));
                    values.insert(format!(":v{n}"), attribute(value));
                }
                None => removes.push(format!("#n{n}")),
            }
            match item.get(key) {
                Some(value) => {
                    conditions.push(format!("#n{n} = :w{n}"));
                    values.insert(format!(":w{n}"), value.clone());
                }
                None => conditions.push(format!("attribute_not_exists(#n{n})")),
            }
        }
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        let update = clause("SET", &sets) + &clause("REMOVE", &removes);
        let condition = conditions.join(" AND ");
        let written = self.0.call("UpdateItem", "write a policy", |client| {
            let call = client.update_item().table_name(&self.0.table).key(KEY, AttributeValue::S(name.to_owned()));
            let call = call.set_expression_attribute_names(Some(names.clone()));
            let call = call.set_expression_attribute_values(Some(values.clone()).filter(|v| !v.is_empty()));
            call.update_expression(update.trim()).condition_expression(&condition).send()
        });
        match written {
            Ok(_) => Ok(()),
            Err(failed) if failed.trouble == CallError::Refused => Err(changed()),
            Err(failed) => Err(self.io(name, words(failed.error))),
        }
    }

    fn place(&self, name: &str) -> String {
        format!("{} item {name}", self.0.label)
    }
}

/// Says what failed, without whose it was: the way to a table is the log's own.
fn words(e: LogError) -> String {
    match e {
        LogError::Unavailable { doing, source } => format!("cannot {doing}: {}", causes(&*source)),
        other @ (LogError::Corrupt { .. } | LogError::Decode { .. } | LogError::Foreign { .. }) => causes(&other),
    }
}

/// Reads an attribute as JSON.
#[expect(clippy::wildcard_enum_match_arm, reason = "what else DynamoDB has is binary, and no policy's")]
fn json(value: &AttributeValue) -> Result<Value, String> {
    let list = |texts: &[String]| Value::Array(texts.iter().cloned().map(Value::String).collect());
    Ok(match value {
        AttributeValue::Bool(b) => Value::Bool(*b),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(text) => Value::Number(number(text)?),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Ss(texts) => list(texts),
        AttributeValue::Ns(texts) => {
            Value::Array(texts.iter().map(|t| number(t).map(Value::Number)).collect::<Result<_, _>>()?)
        }
        AttributeValue::L(values) => Value::Array(values.iter().map(json).collect::<Result<_, _>>()?),
        AttributeValue::M(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            let field = |(key, value): (&String, &AttributeValue)| Ok((key.clone(), json(value)?));
            Value::Object(fields.into_iter().map(field).collect::<Result<_, String>>()?)
        }
        _ => return Err("is binary, which nothing of a policy is".to_owned()),
    })
}

/// Whole numbers stay whole, also where they are written with a fraction of nought.
fn number(text: &str) -> Result<Number, String> {
    let whole = text.strip_suffix(".0").unwrap_or(text).parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
    number.ok_or_else(|| format!("is {text:?}, which is no number"))
}

/// Writes JSON as an attribute.
fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(b) => AttributeValue::Bool(*b),
        Value::Number(n) => AttributeValue::N(n.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.iter().map(|(key, value)| (key.clone(), attribute(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again_and_what_people_write_is_understood() {
        let row = json!({"mode": "act", "auto_restart": false, "objection_ms": 60000, "units": ["nginx"],
            "pauses": {"release": 1_800_000_000_000_i64}, "health_endpoint": null, "share": 0.25});
        assert_eq!(json(&attribute(&row)).unwrap(), row);
        let set = AttributeValue::Ss(vec!["nginx".to_owned()]);
        assert_eq!(json(&set).unwrap(), json!(["nginx"]));
        assert_eq!(json(&AttributeValue::N("3.0".to_owned())).unwrap(), json!(3));
        for (bad, why) in
            [(AttributeValue::B(Blob::new(b"x")), "binary"), (AttributeValue::N("much".to_owned()), "no number")]
        {
            let said = json(&AttributeValue::L(vec![bad])).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
