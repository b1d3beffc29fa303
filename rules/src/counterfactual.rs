//! Finds the single change that would take an instance out of its level.

use crate::assess::{Assessed, Score, hazards_of};
use crate::hazard::{PerHazard, probabilities};
use crate::predict::text;
use crate::prediction::{Counterfactual, Level};
use crate::ruleset::RuleSet;
use crate::signal::{Direction, Signal};
use crate::table::FeatureTable;
use std::collections::BTreeSet;

impl RuleSet {
    /// Gives the change of one signal that leaves the least risk: each signal with evidence is left out in turn (its first passage
    /// and every rule that speaks of it or reads its features) and the row scored again. Prefers a change that leaves the level.
    /// None when no evidence counts.
    pub fn counterfactual(&self, table: &FeatureTable, assessed: &Assessed, row: usize) -> Option<Counterfactual> {
        let level = assessed.level[row];
        let mut score = Score::default();
        self.score(table, &assessed.fired, row, None, &mut score);
        let mut signals: BTreeSet<Signal> = score.passage.iter().flatten().map(|p| p.0).collect();
        signals.extend(score.wins().flat_map(|w| self.rules[w.rule].signals.iter().copied()));
        let mut best: Option<(Level, PerHazard, Signal)> = None;
        for signal in signals {
            self.score(table, &assessed.fired, row, Some(signal), &mut score);
            let p = probabilities(&self.calibrate(&score.log_odds));
            let remaining = self.levels.of(&p);
            let k = hazards_of(level) - 1;
            if best.is_none_or(|(l, q, _)| remaining < l || (remaining == l && p[k] < q[k])) {
                best = Some((remaining, p, signal));
            }
        }
        let (confidence, p, signal) = best?;
        let k = hazards_of(level) - 1;
        let text = format!(
            "if {}, P({} h) would be {} ({})",
            self.change(signal),
            [24, 72, 168][k],
            text::probability(p[k]),
            confidence.name()
        );
        Some(Counterfactual { signal, p24: p[0], confidence, text })
    }

    /// The change in words, as the beginning of a condition.
    fn change(&self, signal: Signal) -> String {
        let warning = text::quantity(signal, self.thresholds(signal).0);
        match signal {
            Signal::Maintenance => "no maintenance were scheduled".to_owned(),
            Signal::Status => "the status checks passed".to_owned(),
            Signal::Log => "no fault were logged".to_owned(),
            Signal::Anomaly => "the instance behaved as it usually does".to_owned(),
            Signal::Cpu
            | Signal::Steal
            | Signal::Iowait
            | Signal::Memory
            | Signal::Disk
            | Signal::Credits
            | Signal::Queue
            | Signal::NetDrop
            | Signal::Ena
            | Signal::Ebs => {
                let side = if signal.spec().direction == Direction::Up { "below" } else { "above" };
                format!("{} stayed {side} {warning}", noun(signal))
            }
        }
    }
}

fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Cpu => "CPU utilisation",
        Signal::Steal => "steal",
        Signal::Iowait => "I/O wait",
        Signal::Memory => "memory",
        Signal::Disk => "disk space in use",
        Signal::Credits => "the CPU credit balance",
        Signal::Queue => "the disk queue",
        Signal::NetDrop => "dropped packets",
        Signal::Ena => "shaped packets",
        Signal::Ebs => "the EBS burst balance",
        Signal::Status | Signal::Maintenance | Signal::Log | Signal::Anomaly => signal.name(),
    }
}
