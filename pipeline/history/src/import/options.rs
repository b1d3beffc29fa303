//! What an import is told and what it tells.

use forewarn_domain::signal::Signal;
use forewarn_runtime::threads::Threads;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What to do with a bad row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Import nothing and say where it is.
    #[default]
    Fail,
    /// Leave it out, count it, and say where the first ones are.
    Skip,
}

/// How to read the files of an import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The instance, for files without such a column.
    pub instance: Option<String>,
    /// The metric, for files without such a column.
    pub metric: Option<String>,
    /// The namespace, for files without such a column; else that of the signal that reads the metric, else `custom`.
    pub namespace: Option<String>,
    /// The account, for files without such a column; else `unknown`.
    pub account: Option<String>,
    /// The region, for files without such a column; else `unknown`.
    pub region: Option<String>,
    /// The statistic, for files without such a column; else that of the signal that reads the metric, else `Average`.
    pub stat: Option<String>,
    /// The device, for files without such a column; else none.
    pub device: Option<String>,
    /// The period in seconds, for files without such a column; else inferred from the gaps of each series.
    pub period_s: Option<i32>,
    /// IANA name of the zone of times that carry none; else UTC.
    pub tz: Option<String>,
    /// Names of columns in the files by their names here, as `ts` = `When`.
    pub columns: BTreeMap<String, String>,
    /// Metric names that a signal is to read beside its own; kept in the history.
    pub signal_map: BTreeMap<String, Signal>,
    /// What to do with a bad row.
    pub on_error: OnError,
    /// Bytes of samples held before they are spilled.
    pub memory_limit_bytes: usize,
    /// The time of the call, milliseconds.
    pub now_ms: i64,
    /// How many threads write.
    pub threads: Threads,
}

/// The default of [`ImportOptions::memory_limit_bytes`].
const MEMORY_LIMIT: usize = 128 << 20;

impl ImportOptions {
    /// Gives the defaults at a time.
    pub fn at(now_ms: i64) -> Self {
        Self {
            instance: None,
            metric: None,
            namespace: None,
            account: None,
            region: None,
            stat: None,
            device: None,
            period_s: None,
            tz: None,
            columns: BTreeMap::new(),
            signal_map: BTreeMap::new(),
            on_error: OnError::Fail,
            memory_limit_bytes: MEMORY_LIMIT,
            now_ms,
            threads: Threads::ONE,
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Files read.
    pub files: u64,
    pub rows_read: u64,
    pub rows_written: u64,
    /// Bad rows left out.
    pub rows_skipped: u64,
    /// Rows without a value (empty, null, NaN), left out.
    pub rows_missing: u64,
    /// Rows that say otherwise than what the history had for their series and time; from now on they count.
    #[serde(default)]
    pub rows_replacing: u64,
    /// Rows that say otherwise than another row of the same import; the greater value counts.
    #[serde(default)]
    pub rows_contradicting: u64,
    /// Columns that nobody knows and that alone tell rows apart; they joined the device.
    #[serde(default)]
    pub told_apart_by: Vec<String>,
    /// Values that their signal can't have, by metric; they are kept, and kept out of the signal.
    #[serde(default)]
    pub outside: BTreeMap<String, u64>,
    /// Series that are something else than their signal reads, by what they are; they are kept, and kept out of the signal.
    #[serde(default)]
    pub doubtful: BTreeMap<String, u64>,
    /// Distinct series.
    pub series: u64,
    /// Distinct instances.
    pub instances: u64,
    /// First time, RFC 3339.
    pub from: Option<String>,
    /// Last time, RFC 3339.
    pub to: Option<String>,
    /// First and last time, milliseconds.
    pub range: Option<(i64, i64)>,
    /// Metrics that no signal uses, with their rows, and with the statistic where another one is read; they are kept.
    pub unused_metrics: BTreeMap<String, u64>,
    /// Whether the same import had been done before, so that nothing was left to do.
    pub already_imported: bool,
    /// The first bad rows, as `file:line: fault`.
    pub errors: Vec<String>,
}

/// What an import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading input.
    Read,
    /// Writing the history's files.
    Write,
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What it is doing.
    pub phase: Phase,
    /// The file being read.
    pub file: Option<&'a Path>,
    /// Rows so far, read or written.
    pub rows: u64,
    /// Bytes of the file read, or files written.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}
