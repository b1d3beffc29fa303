//! Makes the table, and checks that one is what the log needs.

use super::super::port::LogError;
use super::api::Api;
use super::call_error::CallError;
use super::item::{PK, SK};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
    TableDescription, TableStatus,
};

/// One key of a table: its name, kind and type.
type Key = (&'static str, KeyType, ScalarAttributeType);

/// Gives the log's keys.
fn own() -> Vec<Key> {
    vec![(PK, KeyType::Hash, ScalarAttributeType::S), (SK, KeyType::Range, ScalarAttributeType::N)]
}

/// Says to people what keys a table is to have.
fn in_words(keys: &[Key]) -> String {
    let one = |(name, kind, type_): &Key| {
        let kind = if *kind == KeyType::Hash { "partition key" } else { "sort key" };
        let type_ = if *type_ == ScalarAttributeType::S { "string" } else { "number" };
        format!("{kind} is {name} ({type_})")
    };
    keys.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Writes keys as [`keys`] does.
fn in_short(keys: &[Key]) -> String {
    let one = |(name, kind, type_): &Key| format!("{name} ({} {})", kind.as_str(), type_.as_str());
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How often the state of a new table is asked for.
const ASKS: u32 = 150;
/// How long between two times, milliseconds.
const BETWEEN_MS: u64 = 2000;

/// Checks that the table is there and has the log's keys.
pub(super) fn check(api: &Api) -> Result<(), LogError> {
    check_keys(api, &own())
}

fn check_keys(api: &Api, wanted: &[Key]) -> Result<(), LogError> {
    let in_words = in_words(wanted);
    let Some(table) = describe(api)? else {
        let what = format!("there is no such table; make one whose {in_words}, or give another name");
        return Err(foreign(api, what));
    };
    let keys = keys(&table);
    if keys != in_short(wanted) {
        let what = format!(
            "this table is not forewarn's: its keys are {keys}; name one whose {in_words}, or one that is still to be made"
        );
        return Err(foreign(api, what));
    }
    match table.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => Ok(()),
        status => {
            let status = status.map_or("in no state", TableStatus::as_str);
            Err(LogError::unavailable(
                api.doing("open the table"),
                format!("the table is {status}; wait until it is ACTIVE"),
            ))
        }
    }
}

/// Makes the log's table where there is none.
pub(super) fn create(api: &Api) -> Result<(), LogError> {
    make(api, &own())
}

/// Makes a table with these keys where there is none, with on-demand capacity, waits until it can be used, and turns its backups on.
pub fn make(api: &Api, keys: &[Key]) -> Result<(), LogError> {
    let unbuilt = |e: BuildError| LogError::unavailable(api.doing("make the table"), e);
    let (schema, attributes) = key_schema(keys).map_err(unbuilt)?;
    let made = api.call("CreateTable", "make the table", |client| {
        client
            .create_table()
            .table_name(&api.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema.clone()))
            .set_attribute_definitions(Some(attributes.clone()))
            .send()
    });
    match made {
        Err(failed) if failed.trouble != CallError::Exists => return Err(failed.into()),
        _ => {}
    }
    wait(api)?;
    check_keys(api, keys)?;
    let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
    let recovery = recovery.map_err(unbuilt)?;
    api.call("UpdateContinuousBackups", "turn the table's backups on", |client| {
        client
            .update_continuous_backups()
            .table_name(&api.table)
            .point_in_time_recovery_specification(recovery.clone())
            .send()
    })?;
    Ok(())
}

/// Waits until a table that is being made can be used; right after it was asked for, it may not be known yet.
fn wait(api: &Api) -> Result<(), LogError> {
    for _ in 0..ASKS {
        let status = describe(api)?.and_then(|t| t.table_status);
        if matches!(status, Some(TableStatus::Active | TableStatus::Updating)) {
            return Ok(());
        }
        if !api.pause(BETWEEN_MS) {
            break;
        }
    }
    Err(LogError::unavailable(api.doing("make the table"), "it did not become ACTIVE; look at it, and try again"))
}

fn describe(api: &Api) -> Result<Option<TableDescription>, LogError> {
    match api.call("DescribeTable", "look at the table", |client| client.describe_table().table_name(&api.table).send())
    {
        Ok(answer) => Ok(answer.table),
        Err(failed) if failed.trouble == CallError::NoSuchTable => Ok(None),
        Err(failed) => Err(failed.into()),
    }
}

fn foreign(api: &Api, what: String) -> LogError {
    LogError::Foreign { path: api.label.clone(), what }
}

/// Writes the keys of a table: name, kind, type.
fn keys(table: &TableDescription) -> String {
    let type_of = |name: &str| {
        let found = table.attribute_definitions().iter().find(|a| a.attribute_name() == name);
        found.map_or("?", |a| a.attribute_type().as_str())
    };
    let key = |k: &KeySchemaElement| {
        format!("{} ({} {})", k.attribute_name(), k.key_type().as_str(), type_of(k.attribute_name()))
    };
    table.key_schema().iter().map(key).collect::<Vec<_>>().join(", ")
}

/// Makes a table's keys.
fn key_schema(keys: &[Key]) -> Result<(Vec<KeySchemaElement>, Vec<AttributeDefinition>), BuildError> {
    let mut made = (Vec::new(), Vec::new());
    for (name, kind, type_) in keys {
        made.0.push(KeySchemaElement::builder().attribute_name(*name).key_type(kind.clone()).build()?);
        made.1.push(AttributeDefinition::builder().attribute_name(*name).attribute_type(type_.clone()).build()?);
    }
    Ok(made)
}
