//! Checks that the log is whole and unaltered.

use super::super::chain;
use super::super::event::Event;
use super::super::event::pruned::LogPruned;
use super::super::port::{LogError, Recorded};
use super::super::walk::Walk;
use super::{Checkpoint, failed};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::collections::BTreeMap;

/// The first thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The entry; 0 when it is about the file.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

/// Says what a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Entries checked and found good.
    pub entries: u64,
    /// What stands in the place of pruned entries; null where none were.
    pub checkpoint: Option<Checkpoint>,
    /// Streams seen.
    pub streams: u64,
    /// The hash of the last good entry; keep it elsewhere to notice a shortened log.
    pub hash: String,
    /// Entries of types that this forewarn does not know.
    pub unknown: BTreeMap<String, u64>,
    /// The first thing found wrong; null when all is well.
    pub fault: Option<Fault>,
}

/// Checks the file and every entry, from the first on, until something is wrong.
pub(super) fn verify(connection: &mut Connection) -> Result<VerifyReport, LogError> {
    // One read transaction: what is checked is one state of the log, however busy its writers are.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(failed("begin a check"))?;
    let checkpoint = Checkpoint::read(&tx)?;
    let mut report = VerifyReport {
        entries: 0,
        hash: checkpoint.as_ref().map_or_else(|| chain::GENESIS.to_owned(), |c| c.hash.clone()),
        checkpoint,
        streams: 0,
        unknown: BTreeMap::new(),
        fault: file_fault(&tx)?,
    };
    let mut check = Check::from(&report);
    if report.fault.is_none() {
        report.fault = check.entries(&tx, &mut report)?;
    }
    if report.fault.is_none() {
        report.fault = check.checkpoint_fault(&report);
    }
    if report.fault.is_none() {
        report.fault = cursor_fault(&tx, check.walk.position)?;
    }
    Ok(report)
}

fn file_fault(connection: &Connection) -> Result<Option<Fault>, LogError> {
    let said: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check the file"))?;
    Ok((said != "ok").then(|| Fault { position: 0, what: format!("SQLite says: {said}") }))
}

/// How far a check has come.
struct Check {
    /// The last good entry, or the checkpoint.
    walk: Walk,
    /// What the last entry about a pruning says.
    pruned: Option<LogPruned>,
}

impl Check {
    /// Starts where the log does.
    fn from(report: &VerifyReport) -> Self {
        let start = report.checkpoint.as_ref();
        let walk = start.map_or_else(Walk::default, |c| Walk {
            position: c.position,
            hash: c.hash.clone(),
            versions: c.streams.clone(),
        });
        Self { walk, pruned: None }
    }

    fn entries(&mut self, connection: &Connection, report: &mut VerifyReport) -> Result<Option<Fault>, LogError> {
        let sql = "SELECT position, stream, version, envelope, previous_hash, hash, id, type, subject, time_ms
                   FROM events ORDER BY position";
        let mut statement = connection.prepare(sql).map_err(failed("ask for entries"))?;
        let mut rows = statement.query([]).map_err(failed("read entries"))?;
        while let Some(row) = rows.next().map_err(failed("read an entry"))? {
            let position = row.get::<_, i64>(0).map_err(failed("read a position"))? as u64;
            let found = match stored(row) {
                Ok(stored) => self.fault_of(&stored, report),
                Err(e) => Some(format!("it cannot be read: {e}")),
            };
            if let Some(what) = found {
                return Ok(Some(Fault { position, what }));
            }
        }
        report.streams = self.walk.versions.len() as u64;
        Ok(None)
    }

    /// The chain vouches for the checkpoint: its last entry about a pruning names position and hash of it.
    fn checkpoint_fault(&self, report: &VerifyReport) -> Option<Fault> {
        let said = self.pruned.as_ref().map(|p| (p.position, p.hash.as_str(), p.checkpoint_sha256.as_str()));
        let found = report.checkpoint.as_ref().map(|c| (c.position, c.hash.as_str(), c.sha256.as_str()));
        let what = match (said, found) {
            (said, found) if said == found => return None,
            (Some(_), Some(_)) => "the checkpoint is not the one that the log names: it was altered",
            (None, _) => "no entry of the log names the checkpoint",
            (_, None) => "the log names a checkpoint that is missing",
        };
        Some(Fault { position: report.checkpoint.as_ref().map_or(0, |c| c.position), what: what.to_owned() })
    }

    /// Says what is wrong with an entry, or counts it as good.
    fn fault_of(&mut self, row: &Stored, report: &mut VerifyReport) -> Option<String> {
        let envelope = match serde_json::from_str(&row.text) {
            Ok(envelope) => envelope,
            Err(e) => return Some(format!("its envelope is not one: {e}")),
        };
        let entry = Recorded {
            position: row.position,
            stream: row.stream.clone(),
            version: row.version,
            envelope,
            previous_hash: row.previous_hash.clone(),
            hash: row.hash.clone(),
        };
        match self.walk.check(&entry) {
            Err(what) => return Some(what),
            Ok(Event::Unknown { type_, .. }) => *report.unknown.entry(type_).or_default() += 1,
            Ok(Event::LogPruned(pruned)) => self.pruned = Some(pruned),
            Ok(_) => {}
        }
        let envelope = &entry.envelope;
        let time_ms = envelope.timestamp().ok().map(jiff::Timestamp::as_millisecond);
        if row.id != envelope.id
            || row.type_ != envelope.type_
            || row.subject != envelope.subject
            || time_ms != Some(row.time_ms)
        {
            return Some("its columns id, type, subject and time_ms say something else than its envelope".to_owned());
        }
        self.walk.pass(&entry);
        report.entries += 1;
        report.hash.clone_from(&row.hash);
        None
    }
}

/// One row as it stands in the file.
struct Stored {
    position: u64,
    stream: String,
    version: u64,
    text: String,
    previous_hash: String,
    hash: String,
    id: String,
    type_: String,
    subject: String,
    time_ms: i64,
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        position: row.get::<_, i64>(0)? as u64,
        stream: row.get(1)?,
        version: row.get::<_, i64>(2)? as u64,
        text: row.get(3)?,
        previous_hash: row.get(4)?,
        hash: row.get(5)?,
        id: row.get(6)?,
        type_: row.get(7)?,
        subject: row.get(8)?,
        time_ms: row.get(9)?,
    })
}

/// A reader cannot be ahead of the log, unless the log has lost its end.
fn cursor_fault(connection: &Connection, head: u64) -> Result<Option<Fault>, LogError> {
    let mut statement = connection
        .prepare("SELECT name, position FROM cursors WHERE position > ?1 ORDER BY name LIMIT 1")
        .map_err(failed("ask for cursors"))?;
    let mut rows = statement.query([head as i64]).map_err(failed("read cursors"))?;
    let Some(row) = rows.next().map_err(failed("read cursors"))? else { return Ok(None) };
    let name: String = row.get(0).map_err(failed("read a cursor"))?;
    let position: i64 = row.get(1).map_err(failed("read a cursor"))?;
    let what = format!("cursor {name:?} stands at {position}, past the head {head}: the end of the log is missing");
    Ok(Some(Fault { position: head + 1, what }))
}
