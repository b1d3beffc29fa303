use super::*;
use crate::stream::{Producer, PutReport, Record, StreamError};
use forewarn_events::{DeadLetters, JsonLinesDead, QueueError};
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::metrics::{Metrics, Part, Queue as QueueLabel};
use std::collections::BTreeMap;

const T: i64 = 1_771_113_600_000;

/// A queue that gives everything again until it is deleted, refuses some deletions, and fails at times.
#[derive(Debug, Default)]
struct Fake {
    name: String,
    left: BTreeMap<String, String>,
    refuse: u32,
    fail: u32,
    sent_at: Option<i64>,
}

impl Fake {
    fn of(name: &str, bodies: &[&str]) -> Self {
        let left = bodies.iter().enumerate().map(|(n, b)| (n.to_string(), (*b).to_owned())).collect();
        Self { name: name.to_owned(), left, ..Self::default() }
    }

    fn failing(&mut self, doing: &'static str) -> Result<(), QueueError> {
        if self.fail == 0 {
            return Ok(());
        }
        self.fail -= 1;
        Err(QueueError { queue: self.name.clone(), doing, source: "503".into() })
    }
}

impl Queue for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn receive(&mut self) -> Result<Vec<Received>, QueueError> {
        self.failing("receive")?;
        let some = self.left.iter().take(10);
        Ok(some
            .map(|(r, b)| Received { id: r.clone(), receipt: r.clone(), body: b.clone(), sent_at: self.sent_at })
            .collect())
    }

    fn delete(&mut self, receipts: &[String]) -> Result<Vec<String>, QueueError> {
        let refused = usize::from(self.refuse > 0);
        self.refuse = self.refuse.saturating_sub(1);
        for receipt in &receipts[refused..] {
            self.left.remove(receipt);
        }
        Ok(receipts[..refused].to_vec())
    }
}

#[derive(Debug, Default)]
struct Sink {
    ids: Vec<String>,
    down: bool,
}

impl Producer for Sink {
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError> {
        if self.down {
            return Err(StreamError::unavailable("s", "put", "down"));
        }
        for record in records {
            let Record::Event(e) = record else { panic!("{record:?}") };
            self.ids.push(e.id.clone());
        }
        Ok(PutReport::default())
    }
}

fn state(n: u32) -> String {
    format!(
        r#"{{"id":"e{n}","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","account":"123456789012",
        "time":"2026-02-15T06:00:00Z","region":"eu-west-1","resources":[],
        "detail":{{"instance-id":"i-0123456789abcdef0","state":"running"}}}}"#
    )
}

fn run(queues: Vec<Fake>, sink: &mut Sink, dir: &std::path::Path) -> (Result<Poll, IntakeError>, usize) {
    run_counted(queues, sink, dir, &Metrics::default())
}

fn run_counted(
    queues: Vec<Fake>,
    sink: &mut Sink,
    dir: &std::path::Path,
    metrics: &Metrics,
) -> (Result<Poll, IntakeError>, usize) {
    let dead = JsonLinesDead::in_state(dir);
    let clock = ManualClock::at(T);
    let mut intake = Intake { producer: sink, dead: &dead, metrics };
    let mut queues: Vec<Box<dyn Queue>> = queues.into_iter().map(|q| Box::new(q) as Box<dyn Queue>).collect();
    let done = poll(&mut queues, &mut intake, &clock, Until::Empty, &Interrupt::default());
    (done, dead.list().unwrap().len())
}

#[test]
fn poison_never_blocks_and_everything_ends_somewhere() {
    let dir = tempfile::tempdir().unwrap();
    let bodies: Vec<String> = (0..25).map(|n| if n % 5 == 0 { format!("poison {n}") } else { state(n) }).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let mut sink = Sink::default();
    let queue = Fake { refuse: 2, ..Fake::of("a", &bodies) };
    let (done, dead) = run(vec![queue], &mut sink, dir.path());
    let poll = done.unwrap();
    assert_eq!((poll.taken.events, poll.taken.dead, poll.deleted, poll.left, dead), (20, 5, 25, 0, 5));
    assert_eq!(sink.ids.len(), 20);
}

#[test]
fn a_queue_that_fails_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (state(1), state(2));
    let mut sink = Sink::default();
    let broken = Fake { fail: 1, ..Fake::of("broken", &[&one]) };
    let (done, _) = run(vec![broken, Fake::of("fine", &[&two])], &mut sink, dir.path());
    let poll = done.unwrap();
    assert_eq!((poll.failures, poll.taken.events), (1, 2));
}

#[test]
fn what_the_stream_does_not_take_is_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let body = state(1);
    let mut sink = Sink { down: true, ..Sink::default() };
    let (done, _) = run(vec![Fake::of("a", &[&body])], &mut sink, dir.path());
    assert!(matches!(done, Err(IntakeError::Stream(_))));
    let dead = JsonLinesDead::in_state(dir.path());
    let metrics = Metrics::default();
    let mut intake = Intake { producer: &mut sink, dead: &dead, metrics: &metrics };
    let batch = serde_json::json!({"Records": [
        {"messageId": "m1", "body": body, "eventSourceARN": "arn:q"}, {"messageId": "m2", "body": "poison"}]});
    let messages = forewarn_events::lambda::messages(batch.to_string().as_bytes()).unwrap();
    let response = crate::intake::lambda::handle(&mut intake, &messages, 0);
    assert_eq!(serde_json::to_string(&response).unwrap(), r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
    assert_eq!(dead.list().unwrap().len(), 1);
}

fn label(queue: &str) -> QueueLabel {
    QueueLabel { queue: queue.to_owned() }
}

#[test]
fn a_poll_in_which_every_queue_fails_is_no_success_and_the_queue_grows_old() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, mut sink) = (Metrics::default(), Sink::default());
    // Failing for as long as anybody asks: the interrupt ends it, and time passes by the waits alone.
    let stop = Interrupt::default();
    let clock = ManualClock::at(T);
    let dead = JsonLinesDead::in_state(dir.path());
    let mut intake = Intake { producer: &mut sink, dead: &dead, metrics: &metrics };
    let denied = Denied { asked: 0, stop: stop.clone() };
    poll(&mut [Box::new(denied) as Box<dyn Queue>], &mut intake, &clock, Until::Stopped, &stop).unwrap();
    assert!(metrics.last_success.get(&Part { part: "events" }).is_none(), "nothing was done");
    assert!(metrics.queues.is_failed(&label("denied")));
    assert!(clock.now_ms() > T + 60_000);
    assert_eq!(metrics.queues.through.get(&label("denied")), Some(T), "it grows old from when it was first asked");
    assert_eq!(metrics.through.get(&Part { part: "events" }), Some(T), "and the part with it");
}

/// A queue that denies each call, and ends the poll after some.
#[derive(Debug)]
struct Denied {
    asked: u32,
    stop: Interrupt,
}

impl Queue for Denied {
    fn name(&self) -> &'static str {
        "denied"
    }

    fn receive(&mut self) -> Result<Vec<Received>, QueueError> {
        self.asked += 1;
        if self.asked == 12 {
            self.stop.raise();
        }
        Err(QueueError { queue: "denied".to_owned(), doing: "receive", source: "AccessDenied".into() })
    }

    fn delete(&mut self, _: &[String]) -> Result<Vec<String>, QueueError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_queue_is_as_old_as_its_oldest_message_until_it_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, mut sink) = (Metrics::default(), Sink { down: true, ..Sink::default() });
    let body = state(1);
    let waiting = || Fake { sent_at: Some(T - 7_000), ..Fake::of("a", &[&body]) };
    assert!(run_counted(vec![waiting()], &mut sink, dir.path(), &metrics).0.is_err());
    assert_eq!(metrics.queues.through.get(&label("a")), Some(T - 7_000), "what could not be put is still in the queue");
    assert!(metrics.last_success.get(&Part { part: "events" }).is_none());
    sink.down = false;
    run_counted(vec![waiting()], &mut sink, dir.path(), &metrics).0.unwrap();
    assert_eq!(metrics.queues.through.get(&label("a")), Some(T), "the queue was found empty");
    assert!(metrics.last_success.get(&Part { part: "events" }).is_some());
}
