//! Cells in the log's own table: leases, progress and checkpoints beside the log.

use super::api::{Api, Failed};
use super::call_error::CallError;
use super::item::{self, Item, Key};
use super::writer;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::cells::{Cell, CellError, Cells};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::Guard;
use std::sync::atomic::{AtomicU64, Ordering};

const TEXT: &str = "text";
const REVISION: &str = "revision";
/// How often a put is made again because a transaction was looking at the item.
const TURNS: u32 = 30;
/// Names the put that made an item what it is: a put whose answer was lost knows itself by it.
const MARK: &str = "mark";

/// The cells of a table; threads may share them.
#[derive(Debug)]
pub struct DynamoCells {
    api: Api,
    /// Names this handle among all writers.
    writer: String,
    puts: AtomicU64,
}

impl DynamoCells {
    /// Takes the table of a log; nothing is called yet.
    pub fn new(aws: Aws, config: &SdkConfig, table: &str, ctx: RuntimeContext) -> Self {
        let writer = writer(ctx.clock.now_ms());
        Self { api: Api::new(aws, config, table, ctx), writer, puts: AtomicU64::new(0) }
    }

    fn failed(&self, name: &str, doing: &'static str, failed: impl Into<super::LogError>) -> CellError {
        CellError { place: format!("{}, cell {name}", self.api.label), doing, source: failed.into().into() }
    }

    fn item(&self, name: &str, doing: &'static str) -> Result<Option<Item>, CellError> {
        self.api.get(&Key::of_cell(name), "read a cell").map_err(|e| self.failed(name, doing, e))
    }

    fn write(&self, name: &str, text: &str, mark: &str, seen: Option<&Cell>) -> Result<(), Failed> {
        let condition = if seen.is_some() { "#r = :seen" } else { "attribute_not_exists(#r)" };
        let seen = seen.map(|cell| cell.revision);
        self.api.call("UpdateItem", "put a cell", |client| {
            let call = client
                .update_item()
                .table_name(&self.api.table)
                .set_key(Some(Key::of_cell(name).item()))
                .update_expression("SET #t = :t, #r = :r, #m = :m")
                .condition_expression(condition)
                .expression_attribute_names("#t", TEXT)
                .expression_attribute_names("#r", REVISION)
                .expression_attribute_names("#m", MARK)
                .expression_attribute_values(":t", item::s(text))
                .expression_attribute_values(":r", item::n(seen.unwrap_or(0) + 1))
                .expression_attribute_values(":m", item::s(mark));
            match seen {
                Some(seen) => call.expression_attribute_values(":seen", item::n(seen)).send(),
                None => call.send(),
            }
        })?;
        Ok(())
    }
}

impl Cells for DynamoCells {
    fn get(&self, name: &str) -> Result<Option<Cell>, CellError> {
        let doing = "read it";
        let Some(item) = self.item(name, doing)? else { return Ok(None) };
        let cell = item::text(&item, TEXT).zip(item::number(&item, REVISION));
        let cell = cell.map(|(text, revision)| Cell { text: text.to_owned(), revision });
        let unread = || super::LogError::unavailable("read a cell", "the item has no text or no revision");
        cell.map(Some).ok_or_else(|| self.failed(name, doing, unread()))
    }

    fn put(&self, name: &str, text: &str, seen: Option<&Cell>) -> Result<bool, CellError> {
        let mark = format!("{}-{}", self.writer, self.puts.fetch_add(1, Ordering::Relaxed));
        let mut turn = 0;
        loop {
            match self.write(name, text, &mark, seen) {
                // A transaction was looking at it, as appends under a lease do.
                Err(e) if e.trouble == CallError::Contended && turn < TURNS && self.api.give_way(turn + 1) => turn += 1,
                written => break self.judged(name, &mark, written),
            }
        }
    }
}

impl DynamoCells {
    /// Says whether a put came first.
    fn judged(&self, name: &str, mark: &str, written: Result<(), Failed>) -> Result<bool, CellError> {
        let doing = "put it";
        match written {
            Ok(()) => Ok(true),
            // Another came first, or this very put, whose answer was lost.
            Err(e) if e.trouble == CallError::Refused => {
                let there = self.item(name, doing)?;
                Ok(there.is_some_and(|item| item::text(&item, MARK) == Some(mark)))
            }
            Err(e) => Err(self.failed(name, doing, e)),
        }
    }
}

/// Makes the condition under which a transaction writes: the guard's lease is still the one that it was.
pub(super) fn check(guard: &Guard, table: &str) -> Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError> {
    let check = ConditionCheck::builder()
        .table_name(table)
        .set_key(Some(Key::of_cell(&guard.cell).item()))
        .condition_expression("begins_with(#t, :b)")
        .expression_attribute_names("#t", TEXT)
        .expression_attribute_values(":b", AttributeValue::S(guard.begins.clone()))
        .build()?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

/// Says whether the guard's lease is still the one that it was.
pub(super) fn holds(guard: &Guard, api: &Api) -> Result<bool, super::LogError> {
    let item = api.get(&Key::of_cell(&guard.cell), "read a lease")?;
    Ok(item.is_some_and(|item| item::text(&item, TEXT).is_some_and(|text| text.starts_with(&guard.begins))))
}
