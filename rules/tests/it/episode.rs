//! Episodes: announced once, updated on a change, cleared with hysteresis.

use crate::support::{hand, one};
use forewarn_domain::episode::{EpisodeChange, EpisodeEvent, EpisodeState, step};
use forewarn_domain::levels::Levels;
use forewarn_domain::prediction::{Horizons, Level, Prediction, Status};
use forewarn_domain::round::{States, apply_predictions};
use forewarn_domain::workload::Workloads;
use forewarn_rules::predict::Identity;

const LEVELS: Levels = Levels { high: 0.5, medium: 0.5, low: 0.4, clear_below: 0.6, clear_after: 3.0 };

/// A prediction `hour` hours after noon; None can't be assessed.
fn at(hour: i64, p24: Option<f64>) -> Prediction {
    let mut table = one(&[]);
    table.as_of[0] += hour * 3_600_000;
    let rules = hand();
    let mut p = rules.predict(&table, &rules.assess(&table).unwrap(), 0, &Identity::default());
    p.confidence = p24.map_or(Level::Unassessable, |v| LEVELS.of(&[v, v, v]));
    p.probability = Horizons { h24: p24, h72: p24, h168: p24 };
    p
}

/// Runs hour by hour; gives the events with their hour, and the state.
fn run(hours: &[Option<f64>]) -> (Vec<(usize, EpisodeEvent)>, EpisodeState) {
    let mut state = EpisodeState::default();
    let mut events = Vec::new();
    for (hour, p) in hours.iter().enumerate() {
        let (next, new) = step(&state, &at(hour as i64, *p), &LEVELS).unwrap();
        events.extend(new.into_iter().map(|e| (hour, e)));
        state = next;
    }
    (events, state)
}

fn changes_of(hours: &[Option<f64>]) -> Vec<(usize, EpisodeChange, Level)> {
    run(hours).0.into_iter().map(|(h, e)| (h, e.change, e.to)).collect()
}

const HIGH: Option<f64> = Some(0.8);
const LOW: Option<f64> = Some(0.45);
const WELL: Option<f64> = Some(0.01);
const BLIND: Option<f64> = None;

#[test]
fn an_episode_is_announced_once_and_cleared_after_the_hours() {
    use EpisodeChange::{Cleared, Opened};
    assert_eq!(changes_of(&[WELL, HIGH, HIGH, HIGH]), [(1, Opened, Level::High)]);
    // Below from hour 2; three hours later it is over.
    assert_eq!(
        changes_of(&[WELL, HIGH, WELL, WELL, WELL, WELL, WELL]),
        [(1, Opened, Level::High), (5, Cleared, Level::None)]
    );
}

#[test]
fn a_relapse_starts_the_hours_anew() {
    use EpisodeChange::{Cleared, Opened};
    assert_eq!(
        changes_of(&[HIGH, WELL, WELL, HIGH, WELL, WELL, WELL, WELL]),
        [(0, Opened, Level::High), (7, Cleared, Level::None)]
    );
}

#[test]
fn a_level_rises_at_once_and_falls_late() {
    use EpisodeChange::{Opened, Updated};
    assert_eq!(changes_of(&[LOW, HIGH]), [(0, Opened, Level::Low), (1, Updated, Level::High)]);
    // 0.45 is under the threshold of 0.5 but not under 0.6 of it: the level holds.
    assert_eq!(changes_of(&[HIGH, LOW, LOW, LOW, LOW, LOW]), [(0, Opened, Level::High)]);
    // 0.26 is under 0.3 (high) but holds low (0.24).
    let fading = Some(0.26);
    assert_eq!(
        changes_of(&[HIGH, fading, fading, fading, fading]),
        [(0, Opened, Level::High), (4, Updated, Level::Low)]
    );
}

#[test]
fn blindness_neither_opens_nor_clears() {
    use EpisodeChange::{Cleared, Opened};
    assert_eq!(changes_of(&[BLIND, BLIND]), []);
    assert_eq!(changes_of(&[HIGH, BLIND, BLIND, BLIND, BLIND, BLIND, BLIND, BLIND]), [(0, Opened, Level::High)]);
    // Quiet hours count; the blind ones between them don't.
    assert_eq!(
        changes_of(&[HIGH, WELL, WELL, BLIND, BLIND, BLIND, WELL, WELL, WELL]),
        [(0, Opened, Level::High), (8, Cleared, Level::None)]
    );
}

#[test]
fn repeating_a_prediction_changes_nothing() {
    let (_, state) = run(&[HIGH, WELL, WELL]);
    for hour in [0, 1, 2] {
        let (again, events) = step(&state, &at(hour, HIGH), &LEVELS).unwrap();
        assert_eq!((again, events), (state.clone(), Vec::new()));
    }
}

#[test]
fn predictions_are_stamped_with_their_episode() {
    use Status::{Cleared, New, Ongoing, Quiet};
    let mut state = EpisodeState::default();
    let mut seen = Vec::new();
    for (hour, p) in [WELL, HIGH, HIGH, WELL, WELL, WELL, WELL, WELL].into_iter().enumerate() {
        let mut prediction = at(hour as i64, p);
        state = step(&state, &prediction, &LEVELS).unwrap().0;
        state.stamp(&mut prediction);
        seen.push((prediction.status, prediction.sequence, prediction.episode_id.is_some()));
    }
    assert_eq!(
        seen,
        [
            (Quiet, 0, false),
            (New, 1, true),
            (Ongoing, 2, true),
            (Ongoing, 3, true),
            (Ongoing, 4, true),
            (Ongoing, 5, true),
            (Cleared, 6, true),
            (Quiet, 0, false)
        ]
    );
}

#[test]
fn what_a_declared_change_holds_back_neither_opens_nor_raises() {
    let held = |hour, p24| {
        let mut p = at(hour, p24);
        p.held_until = Some("2026-02-15T15:00:00Z".into());
        p
    };
    let mut waiting = held(0, HIGH);
    let (state, events) = step(&EpisodeState::default(), &waiting, &LEVELS).unwrap();
    assert!(events.is_empty() && state.open.is_none());
    state.stamp(&mut waiting);
    assert_eq!((waiting.status, waiting.episode_id.as_ref()), (Status::Pending, None));
    let (_, events) = step(&state, &at(3, HIGH), &LEVELS).unwrap();
    assert_eq!(events.iter().map(|e| e.change).collect::<Vec<_>>(), [EpisodeChange::Opened], "the hours are over");

    let (low, _) = step(&EpisodeState::default(), &at(0, LOW), &LEVELS).unwrap();
    let (still, events) = step(&low, &held(1, HIGH), &LEVELS).unwrap();
    assert!(events.is_empty());
    assert_eq!(still.open.as_ref().map(|e| (e.level, e.sequence)), Some((Level::Low, 2)));
    let (_, events) = step(&still, &at(2, HIGH), &LEVELS).unwrap();
    assert_eq!(
        events.iter().map(|e| (e.change, e.from, e.to)).collect::<Vec<_>>(),
        [(EpisodeChange::Updated, Level::Low, Level::High)]
    );
}

#[test]
fn a_round_says_who_is_shown_and_what_is_kept() {
    let of = |id: &str, hour, p24| Prediction { instance_id: id.into(), prediction_id: id.into(), ..at(hour, p24) };
    let taken = |predictions, states: &States| {
        let taken = apply_predictions(predictions, states, &Workloads::new(), hand().levels(), hand().episodes())
            .unwrap()
            .taken;
        let said: Vec<_> =
            taken.iter().map(|t| (t.prediction.instance_id.clone(), t.shown, t.keep, t.events.len())).collect();
        let states: States = taken.into_iter().map(|t| (t.prediction.instance_id, t.after)).collect();
        (said, states)
    };
    let row = |id: &str, shown, keep, events| (id.to_owned(), shown, keep, events);
    let first = || vec![of("a", 0, HIGH), of("b", 0, WELL), of("c", 0, BLIND)];
    let (said, states) = taken(first(), &States::new());
    assert_eq!(said, [row("a", true, true, 1), row("b", false, false, 0), row("c", true, false, 0)]);
    let (again, _) = taken(first(), &states);
    assert_eq!(again, [row("a", true, false, 0), row("b", false, false, 0), row("c", true, false, 0)]);
    let (later, _) = taken(vec![of("a", 1, WELL)], &states);
    assert_eq!(later, [row("a", false, true, 0)], "its episode goes on, so where it stands is kept");
}

#[test]
fn a_new_episode_has_a_new_id_and_the_same_one_the_same() {
    let hours = [HIGH, WELL, WELL, WELL, WELL, HIGH];
    let (a, _) = run(&hours);
    let (b, state) = run(&hours);
    assert_eq!(a, b);
    assert_eq!(a[0].1.episode_id, a[1].1.episode_id);
    assert_ne!(a[0].1.episode_id, a[2].1.episode_id);
    assert_eq!(state.open.unwrap().episode_id, a[2].1.episode_id);
}

#[test]
fn a_state_survives_json_and_a_bad_time_is_an_error() {
    let (_, state) = run(&[HIGH, WELL]);
    let back: EpisodeState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(back, state);
    let mut bad = at(5, HIGH);
    bad.as_of = "yesterday".into();
    assert_eq!(step(&state, &bad, &LEVELS).unwrap_err().to_string(), "`yesterday` is not an RFC 3339 time");
}
