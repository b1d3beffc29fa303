use super::*;
use crate::eventbridge::plan::ATTEMPTS;
use crate::memory::ShortMemory;
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
    let memory = Box::new(ShortMemory::default());
    (EventBridgeBus::new("test".to_owned(), put, handed, Interrupt::default(), unregistered(), memory), clock)
}

#[test]
fn refused_entries_are_sent_again_alone_and_order_within_an_episode_holds() {
    // a1 is refused twice; a2 must wait for it while b1 and c1 go through.
    let script = vec![Ok(vec![fault("ThrottlingException"), None, None]), Ok(vec![fault("InternalFailure")])];
    let (mut bus, clock) = bus(script);
    let batch = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c")].map(|(id, e)| announcement(id, e));
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 4, skipped: 0, parked: 0 });
    assert_eq!(bus.put.took, ["b1", "c1", "a1", "a2"]);
    assert_eq!(bus.put.calls, 4);
    assert!(clock.now_ms() > 0, "it waited between the tries");
    assert_eq!((bus.metrics.refused_entries.get(), bus.metrics.retries.get_or_create(&CALL).get()), (2, 2));
    assert_eq!(bus.metrics.throttles.get_or_create(&CALL).get(), 1);
}

#[test]
fn a_failed_call_is_made_again_and_a_denied_one_is_not() {
    let lost = Fault { code: "UnreadableReply".to_owned(), message: "reset".to_owned(), remedy: Remedy::Retry };
    let (mut lossy, _) = bus(vec![Err(lost)]);
    assert_eq!(lossy.publish(&[announcement("a", "a")]).unwrap().sent, 1);
    let (mut denied, clock) = bus(vec![Err(Fault::of_call("AccessDeniedException", "no"))]);
    let error = denied.publish(&[announcement("a", "a")]).unwrap_err();
    assert!(matches!(error, BusError::Refused { attempts: 1, .. }), "{error}");
    assert_eq!((denied.put.calls, clock.now_ms()), (1, 0));
}

#[test]
fn it_gives_up_in_the_end_where_nothing_is_taken_and_does_not_repeat_what_was() {
    let script: Vec<_> = std::iter::once(Ok(vec![fault("ThrottlingException"), None]))
        .chain((1..ATTEMPTS).map(|_| Ok(vec![fault("ThrottlingException")])))
        .collect();
    let (mut bus, clock) = bus(script);
    let batch = [announcement("a", "a"), announcement("b", "b")];
    let error = bus.publish(&batch).unwrap_err();
    assert!(matches!(&error, BusError::Refused { attempts: ATTEMPTS, id, .. } if id == "a"), "{error}");
    assert!(clock.now_ms() < 120_000, "bounded");
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 1, skipped: 1, parked: 0 });
    assert_eq!(bus.put.took, ["b", "a"]);
    bus.caught_up().unwrap();
    assert_eq!(bus.publish(&batch[..1]).unwrap().skipped, 0, "behind the cursor nothing is remembered");
}

#[test]
fn one_that_fails_for_ever_while_others_are_taken_is_set_aside_and_its_episode_goes_on() {
    let failing = (0..ATTEMPTS)
        .map(|n| Ok(if n == 0 { vec![fault("InternalFailure"), None] } else { vec![fault("InternalFailure")] }));
    let (mut bus, _) = bus(failing.collect());
    let batch = [("a1", "a"), ("b1", "b"), ("a2", "a")].map(|(id, e)| announcement(id, e));
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 2, skipped: 0, parked: 1 });
    assert_eq!(bus.put.took, ["b1", "a2"]);
}

#[test]
fn a_call_refused_as_a_whole_is_taken_apart_and_only_the_unfit_entry_is_set_aside() {
    let unfit = || Fault::of_call("ValidationException", "said the double");
    let (mut bus, _) = bus(vec![Err(unfit()), Ok(vec![None]), Err(unfit())]);
    let batch = [("a", "a"), ("b", "b"), ("c", "c")].map(|(id, e)| announcement(id, e));
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 2, skipped: 0, parked: 1 });
    assert_eq!((bus.put.took.as_slice(), bus.put.calls), (["a".to_owned(), "c".to_owned()].as_slice(), 4));
}

#[test]
fn an_entry_that_must_wait_for_people_holds_its_episode_and_no_other() {
    let (mut bus, _) = bus(vec![Ok(vec![fault("NotAuthorizedForSourceException"), None])]);
    let batch = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")].map(|(id, e)| announcement(id, e));
    assert!(matches!(bus.publish(&batch), Err(BusError::Refused { attempts: 1, .. })));
    assert_eq!(bus.put.took, ["b1", "b2"]);
    assert_eq!(bus.publish(&batch).unwrap(), Published { sent: 2, skipped: 2, parked: 0 });
    assert_eq!(bus.put.took, ["b1", "b2", "a1", "a2"]);
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

#[test]
fn one_that_is_held_keeps_no_other_from_being_found_unfit() {
    let unfit = || Fault::of_call("ValidationException", "said the double");
    // The first call holds a; the second, of b2 and c2, is refused as a whole for c2.
    let script = vec![
        Ok(vec![fault("NotAuthorizedForSourceException"), None, None]),
        Err(unfit()),
        Ok(vec![None]),
        Err(unfit()),
    ];
    let (mut bus, _) = bus(script);
    let batch = [("a1", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b"), ("c2", "c")].map(|(id, e)| announcement(id, e));
    assert!(matches!(bus.publish(&batch), Err(BusError::Refused { attempts: 1, .. })));
    assert_eq!(bus.put.took, ["b1", "c1", "b2"]);
    assert_eq!(bus.put.calls, 4, "c2 was tried alone, and set aside");
}
