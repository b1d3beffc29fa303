//! What a round is asked to do.

use super::metric_scope::MetricScope;
use super::select::Selection;
use super::watch::PlaceWatch;
use super::window::Window;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::Metrics;
use std::collections::{BTreeMap, BTreeSet};

/// How much of the end is read again for late points unless told otherwise, milliseconds.
pub const DEFAULT_TAIL_MS: i64 = 2 * 3_600_000;
/// How far following reaches back when it begins unless told otherwise, milliseconds.
pub const DEFAULT_LOOKBACK_MS: i64 = 3 * 3_600_000;
/// How old what was discovered may get unless told otherwise, milliseconds.
pub const DEFAULT_DISCOVERY_AGE_MS: i64 = 3_600_000;
/// For how long a call is tried unless told otherwise, milliseconds.
pub const DEFAULT_PATIENCE_MS: i64 = 20 * 60_000;
/// For how long a place is asked that doesn't answer at all, milliseconds: a call without an answer takes more than a minute.
pub const SILENCE_MS: i64 = 2 * 60_000;
/// How long following may take in one place, milliseconds: the next round goes on where this one ended.
pub const FOLLOW_DEADLINE_MS: i64 = 45 * 60_000;

/// What a round is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything since the last success.
    Follow {
        /// How much of the end is read again for late points, milliseconds.
        tail_ms: i64,
        /// How far following reaches back when it begins, milliseconds.
        lookback_ms: i64,
    },
    /// Everything in a range, those that are gone included.
    Once { range: Window },
}

/// What to pull, and with what.
#[derive(Debug)]
pub struct Job<'a> {
    /// What the round is to do.
    pub mode: Mode,
    /// Which instances.
    pub selection: Selection,
    /// Further instances, by id: those of an id file or of the history.
    pub ids: BTreeSet<String>,
    /// Which instance volumes belonged to, where nothing else can say it any more.
    pub volumes: BTreeMap<String, String>,
    /// Which metrics.
    pub wanted: MetricScope,
    /// How old what was discovered may get, milliseconds.
    pub discovery_age_ms: i64,
    /// How much of the end of a backfill is remembered, so that following doesn't send it again, milliseconds.
    pub tail_ms: i64,
    /// Metrics that may be asked for in a calendar month, for each account and region.
    pub budget: Option<u64>,
    /// Threads for each place.
    pub workers: usize,
    /// For how long a call is tried, milliseconds.
    pub patience_ms: i64,
    /// How long the round may take in one place, milliseconds; none where it takes what it takes.
    pub deadline_ms: Option<i64>,
    /// Who hears how it goes in each place.
    pub watch: Option<&'a dyn PlaceWatch>,
    /// What the jitter of waits is drawn from.
    pub seed: u64,
    pub clock: &'a dyn Clock,
    /// Raised when it is to end.
    pub stop: &'a Interrupt,
    /// Where it is counted.
    pub metrics: &'a Metrics,
}
