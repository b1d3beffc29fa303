use super::*;
use forewarn_runtime::cells::MemoryCells;
use serde_json::json;

fn parked(id: &str) -> Parked {
    let announcement = Announcement {
        version: "0".to_owned(),
        id: id.to_owned(),
        detail_type: "Prediction Updated".to_owned(),
        source: "forewarn".to_owned(),
        account: "123456789012".to_owned(),
        time: "2026-02-15T06:00:00Z".to_owned(),
        region: "eu-central-1".to_owned(),
        resources: Vec::new(),
        event_type: "forewarn.prediction.updated.v1".to_owned(),
        detail: json!({ "event_id": id }),
    };
    Parked {
        bus: "fleet".to_owned(),
        at: "2026-02-15T06:00:01Z".to_owned(),
        code: "MalformedDetail".to_owned(),
        message: "no".to_owned(),
        announcement,
    }
}

#[test]
fn a_restart_remembers_what_was_sent_and_a_torn_id_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let open = || FileMemory::in_state(dir.path(), "eventbridge");
    open().note_sent(&["a", "b"]).unwrap();
    let path = dir.path().join("eventbridge.sent");
    std::fs::write(&path, "a\nb\nc-and-then-the-lig").unwrap();
    let mut memory = open();
    assert_eq!(memory.sent().unwrap().iter().collect::<Vec<_>>(), ["a", "b"]);
    memory.note_sent(&["d"]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nd\n");
    memory.forget_sent().unwrap();
    memory.note_sent(&["e"]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "e\n");
}

#[test]
fn an_id_that_a_failed_write_tore_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut memory = FileMemory::in_state(dir.path(), "eventbridge");
    memory.note_sent(&["a"]).unwrap();
    let path = dir.path().join("eventbridge.sent");
    std::fs::write(&path, "a\nb-was-torn-when-the-disk-was-full").unwrap();
    memory.note_sent(&["b"]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
}

#[test]
fn one_process_at_a_time_feeds_a_bus_and_the_list_of_what_was_set_aside_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = FileMemory::in_state(dir.path(), "eventbridge");
    first.park(parked("a")).unwrap();
    let mut second = FileMemory::in_state(dir.path(), "eventbridge");
    assert!(matches!(second.sent(), Err(BusError::Busy { .. })));
    assert_eq!(second.parked().unwrap().len(), 1);
    drop(first);
    second.sent().unwrap();
}

/// A place in a new directory, and one in cells.
fn places(dir: &tempfile::TempDir) -> [StatePlace; 2] {
    [StatePlace::Dir(dir.path().to_owned()), StatePlace::Cells(Arc::new(MemoryCells::default()))]
}

#[test]
fn what_was_taken_in_the_end_is_set_aside_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    for place in places(&dir) {
        let mut memory = of(&place, "eventbridge");
        for id in ["a", "b", "a"] {
            memory.park(parked(id)).unwrap();
        }
        assert_eq!(memory.parked().unwrap().len(), 2, "once each");
        memory.note_sent(&["a"]).unwrap();
        assert_eq!(memory.parked().unwrap().into_values().collect::<Vec<_>>(), [parked("b")]);
        drop(memory);
        assert_eq!(of(&place, "eventbridge").parked().unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
    }
}

#[test]
fn whatever_was_sent_is_known_to_the_next_process_until_it_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    for place in places(&dir) {
        for round in 0..3 {
            let ids: Vec<String> = (0..450).map(|i| format!("{round}-{i}")).collect();
            let mut memory = of(&place, "eventbridge");
            for some in ids.chunks(7) {
                memory.note_sent(&some.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
            }
            drop(memory);
            let mut memory = of(&place, "eventbridge");
            assert_eq!(memory.sent().unwrap(), &ids.iter().cloned().collect(), "round {round}");
            memory.forget_sent().unwrap();
            drop(memory);
            assert!(of(&place, "eventbridge").sent().unwrap().is_empty());
        }
    }
}

#[test]
fn who_notes_in_cells_beside_another_is_told_that_the_bus_is_busy() {
    let place = StatePlace::Cells(Arc::new(MemoryCells::default()));
    let (mut first, mut second) = (of(&place, "eventbridge"), of(&place, "eventbridge"));
    assert!(first.sent().unwrap().is_empty() && second.sent().unwrap().is_empty());
    first.note_sent(&["a"]).unwrap();
    assert!(matches!(second.note_sent(&["b"]), Err(BusError::Busy { .. })));
    assert_eq!(second.sent().unwrap().iter().collect::<Vec<_>>(), ["a"], "it has read again");
    second.note_sent(&["b"]).unwrap();
    assert!(matches!(first.note_sent(&["c"]), Err(BusError::Busy { .. })));
}
