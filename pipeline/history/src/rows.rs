//! The rows of the small tables beside the metrics: what is known of instances, events, incidents.

use super::error::Result;
use super::table_codec::{Table, encode, texts, times};
use arrow_array::BooleanArray;
use forewarn_runtime::time::DAY_MS;
use std::sync::Arc;

/// What `cpu_credits` is where an instance may spend more than its balance.
pub const UNLIMITED: &str = "unlimited";

/// What is known of an instance beside its metrics, and from when on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct InstanceRow {
    pub instance_id: String,
    /// When it was seen to be so, milliseconds; none for what somebody told of it, which is taken to have been so ever since.
    pub seen_at: Option<i64>,
    /// When that was told, milliseconds.
    pub imported_at: Option<i64>,
    /// What it is a copy of.
    pub workload: Option<String>,
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// When it was launched, milliseconds.
    pub launched_at: Option<i64>,
    /// How it may spend CPU credits, as `DescribeInstanceCreditSpecifications` says: `standard`, or `unlimited` beyond its balance.
    pub cpu_credits: Option<String>,
}

impl InstanceRow {
    /// Says whether it may spend credits beyond its balance.
    pub fn is_unlimited(&self) -> bool {
        self.cpu_credits.as_deref() == Some(UNLIMITED)
    }

    /// Gives when it came to be known, milliseconds; none where nothing says so.
    pub fn known_from(&self) -> Option<i64> {
        self.seen_at.or(self.imported_at)
    }
}

/// Something that was said about an instance, such as a scheduled retirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct EventRow {
    pub instance_id: String,
    /// When it was said, milliseconds.
    pub ts: i64,
    /// What kind of event: `maintenance`, `change` and the like.
    pub kind: String,
    /// The source's own code, such as `instance-retirement`.
    pub code: String,
    /// When the thing announced begins, milliseconds.
    pub starts_at: Option<i64>,
    /// Words for people.
    pub detail: Option<String>,
    /// When it arrived here, milliseconds.
    pub ingested_at: Option<i64>,
}

/// By what an event is chosen before it is read whole.
#[derive(Debug, Clone, Copy)]
pub struct EventKey<'a> {
    pub instance_id: &'a str,
    pub ts: i64,
    pub kind: &'a str,
}

impl EventKey<'_> {
    /// True for work that the provider has scheduled on the instance or its host.
    pub fn is_maintenance(&self) -> bool {
        matches!(self.kind, "maintenance" | "scheduled")
    }
}

impl EventRow {
    /// Gives what it is chosen by.
    pub fn key(&self) -> EventKey<'_> {
        EventKey { instance_id: &self.instance_id, ts: self.ts, kind: &self.kind }
    }

    /// True for work that the provider has scheduled on the instance or its host.
    pub fn is_maintenance(&self) -> bool {
        self.key().is_maintenance()
    }

    /// Gives the ARN of the announcement of AWS Health that it comes from, if it does.
    pub fn health_arn(&self) -> Option<&str> {
        let detail = self.detail.as_deref()?;
        let arn = detail.strip_prefix("[Completed] ").unwrap_or(detail);
        arn.starts_with("arn:").then_some(arn)
    }

    /// True when the event says that the work is done or called off; EC2 puts it in front of the description.
    pub fn is_over(&self) -> bool {
        self.detail.as_deref().is_some_and(|d| d.starts_with("[Completed]") || d.starts_with("[Canceled]"))
    }
}

/// A failure that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct IncidentRow {
    pub instance_id: String,
    /// When it began, milliseconds.
    pub ts: i64,
    /// What it was.
    pub cause: Option<String>,
    /// Whether the metrics could have told.
    pub predictable: Option<bool>,
}

/// A row of a small table.
pub(super) trait TableRow: Sized + Clone + Ord {
    /// The directory of the table.
    const TABLE: &'static str;
    /// Whether a compaction gathers all days in one file, under the last of them, rather than the files of each day.
    const GATHERED: bool = false;
    /// The day of the directory that the row is written into.
    fn day(&self) -> i64;
    fn encode(rows: &[Self]) -> Result<Vec<u8>>;
    fn decode(table: &Table<'_>, row: usize) -> Result<Self>;
}

impl TableRow for InstanceRow {
    const TABLE: &'static str = "instances";
    const GATHERED: bool = true;

    fn day(&self) -> i64 {
        self.known_from().unwrap_or(0).div_euclid(DAY_MS)
    }

    fn encode(rows: &[Self]) -> Result<Vec<u8>> {
        encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("workload", texts(rows.iter().map(|r| r.workload.as_deref())), true),
            ("instance_type", texts(rows.iter().map(|r| r.instance_type.as_deref())), true),
            ("launched_at", times(rows.iter().map(|r| r.launched_at)), true),
            ("seen_at", times(rows.iter().map(|r| r.seen_at)), true),
            ("imported_at", times(rows.iter().map(|r| r.imported_at)), true),
            ("cpu_credits", texts(rows.iter().map(|r| r.cpu_credits.as_deref())), true),
        ])
    }

    fn decode(table: &Table<'_>, row: usize) -> Result<Self> {
        Ok(Self {
            instance_id: table.needed_text("instance_id", row)?,
            workload: table.text("workload", row)?,
            instance_type: table.text("instance_type", row)?,
            launched_at: table.time("launched_at", row)?,
            seen_at: table.time("seen_at", row)?,
            imported_at: table.time("imported_at", row)?,
            cpu_credits: table.text("cpu_credits", row)?,
        })
    }
}

impl TableRow for EventRow {
    const TABLE: &'static str = "events";

    fn day(&self) -> i64 {
        self.ts.div_euclid(DAY_MS)
    }

    fn encode(rows: &[Self]) -> Result<Vec<u8>> {
        encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("ts", times(rows.iter().map(|r| Some(r.ts))), false),
            ("kind", texts(rows.iter().map(|r| Some(r.kind.as_str()))), false),
            ("code", texts(rows.iter().map(|r| Some(r.code.as_str()))), false),
            ("starts_at", times(rows.iter().map(|r| r.starts_at)), true),
            ("detail", texts(rows.iter().map(|r| r.detail.as_deref())), true),
            ("ingested_at", times(rows.iter().map(|r| r.ingested_at)), true),
        ])
    }

    fn decode(table: &Table<'_>, row: usize) -> Result<Self> {
        Ok(Self {
            instance_id: table.needed_text("instance_id", row)?,
            ts: table.needed_time("ts", row)?,
            kind: table.needed_text("kind", row)?,
            code: table.needed_text("code", row)?,
            starts_at: table.time("starts_at", row)?,
            detail: table.text("detail", row)?,
            ingested_at: table.time("ingested_at", row)?,
        })
    }
}

impl TableRow for IncidentRow {
    const TABLE: &'static str = "incidents";

    fn day(&self) -> i64 {
        self.ts.div_euclid(DAY_MS)
    }

    fn encode(rows: &[Self]) -> Result<Vec<u8>> {
        let predictable: BooleanArray = rows.iter().map(|r| r.predictable).collect();
        encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("ts", times(rows.iter().map(|r| Some(r.ts))), false),
            ("cause", texts(rows.iter().map(|r| r.cause.as_deref())), true),
            ("predictable", Arc::new(predictable), true),
        ])
    }

    fn decode(table: &Table<'_>, row: usize) -> Result<Self> {
        Ok(Self {
            instance_id: table.needed_text("instance_id", row)?,
            ts: table.needed_time("ts", row)?,
            cause: table.text("cause", row)?,
            predictable: table.flag("predictable", row)?,
        })
    }
}
