//! Integration tests of the program as a person runs it, and of the workspace as a whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod alerts;
mod archive;
mod backtest;
mod checklist;
mod cli;
#[cfg(all(feature = "aws", unix))]
mod doctor;
#[cfg(all(feature = "aws", unix))]
mod emulator;
#[cfg(all(feature = "aws", unix))]
mod eventbridge;
#[cfg(all(feature = "aws", unix))]
mod fault_proxy;
#[cfg(all(feature = "aws", unix))]
mod functions;
#[cfg(all(feature = "aws", unix))]
mod health;
mod house;
mod invariance;
mod log_prune;
mod lookahead;
#[cfg(unix)]
mod maintain;
#[cfg(all(feature = "aws", unix))]
mod metric_stream;
mod person;
mod pilot;
#[cfg(all(feature = "aws", unix))]
mod plans;
#[cfg(all(feature = "aws", unix))]
mod recovery_tables;
#[cfg(all(feature = "aws", unix))]
mod runtime_api;
#[cfg(all(feature = "aws", unix))]
mod s3;
mod schema;
mod scorecard;
mod shards;
#[cfg(all(feature = "aws", unix))]
mod silence;
#[cfg(all(feature = "aws", unix))]
mod sqs;
mod units;
