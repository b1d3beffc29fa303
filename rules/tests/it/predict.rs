//! Predictions as people and programs receive them.

use crate::support::{LEAK, NOON, Row, features, hand, one};
use forewarn_domain::prediction::{FailureType, Level, Prediction, Status, Unassessable};
use forewarn_domain::signal::Signal;
use forewarn_rules::assess::Score;
use forewarn_rules::hazard::probabilities;
use forewarn_rules::predict::{Identity, prediction_id};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;

fn identity() -> Identity {
    Identity {
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        workload: Some("asg/web".into()),
        change: None,
    }
}

fn predict(table: &FeatureTable) -> Prediction {
    let rules = hand();
    rules.predict(table, &rules.assess(table).unwrap(), 0, &identity())
}

fn of(changes: Row<'_>) -> Prediction {
    predict(&one(changes))
}

#[test]
fn a_leak_becomes_a_prediction_that_says_when_why_and_what_to_do() {
    let p = of(LEAK);
    assert_eq!(p.confidence, Level::High);
    assert_eq!(p.failure_type, Some(FailureType::MemoryExhaustion));
    assert_eq!((p.status, p.sequence, p.episode_id.as_ref()), (Status::Quiet, 0, None));
    assert_eq!(p.factors[0].rule, "first-passage");
    assert_eq!(p.factors[0].eta_hours, Some(17.0));
    assert_eq!(p.factors[1].rule, "memory-nearly-full");
    assert_eq!(
        p.factors[1].text,
        "memory is 91 % and grows 5.2 % a day; the chance that it reaches 95 % within 24 hours is 82 %"
    );
    let c = p.counterfactual.unwrap();
    assert_eq!((c.signal, c.confidence), (Signal::Memory, Level::None));
    assert_eq!(c.text, "if memory stayed below 85 %, P(24 h) would be 0.01 (none)");
    let w = p.window.unwrap();
    assert!(w.text.starts_with("in 1 to ") || w.text.starts_with("in 2 to "), "{}", w.text);
    assert!(p.links["chart"].contains("region=eu-west-1"));
    assert_eq!(p.as_of, "2026-02-15T12:00:00Z");
}

#[test]
fn a_healthy_instance_says_nothing_more_than_its_probabilities() {
    let p = of(&[]);
    assert_eq!(p.confidence, Level::None);
    assert!(p.window.is_none() && p.failure_type.is_none() && p.recommended_action.is_none());
    assert!(p.factors.is_empty() && p.counterfactual.is_none() && p.notes.is_empty());
    assert!(p.probability.h24.is_some());
}

#[test]
fn an_unassessable_instance_has_no_probabilities() {
    let p = of(&[("instance_coverage", 0.1), ("memory_x24", 0.9)]);
    assert_eq!((p.confidence, p.unassessable), (Level::Unassessable, Some(Unassessable::Sparse)));
    assert!(p.probability.h24.is_none() && p.probability.h72.is_none() && p.probability.h168.is_none());
    assert!(p.factors.is_empty() && p.window.is_none());
    assert_eq!(p.notes, ["too few samples in the last 24 hours: 10 % of the time is covered, 25 % is needed"]);
}

#[test]
fn notes_tell_of_changes_youth_blindness_and_hard_signals() {
    let changes = [("instance_change_hours", 3.0), ("instance_age_days", 2.0), ("disk_n", 0.0)];
    assert_eq!(
        of(&changes).notes,
        [
            "a change was declared 3 hours before",
            "young: 2 days of history",
            "no samples of disk: such failures can't be foreseen"
        ]
    );
    let hard = of(&[("instance_silence_hours", 9.0), ("status_hours_critical", 3.0)]);
    assert_eq!(
        hard.notes,
        ["rests on hard signals alone: nothing has arrived for 9 hours; at most 6 hours is allowed"]
    );
    assert_eq!((hard.confidence, hard.unassessable), (Level::High, None));
}

#[test]
fn what_is_not_known_says_how_much_is_missing() {
    let notes = |changes: Row<'_>| of(changes).notes.remove(0);
    assert_eq!(
        notes(&[("instance_silence_hours", 9.0)]),
        "nothing has arrived for 9 hours; at most 6 hours is allowed"
    );
    assert_eq!(notes(&[("instance_age_days", 0.125)]), "too little history to judge: 3 hours of 6 hours");
    assert_eq!(notes(&[("instance_age_days", f64::NAN)]), "too little history to judge");
    assert_eq!(
        notes(&[("memory_n", 0.0), ("disk_n", 0.0)]),
        "no samples of memory or disk: is the CloudWatch agent missing?"
    );
    assert_eq!(
        notes(&[("memory_silence_hours", 9.0), ("disk_silence_hours", 9.1)]),
        "nothing of memory or disk for 9 hours, while others report: has the CloudWatch agent died?"
    );
    assert_eq!(notes(&[("memory_silence_hours", 3.0)]), "nothing of memory for 3 hours: what was heard last is held");
}

/// A leak, some hours after a change, with more.
fn changed(hours: f64, more: Row<'_>) -> Prediction {
    let changes = [LEAK, &[("instance_change_hours", hours)], more].concat();
    let rules = hand();
    let table = one(&changes);
    let identity = Identity { change: Some("deployment: 4.2.0".into()), ..identity() };
    rules.predict(&table, &rules.assess(&table).unwrap(), 0, &identity)
}

#[test]
fn a_declared_change_is_named_and_holds_back_trends_but_no_hard_signal() {
    let soon = changed(2.0, &[]);
    assert_eq!((soon.confidence, soon.held_until.as_deref()), (Level::High, Some("2026-02-15T16:00:00Z")));
    assert_eq!(
        soon.notes,
        ["a change was declared 2 hours before (deployment: 4.2.0); trends alone are not announced before \
             2026-02-15T16:00:00Z"]
    );
    let later = changed(6.0, &[]);
    assert_eq!((later.confidence, later.held_until), (Level::High, None));
    assert_eq!(later.notes, ["a change was declared 6 hours before (deployment: 4.2.0)"]);
    assert_eq!(changed(2.0, &[("status_hours_critical", 2.0)]).held_until, None);
    assert_eq!(changed(2.0, &[("maintenance_now", 1.0), ("maintenance_eta_hours", 5.0)]).held_until, None);
    // Maintenance without a rule is heard by its passage, even where the leak's is the stronger one.
    let text =
        include_str!("../fixtures/hand.toml").replace("[passage.weights]\n", "[passage.weights]\nmaintenance = 0.1\n");
    let rules = RuleSet::parse(&text, "hand.toml", &|_| None).unwrap();
    assert!(rules.passage().weights[Signal::Maintenance as usize].iter().all(|w| *w > 0.0));
    let table = one(&[LEAK, &[("instance_change_hours", 2.0), ("maintenance_x24", 0.9)]].concat());
    let p = rules.predict(&table, &rules.assess(&table).unwrap(), 0, &identity());
    assert_eq!((p.confidence, p.held_until), (Level::High, None));
    let healthy = of(&[("instance_change_hours", 2.0)]);
    assert_eq!((healthy.confidence, healthy.held_until), (Level::None, None));
}

#[test]
fn the_id_depends_on_instance_time_and_rules_alone() {
    let (a, b) = (of(LEAK), of(&[]));
    assert_eq!(a.prediction_id, b.prediction_id, "first write wins: features don't change the id");
    assert_eq!(a.prediction_id.len(), 32);
    let base = prediction_id("i-1", NOON, "abc", None);
    for other in [
        prediction_id("i-2", NOON, "abc", None),
        prediction_id("i-1", NOON + 1, "abc", None),
        prediction_id("i-1", NOON, "abd", None),
    ] {
        assert_ne!(base, other);
    }
    assert_eq!(serde_json::to_string(&of(LEAK)).unwrap(), serde_json::to_string(&of(LEAK)).unwrap());
}

#[test]
fn factors_name_the_device_and_the_direction_that_a_chart_shows() {
    let mut table = FeatureTable::new();
    let mut devices = vec![None; 14];
    devices[Signal::Disk as usize] = Some("path=/data".to_owned());
    let row = features(&[
        ("disk_now", 95.0),
        ("disk_slope_7d", 2.0),
        ("disk_slope_24h", 2.0),
        ("disk_q24", 0.9),
        ("disk_x24", 0.9),
        ("credits_now", 20.0),
        ("credits_slope_24h", 50.0),
        ("credits_slope_7d", 40.0),
        ("credits_q24", 0.5),
    ]);
    table.push("i-1", NOON, &row, &devices);
    let p = predict(&table);
    let disk = p.factors.iter().find(|f| f.signal == Signal::Disk).unwrap();
    assert_eq!(disk.device.as_deref(), Some("path=/data"));
    assert_eq!(disk.slope_per_day, Some(2.0));
    let credits = p.factors.iter().find(|f| f.signal == Signal::Credits).unwrap();
    assert_eq!(credits.slope_per_day, Some(-40.0), "credits fall");
}

#[test]
fn the_counterfactual_prefers_what_leaves_the_level() {
    let mut changes = LEAK.to_vec();
    changes.extend([("cpu_now", 90.0), ("cpu_resid_z", 5.0)]);
    let c = of(&changes).counterfactual.unwrap();
    assert_eq!(c.signal, Signal::Memory);
    let status = of(&[("status_hours_critical", 2.0)]).counterfactual.unwrap();
    assert_eq!(status.text, "if the status checks passed, P(24 h) would be 0.01 (none)");
}

/// A disk that fills within the day, beside the leak.
const FILLING: Row<'static> = &[
    ("disk_now", 95.0),
    ("disk_slope_7d", 2.0),
    ("disk_slope_24h", 2.0),
    ("disk_q24", 0.9),
    ("disk_q72", 0.97),
    ("disk_q168", 0.99),
    ("disk_x24", 0.9),
    ("disk_x72", 0.97),
    ("disk_x168", 0.99),
];

#[test]
fn the_counterfactual_names_every_signal_that_keeps_the_level() {
    let rules = hand();
    let table = one(&[LEAK, FILLING, &[("status_hours_critical", 2.0)]].concat());
    let assessed = rules.assess(&table).unwrap();
    let p = rules.predict(&table, &assessed, 0, &identity());
    assert_eq!(p.confidence, Level::High);
    let c = p.counterfactual.unwrap();
    assert!(c.confidence < Level::High, "{c:?}");
    assert_eq!(c.signal, c.signals[0]);
    // The proof: without all of them the level is left, without any proper beginning of them it is not.
    let remaining = |without: &[Signal]| {
        let mut score = Score::default();
        rules.score_without(&table, &assessed.fired, 0, without, &mut score);
        rules.levels().of(&probabilities(&rules.calibrate(&score.prior, &score.log_odds)))
    };
    assert!(c.signals.len() >= 2, "{c:?}");
    assert_eq!(remaining(&c.signals), c.confidence);
    for n in 0..c.signals.len() {
        assert_eq!(remaining(&c.signals[..n]), Level::High, "{:?}", &c.signals[..n]);
    }
    for part in ["memory stayed below 85 %", "disk space in use stayed below 80 %", " and "] {
        assert!(c.text.contains(part), "{part}: {}", c.text);
    }
}

#[test]
fn a_json_schema_can_be_made() {
    let schema = serde_json::to_value(schemars::schema_for!(Prediction)).unwrap();
    let required = schema["required"].as_array().unwrap();
    for field in ["prediction_id", "instance_id", "confidence", "probability", "factors", "ruleset"] {
        assert!(required.iter().any(|r| r == field), "{field}");
    }
    let text = serde_json::to_string(&of(LEAK)).unwrap();
    let back: Prediction = serde_json::from_str(&text).unwrap();
    assert_eq!(back, of(LEAK));
}
