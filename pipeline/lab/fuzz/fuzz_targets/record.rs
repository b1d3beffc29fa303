//! Any bytes as a record of the stream; what is decoded can be encoded again.
#![no_main]

use forewarn_ingest::stream::Record;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| {
    if let Ok(record) = Record::decode(raw) {
        record.encode().ok();
    }
});
