//! Renders an analysis: the predictions as a table for people, the feature table as Parquet.

mod table;

pub use table::table;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use forewarn_history::columns::{text, time};
use forewarn_history::prediction_table::{TableWriteError, parquet_bytes};
use forewarn_rules::table::FeatureTable;
use std::sync::Arc;

/// Writes the feature table as Parquet: `instance_id`, `as_of` and every feature, null where unknown.
///
/// # Errors
/// When the table can't be written.
pub fn features_parquet(table: &FeatureTable) -> Result<Vec<u8>, TableWriteError> {
    let mut fields: Vec<(String, ArrayRef)> = vec![
        ("instance_id".to_owned(), text(table.instance_ids.iter().map(Some))),
        ("as_of".to_owned(), time(table.as_of.iter().copied())),
    ];
    for (name, values) in forewarn_rules::feature::columns().into_iter().zip(&table.values) {
        let column: Float64Array = values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
        fields.push((name, Arc::new(column)));
    }
    parquet_bytes(&RecordBatch::try_from_iter(fields)?)
}
