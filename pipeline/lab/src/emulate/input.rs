//! Takes what an operation asks for out of a decoded request; errors name the parameter.

use super::cbor::Value;
use super::dimensions::Dimension;
use super::refusal::{Kind, Refusal};

/// A map of a request, and where it stands in it.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    pairs: &'a [(String, Value)],
    place: String,
}

/// Longest text that a parameter may be.
const LONGEST: usize = 2048;

impl<'a> Fields<'a> {
    /// Takes a request.
    pub(super) fn of(value: &'a Value, place: &str) -> Result<Self, Refusal> {
        let Value::Map(pairs) = value else {
            return Err(Refusal::new(Kind::Serialization, format!("{place} must be a structure")));
        };
        Ok(Self { pairs, place: place.to_owned() })
    }

    /// Names a parameter as errors do.
    pub(super) fn name(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.pairs.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v).filter(|v| **v != Value::Null)
    }

    fn wrong(&self, key: &str, what: &str) -> Refusal {
        Refusal::new(Kind::Serialization, format!("{} must be {what}", self.name(key)))
    }

    fn missing(&self, key: &str) -> Refusal {
        Refusal::new(Kind::MissingParameter, format!("The parameter {} is required.", self.name(key)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) if text.len() <= LONGEST => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, &format!("a text of at most {LONGEST} bytes"))),
        }
    }

    /// A text that must be there and have 1 to 255 characters.
    pub(super) fn label(&self, key: &str) -> Result<&'a str, Refusal> {
        let text = self.text(key)?.ok_or_else(|| self.missing(key))?;
        if text.is_empty() || text.chars().count() > 255 {
            let message = format!("The parameter {} must have 1 to 255 characters.", self.name(key));
            return Err(Refusal::new(Kind::InvalidValue, message));
        }
        Ok(text)
    }

    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Int(n)) => Ok(Some(*n)),
            Some(_) => Err(self.wrong(key, "an integer")),
        }
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(_) => Err(self.wrong(key, "a boolean")),
        }
    }

    pub(super) fn float(&self, key: &str) -> Result<Option<f64>, Refusal> {
        self.get(key).map(|v| number(v).ok_or_else(|| self.wrong(key, "a number"))).transpose()
    }

    pub(super) fn floats(&self, key: &str) -> Result<Option<Vec<f64>>, Refusal> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        items.iter().map(|v| number(v).ok_or_else(|| self.wrong(key, "numbers"))).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn time(&self, key: &str) -> Result<Option<i64>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Time(ms)) => Ok(Some(*ms)),
            Some(_) => Err(self.wrong(key, "a time")),
        }
    }

    pub(super) fn must_time(&self, key: &str) -> Result<i64, Refusal> {
        self.time(key)?.ok_or_else(|| self.missing(key))
    }

    fn list(&self, key: &str) -> Result<Option<&'a [Value]>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.wrong(key, "a list")),
        }
    }

    pub(super) fn structure(&self, key: &str) -> Result<Option<Fields<'a>>, Refusal> {
        self.get(key).map(|v| Fields::of(v, &self.name(key))).transpose()
    }

    pub(super) fn must_structure(&self, key: &str) -> Result<Fields<'a>, Refusal> {
        self.structure(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of structures; empty where it is absent.
    pub(super) fn structures(&self, key: &str) -> Result<Vec<Fields<'a>>, Refusal> {
        let items = self.list(key)?.unwrap_or_default();
        let place = |n: usize| format!("{}.member.{}", self.name(key), n + 1);
        items.iter().enumerate().map(|(n, v)| Fields::of(v, &place(n))).collect()
    }

    /// At most 30 dimensions, each with name and value.
    pub(super) fn dimensions(&self) -> Result<Vec<Dimension>, Refusal> {
        let items = self.structures("Dimensions")?;
        if items.len() > 30 {
            let message = format!("The collection {} must not have a size greater than 30.", self.name("Dimensions"));
            return Err(Refusal::new(Kind::InvalidValue, message));
        }
        let pair = |d: &Fields<'_>| Ok((d.label("Name")?.to_owned(), d.label("Value")?.to_owned()));
        items.iter().map(pair).collect()
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(x) => Some(*x),
        Value::Int(n) => Some(*n as f64),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Bytes
        | Value::Array(_)
        | Value::Map(_)
        | Value::Time(_) => None,
    }
}
