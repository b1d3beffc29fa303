//! What a bus remembers, in two files of a directory.

use super::{BusMemory, Parked};
use crate::bus::BusError;
use forewarn_runtime::durable;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A memory in two files of the state's directory: `BUS.sent`, an id a line, and `BUS.parked.jsonl`. The first is locked from the first
/// use on, so that one process at a time feeds the bus.
#[derive(Debug)]
pub struct FileMemory {
    dir: PathBuf,
    name: &'static str,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Where whole lines end: what was torn is written over.
    end: u64,
    sent: BTreeSet<String>,
    parked: BTreeMap<String, Parked>,
}

/// Gives the lock back at once: closing alone leaves it with any child process that was being started meanwhile.
impl Drop for Open {
    fn drop(&mut self) {
        if let Err(e) = self.file.unlock() {
            tracing::warn!(error = %e, "could not release the lock of a bus");
        }
    }
}

impl FileMemory {
    /// Takes the files of a bus, by the name of its cursor, in a state's directory; nothing is opened yet.
    pub fn in_state(dir: &Path, name: &'static str) -> Self {
        Self { dir: dir.to_owned(), name, open: None }
    }

    fn parked_path(&self) -> PathBuf {
        self.dir.join(format!("{}.parked.jsonl", self.name))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> BusError + use<> {
        let bus = self.name.to_owned();
        move |source| BusError::Unavailable { bus, doing, source }
    }

    fn open(&mut self) -> Result<&mut Open, BusError> {
        if self.open.is_none() {
            let opened = self.read()?;
            return Ok(self.open.insert(opened));
        }
        self.open.as_mut().ok_or_else(|| BusError::Closed { bus: self.name.to_owned() })
    }

    fn read(&self) -> Result<Open, BusError> {
        durable::make_dirs(&self.dir).map_err(self.failed("make the state's directory"))?;
        let path = self.dir.join(format!("{}.sent", self.name));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(self.failed("open what was sent"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BusError::Busy { bus: self.name.to_owned() }),
            Err(TryLockError::Error(e)) => return Err(self.failed("lock what was sent")(e)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(self.failed("read what was sent"))?;
        // An id torn by a crash is none: that entry is sent again.
        let whole = text.rfind('\n').map_or(0, |i| i + 1);
        file.set_len(whole as u64).map_err(self.failed("cut off a torn line"))?;
        let parked = self.parked()?;
        Ok(Open { file, end: whole as u64, sent: text[..whole].lines().map(str::to_owned).collect(), parked })
    }

    fn keep_parked(&mut self) -> Result<(), BusError> {
        let lines: serde_json::Result<String> =
            self.open()?.parked.values().map(|p| serde_json::to_string(p).map(|line| line + "\n")).collect();
        let failed = self.failed("set an announcement aside");
        let kept = lines.map_err(io::Error::from);
        kept.and_then(|text| durable::write(&self.parked_path(), text.as_bytes())).map_err(failed)
    }
}

fn read_parked(path: &Path) -> io::Result<BTreeMap<String, Parked>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(e),
    };
    let of = |line: &str| {
        let parked: Parked = serde_json::from_str(line).map_err(io::Error::from)?;
        Ok((parked.announcement.id.clone(), parked))
    };
    text.lines().map(of).collect()
}

impl BusMemory for FileMemory {
    fn sent(&mut self) -> Result<&BTreeSet<String>, BusError> {
        Ok(&self.open()?.sent)
    }

    fn note_sent(&mut self, ids: &[&str]) -> Result<(), BusError> {
        let failed = self.failed("note what was sent");
        let open = self.open()?;
        let text: String = ids.iter().flat_map(|id| [*id, "\n"]).collect();
        let end = open.end + text.len() as u64;
        let at_end = open.file.seek(SeekFrom::Start(open.end));
        let written = at_end.and_then(|_| open.file.write_all(text.as_bytes())).and_then(|()| open.file.set_len(end));
        written.and_then(|()| open.file.sync_data()).map_err(failed)?;
        open.end = end;
        open.sent.extend(ids.iter().map(|id| (*id).to_owned()));
        let before = open.parked.len();
        open.parked.retain(|id, _| !ids.contains(&id.as_str()));
        if open.parked.len() < before { self.keep_parked() } else { Ok(()) }
    }

    fn forget_sent(&mut self) -> Result<(), BusError> {
        let failed = self.failed("forget what was sent");
        let Some(open) = self.open.as_mut().filter(|o| !o.sent.is_empty()) else { return Ok(()) };
        open.file.set_len(0).map_err(failed)?;
        open.end = 0;
        open.sent.clear();
        Ok(())
    }

    fn park(&mut self, parked: Parked) -> Result<(), BusError> {
        self.open()?.parked.insert(parked.announcement.id.clone(), parked);
        self.keep_parked()
    }

    fn parked(&self) -> Result<BTreeMap<String, Parked>, BusError> {
        read_parked(&self.parked_path()).map_err(self.failed("read what was set aside"))
    }
}
