//! The place for what can't be understood: kept with its reason, once, and tried again after an upgrade.

use super::bounds::Bounds;
use super::reason::Reason;
use forewarn_domain::id::sha256_hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of the file in the state's directory.
pub const FILE: &str = "dead-letters.jsonl";
/// Bytes of a message that are kept.
pub const MAX_KEPT: usize = 64 << 10;
/// Longest line that is read back: base64 and JSON escapes make text longer.
const MAX_LINE: u64 = 1 << 20;

/// Longest that the file becomes before the oldest letters go: nobody may prune it for a year.
pub const MOST_BYTES: u64 = 256 << 20;

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// SHA-256 of the whole message, in hexadecimal: a message is kept once. Of an object that is referred to, SHA-256 of its origin, length
    /// and `ETag`.
    pub sha256: String,
    /// Where it came from: a queue, a file, a shard; of an object that is referred to, its path or URI.
    pub origin: String,
    /// When it was set aside (RFC 3339, UTC).
    pub at: String,
    #[serde(rename = "why")]
    pub reason: Reason,
    /// The reason in words.
    pub words: String,
    /// Length of the whole message.
    pub bytes: u64,
    /// The message, or its beginning.
    #[serde(flatten)]
    pub kept: StoredLetter,
}

/// What is kept of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredLetter {
    Text(String),
    /// What is no text, in hexadecimal.
    Hex(String),
    /// Nothing: it lies where the origin says.
    Object(ObjectLetter),
}

/// What is known of an object that is referred to instead of kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLetter {
    /// The `ETag` that S3 gave it; null for a file.
    pub etag: Option<String>,
}

impl StoredLetter {
    fn of(raw: &[u8]) -> Self {
        let kept = &raw[..raw.len().min(MAX_KEPT)];
        match std::str::from_utf8(kept) {
            Ok(text) => Self::Text(text.to_owned()),
            // A character that the cut went through is left out.
            Err(e) if e.error_len().is_none() && kept.len() < raw.len() => {
                Self::Text(String::from_utf8_lossy(&kept[..e.valid_up_to()]).into_owned())
            }
            Err(_) => Self::Hex(kept.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()),
        }
    }

    /// Gives the bytes again; none where the hexadecimal is broken, or only referred to.
    pub fn raw(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Hex(hex) => {
                let digits = hex.as_bytes().chunks(2);
                digits.map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect()
            }
            Self::Object(_) => None,
        }
    }
}

/// Gives a hexadecimal digit of a number below 16.
fn digit(n: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(n & 15)])
}

impl DeadLetter {
    /// Sets a message aside.
    pub fn new(reason: &Reason, origin: &str, raw: &[u8], now_ms: i64) -> Self {
        Self {
            sha256: sha256_hex(raw),
            origin: origin.to_owned(),
            at: forewarn_runtime::time::format_ms(now_ms),
            words: reason.to_string(),
            reason: reason.clone(),
            bytes: raw.len() as u64,
            kept: StoredLetter::of(raw),
        }
    }

    /// Refers to an object, which stays where it is: `origin` is its path or URI.
    pub fn of_object(reason: &Reason, origin: &str, bytes: u64, etag: Option<&str>, now_ms: i64) -> Self {
        let identity = format!("{}:{origin}|{bytes}|{}", origin.len(), etag.unwrap_or_default());
        Self {
            sha256: sha256_hex(identity.as_bytes()),
            origin: origin.to_owned(),
            at: forewarn_runtime::time::format_ms(now_ms),
            words: reason.to_string(),
            reason: reason.clone(),
            bytes,
            kept: StoredLetter::Object(ObjectLetter { etag: etag.map(str::to_owned) }),
        }
    }

    /// Says whether all of the message is kept.
    pub fn is_whole(&self) -> bool {
        self.kept.raw().is_some_and(|raw| raw.len() as u64 == self.bytes)
    }
}

/// Explains why a message could not be set aside, or the place not be read.
#[derive(Debug, thiserror::Error)]
pub enum DeadError {
    /// The file failed.
    #[error("dead letters {path}: cannot {doing}")]
    Io {
        /// The file.
        path: String,
        /// What was tried.
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    /// A line is not ours.
    #[error("dead letters {path}: line {line} is none of ours; move the file away")]
    Foreign {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}

/// Keeps what can't be understood.
pub trait DeadLetters: Send + Sync + std::fmt::Debug {
    /// Sets a message aside; when it returns, that is durable. The same message again changes nothing. Says whether it is new.
    ///
    /// # Errors
    /// When it could not be kept: the message must then not be forgotten.
    fn put(&self, reason: &Reason, origin: &str, raw: &[u8], now_ms: i64) -> Result<bool, DeadError> {
        self.keep(&DeadLetter::new(reason, origin, raw, now_ms))
    }

    /// Does as [`DeadLetters::put`] with a letter.
    ///
    /// # Errors
    /// When it could not be kept.
    fn keep(&self, letter: &DeadLetter) -> Result<bool, DeadError>;

    /// Gives everything that was set aside, oldest first.
    ///
    /// # Errors
    /// When the place does not read.
    fn list(&self) -> Result<Vec<DeadLetter>, DeadError>;

    /// Forgets messages by their hashes: they have been understood.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn forget(&self, sha256: &BTreeSet<String>) -> Result<(), DeadError>;

    /// Forgets the oldest beyond bounds, and gives those; with `dry_run` it only says which they are.
    ///
    /// # Errors
    /// When the place cannot be read or written.
    fn prune(&self, bounds: Bounds, now_ms: i64, dry_run: bool) -> Result<Vec<DeadLetter>, DeadError>;
}

/// Keeps dead letters in a file, one JSON object a line; several processes may share it.
#[derive(Debug)]
pub struct JsonLinesDead {
    path: PathBuf,
    /// Longest that the file becomes, whoever prunes it.
    most_bytes: u64,
    /// What is known of the file; one writer at a time in this process, and the file's lock sees to others.
    seen: Mutex<Seen>,
}

/// The hashes in the file, as far as it was read.
#[derive(Debug, Default)]
struct Seen {
    end: u64,
    hashes: BTreeSet<String>,
}

impl JsonLinesDead {
    /// Takes the file in a state's directory; it comes to be with the first dead letter.
    pub fn in_state(dir: &Path) -> Self {
        Self { path: dir.join(FILE), most_bytes: MOST_BYTES, seen: Mutex::default() }
    }

    /// Does as [`JsonLinesDead::in_state`] with another bound of the file's length.
    #[must_use]
    pub fn bounded(self, most_bytes: u64) -> Self {
        Self { most_bytes, ..self }
    }

    /// Gives the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> DeadError + '_ {
        move |source| DeadError::Io { path: self.path.display().to_string(), doing, source }
    }

    /// Opens and locks the file. Another process may write it anew while this one waits for the lock: then what was opened is no longer the
    /// file, and it is opened again.
    fn open(&self) -> Result<File, DeadError> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir).map_err(self.failed("make the directory"))?;
        }
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
            let file = file.map_err(self.failed("open the file"))?;
            file.lock().map_err(self.failed("lock the file"))?;
            if forewarn_runtime::durable::is_at(&file, &self.path).map_err(self.failed("look at the file"))? {
                return Ok(file);
            }
        }
    }

    /// Writes the file anew, whole; whoever calls it holds the lock of what it replaces.
    fn write_again(&self, letters: &[DeadLetter]) -> Result<Seen, DeadError> {
        let mut text = Vec::new();
        for letter in letters {
            text.extend(line(letter).map_err(self.failed("write"))?);
        }
        forewarn_runtime::durable::write(&self.path, &text).map_err(self.failed("write again"))?;
        Ok(Seen { end: text.len() as u64, hashes: letters.iter().map(|l| l.sha256.clone()).collect() })
    }

    /// Reads whole lines; gives them and where they end: a line torn by a crash is none.
    fn read(&self, file: &mut File) -> Result<(Vec<DeadLetter>, u64), DeadError> {
        file.seek(SeekFrom::Start(0)).map_err(self.failed("read"))?;
        let mut reader = BufReader::new(file);
        let (mut letters, mut end) = (Vec::new(), 0);
        loop {
            let mut line = Vec::new();
            let n = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(self.failed("read"))?;
            if line.last() != Some(&b'\n') && (n as u64) < MAX_LINE {
                return Ok((letters, end));
            }
            let foreign = || DeadError::Foreign { path: self.path.display().to_string(), line: letters.len() + 1 };
            let letter = serde_json::from_slice(&line).map_err(|_| foreign())?;
            letters.push(letter);
            end += n as u64;
        }
    }
}

/// Says how many letters lie beyond bounds, of which the oldest come first.
pub fn beyond(bounds: Bounds, letters: &[DeadLetter], now_ms: i64) -> usize {
    let piece = |letter: &DeadLetter| {
        let length = line(letter).map_or(0, |text| text.len() as u64);
        // One whose time does not read is as old as can be.
        (forewarn_runtime::time::parse_instant(&letter.at, None).unwrap_or(i64::MIN), length)
    };
    bounds.going(&letters.iter().map(piece).collect::<Vec<_>>(), now_ms)
}

fn line(letter: &DeadLetter) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(letter)?;
    text.push(b'\n');
    Ok(text)
}

impl DeadLetters for JsonLinesDead {
    fn keep(&self, letter: &DeadLetter) -> Result<bool, DeadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        if seen.end == 0 || file.metadata().map_err(self.failed("look at the file"))?.len() != seen.end {
            // Another process wrote, or a crash tore a line.
            let (known, end) = self.read(&mut file)?;
            *seen = Seen { end, hashes: known.into_iter().map(|k| k.sha256).collect() };
        }
        if seen.hashes.contains(&letter.sha256) {
            return Ok(false);
        }
        let text = line(letter).map_err(self.failed("write"))?;
        if seen.end + text.len() as u64 > self.most_bytes {
            // To three quarters, so that the file is not written anew for each of the next.
            let (mut letters, _) = self.read(&mut file)?;
            let bounds = Bounds { bytes: (self.most_bytes / 4 * 3).saturating_sub(text.len() as u64), ..Bounds::NONE };
            let gone = beyond(bounds, &letters, 0);
            tracing::warn!(letters = gone, file = %self.path.display(), "the oldest dead letters were dropped: the file is full");
            // With the new one: between a new file and its lock another process could write into it.
            letters.drain(..gone);
            letters.push(letter.clone());
            *seen = self.write_again(&letters)?;
            return Ok(true);
        }
        let end = seen.end;
        // Over what a crash tore.
        file.seek(SeekFrom::Start(end)).map_err(self.failed("write"))?;
        file.write_all(&text).map_err(self.failed("write"))?;
        file.set_len(end + text.len() as u64).map_err(self.failed("write"))?;
        file.sync_all().map_err(self.failed("sync the file"))?;
        seen.end = end + text.len() as u64;
        seen.hashes.insert(letter.sha256.clone());
        Ok(true)
    }

    fn list(&self) -> Result<Vec<DeadLetter>, DeadError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut file = self.open()?;
        Ok(self.read(&mut file)?.0)
    }

    fn forget(&self, sha256: &BTreeSet<String>) -> Result<(), DeadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        let (mut letters, _) = self.read(&mut file)?;
        letters.retain(|l| !sha256.contains(&l.sha256));
        *seen = self.write_again(&letters)?;
        Ok(())
    }

    fn prune(&self, bounds: Bounds, now_ms: i64, dry_run: bool) -> Result<Vec<DeadLetter>, DeadError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        let (mut letters, _) = self.read(&mut file)?;
        let kept = letters.split_off(beyond(bounds, &letters, now_ms));
        if !dry_run && !letters.is_empty() {
            *seen = self.write_again(&kept)?;
        }
        Ok(letters)
    }
}

#[cfg(test)]
mod tests;
