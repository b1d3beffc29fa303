//! States the columns of metric files and how they are encoded.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// The text columns, in file order; only the last, `device`, may be null.
pub const TEXT_COLUMNS: [&str; 7] = ["account", "region", "instance_id", "namespace", "metric", "stat", "device"];

/// Positions of the other columns.
pub(crate) const PERIOD: usize = 7;
pub(crate) const TS: usize = 8;
pub(crate) const VALUE: usize = 9;
pub(crate) const INGESTED: usize = 10;
pub(crate) const IMPORTED: usize = 11;
/// Positions of text columns that are looked at by themselves.
pub(crate) const INSTANCE: usize = 2;
pub(crate) const DEVICE: usize = 6;

/// Rows of a full row group.
pub(crate) const ROW_GROUP: usize = 128 * 1024;

/// Where an instance ends after this many rows, so does the row group: an instance mostly lies in one.
pub(crate) const ROW_GROUP_SOFT: usize = 96 * 1024;

/// Gives the type of all times.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Gives the type of all text columns.
pub(crate) fn text_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Gives the columns of a metric file in which imports are; others lack the last one.
pub fn metric_schema() -> SchemaRef {
    let mut fields: Vec<Field> =
        TEXT_COLUMNS.iter().map(|name| Field::new(*name, text_type(), *name == "device")).collect();
    fields.push(Field::new("period_s", DataType::Int32, false));
    fields.push(Field::new("ts", time_type(), false));
    fields.push(Field::new("value", DataType::Float64, false));
    fields.push(Field::new("ingested_at", time_type(), true));
    fields.push(Field::new("imported_at", time_type(), true));
    Arc::new(Schema::new(fields))
}

/// Gives the encodings of a metric file. Statistics are kept whole, since readers skip columns that they show
/// to be constant.
///
/// zstd stays at level 1: on a fleet of minutes level 3 makes files 11 % smaller and scans 8 % slower.
pub(crate) fn metric_properties() -> WriterProperties {
    let sorted = [INSTANCE, 3, 4, 5, DEVICE, TS];
    let sorting =
        sorted.iter().map(|&i| SortingColumn { column_idx: i as i32, descending: false, nulls_first: true }).collect();
    let col = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder();
    // Sorted, these columns are a few runs of codes: a decompressor costs more to set up than it saves.
    for name in TEXT_COLUMNS.into_iter().chain(["period_s"]) {
        properties = properties.set_column_compression(col(name), Compression::UNCOMPRESSED);
    }
    properties
        .set_created_by(concat!("forewarn ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_sorting_columns(Some(sorting))
        .set_column_dictionary_enabled(col("ts"), false)
        .set_column_encoding(col("ts"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(col("ingested_at"), false)
        .set_column_encoding(col("ingested_at"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(col("imported_at"), false)
        .set_column_encoding(col("imported_at"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(col("value"), false)
        .set_column_encoding(col("value"), Encoding::BYTE_STREAM_SPLIT)
        .build()
}
