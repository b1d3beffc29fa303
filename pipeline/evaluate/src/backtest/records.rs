//! Keeps what a replay said of every row, compactly: eight bytes of probability and four more; and finds episodes and
//! warnings among them.

use crate::replay::Steps;
use forewarn_domain::prediction::FailureType;
use forewarn_domain::time::HOUR_MS;
use forewarn_predict::truth::{DAY_MS, RowTruth};
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
    /// What the rule set says will break; None without a level.
    pub(super) kind: Vec<Option<FailureType>>,
    pub(super) unassessable: u64,
    /// The rule set's verdict, then that of the other rule set and of the baselines, as far as they run.
    pub(super) verdicts: Vec<Verdict>,
}

/// All rows, by instance.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) steps: Steps,
    /// When each row looks, in order: the times of `steps`, or those at which somebody really looked.
    pub(super) times: Vec<i64>,
    pub(super) instances: BTreeMap<String, Instance>,
}

impl Records {
    pub(super) fn new(steps: Steps) -> Self {
        Self { steps, times: steps.times().collect(), instances: BTreeMap::new() }
    }

    /// The time of a row.
    pub(super) fn time(&self, step: usize) -> i64 {
        self.times[step]
    }
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
pub(super) fn episodes(times: &[i64], truth: &[RowTruth], high: impl Fn(usize) -> bool) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    for (step, truth) in truth.iter().enumerate() {
        if matches!(truth, RowTruth::Censored(_)) || !high(step) {
            continue;
        }
        let hit = *truth == RowTruth::Followed;
        match found.last_mut() {
            Some(open) if times[step] - times[open.last] <= EPISODE_GAP_MS => {
                open.last = step;
                open.right |= hit;
            }
            _ => found.push(Episode { first: step, last: step, right: hit }),
        }
    }
    found
}

/// Gives the steps that could warn of an incident at `ts`: those 1 to 24 hours ahead of it.
pub(super) fn ahead(times: &[i64], ts: i64) -> std::ops::Range<usize> {
    times.partition_point(|t| *t < ts - DAY_MS)..times.partition_point(|t| *t <= ts - HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_predict::truth::Censored;

    fn times() -> Vec<i64> {
        Steps { from: 0, to: 100 * HOUR_MS, step: HOUR_MS }.times().collect()
    }

    #[test]
    fn an_episode_ends_after_more_than_six_quiet_hours() {
        let mut truth = vec![RowTruth::Quiet; 40];
        truth[9] = RowTruth::Followed;
        truth[30] = RowTruth::Censored(Censored::Outage);
        let high = |on: &'static [usize]| episodes(&times(), &truth, |step| on.contains(&step));
        assert_eq!(high(&[2, 8]), [Episode { first: 2, last: 8, right: false }]);
        assert_eq!(high(&[2, 8, 9]), [Episode { first: 2, last: 9, right: true }]);
        assert_eq!(high(&[2, 9]).len(), 2);
        assert_eq!(high(&[30]), [], "a row that is not scored makes no episode");
    }

    #[test]
    fn a_warning_lies_one_to_twenty_four_hours_ahead() {
        assert_eq!(ahead(&times(), 50 * HOUR_MS), 26..50);
        assert_eq!(ahead(&times(), 50 * HOUR_MS + 1), 27..50);
        assert_eq!(ahead(&times(), 10 * HOUR_MS), 0..10);
        assert_eq!(ahead(&times()[..40], 50 * HOUR_MS), 26..40);
        assert_eq!(ahead(&times()[..40], HOUR_MS / 2), 0..0);
    }
}
