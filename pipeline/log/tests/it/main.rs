//! Integration tests of the event log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod append_and_read;
mod conformance;
#[cfg(all(feature = "aws", unix))]
mod dynamodb;
mod maintenance;
mod old_log;
mod tamper;
