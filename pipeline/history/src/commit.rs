//! Makes several new files appear together: staged, journalled, renamed in; a crash at any point is rolled forward
//! or leaves no trace.
//!
//! **Invariant:** before the journal is durable, a commit has changed nothing; after it, the next writer finishes it.
//! An object store has no rename: there the files are put one by one, under names that depend only on the commit's
//! id, and the record last, so that doing it again completes exactly the same.

use super::error::{HistoryError, Result};
use super::leftovers::STAGED;
use super::lock::Lock;
use super::manifest::{Manifest, pretty};
use super::replacement::finish_interrupted;
use super::store::Store;
use super::{History, local};
use forewarn_domain::signal::Signal;
use forewarn_runtime::failpoint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const STAGING: &str = "_staging";
const JOURNAL: &str = "_journal";
const RECORDS: &str = "_imports";
const VERSION: u64 = 1;

/// A file to be put in place.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StagedFile {
    staged: String,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    version: u64,
    id: String,
    files: Vec<StagedFile>,
    manifest: Manifest,
    record: CommitRecord,
}

/// What stays of a commit: that it happened, the files it made, and its report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The commit's id.
    pub id: String,
    /// Files it put in place.
    pub files: Vec<String>,
    /// First and last time in them, milliseconds.
    pub range: Option<(i64, i64)>,
    /// Whatever the committer wants to find again.
    pub report: serde_json::Value,
}

/// A history open for writing: locked, with earlier commits finished.
#[derive(Debug)]
pub struct Writer<'a> {
    history: &'a mut History,
    lock: Option<Lock>,
}

impl History {
    /// Takes the history for writing and finishes what a killed writer left.
    pub fn writer(&mut self) -> Result<Writer<'_>> {
        let lock = self.store.local_root().map(Lock::take).transpose()?;
        let writer = Writer { history: self, lock };
        writer.recover()?;
        // Another writer may have come before; what it changed counts.
        if let Some(manifest) = Manifest::load(&writer.history.store)? {
            writer.history.manifest = manifest;
            writer.history.fresh = false;
        }
        Ok(writer)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if let (true, Some(lock)) = (self.history.fresh, &self.lock) {
            lock.undo();
        }
    }
}

/// A directory for the files of one commit; it goes when it is dropped.
#[derive(Debug)]
pub struct Staging {
    id: String,
    dir: PathBuf,
    above: Option<PathBuf>,
    files: Vec<StagedFile>,
    /// Whether it stands in the store when it was begun.
    says_begun: bool,
}

impl Staging {
    /// Gives the directory, for scratch files too.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Names a file that the commit is to put at `target`, and says where to write it.
    pub fn add(&mut self, target: &str) -> PathBuf {
        let staged = format!("{:06}", self.files.len());
        let path = self.dir.join(&staged);
        self.files.push(StagedFile { staged, target: target.to_owned() });
        path
    }

    /// Counts the files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Says whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(e) = remove_tree(&self.dir) {
            tracing::warn!(error = %e, "could not remove a staging directory; the next writer will");
        }
        if let Some(above) = &self.above
            && fs::remove_dir(above).is_err()
        {
            tracing::debug!("the staging directory is not empty");
        }
    }
}

fn remove_tree(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(HistoryError::io("remove", dir, e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Writer<'_> {
    /// Gives the history.
    pub fn history(&self) -> &History {
        self.history
    }

    /// Finds the record of an earlier commit.
    pub fn record(&self, id: &str) -> Result<Option<CommitRecord>> {
        let path = record_path(id);
        let Some(bytes) = self.history.store.read(&path)? else { return Ok(None) };
        let bad =
            |e: serde_json::Error| HistoryError::Json { path: self.history.store.describe(&path), why: e.to_string() };
        serde_json::from_slice(&bytes).map(Some).map_err(bad)
    }

    /// Starts a commit under an id that depends only on what it commits.
    pub fn stage(&self, id: &str) -> Result<Staging> {
        let (dir, above) = match self.history.store.local_root() {
            Some(root) => (root.join(STAGING).join(id), Some(root.join(STAGING))),
            None => (std::env::temp_dir().join(format!("{STAGED}{id}-{}", std::process::id())), None),
        };
        remove_tree(&dir)?;
        fs::create_dir_all(&dir).map_err(|e| HistoryError::io("create the directory", &dir, e))?;
        Ok(Staging { id: id.to_owned(), dir, above, files: Vec::new(), says_begun: false })
    }

    /// Says when a commit of these files was begun, for files that hold it: where they are put in place one by one, a commit that is done
    /// again after a crash must write the same. Where none was placed, it begins now.
    pub fn begun_at(&self, staging: &mut Staging, targets: &[String], now_ms: i64) -> Result<i64> {
        let store = &self.history.store;
        if store.local_root().is_some() {
            return Ok(now_ms);
        }
        staging.says_begun = true;
        let (path, now) = (begun_path(&staging.id), now_ms.to_string().into_bytes());
        if !store.put_new(&path, now.clone())? {
            for target in targets {
                if store.exists(target)? {
                    let begun = store.read(&path)?.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok());
                    let fault = "it should hold a time in milliseconds";
                    return begun.ok_or_else(|| HistoryError::corrupt(&store.describe(&path), fault));
                }
            }
            store.put(&path, now)?;
        }
        Ok(now_ms)
    }

    /// Puts the staged files in place, all or none, and keeps a record. `signal_map` is added to the manifest's.
    /// The staged files must be durable already.
    pub fn commit(
        &mut self,
        staging: &Staging,
        signal_map: &BTreeMap<String, Signal>,
        range: Option<(i64, i64)>,
        report: serde_json::Value,
    ) -> Result<()> {
        let mut manifest = self.history.manifest.clone();
        manifest.signal_map.extend(signal_map.iter().map(|(name, signal)| (name.clone(), *signal)));
        let files: Vec<String> = staging.files.iter().map(|f| f.target.clone()).collect();
        let record = CommitRecord { id: staging.id.clone(), files, range, report };
        let journal =
            Journal { version: VERSION, id: staging.id.clone(), files: staging.files.clone(), manifest, record };
        let store = &self.history.store;
        refuse_replacing(store, staging)?;
        self.history.refuse_pruned(range)?;
        failpoint::point("commit.staged");
        if store.local_root().is_some() {
            local::sync_dir(&staging.dir)?;
            store.put(&journal_path(&journal.id), pretty(&journal, JOURNAL)?)?;
            failpoint::point("commit.journal_written");
            roll_forward(store, &journal)?;
            self.history.manifest = journal.manifest;
        } else {
            // Files count from the moment they are there: the shape that they are spread over comes first.
            self.history.manifest = self.history.manifest.save(store, signal_map)?;
            failpoint::point("commit.manifest_written");
            for file in &journal.files {
                store.create_from(&file.target, &staging.dir.join(&file.staged))?;
                failpoint::point("commit.file_placed");
            }
            keep_record(store, &journal)?;
            if staging.says_begun {
                store.delete(&begun_path(&journal.id))?;
            }
        }
        self.history.fresh = false;
        Ok(())
    }

    /// Forgets that a commit happened, where its committer remembers it elsewhere.
    pub fn forget(&mut self, id: &str) -> Result<()> {
        self.history.store.delete(&record_path(id))
    }

    /// Adds names that signals read, and nothing else.
    pub fn add_signals(&mut self, signal_map: &BTreeMap<String, Signal>) -> Result<()> {
        let mut manifest = self.history.manifest.clone();
        manifest.signal_map.extend(signal_map.iter().map(|(name, signal)| (name.clone(), *signal)));
        if manifest != self.history.manifest {
            self.history.manifest = self.history.manifest.save(&self.history.store, signal_map)?;
        }
        Ok(())
    }

    /// Puts one new file of a table in place.
    pub(super) fn put_table_file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        if self.history.fresh {
            self.history.manifest = self.history.manifest.save(&self.history.store, &BTreeMap::new())?;
            self.history.fresh = false;
        }
        self.history.store.create(path, bytes)
    }

    /// Finishes journalled commits and compactions, and removes what commits without a journal left.
    fn recover(&self) -> Result<()> {
        let store = &self.history.store;
        for entry in store.list(JOURNAL)? {
            if !entry.is_json() {
                store.delete(&entry.path)?;
                continue;
            }
            let Some(bytes) = store.read(&entry.path)? else { continue };
            let bad = |why: String| HistoryError::Json { path: store.describe(&entry.path), why };
            let journal: Journal = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
            if journal.version != VERSION {
                return Err(bad(format!(
                    "version {} of the journal is not known; use a newer forewarn",
                    journal.version
                )));
            }
            tracing::info!(id = journal.id, files = journal.files.len(), "finishing a commit that was interrupted");
            roll_forward(store, &journal)?;
        }
        if let Some(root) = store.local_root() {
            remove_tree(&root.join(STAGING))?;
        }
        finish_interrupted(store, &self.history.notes, None)
    }
}

/// Where it stands when a commit without a journal was begun.
fn begun_path(id: &str) -> String {
    format!("_begun/{id}")
}

fn journal_path(id: &str) -> String {
    format!("{JOURNAL}/{id}.json")
}

fn record_path(id: &str) -> String {
    format!("{RECORDS}/{id}.json")
}

/// Forgets that commits happened whose data has been deleted, so that the same can be imported again.
pub(super) fn forget_records(store: &Store, forget: impl Fn(&CommitRecord) -> bool) -> Result<()> {
    for entry in store.list(RECORDS)? {
        let record = store.read(&entry.path)?.and_then(|b| serde_json::from_slice::<CommitRecord>(&b).ok());
        if record.is_some_and(|r| forget(&r)) {
            store.delete(&entry.path)?;
        }
    }
    Ok(())
}

/// Refuses a commit that would replace a file by other bytes, before anything is changed.
fn refuse_replacing(store: &Store, staging: &Staging) -> Result<()> {
    // An object is put only where there is none.
    let Some(root) = store.local_root() else { return Ok(()) };
    for file in &staging.files {
        let (staged, target) = (staging.dir.join(&file.staged), root.join(&file.target));
        if target.exists() && !local::same_content(&staged, &target)? {
            return Err(HistoryError::WouldReplace { path: store.describe(&file.target) });
        }
    }
    Ok(())
}

/// Renames what is still staged; what is in place already stays.
fn roll_forward(store: &Store, journal: &Journal) -> Result<()> {
    let Some(root) = store.local_root() else { return keep_record(store, journal) };
    let staging = root.join(STAGING).join(&journal.id);
    let mut dirs = std::collections::BTreeSet::new();
    for file in &journal.files {
        let (from, to) = (staging.join(&file.staged), root.join(&file.target));
        if from.exists() {
            local::make_parent(&to)?;
            fs::rename(&from, &to).map_err(|e| HistoryError::io("rename into place", &to, e))?;
            failpoint::point("commit.file_placed");
        } else if !to.exists() {
            let fault = "the journal names it, but it is neither staged nor in place";
            return Err(HistoryError::corrupt(&store.describe(&file.target), fault));
        }
        dirs.extend(to.ancestors().skip(1).take_while(|d| d.starts_with(root)).map(Path::to_path_buf));
    }
    for dir in dirs.iter().rev() {
        local::sync_dir(dir)?;
    }
    journal.manifest.save(store, &journal.manifest.signal_map)?;
    failpoint::point("commit.manifest_written");
    keep_record(store, journal)?;
    remove_tree(&staging)
}

/// Writes down that a commit was made.
fn keep_record(store: &Store, journal: &Journal) -> Result<()> {
    store.put(&record_path(&journal.id), pretty(&journal.record, RECORDS)?)?;
    failpoint::point("commit.recorded");
    if store.local_root().is_some() {
        store.delete(&journal_path(&journal.id))?;
    }
    Ok(())
}
