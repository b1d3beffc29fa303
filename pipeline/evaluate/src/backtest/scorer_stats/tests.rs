//! The measures against values worked out by hand.

use super::*;
use crate::backtest::records::Verdict;
use crate::replay::Steps;
use forewarn_predict::truth::Truth;
use forewarn_rules::truth::Incident;

const STEPS: Steps = Steps { from: 0, to: 100 * HOUR_MS, step: HOUR_MS };

fn incident(id: &str, hour: i64, predictable: bool) -> Incident {
    Incident { instance_id: id.to_owned(), ts: hour * HOUR_MS, cause: None, predictable: Some(predictable) }
}

/// Instance `i-a` fails at 60 h and is high from 50 h to 52 h and at 20 h; `i-b` fails unseen at 70 h; `i-c` never does.
fn fleet() -> Records {
    let incidents = [incident("i-a", 60, true), incident("i-b", 70, false)];
    let truth = Truth::new(&incidents, &[], 99 * HOUR_MS);
    let mut records = Records::new(STEPS);
    for id in ["i-a", "i-b", "i-c"] {
        let past = truth.of(id);
        let mut verdict = Verdict::default();
        for hour in 0..100 {
            let high = id == "i-a" && (hour == 20 || (50..=52).contains(&hour));
            verdict.push(if high { 0.8 } else { 0.1 }, high);
        }
        let instance = Instance {
            workload: (id != "i-c").then(|| "web".to_owned()),
            incidents: past.incidents.to_vec(),
            truth: STEPS.times().map(|t| past.row(t)).collect(),
            kind: vec![None; 100],
            unassessable: 0,
            verdicts: vec![verdict],
        };
        records.instances.insert(id.to_owned(), instance);
    }
    records
}

#[test]
fn every_measure_is_what_a_person_counts() {
    let records = fleet();
    let units = Units::of(&records, 100 * HOUR_MS);
    let scorer_stats = ScorerStats::of(&records, &units, 0, None);
    let seen = units.as_seen();
    // One week: `web` and `i-c` are the clusters. 76 rows of each instance have a day ahead of them; i-a loses 60..70 h, i-b
    // 70..76 h to the outage.
    assert_eq!(units.clusters, 2);
    let counts = scorer_stats.counts();
    let expected = Counts {
        scored: 3 * 76 - 10 - 6,
        followed: 48,
        high: 4,
        high_followed: 3,
        episodes: 2,
        false_episodes: 1,
        incidents: 2,
        caught_all: 1,
        predictable: 1,
        caught: 1,
    };
    assert_eq!(counts, expected);
    let near = |measure: Measure, expected: f64| {
        let found = scorer_stats.value(measure, &seen);
        assert!((found - expected).abs() < 1e-12, "{measure:?}: {found} is not {expected}");
    };
    near(Measure::RowPrecision, 0.75);
    near(Measure::EpisodePrecision, 0.5);
    near(Measure::RecallPredictable, 1.0);
    near(Measure::RecallAll, 0.5);
    near(Measure::F1, 2.0 / 3.0);
    near(Measure::FalseEpisodes, 1.0 / (212.0 / 168.0));
    near(Measure::LeadHours, 10.0);
    // Three of four at 0.8, then all the rest at 0.1.
    near(Measure::AveragePrecision, 3.0 / 48.0 * 0.75 + 45.0 / 48.0 * (48.0 / 212.0));
    let brier = (3.0 * 0.04 + 0.64 + 45.0 * 0.81 + 163.0 * 0.01) / 212.0;
    near(Measure::Brier, brier);
    near(Measure::BrierSkill, 1.0 - brier / (48.0 / 212.0 * (1.0 - 48.0 / 212.0)));
    near(Measure::Ece, (4.0 * (0.8_f64 - 0.75).abs() + 208.0 * (0.1_f64 - 45.0 / 208.0).abs()) / 212.0);
    let telling: Vec<usize> = scorer_stats.bins.iter().map(|b| b.incidents.len()).filter(|n| *n > 0).collect();
    assert_eq!(telling, [2, 1], "two incidents follow rows at 0.1, one follows rows at 0.8");
}

#[test]
fn a_cluster_drawn_twice_counts_twice_and_one_not_drawn_not_at_all() {
    let records = fleet();
    let units = Units::of(&records, 100 * HOUR_MS);
    let scorer_stats = ScorerStats::of(&records, &units, 0, None);
    // Clusters come in the order of their names: i-c, then web.
    let (calm, web) = ([1.0, 0.0], [0.0, 2.0]);
    assert!(scorer_stats.value(Measure::RecallAll, &calm).is_nan());
    assert!(scorer_stats.value(Measure::AveragePrecision, &calm).is_nan());
    assert!((scorer_stats.value(Measure::Brier, &calm) - 0.01).abs() < 1e-15);
    assert!((scorer_stats.value(Measure::RowPrecision, &web) - 0.75).abs() < 1e-15);
    let rows = 2.0 * (2.0 * 76.0 - 16.0);
    let expected = 6.0 / 96.0 * 0.75 + 90.0 / 96.0 * (96.0 / rows);
    assert!((scorer_stats.value(Measure::AveragePrecision, &web) - expected).abs() < 1e-12);
}

#[test]
fn what_was_never_there_is_not_called_nought_or_one() {
    let none = Counts { scored: 100, high: 5, episodes: 2, false_episodes: 2, ..Counts::default() };
    let meaning = |c: &Counts| Measure::ALL.map(|m| m.without_meaning(c));
    let said = meaning(&none);
    let with: Vec<Measure> = Measure::ALL.into_iter().zip(said).filter(|(_, w)| w.is_none()).map(|(m, _)| m).collect();
    assert_eq!(with, [Measure::FalseEpisodes, Measure::Brier, Measure::Ece], "a fleet without incidents");
    assert!(said.iter().flatten().all(|w| *w == "no incidents"));
    assert!(meaning(&Counts::default()).iter().all(|w| *w == Some("no row can be scored")));
    let quiet = Counts { scored: 100, followed: 10, incidents: 2, predictable: 2, ..Counts::default() };
    assert_eq!(Measure::RowPrecision.without_meaning(&quiet), Some("never high"));
    assert_eq!(Measure::RecallAll.without_meaning(&quiet), None, "none of two is nought");
    assert_eq!(Measure::LeadHours.without_meaning(&quiet), Some("none caught"));
}

#[test]
fn resampling_is_the_same_every_time_and_needs_two_clusters() {
    let records = fleet();
    let units = Units::of(&records, 100 * HOUR_MS);
    let scorer_stats = ScorerStats::of(&records, &units, 0, None);
    let brier = || units.intervals(1, |weights, out| out.push(scorer_stats.value(Measure::Brier, weights)));
    let (first, second) = (brier()[0].unwrap(), brier()[0].unwrap());
    assert_eq!(first, second);
    let (calm, web) = (0.01, scorer_stats.value(Measure::Brier, &[0.0, 1.0]));
    assert!((first.lo - calm).abs() < 1e-12 && (first.hi - web).abs() < 1e-12, "{first:?}");
    let mut alone = fleet();
    alone.instances.remove("i-c");
    let units = Units::of(&alone, 100 * HOUR_MS);
    assert_eq!(units.intervals(1, |_, out| out.push(1.0)), [None]);
}
