//! The process's own metrics, as Prometheus reads them: what was asked of AWS and what it cost, how far behind everything is, what
//! fails, what was set aside, what was predicted.
//!
//! A success is work done: nothing that was idle, and nothing that was only tried. How far behind something is, is computed when it is
//! read, from the time through which all is dealt with: a thread that is stuck moves no such time on.

mod exposition;
pub mod label;
pub mod standing;

pub use label::{Bus, Call, Disk, Kind, OfLevel, Part, Place, Queue, Reason};
pub use standing::{Ages, Standings};

use crate::pulse::Pulses;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A gauge that holds a fraction.
pub type Level = Gauge<f64, AtomicU64>;

/// All metrics; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Calls made.
    pub calls: Family<Call, Counter>,
    /// Calls that were throttled.
    pub throttles: Family<Call, Counter>,
    /// Calls made again, for whatever reason.
    pub retries: Family<Call, Counter>,
    /// Failures since the last answer.
    pub failures_in_sequence: Family<Call, Gauge>,
    /// Metrics that `CloudWatch` bills for.
    pub billed_metrics: Family<Place, Counter>,
    /// Metrics left of the budget, where the least is left.
    pub budget_left: Gauge,
    pub place_budget_left: Family<Place, Gauge>,
    /// Whether the budget stopped the last round there.
    pub budget_spent: Family<Place, Gauge>,
    /// Samples pulled, those pulled again included.
    pub samples: Counter,
    /// Samples that were there already: late points are looked for by pulling the tail again.
    pub repeated_samples: Counter,
    /// Through what time each part has dealt with everything.
    pub through: Ages<Part>,
    /// How often a part has something to do, seconds: what is normal for its lag.
    pub period_seconds: Family<Part, Level>,
    /// Accounts and regions that are pulled.
    pub places: Standings<Place>,
    /// Whether an account and region is left alone for a while because it failed.
    pub breaker_open: Family<Place, Gauge>,
    /// Queues that are polled.
    pub queues: Standings<Queue>,
    /// Buses that are fed.
    pub buses: Standings<Bus>,
    /// Entries of the log that a bus has not been given.
    pub outbox_waiting: Family<Bus, Gauge>,
    /// Records and messages set aside.
    pub dead_letters: Family<Part, Counter>,
    /// Datapoints of metric streams that were skipped, by reason.
    pub skipped_points: Family<Reason, Counter>,
    /// What retention let go, by kind.
    pub pruned: Family<Kind, Counter>,
    /// Records put into the stream.
    pub stream_put: Counter,
    /// Entries that were put again because the stream refused them at first.
    pub stream_retried: Counter,
    /// Entries that were given up, however often they were tried.
    pub stream_given_up: Counter,
    /// Rows written to the history.
    pub archived_rows: Counter,
    /// Predictions made, by level.
    pub predictions: Family<OfLevel, Counter>,
    /// Announcements sent.
    pub announced: Counter,
    /// Announcements that a bus refused, and that were sent again or given up.
    pub refused_entries: Counter,
    /// Announcements whose detail was trimmed to fit.
    pub trimmed: Counter,
    /// Times that a part failed and was started again.
    pub restarts: Family<Part, Counter>,
    /// Turns of a part that failed in sequence; none once one did not.
    pub failed_turns: Family<Part, Gauge>,
    /// Turns without a sign of life for too long.
    pub hung_turns: Family<Part, Counter>,
    /// Signs of life of each part.
    pub pulses: Pulses,
    /// When a part last did some work, seconds since 1970.
    pub last_success: Family<Part, Level>,
    /// When the process began, seconds since 1970.
    pub started: Level,
    pub disk_free_bytes: Family<Disk, Gauge>,
    pub disk_size_bytes: Family<Disk, Gauge>,
    /// Free bytes below which a disk is nearly full.
    pub disk_low_bytes: Family<Disk, Gauge>,
}

impl Metrics {
    /// Lets everything that is told of a part begin, so that what never happened reads as none, and what is never dealt with grows old.
    pub fn begin(&self, part: &'static str, now_ms: i64) {
        let label = Part { part };
        self.through.begin(label.clone(), now_ms);
        drop(self.pulses.of(part));
        for family in [&self.dead_letters, &self.restarts, &self.hung_turns] {
            drop(family.get_or_create(&label));
        }
        drop(self.failed_turns.get_or_create(&label));
    }

    /// Counts a dead letter.
    pub fn dead_letter(&self, part: &'static str) {
        self.dead_letters.get_or_create(&Part { part }).inc();
    }

    /// Says through what time a part has dealt with everything.
    pub fn dealt_with(&self, part: &'static str, through_ms: i64) {
        self.through.set(Part { part }, through_ms);
    }

    /// Says how often a part has something to do.
    pub fn period(&self, part: &'static str, millis: i64) {
        self.period_seconds.get_or_create(&Part { part }).set(millis as f64 / 1000.0);
    }

    /// Notes that a part did some work: a turn that found nothing to do is none.
    pub fn success(&self, part: &'static str, now_ms: i64) {
        self.last_success.get_or_create(&Part { part }).set(now_ms as f64 / 1000.0);
    }

    /// Notes that a call was answered.
    pub fn answered(&self, call: &Call) {
        self.failures_in_sequence.get_or_create(call).set(0);
    }

    /// Notes that a call failed, throttled or not.
    pub fn failed(&self, call: &Call) {
        self.failures_in_sequence.get_or_create(call).inc();
    }
}

/// Metrics that nobody else sees.
pub fn unregistered() -> Arc<Metrics> {
    Arc::new(Metrics::default())
}
