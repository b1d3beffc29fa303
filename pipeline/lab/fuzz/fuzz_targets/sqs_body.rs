//! Any bytes as a batch of SQS messages, and each message of it as an event.
#![no_main]

use forewarn_events::{lambda, parse};

libfuzzer_sys::fuzz_target!(|raw: &[u8]| {
    for message in lambda::messages(raw).unwrap_or_default() {
        parse(message.body.as_bytes()).ok();
    }
});
