//! Names what an instance can look like while it is healthy, and what can go wrong with it.

use super::Error;

/// Names the habit that marks an instance's healthy life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Level load all day.
    Steady,
    /// Load follows the day.
    Diurnal,
    /// Load follows the day and changes at weekends.
    WeekendShift,
    /// A batch every night that drives CPU, iowait and queue past critical, and is healthy.
    NightlyBatch,
    /// A database that holds 85-97 % of memory by design.
    HighMemory,
    /// Logs fill the disk and rotation empties it again.
    LogRotation,
    /// A cache or garbage collector that fills and frees memory.
    MemorySawtooth,
    /// Memory climbs a little every day and each deployment resets it.
    DeployResets,
    /// Backups burst network, disk and queue.
    Backups,
    /// Short random spikes past critical.
    Bursty,
    /// A burstable type that drains credits by day and earns them back by night.
    CreditSawtooth,
    /// Launched in the middle of the observed time.
    Young,
    /// Terminated by its auto scaling group.
    Churn,
    /// The metrics agent restarts: gaps, counters that jump.
    AgentRestarts,
    /// Cron jobs that leave temporary files for a while.
    TempFiles,
    /// Memory climbs after every start and saturates under critical.
    ColdStart,
    /// A disk that would need months to fill.
    SlowGrowth,
    /// Level shifts when the instance moves to another host.
    HostMigration,
}

/// Names a way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A process that never frees memory; ends in an OOM kill.
    MemoryLeak,
    /// A file system that fills; ends when writes fail.
    DiskFill,
    /// Another tenant steals CPU time until health checks fail.
    NoisyNeighbour,
    /// A volume that slows down and stalls until its check fails.
    EbsDegradation,
    /// Demand above baseline drains the credits and throttling fails the health check.
    CreditExhaustion,
    /// Status checks that fail more and more often, then for good.
    Flapping,
    /// Packets dropped at a rising rate until the instance is unreachable.
    NetworkLoss,
    /// Demand that grows past what the CPUs can serve.
    CpuRunaway,
    /// A scheduled retirement that nobody acts on.
    Retirement,
    /// Death without any warning.
    SuddenDeath,
}

/// A closed set of kinds with stable names.
pub trait Kind: Copy + Ord + Sized + 'static {
    /// Every kind, in declaration order.
    const ALL: &'static [Self];
    /// What a kind is called in messages.
    const WHAT: &'static str;

    /// Gives the stable name.
    fn name(self) -> &'static str;
}

impl Kind for Shape {
    const ALL: &'static [Self] = &[
        Self::Steady,
        Self::Diurnal,
        Self::WeekendShift,
        Self::NightlyBatch,
        Self::HighMemory,
        Self::LogRotation,
        Self::MemorySawtooth,
        Self::DeployResets,
        Self::Backups,
        Self::Bursty,
        Self::CreditSawtooth,
        Self::Young,
        Self::Churn,
        Self::AgentRestarts,
        Self::TempFiles,
        Self::ColdStart,
        Self::SlowGrowth,
        Self::HostMigration,
    ];
    const WHAT: &'static str = "shape";

    fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Diurnal => "diurnal",
            Self::WeekendShift => "weekend-shift",
            Self::NightlyBatch => "nightly-batch",
            Self::HighMemory => "high-memory",
            Self::LogRotation => "log-rotation",
            Self::MemorySawtooth => "memory-sawtooth",
            Self::DeployResets => "deploy-resets",
            Self::Backups => "backups",
            Self::Bursty => "bursty",
            Self::CreditSawtooth => "credit-sawtooth",
            Self::Young => "young",
            Self::Churn => "churn",
            Self::AgentRestarts => "agent-restarts",
            Self::TempFiles => "temp-files",
            Self::ColdStart => "cold-start",
            Self::SlowGrowth => "slow-growth",
            Self::HostMigration => "host-migration",
        }
    }
}

impl Kind for Fault {
    const ALL: &'static [Self] = &[
        Self::MemoryLeak,
        Self::DiskFill,
        Self::NoisyNeighbour,
        Self::EbsDegradation,
        Self::CreditExhaustion,
        Self::Flapping,
        Self::NetworkLoss,
        Self::CpuRunaway,
        Self::Retirement,
        Self::SuddenDeath,
    ];
    const WHAT: &'static str = "fault";

    fn name(self) -> &'static str {
        match self {
            Self::MemoryLeak => "memory-leak",
            Self::DiskFill => "disk-fill",
            Self::NoisyNeighbour => "noisy-neighbour",
            Self::EbsDegradation => "ebs-degradation",
            Self::CreditExhaustion => "credit-exhaustion",
            Self::Flapping => "flapping",
            Self::NetworkLoss => "network-loss",
            Self::CpuRunaway => "cpu-runaway",
            Self::Retirement => "retirement",
            Self::SuddenDeath => "sudden-death",
        }
    }
}

/// Picks kinds by name: those included (all where none is named) less those excluded, in declaration order.
///
/// # Errors
/// A name that no kind has, or a selection that leaves nothing.
pub fn select<K: Kind>(include: &[String], exclude: &[String]) -> Result<Vec<K>, Error> {
    let find = |name: &String| {
        K::ALL.iter().copied().find(|k| k.name() == name).ok_or_else(|| Error::UnknownKind {
            what: K::WHAT,
            name: name.clone(),
            known: K::ALL.iter().map(|k| k.name()).collect::<Vec<_>>().join(", "),
        })
    };
    let wanted = include.iter().map(find).collect::<Result<Vec<K>, _>>()?;
    let unwanted = exclude.iter().map(find).collect::<Result<Vec<K>, _>>()?;
    let left: Vec<K> =
        K::ALL.iter().copied().filter(|k| (wanted.is_empty() || wanted.contains(k)) && !unwanted.contains(k)).collect();
    if left.is_empty() { Err(Error::NothingLeft { what: K::WHAT }) } else { Ok(left) }
}
