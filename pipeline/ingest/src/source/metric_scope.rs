//! Says which metrics are pulled: with which statistic, period and delay.

use forewarn_domain::signal::{Reading, SOURCES};
use std::collections::BTreeMap;

/// Namespaces that are listed unless others are asked for.
pub const NAMESPACES: [&str; 3] = ["AWS/EC2", "CWAgent", "AWS/EBS"];
/// The period at which trends are pulled unless another is asked for, seconds: basic monitoring has no finer one.
pub const DEFAULT_PERIOD_S: i32 = 300;
/// How long CloudWatch takes until a period is whole, unless told otherwise, milliseconds.
pub const DEFAULT_DELAY_MS: i64 = 300_000;

/// The timing of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The period that is asked for, seconds.
    pub period_s: i32,
    /// How long after its end a period is expected to be whole, milliseconds.
    pub delay_ms: i64,
}

/// Which metrics are pulled and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricScope {
    pub namespaces: Vec<String>,
    /// Every metric of them, rather than what a signal reads.
    pub all_metrics: bool,
    /// Period by namespace; the empty name is for all others.
    pub periods: BTreeMap<String, i32>,
    /// Delay by namespace; the empty name is for all others.
    pub delays: BTreeMap<String, i64>,
}

impl Default for MetricScope {
    fn default() -> Self {
        Self {
            namespaces: NAMESPACES.map(str::to_owned).to_vec(),
            all_metrics: false,
            periods: BTreeMap::new(),
            delays: BTreeMap::new(),
        }
    }
}

impl MetricScope {
    /// Gives the timing of a namespace.
    pub fn timing(&self, namespace: &str) -> Timing {
        let of = |map: &BTreeMap<String, i32>| map.get(namespace).or_else(|| map.get("")).copied();
        let delay = self.delays.get(namespace).or_else(|| self.delays.get("")).copied();
        Timing { period_s: of(&self.periods).unwrap_or(DEFAULT_PERIOD_S), delay_ms: delay.unwrap_or(DEFAULT_DELAY_MS) }
    }

    /// Gives the longest delay of the namespaces.
    pub fn longest_delay_ms(&self) -> i64 {
        self.namespaces.iter().map(|n| self.timing(n).delay_ms).max().unwrap_or(DEFAULT_DELAY_MS)
    }

    /// Gives the names that are listed in a namespace; none alone stands for all of them.
    pub fn names<'a>(&'a self, namespace: &'a str) -> Vec<Option<&'static str>> {
        if self.all_metrics {
            return vec![None];
        }
        SOURCES.iter().filter(|s| s.namespace == namespace).map(|s| Some(s.metric)).collect()
    }

    /// Gives the statistic that is pulled for a metric; none where it isn't wanted.
    pub fn stat(&self, namespace: &str, metric: &str) -> Option<&'static str> {
        let known = SOURCES.iter().find(|s| s.namespace == namespace && s.metric == metric);
        match known {
            // A count is summed up, so that a period's value doesn't depend on how often the agent reports.
            Some(s) if s.reading == Reading::PerMinute => Some("Sum"),
            Some(s) => Some(s.stat),
            None => self.all_metrics.then_some("Average"),
        }
    }
}

/// Reads `60` or `CWAgent=60`: the namespace, empty for all, and the period.
///
/// # Errors
/// When the period is none that CloudWatch has, in words.
pub fn parse_period(text: &str) -> Result<(String, i32), String> {
    let (namespace, period) = text.rsplit_once('=').unwrap_or(("", text));
    let period_s: i32 =
        period.parse().ok().filter(|p| matches!(p, 1 | 5 | 10 | 20 | 30) || (*p > 0 && p % 60 == 0)).ok_or_else(
            || format!("`{period}` is no period of CloudWatch: write 1, 5, 10, 20, 30 or a multiple of 60 seconds"),
        )?;
    if period_s > 86_400 {
        return Err(format!("a period of {period_s} seconds is longer than a day"));
    }
    Ok((namespace.to_owned(), period_s))
}

/// Reads `5m` or `CWAgent=5m`: the namespace, empty for all, and the delay in milliseconds.
///
/// # Errors
/// When it is no span of time, in words.
pub fn parse_delay(text: &str) -> Result<(String, i64), String> {
    let (namespace, span) = text.rsplit_once('=').unwrap_or(("", text));
    let ms = forewarn_runtime::time::parse_span(span).filter(|ms| (0..=86_400_000).contains(ms));
    ms.map(|ms| (namespace.to_owned(), ms)).ok_or_else(|| format!("`{span}` is no delay of up to a day; write 5m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_signals() {
        let wanted = MetricScope::default();
        for (namespace, metric, stat) in [
            ("AWS/EC2", "CPUUtilization", Some("Average")),
            ("AWS/EC2", "StatusCheckFailed_System", Some("Maximum")),
            ("CWAgent", "net_drop_in", Some("Sum")),
            ("CWAgent", "ethtool_pps_allowance_exceeded", Some("Sum")),
            ("AWS/EBS", "VolumeQueueLength", Some("Average")),
            ("CWAgent", "procstat_cpu_usage", None),
            ("AWS/EC2", "mem_used_percent", None),
        ] {
            assert_eq!(wanted.stat(namespace, metric), stat, "{metric}");
        }
        let all = MetricScope { all_metrics: true, ..MetricScope::default() };
        assert_eq!(all.stat("CWAgent", "procstat_cpu_usage"), Some("Average"));
        assert_eq!(all.names("CWAgent"), [None]);
        assert!(wanted.names("AWS/EBS").contains(&Some("BurstBalance")));
    }

    #[test]
    fn a_period_may_be_of_one_namespace() {
        assert_eq!(parse_period("60"), Ok((String::new(), 60)));
        assert_eq!(parse_period("CWAgent=60"), Ok(("CWAgent".to_owned(), 60)));
        for bad in ["0", "61", "-60", "", "x=y", "172800"] {
            assert!(parse_period(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_delay("AWS/EC2=10m"), Ok(("AWS/EC2".to_owned(), 600_000)));
        let wanted = MetricScope { periods: [("CWAgent".to_owned(), 60)].into(), ..MetricScope::default() };
        assert_eq!((wanted.timing("CWAgent").period_s, wanted.timing("AWS/EC2").period_s), (60, 300));
    }
}
