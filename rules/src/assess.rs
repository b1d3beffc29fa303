//! Assesses rows of a feature table: evidence, hazards, probabilities and level of each.

mod score;

pub(crate) use score::passage_log_odds;
pub use score::{Score, Win};

use crate::feature::{Feature, INSTANCE_COLUMNS, index, instance_index};
use crate::hazard::{HAZARDS, PerHazard, probabilities, sigmoid};
use crate::predicate::{Predicate, evaluate};
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::prediction::{Action, FailureType, Level, Unassessable};
use forewarn_domain::signal::Signal;
use polars::prelude::PolarsError;

/// What a rule set says about each row of a feature table, column by column.
#[derive(Debug, Clone, Default)]
pub struct Assessed {
    /// Log-odds of each hazard before calibration: prior, first passage and groups.
    pub log_odds: [Vec<f64>; HAZARDS],
    /// Each hazard: the probability of an incident in its span given none before; NaN where unassessable.
    pub hazards: [Vec<f64>; HAZARDS],
    /// Probabilities within 24, 72 and 168 hours; NaN where unassessable.
    pub probability: [Vec<f64>; HAZARDS],
    /// The level.
    pub level: Vec<Level>,
    /// Why too little is known. Set beside another level than unassessable when a hard rule speaks for itself.
    pub reason: Vec<Option<Unassessable>>,
    /// The failure that most evidence speaks of; None without evidence.
    pub failure_type: Vec<Option<FailureType>>,
    /// What to do about it; None without evidence.
    pub action: Vec<Option<Action>>,
    /// For each rule the rows in which it fires.
    pub fired: Vec<Vec<bool>>,
}

/// Says why a table can't be assessed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// Columns differ in length or number.
    #[error("feature column {column} has {found} values where the table has {rows} rows; fill tables with `push`")]
    Shape {
        /// The column's index.
        column: usize,
        /// Its length.
        found: usize,
        /// The number of rows.
        rows: usize,
    },
    /// There is no such row.
    #[error("row {row} was asked for, but the table has {rows}")]
    Row {
        /// The row asked for.
        row: usize,
        /// The number of rows.
        rows: usize,
    },
    /// Polars refused to run the predicates.
    #[error("Polars could not evaluate the predicates of the rule set")]
    Polars(#[from] PolarsError),
}

impl Assessed {
    /// Gives the probabilities of a row within 24, 72 and 168 hours; NaN where unassessable.
    pub fn probabilities(&self, row: usize) -> PerHazard {
        [0, 1, 2].map(|k| self.probability[k][row])
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.level.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.level.is_empty()
    }
}

impl RuleSet {
    /// Assesses every row of `table`; a row's result depends on that row alone.
    ///
    /// # Errors
    /// When the table's columns differ in length, or Polars fails.
    pub fn assess(&self, table: &FeatureTable) -> Result<Assessed, AssessError> {
        check_shape(table)?;
        Ok(self.assess_fired(table, self.fired(table)?))
    }

    /// Assesses every row of `table`, of which it is known which rules fire ([`RuleSet::fired`]).
    pub fn assess_fired(&self, table: &FeatureTable, fired: Vec<Vec<bool>>) -> Assessed {
        let rows = table.len();
        let mut out = Assessed { fired, ..Assessed::default() };
        for k in 0..HAZARDS {
            out.log_odds[k].reserve(rows);
            out.hazards[k].reserve(rows);
            out.probability[k].reserve(rows);
        }
        let mut score = Score::default();
        for row in 0..rows {
            self.score(table, &out.fired, row, &mut score);
            let calibrated = self.calibrate(&score.prior, &score.log_odds);
            let p = probabilities(&calibrated);
            let reason = self.unassessable(table, row);
            // An agent that fell silent has said something before, and what the hypervisor says is heard.
            let heard =
                reason.is_none_or(|reason| self.agent_fell_silent(table, row, reason)) || self.hard_evidence(&score);
            let level = if heard { self.levels.of(&p) } else { Level::Unassessable };
            // What doesn't even make a level leaves the instance as unknown as it was.
            let level = if reason.is_some() && level == Level::None { Level::Unassessable } else { level };
            let known = level != Level::Unassessable;
            for k in 0..HAZARDS {
                out.log_odds[k].push(score.log_odds[k]);
                out.hazards[k].push(if known { sigmoid(calibrated[k]) } else { f64::NAN });
                out.probability[k].push(if known { p[k] } else { f64::NAN });
            }
            let (failure_type, action) = self.dominant(&score, level).unzip();
            out.level.push(level);
            out.reason.push(reason);
            out.failure_type.push(failure_type);
            out.action.push(action);
        }
        out
    }

    /// Gives for each row the log of the likelihood ratio between an incident within 24 hours and none: what its evidence is worth, whatever
    /// the rate. NaN where too little is known.
    ///
    /// # Panics
    /// When `fired` was not made from `table`.
    pub fn ratios(&self, table: &FeatureTable, fired: &[Vec<bool>]) -> Vec<f64> {
        let mut score = Score::default();
        let of = |row: usize| {
            self.score(table, fired, row, &mut score);
            let worth = self.calibration[0].apply(score.log_odds[0] - score.prior[0]);
            if self.unassessable(table, row).is_some() { f64::NAN } else { worth }
        };
        (0..table.len()).map(of).collect()
    }

    /// Says for each rule in which rows it fires. What is no news says nothing, unless the rule is hard.
    ///
    /// # Errors
    /// When Polars fails.
    pub fn fired(&self, table: &FeatureTable) -> Result<Vec<Vec<bool>>, AssessError> {
        let predicates: Vec<&Predicate> = self.rules.iter().map(|r| &r.when).collect();
        let mut fired = evaluate(&predicates, table)?;
        for (rule, rows) in self.rules.iter().zip(&mut fired).filter(|(rule, _)| !rule.hard) {
            for (row, fires) in rows.iter_mut().enumerate().filter(|(_, fires)| **fires) {
                *fires = rule.signals.iter().any(|s| !is_no_news(table, row, *s));
            }
        }
        Ok(fired)
    }

    /// Gives the calibrated log-odds of each hazard: the prior, and what the evidence beside it is worth. Rate and evidence stay apart, so that
    /// a prior ten times as high makes all odds ten times as high, those of a healthy instance too.
    pub fn calibrate(&self, prior: &PerHazard, log_odds: &PerHazard) -> PerHazard {
        [0, 1, 2].map(|k| prior[k] + self.calibration[k].apply(log_odds[k] - prior[k]))
    }

    /// Says why a row tells too little to call its instance healthy; None when it tells enough.
    pub fn unassessable(&self, table: &FeatureTable, row: usize) -> Option<Unassessable> {
        let [age, coverage, silence, signals] = [0, 1, 2, 3].map(|i| table.get(row, instance_index(i)));
        debug_assert_eq!(INSTANCE_COLUMNS[3].0, "instance_signals");
        let limits = &self.limits;
        // What isn't known must not pass, so that each question is put the way NaN answers with no.
        let at_least = |value: f64, limit: f64| value >= limit;
        let of = |s: &Signal, feature| table.get(row, index(*s, feature));
        let has =
            |s: &Signal| of(s, Feature::N) > 0.0 && at_least(limits.max_silence_hours, of(s, Feature::SilenceHours));
        if !at_least(signals, 1.0) {
            Some(Unassessable::NoData)
        } else if !at_least(limits.max_silence_hours, silence) {
            Some(Unassessable::Stale)
        } else if !at_least(age * 24.0, limits.min_age_hours) {
            Some(Unassessable::TooYoung)
        } else if !at_least(coverage, limits.min_coverage_24h) {
            Some(Unassessable::Sparse)
        } else if !limits.require_any.is_empty() && !limits.require_any.iter().any(has) {
            Some(Unassessable::MissingAgent)
        } else {
            None
        }
    }

    /// Says whether the agent is missing now, and was heard in the last seven days.
    pub(crate) fn agent_fell_silent(&self, table: &FeatureTable, row: usize, reason: Unassessable) -> bool {
        reason == Unassessable::MissingAgent
            && self.limits.require_any.iter().any(|s| table.get(row, index(*s, Feature::N)) > 0.0)
    }

    fn hard_evidence(&self, score: &Score) -> bool {
        score.wins().any(|w| self.rules[w.rule].hard)
    }
}

/// Says whether what a signal shows in a row is no news.
pub(crate) fn is_no_news(table: &FeatureTable, row: usize, signal: Signal) -> bool {
    table.get(row, index(signal, Feature::NoNews)) > 0.0
}

/// How many hazards bear on a level: the first for high, two for medium, all for the rest.
pub(crate) const fn hazards_of(level: Level) -> usize {
    match level {
        Level::High => 1,
        Level::Medium => 2,
        Level::Low | Level::None | Level::Unassessable => HAZARDS,
    }
}

pub(crate) fn check_shape(table: &FeatureTable) -> Result<(), AssessError> {
    let rows = table.len();
    if table.values.len() != crate::feature::WIDTH {
        return Err(AssessError::Shape { column: table.values.len(), found: 0, rows });
    }
    match table.values.iter().position(|c| c.len() != rows) {
        Some(column) => Err(AssessError::Shape { column, found: table.values[column].len(), rows }),
        None => Ok(()),
    }
}
