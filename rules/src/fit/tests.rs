use super::*;
use crate::feature::{WIDTH, column_index};
use crate::outcome::Outcome;
use crate::ruleset::DEFAULT_TOML;

/// How much was seen.
const WATCHED: [Watched; 1] = [Watched { incidents: 165, hours: 50_000.0 }];

const RULES: &str = r#"
name = "small"
version = "1"
[levels]
high = 0.5
medium = 0.5
low = 0.5
hysteresis = { clear_below = 0.6, clear_after = 6 }
[prior]
incidents_per_instance_month = 0.3
[assess]
min_coverage_24h = 0.0
max_silence_hours = 100
min_age_hours = 0
require_any = []
[passage]
cap = 7.0
[passage.weights]
memory = 0.5
[provenance]
method = "hand"
# A comment that a person wrote.
[[rule]]
id = "telling"
group = "a"
signal = "memory"
failure_type = "memory_exhaustion"
action = "app_restart"
when = "memory_now >= 50"
evidence = { feature = "memory_now", bins = [[50, 0.1], [90, 0.2]] }
why = "memory is {memory_now:.0} %"
[[rule]]
id = "idle"
group = "b"
signal = "disk"
failure_type = "disk_full"
action = "free_disk"
when = "disk_now >= 50"
evidence = 0.2
why = "disk is {disk_now:.0} %"
[[rule]]
id = "unseen"
group = "c"
signal = "log"
failure_type = "system_fault"
action = "safe_restart"
when = "log_now >= 1"
evidence = 1.7
why = "{log_now:.0} lines"
"#;

fn rules() -> RuleSet {
    RuleSet::parse(RULES, "small.toml", &|_| None).unwrap_or_else(|e| panic!("{e}"))
}

/// Adds (memory, disk, failed) so many times.
fn add(observations: &mut Observations, ruleset: &RuleSet, fold: usize, cases: &[(f64, f64, bool, usize)]) {
    let mut table = FeatureTable::new();
    let mut outcomes = Vec::new();
    for &(memory, disk, failed, rows) in cases {
        for _ in 0..rows {
            let mut row = vec![f64::NAN; WIDTH];
            for (name, value) in [("memory_now", memory), ("disk_now", disk)] {
                row[column_index(name).unwrap_or(0)] = value;
            }
            table.push("i-a", 0, &row, &vec![None; SIGNALS.len()]);
            let hazard = [Some(failed), Some(failed), Some(failed)];
            outcomes.push(Outcome { within: hazard, hazard });
        }
    }
    let fired = ruleset.fired(&table).unwrap_or_default();
    observations.add(ruleset, &table, &fired, &outcomes, Place { source: 0, fold });
}

/// Rows whose memory tells of failures and whose disk does not.
fn observations(ruleset: &RuleSet) -> Observations {
    let mut observations = Observations::default();
    for fold in 0..FOLDS {
        let cases = [
            (10.0, 10.0, false, 190),
            (10.0, 10.0, true, 2),
            (10.0, 80.0, false, 95),
            (10.0, 80.0, true, 1),
            (60.0, 10.0, false, 40),
            (60.0, 10.0, true, 10),
            (95.0, 80.0, false, 5),
            (95.0, 80.0, true, 20),
        ];
        add(&mut observations, ruleset, fold, &cases);
    }
    observations
}

#[test]
fn a_kind_of_failure_that_was_never_seen_is_foreseen_less_well() {
    let ruleset = rules();
    let mut observations = Observations::new(3);
    // Full memory fails in the first fold, a full disk in the second; nothing does in the third.
    add(&mut observations, &ruleset, 0, &[(10.0, 10.0, false, 200), (60.0, 10.0, true, 30), (60.0, 10.0, false, 10)]);
    add(&mut observations, &ruleset, 1, &[(10.0, 10.0, false, 200), (10.0, 80.0, true, 30), (10.0, 80.0, false, 10)]);
    add(&mut observations, &ruleset, 2, &[(10.0, 10.0, false, 200), (10.0, 80.0, false, 20)]);
    let held_out = observations.hold_out(&ruleset, &WATCHED, 0.5).unwrap();
    for fold in &held_out[..2] {
        let HeldOut { seen, unseen } = fold.unwrap();
        assert!(seen > 0.7, "{held_out:?}");
        assert!(unseen < 0.5, "what it knows of the other kind is of no use here: {held_out:?}");
    }
    assert_eq!(held_out[2], None);
}

#[test]
fn evidence_goes_to_what_tells_and_stays_with_what_was_never_seen() {
    let ruleset = rules();
    let learned = observations(&ruleset).learn(&ruleset, &WATCHED, 0.5).unwrap_or_else(|e| panic!("{e}"));
    let Evidence::Binned { bins, .. } = &learned.evidence[0] else { panic!("bins stay bins") };
    for k in 0..HAZARDS {
        assert!(bins[0].1[k] > 1.5 && bins[1].1[k] > bins[0].1[k] + 1.0, "{bins:?}");
    }
    let Evidence::Constant(idle) = learned.evidence[1] else { panic!("a number stays a number") };
    assert!(idle.iter().all(|e| (0.0..0.5).contains(e)), "{idle:?}");
    let Evidence::Constant(unseen) = learned.evidence[2] else { panic!("a number stays a number") };
    assert!(unseen.iter().all(|e| (e - 1.7).abs() < 1e-9), "{unseen:?}");
    let passage = learned.passage[forewarn_domain::signal::Signal::Memory as usize];
    assert!(passage.iter().all(|w| (w - 0.5).abs() < 1e-9), "{passage:?}");
}

#[test]
fn evidence_is_drawn_towards_what_was_written_and_a_locked_rule_keeps_it() {
    let written = RULES.replace("evidence = 0.2", "evidence = 2.5");
    let of = |text: &str, ridge: f64| {
        let ruleset = RuleSet::parse(text, "small.toml", &|_| None).unwrap_or_else(|e| panic!("{e}"));
        let learned = observations(&ruleset).learn(&ruleset, &WATCHED, ridge).unwrap_or_else(|e| panic!("{e}"));
        let Evidence::Constant(idle) = learned.evidence[1] else { panic!("a number stays a number") };
        (idle[0], write(text, &learned, &[]).unwrap_or_else(|e| panic!("{e}")))
    };
    // The rows say that it is worth nothing: the more it takes to persuade, the nearer to what was written it stays.
    let [free, drawn, held] = [0.5, 50.0, 1e6].map(|ridge| of(&written, ridge).0);
    assert!(free < drawn && drawn < held && (held - 2.5).abs() < 0.05, "{free} {drawn} {held}");
    let locked = written.replace("evidence = 2.5", "evidence = 2.5\nlocked = true");
    let (kept, text) = of(&locked, 0.5);
    assert!((kept - 2.5).abs() < 1e-12 && text.contains("evidence = 2.5\nlocked = true"), "{kept}: {text}");
}

#[test]
fn a_rate_ten_times_as_high_makes_all_odds_ten_times_as_high() {
    // Of the rule set that is built in, whose calibrations bend.
    let rare = RuleSet::builtin(&|_| None).unwrap_or_else(|e| panic!("{e}"));
    let often = DEFAULT_TOML.replace("incidents_per_instance_month = 0.3", "incidents_per_instance_month = 3.0");
    let often = RuleSet::parse(&often, "often.toml", &|_| None).unwrap_or_else(|e| panic!("{e}"));
    assert!(rare.calibration().iter().all(|c| c.knots().len() > 2));
    for evidence in [0.0, 1.0, 4.0] {
        let odds = |rules: &RuleSet| rules.calibrate(rules.prior(), &rules.prior().map(|prior| prior + evidence));
        for (k, (few, many)) in odds(&rare).into_iter().zip(odds(&often)).enumerate() {
            let between = often.prior()[k] - rare.prior()[k];
            assert!((many - few - between).abs() < 1e-12 && between > 2.2, "{k}: {few} {many}");
        }
    }
}

#[test]
fn what_was_learned_gives_the_rates_that_were_seen() {
    let ruleset = rules();
    let learned = observations(&ruleset).learn(&ruleset, &WATCHED, 0.5).unwrap_or_else(|e| panic!("{e}"));
    let text = write(RULES, &learned, &[("method", "fit".to_owned())]).unwrap_or_else(|e| panic!("{e}"));
    assert!(text.contains("# A comment that a person wrote.") && text.contains("method = \"fit\""), "{text}");
    let again = RuleSet::parse(&text, "learned.toml", &|_| None).unwrap_or_else(|e| panic!("{e}"));
    let mut table = FeatureTable::new();
    for memory in [10.0, 60.0, 95.0] {
        let mut row = vec![f64::NAN; WIDTH];
        for (name, value) in
            [("memory_now", memory), ("disk_now", 10.0), ("instance_signals", 2.0), ("instance_silence_hours", 0.0)]
        {
            row[column_index(name).unwrap_or(0)] = value;
        }
        for (name, value) in [("instance_age_days", 9.0), ("instance_coverage", 1.0)] {
            row[column_index(name).unwrap_or(0)] = value;
        }
        table.push("i-a", 0, &row, &vec![None; SIGNALS.len()]);
    }
    let assessed = again.assess(&table).unwrap_or_else(|e| panic!("{e}"));
    for (row, seen) in [0.01, 0.2, 0.8].into_iter().enumerate() {
        let p = assessed.probability[0][row];
        assert!((p - seen).abs() < 0.06, "row {row}: {p} where {seen} was seen");
    }
}

#[test]
fn too_few_incidents_are_refused_in_words() {
    let ruleset = rules();
    let refused =
        observations(&ruleset).learn(&ruleset, &[Watched { incidents: MIN_INCIDENTS - 1, hours: 50_000.0 }], 0.5);
    let said = refused.map_or_else(|e| e.to_string(), |_| String::new());
    assert!(said.starts_with("29 incidents") && said.contains("at least 30"), "{said}");
}

#[test]
fn the_text_of_another_rule_set_is_refused() {
    let ruleset = rules();
    let learned = observations(&ruleset).learn(&ruleset, &WATCHED, 0.5).unwrap_or_else(|e| panic!("{e}"));
    let said = write("name = \"x\"", &learned, &[]).map_or_else(|e| e.to_string(), |_| String::new());
    assert_eq!(said, "the rule set's text has 0 rules where 3 were fitted");
}
