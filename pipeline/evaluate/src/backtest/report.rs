//! What a backtest found, as people and programs receive it.

use super::cost::CostReport;
pub use super::estimate::Estimate;
use super::incidents::IncidentCounts;
use super::measure::{Counts, Measure};
use super::operating::Operating;
use super::tally::RuleCounts;
use forewarn_domain::prediction::RuleSetRef;
use forewarn_domain::prior::Prior;
use serde::Serialize;
use std::collections::BTreeMap;

/// Quantiles of the hours from the first high row of the last day to the incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leads {
    /// One in ten is shorter.
    pub q10: Option<f64>,
    /// The median.
    pub q50: Option<f64>,
    /// One in ten is longer.
    pub q90: Option<f64>,
}

/// A point of a precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Rows from this probability on are called.
    pub threshold: f64,
    /// The share of the called that are followed by an incident.
    pub precision: f64,
    /// The share of those followed by an incident that are called.
    pub recall: f64,
}

/// A bin of the reliability table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityRow {
    /// The least probability of the bin.
    pub from: f64,
    /// Where the next bin begins.
    pub to: f64,
    pub rows: u64,
    /// Distinct incidents that follow its rows.
    pub incidents: usize,
    /// The mean probability said.
    pub said: f64,
    /// The share of rows that an incident follows.
    pub happened: Estimate,
}

/// How the log-odds said stand to those that hold; slope 1 and intercept 0 are perfect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationFit {
    /// Below 1, the probabilities are too extreme.
    pub slope: f64,
    /// Below 0, they are too high.
    pub intercept: f64,
}

/// How often the fleet fails, by what was known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriorRange {
    /// At the first step.
    pub first: Prior,
    /// At the last step.
    pub last: Prior,
}

/// One column of the table: a rule set or a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scorer {
    pub name: String,
    /// `ruleset`, `against` or `baseline`.
    pub kind: &'static str,
    /// What the measures are made of.
    pub counts: Counts,
    /// Every measure by name.
    pub measures: BTreeMap<&'static str, Estimate>,
    /// Of predictable incidents caught.
    pub lead_hours: Leads,
    /// The calibration line; None where it has no meaning.
    pub calibration: Option<CalibrationFit>,
    /// Precision and recall by threshold on p24.
    pub pr_curve: Vec<CurvePoint>,
    /// What was said and what happened.
    pub reliability: Vec<ReliabilityRow>,
}

/// What the rule set was worth where it spoke of one failure type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureTypeReport {
    /// The failure type that is said; `none` where there is no level.
    pub failure_type: &'static str,
    /// What the measures are made of; incidents have causes, not failure types, and are counted there.
    pub counts: Counts,
    /// Measures over these rows, by name.
    pub measures: BTreeMap<&'static str, Estimate>,
    /// Incidents whose first warning was of this type.
    pub incidents_warned: usize,
    /// The hours from these warnings to the incident.
    pub lead_hours: Leads,
}

/// What became of the incidents of one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CauseReport {
    /// The cause, as the incidents' file has it; `not said` where it has none.
    pub cause: String,
    /// Incidents that could have been warned of.
    pub incidents: usize,
    /// Predictable ones among them.
    pub predictable: usize,
    /// Share of all that were warned of.
    pub recall_all: Estimate,
    /// Share of the predictable that were warned of.
    pub recall_predictable: Estimate,
    /// Of those warned of.
    pub lead_hours: Leads,
}

/// What one rule, or the first passage of one signal, had to do with alarms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    /// The rule's id, or `first passage of SIGNAL`.
    pub rule: String,
    #[serde(flatten)]
    pub counts: RuleCounts,
}

/// How one measure differs between two rule sets on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceRow {
    /// The measure's name.
    pub measure: &'static str,
    /// The other rule set's value less that of the first.
    pub difference: Estimate,
    /// `better`, `worse`, or `no difference can be told`: what the other rule set is.
    pub verdict: &'static str,
}

/// How two rule sets compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The rule set of `--rules`.
    pub a: String,
    /// The rule set of `--against`.
    pub b: String,
    /// Measure by measure, B less A, on the same resampled fleets.
    pub measures: Vec<DifferenceRow>,
    /// The same in words.
    pub words: Vec<String>,
}

/// The range replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first time, RFC 3339.
    pub from: String,
    /// The end, itself not looked at.
    pub to: String,
    /// Seconds between two looks.
    pub step_s: i64,
    /// Until when the truth is taken as known.
    pub known_until: String,
}

/// How the intervals were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resampling {
    /// Workloads x weeks.
    pub clusters: usize,
    /// How often the fleet was resampled.
    pub replicates: usize,
    /// The share of replicates between the ends.
    pub level: f64,
}

/// What a backtest found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub ruleset: RuleSetRef,
    /// The rule set that it was held against.
    pub against: Option<RuleSetRef>,
    /// The range replayed.
    pub range: Range,
    pub instances: usize,
    /// Rows: instances x steps.
    pub rows: u64,
    /// Rows whose next 24 hours are known.
    pub scored: u64,
    /// Those that an incident follows.
    pub positives: u64,
    /// Rows that could not be assessed; they are scored by what the rule set holds without evidence.
    pub unassessable: u64,
    /// The probability within 24 hours that they are scored by.
    pub unassessable_p24: f64,
    /// How often the fleet fails, by what was known at the first step and at the last; None where the rule set's own rate held.
    pub prior: Option<PriorRange>,
    /// Rows that are not scored, by reason.
    pub censored: BTreeMap<&'static str, u64>,
    /// How the incidents stand to the range; None without any given.
    pub incidents: Option<IncidentCounts>,
    /// The rule set's measures as plain numbers; null where they have no meaning.
    #[serde(flatten)]
    pub plain: BTreeMap<&'static str, Option<f64>>,
    /// How the intervals were made.
    pub intervals: Resampling,
    /// The rule set, the one it is held against, and the baselines.
    pub scorers: Vec<Scorer>,
    /// By what the rule set says will break.
    pub by_failure_type: Vec<FailureTypeReport>,
    /// By what broke.
    pub by_cause: Vec<CauseReport>,
    pub by_rule: Vec<RuleReport>,
    /// Rules that never fired in any row.
    pub never_fired: Vec<String>,
    /// How the two rule sets compare.
    pub difference: Option<Difference>,
    /// What levels for `high` cost in pages and in incidents without a warning; None without known incidents or scored rows.
    pub operating: Option<Operating>,
    /// What the level `high` costs, and what it could.
    pub cost: Option<CostReport>,
    /// What else should be known.
    pub notes: Vec<String>,
}

impl Scorer {
    /// Gives a measure.
    pub fn measure(&self, measure: Measure) -> Estimate {
        self.measures.get(measure.name()).copied().unwrap_or_default()
    }
}
