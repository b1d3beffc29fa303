//! Tells whether scores and calibration of late are those of before.
//!
//! Scores: the population stability index of p24 over tenths of the earlier scores, sum of (r - e) ln(r / e) (Lewis, An Introduction to
//! Credit Scoring, 1992), with an interval from resampled workloads, as an instance's hours are far from independent. Calibration: what
//! happened less what was said, early and late, and how the two differ, on the draws of every other interval.

use super::ratio::Ratio;
use super::records::Records;
use super::report::Estimate;
use super::units::Units;
use forewarn_domain::time::HOUR_MS;
use forewarn_models::score::{Interval, draw_clusters, percentile_interval};
use forewarn_predict::truth::RowTruth;
use forewarn_runtime::time::format_ms;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// Late is the last week, or the last third of a shorter range.
const LATE_MS: i64 = 7 * 24 * HOUR_MS;
/// A range shorter than this is not parted.
const LEAST_MS: i64 = 3 * 24 * HOUR_MS;
const TENTHS: usize = 10;
/// A share that stands for none, so that the logarithm has a value.
const LEAST_SHARE: f64 = 1e-4;
/// From here on, as is usual, an index speaks of a shift.
const SHIFTED: f64 = 0.1;
/// From here on of a strong one.
const STRONGLY: f64 = 0.25;
const REPLICATES: usize = 200;
const SEED: u64 = 0x6472_6966_7421_0001;

/// Whether predictions of late are like those of before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Late begins here (RFC 3339).
    pub late_from: String,
    /// The stability index of p24.
    pub psi: Estimate,
    /// `stable`, `shifted`, `strongly shifted`, or `can't tell`.
    pub scores: &'static str,
    /// Calibration before.
    pub earlier: Period,
    /// Calibration of late.
    pub late: Period,
    /// The late gap less the earlier one.
    pub gap_change: Estimate,
    /// `no change can be told`, `too hopeful of late` or `too gloomy of late`.
    pub calibration: &'static str,
    /// The share of rows that speak of each failure type, earlier and late.
    pub failure_types: BTreeMap<&'static str, [f64; 2]>,
}

/// What was said and what happened in one part of the range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Period {
    /// Rows assessed.
    pub rows: u64,
    /// Those scored.
    pub scored: u64,
    /// The mean p24 of the scored rows.
    pub said: Option<f64>,
    /// The share of them that an incident follows.
    pub happened: Option<f64>,
    /// What happened less what was said.
    pub gap: Estimate,
}

/// Scores by workload, earlier and late.
type Scores<'a> = BTreeMap<&'a str, [Vec<f64>; 2]>;

/// Parts the range and compares; None where it is too short.
pub(super) fn drift(
    records: &Records,
    assessed: &BTreeMap<String, Vec<bool>>,
    data_end: i64,
    incidents_known: bool,
) -> Option<Drift> {
    let span = records.steps.to - records.steps.from;
    if span < LEAST_MS {
        return None;
    }
    let late_from = records.steps.to - LATE_MS.min(span / 3);
    let units = Units::of(records, data_end);
    let mut scores = Scores::new();
    let mut gaps = [Ratio::new(units.clusters), Ratio::new(units.clusters)];
    let mut counts = [[0_u64; 2]; 2];
    let mut said = [0.0; 2];
    let mut kinds: BTreeMap<&'static str, [f64; 2]> = BTreeMap::new();
    for (at, (id, instance)) in records.instances.iter().enumerate() {
        let (Some(verdict), Some(assessed)) = (instance.verdicts.first(), assessed.get(id)) else { continue };
        let held = scores.entry(instance.workload.as_deref().unwrap_or(id)).or_default();
        for step in (0..records.times.len()).filter(|step| assessed[*step]) {
            let part = usize::from(records.times[step] >= late_from);
            held[part].push(verdict.p[step]);
            counts[part][0] += 1;
            if let Some(kind) = instance.kind[step] {
                kinds.entry(kind.name()).or_default()[part] += 1.0;
            }
            let happened = match instance.truth[step] {
                RowTruth::Followed => 1.0,
                RowTruth::Quiet => 0.0,
                RowTruth::Censored(_) => continue,
            };
            counts[part][1] += 1;
            said[part] += verdict.p[step];
            gaps[part].add(units.row(at, step), happened - verdict.p[step], 1.0);
        }
    }
    for shares in kinds.values_mut() {
        for part in 0..2 {
            shares[part] /= (counts[part][0] as f64).max(1.0);
        }
    }
    let (psi, called) = stability(&scores);
    let collect = |weights: &[f64], out: &mut Vec<f64>| {
        let [earlier, late] = [gaps[0].at(weights), gaps[1].at(weights)];
        out.extend([earlier, late, late - earlier]);
    };
    let mut values = Vec::new();
    collect(&units.as_seen(), &mut values);
    let intervals = units.intervals(3, collect);
    let why = (!incidents_known).then_some("no incidents given");
    let gap = |k: usize| {
        let nothing = (!values[k].is_finite()).then_some("no row can be scored");
        Estimate::of(values[k], intervals[k].filter(|i| i.lo < i.hi), why.or(nothing))
    };
    let period = |part: usize| {
        let [rows, scored] = counts[part];
        let known = incidents_known && scored > 0;
        let mean = known.then(|| said[part] / scored as f64);
        let gap = gap(part);
        Period { rows, scored, said: mean, happened: mean.zip(gap.value).map(|(said, gap)| said + gap), gap }
    };
    let gap_change = gap(2);
    Some(Drift {
        late_from: format_ms(late_from),
        psi,
        scores: called,
        earlier: period(0),
        late: period(1),
        calibration: match (gap_change.lo, gap_change.hi) {
            (Some(lo), _) if lo > 0.0 => "too hopeful of late",
            (_, Some(hi)) if hi < 0.0 => "too gloomy of late",
            _ => "no change can be told",
        },
        gap_change,
        failure_types: kinds,
    })
}

/// The stability index of late scores against earlier ones, and what it is called.
fn stability(scores: &Scores<'_>) -> (Estimate, &'static str) {
    let mut earlier: Vec<f64> = scores.values().flat_map(|s| &s[0]).copied().collect();
    let late = scores.values().map(|s| s[1].len()).sum::<usize>();
    if earlier.is_empty() || late == 0 {
        return (Estimate::without_meaning("nothing was assessed in one of the parts"), "can't tell");
    }
    earlier.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..TENTHS).map(|k| earlier[k * earlier.len() / TENTHS]).collect();
    edges.dedup();
    let counts: Vec<[Vec<f64>; 2]> = scores
        .values()
        .map(|parts| {
            let count = |scores: &Vec<f64>| {
                let mut bins = vec![0.0; edges.len() + 1];
                for p in scores {
                    bins[edges.partition_point(|e| e <= p)] += 1.0;
                }
                bins
            };
            [count(&parts[0]), count(&parts[1])]
        })
        .collect();
    let value = index(&counts, &vec![1; counts.len()]);
    let interval = resampled(&counts);
    let called = match (value, interval) {
        (_, Some(i)) if i.lo >= STRONGLY => "strongly shifted",
        (_, Some(i)) if i.lo >= SHIFTED => "shifted",
        (v, _) if v < SHIFTED => "stable",
        _ => "can't tell",
    };
    (Estimate::of(value, interval, None), called)
}

fn index(counts: &[[Vec<f64>; 2]], weights: &[u32]) -> f64 {
    let bins = counts.first().map_or(0, |c| c[0].len());
    let sum = |part: usize, bin: usize| -> f64 {
        counts.iter().zip(weights).map(|(c, w)| f64::from(*w) * c[part][bin]).sum()
    };
    let all = [0, 1].map(|part| (0..bins).map(|bin| sum(part, bin)).sum::<f64>());
    if all.contains(&0.0) {
        return f64::NAN;
    }
    (0..bins)
        .map(|bin| {
            let [e, r] = [0, 1].map(|part| (sum(part, bin) / all[part]).max(LEAST_SHARE));
            (r - e) * (r / e).ln()
        })
        .sum()
}

fn resampled(counts: &[[Vec<f64>; 2]]) -> Option<Interval> {
    if counts.len() < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut drawn = vec![0_u32; counts.len()];
    let mut values: Vec<f64> = (0..REPLICATES)
        .map(|_| {
            draw_clusters(&mut drawn, &mut || rng.next_u64());
            index(counts, &drawn)
        })
        .collect();
    percentile_interval(&mut values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(workloads: usize, late: impl Fn(usize) -> f64) -> (Estimate, &'static str) {
        let names: Vec<String> = (0..workloads).map(|w| format!("w{w}")).collect();
        let score = |i: usize| i as f64 / 200.0;
        let parts = names.iter().map(|n| (n.as_str(), [(0..100).map(score).collect(), (0..100).map(&late).collect()]));
        stability(&parts.collect())
    }

    #[test]
    fn the_same_scores_are_stable_and_others_are_not() {
        let (psi, called) = scores(4, |i| i as f64 / 200.0);
        assert!(psi.value.unwrap().abs() < 1e-12 && called == "stable", "{psi:?}");
        let (psi, called) = scores(4, |i| i as f64 / 200.0 + 0.3);
        assert!(psi.value.unwrap() > 1.0 && called == "strongly shifted", "{psi:?}");
        let (psi, called) = scores(1, |i| i as f64 / 200.0 + 0.3);
        assert!(psi.lo.is_none() && called == "can't tell", "a single workload tells nothing: {psi:?}");
    }

    #[test]
    fn the_index_is_what_its_formula_says() {
        // Two bins: 50/50 before, 80/20 of late.
        let counts = [[vec![50.0, 50.0], vec![80.0, 20.0]]];
        let expected = 0.3 * (0.8_f64 / 0.5).ln() - 0.3 * (0.2_f64 / 0.5).ln();
        assert!((index(&counts, &[1]) - expected).abs() < 1e-12);
    }
}
