//! The CloudWatch source: which instances are observed, which series they have, and how their samples are pulled.
//!
//! What to ask is decided by pure functions (`select`, `wanted`, `discover`, `window`, `plan`, `limit`, `budget`, `breaker`); `round` carries it
//! out for one account and region, `ingest` for all of them, and `state` remembers how far everything has come.

pub mod api;
#[cfg(any(feature = "aws", test))]
mod classify;
#[cfg(feature = "aws")]
pub mod cloudwatch;
#[cfg(feature = "aws")]
pub mod ec2;
#[cfg(feature = "aws")]
mod offset;

pub mod breaker;
pub mod follow;
pub mod ingest;
pub mod job;
pub mod place;
pub mod report;
pub mod watch;

pub mod accounts;
pub mod metric_scope;
pub mod select;

pub mod budget;
pub mod limit;
pub mod plan;
pub mod window;

mod call;
mod clean;
mod deliver;
mod discover;
mod fetch;
mod gap;
mod ledger;
mod permits;
mod place_metrics;
mod refresh;
mod round;
pub mod state;
mod tail;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
