//! Integration tests of the pipeline and of the workspace as a whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod archive;
mod backtest;
mod checklist;
mod cli;
#[cfg(all(feature = "aws", unix))]
mod doctor;
#[cfg(feature = "aws")]
mod emulator;
#[cfg(all(feature = "aws", unix))]
mod eventbridge;
#[cfg(all(feature = "aws", unix))]
mod faultproxy;
mod history;
mod hostile_events;
mod house;
mod import;
mod invariance;
#[cfg(all(feature = "aws", unix))]
mod kinesis;
mod log;
#[cfg(all(feature = "aws", unix))]
mod log_dynamodb;
mod log_emit;
mod log_fixture;
mod log_prune;
mod log_samples;
mod log_samples_recovery;
mod log_tamper;
mod lookahead;
#[cfg(all(feature = "aws", unix))]
mod moto;
mod person;
mod pilot;
#[cfg(all(feature = "aws", unix))]
mod plans;
mod port;
#[cfg(all(feature = "aws", unix))]
mod recovery_world;
mod respond;
#[cfg(all(feature = "aws", unix))]
mod respond_hands_a;
#[cfg(all(feature = "aws", unix))]
mod respond_hands_b;
#[cfg(all(feature = "aws", unix))]
mod respond_tables;
#[cfg(all(feature = "aws", unix))]
mod s3;
mod schema;
mod scorecard;
mod simulate;
#[cfg(all(feature = "aws", unix))]
mod sqs;
mod stream;
mod units;
