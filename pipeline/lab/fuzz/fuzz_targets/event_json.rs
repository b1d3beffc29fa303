//! Any bytes as an event: it ends as records that can be encoded, or with a reason.
#![no_main]

use forewarn_ingest::intake::records_of;

libfuzzer_sys::fuzz_target!(|raw: &[u8]| {
    for record in records_of(raw).unwrap_or_default() {
        let encoded = record.encode().expect("what was parsed is encoded");
        assert_eq!(encoded.len(), 1);
    }
});
