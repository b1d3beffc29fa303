use super::*;
use proptest::prelude::*;

const MIN: i64 = MINUTE_MS;

fn check(check: Check, points: &[(i64, bool)]) -> WatchedSeries {
    let points = points.iter().map(|(m, bad)| (m * MIN, *bad)).collect();
    WatchedSeries { instance_id: "i-a".to_owned(), watched: Watched::Check(check), period_ms: MIN, points }
}

fn seen(minute: i64, what: What) -> Seen {
    Seen { instance_id: "i-a".to_owned(), ts: minute * MIN, what }
}

fn bad(from: i64, to: i64) -> Vec<(i64, bool)> {
    (0..300).map(|m| (m, (from..to).contains(&m))).collect()
}

fn found(series: &[WatchedSeries], events: &[Seen]) -> Vec<(i64, Cause)> {
    derive(series, events, &Settings::default()).into_iter().map(|d| (d.ts / MIN, d.cause)).collect()
}

#[test]
fn a_check_that_fails_for_five_minutes_is_an_incident_and_one_of_four_is_none() {
    assert_eq!(found(&[check(Check::System, &bad(100, 105))], &[]), [(100, Cause::SystemCheck)]);
    assert_eq!(found(&[check(Check::System, &bad(100, 104))], &[]), []);
    let coarse = WatchedSeries { period_ms: 5 * MIN, ..check(Check::Any, &[(0, false), (5, true), (10, false)]) };
    assert_eq!(found(&[coarse], &[]), [(5, Cause::StatusCheck)]);
}

#[test]
fn an_outage_is_one_incident_named_after_what_says_most() {
    let series = [check(Check::Any, &bad(100, 120)), check(Check::Instance, &bad(101, 120))];
    let panic = seen(99, What::Fault(Fault::KernelPanic));
    let all = derive(&series, &[panic], &Settings::default());
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].ts, all[0].until, all[0].cause), (99 * MIN, 120 * MIN, Cause::KernelPanic));
    assert_eq!(all[0].evidence, "instance_check, kernel_panic, status_check");
    assert_eq!(all[0].class, Class::Failure);
}

#[test]
fn another_begins_only_after_the_hold() {
    let twice = |gap: i64| {
        let points: Vec<(i64, bool)> = (0..300).map(|m| (m, (50..60).contains(&m) || m >= 60 + gap)).collect();
        found(&[check(Check::System, &points)], &[]).len()
    };
    assert_eq!((twice(29), twice(30)), (1, 2));
}

#[test]
fn what_somebody_wanted_is_no_incident() {
    let down = |reason: &str| seen(100, What::Down(Some(reason.to_owned())));
    let series = [check(Check::Any, &bad(98, 140))];
    for wanted in
        [down("Client.UserInitiatedShutdown"), down("Server.SpotInstanceTermination"), seen(100, What::Planned)]
    {
        assert_eq!(found(&series, &[wanted, seen(135, What::Up)]), [], "and boots until 140");
    }
    assert_eq!(found(&[], &[down("Server.InternalError")]), [(100, Cause::UnplannedStop)]);
    assert_eq!(found(&[], &[down("Server.ScheduledStop")]), [(100, Cause::UnplannedStop)]);
    assert_eq!(found(&[], &[seen(100, What::Down(None))]), [], "unsaid is not unplanned");
    assert_eq!(
        found(&series, &[down("Client.UserInitiatedShutdown"), seen(120, What::Up)]),
        [(125, Cause::StatusCheck)]
    );
}

#[test]
fn a_level_crossed_is_of_its_own_class_and_each_signal_by_itself() {
    let over =
        |signal, from, to| WatchedSeries { watched: Watched::Signal(signal), ..check(Check::Any, &bad(from, to)) };
    let series = [
        over(Signal::Memory, 50, 80),
        over(Signal::Disk, 50, 80),
        over(Signal::Cpu, 50, 79),
        check(Check::Any, &bad(60, 70)),
    ];
    let all = derive(&series, &[], &Settings::default());
    let names: Vec<_> = all.iter().map(|d| (d.class, d.cause.name())).collect();
    assert_eq!(names, [(Class::Saturation, "memory"), (Class::Saturation, "disk"), (Class::Failure, "status_check")]);
    let ids: BTreeSet<_> = all.iter().map(|d| &d.incident_id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn events_of_failed_checks_count_when_they_lasted() {
    assert_eq!(found(&[], &[seen(7, What::CheckFailed(Check::AttachedEbs, 5))]), [(7, Cause::AttachedEbsCheck)]);
    assert_eq!(found(&[], &[seen(7, What::CheckFailed(Check::AttachedEbs, 4))]), []);
}

#[test]
fn what_is_known_is_no_news() {
    let series = [check(Check::System, &bad(100, 110))];
    let settings = Settings::default();
    let left = |ts: i64, class, cause: &str| {
        let known =
            Known { instance_id: "i-a".to_owned(), class, cause: Some(cause.to_owned()), ts: ts * MIN, until: None };
        news(derive(&series, &[], &settings), &[known], &settings).len()
    };
    assert_eq!(left(95, Class::Failure, "from a file"), 0);
    assert_eq!(left(139, Class::Failure, "oom_kill"), 0);
    assert_eq!((left(140, Class::Failure, "oom_kill"), left(70, Class::Failure, "oom_kill")), (1, 1));
    assert_eq!(left(100, Class::Saturation, "memory"), 1);
}

fn any_what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Up),
        Just(What::Planned),
        Just(What::Down(None)),
        Just(What::Down(Some("Server.InternalError".to_owned()))),
        Just(What::Down(Some("Client.UserInitiatedShutdown".to_owned()))),
        (0_u32..20).prop_map(|m| What::CheckFailed(Check::Instance, m)),
        Just(What::Fault(Fault::OomKill)),
        Just(What::Fault(Fault::ProbeDown)),
    ]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    ("i-[ab]", 0_i64..2000, any_what()).prop_map(|(instance_id, m, what)| Seen { instance_id, ts: m * MIN, what })
}

fn any_series() -> impl Strategy<Value = WatchedSeries> {
    let watched = prop_oneof![
        Just(Watched::Check(Check::System)),
        Just(Watched::Check(Check::Any)),
        Just(Watched::Signal(Signal::Memory)),
    ];
    let points = prop::collection::vec((0_i64..400, any::<bool>()), 0..120);
    ("i-[ab]", watched, prop_oneof![Just(MIN), Just(5 * MIN)], points).prop_map(
        |(instance_id, watched, period_ms, p)| {
            let points = p.into_iter().map(|(n, bad)| (n * period_ms, bad)).collect();
            WatchedSeries { instance_id, watched, period_ms, points }
        },
    )
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(
        series in prop::collection::vec(any_series(), 0..6),
        events in prop::collection::vec(any_seen(), 0..12),
        turn in any::<prop::sample::Index>(),
    ) {
        let settings = Settings::default();
        let plain = derive(&series, &events, &settings);
        let (mut more, mut most) = (series.clone(), events.clone());
        for one in &mut more {
            one.points.reverse();
        }
        more.extend(series.iter().cloned());
        most.extend(events.iter().cloned());
        if !more.is_empty() {
            let by = turn.index(more.len());
            more.rotate_left(by);
        }
        if !most.is_empty() {
            let by = turn.index(most.len());
            most.rotate_left(by);
        }
        prop_assert_eq!(&derive(&more, &most, &settings), &plain);
        prop_assert!(news(plain.clone(), &known(&plain), &settings).is_empty());
        let ids: BTreeSet<_> = plain.iter().map(|d| &d.incident_id).collect();
        prop_assert_eq!(ids.len(), plain.len());
        for pair in plain.windows(2).filter(|p| p[0].instance_id == p[1].instance_id) {
            let apart = pair[1].ts >= pair[0].until + settings.hold_ms;
            prop_assert!(apart || pair[0].class == Class::Saturation || pair[1].class == Class::Saturation);
        }
    }
}

fn known(derived: &[Derived]) -> Vec<Known> {
    let one = |d: &Derived| Known {
        instance_id: d.instance_id.clone(),
        class: d.class,
        cause: Some(d.cause.name().to_owned()),
        ts: d.ts,
        until: Some(d.until),
    };
    derived.iter().map(one).collect()
}
