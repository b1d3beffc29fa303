//! Writes what exists: every point of a world as one Parquet file, late ones included.

use super::world::{Device, Point, World};
use super::{EmulateError, Emulator};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::Schema;
use forewarn_history::metric_schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows that are held before they are written.
const ROWS: usize = 128 * 1024;

/// Writes the truth of the whole range into one file: the columns of a history up to `value`, sorted as its files are.
/// Gives the number of rows; memory holds a row group, whatever the size of the world.
///
/// # Errors
/// When the file cannot be written.
pub fn write_truth(it: &Emulator, path: &Path) -> Result<u64, EmulateError> {
    let file = File::create(path).map_err(|source| EmulateError::Truth { path: path.to_owned(), source })?;
    let failed = |source| EmulateError::Table { path: path.to_owned(), source };
    // The last column of a history says when a row was taken in, which is nothing that exists.
    let fields = metric_schema()
        .fields()
        .iter()
        .filter(|f| !["ingested_at", "imported_at"].contains(&f.name().as_str()))
        .cloned()
        .collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties())).map_err(failed)?;
    let (world, step) = (it.world.as_ref(), it.world.span().step_ms);
    let mut rows = 0;
    let mut held = PendingRows::default();
    let mut points: Vec<Point> = Vec::new();
    for i in 0..world.instances() {
        let machine = world.machine(i);
        for (k, device) in order(world, i, &machine.volume) {
            points.clear();
            world.read(i, k, world.span().start_ms, world.span().end_ms, &mut points);
            let probe = world.probes(i)[k];
            let texts = [&it.account, &it.region, &machine.id, probe.namespace, probe.metric, probe.stat];
            rows += points.len() as u64;
            let mut rest = points.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(ROWS - held.ts.len()));
                held.push(texts, device.as_deref(), now);
                rest = later;
                if held.ts.len() == ROWS {
                    let batch = held.take((step / 1000) as i32, &schema).map_err(|e| failed(e.into()))?;
                    writer.write(&batch).map_err(failed)?;
                }
            }
        }
    }
    let batch = held.take((step / 1000) as i32, &schema).map_err(|e| failed(e.into()))?;
    writer.write(&batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(rows)
}

fn properties() -> WriterProperties {
    let ts = ColumnPath::from("ts");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_column_dictionary_enabled(ts.clone(), false)
        .set_column_encoding(ts, Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from("value"), false)
        .set_max_row_group_row_count(Some(ROWS))
        .build()
}

/// The series of an instance in the order of a history's files, with their devices as a history has them.
fn order(world: &dyn World, i: usize, volume: &str) -> Vec<(usize, Option<String>)> {
    let device = |device| match device {
        Device::Whole => None,
        Device::Path(path) => Some(format!("path={path}")),
        Device::Volume => Some(format!("volume={volume}")),
    };
    let probes = world.probes(i);
    let mut all: Vec<(usize, Option<String>)> = probes.iter().enumerate().map(|(k, p)| (k, device(p.device))).collect();
    all.sort_by(|(a, x), (b, y)| {
        let key = |k: usize| (probes[k].namespace, probes[k].metric, probes[k].stat);
        (key(*a), x).cmp(&(key(*b), y))
    });
    all
}

/// Rows of a batch: the distinct texts of each column with a code for each row.
#[derive(Debug, Default)]
struct PendingRows {
    texts: [(Vec<String>, Vec<Option<i32>>); 7],
    ts: Vec<i64>,
    values: Vec<f64>,
}

impl PendingRows {
    fn push(&mut self, texts: [&str; 6], device: Option<&str>, points: &[Point]) {
        let columns = texts.into_iter().map(Some).chain([device]);
        for ((known, codes), text) in self.texts.iter_mut().zip(columns) {
            let code = text.map(|text| {
                // Texts of neighbouring series are mostly the same few: the last are looked at first.
                let at = known.iter().rposition(|k| k == text).unwrap_or_else(|| {
                    known.push(text.to_owned());
                    known.len() - 1
                });
                at as i32
            });
            codes.resize(codes.len() + points.len(), code);
        }
        self.ts.extend(points.iter().map(|p| p.ts));
        self.values.extend(points.iter().map(|p| p.value));
    }

    fn take(&mut self, period: i32, schema: &arrow_schema::SchemaRef) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let n = self.ts.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(10);
        for (texts, codes) in &mut self.texts {
            let texts = StringArray::from_iter_values(std::mem::take(texts));
            let codes = Int32Array::from(std::mem::take(codes));
            columns.push(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, Arc::new(texts))?));
        }
        columns.push(Arc::new(Int32Array::from(vec![period; n])));
        columns.push(Arc::new(TimestampMillisecondArray::from(std::mem::take(&mut self.ts)).with_timezone("UTC")));
        columns.push(Arc::new(Float64Array::from(std::mem::take(&mut self.values))));
        RecordBatch::try_new(Arc::clone(schema), columns)
    }
}
