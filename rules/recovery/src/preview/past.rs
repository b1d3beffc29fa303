//! What became of recoveries and episodes before this one.

use crate::event::Outcome;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::FailureType;
use forewarn_domain::preview::Similar;

/// A recovery that is over and had begun to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRecovery {
    /// What it did last.
    pub action: RecoveryAction,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the instance was down, milliseconds; none where that can't be told.
    pub downtime_ms: Option<i64>,
}

/// An episode that was at high and of which it is known how it turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastEpisode {
    /// What was going to break.
    pub failure_type: FailureType,
    /// Whether the failure came; none where nobody can know.
    pub came: Option<bool>,
}

/// What a log knows of the past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// Recoveries.
    pub recoveries: Vec<PastRecovery>,
    /// Episodes.
    pub episodes: Vec<PastEpisode>,
}

impl Past {
    /// Counts how those with the same action, and those with the same failure ahead, ended.
    pub fn similar(&self, action: RecoveryAction, failure_type: Option<FailureType>) -> Similar {
        let of_it = |e: &&PastEpisode| Some(e.failure_type) == failure_type;
        let episodes =
            |came: fn(Option<bool>) -> bool| count(self.episodes.iter().filter(of_it).filter(|e| came(e.came)));
        let recoveries = |ended: fn(Outcome) -> bool| {
            count(self.recoveries.iter().filter(|r| r.action == action && ended(r.outcome)))
        };
        Similar {
            episodes: episodes(|_| true),
            hits: episodes(|came| came == Some(true)),
            false_alarms: episodes(|came| came == Some(false)),
            recoveries: recoveries(|_| true),
            recovered: recoveries(|o| o == Outcome::Recovered),
            handed_over: recoveries(|o| o == Outcome::HandedOver),
        }
    }
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}
