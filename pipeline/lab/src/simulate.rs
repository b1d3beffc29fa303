//! Simulates fleets: seeded machines with many habits and faults, measured as `CloudWatch` would measure them, with the
//! truth about their failures.
//!
//! Series come from latent state (demand, credits, memory, disk, volume, network) that faults act upon; nothing is
//! painted on a metric. The same options give the same bytes, and instance `i` is the same in a fleet of any size.

mod active;
mod credit;
mod draw;
mod fault;
mod habit;
mod kind;
mod life;
mod machine;
mod observe;
mod plan;
mod profile;
mod pulse;
mod volume;
mod write;

pub use kind::{Fault, Kind, Shape, select};
pub use write::{Report, write};

use std::path::PathBuf;

/// Says what to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Number of instances.
    pub instances: usize,
    /// Days of data.
    pub days: u32,
    /// Seed: the same seed gives the same bytes.
    pub seed: u64,
    /// First sample, milliseconds since the epoch, UTC.
    pub start_ms: i64,
    /// Period of the samples in seconds: 60 or 300.
    pub step_s: u32,
    /// Whether nothing goes wrong at all.
    pub fault_free: bool,
    /// Scales the number of faults; 1 gives about 0.35 incidents an instance-month.
    pub fault_rate: f64,
    /// The shapes that occur.
    pub shapes: Vec<Shape>,
    /// The faults that occur.
    pub faults: Vec<Fault>,
    /// Whether points are missing, late, doubled and revised.
    pub gaps: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instances: 200,
            days: 35,
            seed: 1,
            start_ms: 1_767_225_600_000,
            step_s: 300,
            fault_free: false,
            fault_rate: 1.0,
            shapes: Shape::ALL.to_vec(),
            faults: Fault::ALL.to_vec(),
            gaps: true,
        }
    }
}

impl Options {
    /// Checks the values against each other.
    ///
    /// # Errors
    /// The first setting that no fleet can be made from.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |setting, problem: &str| Err(Error::Setting { setting, problem: problem.into() });
        match () {
            () if self.instances == 0 || self.instances > 1_000_000 => bad("instances", "must be 1 to 1,000,000"),
            () if self.days == 0 || self.days > 3660 => bad("days", "must be 1 to 3,660"),
            () if ![60, 300].contains(&self.step_s) => bad("step", "must be 60 or 300 seconds"),
            () if !(0.0..=50.0).contains(&self.fault_rate) => bad("fault rate", "must be 0 to 50"),
            () if self.shapes.is_empty() => bad("shapes", "must name at least one"),
            () if self.faults.is_empty() && !self.fault_free => bad("faults", "must name at least one"),
            () if !(0..=32_503_680_000_000).contains(&self.start_ms) => bad("start", "must be 1970 to 2999"),
            () => Ok(()),
        }
    }
}

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Start of the period, milliseconds since the epoch.
    pub ts: i64,
    pub value: f64,
    /// When it became known, where that is not the usual time.
    pub ingested_at: Option<i64>,
}

/// One measured series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// `CloudWatch` namespace.
    pub namespace: &'static str,
    /// Metric name.
    pub metric: &'static str,
    /// Statistic.
    pub stat: &'static str,
    /// Device, where the metric has one.
    pub device: Option<&'static str>,
    /// Samples in order of time; versions of one point in order of `ingested_at`.
    pub samples: Vec<Sample>,
}

/// A failure that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// When it began, milliseconds since the epoch.
    pub ts: i64,
    /// Name of the fault.
    pub cause: &'static str,
    /// Whether a precursor stood in the emitted data two hours before.
    pub predictable: bool,
}

/// Something that AWS announced about the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was announced.
    pub ts: i64,
    /// `scheduled` or `state`.
    pub kind: &'static str,
    /// The event code, such as `instance-retirement`.
    pub code: &'static str,
    /// When it takes effect.
    pub starts_at: Option<i64>,
    /// The description.
    pub detail: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it happened.
    pub ts: i64,
    /// What it is called.
    pub label: String,
}

/// How a fault ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It killed the instance.
    Killed,
    /// It healed, or something else killed first.
    Healed,
    /// The data ended first.
    Open,
}

impl Outcome {
    /// Gives the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Healed => "healed",
            Self::Open => "open",
        }
    }
}

/// A fault that started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRecord {
    /// What it was.
    pub kind: Fault,
    /// When it began.
    pub onset: i64,
    /// When it was over.
    pub end: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// One simulated instance with all its data and the truth about it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimInstance {
    /// EC2 instance id; ids sort as the instances are numbered.
    pub id: String,
    /// Account id.
    pub account: &'static str,
    pub region: &'static str,
    /// The group that it is a copy in.
    pub workload: String,
    /// EC2 instance type.
    pub instance_type: &'static str,
    /// Its main habit.
    pub shape: Shape,
    /// All its habits, the main one first.
    pub habits: Vec<Shape>,
    /// When it was launched, possibly long before the data.
    pub launched_at: i64,
    /// When it was terminated, if it was.
    pub terminated_at: Option<i64>,
    /// Faults that started, in order of their end.
    pub faults: Vec<FaultRecord>,
    /// Series, sorted by metric and device.
    pub series: Vec<Series>,
    /// Failures in order of time.
    pub incidents: Vec<Incident>,
    /// Announcements in order of time.
    pub events: Vec<Event>,
    /// Deployments in order of time.
    pub changes: Vec<Change>,
}

/// Simulates instance `i`, which does not depend on how many instances there are.
///
/// # Errors
/// [`Error::Setting`] as [`Options::check`] says.
pub fn instance(options: &Options, i: usize) -> Result<SimInstance, Error> {
    options.check()?;
    Ok(observe::measure(options, i))
}

/// Says why a fleet could not be simulated or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting makes no sense: change it.
    #[error("simulate: {setting} {problem}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What it must be.
        problem: String,
    },
    /// A kind was named that does not exist: use one of those known.
    #[error("simulate: no {what} is called {name:?}; known are {known}")]
    UnknownKind {
        /// `shape` or `fault`.
        what: &'static str,
        /// The name given.
        name: String,
        /// All names.
        known: String,
    },
    /// Including and excluding left nothing: name fewer exclusions.
    #[error("simulate: every {what} is excluded; leave at least one")]
    NothingLeft {
        /// `shape` or `fault`.
        what: &'static str,
    },
    /// The folder cannot be written: choose another or make room.
    #[error("simulate: cannot write {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The table writer failed: a full disk, as a rule.
    #[error("simulate: cannot write the table {path}")]
    Table {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
}
