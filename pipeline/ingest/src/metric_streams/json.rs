//! The form `json`: one object a line.

use super::Point;
use super::batch::Batches;
use forewarn_events::Reason;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Longest line.
const MAX_LINE: usize = 64 << 10;

#[derive(Debug, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    account_id: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    metric_name: Cow<'a, str>,
    dimensions: BTreeMap<String, String>,
    timestamp: i64,
    value: Value,
}

#[derive(Debug, Deserialize)]
struct Value {
    max: f64,
    sum: f64,
    count: f64,
}

pub(super) fn read(plain: &[u8], batches: &mut Batches) -> Result<(), Reason> {
    let text = std::str::from_utf8(plain).map_err(|e| Reason::NotUtf8 { at: e.valid_up_to() })?;
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        if line.len() > MAX_LINE {
            return Err(Reason::Oversized { bytes: line.len(), most: MAX_LINE });
        }
        let line: Line<'_> =
            serde_json::from_str(line).map_err(|e| Reason::NotJson { what: format!("line {}: {e}", n + 1) })?;
        batches.add(&Point {
            account: &line.account_id,
            region: &line.region,
            namespace: &line.namespace,
            metric: &line.metric_name,
            dimensions: line.dimensions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
            ts: line.timestamp,
            max: Some(line.value.max),
            sum: line.value.sum,
            count: line.value.count,
        })?;
    }
    Ok(())
}
