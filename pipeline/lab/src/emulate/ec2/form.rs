//! Reads the forms of the Query protocol.

use super::super::refusal::{Kind, Refusal};
use std::collections::BTreeMap;

/// Fields of a form: a request names at most a thousand instances.
const MOST: usize = 5000;

/// A decoded form.
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad = |what: &str| Refusal::new(Kind::Validation, format!("the request is not a form: {what}"));
        let text = std::str::from_utf8(body).map_err(|_| bad("it is not UTF-8"))?;
        let mut out = BTreeMap::new();
        for (n, pair) in text.split('&').filter(|p| !p.is_empty()).enumerate() {
            if n >= MOST {
                return Err(bad("it has too many fields"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| bad("a name is not percent-encoded"))?;
            out.insert(name, decode(value).ok_or_else(|| bad("a value is not percent-encoded"))?);
        }
        Ok(Self(out))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The values of `PREFIX.1`, `PREFIX.2` and so on.
    pub(super) fn list(&self, prefix: &str) -> Vec<String> {
        (1..=MOST).map_while(|n| self.get(&format!("{prefix}.{n}")).map(str::to_owned)).collect()
    }

    /// The filters, each a name and its values.
    pub(super) fn filters(&self) -> Vec<(String, Vec<String>)> {
        let filter = |n: usize| {
            let name = self.get(&format!("Filter.{n}.Name"))?;
            Some((name.to_owned(), self.list(&format!("Filter.{n}.Value"))))
        };
        (1..=MOST).map_while(filter).collect()
    }
}

/// Decodes percents and pluses; none where it can't be.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
