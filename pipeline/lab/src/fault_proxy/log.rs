//! Writes down every fault, so that a proof can count them.

use super::operation::Operation;
use super::script::{Action, Strike};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One fault as it is written: a line of JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    rule: usize,
    operation: &'a str,
    call: u64,
    action: Action,
    /// Entries that failed, where the fault is about entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<usize>,
}

/// Where faults are written and counted.
#[derive(Debug, Default)]
pub(super) struct Log {
    file: Option<File>,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Log {
    /// Appends to a file, where one is named.
    pub(super) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let file = path.map(|p| File::options().create(true).append(true).open(p)).transpose()?;
        Ok(Self { file, counts: Mutex::default() })
    }

    /// Writes down a fault that was carried out.
    pub(super) fn note(&self, operation: &Operation, strike: &Strike, entries: Option<usize>) {
        let line = Line {
            at: forewarn_runtime::time::format_ms(forewarn_runtime::time::system_now_ms()),
            rule: strike.rule,
            operation: &operation.name,
            call: strike.call,
            action: strike.action,
            entries,
        };
        let name = name_of(strike.action);
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
        if let (Some(mut file), Ok(text)) = (self.file.as_ref(), serde_json::to_string(&line)) {
            // One write a line: lines of several connections don't mix.
            if let Err(e) = file.write_all(format!("{text}\n").as_bytes()) {
                tracing::warn!(error = %e, "a fault could not be written to the log");
            }
        }
    }

    /// Gives how often each action was carried out.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn name_of(action: Action) -> &'static str {
    match action {
        Action::Throttle => "throttle",
        Action::Http(_) => "http",
        Action::Reset => "reset",
        Action::LoseReply => "lose_reply",
        Action::Delay(_) => "delay",
        Action::Silent => "silent",
        Action::Drip => "drip",
        Action::PartialPutRecords(_) => "partial_put_records",
        Action::PartialPutEvents(_) => "partial_put_events",
        Action::ExpireIterator => "expire_iterator",
    }
}
