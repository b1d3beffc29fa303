//! Any bytes as an object of a metric stream, mostly as protobuf; what is read can be encoded.
#![no_main]

use forewarn_ingest::metric_streams::read;
use forewarn_ingest::stream::Record;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| {
    if let Ok(readings) = read(raw, 0) {
        for batch in readings.batches {
            Record::Samples(batch).encode().expect("what was read is encoded");
        }
    }
});
