//! Integration tests of the recovery executor.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod bench;
mod crash;
mod executor;
#[cfg(all(feature = "aws", unix))]
mod instances;
#[cfg(all(feature = "aws", unix))]
mod network_and_storage;
mod pruned;
