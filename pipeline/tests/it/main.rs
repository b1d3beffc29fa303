//! Integration tests of the pipeline and of the workspace as a whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod backtest;
mod checklist;
mod cli;
mod history;
mod house;
mod import;
mod invariance;
mod log;
mod log_emit;
mod log_fixture;
mod log_prune;
mod log_samples;
mod log_tamper;
mod lookahead;
mod person;
mod port;
#[cfg(all(feature = "aws", unix))]
mod s3;
mod schema;
mod scorecard;
mod simulate;
