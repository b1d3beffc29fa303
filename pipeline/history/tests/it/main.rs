//! Integration tests of the history and of what is imported into it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::format_push_string, reason = "test input is built line by line")]

mod import;
mod layout;
mod tables;
