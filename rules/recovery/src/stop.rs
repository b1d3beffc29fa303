//! How far a stop is taken: asked for, forced when it hangs, and without the guest's shutdown where people allow that.

use super::facts::InstanceState;

/// How long a stop may take until it is forced, milliseconds.
const HUNG_MS: i64 = 5 * 60_000;
/// How long until it is clear that this has not helped either, milliseconds.
const STUCK_MS: i64 = 2 * HUNG_MS;

/// The next call of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCall {
    /// The guest is asked to shut down.
    Request,
    /// The same, and it is stopped even if it does not.
    Force,
    /// It is stopped without its shutdown: what it has not written is lost.
    SkipShutdown,
}

/// Decides the next call of a stop that began so many milliseconds ago; none: it is only waited for.
///
/// The guest is always asked to shut down, unless people have said that it may be cut off, and nothing else has helped.
pub fn next_call(state: Option<InstanceState>, since_ms: i64, may_skip_shutdown: bool) -> Option<StopCall> {
    match state {
        Some(InstanceState::Running) => Some(StopCall::Request),
        Some(InstanceState::Stopping) if may_skip_shutdown && since_ms > STUCK_MS => Some(StopCall::SkipShutdown),
        Some(InstanceState::Stopping) if since_ms > HUNG_MS => Some(StopCall::Force),
        _ => None,
    }
}

/// Says whether nobody can say when an instance, which began to stop so many milliseconds ago, will be down.
pub fn is_stuck(state: Option<InstanceState>, since_ms: i64) -> bool {
    state == Some(InstanceState::Stopping) && since_ms > STUCK_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use InstanceState::{Running, Stopping};

    #[test]
    fn a_stop_is_forced_when_it_hangs_and_cuts_off_only_who_may_be() {
        let minute = 60_000;
        assert_eq!(next_call(Some(Running), 0, false), Some(StopCall::Request));
        assert_eq!(next_call(Some(Stopping), 5 * minute, true), None);
        assert_eq!(next_call(Some(Stopping), 5 * minute + 1, true), Some(StopCall::Force));
        assert_eq!(next_call(Some(Stopping), 10 * minute + 1, false), Some(StopCall::Force));
        assert_eq!(next_call(Some(Stopping), 10 * minute + 1, true), Some(StopCall::SkipShutdown));
        assert_eq!(next_call(None, 60 * minute, true), None);
        assert!(!is_stuck(Some(Stopping), 10 * minute) && is_stuck(Some(Stopping), 10 * minute + 1));
        assert!(!is_stuck(Some(Running), 60 * minute));
    }
}
