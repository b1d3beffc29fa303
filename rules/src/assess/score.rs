//! Scores one row: which evidence counts towards each hazard, and what it adds up to.

use super::{hazards_of, is_no_news};
use crate::feature::{Feature, index};
use crate::hazard::{HAZARDS, PerHazard, logit};
use crate::last_heard;
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::prediction::{Action, FailureType, Level};
use forewarn_domain::signal::{SIGNALS, Signal, SignalSpec};

/// No trend is surer of its future than this: a probability of 1 would be infinite evidence.
const MOST_CERTAIN: f64 = 0.999;
/// A probability of first passage that says nothing yet.
const LEAST_PASSAGE: f64 = 0.01;

/// The evidence that counts in one row, reusable from row to row.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// First-passage evidence of each signal towards each hazard, in log-odds.
    pub passage: [PerHazard; SIGNALS.len()],
    /// For each group the strongest rule towards each hazard; None when none adds anything.
    pub groups: Vec<[Option<Win>; HAZARDS]>,
    /// The prior log-odds of each hazard.
    pub prior: PerHazard,
    /// Prior, first passage and groups, in this order, summed for each hazard.
    pub log_odds: PerHazard,
}

/// A rule that is the strongest of its group towards a hazard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Win {
    /// The rule's index.
    pub rule: usize,
    /// The bin that its feature fell into, where its evidence is binned.
    pub bin: Option<usize>,
    /// Its evidence towards this hazard, above zero.
    pub evidence: f64,
}

impl Score {
    /// Gives the signals whose first passage counts towards hazard `k`, with their log-odds.
    pub fn passage(&self, k: usize) -> impl Iterator<Item = (Signal, f64)> {
        let of = move |(spec, evidence): (&SignalSpec, &PerHazard)| (spec.signal, evidence[k]);
        SIGNALS.iter().zip(&self.passage).map(of).filter(|(_, evidence)| *evidence > 0.0)
    }

    /// Gives every win towards any hazard.
    pub fn wins(&self) -> impl Iterator<Item = &Win> {
        self.groups.iter().flatten().flatten()
    }
}

/// How much of what a signal shows in a row still counts, for it may have fallen silent.
fn still_counts(table: &FeatureTable, row: usize, signal: Signal) -> f64 {
    last_heard::still_counts(signal, table.get(row, index(signal, Feature::SilenceHours)))
}

/// Gives how far a signal's first-passage log-odds by the end of each hazard's span lie above those of a hundredth, below which
/// they are none.
pub(crate) fn passage_log_odds(table: &FeatureTable, row: usize, signal: Signal) -> PerHazard {
    let mut q = LEAST_PASSAGE;
    [Feature::X24, Feature::X72, Feature::X168].map(|feature| {
        // `clamp` keeps NaN, where `min` would make it 1, and `max` passes over it.
        q = q.max(table.get(row, index(signal, feature)).clamp(0.0, MOST_CERTAIN));
        logit(q) - logit(LEAST_PASSAGE)
    })
}

impl RuleSet {
    /// Scores one row into `out`.
    ///
    /// First passage is counted towards each hazard from the *unconditional* probability by the end of the hazard's span, as far as it
    /// lies above a hundredth: `evidence_k = weight_k * max(0, logit(q_k) - logit(0.01))`, with q = x24, max(x24, x72),
    /// max(x24, x72, x168), at most `cap` from each signal. The conditional probability (x72 - x24) / (1 - x24) would fall when x24
    /// rises, and more evidence could then lower a probability; this form is monotone in each of the three. What a signal that has
    /// fallen silent showed last fades, in first passage and in rules.
    pub fn score(&self, table: &FeatureTable, fired: &[Vec<bool>], row: usize, out: &mut Score) {
        self.score_without(table, fired, row, &[], out);
    }

    /// Scores one row as [`RuleSet::score`] does, leaving out all evidence of some signals: their first passage and every rule
    /// that speaks of one or reads its features.
    pub fn score_without(
        &self,
        table: &FeatureTable,
        fired: &[Vec<bool>],
        row: usize,
        without: &[Signal],
        out: &mut Score,
    ) {
        out.passage = self.first_passage(table, row, without);
        out.groups.clear();
        out.groups.resize(self.groups.len(), [None; HAZARDS]);
        for (rule, (r, rows)) in self.rules.iter().zip(fired).enumerate() {
            if !rows[row] || without.iter().any(|s| r.signals.contains(s)) {
                continue;
            }
            let (bin, evidence) = r.evidence.of(|column| table.get(row, column));
            let counts = r.signals.iter().map(|s| still_counts(table, row, *s)).fold(1.0, f64::min);
            for (best, evidence) in out.groups[r.group].iter_mut().zip(evidence) {
                let evidence = evidence * counts;
                if evidence > best.map_or(0.0, |b| b.evidence) {
                    *best = Some(Win { rule, bin, evidence });
                }
            }
        }
        out.prior = self.prior_of(table, row);
        for k in 0..HAZARDS {
            let passage: f64 = out.passage.iter().map(|evidence| evidence[k]).sum();
            let groups = out.groups.iter().filter_map(|g| g[k]);
            out.log_odds[k] = groups.fold(out.prior[k] + passage, |sum, win| sum + win.evidence);
        }
    }

    fn first_passage(&self, table: &FeatureTable, row: usize, without: &[Signal]) -> [PerHazard; SIGNALS.len()] {
        SIGNALS.each_ref().map(|spec| {
            let weights = self.passage.weights[spec.signal as usize];
            let none = weights.iter().all(|w| *w <= 0.0);
            if none || without.contains(&spec.signal) || is_no_news(table, row, spec.signal) {
                return [0.0; HAZARDS];
            }
            let still_counts = still_counts(table, row, spec.signal);
            let excess = passage_log_odds(table, row, spec.signal);
            [0, 1, 2].map(|k| (weights[k] * excess[k]).min(self.passage.cap) * still_counts)
        })
    }

    /// Gives the failure type that most evidence speaks of among the hazards that bear on `level`, and what to do about it:
    /// evidence adds up by failure type, first passage counts towards its signal's own type, and the strongest rule of the
    /// type names the action. None without evidence.
    pub fn dominant(&self, score: &Score, level: Level) -> Option<(FailureType, Action)> {
        let mut sums: Vec<Cause> = Vec::new();
        let mut add = |kind: FailureType, action: Action, k: usize, evidence: f64, by_rule: bool| {
            let at = sums.iter().position(|s| s.kind == kind).unwrap_or_else(|| {
                sums.push(Cause { kind, action, sum: [0.0; HAZARDS], leading: 0.0 });
                sums.len() - 1
            });
            sums[at].sum[k] += evidence;
            if by_rule && evidence > sums[at].leading {
                (sums[at].leading, sums[at].action) = (evidence, action);
            }
        };
        for k in 0..hazards_of(level) {
            for win in score.groups.iter().filter_map(|g| g[k]) {
                let rule = &self.rules[win.rule];
                add(rule.failure_type, rule.action, k, win.evidence, true);
            }
            for (signal, evidence) in score.passage(k) {
                let (kind, action) = own_failure(signal);
                add(kind, action, k, evidence, false);
            }
        }
        let strength = |c: &Cause| c.sum.iter().copied().fold(0.0, f64::max);
        let mut best: Option<&Cause> = None;
        for cause in &sums {
            if best.is_none_or(|b| strength(cause) > strength(b)) {
                best = Some(cause);
            }
        }
        best.map(|b| (b.kind, b.action))
    }
}

/// Evidence for one failure type.
struct Cause {
    kind: FailureType,
    action: Action,
    sum: PerHazard,
    /// Evidence of the strongest rule, which names the action.
    leading: f64,
}

/// Gives what breaks, and what to do, when a signal reaches its critical level.
pub(crate) const fn own_failure(signal: Signal) -> (FailureType, Action) {
    match signal {
        Signal::Cpu => (FailureType::CpuSaturation, Action::AppRestart),
        Signal::Steal => (FailureType::CpuSteal, Action::HostMigration),
        Signal::Iowait | Signal::Queue => (FailureType::IoStall, Action::EbsRepair),
        Signal::Memory => (FailureType::MemoryExhaustion, Action::AppRestart),
        Signal::Disk => (FailureType::DiskFull, Action::FreeDisk),
        Signal::Credits => (FailureType::CreditExhaustion, Action::Resize),
        Signal::NetDrop => (FailureType::NetworkDegradation, Action::HostMigration),
        Signal::Ena => (FailureType::NetworkDegradation, Action::Resize),
        Signal::Ebs => (FailureType::EbsDegradation, Action::EbsRepair),
        Signal::Status => (FailureType::StatusCheckFailure, Action::Replace),
        Signal::Maintenance => (FailureType::ScheduledMaintenance, Action::SafeRestart),
        Signal::Log => (FailureType::SystemFault, Action::SafeRestart),
        Signal::Anomaly => (FailureType::Anomaly, Action::Notify),
    }
}
