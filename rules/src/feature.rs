//! Lists the features: the numbers about a signal at a time that rules may use as columns `{signal}_{feature}`.

use forewarn_domain::signal::{SIGNALS, Signal};

/// Names one feature of a signal; the discriminant is its place within the signal's block of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "FEATURES documents each one, for people and for code alike")]
pub enum Feature {
    Now,
    Mean6h,
    Mean24h,
    Mean7d,
    Max24h,
    P957d,
    Slope6h,
    Slope24h,
    Slope7d,
    Trend,
    Accel,
    AboveWarning24h,
    AboveCritical24h,
    CriticalMinutes24h,
    CriticalPeriods,
    HoursCritical,
    ExcessRun,
    Critical6d,
    Bursts24h,
    Resets7d,
    Tooth,
    Season,
    ResidZ,
    Lift6h,
    Lift24h,
    Beyond6h,
    Lasting6h,
    Unusual24h,
    NoNews,
    Q24,
    Q72,
    Q168,
    X24,
    X72,
    X168,
    EtaHours,
    EtaLo,
    EtaHi,
    Coverage,
    SilenceHours,
    AgeDays,
    N,
}

/// Every feature with its column suffix and its meaning, in column order.
pub const FEATURES: [(Feature, &str, &str); 42] = [
    (Feature::Now, "now", "median of the last hour, in the signal's unit"),
    (Feature::Mean6h, "mean_6h", "mean of the last 6 hours"),
    (Feature::Mean24h, "mean_24h", "mean of the last 24 hours"),
    (Feature::Mean7d, "mean_7d", "mean of the last 7 days"),
    (
        Feature::Max24h,
        "max_24h",
        "worst 5-minute value of the last 24 hours (the smallest for signals where less is worse)",
    ),
    (Feature::P957d, "p95_7d", "95th percentile (5th where less is worse) of the last 7 days"),
    (Feature::Slope6h, "slope_6h", "robust slope of the last 6 hours, per day, towards the critical level"),
    (
        Feature::Slope24h,
        "slope_24h",
        "robust slope of the last 24 hours on the current segment, per day, towards the critical level",
    ),
    (
        Feature::Slope7d,
        "slope_7d",
        "robust slope of the last 7 days on the current segment, per day, towards the critical level",
    ),
    (
        Feature::Trend,
        "trend",
        "Mann-Kendall z of the current segment, corrected for autocorrelation; positive is worse",
    ),
    (Feature::Accel, "accel", "slope_24h minus slope_7d, per day"),
    (Feature::AboveWarning24h, "above_warning_24h", "share of the last 24 hours past the warning level"),
    (Feature::AboveCritical24h, "above_critical_24h", "share of the last 24 hours past the critical level"),
    (
        Feature::CriticalMinutes24h,
        "critical_minutes_24h",
        "minutes of the last 24 hours past the critical level; of status checks to the minute, else to 5 minutes",
    ),
    (
        Feature::CriticalPeriods,
        "critical_periods",
        "5-minute periods in a row past the critical level, up to the last known one",
    ),
    (Feature::HoursCritical, "hours_critical", "length of the current run past the critical level, in hours"),
    (
        Feature::ExcessRun,
        "excess_run",
        "hours by which the current run past the critical level outlasts every earlier one of the 8 days",
    ),
    (
        Feature::Critical6d,
        "critical_6d",
        "share of time past the critical level in the six days before the last 24 hours",
    ),
    (
        Feature::Bursts24h,
        "bursts_24h",
        "runs past the warning level that began in the last 24 hours; a quarter of an hour on the better side ends one",
    ),
    (Feature::Resets7d, "resets_7d", "sudden returns to a healthier level in the last 7 days"),
    (Feature::Tooth, "tooth", "1 when the signal is a sawtooth that turns back before the critical level, else 0"),
    (Feature::Season, "season", "strength of the daily profile, 0 to 1"),
    (
        Feature::ResidZ,
        "resid_z",
        "how far the last hour is from the daily profile, in robust standard deviations; positive is worse",
    ),
    (
        Feature::Lift6h,
        "lift_6h",
        "mean of the last 6 hours minus that of the same hours on earlier days; positive is worse",
    ),
    (Feature::Lift24h, "lift_24h", "mean of the last 24 hours minus that of the days before; positive is worse"),
    (
        Feature::Beyond6h,
        "beyond_6h",
        "mean of the last 6 hours minus that of the worst 6 hours in a row of the seven days before the last 24 hours; positive is worse than all that it is used to",
    ),
    (
        Feature::Lasting6h,
        "lasting_6h",
        "median of the last 6 hours minus the 95 % quantile of the hours of the seven days before the last 24; positive when it is worse than nearly ever, and not for an hour or two only",
    ),
    (Feature::Unusual24h, "unusual_24h", "hours of the last 24 that are worse than that 95 % quantile"),
    (
        Feature::NoNews,
        "no_news",
        "1 when what it shows is no news: used up all week, level for six hours after a jump, or credits that are unlimited; rules that read nothing else and are not hard then say nothing. Else 0",
    ),
    (Feature::Q24, "q24", "probability that the signal reaches its critical level within 24 hours"),
    (Feature::Q72, "q72", "probability that the signal reaches its critical level within 72 hours"),
    (Feature::Q168, "q168", "probability that the signal reaches its critical level within 168 hours"),
    (
        Feature::X24,
        "x24",
        "probability that the signal passes, within 24 hours, both its critical level and all that it is used to, up to exhaustion",
    ),
    (Feature::X72, "x72", "the same within 72 hours"),
    (Feature::X168, "x168", "the same within 168 hours"),
    (Feature::EtaHours, "eta_hours", "median hours until the critical level; null when it is not expected"),
    (Feature::EtaLo, "eta_lo", "10 % quantile of the hours until the critical level"),
    (Feature::EtaHi, "eta_hi", "90 % quantile of the hours until the critical level"),
    (Feature::Coverage, "coverage", "share of the last 24 hours' 5-minute cells that hold a sample"),
    (Feature::SilenceHours, "silence_hours", "hours since the last sample"),
    (Feature::AgeDays, "age_days", "days since the first sample seen, at most 7"),
    (Feature::N, "n", "5-minute cells with a sample in the last 7 days"),
];

/// Columns that describe the whole instance rather than one signal.
pub const INSTANCE_COLUMNS: [(&str, &str); 6] = [
    ("instance_age_days", "days since launch where known, else since the first sample seen"),
    ("instance_coverage", "best coverage of any signal in the last 24 hours"),
    ("instance_silence_hours", "hours since the last sample of any signal"),
    ("instance_signals", "number of signals with samples"),
    ("instance_change_hours", "hours since the last declared change; null without one"),
    (
        "instance_cpu_baseline",
        "the CPU utilisation, in percent, that a burstable type's earned credits pay for; null where the type is not known or not burstable",
    ),
];

/// Feature columns in all: a block for each signal, then the instance columns.
pub const WIDTH: usize = SIGNALS.len() * FEATURES.len() + INSTANCE_COLUMNS.len();

/// Gives the column index of a signal's feature.
pub const fn index(signal: Signal, feature: Feature) -> usize {
    signal as usize * FEATURES.len() + feature as usize
}

/// Gives the column index of the `i`-th instance column.
pub const fn instance_index(i: usize) -> usize {
    SIGNALS.len() * FEATURES.len() + i
}

/// Names all columns, in order.
pub fn columns() -> Vec<String> {
    let mut names = Vec::with_capacity(WIDTH);
    for s in &SIGNALS {
        names.extend(FEATURES.iter().map(|(_, suffix, _)| format!("{}_{suffix}", s.name)));
    }
    names.extend(INSTANCE_COLUMNS.iter().map(|(name, _)| (*name).to_owned()));
    names
}

/// Finds a column by name.
pub fn column_index(name: &str) -> Option<usize> {
    columns().iter().position(|c| c == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_and_names_agree() {
        let names = columns();
        assert_eq!(names.len(), WIDTH);
        assert_eq!(names[index(Signal::Memory, Feature::Q24)], "memory_q24");
        assert_eq!(names[instance_index(1)], "instance_coverage");
        for (i, (f, _, _)) in FEATURES.iter().enumerate() {
            assert_eq!(*f as usize, i);
        }
    }
}
