//! Hands evidence on from the shards that gather it to the one that merges them: a Parquet file for each shard, in the history, where
//! every machine finds it.
//!
//! A file has a row for each instance: to whom it belongs, every feature under its name, and as JSON what only people look at. What the
//! shard was gathered with stands in the file's metadata; all shards of a round must agree on it.

use crate::evidence::{Evidence, Look, SampleCounts};
use crate::shard::Shard;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use bytes::Bytes;
use forewarn_domain::signal::{SIGNALS, Signal};
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::columns::text;
use forewarn_history::{History, HistoryError, round_name};
use forewarn_rules::feature::columns;
use forewarn_rules::instance::{InstanceRow, SPARK};
use forewarn_rules::predict::{ENGINE, Identity};
use forewarn_rules::remark::Remark;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::time::format_ms;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;

/// How many of the shards that are missing are named.
const NAMED: usize = 8;
/// The name of the metadata.
const HEADER: &str = "forewarn.evidence";

/// Why evidence can't be handed on.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file is not what it should be.
    #[error("{file}: {why}; delete it and gather the shard again")]
    File { file: String, why: String },
    /// What was gathered can't be written as Parquet.
    #[error("cannot write the evidence of shard {shard} as Parquet: {why}")]
    Encode { shard: Shard, why: String },
    /// Shards were gathered with different settings.
    #[error("{file} was gathered with another {what}; delete it and gather the shard again")]
    Apart { file: String, what: &'static str },
    /// The fleet is parted in several ways.
    #[error("{file} lies beside shard {other}: a fleet is parted in one way; delete the files of the other")]
    Parted { file: String, other: Shard },
    /// Not all shards are there.
    #[error(
        "{place} lacks {missing}: `forewarn analyze --shard I/N --as-of {as_of}` gathers each, with the same rules"
    )]
    Missing {
        /// Where the files are.
        place: String,
        /// Which, in words.
        missing: String,
        /// The time asked for.
        as_of: String,
    },
}

impl EvidenceError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::History(e) => e.is_bad_input(),
            Self::Encode { .. } => false,
            Self::File { .. } | Self::Apart { .. } | Self::Parted { .. } | Self::Missing { .. } => true,
        }
    }
}

/// What a shard was gathered with, and what was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    shard: Shard,
    with: With,
    samples: SampleCounts,
}

/// What the shards of a round agree on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct With {
    as_of: i64,
    buckets: u16,
    ruleset_sha256: String,
    engine: String,
    map: BTreeMap<String, Signal>,
}

impl With {
    fn of(history: &History, ruleset: &RuleSet, map: &SignalMap, as_of: i64) -> Self {
        Self {
            as_of,
            buckets: history.buckets(),
            ruleset_sha256: ruleset.sha256().to_owned(),
            engine: ENGINE.to_owned(),
            map: map.extra().clone(),
        }
    }

    /// Names what is different.
    fn other_than(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            (self.as_of == other.as_of, "time"),
            (self.buckets == other.buckets, "number of buckets"),
            (self.ruleset_sha256 == other.ruleset_sha256, "rule set"),
            (self.engine == other.engine, "version of forewarn"),
            (self.map == other.map, "map of metrics"),
        ];
        parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
    }
}

/// What people look at beside a row's features.
#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    devices: BTreeMap<Signal, String>,
    sparks: BTreeMap<Signal, Vec<Option<f32>>>,
    remarks: Vec<Remark>,
}

impl Shown {
    fn of(row: &InstanceRow) -> Self {
        let devices = SIGNALS.iter().zip(&row.devices).filter_map(|(s, d)| Some((s.signal, d.clone()?)));
        let spark = |steps: &[f32; SPARK]| steps.iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
        Self {
            devices: devices.collect(),
            sparks: row.sparks.iter().map(|(signal, steps)| (*signal, spark(steps))).collect(),
            remarks: row.remarks.clone(),
        }
    }

    fn row(mut self, values: Vec<f64>) -> InstanceRow {
        let spark = |steps: Vec<Option<f32>>| {
            let mut spark = [f32::NAN; SPARK];
            spark.iter_mut().zip(steps).for_each(|(step, v)| *step = v.unwrap_or(f32::NAN));
            spark
        };
        InstanceRow {
            values,
            devices: SIGNALS.iter().map(|s| self.devices.remove(&s.signal)).collect(),
            sparks: self.sparks.into_iter().map(|(signal, steps)| (signal, spark(steps))).collect(),
            remarks: self.remarks,
        }
    }
}

/// Names the place of a round's shards.
fn round(as_of: i64, ruleset: &RuleSet) -> String {
    round_name(as_of, ruleset.sha256(), ENGINE)
}

impl Look<'_> {
    /// Keeps the evidence of a shard in the history, and gives its place. The same again changes nothing.
    ///
    /// # Errors
    /// When other evidence of the shard is there, or it can't be written.
    pub fn keep_evidence(&self, shard: Shard, evidence: &Evidence) -> Result<String, EvidenceError> {
        let name = format!("{}.parquet", shard.to_string().replace('/', "-of-"));
        let with = With::of(self.history, self.ruleset, self.map, self.as_of);
        let header = Header { shard, with, samples: evidence.samples.clone() };
        let bytes = encode(&header, evidence).map_err(|e| EvidenceError::Encode { shard, why: e.to_string() })?;
        Ok(self.history.put_evidence(&round(self.as_of, self.ruleset), &name, &bytes)?)
    }
}

/// Joins the evidence of all shards of a time.
///
/// # Errors
/// When a shard is missing or damaged, or shards were gathered with different settings.
pub fn merge(history: &History, ruleset: &RuleSet, map: &SignalMap, as_of: i64) -> Result<Evidence, EvidenceError> {
    let round = round(as_of, ruleset);
    let here = With::of(history, ruleset, map, as_of);
    let mut whole = Evidence::default();
    let mut found: BTreeSet<Shard> = BTreeSet::new();
    for entry in history.evidence(&round)? {
        let file = history.store().describe(&entry.path);
        let damaged = |e: Box<dyn Error + Send + Sync>| EvidenceError::File { file: file.clone(), why: e.to_string() };
        let Some(bytes) = history.read_evidence(&entry)? else { continue };
        let (header, evidence) = decode(bytes).map_err(damaged)?;
        if let Some(what) = header.with.other_than(&here) {
            return Err(EvidenceError::Apart { file, what });
        }
        if let Some(other) = found.first().filter(|other| other.of() != header.shard.of()) {
            return Err(EvidenceError::Parted { file, other: *other });
        }
        found.insert(header.shard);
        whole.join(evidence);
    }
    match missing(&found) {
        None => Ok(whole),
        Some(missing) => {
            let (place, as_of) = (history.evidence_place(&round), format_ms(as_of));
            Err(EvidenceError::Missing { place, missing, as_of })
        }
    }
}

/// Names the shards that are not there, the first of them where there are many.
fn missing(found: &BTreeSet<Shard>) -> Option<String> {
    let Some(one) = found.first() else { return Some("every shard".to_owned()) };
    let missing: Vec<String> = Shard::all(one.of()).filter(|s| !found.contains(s)).map(|s| s.to_string()).collect();
    let named = missing.len().min(NAMED);
    let words = missing[..named].join(", ");
    match missing.len() - named {
        0 => (!missing.is_empty()).then_some(words),
        more => Some(format!("{words} and {more} more")),
    }
}

/// Deletes the evidence of a time, once it has been merged and what it says is written down.
///
/// # Errors
/// When it can't be deleted.
pub fn forget(history: &History, ruleset: &RuleSet, as_of: i64) -> Result<(), HistoryError> {
    history.forget_evidence(&round(as_of, ruleset))
}

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn encode(header: &Header, evidence: &Evidence) -> Fallible<Vec<u8>> {
    let rows = || evidence.rows.values();
    let shown =
        rows().map(|(row, _)| serde_json::to_string(&Shown::of(row)).map(Some)).collect::<Result<Vec<_>, _>>()?;
    let mut named: Vec<(String, ArrayRef, bool)> = vec![
        ("instance_id".to_owned(), text(evidence.rows.keys().map(Some)), false),
        ("account".to_owned(), text(rows().map(|(_, identity)| Some(&identity.account))), false),
        ("region".to_owned(), text(rows().map(|(_, identity)| Some(&identity.region))), false),
        ("workload".to_owned(), text(rows().map(|(_, identity)| identity.workload.as_ref())), true),
        ("change".to_owned(), text(rows().map(|(_, identity)| identity.change.as_ref())), true),
        ("shown".to_owned(), text(shown.into_iter()), false),
    ];
    for (at, name) in columns().into_iter().enumerate() {
        let values = Float64Array::from_iter_values(rows().map(|(row, _)| row.values[at]));
        named.push((name, Arc::new(values), false));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(named)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new(HEADER.to_owned(), serde_json::to_string(header)?)]))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn decode(bytes: Bytes) -> Fallible<(Header, Evidence)> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let told = reader.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let header = told.filter(|pair| pair.key == HEADER).find_map(|pair| pair.value.as_deref());
    let header: Header = serde_json::from_str(header.ok_or("it is no evidence of a shard")?)?;
    let mut evidence = Evidence { samples: header.samples.clone(), ..Evidence::default() };
    for batch in reader.build()? {
        take(&batch?, &mut evidence)?;
    }
    Ok((header, evidence))
}

fn take(batch: &RecordBatch, evidence: &mut Evidence) -> Fallible<()> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column `{name}`"));
    let texts = |name: &str| -> Fallible<&StringArray> {
        Ok(column(name)?.as_string_opt().ok_or_else(|| format!("column `{name}` is no text"))?)
    };
    let [ids, accounts, regions] = [texts("instance_id")?, texts("account")?, texts("region")?];
    let [workloads, changes, shown] = [texts("workload")?, texts("change")?, texts("shown")?];
    let mut features: Vec<&Float64Array> = Vec::new();
    for name in columns() {
        let values = column(&name)?.as_primitive_opt::<Float64Type>();
        features.push(values.ok_or_else(|| format!("column `{name}` is no number"))?);
    }
    for i in 0..batch.num_rows() {
        let given = |texts: &StringArray| texts.is_valid(i).then(|| texts.value(i).to_owned());
        let identity = Identity {
            account: accounts.value(i).to_owned(),
            region: regions.value(i).to_owned(),
            workload: given(workloads),
            change: given(changes),
        };
        let shown: Shown = serde_json::from_str(shown.value(i))?;
        let row = shown.row(features.iter().map(|values| values.value(i)).collect());
        evidence.rows.insert(ids.value(i).to_owned(), (row, identity));
    }
    Ok(())
}
