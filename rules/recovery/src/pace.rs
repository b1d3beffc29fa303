//! How long calls, leases and steps may take, and how often a step is tried.

use forewarn_domain::time::UnixMs;

/// How long one call may take, its retries included, milliseconds; longer waits are looked at again and again instead.
pub const CALL_MS: i64 = 60_000;
/// How long a lease holds, milliseconds.
pub const LEASE_MS: i64 = 5 * CALL_MS;
/// How long a step may take unless told otherwise, milliseconds.
pub const STEP_TIMEOUT_MS: i64 = 600_000;
/// How long what holds nothing up may take, milliseconds.
pub const OPTIONAL_TIMEOUT_MS: i64 = 45_000;
/// How long snapshots may take until they are complete, milliseconds.
pub const SNAPSHOT_TIMEOUT_MS: i64 = 6 * STEP_TIMEOUT_MS;
/// How often a step is tried.
pub const STEP_ATTEMPTS: u32 = 3;
/// How often a step back is tried: where it fails for good a person has to come, so what AWS does not answer for minutes is waited for.
pub const UNDO_ATTEMPTS: u32 = 10;
/// What has to be left of the time until AWS takes an instance when what can be left out is left out, milliseconds: its snapshots are to be
/// asked for 50 s before, and that takes a moment.
const SPOT_LEFT_MS: i64 = 60_000;
/// How long after a failure it is tried again where AWS takes the instance, milliseconds.
pub const SPOT_RETRY_MS: i64 = 2_000;
/// How long after a failure it is tried again, milliseconds.
pub const RETRY_MS: i64 = 30_000;

/// How patient steps are, where people say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a step may take, milliseconds.
    pub timeout_ms: i64,
    /// How often it is tried.
    pub attempts: u32,
    /// How long after a failure it is tried again, milliseconds.
    pub retry_ms: i64,
}

/// Says whether AWS takes an instance so soon that only its snapshots are still to be asked for.
pub const fn leaves_no_time(deadline: UnixMs, now: UnixMs) -> bool {
    now.0 >= deadline.saturating_sub(SPOT_LEFT_MS).0
}
