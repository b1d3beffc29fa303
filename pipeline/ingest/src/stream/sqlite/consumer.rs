//! Reads the file in order, from the checkpoint on.

use super::{KIND, SHARD, file, place};
use crate::stream::checkpoints::SqliteCheckpoints;
use crate::stream::port::{Checkpoints, Consumer, Lag, Limit, ShardBatch, Stored, StreamError};
use file::failed;
use forewarn_runtime::context::RuntimeContext;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// Records deleted in one transaction: a producer never waits long for the trimming.
const TRIM_STEP: i64 = 512;

/// Reads the only shard of a file.
#[derive(Debug)]
pub struct SqliteConsumer {
    connection: Connection,
    path: String,
    checkpoints: SqliteCheckpoints,
    ctx: RuntimeContext,
    /// The last record read; none until the first read.
    read_to: Option<i64>,
}

impl SqliteConsumer {
    /// Opens the stream at `path` for the consumer called `name`, making the file where there is none. From now on nothing is trimmed
    /// that this consumer has not dealt with.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub fn open(path: &Path, name: &str, ctx: RuntimeContext) -> Result<Self, StreamError> {
        let shown = path.display().to_string();
        let connection = file::open(path, KIND)?;
        let checkpoints = SqliteCheckpoints::of(file::open(path, KIND)?, &shown, "embedded", name)?;
        Ok(Self { connection, path: shown, checkpoints, ctx, read_to: None })
    }

    /// Gives the last record that has been dealt with, 0 where there is none.
    fn checkpoint(&self) -> Result<i64, StreamError> {
        self.checkpoints.checkpoint(SHARD)?.map_or(Ok(0), |seq| self.number(&seq))
    }

    fn trimmed(&self) -> Result<i64, StreamError> {
        let found = self.connection.query_row("SELECT seq FROM trimmed", [], |row| row.get(0));
        found.map_err(failed(&self.path, "read how far it was trimmed"))
    }

    fn number(&self, seq: &str) -> Result<i64, StreamError> {
        seq.parse().ok().filter(|n| *n >= 0).ok_or_else(|| StreamError::Foreign {
            path: self.path.clone(),
            what: format!("{seq:?} is no place in this stream; was the stream setting changed?"),
        })
    }

    fn lost(&self, after: i64) -> StreamError {
        StreamError::Lost { stream: self.path.clone(), shard: SHARD.to_owned(), after: place(after) }
    }

    /// Reads the records after one, up to a last one, within a limit.
    fn select(&self, after: i64, to: i64, limit: Limit) -> Result<Vec<Stored>, StreamError> {
        let fail = failed(&self.path, "read records");
        let sql = "SELECT seq, arrived_at, data FROM records WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare(sql).map_err(&fail)?;
        let most = i64::try_from(limit.records.max(1)).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![after, to, most]).map_err(&fail)?;
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        while let Some(row) = rows.next().map_err(&fail)? {
            let data: Vec<u8> = row.get(2).map_err(&fail)?;
            bytes = bytes.saturating_add(data.len());
            if bytes > limit.bytes && !records.is_empty() {
                break;
            }
            let seq = place(row.get(0).map_err(&fail)?);
            records.push(Stored { seq, arrived_at: Some(row.get(1).map_err(&fail)?), data });
        }
        Ok(records)
    }

    /// Gives the record up to which every consumer has dealt with all.
    fn passed_by_all(&self) -> Result<i64, StreamError> {
        let fail = failed(&self.path, "read every consumer's checkpoint");
        let sql = "SELECT k.seq FROM consumers c LEFT JOIN checkpoints k
                   ON k.stream = c.stream AND k.consumer = c.consumer AND k.shard = ?1";
        let mut statement = self.connection.prepare(sql).map_err(&fail)?;
        let rows = statement.query_map([SHARD], |row| row.get::<_, Option<String>>(0)).map_err(&fail)?;
        let mut least = i64::MAX;
        for row in rows {
            least = least.min(row.map_err(&fail)?.map_or(Ok(0), |seq| self.number(&seq))?);
        }
        Ok(least)
    }
}

impl Consumer for SqliteConsumer {
    fn read(&mut self, limit: Limit) -> Result<Option<ShardBatch>, StreamError> {
        let after = match self.read_to {
            Some(seq) => seq,
            None => self.checkpoint()?,
        };
        let records = self.select(after, i64::MAX, limit)?;
        let first = records.first().map_or(Ok(after + 1), |r| self.number(&r.seq))?;
        // A consumer that begins starts with whatever is kept; any other has missed something.
        if after > 0 && first > after + 1 {
            return Err(self.lost(after));
        }
        let Some(last) = records.last() else { return Ok(None) };
        self.read_to = Some(self.number(&last.seq)?);
        Ok(Some(ShardBatch { shard: SHARD.to_owned(), records }))
    }

    fn read_range(&mut self, shard: &str, first: &str, last: &str) -> Result<ShardBatch, StreamError> {
        let (from, to) = (self.number(first)?, self.number(last)?);
        let all = Limit { records: usize::MAX, bytes: usize::MAX };
        let records = if shard == SHARD { self.select(from.saturating_sub(1), to, all)? } else { Vec::new() };
        // Places have no gaps: as many as there should be means all of them.
        if records.is_empty() || records.len() as i64 != to.saturating_sub(from).saturating_add(1) {
            return Err(StreamError::Lost {
                stream: self.path.clone(),
                shard: shard.to_owned(),
                after: place(from.saturating_sub(1)),
            });
        }
        self.read_to = Some(to);
        Ok(ShardBatch { shard: SHARD.to_owned(), records })
    }

    fn rewind(&mut self) {
        self.read_to = None;
    }

    /// Counts what lies after the checkpoint, read or not.
    fn lag(&mut self) -> Result<Lag, StreamError> {
        let done = self.checkpoint()?.max(self.trimmed()?);
        let sql = "SELECT (SELECT max(seq) FROM records), arrived_at FROM records WHERE seq > ?1 ORDER BY seq LIMIT 1";
        let waiting: Option<(i64, i64)> = self
            .connection
            .query_row(sql, [done], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(failed(&self.path, "count what is waiting"))?;
        Ok(match waiting {
            Some((newest, oldest_at)) => Lag {
                records: Some((newest - done).unsigned_abs()),
                millis: Some((self.ctx.clock.now_ms() - oldest_at).max(0)),
            },
            None => Lag { records: Some(0), millis: Some(0) },
        })
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        &self.checkpoints
    }

    fn trim(&mut self) -> Result<u64, StreamError> {
        let (to, mut at) = (self.passed_by_all()?, self.trimmed()?);
        let mut gone = 0;
        while at < to {
            let next = to.min(at + TRIM_STEP);
            let fail = failed(&self.path, "trim");
            let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
            gone += tx.execute("DELETE FROM records WHERE seq <= ?1", [next]).map_err(&fail)? as u64;
            tx.execute("UPDATE trimmed SET seq = max(seq, ?1)", [next]).map_err(&fail)?;
            tx.commit().map_err(&fail)?;
            at = next;
        }
        Ok(gone)
    }
}
