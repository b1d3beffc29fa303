//! Checks that the log is whole and unaltered.

use super::super::chain;
use super::super::checkpoint::Checkpoint;
use super::super::event::Event;
use super::super::event::pruned::LogPruned;
use super::super::port::{LogError, Recorded};
use super::super::report::{Fault, VerifyReport};
use super::super::walk::Walk;
use super::pace::{Pace, connect};
use super::{checkpoint, failed, structure};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;

/// Entries read at a time.
const PAGE: usize = 1000;

/// Checks the file and every entry, from the first on, until something is wrong.
///
/// Entries never change, so each page is read by itself, and no reader stays in the way of whoever shortens the write-ahead log. What is
/// pruned meanwhile makes the check begin again, at the new checkpoint.
pub(super) fn verify(path: &Path, pace: &Pace) -> Result<VerifyReport, LogError> {
    let connection = connect(path)?;
    let broken = structure::fault(&connection, pace)?;
    loop {
        let checkpoint = checkpoint::read(&connection)?;
        let mut report = VerifyReport {
            entries: 0,
            hash: checkpoint.as_ref().map_or_else(|| chain::GENESIS.to_owned(), |c| c.hash.clone()),
            checkpoint,
            streams: 0,
            unknown: BTreeMap::new(),
            fault: broken.clone(),
        };
        if report.fault.is_some() {
            return Ok(report);
        }
        let mut check = Check::from(&report);
        let pages = loop {
            pace.look()?;
            match check.page(&connection, &mut report)? {
                Page::Good => {}
                other @ (Page::End | Page::Fault(_)) => break other,
            }
        };
        // The rest, the checkpoint and the cursors as of one moment.
        let tx = connection.unchecked_transaction().map_err(failed("end a check"))?;
        let began = report.checkpoint.as_ref().map(|c| (c.position, c.hash.clone()));
        if checkpoint::place(&tx)? != began {
            tracing::info!("the log was pruned while it was checked; the check begins again");
            continue;
        }
        report.fault = match pages {
            Page::Fault(fault) => Some(fault),
            Page::Good | Page::End => check.rest(&tx, &mut report)?,
        };
        report.streams = check.walk.versions.len() as u64;
        return Ok(report);
    }
}

/// How a page of entries turned out.
enum Page {
    Good,
    /// There are no more.
    End,
    Fault(Fault),
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
        Self { walk: Checkpoint::walk(report.checkpoint.as_ref()), pruned: None }
    }

    fn page(&mut self, connection: &Connection, report: &mut VerifyReport) -> Result<Page, LogError> {
        let sql = "SELECT position, stream, version, envelope, previous_hash, hash, id, type, subject, time_ms
                   FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
        let mut statement = connection.prepare(sql).map_err(failed("ask for entries"))?;
        let mut rows =
            statement.query(params![self.walk.position as i64, PAGE as i64]).map_err(failed("read entries"))?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(failed("read an entry"))? {
            let position = row.get::<_, i64>(0).map_err(failed("read a position"))? as u64;
            let found = match stored(row) {
                Ok(stored) => self.fault_of(&stored, report),
                Err(e) => Some(format!("it cannot be read: {e}")),
            };
            if let Some(what) = found {
                return Ok(Page::Fault(Fault { position, what }));
            }
            read += 1;
        }
        // A page that is not full ends with the log: what is appended from now on is not waited for.
        Ok(if read < PAGE { Page::End } else { Page::Good })
    }

    /// Checks what is left, and that checkpoint and cursors go with it.
    fn rest(&mut self, tx: &Connection, report: &mut VerifyReport) -> Result<Option<Fault>, LogError> {
        loop {
            match self.page(tx, report)? {
                Page::Good => {}
                Page::Fault(fault) => return Ok(Some(fault)),
                Page::End => break,
            }
        }
        if let Some(what) = Checkpoint::fault(self.pruned.as_ref(), report.checkpoint.as_ref()) {
            return Ok(Some(Fault { position: report.checkpoint.as_ref().map_or(0, |c| c.position), what }));
        }
        cursor_fault(tx, self.walk.position)
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
