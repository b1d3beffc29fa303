//! The batch analysis: seven days of history to a feature table, assessed and turned into predictions.

use crate::fleet::Fleet;
use crate::gather::SeriesCollector;
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_domain::signal::{SIGNALS, Signal};
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, HistoryError, ScanOptions};
use forewarn_rules::assess::{AssessError, Assessed};
use forewarn_rules::grid::reach;
use forewarn_rules::instance::{RowBuilder, SPARK, SignalLevels};
use forewarn_rules::predict::Identity;
use forewarn_rules::remark::Remark;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How often a history that is pruned while it is read is read from the beginning.
const READ_AGAIN: usize = 5;

/// What was found at one time.
#[derive(Debug)]
pub struct Analysis {
    /// The time the analysis speaks for, milliseconds.
    pub as_of: i64,
    /// One row for each instance, in order of id.
    pub table: FeatureTable,
    /// Account, region and workload of each row.
    pub identities: Vec<Identity>,
    /// The last seven days of each row's signals in [`SPARK`] steps; NaN where nothing is known.
    pub sparks: Vec<BTreeMap<Signal, [f32; SPARK]>>,
    /// The assessment of each row.
    pub assessed: Assessed,
    /// Samples read.
    pub samples: u64,
    /// Samples of metrics that no signal reads, by name.
    pub unused: BTreeMap<String, u64>,
    /// Samples that their signal can't have, by the name of the metric.
    pub outside: BTreeMap<String, u64>,
}

/// Why an analysis could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The history does not read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The rules do not run on the table.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// There is nothing in the seven days before the time.
    #[error("no samples{of} in the 7 days before {as_of}: {held}")]
    NoData {
        /// The instance asked for, as in ` of i-1`; empty for all.
        of: String,
        /// The time asked for.
        as_of: String,
        /// What the history holds instead.
        held: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A file could not be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        why: String,
    },
}

impl AnalyzeError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::History(e) => e.is_bad_input(),
            Self::NoData { .. } => true,
            Self::Assess(_) | Self::Write { .. } | Self::Interrupted => false,
        }
    }
}

/// The levels that a rule set's parameters put in force.
pub fn signal_levels(ruleset: &RuleSet) -> SignalLevels {
    SIGNALS.each_ref().map(|spec| ruleset.signal_levels(spec.signal))
}

/// The availability delay of a history, milliseconds.
pub fn delay_ms(history: &History) -> i64 {
    i64::from(history.manifest().availability_delay_s) * 1000
}

/// Analyzes every instance of a history at `as_of`; `progress` is told the share done after each bucket.
///
/// # Errors
/// When the history does not read, or holds nothing in the seven days before `as_of`.
pub fn analyze(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    fleet: &Fleet,
    as_of: i64,
    progress: impl FnMut(u64, u64),
) -> Result<Analysis, AnalyzeError> {
    scan(history, ruleset, map, fleet, as_of, None, progress)
}

/// Analyzes a single instance, reading its bucket only.
///
/// # Errors
/// As [`analyze`].
pub fn analyze_one(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    fleet: &Fleet,
    as_of: i64,
    instance_id: &str,
) -> Result<Analysis, AnalyzeError> {
    scan(history, ruleset, map, fleet, as_of, Some(instance_id), |_, _| {})
}

/// Scans all buckets as of one moment: where days were pruned or a file went away meanwhile, all of them are read again.
fn scan(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    fleet: &Fleet,
    as_of: i64,
    only: Option<&str>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Analysis, AnalyzeError> {
    for _ in 0..READ_AGAIN {
        let kept_from = history.kept_from()?;
        match scan_once(history, ruleset, map, fleet, as_of, only, &mut progress) {
            Err(AnalyzeError::History(e)) if e.is_gone() => {}
            done if history.kept_from()? == kept_from => return done,
            Ok(_) | Err(_) => {}
        }
    }
    scan_once(history, ruleset, map, fleet, as_of, only, &mut progress)
}

fn scan_once(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    fleet: &Fleet,
    as_of: i64,
    only: Option<&str>,
    progress: &mut impl FnMut(u64, u64),
) -> Result<Analysis, AnalyzeError> {
    let from = reach(as_of);
    let mut builder = RowBuilder::new(signal_levels(ruleset), delay_ms(history)).with_sparks();
    let mut rows = BTreeMap::new();
    let [mut unused, mut outside] = [const { BTreeMap::<String, u64>::new() }; 2];
    let mut samples = 0;
    let buckets = only.map_or(0..history.buckets(), |id| history.bucket_of(id)..history.bucket_of(id) + 1);
    let all = buckets.len() as u64;
    for (done, bucket) in (1..).zip(buckets) {
        let mut gather = SeriesCollector::new(map, delay_ms(history), |g| {
            let attributes = fleet.attributes(g.instance_id);
            let row = builder.row(&builder.prepare(g.tracks, attributes, as_of, as_of), attributes, as_of);
            let identity = fleet.identity(g.instance_id, g.account, g.region);
            rows.insert(g.instance_id.to_owned(), (row, identity));
            Ok(())
        })
        .known_at(as_of);
        let options = ScanOptions { from_ms: Some(from), to_ms: Some(as_of), instance: only.map(str::to_owned) };
        history.scan_with(bucket, &options, &mut gather)?;
        samples += gather.samples;
        for (sum, part) in [(&mut unused, &mut gather.unused), (&mut outside, &mut gather.outside)] {
            for (name, n) in std::mem::take(part) {
                *sum.entry(name).or_default() += n;
            }
        }
        progress(done, all);
    }
    if rows.is_empty() {
        let held = format!("{} (--as-of latest stands at the end of the data)", history.held()?);
        let of = only.map(|id| format!(" of {id}")).unwrap_or_default();
        return Err(AnalyzeError::NoData { of, as_of: forewarn_runtime::time::format_ms(as_of), held });
    }
    let mut table = FeatureTable::new();
    let (mut identities, mut sparks) = (Vec::new(), Vec::new());
    for (id, (row, identity)) in rows {
        table.push(&id, as_of, &row.values, &row.devices);
        table.remark(&row.remarks);
        identities.push(identity);
        sparks.push(row.sparks);
    }
    let assessed = ruleset.assess(&table)?;
    Ok(Analysis { as_of, table, identities, sparks, assessed, samples, unused, outside })
}

impl Analysis {
    /// Builds the predictions, most urgent first; without `all`, only of instances at risk or unassessable.
    pub fn predictions(&self, ruleset: &RuleSet, all: bool) -> Vec<Prediction> {
        let mut order: Vec<usize> =
            (0..self.table.len()).filter(|&r| all || self.assessed.level[r] != Level::None).collect();
        let p = |r: usize, k: usize| {
            let p = self.assessed.probability[k][r];
            if p.is_nan() { -1.0 } else { p }
        };
        // Of what nothing is known people hear before what is well.
        let rank = |r: usize| (self.assessed.level[r] == Level::None, Reverse(self.assessed.level[r]));
        order.sort_by(|&a, &b| {
            let urgency =
                p(b, 0).total_cmp(&p(a, 0)).then(p(b, 1).total_cmp(&p(a, 1))).then(p(b, 2).total_cmp(&p(a, 2)));
            rank(a).cmp(&rank(b)).then(urgency).then(a.cmp(&b))
        });
        order.into_iter().map(|r| ruleset.predict(&self.table, &self.assessed, r, &self.identities[r])).collect()
    }

    /// Says which metrics are something else than their signal reads, and on how many instances.
    pub fn kept_out(&self) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        for remarks in &self.table.remarks {
            let of_one: BTreeSet<String> = remarks
                .iter()
                .filter_map(|remark| match remark {
                    Remark::KeptOut { metric, doubt, .. } => Some(format!("{metric} {}", doubt.words())),
                    Remark::Standing { .. } | Remark::Unlimited => None,
                })
                .collect();
            for words in of_one {
                *found.entry(words).or_default() += 1;
            }
        }
        found
    }

    /// Finds the row of an instance.
    pub fn row_of(&self, instance_id: &str) -> Option<usize> {
        self.table.instance_ids.binary_search_by(|id| id.as_str().cmp(instance_id)).ok()
    }

    /// Counts the instances at each level.
    pub fn counts(&self) -> BTreeMap<Level, usize> {
        let mut counts = BTreeMap::new();
        for level in &self.assessed.level {
            *counts.entry(*level).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_history::import::{ImportOptions, import_files};

    const HOUR: i64 = 3_600_000;
    /// 2026-02-15T00:00:00Z.
    const T: i64 = 1_771_113_600_000;

    #[test]
    fn an_analysis_that_a_pruning_overtakes_is_of_one_moment() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = "instance_id,metric,ts,value\n".to_owned();
        for i in 0..40 {
            rows.extend(
                (0..96).map(|h| format!("i-{i},mem_used_percent,{},{}\n", T - h * HOUR, 40 + (h * 7 + i) % 30)),
            );
        }
        let (file, location) = (dir.path().join("m.csv"), dir.path().join("h").display().to_string());
        std::fs::write(&file, rows).unwrap();
        let mut history = History::open_or_create(&location).unwrap();
        let options = ImportOptions { period_s: Some(3600), ..ImportOptions::at(T) };
        import_files(&mut history, &[file], &options, &mut |_| ()).unwrap();
        let ruleset = RuleSet::builtin(&|_| None).unwrap();
        let (map, fleet) = (SignalMap::new(BTreeMap::new()), Fleet::default());
        let samples = |history: &History, progress: &mut dyn FnMut(u64, u64)| {
            analyze(history, &ruleset, &map, &fleet, T + HOUR, progress).unwrap().samples
        };
        let before = samples(&history, &mut |_, _| ());
        let mut pruned = false;
        let overtaken = samples(&history, &mut |done, _| {
            if done == 3 && !std::mem::replace(&mut pruned, true) {
                History::open(&location).unwrap().writer().unwrap().prune(T - 48 * HOUR, T).unwrap();
            }
        });
        assert_eq!(overtaken, samples(&history, &mut |_, _| ()));
        assert!(overtaken < before);
    }
}
