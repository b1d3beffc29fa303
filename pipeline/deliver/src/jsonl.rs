//! Publishes to a file, one JSON object a line.

use super::announcement::Announcement;
use super::bus::{Bus, BusError, Published};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Lines at the end of the file whose ids are remembered; many times what a pump publishes between two cursor moves.
const TAIL_LINES: usize = 16 * super::PAGE;
/// Bytes read at a time, from the end backwards.
const CHUNK: u64 = 1 << 16;
/// How every line begins.
const LINE_BEGINS: &[u8] = br#"{"version":"0","id":"#;

/// A bus that appends to a file and syncs it; one process at a time writes to it.
///
/// A line torn by a crash is cut off on opening, and ids that stand in the last lines are not written again: together
/// they make a pump that was cut short announce nothing twice and nothing in part.
#[derive(Debug)]
pub struct JsonLinesBus {
    file: File,
    name: String,
    ids: BTreeSet<String>,
    repaired: u64,
    /// End of the last batch that is whole.
    end: u64,
}

#[derive(Deserialize)]
struct Line {
    id: String,
}

impl JsonLinesBus {
    /// Opens the file, making it when there is none, and repairs its end.
    ///
    /// # Errors
    /// When the file cannot be opened, read or cut, or another process writes to it.
    pub fn open(path: &Path) -> Result<Self, BusError> {
        let name = path.display().to_string();
        let failed = |doing| {
            let bus = name.clone();
            move |source| BusError::Unavailable { bus, doing, source }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open the file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BusError::Busy { bus: name }),
            Err(TryLockError::Error(source)) => return Err(failed("lock the file")(source)),
        }
        let length = file.seek(SeekFrom::End(0)).map_err(failed("find the end"))?;
        let (start, tail) = read_tail(&mut file, length).map_err(failed("read the end"))?;
        let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let end = start + whole as u64;
        // Nothing is cut from a file that is not ours.
        let ids = ids(&tail[..whole]).filter(|_| begins_line(&tail[whole..]));
        let ids = ids.ok_or_else(|| BusError::Foreign { bus: name.clone() })?;
        if end < length {
            file.set_len(end).map_err(failed("cut off a torn line"))?;
            file.sync_all().map_err(failed("sync the file"))?;
        }
        sync_directory(path).map_err(failed("sync the directory"))?;
        Ok(Self { file, name, ids, repaired: length - end, end })
    }

    /// Gives the bytes of a torn line that opening cut off.
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> BusError {
        BusError::Unavailable { bus: self.name.clone(), doing, source }
    }
}

/// Gives the lock back at once: closing alone leaves it with any child process that was being started meanwhile.
impl Drop for JsonLinesBus {
    fn drop(&mut self) {
        if let Err(e) = self.file.unlock() {
            tracing::warn!(error = %e, "could not release the lock of {}", self.name);
        }
    }
}

impl Bus for JsonLinesBus {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let mut text = Vec::new();
        let mut fresh = BTreeSet::new();
        for announcement in batch {
            if self.ids.contains(&announcement.id) || !fresh.insert(announcement.id.clone()) {
                continue;
            }
            let json = |source| BusError::Json { bus: self.name.clone(), id: announcement.id.clone(), source };
            serde_json::to_writer(&mut text, announcement).map_err(json)?;
            text.push(b'\n');
        }
        if !text.is_empty() {
            // Written at the end of the last whole batch, so that one cut short by an error is overwritten.
            self.file.seek(SeekFrom::Start(self.end)).map_err(|e| self.failed("find the end", e))?;
            self.file.write_all(&text).map_err(|e| self.failed("append", e))?;
            let end = self.end + text.len() as u64;
            self.file.set_len(end).map_err(|e| self.failed("append", e))?;
            self.file.sync_all().map_err(|e| self.failed("sync the file", e))?;
            self.end = end;
        }
        let sent = fresh.len() as u64;
        self.ids.append(&mut fresh);
        Ok(Published { sent, skipped: batch.len() as u64 - sent, parked: 0 })
    }
}

/// Gives the ids of whole lines; none when one of them is not an announcement.
fn ids(lines: &[u8]) -> Option<BTreeSet<String>> {
    let lines = lines.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    lines.map(|l| serde_json::from_slice::<Line>(l).ok().map(|l| l.id)).collect()
}

/// Says whether bytes may be the beginning of a line that a crash cut short.
fn begins_line(torn: &[u8]) -> bool {
    let n = torn.len().min(LINE_BEGINS.len());
    torn[..n] == LINE_BEGINS[..n]
}

/// Reads from the end backwards until it holds [`TAIL_LINES`] lines; gives where it begins, at the start of a line.
fn read_tail(file: &mut File, length: u64) -> io::Result<(u64, Vec<u8>)> {
    let mut start = length;
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let mut newlines = 0;
    while start > 0 && newlines <= TAIL_LINES {
        let size = CHUNK.min(start);
        start -= size;
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = vec![0; size as usize];
        file.read_exact(&mut chunk)?;
        newlines += chunk.split(|b| *b == b'\n').count() - 1;
        chunks.push(chunk);
    }
    chunks.reverse();
    let tail = chunks.concat();
    // The first piece begins in mid-line unless it begins the file.
    let cut = if start == 0 { 0 } else { tail.iter().position(|b| *b == b'\n').map_or(tail.len(), |i| i + 1) };
    Ok((start + cut as u64, tail[cut..].to_vec()))
}

/// Makes the file's name durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    forewarn_runtime::durable::sync_dir(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}
