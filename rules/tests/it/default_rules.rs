//! Each default rule fires where it should, stays silent where it should, and turns exactly at its boundary.

mod degrees;

use crate::support::{Row, builtin, hand, one};
use forewarn_rules::ruleset::Evidence;

enum Edge {
    /// Fires at the value and above.
    AtLeast(&'static str, f64),
    /// Fires at the value and below.
    AtMost(&'static str, f64),
    /// Fires above the value only.
    Above(&'static str, f64),
}
use Edge::{Above, AtLeast, AtMost};

struct Fixture {
    rule: &'static str,
    fires: Row<'static>,
    edges: &'static [Edge],
    /// Changes that each silence it.
    silent: Row<'static>,
}

const fn fixture(rule: &'static str, fires: Row<'static>, edges: &'static [Edge], silent: Row<'static>) -> Fixture {
    Fixture { rule, fires, edges, silent }
}

fn fixtures() -> impl Iterator<Item = &'static Fixture> {
    FIXTURES.iter().chain(degrees::DEGREES)
}

const FIXTURES: &[Fixture] = &[
    fixture(
        "memory-above-usual-and-filling",
        &[("memory_lift_6h", 16.0), ("memory_x24", 0.7), ("memory_tooth", 0.0)],
        &[AtLeast("memory_lift_6h", 4.0), AtLeast("memory_x24", 0.3)],
        &[("memory_tooth", 1.0), ("memory_x24", f64::NAN)],
    ),
    fixture(
        "disk-above-usual-and-filling",
        &[("disk_lift_24h", 12.0), ("disk_x24", 0.7)],
        &[AtLeast("disk_lift_24h", 1.0), AtLeast("disk_x24", 0.3)],
        &[("disk_tooth", 1.0), ("disk_x24", f64::NAN)],
    ),
    fixture(
        "steal-above-usual-for-long",
        &[("steal_lift_6h", 8.0), ("steal_hours_critical", 9.0), ("steal_excess_run", 5.0)],
        &[AtLeast("steal_lift_6h", 2.0), AtLeast("steal_hours_critical", 4.0), AtLeast("steal_excess_run", 2.0)],
        &[("steal_excess_run", 0.0)],
    ),
    fixture(
        "queue-above-usual-for-long",
        &[("queue_lift_6h", 9.0), ("queue_excess_run", 5.0)],
        &[AtLeast("queue_lift_6h", 2.0), AtLeast("queue_excess_run", 2.0)],
        &[("queue_excess_run", 0.0)],
    ),
    fixture(
        "cpu-above-usual",
        &[("cpu_lift_24h", 25.0), ("cpu_now", 90.0)],
        &[AtLeast("cpu_lift_24h", 8.0), AtLeast("cpu_now", 85.0)],
        &[("cpu_lift_24h", 0.0), ("cpu_lift_24h", f64::NAN)],
    ),
    fixture(
        "steal-beyond-habit",
        &[("steal_now", 8.0), ("steal_excess_run", 5.0), ("steal_hours_critical", 9.0)],
        &[AtLeast("steal_now", 5.0)],
        &[("steal_now", 2.5), ("steal_now", f64::NAN)],
    ),
    fixture(
        "iowait-beyond-habit",
        &[("iowait_now", 23.0), ("iowait_excess_run", 5.0), ("iowait_hours_critical", 9.0)],
        &[AtLeast("iowait_now", 20.0)],
        &[("iowait_now", 10.0), ("iowait_now", f64::NAN)],
    ),
    fixture(
        "queue-beyond-habit",
        &[("queue_now", 13.0), ("queue_excess_run", 5.0), ("queue_hours_critical", 9.0)],
        &[AtLeast("queue_now", 10.0)],
        &[("queue_now", 5.0), ("queue_now", f64::NAN)],
    ),
    fixture(
        "network-beyond-habit",
        &[("net_drop_now", 13.0), ("net_drop_excess_run", 5.0), ("net_drop_hours_critical", 9.0)],
        &[AtLeast("net_drop_now", 10.0)],
        &[("net_drop_now", 5.0), ("net_drop_now", f64::NAN)],
    ),
    fixture(
        "memory-beyond-habit",
        &[("memory_now", 98.0), ("memory_excess_run", 5.0), ("memory_hours_critical", 9.0)],
        &[AtLeast("memory_now", 95.0)],
        &[("memory_now", 47.5), ("memory_now", f64::NAN)],
    ),
    fixture(
        "disk-beyond-habit",
        &[("disk_now", 93.0), ("disk_excess_run", 5.0), ("disk_hours_critical", 9.0)],
        &[AtLeast("disk_now", 90.0)],
        &[("disk_now", 45.0), ("disk_now", f64::NAN)],
    ),
    fixture(
        "memory-nearly-full",
        &[("memory_now", 90.0), ("memory_slope_24h", 6.0), ("memory_q24", 0.6), ("memory_tooth", 0.0)],
        &[AtLeast("memory_now", 85.0), Above("memory_slope_24h", 0.0)],
        &[("memory_tooth", 1.0), ("memory_slope_24h", -1.0), ("memory_now", f64::NAN)],
    ),
    fixture(
        "memory-leak",
        &[("memory_trend", 6.0), ("memory_slope_7d", 3.0), ("memory_q72", 0.5)],
        &[AtLeast("memory_trend", 3.0), Above("memory_slope_7d", 0.0)],
        &[("memory_tooth", 1.0), ("memory_trend", f64::NAN)],
    ),
    fixture(
        "disk-filling",
        &[("disk_now", 85.0), ("disk_slope_24h", 4.0), ("disk_q24", 0.7)],
        &[AtLeast("disk_now", 80.0), Above("disk_slope_24h", 0.0)],
        &[("disk_tooth", 1.0), ("disk_slope_24h", f64::NAN)],
    ),
    fixture(
        "disk-trend",
        &[("disk_trend", 5.0), ("disk_slope_7d", 2.0), ("disk_q168", 0.8), ("disk_now", 70.0)],
        &[AtLeast("disk_trend", 3.0), Above("disk_slope_7d", 0.0)],
        &[("disk_tooth", 1.0)],
    ),
    fixture(
        "disk-nearly-full",
        &[("disk_now", 96.0), ("disk_slope_7d", 0.5)],
        &[AtLeast("disk_now", 90.0), Above("disk_slope_7d", 0.0)],
        &[("disk_slope_7d", -0.5), ("disk_now", 60.0)],
    ),
    fixture(
        "cpu-saturated",
        &[("cpu_now", 99.0), ("cpu_above_critical_24h", 0.3), ("cpu_hours_critical", 5.0)],
        &[AtLeast("cpu_now", 95.0), AtLeast("cpu_above_critical_24h", 0.1)],
        &[("cpu_now", 40.0)],
    ),
    fixture(
        "cpu-runaway",
        &[("cpu_now", 90.0), ("cpu_resid_z", 6.0)],
        &[AtLeast("cpu_now", 85.0), AtLeast("cpu_resid_z", 4.0)],
        &[("cpu_resid_z", f64::NAN), ("cpu_resid_z", 0.5)],
    ),
    fixture(
        "steal-sustained",
        &[("steal_now", 12.0), ("steal_above_warning_24h", 0.5), ("steal_above_critical_24h", 0.3)],
        &[AtLeast("steal_now", 5.0), AtLeast("steal_above_warning_24h", 0.1)],
        &[("steal_now", 0.2)],
    ),
    fixture(
        "steal-worsening",
        &[("steal_now", 7.0), ("steal_trend", 4.0), ("steal_slope_24h", 3.0), ("steal_q24", 0.6)],
        &[AtLeast("steal_now", 5.0), AtLeast("steal_trend", 3.0), Above("steal_slope_24h", 0.0)],
        &[("steal_trend", -4.0)],
    ),
    fixture(
        "iowait-sustained",
        &[("iowait_now", 35.0), ("iowait_above_warning_24h", 0.4), ("iowait_above_critical_24h", 0.2)],
        &[AtLeast("iowait_now", 20.0), AtLeast("iowait_above_warning_24h", 0.1)],
        // The nightly backup is over.
        &[("iowait_now", 2.0)],
    ),
    fixture(
        "queue-deep",
        &[("queue_now", 20.0), ("queue_above_warning_24h", 0.5), ("queue_above_critical_24h", 0.2)],
        &[AtLeast("queue_now", 10.0), AtLeast("queue_above_warning_24h", 0.1)],
        &[("queue_now", 1.0)],
    ),
    fixture(
        "ebs-degradation",
        &[("iowait_now", 30.0), ("queue_now", 15.0), ("iowait_above_warning_24h", 0.2)],
        &[AtLeast("iowait_now", 20.0), AtLeast("queue_now", 10.0)],
        &[("queue_now", 2.0), ("iowait_now", 3.0)],
    ),
    fixture(
        "ebs-balance-draining",
        &[("ebs_now", 20.0), ("ebs_slope_24h", 30.0), ("ebs_q24", 0.6), ("ebs_beyond_6h", 40.0)],
        &[AtMost("ebs_now", 30.0), Above("ebs_slope_24h", 0.0), AtLeast("ebs_beyond_6h", 20.0)],
        // A nightly batch that is earned back.
        &[("ebs_tooth", 1.0), ("ebs_slope_24h", -30.0), ("ebs_beyond_6h", -2.0)],
    ),
    fixture(
        "credits-draining",
        &[("credits_now", 60.0), ("credits_above_warning_24h", 0.5), ("credits_slope_24h", 90.0), ("credits_x24", 0.7)],
        &[Above("credits_above_warning_24h", 0.0), Above("credits_slope_24h", 0.0)],
        &[("credits_tooth", 1.0), ("credits_above_warning_24h", f64::NAN)],
    ),
    fixture(
        "credits-throttled",
        &[("credits_now", 0.4), ("credits_critical_periods", 9.0), ("cpu_now", 19.0), ("instance_cpu_baseline", 20.0)],
        &[AtLeast("credits_critical_periods", 3.0), AtLeast("cpu_now", 17.0)],
        &[("instance_cpu_baseline", f64::NAN), ("credits_no_news", 1.0)],
    ),
    fixture(
        "credits-run-out",
        &[("credits_now", 30.0), ("credits_x24", 0.7), ("credits_beyond_6h", 40.0), ("credits_slope_6h", 90.0)],
        &[AtLeast("credits_x24", 0.2), Above("credits_beyond_6h", 0.0), Above("credits_slope_6h", 0.0)],
        &[("credits_x24", f64::NAN)],
    ),
    fixture(
        "credits-exhausted",
        &[
            ("credits_critical_periods", 3.0),
            ("credits_above_critical_24h", 0.2),
            ("steal_now", 30.0),
            ("cpu_now", 10.0),
        ],
        &[AtLeast("credits_critical_periods", 1.0), AtLeast("steal_now", 5.0)],
        &[("steal_now", 0.0), ("credits_critical_periods", 0.0)],
    ),
    fixture(
        "network-drops",
        &[("net_drop_now", 40.0), ("net_drop_above_warning_24h", 0.3), ("net_drop_above_critical_24h", 0.1)],
        &[AtLeast("net_drop_now", 10.0), AtLeast("net_drop_above_warning_24h", 0.05)],
        &[("net_drop_now", 0.0)],
    ),
    fixture(
        "ena-allowance",
        &[("ena_now", 200.0), ("ena_above_warning_24h", 0.4), ("ena_above_critical_24h", 0.3)],
        &[AtLeast("ena_now", 10.0), AtLeast("ena_above_warning_24h", 0.1)],
        &[("ena_now", 0.0)],
    ),
    fixture(
        "status-failing",
        &[("status_critical_periods", 6.0)],
        &[AtLeast("status_critical_periods", 3.0)],
        &[("status_critical_periods", 0.0), ("status_critical_periods", f64::NAN)],
    ),
    fixture(
        "status-flapping",
        &[("status_bursts_24h", 5.0)],
        &[AtLeast("status_bursts_24h", 3.0)],
        &[("status_bursts_24h", 1.0)],
    ),
    fixture(
        "maintenance-imminent",
        &[("maintenance_now", 1.0), ("maintenance_eta_hours", 10.0)],
        &[AtLeast("maintenance_now", 0.5), AtMost("maintenance_eta_hours", 24.0)],
        &[("maintenance_now", 0.0), ("maintenance_eta_hours", f64::NAN)],
    ),
    fixture(
        "maintenance-near",
        &[("maintenance_now", 1.0), ("maintenance_eta_hours", 60.0)],
        &[AtMost("maintenance_eta_hours", 72.0)],
        &[("maintenance_now", f64::NAN)],
    ),
    fixture(
        "maintenance-scheduled",
        &[("maintenance_now", 1.0)],
        &[AtLeast("maintenance_now", 0.5)],
        &[("maintenance_now", 0.0)],
    ),
    fixture(
        "log-faults",
        &[("log_max_24h", 3.0), ("log_above_warning_24h", 0.05)],
        &[AtLeast("log_max_24h", 0.1)],
        &[("log_max_24h", 0.0), ("log_max_24h", f64::NAN)],
    ),
    fixture("anomalous", &[("anomaly_now", 5.0)], &[AtLeast("anomaly_now", 3.0)], &[("anomaly_now", 1.0)]),
    fixture(
        "several-axes",
        &[("cpu_now", 90.0), ("memory_now", 90.0), ("iowait_now", 25.0)],
        &[AtLeast("cpu_now", 85.0), AtLeast("memory_now", 85.0), AtLeast("iowait_now", 20.0)],
        &[("cpu_now", 10.0), ("cpu_now", f64::NAN)],
    ),
];

/// Fires, and what it says counts for something.
fn fires(rule: &str, base: Row<'_>, change: (&'static str, f64)) -> bool {
    let rules = builtin();
    let index = rules.rules().iter().position(|r| r.id == rule).unwrap();
    let mut features = base.to_vec();
    features.push(change);
    rules.fired(&one(&features)).unwrap()[index][0]
}

#[test]
fn every_rule_fires_and_says_something_on_its_fixture() {
    let rules = builtin();
    for f in fixtures() {
        let table = one(f.fires);
        let rule = rules.rules().iter().find(|r| r.id == f.rule).unwrap();
        assert!(fires(f.rule, f.fires, f.fires[0]), "{}", f.rule);
        // Fitting may find that a rule adds nothing to the others; it never makes it speak for health.
        let (_, evidence) = rule.evidence.of(|c| table.get(0, c));
        assert!(evidence.iter().all(|e| *e >= 0.0), "{} speaks against a failure", f.rule);
        let text = rule.why.render(|c| table.get(0, c));
        assert!(!text.contains("NaN") && !text.contains("null") && !text.contains('{'), "{text}");
    }
}

#[test]
fn every_rule_turns_at_its_boundary() {
    for f in fixtures() {
        for edge in f.edges {
            let (column, at, inside) = match edge {
                AtLeast(c, v) => (*c, *v, (*v, v - 1e-6)),
                AtMost(c, v) => (*c, *v, (*v, v + 1e-6)),
                Above(c, v) => (*c, *v, (v + 1e-6, *v)),
            };
            assert!(fires(f.rule, f.fires, (column, inside.0)), "{}: {column} near {at} fires", f.rule);
            assert!(!fires(f.rule, f.fires, (column, inside.1)), "{}: {column} near {at} is silent", f.rule);
        }
    }
}

#[test]
fn every_rule_stays_silent_where_it_should() {
    for f in fixtures() {
        for change in f.silent {
            assert!(!fires(f.rule, f.fires, *change), "{} with {} = {}", f.rule, change.0, change.1);
        }
        let healthy = builtin().fired(&one(&[])).unwrap();
        assert!(healthy.iter().all(|rows| !rows[0]), "a healthy instance fires nothing");
    }
}

#[test]
fn every_default_rule_has_a_fixture() {
    let rules = builtin();
    let tested: Vec<&str> = fixtures().map(|f| f.rule).collect();
    let untested: Vec<&str> = rules.rules().iter().map(|r| r.id.as_str()).filter(|id| !tested.contains(id)).collect();
    assert!(untested.is_empty(), "{untested:?}");
    assert_eq!(tested.len(), rules.rules().len());
}

#[test]
fn evidence_follows_the_bins() {
    let rules = hand();
    let rule = rules.rules().iter().find(|r| r.id == "memory-nearly-full").unwrap();
    assert!(matches!(rule.evidence, Evidence::Binned { .. }));
    for (q, expected) in [(0.049, 0.0), (0.05, 0.3), (0.5, 1.4), (0.89, 1.4), (1.0, 2.2), (f64::NAN, 0.0)] {
        assert!((rule.evidence.of(|_| q).1[0] - expected).abs() < 1e-12, "{q}");
    }
}
