//! Lists the signals: the failure axes that forewarn watches, and the metrics each one reads.

use serde::{Deserialize, Serialize};

/// Names one failure axis of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// CPU utilisation, percent.
    Cpu,
    /// CPU time stolen by the hypervisor, percent.
    Steal,
    /// CPU time waiting for I/O, percent.
    Iowait,
    /// Memory in use, percent.
    Memory,
    /// File-system space in use, percent, of the fullest device.
    Disk,
    /// CPU credit balance of a burstable type, credits.
    Credits,
    /// Requests waiting on a volume or disk.
    Queue,
    /// Packets dropped, a minute.
    NetDrop,
    /// Packets shaped because an ENA allowance was exceeded, a minute.
    Ena,
    /// EBS burst balance left, percent.
    Ebs,
    /// EC2 status checks failed.
    Status,
    /// Scheduled maintenance, from events rather than metrics.
    Maintenance,
    /// Matched log lines (kernel panic, OOM kill, I/O error), a minute.
    Log,
    /// Anomaly score from `detect`.
    Anomaly,
}

/// Says which way a signal moves when the instance gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger is worse.
    Up,
    /// Smaller is worse.
    Down,
}

/// Describes one signal: unit, direction and levels, with the environment name of each level.
#[derive(Debug, Clone, Copy)]
pub struct SignalSpec {
    /// The signal described.
    pub signal: Signal,
    /// The column prefix.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Which way is worse.
    pub direction: Direction,
    /// The warning level, in the signal's unit.
    pub warning: f64,
    /// The critical level, in the signal's unit.
    pub critical: f64,
    /// The value at which a bounded resource is used up, where there is one.
    pub exhausted: Option<f64>,
    /// Rule-set parameter (lower case) that overrides the warning level.
    pub warning_param: &'static str,
    /// Rule-set parameter (lower case) that overrides the critical level.
    pub critical_param: &'static str,
    /// The values that the signal can take at all.
    pub range: (f64, f64),
    /// One sentence for people.
    pub about: &'static str,
}

/// Says how a metric's value becomes the signal's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// The value itself.
    AsIs,
    /// `whole - value`, as for memory available or disk free percent.
    Complement(f64),
    /// A count in one minute of collection; where the statistic is `Sum`, the period's count is made a count a minute.
    PerMinute,
    /// No value of the signal: credits that were spent beyond the balance, which only unlimited mode allows.
    Surplus,
}

/// Ties one metric to the signal that reads it.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The signal fed.
    pub signal: Signal,
    /// The CloudWatch namespace, also the one assumed on import.
    pub namespace: &'static str,
    /// The metric name, exactly as CloudWatch has it.
    pub metric: &'static str,
    /// The statistic to pull.
    pub stat: &'static str,
    /// How the value is read.
    pub reading: Reading,
}

use Direction::{Down, Up};
use Reading::{AsIs, Complement, PerMinute, Surplus};

/// All signals, in column order.
pub const SIGNALS: [SignalSpec; 14] = [
    spec(Signal::Cpu, "cpu", "%", Up, 85.0, 95.0, (0.0, 100.0), "CPU utilisation"),
    spec(Signal::Steal, "steal", "%", Up, 5.0, 10.0, (0.0, 100.0), "CPU time stolen by the hypervisor"),
    spec(Signal::Iowait, "iowait", "%", Up, 20.0, 40.0, (0.0, 100.0), "CPU time waiting for I/O"),
    spec(Signal::Memory, "memory", "%", Up, 85.0, 95.0, (0.0, 100.0), "memory in use"),
    spec(Signal::Disk, "disk", "%", Up, 80.0, 90.0, (0.0, 100.0), "file-system space in use, fullest device"),
    spec(Signal::Credits, "credits", "credits", Down, 100.0, 10.0, (0.0, 20_000.0), "CPU credit balance"),
    spec(Signal::Queue, "queue", "requests", Up, 10.0, 30.0, (0.0, 1e6), "requests waiting on a volume"),
    spec(Signal::NetDrop, "net_drop", "packets/min", Up, 10.0, 50.0, (0.0, 1e9), "packets dropped"),
    spec(Signal::Ena, "ena", "packets/min", Up, 10.0, 100.0, (0.0, 1e9), "packets shaped by an ENA allowance"),
    spec(Signal::Ebs, "ebs", "%", Down, 30.0, 5.0, (0.0, 100.0), "EBS burst balance left"),
    spec(Signal::Status, "status", "failed checks", Up, 0.5, 1.0, (0.0, 60.0), "EC2 status checks failed"),
    spec(Signal::Maintenance, "maintenance", "events", Up, 0.5, 1.0, (0.0, 10.0), "scheduled maintenance"),
    spec(Signal::Log, "log", "lines/min", Up, 0.1, 1.0, (0.0, 1e9), "matched log lines"),
    spec(Signal::Anomaly, "anomaly", "score", Up, 3.0, 6.0, (0.0, 1e6), "anomaly score"),
];

#[expect(clippy::too_many_arguments, reason = "one row of a table; names stand in SignalSpec")]
#[expect(clippy::wildcard_enum_match_arm, reason = "few signals can be exhausted")]
const fn spec(
    signal: Signal,
    name: &'static str,
    unit: &'static str,
    direction: Direction,
    warning: f64,
    critical: f64,
    range: (f64, f64),
    about: &'static str,
) -> SignalSpec {
    let (warning_param, critical_param) = params(signal);
    let exhausted = match signal {
        Signal::Memory | Signal::Disk => Some(99.0),
        Signal::Credits => Some(0.5),
        Signal::Ebs => Some(1.0),
        _ => None,
    };
    SignalSpec {
        signal,
        name,
        unit,
        direction,
        warning,
        critical,
        exhausted,
        warning_param,
        critical_param,
        range,
        about,
    }
}

/// Parameter names; in upper case they are the environment names that the source systems used.
const fn params(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Cpu => ("cpu_utilization_warning", "cpu_utilization_critical"),
        Signal::Steal => ("cpu_steal_warning", "cpu_steal_critical"),
        Signal::Iowait => ("iowait_warning", "iowait_critical"),
        Signal::Memory => ("memory_saturation_warning", "memory_saturation_critical"),
        Signal::Disk => ("disk_usage_warning", "disk_usage_critical"),
        Signal::Credits => ("cpu_credit_balance_warning", "cpu_credit_balance_critical"),
        Signal::Queue => ("disk_queue_depth_warning", "disk_queue_depth_critical"),
        Signal::NetDrop => ("network_drop_warning", "network_drop_critical"),
        Signal::Ena => ("ena_allowance_warning", "ena_allowance_critical"),
        Signal::Ebs => ("ebs_balance_warning", "ebs_balance_critical"),
        Signal::Status => ("status_check_warning", "status_check_critical"),
        Signal::Maintenance => ("maintenance_warning", "maintenance_critical"),
        Signal::Log => ("log_match_warning", "log_match_critical"),
        Signal::Anomaly => ("anomaly_warning", "anomaly_critical"),
    }
}

/// The levels of the credit balance as shares of the most that a type can hold, where that is less than the levels themselves: the
/// parameters that override the warning and the critical one (in upper case their environment names), and what they are.
pub const CREDIT_SHARES: [(&str, f64); 2] = [("cpu_credit_share_warning", 0.30), ("cpu_credit_share_critical", 0.05)];

const fn source(
    signal: Signal,
    namespace: &'static str,
    metric: &'static str,
    stat: &'static str,
    reading: Reading,
) -> Source {
    Source { signal, namespace, metric, stat, reading }
}

/// Every metric that a signal reads. Windows counters stand where the agent has them under another name;
/// steal and iowait have no Windows counterpart.
pub const SOURCES: &[Source] = &[
    source(Signal::Cpu, "AWS/EC2", "CPUUtilization", "Average", AsIs),
    source(Signal::Cpu, "CWAgent", "cpu_usage_active", "Average", AsIs),
    source(Signal::Cpu, "CWAgent", "Processor % Processor Time", "Average", AsIs),
    source(Signal::Steal, "CWAgent", "cpu_usage_steal", "Average", AsIs),
    source(Signal::Iowait, "CWAgent", "cpu_usage_iowait", "Average", AsIs),
    source(Signal::Memory, "CWAgent", "mem_used_percent", "Average", AsIs),
    source(Signal::Memory, "CWAgent", "mem_available_percent", "Average", Complement(100.0)),
    source(Signal::Memory, "CWAgent", "Memory % Committed Bytes In Use", "Average", AsIs),
    source(Signal::Disk, "CWAgent", "disk_used_percent", "Average", AsIs),
    source(Signal::Disk, "CWAgent", "LogicalDisk % Free Space", "Average", Complement(100.0)),
    source(Signal::Credits, "AWS/EC2", "CPUCreditBalance", "Average", AsIs),
    source(Signal::Credits, "AWS/EC2", "CPUSurplusCreditBalance", "Average", Surplus),
    source(Signal::Credits, "AWS/EC2", "CPUSurplusCreditsCharged", "Average", Surplus),
    source(Signal::Queue, "AWS/EBS", "VolumeQueueLength", "Average", AsIs),
    source(Signal::Queue, "CWAgent", "diskio_iops_in_progress", "Average", AsIs),
    source(Signal::Queue, "CWAgent", "PhysicalDisk Avg. Disk Queue Length", "Average", AsIs),
    source(Signal::NetDrop, "CWAgent", "net_drop_in", "Average", PerMinute),
    source(Signal::NetDrop, "CWAgent", "net_drop_out", "Average", PerMinute),
    source(Signal::NetDrop, "CWAgent", "Network Interface Packets Received Discarded", "Average", PerMinute),
    source(Signal::Ena, "CWAgent", "ethtool_bw_in_allowance_exceeded", "Average", PerMinute),
    source(Signal::Ena, "CWAgent", "ethtool_bw_out_allowance_exceeded", "Average", PerMinute),
    source(Signal::Ena, "CWAgent", "ethtool_pps_allowance_exceeded", "Average", PerMinute),
    source(Signal::Ena, "CWAgent", "ethtool_conntrack_allowance_exceeded", "Average", PerMinute),
    source(Signal::Ena, "CWAgent", "ethtool_linklocal_allowance_exceeded", "Average", PerMinute),
    source(Signal::Ebs, "AWS/EC2", "EBSIOBalance%", "Average", AsIs),
    source(Signal::Ebs, "AWS/EC2", "EBSByteBalance%", "Average", AsIs),
    source(Signal::Ebs, "AWS/EBS", "BurstBalance", "Average", AsIs),
    source(Signal::Status, "AWS/EC2", "StatusCheckFailed", "Maximum", AsIs),
    source(Signal::Status, "AWS/EC2", "StatusCheckFailed_System", "Maximum", AsIs),
    source(Signal::Status, "AWS/EC2", "StatusCheckFailed_Instance", "Maximum", AsIs),
    source(Signal::Status, "AWS/EC2", "StatusCheckFailed_AttachedEBS", "Maximum", AsIs),
    source(Signal::Log, "Forewarn", "log_matches", "Sum", PerMinute),
    source(Signal::Anomaly, "Forewarn", "anomaly_score", "Maximum", AsIs),
];

impl Signal {
    /// Gives the signal's description.
    pub const fn spec(self) -> &'static SignalSpec {
        &SIGNALS[self as usize]
    }

    /// Gives the column prefix.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Finds a signal by its column prefix.
    pub fn from_name(name: &str) -> Option<Self> {
        SIGNALS.iter().find(|s| s.name == name).map(|s| s.signal)
    }
}

/// Finds the source that reads `metric`, in `namespace` where one is given.
pub fn source_of(namespace: Option<&str>, metric: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|s| s.metric == metric && namespace.is_none_or(|n| n == s.namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_enum_order_and_levels_fit_the_direction() {
        for (i, s) in SIGNALS.iter().enumerate() {
            assert_eq!(s.signal as usize, i, "{}", s.name);
            match s.direction {
                Up => assert!(s.warning < s.critical, "{}", s.name),
                Down => assert!(s.warning > s.critical, "{}", s.name),
            }
        }
    }

    #[test]
    fn every_source_is_found_by_its_own_name() {
        for s in SOURCES {
            assert_eq!(source_of(Some(s.namespace), s.metric).map(|f| f.signal), Some(s.signal));
        }
    }
}
