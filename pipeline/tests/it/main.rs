//! Integration tests of the pipeline.

mod log;
mod log_emit;
mod log_fixture;
mod log_samples;
mod log_tamper;
mod port;
mod schema;
