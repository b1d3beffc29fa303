//! Makes the report of what was recorded: every measure once over the fleet as it was, and over a thousand resampled ones.

use super::compare::difference;
use super::measure::Measure;
use super::ratio::Ratio;
use super::records::{Instance, Records, ahead};
use super::report::{
    CalibrationFit, CauseReport, CurvePoint, Difference, Estimate, FailureTypeReport, Leads, ReliabilityRow,
    Resampling, Scorer,
};
use super::scorer_stats::ScorerStats;
use super::units::{REPLICATES, Units};
use forewarn_domain::prediction::FailureType;
use forewarn_domain::time::HOUR_MS;
use forewarn_models::score::{CALIBRATION_BINS, Interval};
use forewarn_models::stats::quantile;
use std::collections::{BTreeMap, BTreeSet};

/// Points of a precision-recall curve, beside the last.
const CURVE_POINTS: usize = 100;
/// The measures that mean something over a part of the rows.
const OF_ROWS: [Measure; 7] = [
    Measure::RowPrecision,
    Measure::EpisodePrecision,
    Measure::FalseEpisodes,
    Measure::AveragePrecision,
    Measure::Brier,
    Measure::BrierSkill,
    Measure::Ece,
];

/// A scorer's name, and whether it is `ruleset`, `against` or `baseline`.
pub(super) type Named = (String, &'static str);

/// Everything that resampling touches.
pub(super) struct Assembled {
    pub(super) scorers: Vec<Scorer>,
    pub(super) by_failure_type: Vec<FailureTypeReport>,
    pub(super) by_cause: Vec<CauseReport>,
    pub(super) difference: Option<Difference>,
    pub(super) resampling: Resampling,
}

/// Measures everything. Without known incidents nothing has a meaning.
pub(super) fn assemble(records: &Records, units: &Units, names: &[Named], incidents_known: bool) -> Assembled {
    let stands: Vec<ScorerStats> =
        (0..names.len()).map(|scorer| ScorerStats::of(records, units, scorer, None)).collect();
    let kinds = kinds(records, units);
    let causes = causes(records, units);
    let seen = units.as_seen();
    let collect = |weights: &[f64], out: &mut Vec<f64>| {
        for scorer_stats in &stands {
            out.extend(Measure::ALL.iter().map(|m| scorer_stats.value(*m, weights)));
            out.extend(scorer_stats.bins.iter().map(|bin| bin.happened.at(weights)));
        }
        for kind in &kinds {
            out.extend(OF_ROWS.iter().map(|m| kind.scorer_stats.value(*m, weights)));
        }
        for cause in &causes {
            out.extend([cause.all.at(weights), cause.predictable.at(weights)]);
        }
        if names.get(1).is_some_and(|n| n.1 == "against") {
            out.extend(Measure::ALL.iter().map(|m| stands[1].value(*m, weights) - stands[0].value(*m, weights)));
        }
    };
    let mut values = Vec::new();
    collect(&seen, &mut values);
    let intervals = if incidents_known { units.intervals(values.len(), collect) } else { vec![None; values.len()] };
    let mut found = Found { values: values.into_iter(), intervals: intervals.into_iter() };

    let not_known = (!incidents_known).then_some("no incidents given");
    let mut scorers = Vec::new();
    for ((name, kind), scorer_stats) in names.iter().zip(&stands) {
        let counts = scorer_stats.counts();
        let why = |m: &Measure| not_known.or_else(|| m.without_meaning(&counts));
        let measures = Measure::ALL.iter().map(|m| (m.name(), found.next(why(m)))).collect();
        let known = incidents_known && counts.scored > 0;
        let meant = known && counts.followed > 0;
        scorers.push(Scorer {
            name: name.clone(),
            kind,
            counts,
            measures,
            lead_hours: Leads::of(|q| scorer_stats.lead(q, &seen), meant),
            calibration: scorer_stats
                .line()
                .filter(|_| meant)
                .map(|l| CalibrationFit { slope: l.slope, intercept: l.intercept }),
            pr_curve: if meant { curve(scorer_stats) } else { Vec::new() },
            reliability: reliability(scorer_stats, &seen, &mut found, known),
        });
    }
    let by_failure_type = kinds
        .into_iter()
        .map(|kind| {
            let counts = kind.scorer_stats.counts();
            let why = |m: &Measure| not_known.or_else(|| m.without_meaning(&counts));
            FailureTypeReport {
                failure_type: kind.kind.map_or("none", FailureType::name),
                counts,
                measures: OF_ROWS.iter().map(|m| (m.name(), found.next(why(m)))).collect(),
                incidents_warned: kind.leads.len(),
                lead_hours: Leads::of_hours(&kind.leads),
            }
        })
        .collect();
    let by_cause = causes
        .into_iter()
        .map(|c| CauseReport {
            recall_all: found.next(None),
            recall_predictable: found.next((c.n_predictable == 0).then_some("no predictable incidents")),
            lead_hours: Leads::of_hours(&c.leads),
            cause: c.cause,
            incidents: c.incidents,
            predictable: c.n_predictable,
        })
        .collect();
    let difference = names.get(1).filter(|n| n.1 == "against").map(|b| {
        let meaning = |m: &Measure| {
            let of = |scorer: usize| m.without_meaning(&stands[scorer].counts());
            not_known.or_else(|| of(0)).or_else(|| of(1))
        };
        let estimates = Measure::ALL.iter().map(|m| (*m, found.next_difference(meaning(m)))).collect();
        difference(&names[0].0, &b.0, estimates)
    });
    let resampling = Resampling { clusters: units.clusters, replicates: REPLICATES, level: 0.95 };
    Assembled { scorers, by_failure_type, by_cause, difference, resampling }
}

/// Values and intervals in the order in which they were collected.
struct Found<V, I> {
    values: V,
    intervals: I,
}

impl<V: Iterator<Item = f64>, I: Iterator<Item = Option<Interval>>> Found<V, I> {
    /// The next estimate; `why` says that it has no meaning. Where no resampled fleet gives another value (one incident of one,
    /// caught) resampling tells nothing, and an interval without a width would claim certainty.
    fn next(&mut self, why: Option<&'static str>) -> Estimate {
        self.estimate(why, |interval| interval.lo < interval.hi)
    }

    /// The next estimate of a difference: that two rule sets never differ is an answer.
    fn next_difference(&mut self, why: Option<&'static str>) -> Estimate {
        self.estimate(why, |_| true)
    }

    fn estimate(&mut self, why: Option<&'static str>, telling: impl Fn(&Interval) -> bool) -> Estimate {
        let (value, interval) = (self.values.next(), self.intervals.next().flatten().filter(telling));
        match (why, value.filter(|v| v.is_finite())) {
            (Some(why), _) => Estimate::without_meaning(why),
            (None, None) => Estimate::without_meaning("nothing to count"),
            (None, value) => {
                Estimate { value, lo: interval.map(|i| i.lo), hi: interval.map(|i| i.hi), no_meaning: None }
            }
        }
    }
}

impl Leads {
    fn of(q: impl Fn(f64) -> f64, meant: bool) -> Self {
        let at = |share: f64| Some(q(share)).filter(|v| meant && v.is_finite());
        Self { q10: at(0.1), q50: at(0.5), q90: at(0.9) }
    }

    fn of_hours(hours: &[f64]) -> Self {
        Self::of(|q| quantile(&mut hours.to_vec(), q).unwrap_or(f64::NAN), true)
    }
}

fn curve(scorer_stats: &ScorerStats) -> Vec<CurvePoint> {
    let points = scorer_stats.curve(CURVE_POINTS).into_iter();
    points.map(|p| CurvePoint { threshold: p.threshold, precision: p.precision, recall: p.recall }).collect()
}

fn reliability<V: Iterator<Item = f64>, I: Iterator<Item = Option<Interval>>>(
    scorer_stats: &ScorerStats,
    seen: &[f64],
    found: &mut Found<V, I>,
    known: bool,
) -> Vec<ReliabilityRow> {
    let mut rows = Vec::new();
    for (k, bin) in scorer_stats.bins.iter().enumerate() {
        let happened = found.next(None);
        let n = bin.said.sums(seen).1;
        if known && n > 0.0 {
            rows.push(ReliabilityRow {
                from: k as f64 / CALIBRATION_BINS as f64,
                to: (k + 1) as f64 / CALIBRATION_BINS as f64,
                rows: n as u64,
                incidents: bin.incidents.len(),
                said: bin.said.at(seen),
                happened,
            });
        }
    }
    rows
}

/// The rows of one failure type.
struct OfKind {
    kind: Option<FailureType>,
    scorer_stats: ScorerStats,
    leads: Vec<f64>,
}

fn kinds(records: &Records, units: &Units) -> Vec<OfKind> {
    let all: BTreeSet<_> = records.instances.values().flat_map(|i| &i.kind).copied().collect();
    let mut found: Vec<OfKind> = all
        .into_iter()
        .map(|kind| {
            let only = |instance: &Instance, step: usize| instance.kind[step] == kind;
            OfKind { kind, scorer_stats: ScorerStats::of(records, units, 0, Some(&only)), leads: Vec::new() }
        })
        .collect();
    for (at, instance) in records.instances.values().enumerate() {
        for incident in units.counted(records.steps, at, instance) {
            if let Some(step) = first_warning(records, instance, incident.ts)
                && let Some(held) = found.iter_mut().find(|k| k.kind == instance.kind[step])
            {
                held.leads.push((incident.ts - records.time(step)) as f64 / HOUR_MS as f64);
            }
        }
    }
    found
}

fn first_warning(records: &Records, instance: &Instance, ts: i64) -> Option<usize> {
    let verdict = instance.verdicts.first()?;
    ahead(&records.times, ts).find(|step| verdict.high[*step])
}

/// The incidents of one cause.
struct OfCause {
    cause: String,
    incidents: usize,
    n_predictable: usize,
    all: Ratio,
    predictable: Ratio,
    leads: Vec<f64>,
}

fn causes(records: &Records, units: &Units) -> Vec<OfCause> {
    let mut found: BTreeMap<String, OfCause> = BTreeMap::new();
    for (at, instance) in records.instances.values().enumerate() {
        for incident in units.counted(records.steps, at, instance) {
            let cause = instance.incidents[incident.index].cause.clone().unwrap_or_else(|| "not said".to_owned());
            let held = found.entry(cause.clone()).or_insert_with(|| OfCause {
                cause,
                incidents: 0,
                n_predictable: 0,
                all: Ratio::new(units.clusters),
                predictable: Ratio::new(units.clusters),
                leads: Vec::new(),
            });
            let warned = first_warning(records, instance, incident.ts);
            held.incidents += 1;
            held.all.case(incident.cluster, warned.is_some());
            if incident.predictable {
                held.n_predictable += 1;
                held.predictable.case(incident.cluster, warned.is_some());
            }
            held.leads.extend(warned.map(|step| (incident.ts - records.time(step)) as f64 / HOUR_MS as f64));
        }
    }
    found.into_values().collect()
}
