//! Integration tests of the pipeline.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod log;
mod log_emit;
mod log_fixture;
mod log_samples;
mod log_tamper;
mod port;
mod schema;
