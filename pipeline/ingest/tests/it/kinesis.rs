//! The Kinesis stream over the wire, against a server that speaks it and a proxy that spoils calls: whatever fails, nothing is lost
//! and each key keeps its order once repeats are dropped.

mod side_by_side;

use forewarn_ingest::stream::conformance::{self, ALL, StreamUnderTest, by_key, drain, sample};
use forewarn_ingest::stream::kinesis::{KinesisConsumer, KinesisProducer};
use forewarn_ingest::stream::port::{Consumer, Producer, StreamError};
use forewarn_ingest::stream::{Record, checkpoints};
use forewarn_lab::fault_proxy::{FaultProxy, Script};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::cells::MemoryCells;
use forewarn_runtime::clock::{Clock, ManualClock};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Call, unregistered};
use forewarn_runtime::place::StatePlace;
use forewarn_testkit::moto::Moto;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tempfile::TempDir;

/// One stream, a place for checkpoints, and the way there.
struct Stream {
    aws: Aws,
    name: String,
    place: StatePlace,
    _dir: TempDir,
    ctx: RuntimeContext,
    clock: Arc<ManualClock>,
}

/// 2026-02-01T00:00:00Z.
const NOW: i64 = 1_769_904_000_000;

fn reach(url: &str) -> Aws {
    let region = aws_config::Region::new("us-east-1");
    let keys = aws_credential_types::Credentials::new("test", "test", None, None, "test");
    Aws::load_with(|l| l.endpoint_url(url).region(region).credentials_provider(keys)).unwrap()
}

impl Stream {
    /// Makes a stream and reaches it at `url`, which may be a proxy's.
    fn make(moto: &Moto, url: &str, name: &str, shards: usize) -> Self {
        moto.python(&format!("aws('kinesis').create_stream(StreamName='{name}', ShardCount={shards})"));
        let aws = reach(url);
        let clock = Arc::new(ManualClock::at(NOW));
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let ctx = RuntimeContext { metrics: unregistered(), clock: shared, stop: Interrupt::default() };
        let dir = tempfile::tempdir().unwrap();
        let place = StatePlace::Dir(dir.path().to_owned());
        Self { aws, name: name.to_owned(), place, _dir: dir, ctx, clock }
    }

    /// The same stream, reached elsewhere, with checkpoints of its own.
    fn reached_at(&self, url: &str) -> Self {
        let place = StatePlace::Cells(Arc::new(MemoryCells::default()));
        let (name, ctx, clock) = (self.name.clone(), self.ctx.clone(), Arc::clone(&self.clock));
        Self { aws: reach(url), name, place, _dir: tempfile::tempdir().unwrap(), ctx, clock }
    }

    fn opened(&self, name: &str) -> KinesisConsumer {
        KinesisConsumer::open(self.aws.clone(), &self.name, name, &self.place, self.ctx.clone()).unwrap()
    }

    fn retries(&self, operation: &'static str) -> u64 {
        self.ctx.metrics.retries.get_or_create(&Call { service: "kinesis", operation }).get()
    }
}

impl StreamUnderTest for Stream {
    fn producer(&self) -> Box<dyn Producer> {
        Box::new(KinesisProducer::open(self.aws.clone(), &self.name, self.ctx.clone()).unwrap())
    }

    fn consumer(&self, name: &str) -> Box<dyn Consumer> {
        Box::new(self.opened(name))
    }

    fn trims(&self) -> bool {
        false
    }
}

fn proxied(moto: &Moto, script: &str) -> FaultProxy {
    FaultProxy::start("127.0.0.1:0".parse().unwrap(), &moto.url, Script::parse(script).unwrap(), None).unwrap()
}

/// Drops what came before.
fn firsts(numbers: &[i64]) -> Vec<i64> {
    let mut seen = BTreeSet::new();
    numbers.iter().copied().filter(|n| seen.insert(*n)).collect()
}

#[test]
fn kinesis_conforms() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let made = Cell::new(0);
    for shards in [1, 3] {
        conformance::run(|| {
            made.set(made.get() + 1);
            Stream::make(&moto, &moto.url, &format!("s{}", made.get()), shards)
        });
    }
}

#[test]
fn partial_failures_throttles_and_lost_replies_cost_neither_a_record_nor_the_order() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let proxy = proxied(
        &moto,
        r#"{"seed": 3, "rules": [
            {"operation": "PutRecords", "every": 5, "action": "lose_reply"},
            {"operation": "PutRecords", "every": 7, "action": "throttle"},
            {"operation": "PutRecords", "every": 11, "action": "reset"},
            {"operation": "PutRecords", "every": 13, "action": {"http": 500}},
            {"operation": "PutRecords", "every": 2, "action": {"partial_put_records": 0.4}},
            {"operation": "GetRecords", "every": 3, "action": "expire_iterator"},
            {"operation": "GetRecords", "every": 4, "action": "lose_reply"},
            {"operation": "GetShardIterator", "every": 3, "action": "throttle"},
            {"operation": "ListShards", "every": 3, "action": "reset"}
        ]}"#,
    );
    let stream = Stream::make(&moto, &proxy.url(), "faulty", 2);
    let (mut producer, mut consumer) = (stream.producer(), stream.consumer("a"));
    let (mut seen, mut retried): (BTreeMap<String, Vec<i64>>, u64) = (BTreeMap::new(), 0);
    for call in 0..12 {
        let numbers = call * 3..call * 3 + 3;
        let records: Vec<Record> = numbers.flat_map(|n| (0..20).map(move |k| sample(&format!("i-{k}"), n))).collect();
        let report = producer.put(&records).unwrap();
        assert_eq!(report.records, 60);
        retried += report.retried;
        for (key, numbers) in by_key(&drain(&mut *consumer)) {
            seen.entry(key).or_default().extend(numbers);
        }
    }
    assert_eq!(seen.len(), 20);
    let mut repeats = 0;
    for (key, numbers) in seen {
        assert_eq!(firsts(&numbers), (0..36).collect::<Vec<_>>(), "of {key}");
        repeats += numbers.len() - 36;
    }
    let faults = proxy.faults();
    for kind in ["lose_reply", "throttle", "reset", "http", "partial_put_records", "expire_iterator"] {
        assert!(faults.get(kind).is_some_and(|n| *n > 1), "{kind}: {faults:?}");
    }
    assert!(repeats > 0, "a lost reply means that records are put twice");
    assert!(retried > 0 && stream.retries("PutRecords") > 0 && stream.retries("GetRecords") > 0);
    assert_eq!(stream.ctx.metrics.stream_given_up.get(), 0);
}

/// Splits the first open shard in the middle, or merges the first two.
fn reshard(moto: &Moto, stream: &str, split: bool) {
    let act = if split {
        "r = open[0]['HashKeyRange']\n\
         mid = (int(r['StartingHashKey']) + int(r['EndingHashKey'])) // 2\n\
         k.split_shard(StreamName=s, ShardToSplit=open[0]['ShardId'], NewStartingHashKey=str(mid))"
    } else {
        "k.merge_shards(StreamName=s, ShardToMerge=open[0]['ShardId'], AdjacentShardToMerge=open[1]['ShardId'])"
    };
    moto.python(&format!(
        "k, s = aws('kinesis'), '{stream}'\n\
         shards = k.list_shards(StreamName=s)['Shards']\n\
         open = [x for x in shards if 'EndingSequenceNumber' not in x['SequenceNumberRange']]\n\
         open.sort(key=lambda x: int(x['HashKeyRange']['StartingHashKey']))\n{act}"
    ));
}

#[test]
fn a_split_and_a_merge_while_running_keep_each_keys_order() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let proxy = proxied(
        &moto,
        r#"{"seed": 5, "rules": [
            {"operation": "PutRecords", "every": 3, "action": {"partial_put_records": 0.3}},
            {"operation": "PutRecords", "every": 5, "action": "lose_reply"},
            {"operation": "GetRecords", "every": 7, "action": "expire_iterator"}
        ]}"#,
    );
    let stream = Stream::make(&moto, &proxy.url(), "resharded", 1);
    let mut producer = stream.producer();
    let mut put = |n: i64| {
        producer.put(&(0..12).map(|k| sample(&format!("i-{k}"), n)).collect::<Vec<_>>()).unwrap();
    };
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut shards = BTreeSet::new();
    let mut follow = |consumer: &mut dyn Consumer| {
        let stretches = drain(consumer);
        shards.extend(stretches.iter().map(|s| s.shard.clone()));
        for (key, numbers) in by_key(&stretches) {
            seen.entry(key).or_default().extend(numbers);
        }
    };
    let mut consumer = stream.consumer("a");
    let mut n = 0;
    // Split, split, merge, split, merge: the consumer has read some of the parent, or none, or it is another process.
    for (round, split) in [true, true, false, true, false].into_iter().enumerate() {
        for step in 0..4 {
            put(n);
            n += 1;
            // What comes after this is still unread in the parent when its children have records.
            if step == 1 && round % 2 == 0 {
                follow(&mut *consumer);
            }
        }
        reshard(&moto, "resharded", split);
        put(n);
        n += 1;
        if round == 3 {
            consumer = stream.consumer("a");
        }
    }
    follow(&mut *consumer);
    assert_eq!(seen.len(), 12);
    for (key, numbers) in &seen {
        assert_eq!(firsts(numbers), (0..n).collect::<Vec<_>>(), "of {key}");
    }
    assert!(shards.len() >= 5, "children were read too: {shards:?}");
    // A new process knows which parents have ended, and finds nothing left.
    assert_eq!(drain(&mut *stream.consumer("a")), []);
    // A new consumer reads all of it, parents first.
    let all = by_key(&drain(&mut *stream.consumer("b")));
    for (key, numbers) in all {
        assert_eq!(firsts(&numbers), (0..n).collect::<Vec<_>>(), "of {key}");
    }
}

#[test]
fn children_are_not_read_before_their_parent_is_checkpointed() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let stream = Stream::make(&moto, &moto.url, "held", 1);
    let mut producer = stream.producer();
    producer.put(&[sample("i-1", 0)]).unwrap();
    reshard(&moto, "held", true);
    producer.put(&[sample("i-1", 1)]).unwrap();
    let mut consumer = stream.consumer("a");
    let parent = consumer.read(ALL).unwrap().unwrap();
    assert_eq!(by_key(std::slice::from_ref(&parent))["i-1"], [0]);
    assert_eq!(consumer.read(ALL).unwrap(), None, "what was read of the parent is not dealt with");
    consumer.rewind();
    assert_eq!(consumer.read(ALL).unwrap().as_ref(), Some(&parent));
    consumer.checkpoints().finish(&parent.shard, &parent.records[0].seq).unwrap();
    let child = consumer.read(ALL).unwrap().unwrap();
    assert!(child.shard != parent.shard && by_key(&[child])["i-1"] == [1]);
}

#[test]
fn a_call_that_never_succeeds_is_given_up_in_words_and_counted() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let refuse = r#"{"rules": [{"operation": "PutRecords", "action": {"partial_put_records": 1.0}}]}"#;
    let stream = Stream::make(&moto, &proxied(&moto, refuse).url(), "nowhere", 1);
    let error = stream.producer().put(&[sample("i-1", 0)]).unwrap_err();
    // That proxy is gone: nothing answers at all.
    assert!(matches!(error, StreamError::Unavailable { .. }), "{error}");
    let proxy = proxied(&moto, refuse);
    let stream = Stream::make(&moto, &proxy.url(), "refused", 1);
    let before = stream.clock.now_ms();
    let error = stream.producer().put(&[sample("i-1", 0), sample("i-1", 1), sample("i-2", 0)]).unwrap_err();
    let StreamError::GivenUp { given_up, records, tries, why, .. } = &error else { panic!("{error}") };
    assert_eq!((*given_up, *records, *tries), (3, 3, 10));
    assert!(why.contains("ProvisionedThroughputExceeded"), "{why}");
    assert_eq!(stream.ctx.metrics.stream_given_up.get(), 3);
    assert!(stream.clock.now_ms() - before > 5_000, "it waited longer each time");
    let missing = Stream { name: "no-such".to_owned(), ..stream };
    let error = missing.consumer("a").read(ALL).unwrap_err();
    assert!(error.to_string().contains("kinesis:us-east-1:no-such"), "{error}");
}

#[test]
fn what_is_no_longer_kept_is_said_unless_nothing_can_have_been_missed() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let stream = Stream::make(&moto, &moto.url, "kept", 1);
    let mut producer = stream.producer();
    producer.put(&[sample("i-1", 0), sample("i-1", 1), sample("i-1", 2)]).unwrap();
    let first = drain(&mut *stream.consumer("a")).remove(0);
    drop(drain(&mut *stream.consumer("b")));
    // The server keeps records for ever: take away what would be past its retention.
    moto.python("aws('kinesis').decrease_stream_retention_period(StreamName='kept', RetentionPeriodHours=24)");
    producer.put(&[sample("i-1", 3)]).unwrap();
    // An hour later everything that came since must still be kept; two days later it need not be.
    stream.clock.advance(3_600_000);
    assert_eq!(by_key(&drain(&mut *stream.consumer("b")))["i-1"], [3]);
    stream.clock.advance(2 * 86_400_000);
    let error = stream.consumer("a").read(ALL).unwrap_err();
    let StreamError::Lost { shard, after, .. } = &error else { panic!("{error}") };
    assert_eq!((shard, after), (&first.shard, &first.records[2].seq));
    let range = stream.consumer("a").read_range(shard, &first.records[0].seq, after);
    assert!(matches!(range, Err(StreamError::Lost { .. })), "{range:?}");
    // What an operator does once that time has been ingested again.
    checkpoints::open(&stream.place, "kinesis:us-east-1:kept", "a").unwrap().forget(shard).unwrap();
    assert_eq!(by_key(&drain(&mut *stream.consumer("a")))["i-1"], [3]);
}
