//! Times in which what an instance shows is nobody's failure: it was stopped on purpose, or it boots.

use super::{Seen, Settings, What};
use std::collections::BTreeSet;

/// How long a stop that somebody wanted explains what is seen, when no start follows, milliseconds.
const STOP_EXPLAINS_MS: i64 = 6 * 3_600_000;
/// A stop shows in the checks before its event does, milliseconds.
const AHEAD_MS: i64 = 5 * 60_000;

/// The planned times of one instance.
#[derive(Debug)]
pub(super) struct Planned(Vec<(i64, i64)>);

impl Planned {
    /// Reads them from what was seen of the instance, in order of time.
    pub(super) fn of(seen: &BTreeSet<&Seen>, settings: &Settings) -> Self {
        let ups: Vec<i64> = seen.iter().filter(|s| s.what == What::Up).map(|s| s.ts).collect();
        let mut spans = Vec::new();
        for one in seen {
            match &one.what {
                What::Up => spans.push((one.ts, one.ts.saturating_add(settings.boot_ms))),
                What::Planned => spans.push(stop(one.ts, &ups)),
                What::Down(reason) if reason.as_deref().is_some_and(|r| !is_unplanned(r)) => {
                    spans.push(stop(one.ts, &ups));
                }
                What::Down(_) | What::CheckFailed(..) | What::Fault(_) => {}
            }
        }
        Self(spans)
    }

    /// Says whether a time is planned.
    pub(super) fn covers(&self, ts: i64) -> bool {
        self.0.iter().any(|(from, to)| (*from..*to).contains(&ts))
    }
}

/// From a little before the stop until the instance starts again.
fn stop(ts: i64, ups: &[i64]) -> (i64, i64) {
    let back = ups.iter().copied().find(|up| *up > ts);
    (ts.saturating_sub(AHEAD_MS), back.unwrap_or_else(|| ts.saturating_add(STOP_EXPLAINS_MS)))
}

/// Says whether a reason of EC2's blames EC2 itself: neither a user's call or shutdown nor Spot's.
///
/// Codes: `StateReason` in the EC2 API Reference (`Server.InternalError`, `Server.ScheduledStop`, `Server.SpotInstanceTermination`,
/// `Client.UserInitiatedShutdown` and others).
pub(super) fn is_unplanned(reason: &str) -> bool {
    reason.starts_with("Server.") && !reason.contains("Spot")
}
