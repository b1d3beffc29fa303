//! Measures each workload for itself, resampling its weeks.

use super::measure::{Counts, Measure};
use super::records::Records;
use super::report::Estimate;
use super::scorer_stats::ScorerStats;
use super::units::Units;
use serde::Serialize;
use std::collections::BTreeMap;

/// What predictions about one workload were worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkloadReport {
    /// The workload; an instance's id where it is a copy of nothing.
    pub workload: String,
    pub instances: usize,
    /// What the measures are made of.
    pub counts: Counts,
    /// Every measure by name.
    pub measures: BTreeMap<&'static str, Estimate>,
}

/// Measures every workload.
pub(super) fn by_workload(records: Records, data_end: i64, incidents_known: bool) -> Vec<WorkloadReport> {
    let Records { steps, times, instances } = records;
    let mut parts: BTreeMap<String, Records> = BTreeMap::new();
    for (id, instance) in instances {
        let workload = instance.workload.clone().unwrap_or_else(|| id.clone());
        let part = parts.entry(workload).or_insert_with(|| Records {
            steps,
            times: times.clone(),
            instances: BTreeMap::new(),
        });
        part.instances.insert(id, instance);
    }
    parts.into_iter().map(|(workload, part)| of(workload, &part, data_end, incidents_known)).collect()
}

fn of(workload: String, records: &Records, data_end: i64, incidents_known: bool) -> WorkloadReport {
    let units = Units::of(records, data_end);
    let scorer_stats = ScorerStats::of(records, &units, 0, None);
    let counts = scorer_stats.counts();
    let collect =
        |weights: &[f64], out: &mut Vec<f64>| out.extend(Measure::ALL.iter().map(|m| scorer_stats.value(*m, weights)));
    let mut values = Vec::new();
    collect(&units.as_seen(), &mut values);
    let intervals = if incidents_known { units.intervals(values.len(), collect) } else { vec![None; values.len()] };
    let measures = Measure::ALL.iter().zip(values.into_iter().zip(intervals)).map(|(m, (value, interval))| {
        let why = (!incidents_known).then_some("no incidents given").or_else(|| m.without_meaning(&counts));
        (m.name(), Estimate::of(value, interval.filter(|i| i.lo < i.hi), why))
    });
    WorkloadReport { measures: measures.collect(), workload, instances: records.instances.len(), counts }
}
