//! What is resampled: clusters of rows, one for each workload and week. Rows of one workload fail together, and so do an
//! instance's rows of one week; taken for independent they would make every interval far too narrow.

use super::incidents::Place;
use super::records::{Instance, Records};
use crate::replay::Steps;
use forewarn_domain::time::HOUR_MS;
use forewarn_models::score::{Interval, draw_clusters, percentile_interval};
use forewarn_predict::truth::RowTruth;
use forewarn_rules::truth::Incident;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// How often the fleet is resampled.
pub(super) const REPLICATES: usize = 1000;
/// The draws are the same in every run, so that the same input gives the same bytes.
const SEED: u64 = 0x666f_7265_7761_726e;
const WEEK_MS: i64 = 7 * 24 * HOUR_MS;
const UNUSED: u32 = u32::MAX;

/// Says which cluster a row or an incident belongs to.
#[derive(Debug)]
pub(super) struct Units {
    /// Number of clusters that hold anything.
    pub(super) clusters: usize,
    /// Instance-weeks that one row stands for.
    pub(super) weeks_a_row: f64,
    /// Until when incidents count.
    data_end: i64,
    weeks: usize,
    week_of_step: Vec<u32>,
    /// Cluster by workload of each instance and week.
    of: Vec<Vec<u32>>,
}

/// An incident that could have been warned of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) ts: i64,
    pub(super) cluster: u32,
    pub(super) predictable: bool,
    /// Its place among the instance's incidents.
    pub(super) index: usize,
}

impl Units {
    pub(super) fn of(records: &Records, data_end: i64) -> Self {
        let steps = records.steps;
        let week = |ts: i64| (ts - steps.from).max(0).div_euclid(WEEK_MS) as usize;
        let weeks = week(steps.to - 1) + 1;
        let week_of_step: Vec<u32> = records.times.iter().map(|t| week(*t) as u32).collect();
        let mut used: BTreeMap<(&str, usize), u32> = BTreeMap::new();
        for (id, instance) in &records.instances {
            let workload = instance.workload.as_deref().unwrap_or(id);
            for (truth, week) in instance.truth.iter().zip(&week_of_step) {
                if !matches!(truth, RowTruth::Censored(_)) {
                    used.insert((workload, *week as usize), UNUSED);
                }
            }
            for i in instance.incidents.iter().filter(|i| Place::of(i.ts, steps, data_end) == Place::Counted) {
                used.insert((workload, week(i.ts).min(weeks - 1)), UNUSED);
            }
        }
        for (n, cluster) in used.values_mut().enumerate() {
            *cluster = n as u32;
        }
        let clusters_of = |(id, instance): (&String, &Instance)| {
            let workload = instance.workload.as_deref().unwrap_or(id);
            (0..weeks).map(|week| used.get(&(workload, week)).copied().unwrap_or(UNUSED)).collect()
        };
        Self {
            clusters: used.len(),
            weeks_a_row: steps.step as f64 / WEEK_MS as f64,
            data_end,
            weeks,
            week_of_step,
            of: records.instances.iter().map(clusters_of).collect(),
        }
    }

    /// The cluster of a scored row.
    pub(super) fn row(&self, instance: usize, step: usize) -> u32 {
        self.of[instance][self.week_of_step[step] as usize]
    }

    /// The incidents of an instance that could have been warned of.
    pub(super) fn counted(&self, steps: Steps, at: usize, instance: &Instance) -> Vec<Counted> {
        let of = |(index, i): (usize, &Incident)| {
            let week = ((i.ts - steps.from).div_euclid(WEEK_MS).max(0) as usize).min(self.weeks - 1);
            (Place::of(i.ts, steps, self.data_end) == Place::Counted).then(|| Counted {
                ts: i.ts,
                cluster: self.of[at][week],
                predictable: i.predictable.unwrap_or(true),
                index,
            })
        };
        instance.incidents.iter().enumerate().filter_map(of).collect()
    }

    /// The place of the first incident after a time among the instance's.
    #[expect(clippy::unused_self, reason = "asked beside the other questions about incidents")]
    pub(super) fn next_incident(&self, instance: &Instance, as_of: i64) -> Option<u32> {
        let next = instance.incidents.partition_point(|i| i.ts <= as_of);
        (next < instance.incidents.len()).then_some(next as u32)
    }

    /// Every cluster once: the fleet as it was.
    pub(super) fn as_seen(&self) -> Vec<f64> {
        vec![1.0; self.clusters]
    }

    /// Resamples the fleet and gives the interval of each statistic that `values` computes; None where it has no meaning or
    /// there are not two clusters to tell apart.
    pub(super) fn intervals(
        &self,
        statistics: usize,
        mut values: impl FnMut(&[f64], &mut Vec<f64>),
    ) -> Vec<Option<Interval>> {
        if self.clusters < 2 {
            return vec![None; statistics];
        }
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut drawn = vec![0_u32; self.clusters];
        let mut replicates = vec![Vec::with_capacity(REPLICATES); statistics];
        let mut found = Vec::with_capacity(statistics);
        for _ in 0..REPLICATES {
            draw_clusters(&mut drawn, &mut || rng.next_u64());
            let weights: Vec<f64> = drawn.iter().map(|n| f64::from(*n)).collect();
            found.clear();
            values(&weights, &mut found);
            for (held, value) in replicates.iter_mut().zip(&found) {
                held.push(*value);
            }
        }
        replicates.iter_mut().map(percentile_interval).collect()
    }
}
