//! Takes some entries out of a batch, and puts their failures into the answer at the right places.

use super::script::{draw, unit};
use serde_json::{Value, json};

/// How a service writes its batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The list in the request.
    entries: &'static str,
    /// The list in the answer.
    results: &'static str,
    /// The count in the answer.
    failed: &'static str,
    code: &'static str,
    message: &'static str,
}

/// Kinesis `PutRecords`.
pub(super) const PUT_RECORDS: Shape = Shape {
    entries: "Records",
    results: "Records",
    failed: "FailedRecordCount",
    code: "ProvisionedThroughputExceededException",
    message: "Rate exceeded for shard",
};

/// `EventBridge` `PutEvents`.
pub(super) const PUT_EVENTS: Shape = Shape {
    entries: "Entries",
    results: "Entries",
    failed: "FailedEntryCount",
    code: "ThrottlingException",
    message: "Rate exceeded",
};

/// A request without the entries that fail.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    /// What is forwarded; none where every entry fails.
    pub(super) forward: Option<Vec<u8>>,
    /// Which entries fail, in order.
    pub(super) failing: Vec<usize>,
}

/// Chooses the entries that fail, `share` of them and at least one; none where the body is no such batch.
pub(super) fn cut(shape: Shape, body: &[u8], share: f64, seed: u64) -> Option<Cut> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let entries = request.get_mut(shape.entries)?.as_array_mut()?;
    let n = entries.len();
    if n == 0 {
        return None;
    }
    let mut failing: Vec<usize> = (0..n).filter(|i| unit(draw(seed, *i as u64, 1)) < share).collect();
    if failing.is_empty() {
        failing.push((draw(seed, n as u64, 2) % n as u64) as usize);
    }
    let mut i = 0;
    entries.retain(|_| {
        i += 1;
        failing.binary_search(&(i - 1)).is_err()
    });
    let forward = if entries.is_empty() { None } else { Some(serde_json::to_vec(&request).ok()?) };
    Some(Cut { forward, failing })
}

/// Puts failures into the service's answer, none where nothing was forwarded; none where the answer is not of this shape.
pub(super) fn mend(shape: Shape, answer: Option<&[u8]>, failing: &[usize]) -> Option<Vec<u8>> {
    let mut answer: Value = match answer {
        Some(bytes) => serde_json::from_slice(bytes).ok()?,
        None => json!({ shape.failed: 0, shape.results: [] }),
    };
    let results = answer.get_mut(shape.results)?.as_array_mut()?;
    for i in failing {
        if *i > results.len() {
            return None;
        }
        results.insert(*i, json!({ "ErrorCode": shape.code, "ErrorMessage": shape.message }));
    }
    let before = answer.get(shape.failed).and_then(Value::as_u64).unwrap_or(0);
    answer[shape.failed] = json!(before + failing.len() as u64);
    serde_json::to_vec(&answer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_entry_is_answered_at_its_place(n in 1_usize..60, share in 0.0..=1.0, seed: u64) {
            let entries: Vec<Value> = (0..n).map(|i| json!({ "Data": i })).collect();
            let request = serde_json::to_vec(&json!({ "StreamName": "s", "Records": entries })).unwrap();
            let cut = cut(PUT_RECORDS, &request, share, seed).unwrap();
            prop_assert!(!cut.failing.is_empty());
            // A service that answers each entry with what it was.
            let answer = cut.forward.as_ref().map(|bytes| {
                let request: Value = serde_json::from_slice(bytes).unwrap();
                let results: Vec<Value> = request["Records"].as_array().unwrap().clone();
                prop_assert_eq!(results.len() + cut.failing.len(), n);
                Ok(serde_json::to_vec(&json!({ "FailedRecordCount": 0, "Records": results })).unwrap())
            }).transpose()?;
            let mended = mend(PUT_RECORDS, answer.as_deref(), &cut.failing).unwrap();
            let mended: Value = serde_json::from_slice(&mended).unwrap();
            prop_assert_eq!(mended["FailedRecordCount"].as_u64(), Some(cut.failing.len() as u64));
            let results = mended["Records"].as_array().unwrap();
            prop_assert_eq!(results.len(), n);
            for (i, result) in results.iter().enumerate() {
                if cut.failing.contains(&i) {
                    prop_assert_eq!(&result["ErrorCode"], PUT_RECORDS.code);
                } else {
                    prop_assert_eq!(&result["Data"], &json!(i));
                }
            }
        }
    }

    #[test]
    fn what_is_no_batch_is_left_alone() {
        assert_eq!(cut(PUT_EVENTS, b"{\"Entries\": []}", 0.5, 1), None);
        assert_eq!(cut(PUT_EVENTS, b"no json", 0.5, 1), None);
        assert_eq!(mend(PUT_EVENTS, Some(b"{\"__type\": \"x\"}"), &[0]), None);
    }
}
