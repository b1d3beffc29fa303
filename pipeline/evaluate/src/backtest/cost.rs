//! Picks the level `high` by what mistakes cost.
//!
//! Over the rows of a backtest, a threshold t on p24 costs
//!
//! `C(t) = miss * (incidents without a high row 1 to 24 hours ahead) + false_alarm * (false episodes) + action * (episodes)`
//!
//! where an episode, right or wrong, is answered once. The threshold with the least cost is picked, of equals the highest.

use super::records::{Records, ahead, episodes};
use super::units::Units;
use serde::Serialize;

/// Thresholds tried: one for each hundredth.
const GRID: usize = 99;

/// What mistakes and actions cost, in any one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// An incident that nobody was warned of.
    pub miss: f64,
    /// An episode that no incident follows, beside the action it caused.
    pub false_alarm: f64,
    /// Answering an episode.
    pub action: f64,
}

/// What a threshold would have cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Priced {
    /// The threshold on p24.
    pub threshold: f64,
    /// Incidents without a warning.
    pub missed: usize,
    pub episodes: usize,
    /// Those without an incident.
    pub false_episodes: usize,
    /// The cost by the formula.
    pub cost: f64,
    /// The same for an instance and week.
    pub cost_per_instance_week: f64,
}

/// What the threshold in force costs, and what the best would have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostReport {
    /// The formula, in words.
    pub formula: &'static str,
    /// The cost of a miss.
    pub miss: f64,
    /// The cost of a false alarm.
    pub false_alarm: f64,
    /// The cost of an action.
    pub action: f64,
    /// At the threshold in force.
    pub present: Priced,
    /// At the threshold picked.
    pub picked: Priced,
    /// Without any alarm at all.
    pub without_alarms: f64,
}

/// Tries the thresholds on the verdicts of the rule set, the first scorer.
pub(super) fn price(records: &Records, units: &Units, costs: Costs, present: f64, weeks: f64) -> CostReport {
    let at = |threshold: f64| priced(records, units, costs, threshold, weeks);
    let present = at(present);
    let mut picked = present;
    for k in 1..=GRID {
        let tried = at(k as f64 / (GRID + 1) as f64);
        if tried.cost < picked.cost || (tried.cost <= picked.cost && tried.threshold > picked.threshold) {
            picked = tried;
        }
    }
    CostReport {
        formula: "miss x incidents not warned of 1 to 24 h ahead + false alarm x false episodes + action x episodes",
        miss: costs.miss,
        false_alarm: costs.false_alarm,
        action: costs.action,
        present,
        picked,
        without_alarms: at(f64::INFINITY).cost,
    }
}

fn priced(records: &Records, units: &Units, costs: Costs, threshold: f64, weeks: f64) -> Priced {
    let mut out =
        Priced { threshold, missed: 0, episodes: 0, false_episodes: 0, cost: 0.0, cost_per_instance_week: 0.0 };
    for (at, instance) in records.instances.values().enumerate() {
        let Some(verdict) = instance.verdicts.first() else { continue };
        let high = |step: usize| verdict.p[step] >= threshold;
        for episode in episodes(&records.times, &instance.truth, high) {
            out.episodes += 1;
            out.false_episodes += usize::from(!episode.right);
        }
        for incident in units.counted(records.steps, at, instance) {
            let warned = ahead(&records.times, incident.ts).any(high);
            out.missed += usize::from(!warned);
        }
    }
    out.cost = costs.miss * out.missed as f64
        + costs.false_alarm * out.false_episodes as f64
        + costs.action * out.episodes as f64;
    out.cost_per_instance_week = out.cost / weeks;
    out
}
