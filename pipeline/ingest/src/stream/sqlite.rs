//! Keeps a stream in one SQLite file: one shard, in the order in which it was put; several processes may open the file.
//!
//! Places are decimal numbers of twenty digits, so that as text they stand in the same order as the records. They have no gaps.

mod consumer;
pub(crate) mod file;

pub use consumer::SqliteConsumer;

use super::checkpoints;
use super::entry::entries;
use super::port::{Producer, PutReport, StreamError};
use super::record::Record;
use file::{Kind, failed};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::failpoint;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;

/// The name of the file in the state.
pub const FILE: &str = "stream.sqlite";
/// Marks the file: `FWST`.
pub const APPLICATION_ID: i32 = 0x4657_5354;
/// The only shard.
pub const SHARD: &str = "0";

const RECORDS: &str = "
CREATE TABLE records(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL,
  arrived_at INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE trimmed(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO trimmed VALUES (1, 0);
";

const KIND: Kind = Kind { application_id: APPLICATION_ID, schema: &[RECORDS, checkpoints::SCHEMA] };

/// Writes a place as text.
fn place(seq: i64) -> String {
    format!("{seq:020}")
}

/// Puts records into the file.
#[derive(Debug)]
pub struct SqliteProducer {
    connection: Connection,
    path: String,
    ctx: RuntimeContext,
}

impl SqliteProducer {
    /// Opens the stream at `path`, making it where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub fn open(path: &Path, ctx: RuntimeContext) -> Result<Self, StreamError> {
        Ok(Self { connection: file::open(path, KIND)?, path: path.display().to_string(), ctx })
    }
}

impl Producer for SqliteProducer {
    /// Puts all records in one transaction: all of them are there, or none.
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError> {
        let encoded = entries(&self.path, records)?;
        if encoded.is_empty() {
            return Ok(PutReport::default());
        }
        failpoint::point("ingest.put_begun");
        let fail = failed(&self.path, "put records");
        let now_ms = self.ctx.clock.now_ms();
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        let mut bytes = 0;
        {
            let sql = "INSERT INTO records(key, arrived_at, data) VALUES (?1, ?2, ?3)";
            let mut insert = tx.prepare(sql).map_err(&fail)?;
            for entry in &encoded {
                insert.execute(params![entry.key, now_ms, entry.data]).map_err(&fail)?;
                bytes += entry.data.len() as u64;
            }
        }
        failpoint::point("ingest.put_written");
        tx.commit().map_err(&fail)?;
        failpoint::point("ingest.put_done");
        let report = PutReport { records: encoded.len() as u64, bytes, retried: 0, calls: 1 };
        self.ctx.metrics.stream_put.inc_by(report.records);
        Ok(report)
    }
}
