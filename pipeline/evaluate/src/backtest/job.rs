//! What a backtest is asked to do.

use super::cost::Costs;
use super::incidents::Incidents;
use crate::replay::Steps;
use forewarn_domain::prior::Prior;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_rules::hazard::{PerHazard, prior_log_odds, probabilities};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use forewarn_runtime::threads::Threads;

/// What to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The metrics and events.
    pub history: &'a History,
    pub ruleset: &'a RuleSet,
    /// Another one to hold it against.
    pub against: Option<&'a RuleSet>,
    /// Which metrics feed which signals.
    pub map: &'a SignalMap,
    /// When to look.
    pub steps: Steps,
    /// What happened; None where nobody knows, an empty list where nothing did.
    pub incidents: Option<&'a Incidents>,
    /// Whether the baselines run too.
    pub baselines: bool,
    /// What mistakes cost, where a level is to be picked by it.
    pub costs: Option<Costs>,
    /// How many pages a week there may be, where a level is to be picked by it.
    pub pages_per_week: Option<f64>,
    /// How often the fleet fails, where somebody states it; else known incidents tell, and without them the rule set.
    pub stated_prior: Option<f64>,
    /// How many threads replay.
    pub threads: Threads,
}

/// The probabilities that a rule set holds without any evidence.
pub(super) fn prior(ruleset: &RuleSet) -> PerHazard {
    of_prior(ruleset, ruleset.prior())
}

/// As [`prior`], at the rate that a row is held against.
pub(super) fn prior_of(ruleset: &RuleSet, table: &FeatureTable, row: usize) -> PerHazard {
    of_prior(ruleset, &ruleset.prior_of(table, row))
}

/// As [`prior`], at the rate that a prior tells.
pub(super) fn prior_at(ruleset: &RuleSet, prior: &Prior) -> PerHazard {
    of_prior(ruleset, &prior_log_odds(prior.incidents_per_instance_month))
}

fn of_prior(ruleset: &RuleSet, prior: &PerHazard) -> PerHazard {
    probabilities(&ruleset.calibrate(prior, prior))
}
