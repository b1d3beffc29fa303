//! Makes rule sets and feature rows for tests.

use forewarn_rules::feature::{WIDTH, column_index};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use std::sync::LazyLock;

/// Features by column name.
pub(crate) type Row<'a> = &'a [(&'a str, f64)];

/// 2026-02-15T12:00:00Z.
pub(crate) const NOON: i64 = 1_771_156_800_000;

/// The rule set that is built in, in an empty environment.
pub(crate) fn builtin() -> &'static RuleSet {
    static BUILTIN: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::builtin(&|_| None).unwrap());
    &BUILTIN
}

/// A rule set set by hand, on which tests of scoring and wording stand whatever the built-in one learns.
pub(crate) fn hand() -> &'static RuleSet {
    static HAND: LazyLock<RuleSet> =
        LazyLock::new(|| RuleSet::parse(include_str!("../fixtures/hand.toml"), "hand.toml", &|_| None).unwrap());
    &HAND
}

/// The same, but with calibrations that bend.
pub(crate) fn calibrated() -> &'static RuleSet {
    static CALIBRATED: LazyLock<RuleSet> = LazyLock::new(bent);
    &CALIBRATED
}

fn bent() -> RuleSet {
    let bend =
        |h| format!("\n[[calibration]]\nhorizon = \"{h}\"\nknots = [[-6, -7.5], [-2, -2.25], [0, -1], [4, 2.5]]\n");
    let text =
        [include_str!("../fixtures/hand.toml").to_owned(), bend("0-24h"), bend("24-72h"), bend("72-168h")].concat();
    RuleSet::parse(&text, "calibrated.toml", &|_| None).unwrap()
}

/// A well-known, healthy instance, changed by `changes`.
pub(crate) fn features(changes: Row<'_>) -> Vec<f64> {
    let healthy = [
        ("instance_age_days", 30.0),
        ("instance_coverage", 1.0),
        ("instance_silence_hours", 0.1),
        ("instance_signals", 6.0),
        ("memory_n", 2016.0),
        ("memory_silence_hours", 0.1),
        ("disk_n", 2016.0),
        ("disk_silence_hours", 0.1),
        ("cpu_n", 2016.0),
        ("cpu_silence_hours", 0.1),
    ];
    let mut row = vec![f64::NAN; WIDTH];
    for (name, value) in healthy.iter().chain(changes) {
        row[column_index(name).unwrap_or_else(|| panic!("no column {name}"))] = *value;
    }
    row
}

/// A table of instances i-0, i-1 and so on at [`NOON`].
pub(crate) fn table(rows: &[Vec<f64>]) -> FeatureTable {
    let mut table = FeatureTable::new();
    for (i, row) in rows.iter().enumerate() {
        table.push(&format!("i-{i:017x}"), NOON, row, &vec![None; 14]);
    }
    table
}

/// A table of one instance.
pub(crate) fn one(changes: Row<'_>) -> FeatureTable {
    table(&[features(changes)])
}

/// A memory leak a day before its end.
pub(crate) const LEAK: Row<'static> = &[
    ("memory_now", 91.3),
    ("memory_slope_24h", 5.2),
    ("memory_slope_7d", 4.8),
    ("memory_trend", 9.0),
    ("memory_tooth", 0.0),
    ("memory_q24", 0.82),
    ("memory_q72", 0.97),
    ("memory_q168", 0.99),
    ("memory_x24", 0.82),
    ("memory_x72", 0.97),
    ("memory_x168", 0.99),
    ("memory_eta_hours", 17.0),
];
