//! Makes a detail fit where it is too large, and says in it what was taken away.
//!
//! Pure. In this order, and only as far as needed: long texts are shortened; factors go, the weakest first; then the
//! counterfactual, notes, links and plan; members, those at the lowest level first; last, what this version does not know. Ids,
//! confidence, probability and window are never touched.

use serde_json::{Map, Value, json};

/// Where the detail says what was taken away.
pub const TRIMMED: &str = "trimmed";
/// The smallest size that every detail can be brought to, in bytes.
pub const FLOOR: usize = 64 * 1024;
/// How long a text may stay at first, and in the end, in bytes.
const TEXTS: [usize; 2] = [512, 64];
/// No id that the log takes is longer; what is longer is no id and is cut in the end.
const LONGEST_ID: usize = forewarn_domain::id::MAX_NAME_BYTES;
/// Fields that only this bus adds or that name, grade or place the event: never touched.
const KEPT: &[&str] = &[
    "account",
    "age_s",
    "as_of",
    "at",
    "cause",
    "class",
    "confidence",
    "details",
    "end",
    "engine",
    "event_id",
    "event_type",
    "failure_type",
    "from",
    "held_until",
    "by",
    "lead_hours",
    "level",
    "outcome",
    "predictable",
    "previous",
    "probability",
    "recommended_action",
    "region",
    "rule",
    "ruleset",
    "sequence",
    "signal",
    "signals",
    "since",
    "start",
    "status",
    "successor",
    "to",
    "trigger",
    "unassessable",
    "verdict",
    "downtime_s",
    "workload",
];
/// Fields that are trimmed in a way of their own.
const SHRUNK: &[&str] = &["counterfactual", "factors", "links", "members", "notes", "plan", "window", TRIMMED];

/// Trims a detail until `size` of it is at most `limit`; one that fits is given back as it is.
///
/// `size` must grow with the JSON text of the detail; a limit below [`FLOOR`] may not be reached.
pub fn trim(detail: Value, limit: usize, size: &dyn Fn(&Value) -> usize) -> Value {
    let mut work = Work { detail, limit, size, said: Vec::new() };
    if !work.fits() {
        work.shorten(TEXTS[0]);
        work.shrink("factors", |f| f.get("evidence").and_then(Value::as_f64).unwrap_or(0.0));
        work.replace("counterfactual", Value::Null);
        work.replace("notes", json!([]));
        work.replace("links", json!({}));
        work.replace("plan", Value::Null);
        work.shrink("members", |m| level(m.get("level").and_then(Value::as_str)));
        work.shorten(TEXTS[1]);
        work.forget_unknown();
    }
    work.done()
}

struct Work<'a> {
    detail: Value,
    limit: usize,
    size: &'a dyn Fn(&Value) -> usize,
    said: Vec<String>,
}

impl Work<'_> {
    /// Gives the detail with what has been said so far.
    fn with_notes(&self, detail: &Value, more: Option<&str>) -> Value {
        let mut noted = detail.clone();
        let said: Vec<&str> = self.said.iter().map(String::as_str).chain(more).collect();
        if let (Value::Object(map), false) = (&mut noted, said.is_empty()) {
            map.insert(TRIMMED.to_owned(), json!(said));
        }
        noted
    }

    fn fits(&self) -> bool {
        self.fits_with(&self.detail, None)
    }

    fn fits_with(&self, detail: &Value, more: Option<&str>) -> bool {
        (self.size)(&self.with_notes(detail, more)) <= self.limit
    }

    fn done(self) -> Value {
        self.with_notes(&self.detail, None)
    }

    /// Shortens every text that may be shortened.
    fn shorten(&mut self, longest: usize) {
        if self.fits() {
            return;
        }
        let mut count = 0;
        for_each_text(&mut self.detail, "", &mut |key, text| {
            let longest = if is_kept(key) { LONGEST_ID } else { longest };
            if text.len() > longest {
                text.truncate(text.floor_char_boundary(longest.saturating_sub("…".len())));
                text.push('…');
                count += 1;
            }
        });
        if count > 0 {
            self.said.push(format!("texts: {count} shortened to {longest} bytes"));
        }
    }

    /// Keeps as many items of a list as fit, the weightiest, in their order.
    fn shrink(&mut self, key: &str, weight: impl Fn(&Value) -> f64) {
        let Some(items) = self.detail.get(key).and_then(Value::as_array).cloned() else { return };
        if self.fits() || items.is_empty() {
            return;
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        // Stable: of equals the first stay.
        order.sort_by(|a, b| weight(&items[*b]).total_cmp(&weight(&items[*a])));
        let with = |keep: usize| {
            let mut kept = order[..keep].to_vec();
            kept.sort_unstable();
            let mut detail = self.detail.clone();
            detail[key] = kept.into_iter().map(|i| items[i].clone()).collect();
            (detail, format!("{key}: {keep} of {}", items.len()))
        };
        let (mut most, mut too_many) = (0, items.len());
        while too_many - most > 1 {
            let middle = usize::midpoint(most, too_many);
            let (detail, said) = with(middle);
            if self.fits_with(&detail, Some(&said)) {
                most = middle;
            } else {
                too_many = middle;
            }
        }
        let (detail, said) = with(most);
        self.detail = detail;
        self.said.push(said);
    }

    /// Puts something small in a field's place.
    fn replace(&mut self, key: &str, by: Value) {
        let Some(value) = self.detail.get(key).filter(|v| **v != by) else { return };
        if self.fits() {
            return;
        }
        self.said.push(match value {
            Value::Array(items) => format!("{key}: 0 of {}", items.len()),
            Value::Object(map) if by.is_object() => format!("{key}: 0 of {}", map.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => key.to_owned(),
        });
        self.detail[key] = by;
    }

    /// Drops lists and objects that no version known here has.
    fn forget_unknown(&mut self) {
        if self.fits() {
            return;
        }
        let Value::Object(map) = &mut self.detail else { return };
        let unknown = |key: &str, value: &Value| {
            let compound = value.is_array() || value.is_object();
            compound && !is_kept(key) && !SHRUNK.contains(&key)
        };
        let dropped = map.iter().filter(|(k, v)| unknown(k, v)).count();
        map.retain(|k, v| !unknown(k, v));
        if dropped > 0 {
            self.said.push(format!("unknown fields: {dropped} dropped"));
        }
    }
}

fn is_kept(key: &str) -> bool {
    key.ends_with("_id") || KEPT.contains(&key) || matches!(key, "p10" | "p50" | "p90" | "name" | "version" | "sha256")
}

fn for_each_text(value: &mut Value, key: &str, each: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => each(key, text),
        Value::Array(items) => items.iter_mut().for_each(|v| for_each_text(v, key, each)),
        Value::Object(map) => fields(map, each),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fields(map: &mut Map<String, Value>, each: &mut impl FnMut(&str, &mut String)) {
    for (key, value) in map.iter_mut() {
        for_each_text(value, key, each);
    }
}

fn level(name: Option<&str>) -> f64 {
    match name {
        Some("high") => 3.0,
        Some("medium") => 2.0,
        Some("low") => 1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests;
