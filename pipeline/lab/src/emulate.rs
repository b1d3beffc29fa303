//! Emulates `CloudWatch` and EC2: a simulated fleet served over the wire that the SDKs speak, with AWS's limits and AWS's faults.
//!
//! Nothing is kept of what was asked: every reply is a function of the world, the clock and the request, except for what callers
//! put themselves. What exists is written down by [`write_truth`], so that whatever pulled it can be judged.

mod cbor;
mod dimensions;
mod ec2;
mod fault;
mod fleet;
mod fold;
mod get;
mod hash;
mod hashed;
mod incidents;
mod input;
mod lateness;
mod list;
mod put;
mod refusal;
mod serve;
mod stats;
mod token;
mod truth;
mod wire;
mod world;

pub use fault::Faults;
pub use hashed::Hashed;
pub use incidents::write_incidents;
pub use lateness::Late;
pub use serve::serve;
pub use truth::write_truth;

use forewarn_runtime::clock::Clock;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use world::{Span, World};

/// Says what is emulated.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of everything.
    pub seed: u64,
    /// Number of instances.
    pub instances: usize,
    /// First period, milliseconds; a multiple of the step.
    pub start_ms: i64,
    /// Days of data.
    pub days: u32,
    /// Period of the stored points in seconds: 60 or 300.
    pub step_s: u32,
    /// Whether points are missing.
    pub gaps: bool,
    /// The series.
    pub world: WorldKind,
    /// Which points come late.
    pub late: Late,
    /// What goes wrong with calls.
    pub faults: Faults,
    /// The account that everything belongs to.
    pub account: String,
    /// The region that everything lies in.
    pub region: String,
}

/// Where values come from.
#[derive(Debug, Clone)]
pub enum WorldKind {
    /// Computed from the seed, the series and the time: any size, no memory.
    Hashed(Hashed),
    /// Simulated machines with their habits and faults; what [`Options`] says goes before what is said here.
    Fleet(Box<crate::simulate::Options>),
}

impl Options {
    /// Checks the values against each other.
    ///
    /// # Errors
    /// The first setting that no world can be made from.
    pub fn check(&self) -> Result<(), EmulateError> {
        let bad = |setting, problem| Err(EmulateError::Setting { setting, problem });
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let f = &self.faults;
        let calls = [f.throttle, f.errors, f.resets, f.partial, f.internal, f.slow, f.lose_replies];
        let h = match &self.world {
            WorldKind::Hashed(h) => *h,
            WorldKind::Fleet(_) => Hashed::default(),
        };
        match () {
            () if self.instances == 0 || self.instances > 1_000_000 => bad("instances", "must be 1 to 1,000,000"),
            () if self.days == 0 || self.days > 3660 => bad("days", "must be 1 to 3,660"),
            () if ![60, 300].contains(&self.step_s) => bad("step", "must be 60 or 300 seconds"),
            () if !(0..=32_503_680_000_000).contains(&self.start_ms) => bad("start", "must be 1970 to 2999"),
            () if self.start_ms % (i64::from(self.step_s) * 1000) != 0 => {
                bad("start", "must be a multiple of the step, as CloudWatch's periods are")
            }
            () if !(1..=Hashed::MOST_SERIES).contains(&h.series) => bad("series", "must be 1 to 16"),
            () if !share(h.terminated) || !share(h.launched) => bad("terminated and launched", "must be 0 to 1"),
            () if !share(self.late.share) => bad("late", "must be a share from 0 to 1"),
            () if !(60_000..=86_400_000).contains(&self.late.most_ms) => bad("late", "must be at most 1m to 1d"),
            () if !calls.into_iter().all(share) => bad("faults", "must be shares from 0 to 1"),
            () if f.rate_limit.is_some_and(|r| !(r >= 1.0 && r.is_finite())) => bad("rate limit", "must be 1 or more"),
            () if f.storm.is_some_and(|(from, to)| from >= to) => bad("storm", "must end after it begins"),
            () if self.account.len() != 12 || !self.account.bytes().all(|b| b.is_ascii_digit()) => {
                bad("account", "must have twelve digits")
            }
            () if !region(&self.region) => bad("region", "must be like eu-central-1"),
            () => Ok(()),
        }
    }
}

fn region(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain && (1..=32).contains(&text.len())
}

/// An emulated account in one region.
#[derive(Debug)]
pub struct Emulator {
    seed: u64,
    account: String,
    region: String,
    world: Box<dyn World>,
    late: Late,
    fates: fault::Fates,
    stats: stats::Stats,
    store: Mutex<put::Store>,
    clock: Arc<dyn Clock>,
    /// How far it was set off its clock, milliseconds.
    set_by: AtomicI64,
}

impl Emulator {
    /// Makes the world.
    ///
    /// # Errors
    /// [`EmulateError::Setting`] as [`Options::check`] says.
    pub fn new(options: &Options, clock: Arc<dyn Clock>) -> Result<Self, EmulateError> {
        options.check()?;
        let span = Span {
            start_ms: options.start_ms,
            end_ms: options.start_ms + i64::from(options.days) * forewarn_runtime::time::DAY_MS,
            step_ms: i64::from(options.step_s) * 1000,
        };
        let world: Box<dyn World> = match &options.world {
            WorldKind::Hashed(what) => {
                Box::new(hashed::HashedWorld::new(options.seed, options.instances, span, options.gaps, *what))
            }
            WorldKind::Fleet(fleet) => {
                let fleet = crate::simulate::Options {
                    instances: options.instances,
                    days: options.days,
                    seed: options.seed,
                    start_ms: options.start_ms,
                    step_s: options.step_s,
                    gaps: options.gaps,
                    ..(**fleet).clone()
                };
                Box::new(fleet::Fleet::make(&fleet, span)?)
            }
        };
        Ok(Self {
            seed: options.seed,
            account: options.account.clone(),
            region: options.region.clone(),
            world,
            late: options.late,
            fates: fault::Fates::new(options.faults, options.seed),
            stats: stats::Stats::default(),
            store: Mutex::default(),
            clock,
            set_by: AtomicI64::new(0),
        })
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms().saturating_add(self.set_by.load(Ordering::Relaxed))
    }

    /// Sets its clock to a time, milliseconds, from which it goes on, as `PUT /_emulator/clock` does.
    pub fn set_clock(&self, to_ms: i64) {
        self.set_by.store(to_ms.saturating_sub(self.clock.now_ms()), Ordering::Relaxed);
    }

    /// Gives the counters, as `GET /_emulator/stats` does.
    pub fn stats(&self) -> serde_json::Value {
        self.stats.json()
    }

    fn store(&self) -> MutexGuard<'_, put::Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says why nothing could be emulated.
#[derive(Debug, thiserror::Error)]
pub enum EmulateError {
    /// A setting makes no sense: change it.
    #[error("emulator: {setting} {problem}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The fleet cannot be simulated.
    #[error(transparent)]
    Fleet(#[from] crate::simulate::Error),
    /// The address is taken or isn't this machine's: choose another.
    #[error("emulator: cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The truth cannot be written: choose another file or make room.
    #[error("emulator: cannot write the truth to {path}")]
    Truth {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The table writer failed: a full disk, as a rule.
    #[error("emulator: cannot write the table {path}")]
    Table {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
}
