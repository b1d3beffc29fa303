//! Puts times, levels and evidence into words.

use crate::feature::{Feature, index, instance_index};
use crate::last_heard::is_held;
use crate::ruleset::{RuleSet, plain};
use crate::table::FeatureTable;
use forewarn_domain::prediction::Unassessable;
use forewarn_domain::signal::{Direction, SIGNALS, Signal, SignalSpec};
use forewarn_domain::time::timestamp;

const HOUR_MS: f64 = 3_600_000.0;
const HALF_HOUR_MS: i64 = 1_800_000;

/// Milliseconds `hours` after `as_of`.
pub(crate) fn after(as_of: i64, hours: f64) -> i64 {
    // `as` saturates, so that absurd hours stay at the end of time.
    as_of.saturating_add((hours * HOUR_MS).round() as i64)
}

/// Says a number of hours as people do.
pub(crate) fn hours(h: f64) -> String {
    let counted = |n: f64, unit: &str| {
        let n = n.round() as i64;
        if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
    };
    if h < 1.0 {
        "less than an hour".to_owned()
    } else if h < 48.0 {
        counted(h, "hour")
    } else {
        counted(h / 24.0, "day")
    }
}

/// Says when, from the 10, 50 and 90 % quantiles in hours after `as_of`.
pub(crate) fn window(as_of: i64, quantiles: &[f64; 3]) -> String {
    let [low, middle, high] = *quantiles;
    let (size, unit) = if high < 48.0 { (1.0, "hour") } else { (24.0, "day") };
    let (from, to) = ((low / size).round() as i64, ((high / size).round() as i64).max(1));
    let middle = timestamp(after(as_of, middle).saturating_add(HALF_HOUR_MS));
    let around = if high >= 48.0 {
        middle.strftime("%-d %b").to_string()
    } else if timestamp(as_of).strftime("%F").to_string() == middle.strftime("%F").to_string() {
        format!("{} UTC", middle.strftime("%H:00"))
    } else {
        format!("{} UTC", middle.strftime("%-d %b %H:00"))
    };
    let plural = if to == 1 { "" } else { "s" };
    match (from, to) {
        (0, 1) => format!("within the {} (around {around})", if unit == "hour" { "hour" } else { "day" }),
        (0, _) => format!("within {to} {unit}s (around {around})"),
        _ if from >= to => format!("in about {to} {unit}{plural} (around {around})"),
        _ => format!("in {from} to {to} {unit}s (around {around})"),
    }
}

/// Says why a row can't be assessed: what is known, and what would be enough.
pub(crate) fn unassessable(rules: &RuleSet, table: &FeatureTable, row: usize, reason: Unassessable) -> String {
    let [age, coverage, silence] = [0, 1, 2].map(|i| table.get(row, instance_index(i)));
    let limits = rules.limits();
    let with = |said: &str, value: f64, numbers: String| {
        if value.is_finite() { format!("{said}{numbers}") } else { said.to_owned() }
    };
    match reason {
        Unassessable::NoData => "no usable sample in the last seven days".to_owned(),
        Unassessable::Stale => {
            let allowed = hours(limits.max_silence_hours);
            with("nothing has arrived", silence, format!(" for {}; at most {allowed} is allowed", hours(silence)))
        }
        Unassessable::TooYoung => {
            let needed = hours(limits.min_age_hours);
            with("too little history to judge", age, format!(": {} of {needed}", hours(age * 24.0)))
        }
        Unassessable::Sparse => {
            let share = |v: f64| format!("{} %", plain((100.0 * v).round()));
            let needed = share(limits.min_coverage_24h);
            let said = "too few samples in the last 24 hours";
            with(said, coverage, format!(": {} of the time is covered, {needed} is needed", share(coverage)))
        }
        Unassessable::MissingAgent => {
            let names: Vec<&str> = limits.require_any.iter().map(|s| s.name()).collect();
            if !rules.agent_fell_silent(table, row, reason) {
                return format!("no samples of {}: is the CloudWatch agent missing?", names.join(" or "));
            }
            let silent = limits.require_any.iter().map(|s| table.get(row, index(*s, Feature::SilenceHours)));
            let silent = hours(silent.fold(f64::NAN, f64::min));
            format!(
                "nothing of {} for {silent}, while others report: has the CloudWatch agent died?",
                names.join(" or ")
            )
        }
    }
}

/// Names the signals that have been silent for hours, of which what they showed last is held.
pub(crate) fn held(table: &FeatureTable, row: usize) -> Option<String> {
    let silence = |s: &SignalSpec| table.get(row, index(s.signal, Feature::SilenceHours));
    let silent: Vec<&SignalSpec> = SIGNALS.iter().filter(|s| is_held(s.signal, silence(s))).collect();
    let since = silent.iter().map(|s| silence(s)).fold(f64::NAN, f64::min);
    let names: Vec<&str> = silent.iter().map(|s| s.name).collect();
    let words = || format!("nothing of {} for {}: what was heard last is held", names.join(", "), hours(since));
    (!silent.is_empty()).then(words)
}

/// Writes a probability to two decimals, more where it is small.
pub(crate) fn probability(p: f64) -> String {
    if (0.995..1.0).contains(&p) {
        "over 0.99".to_owned()
    } else if p >= 0.0095 || p <= 0.0 {
        format!("{p:.2}")
    } else if p >= 0.0005 {
        format!("{p:.3}")
    } else {
        "under 0.001".to_owned()
    }
}

/// Writes a value with its signal's unit.
pub(crate) fn quantity(signal: Signal, value: f64) -> String {
    format!("{} {}", plain(value), signal.spec().unit)
}

/// Says in words that a signal nears its critical level, for the `k`-th horizon.
pub(crate) fn passage(rules: &RuleSet, table: &FeatureTable, row: usize, signal: Signal, k: usize) -> String {
    let get = |f: Feature| Some(table.get(row, index(signal, f))).filter(|v| v.is_finite());
    let spec = signal.spec();
    let critical = rules.thresholds(signal).1;
    let now = get(Feature::Now).map(|v| format!(" is {}", quantity(signal, v)));
    let slope = get(Feature::Slope7d).or_else(|| get(Feature::Slope24h)).filter(|s| *s > 0.0);
    let moves = slope.map(|s| {
        let verb = if spec.direction == Direction::Up { "grows" } else { "falls" };
        let and = if now.is_some() { " and" } else { "" };
        format!("{and} {verb} {} a day", quantity(signal, s))
    });
    let by = [Feature::X24, Feature::X72, Feature::X168];
    let chance = probability(by[..=k].iter().filter_map(|f| get(*f)).fold(0.0, f64::max));
    let value = get(Feature::Now);
    let past = value.is_some_and(|v| if spec.direction == Direction::Up { v >= critical } else { v <= critical });
    let level = quantity(signal, critical);
    let within = format!("within {} hours with a probability of {chance}", crate::hazard::HORIZON_HOURS[k]);
    let outlook = if past {
        format!("it is past {level} already, and goes beyond its own past {within}")
    } else {
        let eta = get(Feature::EtaHours).map(|h| format!(", most likely in {}", hours(h)));
        format!("it goes past {level} and beyond its own past {within}{}", eta.unwrap_or_default())
    };
    format!("{}{}{}; {outlook}", spec.about, now.unwrap_or_default(), moves.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_domain::time::rfc3339;

    const NOON: i64 = 1_771_156_800_000; // 2026-02-15T12:00:00Z

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(NOON), "2026-02-15T12:00:00Z");
        assert_eq!(rfc3339(after(NOON, 1.5)), "2026-02-15T13:30:00Z");
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
    }

    #[test]
    fn windows_read_as_a_person_says_them() {
        for (quantiles, expected) in [
            ([0.2, 0.4, 0.9], "within the hour (around 12:00 UTC)"),
            ([0.3, 1.0, 2.2], "within 2 hours (around 13:00 UTC)"),
            ([3.1, 6.0, 9.4], "in 3 to 9 hours (around 18:00 UTC)"),
            ([2.4, 12.0, 21.6], "in 2 to 22 hours (around 16 Feb 00:00 UTC)"),
            ([20.0, 40.0, 65.0], "in 1 to 3 days (around 17 Feb)"),
            ([5.0, 40.0, 65.0], "within 3 days (around 17 Feb)"),
            ([100.0, 120.0, 150.0], "in 4 to 6 days (around 20 Feb)"),
            ([130.0, 140.0, 155.0], "in 5 to 6 days (around 21 Feb)"),
        ] {
            assert_eq!(window(NOON, &quantiles), expected, "{quantiles:?}");
        }
    }

    #[test]
    fn probabilities_never_read_as_certain() {
        assert_eq!(probability(0.9999), "over 0.99");
        assert_eq!(probability(0.42), "0.42");
        assert_eq!(probability(0.0042), "0.004");
        assert_eq!(probability(1e-6), "under 0.001");
    }

    #[test]
    fn hours_are_counted() {
        assert_eq!(hours(0.4), "less than an hour");
        assert_eq!(hours(1.2), "1 hour");
        assert_eq!(hours(30.0), "30 hours");
        assert_eq!(hours(70.0), "3 days");
    }
}
