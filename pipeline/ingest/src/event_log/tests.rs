use super::*;
use forewarn_log::event::instance::Left;
use forewarn_log::{EventLog, MemoryLog};

#[test]
fn an_envelope_that_lies_is_poison_and_leaves_nothing() {
    let log = MemoryLog::new();
    let left = Left {
        instance_id: "i-0123456789abcdef0".to_owned(),
        account: "unknown".to_owned(),
        region: "unknown".to_owned(),
        cause: LeftCause::ScaleIn,
    };
    let time = "2026-02-15T06:00:00Z".parse().unwrap();
    let fine = NewEvent::new("a", &left.instance_id, time, Event::InstanceLeft(left.clone())).seal().unwrap();
    let bad = [
        Envelope { time: "soon".to_owned(), ..fine.clone() },
        Envelope { data: serde_json::json!({"instance_id": 1}), ..fine.clone() },
        Envelope { subject: String::new(), ..fine.clone() },
    ];
    let arrived: Vec<_> = bad.iter().map(|envelope| (envelope, 0)).collect();
    for (taken, envelope) in take(&log, &arrived).unwrap().into_iter().zip(&bad) {
        assert!(taken.unwrap_err().is_poison(), "{envelope:?}");
    }
    assert_eq!(log.head().unwrap(), 0);
    let taken = take(&log, &[(&fine, 0)]).unwrap().remove(0).unwrap();
    assert_eq!(taken[0].code, "scale_in");
    assert_eq!(log.length("instance/i-0123456789abcdef0").unwrap(), 1);
}
