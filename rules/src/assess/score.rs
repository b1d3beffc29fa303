//! Scores one row: which evidence counts towards each hazard, and what it adds up to.

use super::{hazards_of, is_no_news};
use crate::feature::{Feature, index};
use crate::hazard::{HAZARDS, PerHazard, logit};
use crate::last_heard;
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::prediction::{Action, FailureType, Level};
use forewarn_domain::signal::{SIGNALS, Signal};

/// No trend is surer of its future than this: a probability of 1 would be infinite evidence.
const MOST_CERTAIN: f64 = 0.999;

/// The evidence that counts in one row, reusable from row to row.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// First-passage evidence towards each hazard: the signal and its log-odds; None when there is none.
    pub passage: [Option<(Signal, f64)>; HAZARDS],
    /// For each group the strongest rule towards each hazard; None when none adds anything.
    pub groups: Vec<[Option<Win>; HAZARDS]>,
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
    /// Gives every win towards any hazard.
    pub fn wins(&self) -> impl Iterator<Item = &Win> {
        self.groups.iter().flatten().flatten()
    }
}

/// How much of what a signal shows in a row still counts, for it may have fallen silent.
fn still_counts(table: &FeatureTable, row: usize, signal: Signal) -> f64 {
    last_heard::still_counts(signal, table.get(row, index(signal, Feature::SilenceHours)))
}

impl RuleSet {
    /// Scores one row into `out`.
    ///
    /// First passage is counted towards each hazard from the *unconditional* probability by the end of the hazard's span,
    /// against the prior until then: `evidence_k = max over signals of weight * max(0, logit(q_k) - prior_until_k)`, with
    /// q = x24, max(x24, x72), max(x24, x72, x168), at most `cap`. The conditional probability (x72 - x24) / (1 - x24) would fall
    /// when x24 rises, and more evidence could then lower a probability; this form is monotone in each of the three. What a signal
    /// that has fallen silent showed last fades, in first passage and in rules.
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
            let evidence = evidence * r.signals.iter().map(|s| still_counts(table, row, *s)).fold(1.0, f64::min);
            for (best, share) in out.groups[r.group].iter_mut().zip(r.horizons) {
                let evidence = evidence * share;
                if evidence > best.map_or(0.0, |b| b.evidence) {
                    *best = Some(Win { rule, bin, evidence });
                }
            }
        }
        for k in 0..HAZARDS {
            let passage = out.passage[k].map_or(0.0, |p| p.1);
            let groups = out.groups.iter().filter_map(|g| g[k]);
            out.log_odds[k] = groups.fold(self.prior[k] + passage, |sum, win| sum + win.evidence);
        }
    }

    fn first_passage(&self, table: &FeatureTable, row: usize, without: &[Signal]) -> [Option<(Signal, f64)>; HAZARDS] {
        let mut best: [Option<(Signal, f64)>; HAZARDS] = [None; HAZARDS];
        for spec in &SIGNALS {
            let weight = self.passage.weights[spec.signal as usize];
            if weight <= 0.0 || without.contains(&spec.signal) || is_no_news(table, row, spec.signal) {
                continue;
            }
            let still_counts = still_counts(table, row, spec.signal);
            for (k, excess) in self.passage_log_odds(table, row, spec.signal).into_iter().enumerate() {
                let evidence = (weight * excess).min(self.passage.cap) * still_counts;
                if evidence > best[k].map_or(0.0, |b| b.1) {
                    best[k] = Some((spec.signal, evidence));
                }
            }
        }
        best
    }

    /// Gives how far a signal's first-passage log-odds lie above the prior until the end of each hazard's span.
    pub(crate) fn passage_log_odds(&self, table: &FeatureTable, row: usize, signal: Signal) -> PerHazard {
        let mut q = 0.0_f64;
        let mut k = 0;
        [Feature::X24, Feature::X72, Feature::X168].map(|feature| {
            // `clamp` keeps NaN, where `min` would make it 1, and `max` passes over it.
            q = q.max(table.get(row, index(signal, feature)).clamp(0.0, MOST_CERTAIN));
            k += 1;
            logit(q) - self.prior_until[k - 1]
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
            if let Some((signal, evidence)) = score.passage[k] {
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
