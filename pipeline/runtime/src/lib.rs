//! The ground that every room stands on: time, interruption, failpoints, leases, schedules, settings, metrics, and the way to AWS.

#[cfg(feature = "aws")]
pub mod aws;
pub mod backoff;
pub mod cells;
pub mod clock;
pub mod context;
pub mod disk;
pub mod durable;
pub mod failpoint;
pub mod interrupt;
pub mod lease;
pub mod limits;
pub mod metrics;
pub mod place;
pub mod pulse;
pub mod schedule;
pub mod settings;
pub mod sqlite;
pub mod telemetry;
pub mod text;
pub mod threads;
pub mod time;
