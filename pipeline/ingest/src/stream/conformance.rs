//! Says in code what every stream must do; each adapter, ours or another's, runs [`run`].

use super::port::{Consumer, Intent, Limit, Producer, ShardBatch, Stored, StreamError};
use super::record::{InstanceSeen, Record, SampleBatch, SeriesBlock};
use std::collections::BTreeMap;
use std::thread;

/// A stream under test: what makes its producers and consumers.
pub trait StreamUnderTest: Sync {
    /// Makes a producer.
    fn producer(&self) -> Box<dyn Producer>;
    /// Opens the consumer of a name, as a new process would.
    fn consumer(&self, name: &str) -> Box<dyn Consumer>;
    /// Says whether forgetting what was dealt with is ours.
    fn trims(&self) -> bool;
}

/// Everything there is.
pub const ALL: Limit = Limit { records: 10_000, bytes: 1 << 30 };

/// Runs every check; `make` gives a fresh, empty stream each time.
///
/// # Panics
/// When the stream does not do what the port demands.
pub fn run<S: StreamUnderTest>(make: impl Fn() -> S) {
    nothing_is_waiting_in_an_empty_stream(&make());
    each_key_keeps_its_order(&make());
    a_limit_holds_and_never_starves(&make());
    reading_starts_at_the_checkpoint(&make());
    consumers_do_not_disturb_each_other(&make());
    a_range_reads_the_same_again(&make());
    intents_are_kept_until_finished(&make());
    a_record_too_long_for_one_entry_is_put_in_order(&make());
    a_bad_record_leaves_nothing(&make());
    nothing_is_lost_while_it_is_put(&make());
    what_all_have_dealt_with_may_go(&make());
}

/// Makes the record numbered `n` of a key.
pub fn sample(key: &str, n: i64) -> Record {
    Record::Instance(InstanceSeen { instance_id: key.to_owned(), seen_at: n, ..InstanceSeen::default() })
}

/// Reads the key and the number of a record that [`sample`] made.
///
/// # Panics
/// When it is another one.
pub fn numbered(stored: &Stored) -> (String, i64) {
    match Record::decode(&stored.data).expect("a record decodes") {
        Record::Instance(seen) => (seen.instance_id, seen.seen_at),
        other @ (Record::Samples(_) | Record::Event(_)) => panic!("not one of ours: {other:?}"),
    }
}

/// Reads until nothing is waiting, finishing what was read each time nothing more comes, so that children follow their parents.
///
/// # Panics
/// When the stream fails.
pub fn drain(consumer: &mut dyn Consumer) -> Vec<ShardBatch> {
    let mut all: Vec<ShardBatch> = Vec::new();
    let mut unfinished: BTreeMap<String, String> = BTreeMap::new();
    loop {
        match consumer.read(ALL).expect("a read") {
            Some(batch) => {
                let last = batch.records.last().expect("a stretch is never empty");
                unfinished.insert(batch.shard.clone(), last.seq.clone());
                all.push(batch);
            }
            None if unfinished.is_empty() => return all,
            None => {
                for (shard, last) in std::mem::take(&mut unfinished) {
                    consumer.checkpoints().finish(&shard, &last).expect("a finish");
                }
            }
        }
    }
}

/// Gives the numbers of each key in the order in which they were read.
pub fn by_key(stretches: &[ShardBatch]) -> BTreeMap<String, Vec<i64>> {
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (key, n) in stretches.iter().flat_map(|s| &s.records).map(numbered) {
        found.entry(key).or_default().push(n);
    }
    found
}

/// Puts records numbered from 0 of several keys in turn.
fn fill(stand: &impl StreamUnderTest, keys: usize, each: i64) {
    let records: Vec<Record> = (0..each).flat_map(|n| (0..keys).map(move |k| sample(&format!("i-{k}"), n))).collect();
    let report = stand.producer().put(&records).expect("a put");
    assert_eq!(report.records, records.len() as u64, "the report counts what was put");
    assert!(report.bytes > 0 && report.calls > 0);
}

/// Reads one stretch where something must be waiting.
fn read(consumer: &mut dyn Consumer) -> ShardBatch {
    consumer.read(ALL).expect("a read").expect("something is waiting")
}

fn last(batch: &ShardBatch) -> &str {
    &batch.records.last().expect("a stretch is never empty").seq
}

fn nothing_is_waiting_in_an_empty_stream(stand: &impl StreamUnderTest) {
    let mut consumer = stand.consumer("a");
    assert_eq!(consumer.read(ALL).expect("a read"), None);
    assert!(consumer.checkpoints().intents().expect("intents").is_empty());
    assert_eq!(consumer.checkpoints().checkpoint("0").expect("a checkpoint"), None);
    let lag = consumer.lag().expect("a lag");
    assert!(lag.records.is_none_or(|n| n == 0) && lag.millis.is_none_or(|ms| ms == 0), "{lag:?}");
    assert_eq!(consumer.trim().expect("a trim"), 0);
    let report = stand.producer().put(&[]).expect("nothing to put is no error");
    assert_eq!((report.records, report.calls), (0, 0));
}

fn each_key_keeps_its_order(stand: &impl StreamUnderTest) {
    let mut producer = stand.producer();
    for call in 0..4 {
        // Each key several times in a call, and in every call.
        let numbers = (call * 5..call * 5 + 5).flat_map(|n| (0..7).map(move |k| sample(&format!("i-{k}"), n)));
        producer.put(&numbers.collect::<Vec<_>>()).expect("a put");
    }
    let found = by_key(&drain(&mut *stand.consumer("a")));
    assert_eq!(found.len(), 7);
    for (key, numbers) in found {
        assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "of {key}");
    }
}

fn a_limit_holds_and_never_starves(stand: &impl StreamUnderTest) {
    fill(stand, 1, 10);
    let mut consumer = stand.consumer("a");
    let mut numbers = Vec::new();
    for limit in [Limit { records: 1, ..ALL }, Limit { bytes: 1, ..ALL }, Limit { records: 3, ..ALL }] {
        let batch = consumer.read(limit).expect("a read").expect("something is waiting");
        assert!(batch.records.len() <= limit.records && !batch.records.is_empty());
        if limit.bytes == 1 {
            assert_eq!(batch.records.len(), 1, "one record comes, however long it is");
        }
        numbers.extend(batch.records.iter().map(|r| numbered(r).1));
    }
    while let Some(batch) = consumer.read(ALL).expect("a read") {
        numbers.extend(batch.records.iter().map(|r| numbered(r).1));
    }
    assert_eq!(numbers, (0..10).collect::<Vec<_>>(), "what a limit cut off comes next");
}

fn reading_starts_at_the_checkpoint(stand: &impl StreamUnderTest) {
    fill(stand, 1, 6);
    let mut consumer = stand.consumer("a");
    let first = consumer.read(Limit { records: 2, ..ALL }).expect("a read").expect("something is waiting");
    assert_eq!(consumer.checkpoints().checkpoint(&first.shard).expect("a checkpoint"), None);
    consumer.checkpoints().finish(&first.shard, last(&first)).expect("a finish");
    assert_eq!(numbered(&read(&mut *consumer).records[0]).1, 2, "reading goes on");
    consumer.rewind();
    assert_eq!(numbered(&read(&mut *consumer).records[0]).1, 2, "a rewind goes back to the checkpoint");
    let mut again = stand.consumer("a");
    let batch = read(&mut *again);
    assert_eq!(numbered(&batch.records[0]).1, 2, "a new process starts at the checkpoint");
    again.checkpoints().finish(&batch.shard, last(&batch)).expect("a finish");
    again.checkpoints().finish(&first.shard, last(&first)).expect("a late finish is no error");
    let held = stand.consumer("a").checkpoints().checkpoint(&first.shard).expect("a checkpoint");
    assert_eq!(held.as_deref(), Some(last(&batch)), "a checkpoint never goes back");
    assert_eq!(drain(&mut *stand.consumer("a")), []);
}

fn consumers_do_not_disturb_each_other(stand: &impl StreamUnderTest) {
    fill(stand, 3, 4);
    assert_eq!(by_key(&drain(&mut *stand.consumer("a"))).len(), 3);
    let other = by_key(&drain(&mut *stand.consumer("b")));
    assert_eq!(other.values().map(Vec::len).sum::<usize>(), 12, "what one has dealt with is there for another");
}

fn a_range_reads_the_same_again(stand: &impl StreamUnderTest) {
    fill(stand, 1, 9);
    let mut consumer = stand.consumer("a");
    let whole = read(&mut *consumer);
    assert_eq!(whole.records.len(), 9);
    let mut again = stand.consumer("a");
    let (from, to) = (&whole.records[2].seq, &whole.records[5].seq);
    let part = again.read_range(&whole.shard, from, to).expect("a range");
    assert_eq!(part.records[..], whole.records[2..=5], "exactly the range, both ends included");
    let next = read(&mut *again);
    assert_eq!(next.records[..], whole.records[6..], "reading goes on after the range");
    let one = again.read_range(&whole.shard, from, from).expect("a range of one");
    assert_eq!(one.records[..], whole.records[2..=2]);
}

fn intents_are_kept_until_finished(stand: &impl StreamUnderTest) {
    let consumer = stand.consumer("a");
    let intent = |shard: &str, first: &str, last: &str| Intent {
        shard: shard.to_owned(),
        first: first.to_owned(),
        last: last.to_owned(),
        name: format!("file of {shard}"),
    };
    consumer.checkpoints().intend(&intent("1", "5", "7")).expect("an intent");
    consumer.checkpoints().intend(&intent("0", "1", "2")).expect("an intent");
    consumer.checkpoints().intend(&intent("0", "1", "3")).expect("a second intent takes the place of the first");
    let reopened = stand.consumer("a");
    let expected = [intent("0", "1", "3"), intent("1", "5", "7")];
    assert_eq!(reopened.checkpoints().intents().expect("intents"), expected, "a new process finds them");
    assert!(stand.consumer("b").checkpoints().intents().expect("intents").is_empty(), "they are the consumer's own");
    reopened.checkpoints().finish("0", "3").expect("a finish");
    assert_eq!(reopened.checkpoints().intents().expect("intents"), expected[1..]);
    assert_eq!(reopened.checkpoints().checkpoint("0").expect("a checkpoint").as_deref(), Some("3"));
}

fn a_record_too_long_for_one_entry_is_put_in_order(stand: &impl StreamUnderTest) {
    // Random mantissas do not compress.
    let mut x = 7_u64;
    let mut noise = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from_bits((x >> 12) | 0x3FF0_0000_0000_0000)
    };
    let n = 300_000;
    let block = SeriesBlock {
        namespace: "AWS/EC2".to_owned(),
        metric: "CPUUtilization".to_owned(),
        stat: "Average".to_owned(),
        device: None,
        period_s: 1,
        ts: (0..n).map(|i| i * 1000).collect(),
        values: (0..n).map(|_| noise()).collect(),
    };
    let batch = SampleBatch {
        account: "unknown".to_owned(),
        region: "unknown".to_owned(),
        instance_id: "i-long".to_owned(),
        ingested_at: None,
        series: vec![block.clone()],
    };
    let report = stand.producer().put(&[Record::Samples(batch)]).expect("a put");
    assert!(report.records > 1, "it is split");
    let mut ts = Vec::new();
    for stored in drain(&mut *stand.consumer("a")).iter().flat_map(|s| &s.records) {
        let Ok(Record::Samples(batch)) = Record::decode(&stored.data) else { panic!("not samples") };
        ts.extend(batch.series.into_iter().flat_map(|s| s.ts));
    }
    assert_eq!(ts, block.ts);
}

fn a_bad_record_leaves_nothing(stand: &impl StreamUnderTest) {
    let error = stand.producer().put(&[sample("i-1", 1), sample("", 2)]).expect_err("an instance without an id");
    assert!(matches!(error, StreamError::Record { .. }), "{error}");
    assert_eq!(stand.consumer("a").read(ALL).expect("a read"), None);
}

fn nothing_is_lost_while_it_is_put(stand: &impl StreamUnderTest) {
    const CALLS: i64 = 20;
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut consumer = stand.consumer("a");
    thread::scope(|scope| {
        for p in 0..2 {
            let mut producer = stand.producer();
            scope.spawn(move || {
                for n in 0..CALLS {
                    let records: Vec<Record> = (0..3).map(|k| sample(&format!("i-{p}-{k}"), n)).collect();
                    producer.put(&records).expect("a put");
                }
            });
        }
        while seen.values().map(Vec::len).sum::<usize>() < 6 * CALLS as usize {
            for (key, numbers) in by_key(&drain(&mut *consumer)) {
                seen.entry(key).or_default().extend(numbers);
            }
            thread::yield_now();
        }
    });
    for (key, numbers) in seen {
        assert_eq!(numbers, (0..CALLS).collect::<Vec<_>>(), "of {key}");
    }
    assert_eq!(drain(&mut *consumer), []);
}

fn what_all_have_dealt_with_may_go(stand: &impl StreamUnderTest) {
    fill(stand, 1, 8);
    let (mut ahead, mut behind) = (stand.consumer("ahead"), stand.consumer("behind"));
    let whole = read(&mut *ahead);
    ahead.checkpoints().finish(&whole.shard, last(&whole)).expect("a finish");
    assert_eq!(ahead.trim().expect("a trim"), 0, "another consumer has not read it yet");
    behind.read(Limit { records: 3, ..ALL }).expect("a read").expect("something is waiting");
    behind.checkpoints().finish(&whole.shard, &whole.records[2].seq).expect("a finish");
    let gone = behind.trim().expect("a trim");
    assert_eq!(gone, if stand.trims() { 3 } else { 0 });
    assert_eq!(read(&mut *behind).records[..], whole.records[3..], "what was not dealt with stays");
    if stand.trims() {
        let (first, last) = (&whole.records[2].seq, &whole.records[4].seq);
        let error = behind.read_range(&whole.shard, first, last).expect_err("its first record is gone");
        assert!(matches!(error, StreamError::Lost { .. }), "{error}");
        let mut late = stand.consumer("late");
        assert_eq!(read(&mut *late).records[..], whole.records[3..], "a new consumer starts with what is kept");
    }
    fill(stand, 1, 1);
    let next = read(&mut *ahead);
    assert_eq!(next.records.len(), 1, "places go on after a trim");
    let lag = ahead.lag().expect("a lag");
    assert!(lag.records.is_none_or(|n| n == 1), "{lag:?}");
}
