//! Writes the metrics as `OpenMetrics` text.

use super::{Level, Metrics, Part};
use crate::clock::Clock;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

impl Metrics {
    /// Writes them as `OpenMetrics` text, as they are now: ages are those of this moment.
    pub fn render(&self, clock: &dyn Clock) -> String {
        let mut registry = Registry::with_prefix("forewarn");
        self.register_calls(&mut registry);
        self.register_parts(&mut registry, clock);
        self.register_work(&mut registry);
        let now = clock.now_ms();
        let age = ("place_lag_seconds", "Seconds between now and the oldest watermark of the account and region");
        self.places.register(&mut registry, "place", age, now);
        registry.register("breaker_open", "Whether the place is left alone for a while", self.breaker_open.clone());
        let age = ("queue_age_seconds", "Seconds that a message in the queue may have waited");
        self.queues.register(&mut registry, "queue", age, now);
        let age = ("outbox_lag_seconds", "Age of the oldest announcement that the bus has not been given");
        self.buses.register(&mut registry, "bus", age, now);
        registry.register("outbox_waiting", "Log entries the bus has not been given", self.outbox_waiting.clone());
        registry.register("skipped_points", "Datapoints of metric streams skipped", self.skipped_points.clone());
        registry.register("pruned", "What retention let go", self.pruned.clone());
        registry.register("disk_free_bytes", "Bytes free on the disk", self.disk_free_bytes.clone());
        registry.register("disk_size_bytes", "Bytes of the disk", self.disk_size_bytes.clone());
        registry.register("disk_low_bytes", "Free bytes below which it is nearly full", self.disk_low_bytes.clone());
        registry.register("start_time_seconds", "When the process began", self.started.clone());
        let mut text = String::new();
        // Writing to a string cannot fail.
        encode(&mut text, &registry).ok();
        text
    }

    fn register_calls(&self, registry: &mut Registry) {
        registry.register("aws_calls", "Calls made to AWS", self.calls.clone());
        registry.register("aws_throttles", "Calls that AWS throttled", self.throttles.clone());
        registry.register("aws_retries", "Calls made again", self.retries.clone());
        let help = "Calls that failed since the last one that was answered";
        registry.register("aws_failures_in_sequence", help, self.failures_in_sequence.clone());
        registry.register("billed_metrics", "Metrics that CloudWatch bills for", self.billed_metrics.clone());
        let help = "Metrics left of the budget, where the least is left";
        registry.register("budget_left_metrics", help, self.budget_left.clone());
        let help = "Metrics left of the budget, by place";
        registry.register("place_budget_left_metrics", help, self.place_budget_left.clone());
        registry.register("budget_spent", "Whether the budget stopped the last round", self.budget_spent.clone());
    }

    fn register_parts(&self, registry: &mut Registry, clock: &dyn Clock) {
        let through = self.through.at(clock.now_ms());
        registry.register("lag_seconds", "Seconds between now and what has been dealt with", through);
        registry.register("period_seconds", "Seconds between two turns with work to do", self.period_seconds.clone());
        registry.register("last_success_seconds", "When a part last did some work", self.last_success.clone());
        registry.register("restarts", "Times a part failed and was started again", self.restarts.clone());
        registry.register("failed_turns", "Turns that failed in sequence", self.failed_turns.clone());
        registry.register("hung_turns", "Turns without a sign of life for too long", self.hung_turns.clone());
        registry.register("dead_letters", "Records and messages set aside", self.dead_letters.clone());
        let (still, hung) = (Family::<Part, Level>::default(), Family::<Part, Gauge>::default());
        let uptime = clock.uptime_ms();
        for (part, pulse) in self.pulses.all() {
            still.get_or_create(&Part { part }).set(pulse.still_ms(uptime) as f64 / 1000.0);
            hung.get_or_create(&Part { part }).set(i64::from(pulse.is_hung(uptime)));
        }
        registry.register("part_still_seconds", "Seconds since a turn last gave a sign of life", still);
        registry.register("part_hung", "Whether a turn has given no sign of life for too long", hung);
    }

    fn register_work(&self, registry: &mut Registry) {
        registry.register("samples", "Samples pulled", self.samples.clone());
        registry.register("repeated_samples", "Samples pulled again", self.repeated_samples.clone());
        registry.register("stream_put", "Records put into the stream", self.stream_put.clone());
        registry.register("stream_retried", "Stream entries put again", self.stream_retried.clone());
        registry.register("stream_given_up", "Stream entries given up", self.stream_given_up.clone());
        registry.register("archived_rows", "Rows written to the history", self.archived_rows.clone());
        registry.register("predictions", "Predictions made", self.predictions.clone());
        registry.register("announced", "Announcements sent", self.announced.clone());
        registry.register("refused_entries", "Announcements a bus refused", self.refused_entries.clone());
        registry.register("trimmed", "Announcements trimmed to fit", self.trimmed.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bus, Place};
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn an_age_goes_on_where_nobody_moves_it_on() {
        let (metrics, clock) = (Metrics::default(), ManualClock::at(5_000));
        metrics.begin("archive", 5_000);
        metrics.dealt_with("ingest", 1_000);
        let lag = |part, now| metrics.through.at(now).get_or_create(&Part { part }).get();
        assert_eq!((lag("archive", 5_000), lag("ingest", 5_000)), (0.0, 4.0));
        clock.advance(60_000);
        assert_eq!((lag("archive", clock.now_ms()), lag("ingest", clock.now_ms())), (60.0, 64.0));
        metrics.begin("archive", clock.now_ms());
        assert_eq!(metrics.through.oldest(), Some(1_000), "what has begun does not begin anew");
    }

    #[test]
    fn what_fails_fails_until_it_succeeds_or_rests() {
        let metrics = Metrics::default();
        let place = Place { account: "1".to_owned(), region: "r".to_owned() };
        metrics.places.failed(&place);
        assert!(metrics.places.is_failed(&place));
        metrics.places.succeeded(&place, 1);
        assert!(!metrics.places.is_failed(&place));
        metrics.buses.failed(&Bus { bus: "eventbridge" });
        metrics.buses.rests(&Bus { bus: "eventbridge" });
        assert!(!metrics.buses.is_failed(&Bus { bus: "eventbridge" }));
    }
}
