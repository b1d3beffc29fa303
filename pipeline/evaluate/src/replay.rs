//! Replays a range of time: the features of every instance at every step, point in time, in one pass over the history.

use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_predict::analyze::{AnalyzeError, delay_ms, signal_levels};
use forewarn_predict::fleet::Fleet;
use forewarn_predict::gather::SeriesCollector;
use forewarn_rules::grid::reach;
use forewarn_rules::instance::RowBuilder;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::series::Series;
use forewarn_rules::table::FeatureTable;

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
}

/// Replays every instance that has a sample within the range or the eight days before it; `each` gets one instance's table at a
/// time, in no particular order of instances, with its workload and the tracks that the table was made from.
///
/// # Errors
/// When the history does not read, or `each` fails.
pub fn replay(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    fleet: &Fleet,
    steps: Steps,
    mut each: impl FnMut(&FeatureTable, Option<&str>, &[(Series, bool)]) -> Result<(), AnalyzeError>,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), AnalyzeError> {
    let mut builder = RowBuilder::new(signal_levels(ruleset), delay_ms(history));
    let first = reach(steps.from);
    let buckets = u64::from(history.buckets());
    for bucket in 0..history.buckets() {
        let mut gather = SeriesCollector::new(map, delay_ms(history), |g| {
            let mut table = FeatureTable::new();
            for (attributes, times) in fleet.stretches(g.instance_id, steps.times()) {
                let (Some(&first), Some(&last)) = (times.first(), times.last()) else { continue };
                let prepared = builder.prepare(g.tracks, &attributes, first, last);
                for as_of in times {
                    let row = builder.row(&prepared, &attributes, as_of);
                    table.push(g.instance_id, as_of, &row.values, &row.devices);
                }
            }
            let identity = fleet.identity(g.instance_id, g.account, g.region);
            Ok(each(&table, identity.workload.as_deref(), g.tracks)?)
        });
        history.scan(bucket, first, steps.to, &mut gather)?;
        progress(u64::from(bucket) + 1, buckets);
    }
    Ok(())
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
