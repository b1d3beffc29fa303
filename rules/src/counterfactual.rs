//! Finds the changes that would take an instance out of its level.

use crate::assess::{Assessed, Score, hazards_of};
use crate::hazard::{HAZARDS, PerHazard, probabilities};
use crate::predict::text;
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::prediction::{Counterfactual, Level};
use forewarn_domain::signal::{Direction, Signal};
use std::collections::BTreeMap;

impl RuleSet {
    /// Gives the signals that would have to change for the row to leave its level, and what would remain.
    ///
    /// Greedy: of the signals with evidence, the one whose absence (of its first passage and of every rule that speaks of it or
    /// reads its features) leaves the least risk goes first; where several leave the same, the one with the most evidence. The
    /// row is scored again without it, which may let evidence speak that it outweighed, and so on until the level is left or
    /// there is no more evidence. None when no evidence counts.
    pub fn counterfactual(&self, table: &FeatureTable, assessed: &Assessed, row: usize) -> Option<Counterfactual> {
        let level = assessed.level[row];
        let k = hazards_of(level) - 1;
        let mut without: Vec<Signal> = Vec::new();
        let mut left: Option<(Level, PerHazard)> = None;
        while left.is_none_or(|(remaining, _)| remaining >= level) {
            let Some((remaining, p, signal)) = self.next_to_go(table, assessed, row, &without, k) else { break };
            without.push(signal);
            left = Some((remaining, p));
        }
        let (confidence, p) = left?;
        let changes: Vec<String> = without.iter().map(|s| self.change(*s)).collect();
        let (even, still) = if confidence >= level { ("even ", "still ") } else { ("", "") };
        let text = format!(
            "{even}if {}, P({} h) would {still}be {} ({})",
            list(&changes),
            [24, 72, 168][k],
            text::probability(p[k]),
            confidence.name()
        );
        Some(Counterfactual { signal: *without.first()?, signals: without, p24: p[0], confidence, text })
    }

    /// Gives the signal whose absence, beside those that are gone, leaves the least risk by the end of hazard `k`, and that risk.
    fn next_to_go(
        &self,
        table: &FeatureTable,
        assessed: &Assessed,
        row: usize,
        gone: &[Signal],
        k: usize,
    ) -> Option<(Level, PerHazard, Signal)> {
        let mut score = Score::default();
        self.score_without(table, &assessed.fired, row, gone, &mut score);
        let mut evidence: BTreeMap<Signal, f64> = BTreeMap::new();
        let mut speaks = |signal, e: f64| {
            let held = evidence.entry(signal).or_insert(e);
            *held = held.max(e);
        };
        (0..HAZARDS).flat_map(|k| score.passage(k)).for_each(|(signal, e)| speaks(signal, e));
        for win in score.wins() {
            self.rules[win.rule].signals.iter().for_each(|s| speaks(*s, win.evidence));
        }
        let mut without = gone.to_vec();
        let mut best: Option<(Level, PerHazard, f64, Signal)> = None;
        for (signal, weight) in evidence {
            without.push(signal);
            self.score_without(table, &assessed.fired, row, &without, &mut score);
            without.pop();
            let p = probabilities(&self.calibrate(&score.prior, &score.log_odds));
            let remaining = self.levels.of(&p);
            let better = best.is_none_or(|(level, q, e, _)| {
                let risk = p[k].total_cmp(&q[k]).then(e.total_cmp(&weight));
                remaining.cmp(&level).then(risk).is_lt()
            });
            if better {
                best = Some((remaining, p, weight, signal));
            }
        }
        best.map(|(level, p, _, signal)| (level, p, signal))
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

/// Joins conditions: `a`, `a and b`, `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
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
