//! Keeps what a replay said of every row, compactly: eight bytes of probability and four more; and finds episodes and
//! warnings among them.

use super::truth::{DAY_MS, RowTruth};
use crate::replay::Steps;
use forewarn_rules::grid::HOUR_MS;
use forewarn_rules::prediction::FailureType;
use forewarn_rules::truth::Incident;
use std::collections::BTreeMap;

/// High rows no further apart than this are one episode, as in the yardstick.
const EPISODE_GAP_MS: i64 = 6 * HOUR_MS;

/// What one scorer says of an instance, step by step.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict {
    /// The probability of an incident within 24 hours, or the score in its place.
    pub(super) p: Vec<f64>,
    /// Whether it raises an alarm.
    pub(super) high: Vec<bool>,
}

impl Verdict {
    /// Adds the next step.
    pub(super) fn push(&mut self, p: f64, high: bool) {
        self.p.push(p.clamp(0.0, 1.0));
        self.high.push(high);
    }
}

/// One instance's rows, one for each step.
#[derive(Debug, Default)]
pub(super) struct Instance {
    pub(super) workload: Option<String>,
    pub(super) incidents: Vec<Incident>,
    pub(super) truth: Vec<RowTruth>,
    /// What the rule set says will break; None without evidence.
    pub(super) kind: Vec<Option<FailureType>>,
    pub(super) unassessable: u64,
    /// The rule set's verdict, then that of the other rule set and of the baselines, as far as they run.
    pub(super) verdicts: Vec<Verdict>,
}

/// All rows, by instance.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) steps: Steps,
    pub(super) instances: BTreeMap<String, Instance>,
}

impl Records {
    pub(super) const fn new(steps: Steps) -> Self {
        Self { steps, instances: BTreeMap::new() }
    }

    /// The time of a row.
    pub(super) const fn time(&self, step: usize) -> i64 {
        time(self.steps, step)
    }
}

/// The time of a step.
pub(super) const fn time(steps: Steps, step: usize) -> i64 {
    steps.from + step as i64 * steps.step
}

/// High scored rows that are one alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) first: usize,
    pub(super) last: usize,
    /// Whether an incident follows one of its rows.
    pub(super) right: bool,
}

/// Finds an instance's episodes: scored rows for which `high` holds, with gaps of at most six hours.
pub(super) fn episodes(steps: Steps, truth: &[RowTruth], high: impl Fn(usize) -> bool) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    for (step, truth) in truth.iter().enumerate() {
        if matches!(truth, RowTruth::Censored(_)) || !high(step) {
            continue;
        }
        let hit = *truth == RowTruth::Followed;
        match found.last_mut() {
            Some(open) if (step - open.last) as i64 * steps.step <= EPISODE_GAP_MS => {
                open.last = step;
                open.right |= hit;
            }
            _ => found.push(Episode { first: step, last: step, right: hit }),
        }
    }
    found
}

/// Gives the steps that could warn of an incident at `ts`: those 1 to 24 hours ahead of it.
pub(super) fn ahead(steps: Steps, rows: usize, ts: i64) -> std::ops::Range<usize> {
    // The first step at or after a time.
    let from = |t: i64| ((t - steps.from).max(0) + steps.step - 1) / steps.step;
    let end = (from(ts - HOUR_MS + 1).max(0) as usize).min(rows);
    (from(ts - DAY_MS) as usize).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::truth::Censored;

    const STEPS: Steps = Steps { from: 0, to: 100 * HOUR_MS, step: HOUR_MS };

    #[test]
    fn an_episode_ends_after_more_than_six_quiet_hours() {
        let mut truth = vec![RowTruth::Quiet; 40];
        truth[9] = RowTruth::Followed;
        truth[30] = RowTruth::Censored(Censored::Outage);
        let high = |on: &'static [usize]| episodes(STEPS, &truth, |step| on.contains(&step));
        assert_eq!(high(&[2, 8]), [Episode { first: 2, last: 8, right: false }]);
        assert_eq!(high(&[2, 8, 9]), [Episode { first: 2, last: 9, right: true }]);
        assert_eq!(high(&[2, 9]).len(), 2);
        assert_eq!(high(&[30]), [], "a row that is not scored makes no episode");
    }

    #[test]
    fn a_warning_lies_one_to_twenty_four_hours_ahead() {
        assert_eq!(ahead(STEPS, 100, 50 * HOUR_MS), 26..50);
        assert_eq!(ahead(STEPS, 100, 50 * HOUR_MS + 1), 27..50);
        assert_eq!(ahead(STEPS, 100, 10 * HOUR_MS), 0..10);
        assert_eq!(ahead(STEPS, 40, 50 * HOUR_MS), 26..40);
        assert_eq!(ahead(STEPS, 40, HOUR_MS / 2), 0..0);
    }
}
