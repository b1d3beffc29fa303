use super::*;
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::metrics::unregistered;
use serde_json::json;
use std::collections::VecDeque;

/// Answers from a script, and then takes everything; remembers what it took.
#[derive(Default)]
struct Scripted {
    script: VecDeque<Result<Vec<Option<Fault>>, Fault>>,
    calls: usize,
    took: Vec<String>,
}

impl PutEvents for Scripted {
    fn put(&mut self, entries: &[&Entry]) -> Result<Vec<Option<Fault>>, Fault> {
        self.calls += 1;
        let answer = self.script.pop_front().unwrap_or_else(|| Ok(vec![None; entries.len()]));
        if let Ok(faults) = &answer {
            self.took.extend(entries.iter().zip(faults).filter(|(_, f)| f.is_none()).map(|(e, _)| e.id.clone()));
        }
        answer
    }
}

fn announcement(id: &str, episode: &str) -> Announcement {
    Announcement {
        version: "0".to_owned(),
        id: id.to_owned(),
        detail_type: "Prediction Updated".to_owned(),
        source: "forewarn".to_owned(),
        account: "123456789012".to_owned(),
        time: "2026-02-15T06:00:00Z".to_owned(),
        region: "eu-central-1".to_owned(),
        resources: vec!["i-1".to_owned()],
        event_type: "forewarn.prediction.updated.v1".to_owned(),
        detail: json!({"event_id": id, "episode_id": episode, "instance_id": "i-1"}),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where an answer has one or none")]
fn fault(code: &str) -> Option<Fault> {
    Some(Fault::of_entry(code, "said the double"))
}

fn bus(script: Vec<Result<Vec<Option<Fault>>, Fault>>) -> (EventBridgeBus<Scripted>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(0));
    let put = Scripted { script: script.into(), ..Scripted::default() };
    let handed: Arc<dyn Clock> = clock.clone();
    (EventBridgeBus::new("test".to_owned(), put, handed, Interrupt::default(), unregistered()), clock)
}

#[test]
fn refused_entries_are_sent_again_alone_and_order_within_an_episode_holds() {
    // a1 is refused twice; a2 must wait for it while b1 and c1 go through.
    let script = vec![Ok(vec![fault("ThrottlingException"), None, None]), Ok(vec![fault("InternalFailure")])];
    let (mut bus, clock) = bus(script);
    let batch = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c")].map(|(id, e)| announcement(id, e));
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 4, skipped: 0 });
    assert_eq!(bus.put.took, ["b1", "c1", "a1", "a2"]);
    assert_eq!(bus.put.calls, 4);
    assert!(clock.now_ms() > 0, "it waited between the tries");
    assert_eq!((bus.metrics.refused_entries.get(), bus.metrics.retries.get_or_create(&CALL).get()), (2, 2));
    assert_eq!(bus.metrics.throttles.get_or_create(&CALL).get(), 1);
}

#[test]
fn a_failed_call_is_made_again_and_a_denied_one_is_not() {
    let lost = Fault { code: "UnreadableReply".to_owned(), message: "reset".to_owned(), transient: true };
    let (mut lossy, _) = bus(vec![Err(lost)]);
    assert_eq!(lossy.publish(&[announcement("a", "a")]).unwrap().sent, 1);
    let (mut denied, clock) = bus(vec![Err(Fault::of_entry("AccessDeniedException", "no"))]);
    let error = denied.publish(&[announcement("a", "a")]).unwrap_err();
    assert!(matches!(error, BusError::Refused { attempts: 1, .. }), "{error}");
    assert_eq!((denied.put.calls, clock.now_ms()), (1, 0));
}

#[test]
fn it_gives_up_in_the_end_and_does_not_repeat_what_was_taken() {
    let script: Vec<_> = std::iter::once(Ok(vec![fault("InternalFailure"), None]))
        .chain((1..ATTEMPTS).map(|_| Ok(vec![fault("InternalFailure")])))
        .collect();
    let (mut bus, clock) = bus(script);
    let batch = [announcement("a", "a"), announcement("b", "b")];
    let error = bus.publish(&batch).unwrap_err();
    assert!(matches!(&error, BusError::Refused { attempts: ATTEMPTS, id, .. } if id == "a"), "{error}");
    assert!(clock.now_ms() < 120_000, "bounded");
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 1, skipped: 1 });
    assert_eq!(bus.put.took, ["b", "a"]);
}

#[test]
fn a_short_reply_is_no_success_and_a_stop_ends_the_wait() {
    let (mut short, _) = bus(vec![Ok(Vec::new())]);
    assert_eq!(short.publish(&[announcement("a", "a")]).unwrap().sent, 1);
    assert_eq!((short.put.calls, short.put.took.len()), (2, 1));
    let (mut stopped, _) = bus(vec![Ok(vec![fault("InternalFailure")])]);
    stopped.stop.raise();
    assert!(matches!(stopped.publish(&[announcement("a", "a")]), Err(BusError::Stopped { .. })));
}

#[test]
fn more_than_ten_go_in_several_calls_and_an_oversized_detail_is_trimmed() {
    let (mut bus, _) = bus(Vec::new());
    let mut batch: Vec<Announcement> = (0..25).map(|n| announcement(&n.to_string(), &n.to_string())).collect();
    batch[3].detail["notes"] = json!(vec!["x".repeat(500); 1000]);
    assert_eq!(bus.publish(&batch).unwrap().sent, 25);
    assert_eq!((bus.put.calls, bus.put.took.len(), bus.metrics.trimmed.get()), (3, 25, 1));
    let entry = Entry::of(&batch[3]);
    assert!(entry.trimmed && entry.bytes() <= entry::ENTRY_BYTES && entry.detail.contains("notes: 0 of 1000"));
}
