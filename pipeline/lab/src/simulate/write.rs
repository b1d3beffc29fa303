//! Writes a fleet as Parquet tables, a few instances at a time.

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use arrow_array::builder::{StringBuilder, TimestampMillisecondBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::kind::Kind;
use super::observe::measure;
use super::{Error, Options, Sample, Series, SimInstance};

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub instances: usize,
    /// Rows of `metrics.parquet`.
    pub rows: usize,
    pub incidents: usize,
    /// Incidents that announced themselves.
    pub predictable: usize,
    /// Faults that started.
    pub faults: usize,
    /// Rows of `events.parquet`.
    pub events: usize,
    /// Rows of `changes.parquet`.
    pub changes: usize,
}

/// Writes `metrics`, `incidents`, `instances`, `events` and `changes` (each `.parquet`) into `dir`, which is created
/// where it is absent; files of those names are replaced. `progress` is called with the number of instances written.
/// Memory holds a few instances, whatever the size of the fleet; rows are sorted by instance, metric and time.
///
/// # Errors
/// Options that make no sense, or a folder that cannot be written.
pub fn write(options: &Options, dir: &Path, mut progress: impl FnMut(usize)) -> Result<Report, Error> {
    options.check()?;
    create_dir_all(dir).map_err(|source| Error::Io { path: dir.to_path_buf(), source })?;
    let mut metrics = Table::create(dir, "metrics", metrics_schema())?;
    let mut small = Small::default();
    let mut report = Report { instances: options.instances, ..Report::default() };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
    std::thread::scope(|scope| {
        // Worker w makes every instance i with i mod workers = w; each is at most two ahead of the writer.
        let lanes: Vec<Receiver<SimInstance>> = (0..workers)
            .map(|w| {
                let (send, receive) = sync_channel(1);
                scope.spawn(move || {
                    for i in (w..options.instances).step_by(workers) {
                        if send.send(measure(options, i)).is_err() {
                            return;
                        }
                    }
                });
                receive
            })
            .collect();
        for (i, lane) in (0..options.instances).zip(lanes.iter().cycle()) {
            let Ok(it) = lane.recv() else { break };
            report.rows += metrics.instance(&it, options.step_s)?;
            report.incidents += it.incidents.len();
            report.predictable += it.incidents.iter().filter(|x| x.predictable).count();
            report.faults += it.faults.len();
            report.events += it.events.len();
            report.changes += it.changes.len();
            small.add(&it);
            progress(i + 1);
        }
        Ok::<(), Error>(())
    })?;
    metrics.close()?;
    small.write(dir)?;
    Ok(report)
}

fn ts_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn metrics_schema() -> SchemaRef {
    let text = |name: &str, null: bool| {
        Field::new(name, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), null)
    };
    Arc::new(Schema::new(vec![
        text("account", false),
        text("region", false),
        text("instance_id", false),
        text("namespace", false),
        text("metric", false),
        text("stat", false),
        text("device", true),
        Field::new("period_s", DataType::Int32, false),
        Field::new("ts", ts_type(), false),
        Field::new("value", DataType::Float64, false),
        Field::new("ingested_at", ts_type(), true),
    ]))
}

/// One Parquet file that grows batch by batch.
struct Table {
    path: PathBuf,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
}

impl Table {
    fn create(dir: &Path, name: &str, schema: SchemaRef) -> Result<Self, Error> {
        let path = dir.join(format!("{name}.parquet"));
        let file = File::create(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let ts = ColumnPath::from("ts");
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_column_dictionary_enabled(ts.clone(), false)
            .set_column_encoding(ts, Encoding::DELTA_BINARY_PACKED)
            .set_max_row_group_row_count(Some(1 << 20))
            .set_created_by("forewarn".into())
            .build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|source| Error::Table { path: path.clone(), source })?;
        Ok(Self { path, writer, schema })
    }

    fn failed(&self) -> impl Fn(ParquetError) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Table { path: path.clone(), source }
    }

    fn batch(&mut self, columns: Vec<ArrayRef>) -> Result<(), Error> {
        let failed = self.failed();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| failed(e.into()))?;
        self.writer.write(&batch).map_err(failed)
    }

    /// Writes all series of one instance, each metric's devices merged by time; gives the number of rows.
    fn instance(&mut self, it: &SimInstance, step_s: u32) -> Result<usize, Error> {
        let mut rows = 0;
        for group in it.series.chunk_by(|a, b| a.metric == b.metric) {
            let mut all: Vec<(usize, &Sample)> =
                group.iter().enumerate().flat_map(|(k, s)| s.samples.iter().map(move |x| (k, x))).collect();
            all.sort_by_key(|(_, x)| x.ts);
            let n = all.len();
            let same = |text: &str| -> Result<ArrayRef, Error> { self.repeated(&vec![0; n], &[text]) };
            let devices: Vec<Option<&str>> = group.iter().map(|s: &Series| s.device).collect();
            let keys: Vec<Option<i32>> = all.iter().map(|(k, _)| devices[*k].map(|_| *k as i32)).collect();
            let names = StringArray::from_iter_values(devices.iter().map(|d| d.unwrap_or_default()));
            let device = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), Arc::new(names))
                .map_err(|e| self.failed()(e.into()))?;
            let (first, ts) = (&group[0], all.iter().map(|(_, x)| x.ts));
            let columns: Vec<ArrayRef> = vec![
                same(it.account)?,
                same(it.region)?,
                same(&it.id)?,
                same(first.namespace)?,
                same(first.metric)?,
                same(first.stat)?,
                Arc::new(device),
                Arc::new(Int32Array::from(vec![step_s as i32; n])),
                Arc::new(TimestampMillisecondArray::from_iter_values(ts).with_timezone("UTC")),
                Arc::new(Float64Array::from_iter_values(all.iter().map(|(_, x)| x.value))),
                Arc::new(
                    all.iter().map(|(_, x)| x.ingested_at).collect::<TimestampMillisecondArray>().with_timezone("UTC"),
                ),
            ];
            self.batch(columns)?;
            rows += n;
        }
        Ok(rows)
    }

    fn repeated(&self, keys: &[i32], values: &[&str]) -> Result<ArrayRef, Error> {
        DictionaryArray::<Int32Type>::try_new(
            Int32Array::from(keys.to_vec()),
            Arc::new(StringArray::from_iter_values(values)),
        )
        .map(|d| Arc::new(d) as ArrayRef)
        .map_err(|e| self.failed()(e.into()))
    }

    fn close(self) -> Result<(), Error> {
        let failed = self.failed();
        self.writer.close().map(|_| ()).map_err(failed)
    }
}

fn strings<S: AsRef<str>>(values: impl Iterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// One row of `instances.parquet`.
struct Row {
    id: String,
    workload: String,
    size: &'static str,
    launched: i64,
    terminated: Option<i64>,
    shape: &'static str,
    habits: String,
    faults: String,
}

/// The tables of a row an instance, or a few.
#[derive(Default)]
struct Small {
    incidents: (StringBuilder, TimestampMillisecondBuilder, StringBuilder, Vec<bool>),
    instances: Vec<Row>,
    events: (StringBuilder, TimestampMillisecondBuilder, [StringBuilder; 3], TimestampMillisecondBuilder),
    changes: (StringBuilder, StringBuilder, TimestampMillisecondBuilder, StringBuilder),
}

impl Small {
    fn add(&mut self, it: &SimInstance) {
        for x in &it.incidents {
            self.incidents.0.append_value(&it.id);
            self.incidents.1.append_value(x.ts);
            self.incidents.2.append_value(x.cause);
            self.incidents.3.push(x.predictable);
        }
        for e in &it.events {
            self.events.0.append_value(&it.id);
            self.events.1.append_value(e.ts);
            for (column, text) in self.events.2.iter_mut().zip([e.kind, e.code, &e.detail]) {
                column.append_value(text);
            }
            self.events.3.append_option(e.starts_at);
        }
        for c in &it.changes {
            self.changes.0.append_value(&it.id);
            self.changes.1.append_value(&it.workload);
            self.changes.2.append_value(c.ts);
            self.changes.3.append_value(&c.label);
        }
        let faults: Vec<String> = it.faults.iter().map(|f| format!("{}:{}", f.kind.name(), f.outcome.name())).collect();
        let habits: Vec<&str> = it.habits.iter().map(|h| h.name()).collect();
        self.instances.push(Row {
            id: it.id.clone(),
            workload: it.workload.clone(),
            size: it.instance_type,
            launched: it.launched_at,
            terminated: it.terminated_at,
            shape: it.shape.name(),
            habits: habits.join(","),
            faults: faults.join(","),
        });
    }

    fn write(mut self, dir: &Path) -> Result<(), Error> {
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let time = |name: &str, null| Field::new(name, ts_type(), null);
        let utc = |b: &mut TimestampMillisecondBuilder| -> ArrayRef { Arc::new(b.finish().with_timezone("UTC")) };
        let save = |name: &str, fields: Vec<Field>, columns: Vec<ArrayRef>| {
            let mut table = Table::create(dir, name, Arc::new(Schema::new(fields)))?;
            table.batch(columns)?;
            table.close()
        };
        let (id, ts, cause, predictable) = &mut self.incidents;
        save(
            "incidents",
            vec![
                text("instance_id"),
                time("ts", false),
                text("cause"),
                Field::new("predictable", DataType::Boolean, false),
            ],
            vec![
                Arc::new(id.finish()),
                utc(ts),
                Arc::new(cause.finish()),
                Arc::new(BooleanArray::from(std::mem::take(predictable))),
            ],
        )?;
        let (id, ts, [kind, code, detail], starts) = &mut self.events;
        save(
            "events",
            vec![
                text("instance_id"),
                time("ts", false),
                text("kind"),
                text("code"),
                time("starts_at", true),
                text("detail"),
            ],
            vec![
                Arc::new(id.finish()),
                utc(ts),
                Arc::new(kind.finish()),
                Arc::new(code.finish()),
                utc(starts),
                Arc::new(detail.finish()),
            ],
        )?;
        let (id, workload, ts, label) = &mut self.changes;
        save(
            "changes",
            vec![text("instance_id"), text("workload"), time("ts", false), text("label")],
            vec![Arc::new(id.finish()), Arc::new(workload.finish()), utc(ts), Arc::new(label.finish())],
        )?;
        let rows = &self.instances;
        save(
            "instances",
            vec![
                text("instance_id"),
                text("workload"),
                text("instance_type"),
                time("launched_at", false),
                time("terminated_at", true),
                text("shape"),
                text("habits"),
                text("faults"),
            ],
            vec![
                strings(rows.iter().map(|r| &r.id)),
                strings(rows.iter().map(|r| &r.workload)),
                strings(rows.iter().map(|r| r.size)),
                Arc::new(
                    TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.launched)).with_timezone("UTC"),
                ),
                Arc::new(rows.iter().map(|r| r.terminated).collect::<TimestampMillisecondArray>().with_timezone("UTC")),
                strings(rows.iter().map(|r| r.shape)),
                strings(rows.iter().map(|r| &r.habits)),
                strings(rows.iter().map(|r| &r.faults)),
            ],
        )
    }
}
