//! Predictions as a table: the columns that CSV and Parquet share.

use crate::columns::{text, time};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use forewarn_domain::prediction::Prediction;
use parquet::arrow::ArrowWriter;
use std::error::Error;
use std::sync::Arc;

/// Why a table can't be written.
pub type TableWriteError = Box<dyn Error + Send + Sync>;

/// The columns of a prediction in CSV and Parquet.
const COLUMNS: [&str; 21] = [
    "prediction_id",
    "episode_id",
    "instance_id",
    "account",
    "region",
    "workload",
    "as_of",
    "confidence",
    "p24",
    "p72",
    "p168",
    "failure_type",
    "recommended_action",
    "window",
    "factor",
    "unassessable",
    "ruleset",
    "ruleset_sha256",
    "engine",
    "prior_id",
    "incidents_per_instance_month",
];

fn cell(p: &Prediction, column: &str) -> Option<String> {
    let number = |v: Option<f64>| v.map(|v| v.to_string());
    let name = |v: Option<serde_json::Value>| v.and_then(|v| v.as_str().map(str::to_owned));
    match column {
        "prediction_id" => Some(p.prediction_id.clone()),
        "episode_id" => p.episode_id.clone(),
        "instance_id" => Some(p.instance_id.clone()),
        "account" => Some(p.account.clone()),
        "region" => Some(p.region.clone()),
        "workload" => p.workload.clone(),
        "as_of" => Some(p.as_of.clone()),
        "confidence" => Some(p.confidence.name().to_owned()),
        "p24" => number(p.probability.h24),
        "p72" => number(p.probability.h72),
        "p168" => number(p.probability.h168),
        "failure_type" => p.failure_type.map(|f| f.name().to_owned()),
        "recommended_action" => name(p.recommended_action.and_then(|a| serde_json::to_value(a).ok())),
        "window" => p.window.as_ref().map(|w| w.text.clone()),
        "factor" => p.factors.first().map(|f| f.text.clone()),
        "unassessable" => name(p.unassessable.and_then(|u| serde_json::to_value(u).ok())),
        "ruleset" => Some(format!("{} {}", p.ruleset.name, p.ruleset.version)),
        "ruleset_sha256" => Some(p.ruleset.sha256.clone()),
        "engine" => Some(p.engine.clone()),
        "prior_id" => p.prior.as_ref().map(|prior| prior.prior_id.clone()),
        "incidents_per_instance_month" => number(p.prior.as_ref().map(|prior| prior.incidents_per_instance_month)),
        _ => None,
    }
}

/// Writes predictions as CSV with a header; what isn't known is empty.
///
/// # Errors
/// When a record can't be written.
pub fn csv(predictions: &[Prediction]) -> Result<Vec<u8>, TableWriteError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for p in predictions {
        writer.write_record(COLUMNS.map(|c| cell(p, c).unwrap_or_default()))?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// Writes predictions as Parquet: the columns of the CSV, with times and probabilities in their own types.
///
/// # Errors
/// When the table can't be written.
pub fn parquet(predictions: &[Prediction]) -> Result<Vec<u8>, TableWriteError> {
    let mut fields: Vec<(&str, ArrayRef)> = Vec::new();
    for name in COLUMNS {
        let p = |get: fn(&Prediction) -> Option<f64>| -> ArrayRef {
            Arc::new(predictions.iter().map(get).collect::<Float64Array>())
        };
        let column: ArrayRef = match name {
            "as_of" => {
                let times: Result<Vec<i64>, _> =
                    predictions.iter().map(|p| forewarn_runtime::time::parse_instant(&p.as_of, None)).collect();
                time(times?.into_iter())
            }
            "p24" => p(|p| p.probability.h24),
            "p72" => p(|p| p.probability.h72),
            "p168" => p(|p| p.probability.h168),
            "incidents_per_instance_month" => p(|p| p.prior.as_ref().map(|prior| prior.incidents_per_instance_month)),
            _ => text(predictions.iter().map(|p| cell(p, name))),
        };
        fields.push((name, column));
    }
    parquet_bytes(&RecordBatch::try_from_iter(fields)?)
}

/// Writes a batch as a whole Parquet file.
///
/// # Errors
/// When it can't be encoded.
pub fn parquet_bytes(batch: &RecordBatch) -> Result<Vec<u8>, TableWriteError> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(out)
}
