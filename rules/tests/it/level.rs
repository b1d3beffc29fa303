//! Levels, and what can't be assessed.

use crate::support::{LEAK, Row, builtin, hand, one};
use forewarn_domain::prediction::{Action, FailureType, Level, Unassessable};
use forewarn_domain::signal::{Direction, SIGNALS, Signal};
use forewarn_rules::feature::{FEATURES, Feature};
use forewarn_rules::predict::Identity;
use forewarn_rules::ruleset::{RuleSet, RuleSetError};

fn assess(changes: Row<'_>) -> (Level, Option<Unassessable>, [f64; 3]) {
    let assessed = hand().assess(&one(changes)).unwrap();
    (assessed.level[0], assessed.reason[0], assessed.probabilities(0))
}

#[test]
fn a_healthy_instance_has_the_prior() {
    let (level, reason, p) = assess(&[]);
    assert_eq!((level, reason), (Level::None, None));
    for (found, days) in p.into_iter().zip([1.0, 3.0, 7.0]) {
        assert!((found - (1.0 - (-0.3_f64 * days / 30.0).exp())).abs() < 1e-12);
    }
}

#[test]
fn a_leak_is_high_medium_or_low_by_its_time() {
    assert_eq!(assess(LEAK).0, Level::High);
    assert_eq!(assess(&[("memory_x24", 0.001), ("memory_x72", 0.9), ("memory_x168", 0.95)]).0, Level::Medium);
    assert_eq!(assess(&[("memory_x24", 0.0), ("memory_x72", 0.01), ("memory_x168", 0.9)]).0, Level::Low);
}

#[test]
fn first_passage_alone_gives_about_its_own_probability() {
    let (_, _, p) = assess(&[("memory_x24", 0.8)]);
    assert!((p[0] - 0.8).abs() < 0.005, "{p:?}");
    let below_prior = assess(&[("memory_x24", 1e-6)]);
    assert_eq!(below_prior.2.map(f64::to_bits), assess(&[]).2.map(f64::to_bits));
}

#[test]
fn what_is_missing_never_looks_healthy() {
    for (change, reason) in [
        (("instance_signals", f64::NAN), Unassessable::NoData),
        (("instance_signals", 0.0), Unassessable::NoData),
        (("instance_silence_hours", 6.1), Unassessable::Stale),
        (("instance_silence_hours", f64::NAN), Unassessable::Stale),
        (("instance_age_days", 0.2), Unassessable::TooYoung),
        (("instance_coverage", 0.2), Unassessable::Sparse),
        (("instance_coverage", f64::NAN), Unassessable::Sparse),
    ] {
        let (level, found, p) = assess(&[change]);
        assert_eq!((level, found), (Level::Unassessable, Some(reason)), "{change:?}");
        assert!(p.iter().all(|v| v.is_nan()));
    }
    assert_eq!(assess(&[("memory_n", 0.0), ("disk_n", f64::NAN)]).1, Some(Unassessable::MissingAgent));
    assert_eq!(assess(&[("memory_n", 0.0)]).1, None);
    // One of the two is enough, while it is heard.
    let silent = [("memory_silence_hours", 7.0), ("disk_silence_hours", 6.1)];
    assert_eq!(assess(&silent).1, Some(Unassessable::MissingAgent));
    assert_eq!(assess(&silent[..1]).1, None);
}

#[test]
fn a_hard_signal_is_heard_whatever_else_is_missing() {
    let stale = ("instance_silence_hours", 30.0);
    let (level, reason, p) = assess(&[stale, ("status_hours_critical", 2.0)]);
    assert_eq!((level, reason), (Level::High, Some(Unassessable::Stale)));
    assert!(p[0] > 0.5);
    assert_eq!(assess(&[stale, ("maintenance_now", 1.0), ("maintenance_eta_hours", 5.0)]).0, Level::High);
    // A soft signal is not, and a hard one that makes no level doesn't make the instance healthy.
    assert_eq!(assess(&[stale, ("memory_x24", 0.99)]).0, Level::Unassessable);
    let strict = RuleSet::builtin(&|name| name.ends_with("_CONFIDENCE_THRESHOLD").then(|| "0.95".to_owned())).unwrap();
    let flapping = strict.assess(&one(&[stale, ("status_bursts_24h", 3.0)])).unwrap();
    assert_eq!(flapping.level, [Level::Unassessable]);
}

#[test]
fn the_failure_type_is_that_of_most_evidence() {
    let assessed = hand().assess(&one(LEAK)).unwrap();
    assert_eq!(assessed.failure_type[0], Some(FailureType::MemoryExhaustion));
    assert_eq!(assessed.action[0], Some(Action::AppRestart));
    let changes = [("iowait_now", 35.0), ("queue_now", 40.0), ("iowait_above_warning_24h", 0.5), ("memory_x24", 0.05)];
    let storage = hand().assess(&one(&changes)).unwrap();
    assert_eq!(storage.failure_type[0], Some(FailureType::EbsDegradation));
    assert_eq!(storage.action[0], Some(Action::EbsRepair));
    assert_eq!(hand().assess(&one(&[])).unwrap().failure_type[0], None);
}

#[test]
fn within_a_group_only_the_strongest_counts() -> Result<(), RuleSetError> {
    let rule = |id: &str, evidence: f64| {
        format!(
            "[[rule]]\nid = \"{id}\"\ngroup = \"g\"\nsignal = \"cpu\"\nfailure_type = \"anomaly\"\naction = \"notify\"\n\
             when = \"cpu_now > 1\"\nevidence = {evidence}\nwhy = \"w\"\n"
        )
    };
    let head =
        "name='t'\nversion='1'\n[levels]\nhigh=0.5\nmedium=0.5\nlow=0.4\n[prior]\nincidents_per_instance_month=0.3\n";
    let text = format!("{head}{}{}{}", rule("a", 1.0), rule("b", 2.5), rule("c", 0.5));
    let rules = RuleSet::parse(&text, "t", &|_| None)?;
    let z = rules.assess(&one(&[("cpu_now", 5.0)])).unwrap().log_odds[0][0];
    assert!((z - rules.prior()[0] - 2.5).abs() < 1e-12);
    // Those that are outweighed are named with what they say.
    let explained = rules.explain(&one(&[("cpu_now", 5.0)]), 0, &Identity::default()).unwrap();
    let outweighed: Vec<(&str, &str)> = explained.outweighed.iter().map(|o| (&*o.rule, &*o.text)).collect();
    assert_eq!(outweighed, [("a", "w"), ("c", "w")]);
    assert!(explained.lines().iter().any(|line| line.trim() == "a: w"), "{:?}", explained.lines());
    Ok(())
}

#[test]
fn a_table_that_is_out_of_shape_is_refused() {
    let mut broken = one(&[]);
    broken.values[3].push(1.0);
    let error = hand().assess(&broken).unwrap_err().to_string();
    assert_eq!(error, "feature column 3 has 2 values where the table has 1 rows; fill tables with `push`");
    let empty = forewarn_rules::table::FeatureTable::new();
    assert!(hand().assess(&empty).unwrap().is_empty());
}

/// Every feature of a signal at its worst.
fn at_its_worst(signal: Signal) -> Vec<(String, f64)> {
    let (rules, spec) = (builtin(), signal.spec());
    let critical = rules.thresholds(signal).1;
    let up = spec.direction == Direction::Up;
    let now = if up { (2.0 * critical).min(spec.range.1) } else { 0.0 };
    let most = critical.abs().max(50.0) * 4.0;
    let value = |feature: Feature| match feature {
        Feature::Now | Feature::Mean6h | Feature::Mean24h | Feature::Max24h | Feature::P957d => now,
        Feature::Mean7d => now / 2.0,
        Feature::Slope6h
        | Feature::Slope24h
        | Feature::Slope7d
        | Feature::Lift6h
        | Feature::Lift24h
        | Feature::Beyond6h
        | Feature::Lasting6h => most,
        Feature::Trend | Feature::ExcessRun | Feature::Bursts24h => 20.0,
        Feature::HoursCritical | Feature::Unusual24h => 24.0,
        Feature::AboveWarning24h
        | Feature::AboveCritical24h
        | Feature::Coverage
        | Feature::Q24
        | Feature::Q72
        | Feature::Q168
        | Feature::X24
        | Feature::X72
        | Feature::X168
        | Feature::EtaHours
        | Feature::EtaLo
        | Feature::EtaHi => 1.0,
        Feature::CriticalMinutes24h | Feature::N => 1000.0,
        Feature::CriticalPeriods => 200.0,
        Feature::ResidZ => 50.0,
        Feature::AgeDays => 7.0,
        Feature::Accel
        | Feature::Critical6d
        | Feature::Resets7d
        | Feature::Tooth
        | Feature::Season
        | Feature::NoNews
        | Feature::SilenceHours => 0.0,
    };
    FEATURES.iter().map(|(feature, suffix, _)| (format!("{}_{suffix}", spec.name), value(*feature))).collect()
}

#[test]
fn each_signal_alone_can_make_a_machine_medium_at_least() {
    // That an instance is unlike itself is a hint, and no more.
    for spec in SIGNALS.iter().filter(|spec| spec.signal != Signal::Anomaly) {
        let worst = at_its_worst(spec.signal);
        let changes: Vec<(&str, f64)> = worst.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let assessed = builtin().assess(&one(&changes)).unwrap();
        assert!(assessed.level[0] >= Level::Medium, "{}: {:?}", spec.name, assessed.probabilities(0));
    }
}
