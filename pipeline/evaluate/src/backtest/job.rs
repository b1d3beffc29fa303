//! What a backtest is asked to do.

use super::cost::Costs;
use super::incidents::Incidents;
use crate::replay::Steps;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_rules::hazard::{PerHazard, probabilities};
use forewarn_rules::ruleset::RuleSet;
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
    /// How many threads replay.
    pub threads: Threads,
}

/// The probabilities that a rule set holds without any evidence.
pub(super) fn prior(ruleset: &RuleSet) -> PerHazard {
    probabilities(&ruleset.calibrate(ruleset.prior()))
}
