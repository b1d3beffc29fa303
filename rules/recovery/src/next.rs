//! Says what an executor is to do next about a recovery: it advances one as far as it can, and otherwise says when to come again.

use super::pace::CALL_MS;
pub use super::pace::LEASE_MS;

use super::state::{Phase, Progress, Recovery};
use forewarn_domain::time::UnixMs;

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read the facts and plan.
    Plan,
    /// Tell people.
    Announce,
    /// Read the facts again and ask for admission.
    Admit,
    /// Take the lease.
    Lease,
    /// Intend and make the call of the next step.
    Perform,
    /// A call may have been made: look what came of it, and take it over or make it again.
    Adopt,
    /// All steps are behind, or one has failed for good.
    Conclude,
    /// See whether it is well.
    Look,
    /// Nothing before this time.
    Wait(UnixMs),
    /// Nothing until a person acts.
    Person,
    /// Nothing any more.
    Nothing,
}

/// How much of a lease must be left for a call, milliseconds; it is taken again before that.
pub const RENEW_MS: i64 = CALL_MS + CALL_MS / 2;

/// Says what `holder` is to do next.
pub fn next(state: &Recovery, holder: &str, now: UnixMs) -> Next {
    match state.phase {
        Phase::New | Phase::Closed { .. } => Next::Nothing,
        Phase::Stuck => Next::Person,
        Phase::Deferred { until_ms, .. } | Phase::Announced { until_ms } if now < until_ms => Next::Wait(until_ms),
        Phase::Requested | Phase::Deferred { .. } => Next::Plan,
        Phase::Planned => Next::Announce,
        Phase::Announced { .. } => Next::Admit,
        Phase::Holding { .. } => Next::Look,
        Phase::Running(_) | Phase::Undoing(_) => at_work(state, holder, now),
    }
}

fn at_work(state: &Recovery, holder: &str, now: UnixMs) -> Next {
    match &state.holder {
        Some(h) if h.name != holder && now < h.until_ms => return Next::Wait(h.until_ms),
        Some(h) if h.name == holder && now.saturating_add(RENEW_MS) <= h.until_ms => {}
        _ => return Next::Lease,
    }
    if let Some(intent) = state.intent() {
        // What this very lease intended is known to whoever holds it; what another did settles first.
        let settled = now >= intent.settles_ms || intent.epoch == state.epoch();
        return if settled { Next::Adopt } else { Next::Wait(intent.settles_ms) };
    }
    if state.has_given_up() || state.step().is_none() {
        return Next::Conclude;
    }
    match state.progress().and_then(Progress::not_before_ms) {
        Some(at_ms) if now < at_ms => Next::Wait(at_ms),
        _ => Next::Perform,
    }
}
