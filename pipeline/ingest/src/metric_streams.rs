//! Reads CloudWatch Metric Streams as Firehose delivers them: JSON lines, or OpenTelemetry 1.0 protobuf, plain or gzip.
//!
//! An object is read as it comes, never whole: what one point says that can't be is skipped and counted, and every other point is
//! taken. Where the object itself breaks off or is none, what came before is taken, and the reason stands in the [`Tally`].

mod batch;
pub mod bucket;
pub mod cursor;
mod json;
mod otlp;
mod period;
pub mod take;
mod tally;

pub use tally::{OddPoint, Tally};

use crate::stream::{SampleBatch, StreamError};
use crate::unpack;
use batch::Batches;
use forewarn_events::Reason;
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};

/// Longest object once unpacked; Firehose buffers at most 128 MiB.
pub const MAX_BYTES: u64 = 256 << 20;
/// How much of an object says which form it has.
const HEAD: u64 = 64;

/// Takes samples as they are read.
pub type Put<'a> = &'a mut dyn FnMut(Vec<SampleBatch>) -> Result<(), StreamError>;

/// Explains why an object was not read to its end; nothing is wrong with it, and it may be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be fetched.
    #[error("cannot fetch it")]
    Fetch(#[source] io::Error),
    /// The stream did not take what was read.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// Why the reading of an object ended before its end.
#[derive(Debug)]
enum Halt {
    /// It gave no bytes: it could not be fetched, or its compression is broken.
    Io(io::Error),
    /// What follows can't be understood.
    Broken(Reason),
    Stream(StreamError),
}

impl From<StreamError> for Halt {
    fn from(e: StreamError) -> Self {
        Self::Stream(e)
    }
}

impl From<io::Error> for Halt {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// One datapoint as either form has it.
#[derive(Debug, Clone, PartialEq)]
struct Point<'a> {
    account: &'a str,
    region: &'a str,
    namespace: &'a str,
    metric: &'a str,
    dimensions: Vec<(&'a str, &'a str)>,
    /// Start of the period, milliseconds.
    ts: i64,
    /// Length of the period, seconds; none where the form does not say it.
    period_s: Option<i32>,
    max: Option<f64>,
    sum: f64,
    count: f64,
}

/// Reads an object and hands on its samples, some at a time; `ingested_at` is when it arrived, milliseconds.
///
/// # Errors
/// When it can't be fetched or handed on. What is wrong with the object itself is in the tally.
pub fn read_object(raw: impl Read, ingested_at: i64, put: Put<'_>) -> Result<Tally, ReadError> {
    let failure = RefCell::new(None);
    let mut batches = Batches::new(ingested_at, put);
    let halted = read_into(unpack::Watched::new(raw, &failure), &mut batches);
    let halted = halted.and_then(|()| batches.flush().map_err(Halt::from));
    if let Some(failure) = failure.into_inner() {
        return Err(ReadError::Fetch(failure));
    }
    let broken = match halted {
        Ok(()) => return Ok(batches.tally),
        Err(Halt::Stream(e)) => return Err(e.into()),
        Err(Halt::Broken(reason)) => reason,
        Err(Halt::Io(e)) if unpack::is_too_long(&e) => {
            Reason::Oversized { bytes: MAX_BYTES as usize + 1, most: MAX_BYTES as usize }
        }
        Err(Halt::Io(e)) => Reason::Damaged { what: format!("gzip: {e}") },
    };
    batches.flush()?;
    batches.tally.broken = Some(broken);
    Ok(batches.tally)
}

fn read_into(raw: impl Read, batches: &mut Batches<'_>) -> Result<(), Halt> {
    let mut plain = BufReader::new(unpack::unpacked(raw, MAX_BYTES)?);
    let mut head = Vec::new();
    plain.by_ref().take(HEAD).read_to_end(&mut head)?;
    let is_text = is_text(&head);
    let mut whole = io::Cursor::new(head).chain(plain);
    if is_text { json::read(&mut whole, batches) } else { otlp::read(&mut whole, batches) }
}

/// Says whether an object begins as text does: protobuf has control characters among its first bytes.
fn is_text(head: &[u8]) -> bool {
    let is_plain = |b: &u8| !b.is_ascii_control() || b.is_ascii_whitespace();
    head.trim_ascii_start().starts_with(b"{\"") || head.iter().all(is_plain)
}

/// Reads a line without its end, at most `most` bytes of it; the rest of a longer one is passed over.
fn read_line(reader: &mut impl BufRead, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.by_ref().take(most as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > most {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// What an object in memory says, all at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// The samples, by instance.
    pub batches: Vec<SampleBatch>,
    /// What else was seen.
    pub tally: Tally,
}

/// Reads an object in memory.
pub fn read(raw: &[u8], ingested_at: i64) -> Readings {
    let mut batches = Vec::new();
    let mut keep = |more: Vec<SampleBatch>| {
        batches.extend(more);
        Ok(())
    };
    // Neither memory nor a vector fails.
    let tally = read_object(raw, ingested_at, &mut keep).unwrap_or_default();
    Readings { batches, tally }
}

#[cfg(test)]
mod tests;
