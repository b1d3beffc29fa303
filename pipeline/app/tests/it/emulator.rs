//! Shows that the emulator is what the real SDKs take for AWS: its wire, its limits, its pages, its errors.

mod ec2;
mod errors;
mod metrics;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use forewarn_lab::emulate::{Emulator, Faults, Hashed, Late, Options, WorldKind, serve, write_truth};
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::interrupt::Interrupt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

fn options() -> Options {
    Options {
        seed: 3,
        instances: 40,
        start_ms: START,
        days: 2,
        step_s: 300,
        gaps: true,
        world: WorldKind::Hashed(Hashed { terminated: 0.3, launched: 0.2, ..Hashed::default() }),
        late: Late::default(),
        faults: Faults::default(),
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

/// A served emulator whose clock stands still until it is moved.
struct Served {
    emulator: Arc<Emulator>,
    clock: Arc<ManualClock>,
    url: String,
    stop: Interrupt,
    thread: Option<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Served {
    fn start(options: &Options, now: i64) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let emulator = Arc::new(Emulator::new(options, Arc::clone(&clock) as _).unwrap());
        let stop = Interrupt::default();
        let (tell, told) = mpsc::channel();
        let thread = {
            let (emulator, stop) = (Arc::clone(&emulator), stop.clone());
            std::thread::spawn(move || {
                let any = "127.0.0.1:0".parse().unwrap();
                serve(&emulator, any, &stop, |at| tell.send(at).unwrap()).unwrap();
            })
        };
        let url = format!("http://{}", told.recv().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { emulator, clock, url, stop, thread: Some(thread), runtime }
    }

    /// What the SDK is configured with; `attempts` at each call.
    fn config(&self, attempts: u32) -> SdkConfig {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .endpoint_url(&self.url);
        self.runtime.block_on(loader.load())
    }

    fn client(&self) -> Client {
        Client::new(&self.config(1))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn stat(&self, name: &str) -> u64 {
        self.emulator.stats()[name].as_u64().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Every metric that a listing gives.
fn list_all(s: &Served, recent: bool) -> Vec<Metric> {
    let mut request = s.client().list_metrics();
    if recent {
        request = request.recently_active(aws_sdk_cloudwatch::types::RecentlyActive::Pt3H);
    }
    let pages = s.block_on(request.into_paginator().send().collect::<Result<Vec<_>, _>>()).unwrap();
    pages.iter().flat_map(|p| p.metrics().iter().cloned()).collect()
}

fn dimension<'a>(metric: &'a Metric, name: &str) -> Option<&'a str> {
    metric.dimensions().iter().find(|d| d.name() == Some(name)).and_then(Dimension::value)
}

fn query(n: usize, metric: &Metric, period: i32, stat: &str) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric.clone()).period(period).stat(stat).build();
    MetricDataQuery::builder().id(format!("q{n}")).metric_stat(stat).build()
}

fn at(ms: i64) -> DateTime {
    DateTime::from_millis(ms)
}

/// One row of the truth by what names it: instance or volume, metric, device.
type Truth = BTreeMap<(String, String, Option<String>), Vec<(i64, u64)>>;

/// Reads the truth of a world.
fn truth(s: &Served) -> Truth {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int32Type, TimestampMillisecondType};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("truth.parquet");
    let rows = write_truth(&s.emulator, &path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let names: Vec<String> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let expected = "account region instance_id namespace metric stat device period_s ts value";
    assert_eq!(names.join(" "), expected);
    let mut out = Truth::new();
    let mut n = 0;
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
            column.key(row).map(|key| column.values().as_string::<i32>().value(key).to_owned())
        };
        let ts = batch.column_by_name("ts").unwrap().as_primitive::<TimestampMillisecondType>();
        let value = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let key = (text("instance_id", row).unwrap(), text("metric", row).unwrap(), text("device", row));
            out.entry(key).or_default().push((ts.value(row), value.value(row).to_bits()));
            n += 1;
        }
    }
    assert_eq!(n, rows);
    out
}
