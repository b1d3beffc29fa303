//! Names what a metric is about.

use prometheus_client::encoding::EncodeLabelSet;

/// Which call of which service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Call {
    /// The service, such as `cloudwatch`.
    pub service: &'static str,
    /// The operation, such as `GetMetricData`.
    pub operation: &'static str,
}

/// Which part of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Part {
    /// The part: `ingest`, `events`, `metric-stream`, `archive`, `analyze`, `emit`, `maintain`.
    pub part: &'static str,
}

/// Why something was skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Reason {
    /// The reason's name, as in dead letters.
    pub reason: &'static str,
}

/// Which of the things that are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Kind {
    /// Its name, such as `dead_letters`.
    pub kind: &'static str,
}

/// Which level a prediction has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct OfLevel {
    /// The level's name.
    pub confidence: &'static str,
}

/// Which account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Place {
    /// The account id, or `unknown`.
    pub account: String,
    pub region: String,
}

/// Which queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Queue {
    /// Its URL.
    pub queue: String,
}

/// Which bus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Bus {
    /// The name of its cursor, such as `eventbridge`.
    pub bus: &'static str,
}

/// Which disk, by what lies on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Disk {
    /// `state` or `history`.
    pub of: &'static str,
}
