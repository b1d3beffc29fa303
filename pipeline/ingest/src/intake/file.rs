//! Events from files, and once more those that were set aside.

use super::{Intake, IntakeError, IntakeReport, records_of};
use forewarn_events::dead::DeadError;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Messages taken in at a time.
const PAGE: usize = 256;
/// Longest line that is held; what is longer is set aside by its beginning.
const MAX_LINE: u64 = 4 * forewarn_events::MAX_BYTES as u64;

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

/// Takes in a file of messages, one a line. The same file again does no harm.
///
/// # Errors
/// When the file does not read, or stream or dead letters fail.
pub fn import_file(path: &Path, intake: &mut Intake<'_>, now_ms: i64) -> Result<IntakeReport, ImportError> {
    let origin = path.display().to_string();
    let failed = |source| ImportError::File { path: origin.clone(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut taken, mut page) = (IntakeReport::default(), Vec::new());
    loop {
        let line = read_line(&mut reader).map_err(failed)?;
        let end = line.is_none();
        page.extend(line.filter(|l| !l.iter().all(u8::is_ascii_whitespace)));
        if page.len() == PAGE || (end && !page.is_empty()) {
            let lines: Vec<&[u8]> = page.iter().map(Vec::as_slice).collect();
            taken += intake.take(&origin, &lines, now_ms)?;
            page.clear();
        }
        if end {
            return Ok(taken);
        }
    }
}

/// Reads a line without its end, at most [`MAX_LINE`] of it; none at the end of the file.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 == MAX_LINE {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(line))
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
