//! The form `json`: one object a line.

use super::batch::Batches;
use super::{Halt, Point, read_line};
use forewarn_events::Reason;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;

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

pub(super) fn read(plain: &mut impl BufRead, batches: &mut Batches<'_>) -> Result<(), Halt> {
    for record in 1.. {
        let Some(line) = read_line(plain, MAX_LINE)? else { break };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match parse(&line) {
            Ok(line) => batches.add(record, &line.point())?,
            Err(reason) => batches.tally.skip(record, reason),
        }
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<Line<'_>, Reason> {
    if line.len() > MAX_LINE {
        return Err(Reason::Oversized { bytes: line.len(), most: MAX_LINE });
    }
    let text = std::str::from_utf8(line).map_err(|e| Reason::NotUtf8 { at: e.valid_up_to() })?;
    serde_json::from_str(text).map_err(|e| Reason::NotJson { what: e.to_string() })
}

impl Line<'_> {
    fn point(&self) -> Point<'_> {
        Point {
            account: &self.account_id,
            region: &self.region,
            namespace: &self.namespace,
            metric: &self.metric_name,
            dimensions: self.dimensions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
            ts: self.timestamp,
            period_s: None,
            max: Some(self.value.max),
            sum: self.value.sum,
            count: self.value.count,
        }
    }
}
