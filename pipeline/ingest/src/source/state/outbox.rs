//! Keeps what is about to be put, so that after a crash exactly that is put again: the same samples with the same `ingested_at`.

use super::series::{Target, advance};
use super::{State, StateError, failed};
use crate::source::ledger::Progress;
use crate::stream::Record;
use rusqlite::{TransactionBehavior, params};

/// What was about to be put.
#[derive(Debug)]
pub(in crate::source) struct Parked {
    /// Its row.
    pub(in crate::source) id: i64,
    pub(in crate::source) records: Vec<Record>,
    /// The watermarks that move once they are put.
    pub(in crate::source) progress: Vec<Progress>,
}

impl State {
    /// Writes down records and the watermarks that move once they are put.
    pub(in crate::source) fn park(&self, records: &[Record], progress: &[Progress]) -> Result<i64, StateError> {
        let mut encoded: Vec<Vec<u8>> = Vec::new();
        for record in records {
            encoded.extend(record.encode().map_err(|e| StateError::Damaged(format!("a record: {e}")))?);
        }
        let bytes = |e: postcard::Error| StateError::Damaged(format!("the outbox: {e}"));
        let records = postcard::to_allocvec(&encoded).map_err(bytes)?;
        let progress = postcard::to_allocvec(progress).map_err(bytes)?;
        let connection = self.lock();
        let e = || failed("write the outbox");
        connection
            .execute("INSERT INTO outbox(records, progress) VALUES(?1, ?2)", params![records, progress])
            .map_err(e())?;
        Ok(connection.last_insert_rowid())
    }

    /// Gives the oldest that was not finished.
    pub(in crate::source) fn parked(&self) -> Result<Option<Parked>, StateError> {
        let connection = self.lock();
        let e = || failed("read the outbox");
        let mut oldest =
            connection.prepare("SELECT id, records, progress FROM outbox ORDER BY id LIMIT 1").map_err(e())?;
        let mut rows = oldest.query([]).map_err(e())?;
        let Some(row) = rows.next().map_err(e())? else { return Ok(None) };
        let damaged = |what: &dyn std::fmt::Display| StateError::Damaged(format!("the outbox: {what}"));
        let (records, progress): (Vec<u8>, Vec<u8>) = (row.get(1).map_err(e())?, row.get(2).map_err(e())?);
        let encoded: Vec<Vec<u8>> = postcard::from_bytes(&records).map_err(|e| damaged(&e))?;
        Ok(Some(Parked {
            id: row.get(0).map_err(e())?,
            records: encoded.iter().map(|b| Record::decode(b)).collect::<Result<_, _>>().map_err(|e| damaged(&e))?,
            progress: postcard::from_bytes(&progress).map_err(|e| damaged(&e))?,
        }))
    }

    /// Moves the watermarks of what has been put and forgets it, in one step.
    pub(in crate::source) fn unpark(&self, id: i64, progress: &[Progress]) -> Result<(), StateError> {
        let e = || failed("empty the outbox");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        advance(&tx, &Target::Live, progress).map_err(e())?;
        tx.execute("DELETE FROM outbox WHERE id = ?1", params![id]).map_err(e())?;
        tx.commit().map_err(e())
    }
}
