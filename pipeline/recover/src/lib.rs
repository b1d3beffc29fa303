//! The recovery executor: carries out what `forewarn_recovery` decides, and writes it down before and after.

#[cfg(feature = "aws")]
pub mod aws;
pub mod due_queue;
pub mod executor;
pub mod facts;
pub mod inbox;
pub mod invocation;
pub mod ledger;
pub mod past;
pub mod planner;
pub mod policies;
pub mod ports;
pub mod serve;
#[cfg(feature = "aws")]
pub mod sqs_wake;
pub mod store;
pub mod triggers;
