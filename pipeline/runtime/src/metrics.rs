//! The process's own vital signs, as Prometheus reads them: what was asked of AWS and what it cost, how far behind everything is,
//! what was set aside, what was predicted.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Which call of which service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Call {
    /// The service, such as `cloudwatch`.
    pub service: &'static str,
    /// The operation, such as `GetMetricData`.
    pub operation: &'static str,
}

/// Which part of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Part {
    /// The part: `ingest`, `archive`, `analyze`, `emit`, `events`.
    pub part: &'static str,
}

/// Which level a prediction has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfLevel {
    /// The level's name.
    pub confidence: &'static str,
}

/// Which account and region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Place {
    /// The account id, or `unknown`.
    pub account: String,
    pub region: String,
}

/// A gauge that holds a fraction.
pub type Level = Gauge<f64, AtomicU64>;

/// All vital signs; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Calls made.
    pub calls: Family<Call, Counter>,
    /// Calls that were throttled.
    pub throttles: Family<Call, Counter>,
    /// Calls made again, for whatever reason.
    pub retries: Family<Call, Counter>,
    /// Metrics that `CloudWatch` bills for.
    pub billed_metrics: Family<Place, Counter>,
    /// Metrics left of the budget.
    pub budget_left: Gauge,
    /// Samples pulled, those pulled again included.
    pub samples: Counter,
    /// Samples that were there already: late points are looked for by pulling the tail again.
    pub repeated_samples: Counter,
    /// Seconds between now and what has been dealt with.
    pub lag_seconds: Family<Part, Level>,
    /// Records and messages set aside.
    pub dead_letters: Family<Part, Counter>,
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
    /// When a part last succeeded, seconds since 1970.
    pub last_success: Family<Part, Level>,
}

impl Metrics {
    /// Writes them as `OpenMetrics` text.
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("forewarn");
        registry.register("aws_calls", "Calls made to AWS", self.calls.clone());
        registry.register("aws_throttles", "Calls that AWS throttled", self.throttles.clone());
        registry.register("aws_retries", "Calls made again", self.retries.clone());
        registry.register("billed_metrics", "Metrics that CloudWatch bills for", self.billed_metrics.clone());
        registry.register("budget_left_metrics", "Metrics left of the budget", self.budget_left.clone());
        registry.register("samples", "Samples pulled", self.samples.clone());
        registry.register("repeated_samples", "Samples pulled again", self.repeated_samples.clone());
        registry.register("lag_seconds", "Seconds between now and what has been dealt with", self.lag_seconds.clone());
        registry.register("dead_letters", "Records and messages set aside", self.dead_letters.clone());
        registry.register("stream_put", "Records put into the stream", self.stream_put.clone());
        registry.register("stream_retried", "Stream entries put again", self.stream_retried.clone());
        registry.register("stream_given_up", "Stream entries given up", self.stream_given_up.clone());
        registry.register("archived_rows", "Rows written to the history", self.archived_rows.clone());
        registry.register("predictions", "Predictions made", self.predictions.clone());
        registry.register("announced", "Announcements sent", self.announced.clone());
        registry.register("refused_entries", "Announcements a bus refused", self.refused_entries.clone());
        registry.register("trimmed", "Announcements trimmed to fit", self.trimmed.clone());
        registry.register("restarts", "Times a part failed and was started again", self.restarts.clone());
        registry.register("last_success_seconds", "When a part last succeeded", self.last_success.clone());
        let mut text = String::new();
        // Writing to a string cannot fail.
        encode(&mut text, &registry).ok();
        text
    }

    /// Counts a dead letter.
    pub fn dead_letter(&self, part: &'static str) {
        self.dead_letters.get_or_create(&Part { part }).inc();
    }

    /// Says how far behind a part is.
    pub fn lag(&self, part: &'static str, millis: i64) {
        self.lag_seconds.get_or_create(&Part { part }).set(millis as f64 / 1000.0);
    }

    /// Notes that a part succeeded.
    pub fn success(&self, part: &'static str, now_ms: i64) {
        self.last_success.get_or_create(&Part { part }).set(now_ms as f64 / 1000.0);
    }
}

/// Vital signs that nobody else sees.
pub fn unregistered() -> Arc<Metrics> {
    Arc::new(Metrics::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_written() {
        let metrics = Metrics::default();
        metrics.calls.get_or_create(&Call { service: "cloudwatch", operation: "GetMetricData" }).inc();
        metrics.lag("archive", 1500);
        let text = metrics.render();
        assert!(
            text.contains("forewarn_aws_calls_total{service=\"cloudwatch\",operation=\"GetMetricData\"} 1"),
            "{text}"
        );
        assert!(text.contains("forewarn_lag_seconds{part=\"archive\"} 1.5"), "{text}");
    }
}
