use super::*;

fn missing() -> Reason {
    Reason::Missing { path: "id".to_owned() }
}

#[test]
fn a_message_is_kept_once_and_found_again_by_a_new_process() {
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    assert_eq!(dead.list().unwrap(), []);
    assert!(dead.put(&missing(), "q", b"{}", 5).unwrap());
    assert!(!dead.put(&missing(), "q", b"{}", 6).unwrap());
    let again = JsonLinesDead::in_state(dir.path());
    assert!(!again.put(&missing(), "other", b"{}", 7).unwrap());
    assert!(again.put(&missing(), "q", b"\xff\x00", 7).unwrap());
    assert!(dead.put(&missing(), "q", b"[]", 7).unwrap(), "the other process's line is seen");
    let letters = dead.list().unwrap();
    let raw: Vec<_> = letters.iter().map(|l| l.kept.raw().unwrap()).collect();
    assert_eq!(raw, [b"{}".to_vec(), b"\xff\x00".to_vec(), b"[]".to_vec()]);
    assert_eq!((letters[0].reason.clone(), letters[0].words.as_str()), (missing(), "id is missing"));
    dead.forget(&BTreeSet::from([letters[1].sha256.clone()])).unwrap();
    assert_eq!(dead.list().unwrap().len(), 2);
    assert!(dead.put(&missing(), "q", b"\xff\x00", 9).unwrap());
}

#[test]
fn a_torn_line_is_written_over_and_a_foreign_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    dead.put(&missing(), "q", b"1", 5).unwrap();
    let whole = std::fs::read(dead.path()).unwrap();
    std::fs::write(dead.path(), [&whole[..], &whole[..40]].concat()).unwrap();
    let after = JsonLinesDead::in_state(dir.path());
    assert!(after.put(&missing(), "q", b"2", 5).unwrap());
    assert_eq!(after.list().unwrap().len(), 2);
    std::fs::write(after.path(), "not ours\n").unwrap();
    assert!(matches!(after.put(&missing(), "q", b"3", 5), Err(DeadError::Foreign { line: 1, .. })));
}

#[test]
fn of_a_long_message_the_beginning_is_kept() {
    let long = "é".repeat(MAX_KEPT);
    let letter = DeadLetter::new(&missing(), "q", &long.as_bytes()[1..], 0);
    assert!(matches!(letter.kept, StoredLetter::Hex(_)));
    let letter = DeadLetter::new(&missing(), "q", format!("x{long}").as_bytes(), 0);
    let StoredLetter::Text(text) = &letter.kept else { panic!() };
    assert_eq!((text.len(), letter.is_whole(), letter.bytes), (MAX_KEPT - 1, false, 2 * MAX_KEPT as u64 + 1));
}

#[test]
fn every_reason_reads_back() {
    let t = || "x".to_owned();
    let reasons = [
        Reason::Oversized { bytes: 9, most: 8 },
        Reason::NotUtf8 { at: 1 },
        Reason::NotJson { what: t() },
        Reason::TooDeep { most: 8 },
        Reason::WrongType { path: t(), expected: t(), found: t() },
        Reason::Missing { path: t() },
        Reason::UnknownType { origin: t(), detail_type: t() },
        Reason::BadId { path: t(), expected: t(), found: t() },
        Reason::BadTime { path: t(), found: t() },
        Reason::BadValue { path: t(), expected: t(), found: t() },
        Reason::TooMany { path: t(), count: 9, most: 8 },
        Reason::Damaged { what: t() },
    ];
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    for reason in &reasons {
        dead.put(reason, "q", reason.name().as_bytes(), 5).unwrap();
    }
    let read: Vec<Reason> = dead.list().unwrap().into_iter().map(|l| l.reason).collect();
    assert_eq!(read, reasons);
    let names: BTreeSet<&str> = reasons.iter().map(Reason::name).collect();
    assert_eq!(names.len(), reasons.len());
}
