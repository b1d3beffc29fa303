//! Any text after the beginning of a line of a metric stream.
#![no_main]

use forewarn_ingest::metric_streams::read;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| {
    read(&[b"{\"", raw].concat(), 0).ok();
});
