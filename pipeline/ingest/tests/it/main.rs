//! Integration tests of what brings metrics and events in.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod ec2_events;
mod hostile_events;
#[cfg(all(feature = "aws", unix))]
mod kinesis;
mod stream;
