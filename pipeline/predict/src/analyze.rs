//! The batch analysis: seven days of history to a feature table, assessed and turned into predictions.

use crate::error::AnalyzeError;
use crate::evidence::{Evidence, Look, SampleCounts, Whose};
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_domain::signal::Signal;
use forewarn_history::{History, HistoryError};
use forewarn_rules::assess::{AssessError, Assessed};
use forewarn_rules::instance::SPARK;
use forewarn_rules::predict::Identity;
use forewarn_rules::prior::PriorFrom;
use forewarn_rules::remark::Remark;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

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
    pub samples: SampleCounts,
}

impl Look<'_> {
    /// Analyzes every instance of the history; `progress` is told how many buckets of how many are done.
    ///
    /// # Errors
    /// When the history does not read, or holds nothing in the seven days before the time.
    pub fn analyze(&self, progress: impl FnMut(u64, u64)) -> Result<Analysis, AnalyzeError> {
        self.analyze_of(Whose::Everybody, progress)
    }

    /// Analyzes a single instance, reading its bucket only.
    ///
    /// # Errors
    /// As [`Look::analyze`].
    pub fn analyze_one(&self, instance_id: &str) -> Result<Analysis, AnalyzeError> {
        self.analyze_of(Whose::Instance(instance_id), |_, _| {})
    }

    fn analyze_of(&self, whose: Whose<'_>, progress: impl FnMut(u64, u64)) -> Result<Analysis, AnalyzeError> {
        let evidence = self.gather(whose, progress)?;
        if evidence.rows.is_empty() {
            return Err(no_data(self.history, self.as_of, whose)?);
        }
        Ok(Analysis::of(evidence, self.as_of, self.ruleset, self.prior)?)
    }
}

/// Says that there is nothing to analyze, and what the history holds instead.
///
/// # Errors
/// When the history does not read.
pub fn no_data(history: &History, as_of: i64, whose: Whose<'_>) -> Result<AnalyzeError, HistoryError> {
    let held = format!("{} (--as-of latest stands at the end of the data)", history.held()?);
    let of = match whose {
        Whose::Instance(id) => format!(" of {id}"),
        Whose::Everybody | Whose::Shard(_) => String::new(),
    };
    Ok(AnalyzeError::NoData { of, as_of: forewarn_runtime::time::format_ms(as_of), held })
}

impl Analysis {
    /// Assesses evidence: from here on the whole fleet is looked at together.
    ///
    /// # Errors
    /// When the rules do not run on it.
    pub fn of(evidence: Evidence, as_of: i64, ruleset: &RuleSet, prior: &PriorFrom) -> Result<Self, AssessError> {
        let Evidence { rows, samples } = evidence;
        let mut table = FeatureTable::new();
        let (mut identities, mut sparks) = (Vec::new(), Vec::new());
        for (id, (row, identity)) in rows {
            table.push(&id, as_of, &row.values, &row.devices);
            table.remark(&row.remarks);
            identities.push(identity);
            sparks.push(row.sparks);
        }
        let fired = ruleset.fired(&table)?;
        prior.apply(ruleset, &mut table, &fired, as_of);
        let assessed = ruleset.assess_fired(&table, fired);
        Ok(Self { as_of, table, identities, sparks, assessed, samples })
    }

    /// Builds the predictions, most urgent first; without `all`, only of instances at risk or unassessable.
    pub fn predictions(&self, ruleset: &RuleSet, all: bool) -> Vec<Prediction> {
        self.predictions_of(&self.assessed, ruleset, all)
    }

    /// Builds the predictions of another assessment of the same evidence.
    pub fn predictions_of(&self, assessed: &Assessed, ruleset: &RuleSet, all: bool) -> Vec<Prediction> {
        let mut order: Vec<usize> =
            (0..self.table.len()).filter(|&r| all || assessed.level[r] != Level::None).collect();
        let p = |r: usize, k: usize| {
            let p = assessed.probability[k][r];
            if p.is_nan() { -1.0 } else { p }
        };
        // Of what nothing is known people hear before what is well.
        let rank = |r: usize| (assessed.level[r] == Level::None, Reverse(assessed.level[r]));
        order.sort_by(|&a, &b| {
            let urgency =
                p(b, 0).total_cmp(&p(a, 0)).then(p(b, 1).total_cmp(&p(a, 1))).then(p(b, 2).total_cmp(&p(a, 2)));
            rank(a).cmp(&rank(b)).then(urgency).then(a.cmp(&b))
        });
        order.into_iter().map(|r| ruleset.predict(&self.table, assessed, r, &self.identities[r])).collect()
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
    use crate::fleet::Fleet;
    use forewarn_domain::signal_map::SignalMap;
    use forewarn_history::import::{ImportOptions, import_files};
    use forewarn_runtime::threads::Threads;

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
        let prior = &PriorFrom::Evidence;
        let (ruleset, map, fleet, as_of, threads) = (&ruleset, &map, &fleet, T + HOUR, Threads::ONE);
        let samples = |history: &History, progress: &mut dyn FnMut(u64, u64)| {
            Look { history, ruleset, map, fleet, as_of, prior, threads }.analyze(progress).unwrap().samples.read
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
