//! CBOR (RFC 8949), as far as Smithy's RPC v2 uses it: written by hand where millions of points pass, read with bounds.

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

/// How deep a request may nest; `CloudWatch`'s own go to seven.
const DEEPEST: usize = 32;

/// A decoded item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Bytes, which nothing here asks for.
    Bytes,
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
    /// Milliseconds since 1970.
    Time(i64),
}

/// Decodes one item that fills `bytes`; the error says what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let mut decoder = Decoder::new(bytes);
    let value = item(&mut decoder, 0).map_err(|e| e.to_string())?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err("there is more after the end".to_owned()) }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever Smithy doesn't use is refused alike")]
fn item(d: &mut Decoder<'_>, depth: usize) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(Error::message("it nests too deep").at(d.position()));
    }
    Ok(match d.datatype()? {
        Type::Null | Type::Undefined => {
            d.skip()?;
            Value::Null
        }
        Type::Bool => Value::Bool(d.bool()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            Value::Int(d.i64()?)
        }
        Type::F16 | Type::F32 | Type::F64 => Value::Float(d.f64()?),
        Type::String | Type::StringIndef => Value::Text(text(d)?),
        Type::Bytes | Type::BytesIndef => {
            for part in d.bytes_iter()? {
                part?;
            }
            Value::Bytes
        }
        Type::Array | Type::ArrayIndef => {
            let n = d.array()?;
            let mut out = Vec::new();
            while more(d, n, out.len())? {
                out.push(item(d, depth + 1)?);
            }
            Value::Array(out)
        }
        Type::Map | Type::MapIndef => {
            let n = d.map()?;
            let mut out = Vec::new();
            while more(d, n, out.len())? {
                let key = text(d)?;
                out.push((key, item(d, depth + 1)?));
            }
            Value::Map(out)
        }
        Type::Tag => {
            let at = d.position();
            let tag = d.tag()?.as_u64();
            match (tag, item(d, depth + 1)?) {
                (1, Value::Int(s)) => Value::Time(time(s as f64).ok_or(Error::message("no such time").at(at))?),
                (1, Value::Float(s)) => Value::Time(time(s).ok_or(Error::message("no such time").at(at))?),
                _ => return Err(Error::message("only times may be tagged").at(at)),
            }
        }
        other => return Err(Error::message(format!("{other} has no place here")).at(d.position())),
    })
}

/// Says whether an array or map goes on; where it has no length, its end is stepped over.
fn more(d: &mut Decoder<'_>, n: Option<u64>, have: usize) -> Result<bool, Error> {
    match n {
        Some(n) => Ok((have as u64) < n),
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

fn text(d: &mut Decoder<'_>) -> Result<String, Error> {
    let mut out = String::new();
    for part in d.str_iter()? {
        out.push_str(part?);
    }
    Ok(out)
}

/// Milliseconds of a time in seconds, within the years that `CloudWatch` could mean.
fn time(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e11).then(|| (seconds * 1000.0).round() as i64)
}

/// Writes items one after another; whoever opens an array or a map says how many follow.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, n: u64) {
        let major = major << 5;
        let bytes = n.to_be_bytes();
        match n {
            0..=23 => self.0.push(major | n as u8),
            24..=0xFF => self.0.extend([major + 24, n as u8]),
            0x100..=0xFFFF => {
                self.0.push(major + 25);
                self.0.extend(&bytes[6..]);
            }
            0x1_0000..=0xFFFF_FFFF => {
                self.0.push(major + 26);
                self.0.extend(&bytes[4..]);
            }
            _ => {
                self.0.push(major + 27);
                self.0.extend(bytes);
            }
        }
    }

    pub(super) fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(5, pairs as u64);
        self
    }

    pub(super) fn array(&mut self, items: usize) -> &mut Self {
        self.head(4, items as u64);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.head(3, text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }

    /// Writes times of whole seconds as integers, others as floats, as Smithy allows both.
    pub(super) fn times(&mut self, points: &[(i64, f64)]) {
        let short = |t: i64| u32::try_from(t / 1000).ok().filter(|s| t % 1000 == 0 && *s > 0xFFFF);
        self.array(points.len());
        if points.iter().all(|p| short(p.0).is_some()) {
            // All of one length: the room is made once.
            for (chunk, (t, _)) in self.room(points.len(), 6).chunks_exact_mut(6).zip(points) {
                chunk[..2].copy_from_slice(&[0xC1, 0x1A]);
                chunk[2..].copy_from_slice(&((t / 1000) as u32).to_be_bytes());
            }
            return;
        }
        for (t, _) in points {
            self.0.extend([0xC1, 0xFB]);
            self.0.extend((*t as f64 / 1000.0).to_be_bytes());
        }
    }

    pub(super) fn floats(&mut self, points: &[(i64, f64)]) {
        self.array(points.len());
        for (chunk, (_, x)) in self.room(points.len(), 9).chunks_exact_mut(9).zip(points) {
            chunk[0] = 0xFB;
            chunk[1..].copy_from_slice(&x.to_be_bytes());
        }
    }

    fn room(&mut self, items: usize, each: usize) -> &mut [u8] {
        let at = self.0.len();
        self.0.resize(at + items * each, 0);
        &mut self.0[at..]
    }
}

#[cfg(test)]
mod tests;
