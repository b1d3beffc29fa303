//! Which statistic of a metric means its signal, however exporters write its name.

use crate::signal::{Reading, Signal};

/// A statistic of CloudWatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The mean of a period's samples.
    Average,
    /// Their sum.
    Sum,
    /// The smallest.
    Minimum,
    /// The greatest.
    Maximum,
    /// How many there were.
    SampleCount,
    /// Any other: percentiles, trimmed means.
    Other,
}

impl Statistic {
    /// Reads a name, in whatever case and however short exporters write it.
    pub fn of(name: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if is(&["Average", "avg", "mean"]) {
            Self::Average
        } else if is(&["Sum", "total"]) {
            Self::Sum
        } else if is(&["Minimum", "min"]) {
            Self::Minimum
        } else if is(&["Maximum", "max"]) {
            Self::Maximum
        } else if is(&["SampleCount", "sample_count", "samples", "count", "n"]) {
            Self::SampleCount
        } else {
            Self::Other
        }
    }
}

/// Ranks a statistic among those of one metric, the best first; none where it doesn't mean the signal: how many samples there were never does, and a sum
/// only of what is counted, or of checks, where any failure is one.
pub fn rank(signal: Signal, reading: Reading, stat: &str) -> Option<u8> {
    use Statistic::{Average, Maximum, Minimum, Other, SampleCount, Sum};
    let best_first: &[Statistic] = match (signal, reading) {
        (Signal::Status, _) => &[Maximum, Sum, Average, Other, Minimum],
        (Signal::Log, _) => &[Sum, Average, Maximum, Other, Minimum],
        (Signal::Anomaly, _) => &[Maximum, Average, Other, Minimum],
        (_, Reading::Surplus) => &[Average, Maximum, Sum, Other, Minimum],
        (_, Reading::PerMinute) => &[Average, Sum, Maximum, Other, Minimum],
        (_, Reading::AsIs | Reading::Complement(_)) => &[Average, Other, Maximum, Minimum],
    };
    let stat = Statistic::of(stat);
    debug_assert!(!best_first.contains(&SampleCount));
    best_first.iter().position(|s| *s == stat).map(|at| at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::SOURCES;

    #[test]
    fn names_are_read_as_exporters_write_them() {
        for (name, expected) in [
            ("Average", Statistic::Average),
            ("avg", Statistic::Average),
            ("SUM", Statistic::Sum),
            ("max", Statistic::Maximum),
            ("sample_count", Statistic::SampleCount),
            ("p99", Statistic::Other),
            ("tm(10%:90%)", Statistic::Other),
        ] {
            assert_eq!(Statistic::of(name), expected, "{name}");
        }
    }

    #[test]
    fn the_statistic_that_is_pulled_comes_first_and_a_count_of_samples_never() {
        for s in SOURCES {
            assert_eq!(rank(s.signal, s.reading, s.stat), Some(0), "{}", s.metric);
            assert_eq!(rank(s.signal, s.reading, "SampleCount"), None, "{}", s.metric);
        }
    }

    #[test]
    fn a_sum_means_only_what_is_counted() {
        assert_eq!(rank(Signal::Cpu, Reading::AsIs, "Sum"), None);
        assert_eq!(rank(Signal::Disk, Reading::Complement(100.0), "Sum"), None);
        assert!(
            rank(Signal::NetDrop, Reading::PerMinute, "Sum") > rank(Signal::NetDrop, Reading::PerMinute, "Average")
        );
        assert!(rank(Signal::Status, Reading::AsIs, "Sum").is_some());
    }
}
