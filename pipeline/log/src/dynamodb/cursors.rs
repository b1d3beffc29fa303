//! Keeps how far readers have come, each in an item of its own, and the names of all in one, so that a pruning can ask each.

use super::super::port::LogError;
use super::api::Api;
use super::item::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Where the names of all readers are.
fn all() -> Key {
    Key { pk: "cursors".to_owned(), sk: 0 }
}

/// The readers that this process has named already.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeSet<String>>);

impl Named {
    /// Adds a reader to the names of all, once for each process: its cursor may be older than the list.
    fn name(&self, api: &Api, name: &str) -> Result<(), LogError> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains(name) {
            return Ok(());
        }
        api.call("UpdateItem", "name a reader", |client| {
            client
                .update_item()
                .table_name(&api.table)
                .set_key(Some(all().item()))
                .update_expression("ADD #names :name")
                .expression_attribute_names("#names", "names")
                .expression_attribute_values(":name", AttributeValue::Ss(vec![name.to_owned()]))
                .send()
        })?;
        named.insert(name.to_owned());
        Ok(())
    }

    /// Gives where a cursor stands; none where it never moved.
    pub(super) fn find(&self, api: &Api, name: &str) -> Result<Option<u64>, LogError> {
        let found = position(api, name)?;
        if found.is_some() {
            self.name(api, name)?;
        }
        Ok(found)
    }

    /// Moves a cursor forward; its name is there before it counts.
    pub(super) fn advance(&self, api: &Api, name: &str, position: u64) -> Result<(), LogError> {
        self.name(api, name)?;
        api.raise(&Key::of_cursor(name), "position", position, "move a cursor")
    }
}

fn position(api: &Api, name: &str) -> Result<Option<u64>, LogError> {
    let Some(item) = api.get(&Key::of_cursor(name), "read a cursor")? else { return Ok(None) };
    let position = item::number(&item, "position");
    let unread = || LogError::unavailable(api.doing("read a cursor"), format!("cursor {name:?} has no position"));
    position.map(Some).ok_or_else(unread)
}

/// Gives the reader that has come least far.
pub(super) fn slowest(api: &Api) -> Result<Option<(String, u64)>, LogError> {
    let mut found = Vec::new();
    for (name, position) in each(api)? {
        found.push((position, name));
    }
    Ok(found.into_iter().min().map(|(position, name)| (name, position)))
}

/// Gives every reader and where it stands.
pub(super) fn each(api: &Api) -> Result<Vec<(String, u64)>, LogError> {
    let names = api.get(&all(), "read the names of readers")?.and_then(|mut item| item.remove("names"));
    let names = names.and_then(|v| v.as_ss().ok().cloned()).unwrap_or_default();
    let mut found = Vec::new();
    for name in names {
        // One that was named and died before it moved has not begun: it will begin at the present.
        if let Some(position) = position(api, &name)? {
            found.push((name, position));
        }
    }
    Ok(found)
}
