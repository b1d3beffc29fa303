//! Reads JSON that nobody vouches for: bounded before it is parsed, and each field checked with its path.

use super::reason::{Reason, quoted};
use forewarn_runtime::time::parse_instant;
use serde_json::Value;

/// 2006-01-01 and 2100-01-01, milliseconds: EC2 began in 2006.
const TIMES: std::ops::Range<i64> = 1_136_073_600_000..4_102_444_800_000;
/// Longest free text that is kept, in characters.
const MAX_WORDS: usize = 512;
/// Longest name or id, in bytes.
const MAX_NAME: usize = 256;

/// Parses JSON of at most `most` bytes and `depth` levels.
pub(super) fn json(raw: &[u8], most: usize, depth: usize) -> Result<Value, Reason> {
    if raw.len() > most {
        return Err(Reason::Oversized { bytes: raw.len(), most });
    }
    let text = std::str::from_utf8(raw).map_err(|e| Reason::NotUtf8 { at: e.valid_up_to() })?;
    if is_deeper(text, depth) {
        return Err(Reason::TooDeep { most: depth });
    }
    serde_json::from_str(text).map_err(|e| Reason::NotJson { what: quoted(&e.to_string()) })
}

/// Counts brackets outside strings: what is no JSON at all is found out by the parser.
fn is_deeper(text: &str, most: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for b in text.bytes() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Doc<'a> {
    pub(super) value: &'a Value,
    path: String,
}

impl<'a> Doc<'a> {
    /// Begins at the top.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Gives a field; one that is null counts as missing, and what is no object has none.
    pub(super) fn maybe(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|v| !v.is_null())?;
        Some(Self { value, path: self.below(key) })
    }

    /// Gives a field that must be there.
    pub(super) fn need(&self, key: &str) -> Result<Self, Reason> {
        if !self.value.is_object() {
            return Err(self.wrong("an object"));
        }
        self.maybe(key).ok_or_else(|| Reason::Missing { path: self.below(key) })
    }

    /// Gives an entry of a list.
    pub(super) fn list(&self, most: usize) -> Result<Vec<Self>, Reason> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        if items.len() > most {
            return Err(Reason::TooMany { path: self.path.clone(), count: items.len(), most });
        }
        Ok(items.iter().enumerate().map(|(i, value)| Self { value, path: format!("{}[{i}]", self.path) }).collect())
    }

    /// Gives the text.
    pub(super) fn text(&self) -> Result<&'a str, Reason> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    /// Gives a name: not empty, not long, without control characters.
    pub(super) fn name(&self) -> Result<&'a str, Reason> {
        let text = self.text()?;
        let fine = !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
        if fine { Ok(text) } else { Err(self.bad_value("1 to 256 bytes without control characters")) }
    }

    /// Gives free text, cut to what is kept.
    pub(super) fn words(&self) -> Result<String, Reason> {
        let text = self.text()?;
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        Ok(text.chars().take(MAX_WORDS).map(clean).collect())
    }

    /// Gives a whole number within bounds.
    pub(super) fn whole(&self, range: std::ops::RangeInclusive<i64>) -> Result<i64, Reason> {
        let n = self.value.as_i64().ok_or_else(|| self.wrong("a whole number"))?;
        if range.contains(&n) {
            return Ok(n);
        }
        Err(self.bad_value(&format!("{} to {}", range.start(), range.end())))
    }

    /// Gives an id of the form `PREFIX` and 8 to 17 hexadecimal digits.
    pub(super) fn id(&self, prefix: &str, what: &str) -> Result<&'a str, Reason> {
        let text = self.text()?;
        if is_id(text, prefix) { Ok(text) } else { Err(self.bad_id(what)) }
    }

    /// Gives an instance id.
    pub(super) fn instance(&self) -> Result<&'a str, Reason> {
        self.id("i-", "instance id")
    }

    /// Gives a time, milliseconds, written as RFC 3339 or as RFC 1123.
    pub(super) fn time(&self) -> Result<i64, Reason> {
        let text = self.text()?;
        let zoned = text.len() <= 64 && text.len() >= 10;
        let ms = zoned.then(|| rfc3339(text).or_else(|| rfc1123(text))).flatten();
        ms.filter(|ms| TIMES.contains(ms))
            .ok_or_else(|| Reason::BadTime { path: self.path.clone(), found: quoted(text) })
    }

    /// Says that the value is of the wrong type.
    pub(super) fn wrong(&self, expected: &str) -> Reason {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let path = if self.path.is_empty() { "the message".to_owned() } else { self.path.clone() };
        Reason::WrongType { path, expected: expected.to_owned(), found: found.to_owned() }
    }

    /// Says that the value is none that the field takes.
    pub(super) fn bad_value(&self, expected: &str) -> Reason {
        let found = self.value.as_str().map_or_else(|| quoted(&self.value.to_string()), quoted);
        Reason::BadValue { path: self.path.clone(), expected: expected.to_owned(), found }
    }

    /// Says that the value is no id of the kind.
    pub(super) fn bad_id(&self, expected: &str) -> Reason {
        let found = self.value.as_str().map_or_else(|| quoted(&self.value.to_string()), quoted);
        Reason::BadId { path: self.path.clone(), expected: expected.to_owned(), found }
    }
}

/// Says whether text is `PREFIX` and 8 to 17 hexadecimal digits.
pub fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (8..=17).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn rfc3339(text: &str) -> Option<i64> {
    // Epoch numbers and times without a zone are no event times.
    let zoned = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    zoned.then(|| parse_instant(text, None).ok()).flatten()
}

fn rfc1123(text: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_deep_or_no_json_is_told_apart() {
        let name = |raw: &[u8]| json(raw, 100, 4).map_or_else(|r| r.name(), |_| "fine");
        assert_eq!(name(b"[[[[]]]]"), "fine");
        assert_eq!(name(b"[[[[[]]]]]"), "too_deep");
        assert_eq!(name(br#"["[[[[[[\"[["]"#), "fine");
        assert_eq!(name(&[b' '; 101]), "oversized");
        assert_eq!(name(b"\"\xff\""), "not_utf8");
        for bad in ["", "{", "nul", "[1] 2", "NaN"] {
            assert_eq!(name(bad.as_bytes()), "not_json", "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_both_forms_and_only_with_a_zone() {
        let time = |text: &str| Doc::root(&Value::from(text)).time();
        assert_eq!(time("2016-06-05T06:27:57Z"), Ok(1_465_108_077_000));
        assert_eq!(time("Sun, 05 Jun 2016 06:27:57 GMT"), Ok(1_465_108_077_000));
        assert_eq!(time("2016-06-05T08:27:57+02:00"), Ok(1_465_108_077_000));
        for bad in [
            "2016-06-05T06:27:57",
            "1465108077",
            "1465108077000",
            "",
            "1999-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "soon",
        ] {
            assert!(matches!(time(bad), Err(Reason::BadTime { .. })), "{bad}");
        }
    }

    #[test]
    fn ids_are_checked() {
        assert!(is_id("i-0123456789abcdef0", "i-") && is_id("i-01234567", "i-"));
        for bad in
            ["i-", "i-0123456", "i-0123456789abcdef01", "i-0123456G", "vol-01234567", "I-01234567", "i-01234567 "]
        {
            assert!(!is_id(bad, "i-"), "{bad}");
        }
    }
}
