//! Keeps the alert rules true: each says how grave it is and what to do, and asks for metrics that there are.

use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::metrics::{Bus, Call, Disk, Metrics, OfLevel, Part, Place, Queue};
use forewarn_testkit::exposition::Exposition;
use forewarn_testkit::root;
use std::collections::BTreeSet;
use std::fs;

/// Metrics with one series of each family: of a family without any nothing is told.
fn every_metric() -> Metrics {
    let metrics = Metrics::default();
    metrics.begin("ingest", 0);
    metrics.success("ingest", 0);
    metrics.period("ingest", 1);
    let call = Call { service: "s", operation: "o" };
    for family in [&metrics.calls, &metrics.throttles, &metrics.retries] {
        family.get_or_create(&call).inc();
    }
    metrics.failed(&call);
    let place = Place { account: "1".to_owned(), region: "r".to_owned() };
    for family in [&metrics.breaker_open, &metrics.budget_spent, &metrics.place_budget_left] {
        family.get_or_create(&place).set(1);
    }
    metrics.billed_metrics.get_or_create(&place).inc();
    metrics.places.succeeded(&place, 0);
    metrics.places.through.set(place, 0);
    let queue = Queue { queue: "q".to_owned() };
    metrics.queues.succeeded(&queue, 0);
    metrics.queues.through.set(queue, 0);
    let bus = Bus { bus: "b" };
    metrics.buses.succeeded(&bus, 0);
    metrics.outbox_waiting.get_or_create(&bus).set(0);
    metrics.buses.through.set(bus, 0);
    for family in [&metrics.disk_free_bytes, &metrics.disk_size_bytes, &metrics.disk_low_bytes] {
        family.get_or_create(&Disk { of: "state" }).set(1);
    }
    metrics.predictions.get_or_create(&OfLevel { confidence: "high" }).inc();
    metrics.dead_letters.get_or_create(&Part { part: "ingest" }).inc();
    metrics
}

/// Gives the names of our metrics that stand in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.filter(|w| w.starts_with("forewarn_")).map(str::to_owned).collect()
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_do() {
    let rules = fs::read_to_string(root().join("infra/prometheus/forewarn.rules.yaml")).unwrap();
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15, "{}", alerts.len());
    let mut names = BTreeSet::new();
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        for wanted in ["expr: ", "labels: {severity: ", "summary: ", "description: >-"] {
            assert_eq!(alert.matches(wanted).count(), 1, "{name}: {wanted}");
        }
        assert!(alert.contains("severity: critical}") || alert.contains("severity: warning}"), "{name}");
        let description = alert.split("description: >-").nth(1).unwrap();
        assert!(description.split_whitespace().count() >= 25, "{name} does not say what to do");
    }
}

#[test]
fn rules_and_their_page_name_only_metrics_that_there_are() {
    let told = Exposition::parse(&every_metric().render(&ManualClock::at(0))).unwrap();
    let there = told.names();
    for file in ["infra/prometheus/forewarn.rules.yaml", "infra/prometheus/README.md"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let missing: Vec<String> = named(&text).into_iter().filter(|name| !there.contains(name)).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}; there are {there:#?}");
    }
}
