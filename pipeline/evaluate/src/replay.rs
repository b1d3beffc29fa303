//! Replays a range of time: the features of every instance at every step, point in time, in one pass over the history.

use forewarn_domain::prior::Prior;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_predict::error::AnalyzeError;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::gather::SeriesCollector;
use forewarn_rules::features::FeatureSettings;
use forewarn_rules::grid::reach;
use forewarn_rules::instance::RowBuilder;
use forewarn_rules::series::Series;
use forewarn_rules::table::FeatureTable;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::threads::Threads;

/// The times at which a replay stops and looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first time, milliseconds.
    pub from: i64,
    /// The end of the range, itself not looked at, milliseconds.
    pub to: i64,
    /// Between two looks, milliseconds.
    pub step: i64,
}

impl Steps {
    /// Gives the times, in order.
    pub fn times(self) -> impl Iterator<Item = i64> {
        let n = (self.to - self.from + self.step - 1).max(0) / self.step.max(1);
        (0..n).map(move |i| self.from + i * self.step)
    }

    /// Gives the number of the step at one of the times.
    pub fn index(self, time: i64) -> usize {
        usize::try_from((time - self.from) / self.step.max(1)).unwrap_or(usize::MAX)
    }
}

/// What is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    pub history: &'a History,
    /// The levels that features go by, and which of them are wanted.
    pub features: &'a FeatureSettings,
    /// Which metrics feed which signals.
    pub map: &'a SignalMap,
    /// What was known of instances beside their metrics.
    pub fleet: &'a Fleet,
    pub steps: Steps,
    /// How often the fleet fails, at each step; empty where the rule set says it.
    pub priors: &'a [Prior],
    /// How many buckets are replayed at a time.
    pub threads: Threads,
    /// Ends it early.
    pub interrupt: &'a Interrupt,
}

/// One instance at every step.
#[derive(Debug)]
pub struct Replayed<'a> {
    /// A row for each step at which there was something to see.
    pub table: &'a FeatureTable,
    pub workload: Option<&'a str>,
    /// The series that the table was made from.
    pub tracks: &'a [(Series, bool)],
}

impl Replay<'_> {
    /// Replays every instance that has a sample within the range or the eight days before it. Each bucket begins with a `B` of its own, to
    /// which `see` adds one instance after the other; `take` gets the buckets in order, so that the number of threads never shows.
    ///
    /// # Errors
    /// When the history does not read, `see` or `take` fails, or somebody interrupts.
    pub fn run<B: Default + Send>(
        &self,
        see: impl Fn(&mut B, &Replayed<'_>) -> Result<(), AnalyzeError> + Sync,
        mut take: impl FnMut(B) -> Result<(), AnalyzeError>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), AnalyzeError> {
        let buckets = self.history.buckets();
        let of_bucket = |bucket: usize| {
            let mut seen = B::default();
            self.bucket(bucket as u16, |replayed| see(&mut seen, replayed))?;
            Ok(seen)
        };
        self.threads.in_order(usize::from(buckets), of_bucket, |bucket, seen| {
            take(seen)?;
            progress(bucket as u64 + 1, u64::from(buckets));
            Ok(())
        })
    }

    fn bucket(
        &self,
        bucket: u16,
        mut see: impl FnMut(&Replayed<'_>) -> Result<(), AnalyzeError>,
    ) -> Result<(), AnalyzeError> {
        let Self { history, features, map, fleet, steps, priors, interrupt, .. } = *self;
        let mut builder = RowBuilder::new(features.clone(), history.delay_ms());
        let mut gather = SeriesCollector::new(map, history.delay_ms(), |g| {
            if interrupt.is_raised() {
                return Err(AnalyzeError::Interrupted.into());
            }
            let mut table = FeatureTable::new();
            for (attributes, times) in fleet.stretches(g.instance_id, steps.times()) {
                let (Some(&first), Some(&last)) = (times.first(), times.last()) else { continue };
                let prepared = builder.prepare(g.tracks, &attributes, first, last);
                for as_of in times {
                    let row = builder.row(&prepared, &attributes, as_of);
                    table.push(g.instance_id, as_of, &row.values, &row.devices);
                    if let Some(prior) = priors.get(steps.index(as_of)) {
                        table.set_rate(prior.incidents_per_instance_month);
                    }
                }
            }
            let identity = fleet.identity(g.instance_id, g.account, g.region);
            Ok(see(&Replayed { table: &table, workload: identity.workload.as_deref(), tracks: g.tracks })?)
        });
        Ok(history.scan(bucket, reach(steps.from), steps.to, &mut gather)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_range_is_not_looked_at() {
        let times = |from, to, step| Steps { from, to, step }.times().collect::<Vec<_>>();
        assert_eq!(times(0, 3, 1), [0, 1, 2]);
        assert_eq!(times(0, 3, 2), [0, 2]);
        assert!(times(3, 3, 1).is_empty());
    }
}
