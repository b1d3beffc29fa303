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

#[test]
fn an_object_is_referred_to_once_and_nothing_of_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    let letter = |etag| DeadLetter::of_object(&missing(), "s3://b/k", 128 << 20, etag, 5);
    assert!(dead.keep(&letter(Some("a"))).unwrap() && !dead.keep(&letter(Some("a"))).unwrap());
    assert!(dead.keep(&letter(Some("b"))).unwrap(), "other bytes are another object");
    let letters = dead.list().unwrap();
    assert_eq!((letters.len(), letters[0].kept.raw(), letters[0].is_whole()), (2, None, false));
    assert_eq!(letters[0].kept, StoredLetter::Object(ObjectLetter { etag: Some("a".to_owned()) }));
    assert!(std::fs::metadata(dead.path()).unwrap().len() < 1000);
}

#[test]
fn the_oldest_letters_go_by_age_and_by_bytes_and_a_dry_run_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    for at in 0..5 {
        dead.put(&missing(), "q", at.to_string().as_bytes(), at * 1000).unwrap();
    }
    let aged = Bounds { age_ms: 2000, ..Bounds::NONE };
    assert_eq!(dead.prune(aged, 4000, true).unwrap().len(), 2);
    assert_eq!(dead.list().unwrap().len(), 5);
    let gone = dead.prune(aged, 4000, false).unwrap();
    assert_eq!(gone.iter().map(|l| l.kept.raw().unwrap()).collect::<Vec<_>>(), [b"0", b"1"]);
    let one = std::fs::metadata(dead.path()).unwrap().len() / 3;
    assert_eq!(dead.prune(Bounds { bytes: one + 1, ..Bounds::NONE }, 4000, false).unwrap().len(), 2);
    assert!(!dead.put(&missing(), "q", b"4", 9).unwrap(), "what is kept is still known");
    assert!(dead.put(&missing(), "q", b"0", 9).unwrap());
}

#[test]
fn the_file_stays_within_its_bound_where_nobody_prunes_it() {
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path()).bounded(4096);
    for n in 0..200 {
        assert!(dead.put(&missing(), "q", n.to_string().as_bytes(), n).unwrap());
        assert!(std::fs::metadata(dead.path()).unwrap().len() <= 4096);
    }
    let kept = dead.list().unwrap();
    assert!(kept.len() > 5 && kept.last().unwrap().kept.raw().unwrap() == b"199", "{}", kept.len());
}

#[test]
fn a_letter_that_is_put_while_another_writes_the_file_anew_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let dead = JsonLinesDead::in_state(dir.path());
            for n in 0..200 {
                assert!(dead.put(&missing(), "q", format!("kept {n}").as_bytes(), 5).unwrap());
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        scope.spawn(|| {
            let dead = JsonLinesDead::in_state(dir.path());
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                dead.put(&missing(), "q", b"gone", 5).unwrap();
                dead.forget(&BTreeSet::from([sha256_hex(b"gone")])).unwrap();
            }
        });
    });
    assert_eq!(JsonLinesDead::in_state(dir.path()).list().unwrap().len(), 200);
}

#[test]
fn two_processes_that_fill_the_file_lose_no_letter_that_was_just_put() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for who in ["a", "b"] {
            let path = dir.path();
            scope.spawn(move || {
                let dead = JsonLinesDead::in_state(path).bounded(16_384);
                for n in 0..300 {
                    let raw = format!("{who} {n}");
                    assert!(dead.put(&missing(), "q", raw.as_bytes(), n).unwrap());
                    // The other drops the oldest, never what has just come.
                    let there = dead.list().unwrap();
                    assert!(there.iter().any(|l| l.kept.raw().as_deref() == Some(raw.as_bytes())), "{raw}");
                }
            });
        }
    });
}
