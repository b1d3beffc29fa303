//! Says what a round did: what was asked, what it costs, what came, what is missing.

use super::breaker::Position;
use super::budget::Spent;
use super::clean::Faults;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most pages of one listing: half a million metrics of one name, or a million instances.
pub(super) const MAX_PAGES: u32 = 1000;

/// What is counted while a place is dealt with; threads share it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) list_calls: AtomicU64,
    pub(super) describe_calls: AtomicU64,
    pub(super) data_calls: AtomicU64,
    pub(super) billed_metrics: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) throttles: AtomicU64,
    pub(super) partials: AtomicU64,
    pub(super) failed_queries: AtomicU64,
    pub(super) samples: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) doubled: AtomicU64,
    pub(super) not_finite: AtomicU64,
    pub(super) outside: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// The counter of an operation's calls.
    pub(super) fn of(&self, operation: &str) -> &AtomicU64 {
        match operation {
            "ListMetrics" => &self.list_calls,
            "DescribeInstances" | "DescribeInstanceCreditSpecifications" => &self.describe_calls,
            _ => &self.data_calls,
        }
    }

    pub(super) fn faults(&self, faults: Faults) {
        Self::add(&self.doubled, faults.doubled);
        Self::add(&self.not_finite, faults.not_finite);
        Self::add(&self.outside, faults.outside);
    }

    pub(super) fn tally(&self) -> Tally {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            list_calls: get(&self.list_calls),
            describe_calls: get(&self.describe_calls),
            data_calls: get(&self.data_calls),
            billed_metrics: get(&self.billed_metrics),
            retries: get(&self.retries),
            throttles: get(&self.throttles),
            partials: get(&self.partials),
            failed_queries: get(&self.failed_queries),
            samples: get(&self.samples),
            repeated: get(&self.repeated),
            late: get(&self.late),
            doubled: get(&self.doubled),
            not_finite: get(&self.not_finite),
            outside: get(&self.outside),
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// `ListMetrics` calls.
    pub list_calls: u64,
    /// `DescribeInstances` calls.
    pub describe_calls: u64,
    /// `GetMetricData` calls, pages and retries included.
    pub data_calls: u64,
    /// Metrics that CloudWatch bills for, by the stricter reading: pages and retries included.
    pub billed_metrics: u64,
    /// Calls made again.
    pub retries: u64,
    /// Calls that were throttled.
    pub throttles: u64,
    /// Results that came in several pages.
    pub partials: u64,
    /// Queries that CloudWatch failed and that were asked again.
    pub failed_queries: u64,
    /// Samples that came, repeated ones included.
    pub samples: u64,
    /// Samples that had been sent before and were not sent again: the tail is read again for late points.
    pub repeated: u64,
    /// Samples that came so late that following had gone on: gaps are asked for again.
    pub late: u64,
    /// Points that came twice in one answer.
    pub doubled: u64,
    /// Points that are no finite number.
    pub not_finite: u64,
    /// Points outside the window that was asked for.
    pub outside: u64,
}

impl Tally {
    fn plus(self, o: Self) -> Self {
        Self {
            list_calls: self.list_calls + o.list_calls,
            describe_calls: self.describe_calls + o.describe_calls,
            data_calls: self.data_calls + o.data_calls,
            billed_metrics: self.billed_metrics + o.billed_metrics,
            retries: self.retries + o.retries,
            throttles: self.throttles + o.throttles,
            partials: self.partials + o.partials,
            failed_queries: self.failed_queries + o.failed_queries,
            samples: self.samples + o.samples,
            repeated: self.repeated + o.repeated,
            late: self.late + o.late,
            doubled: self.doubled + o.doubled,
            not_finite: self.not_finite + o.not_finite,
            outside: self.outside + o.outside,
        }
    }
}

/// What a round did in one account and region.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PlaceReport {
    /// The account, as far as it is known.
    pub account: String,
    pub region: String,
    /// Whether everything that is known and was due was asked for; [`PlaceReport::gaps`] says what is not known.
    pub complete: bool,
    /// Why not, in words.
    pub error: Option<String>,
    /// Whether it is asked next time.
    #[serde(flatten)]
    pub breaker: Position,
    /// The budget, where it stopped the round.
    pub spent: Option<Spent>,
    /// Metrics billed this month, as counted here.
    pub billed_this_month: u64,
    /// Instances that are observed.
    pub instances: u64,
    /// Series that are pulled.
    pub series: u64,
    /// Series that were seen for the first time.
    pub new_series: u64,
    /// Series that are not done.
    pub series_left: u64,
    /// Calls that were planned for them.
    pub planned_calls: u64,
    /// Metrics that these calls request: what CloudWatch bills if all are made.
    pub planned_metrics: u64,
    /// Points that they can give at most.
    pub planned_points: u64,
    /// Volumes with metrics that no known instance has had.
    pub unmapped_volumes: u64,
    /// Listings that had more pages than are read.
    pub listings_cut: u64,
    /// Series that fell silent before this are no longer listed, and the range reaches further back, milliseconds.
    pub listed_since: Option<i64>,
    /// Metrics whose names can't be kept.
    pub odd_metrics: u64,
    /// AWS's time less this machine's, milliseconds, where a reply said so.
    pub clock_offset_ms: Option<i64>,
    /// Age of the oldest watermark when the round ended, milliseconds.
    pub lag_ms: Option<i64>,
    /// What was counted.
    #[serde(flatten)]
    pub tally: Tally,
}

impl PlaceReport {
    /// Says whether everything was pulled that CloudWatch still names.
    pub const fn is_whole(&self) -> bool {
        self.complete && self.unmapped_volumes == 0 && self.listings_cut == 0
    }

    /// Says in sentences what may be missing although nothing failed, and what helps.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.unmapped_volumes > 0 {
            gaps.push(format!(
                "{} volumes have metrics and belong to no instance that is known, so these are missing; give --ids FILE with lines \
                 `INSTANCE VOLUME…` and run it again",
                self.unmapped_volumes
            ));
        }
        if self.listings_cut > 0 {
            gaps.push(format!(
                "{} listings have more than {MAX_PAGES} pages; the instances and metrics beyond are not observed: narrow --select or \
                 --namespaces, or observe the rest with another forewarn",
                self.listings_cut
            ));
        }
        if let Some(since) = self.listed_since {
            gaps.push(format!(
                "CloudWatch no longer lists series that fell silent before {}: of instances gone since, only what EC2 itself measures \
                 can be found, and only where --ids or an earlier run names them",
                forewarn_runtime::time::format_ms(since)
            ));
        }
        gaps
    }
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// When it began, milliseconds.
    pub began_at: i64,
    /// When it ended, milliseconds.
    pub ended_at: i64,
    /// Whether everything that was due was asked for, everywhere.
    pub complete: bool,
    /// Whether it was cut short.
    pub interrupted: bool,
    /// Encoded records put into the stream.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Batches that an earlier run had been about to put when it ended.
    pub resumed: u64,
    /// What was counted, everywhere.
    #[serde(flatten)]
    pub tally: Tally,
    /// Each account and region.
    pub places: Vec<PlaceReport>,
}

impl Report {
    /// Sums up the places.
    pub(super) fn close(mut self, places: Vec<PlaceReport>, now: i64, interrupted: bool) -> Self {
        self.tally = places.iter().map(|p| p.tally).fold(Tally::default(), Tally::plus);
        self.complete = places.iter().all(|p| p.complete) && !interrupted;
        self.interrupted = interrupted;
        self.places = places;
        self.ended_at = now;
        self
    }

    /// Says whether everything was pulled everywhere that CloudWatch still names.
    pub fn is_whole(&self) -> bool {
        self.complete && self.places.iter().all(PlaceReport::is_whole)
    }

    /// Gives the share of samples that had been sent before.
    pub fn repeated_share(&self) -> f64 {
        self.tally.repeated as f64 / self.tally.samples.max(1) as f64
    }

    /// Gives the age of the oldest watermark of all places, milliseconds.
    pub fn lag_ms(&self) -> Option<i64> {
        self.places.iter().filter_map(|p| p.lag_ms).max()
    }
}
