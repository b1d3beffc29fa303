//! Writes the failures of a fleet beside its truth.

use super::{EmulateError, Emulator};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema};
use forewarn_history::metric_schema;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes `instance_id, ts, cause, predictable` as Parquet, and gives the number of rows.
///
/// # Errors
/// When the file cannot be written.
pub fn write_incidents(it: &Emulator, path: &Path) -> Result<u64, EmulateError> {
    let file = File::create(path).map_err(|source| EmulateError::Truth { path: path.to_owned(), source })?;
    let failed = |source| EmulateError::Table { path: path.to_owned(), source };
    let time = metric_schema().field_with_name("ts").map_err(|e| failed(e.into()))?.data_type().clone();
    let schema = Arc::new(Schema::new(vec![
        Field::new("instance_id", DataType::Utf8, false),
        Field::new("ts", time, false),
        Field::new("cause", DataType::Utf8, false),
        Field::new("predictable", DataType::Boolean, false),
    ]));
    let (mut ids, mut rows) = (Vec::new(), Vec::new());
    for i in 0..it.world.instances() {
        let found = it.world.incidents(i);
        ids.resize(ids.len() + found.len(), it.world.machine(i).id);
        rows.extend(found);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(&ids)),
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.ts)).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.cause))),
        Arc::new(BooleanArray::from(rows.iter().map(|r| r.predictable).collect::<Vec<_>>())),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| failed(e.into()))?;
    let mut writer = ArrowWriter::try_new(file, schema, None).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(rows.len() as u64)
}
