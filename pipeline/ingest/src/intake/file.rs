//! Events from files, and once more those that were set aside.

use super::frames::Frames;
use super::{Intake, IntakeError, IntakeReport, records_of};
use crate::unpack::unpacked;
use forewarn_events::dead::DeadError;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// Messages taken in at a time.
const PAGE: usize = 256;
/// Longest message that is held, or what several come in: ten of the longest, escaped. What is longer is set aside by its beginning.
const MAX_FRAME: usize = 20 * forewarn_events::MAX_BYTES;

/// Most bytes of a file once it is unpacked.
const MAX_FILE: u64 = 16 << 30;

/// Explains why events could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file does not read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: String,
        #[source]
        source: io::Error,
    },
    /// Stream or dead letters failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The dead letters failed.
    #[error(transparent)]
    Dead(#[from] DeadError),
}

/// Takes in a file of messages, plain or gzipped: one a line, run together, spread over lines, as a list, or as `receive-message` and Lambda
/// frame them. The same file again does no harm.
///
/// # Errors
/// When the file does not read, or stream or dead letters fail.
pub fn import_file(path: &Path, intake: &mut Intake<'_>, now_ms: i64) -> Result<IntakeReport, ImportError> {
    let origin = path.display().to_string();
    let failed = |source| ImportError::File { path: origin.clone(), source };
    let unpacked = File::open(path).and_then(|file| unpacked(BufReader::new(file), MAX_FILE)).map_err(failed)?;
    let mut frames = Frames::new(BufReader::new(unpacked), MAX_FRAME);
    let (mut taken, mut page) = (IntakeReport::default(), Vec::new());
    loop {
        let frame = frames.next().map_err(failed)?;
        let end = frame.is_none();
        page.extend(frame.into_iter().flat_map(enclosed));
        if page.len() >= PAGE || (end && !page.is_empty()) {
            let messages: Vec<&[u8]> = page.iter().map(Vec::as_slice).collect();
            taken += intake.take(&origin, &messages, now_ms)?;
            page.clear();
        }
        if end {
            return Ok(taken);
        }
    }
}

/// What several messages come in: as `aws sqs receive-message` prints them, and as Lambda is given them.
#[derive(serde::Deserialize)]
struct Enclosing {
    #[serde(alias = "Records", rename = "Messages")]
    messages: Vec<Value>,
}

/// Gives the messages that one encloses; most enclose none and are given as they are.
fn enclosed(frame: Vec<u8>) -> Vec<Vec<u8>> {
    let first = frame.trim_ascii_start().strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    if !first.starts_with(b"\"Messages\"") && !first.starts_with(b"\"Records\"") {
        return vec![frame];
    }
    match serde_json::from_slice::<Enclosing>(&frame) {
        Ok(several) => several.messages.into_iter().map(|m| m.to_string().into_bytes()).collect(),
        Err(_) => vec![frame],
    }
}

/// Tries again what was set aside and is kept whole: what is understood now goes into the stream and is forgotten here; the rest stays.
///
/// # Errors
/// When stream or dead letters fail.
pub fn retry(intake: &mut Intake<'_>, now_ms: i64) -> Result<IntakeReport, ImportError> {
    let (mut taken, mut understood) = (IntakeReport::default(), BTreeSet::new());
    for letter in intake.dead.list()? {
        taken.messages += 1;
        match letter.kept.raw().filter(|raw| raw.len() as u64 == letter.bytes) {
            Some(raw) if records_of(&raw).is_ok() => {
                let done = intake.take(&letter.origin, &[&raw], now_ms)?;
                taken.events += done.events;
                taken.of_no_interest += done.of_no_interest;
                understood.insert(letter.sha256);
            }
            _ => taken.dead += 1,
        }
    }
    if !understood.is_empty() {
        intake.dead.forget(&understood)?;
    }
    Ok(taken)
}
