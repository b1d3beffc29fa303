//! Remembers, durably, what was discovered and how far everything has come: `STATE/ingest.sqlite`.

mod breakers;
mod gaps;
mod known;
mod outbox;
mod series;
mod tables;

pub use breakers::{FailingPlace, failing};
pub(super) use series::{Series, Target};

use super::budget::{Spent, admit, month};
use forewarn_runtime::lease::{Lease, LeaseError};
use forewarn_runtime::sqlite::BUSY;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the state directory.
pub const FILE: &str = "ingest.sqlite";
/// The part of the work that a lease is taken for.
const PART: &str = "ingest";

/// Explains why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another ingest runs on it.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// It is another program's, or a newer forewarn's.
    #[error("{0}: {1}")]
    Foreign(String, String),
    /// SQLite refuses.
    #[error("{FILE}: cannot {doing}")]
    Store {
        /// What was tried.
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    /// What stands there can't be read.
    #[error("{FILE}: {0} is damaged; move the file away, and ingest begins anew")]
    Damaged(String),
}

/// Wraps what SQLite says.
fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StateError {
    move |source| StateError::Store { doing, source }
}

/// What is remembered of an account in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PlaceRow {
    pub(super) id: i64,
    /// The account, once it is known.
    pub(super) account: Option<String>,
    /// When series were last looked for among recent ones, and among all; milliseconds.
    pub(super) discovered_at: Option<i64>,
    pub(super) discovered_all_at: Option<i64>,
    /// What was looked for.
    pub(super) scope: Option<String>,
    /// Volumes without a known instance when all were last looked for.
    pub(super) unmapped_all: u64,
}

/// The state, held by one process at a time; its threads share it.
#[derive(Debug)]
pub struct State {
    connection: Mutex<Connection>,
    /// Held until the process ends, however it does.
    _lease: Lease,
    path: PathBuf,
}

impl State {
    /// Opens the state in a directory, making it when there is none, and keeps every other process out.
    ///
    /// # Errors
    /// When another process has it, the place cannot be written, or the file is not ours.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let lease = Lease::take(dir, PART)?;
        let path = dir.join(FILE);
        let mut connection = Connection::open(&path).map_err(failed("open it"))?;
        connection.busy_timeout(BUSY).map_err(failed("open it"))?;
        tables::prepare(&mut connection, &path.display().to_string())?;
        Ok(Self { connection: Mutex::new(connection), _lease: lease, path })
    }

    /// Gives the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short has been rolled back by its drop.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what is remembered of a place, which comes to be when it is first asked for.
    pub(super) fn place(&self, label: &str, region: &str) -> Result<PlaceRow, StateError> {
        let connection = self.lock();
        let e = || failed("read a place");
        connection
            .execute("INSERT OR IGNORE INTO places(label, region) VALUES(?1, ?2)", params![label, region])
            .map_err(e())?;
        let sql = "SELECT id, account, discovered_at, discovered_all_at, scope, unmapped_all FROM places WHERE label = ?1 AND region = ?2";
        connection
            .query_row(sql, params![label, region], |r| {
                Ok(PlaceRow {
                    id: r.get(0)?,
                    account: r.get(1)?,
                    discovered_at: r.get(2)?,
                    discovered_all_at: r.get(3)?,
                    scope: r.get(4)?,
                    unmapped_all: r.get::<_, i64>(5)?.unsigned_abs(),
                })
            })
            .map_err(e())
    }

    /// Remembers how many volumes nobody was known to have had.
    pub(super) fn note_unmapped(&self, place: i64, volumes: u64) -> Result<(), StateError> {
        let sql = "UPDATE places SET unmapped_all = ?2 WHERE id = ?1";
        self.lock().execute(sql, params![place, volumes as i64]).map(drop).map_err(failed("remember volumes"))
    }

    /// Remembers the account of a place.
    pub(super) fn set_account(&self, place: i64, account: &str) -> Result<(), StateError> {
        let sql = "UPDATE places SET account = ?2 WHERE id = ?1";
        self.lock().execute(sql, params![place, account]).map(drop).map_err(failed("remember an account"))
    }

    /// Counts metrics that are about to be asked for, unless the budget would be passed; gives what is left of it.
    pub(super) fn spend(
        &self,
        place: i64,
        needs: u64,
        budget: Option<u64>,
        now: i64,
    ) -> Result<Result<Option<u64>, Spent>, StateError> {
        let e = || failed("count what is billed");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        let month = month(now);
        let sql = "SELECT metrics FROM billed WHERE place = ?1 AND month = ?2";
        let used: Option<i64> = tx.query_row(sql, params![place, month], |r| r.get(0)).optional().map_err(e())?;
        let used = used.unwrap_or(0).unsigned_abs();
        if let Err(spent) = admit(budget, used, needs, now) {
            return Ok(Err(spent));
        }
        let total = used.saturating_add(needs);
        let sql = "INSERT INTO billed(place, month, metrics) VALUES(?1, ?2, ?3)
                   ON CONFLICT(place, month) DO UPDATE SET metrics = excluded.metrics";
        tx.execute(sql, params![place, month, i64::try_from(total).unwrap_or(i64::MAX)]).map_err(e())?;
        tx.commit().map_err(e())?;
        Ok(Ok(budget.map(|b| b.saturating_sub(total))))
    }

    /// Gives what was billed in the month of a time.
    pub(super) fn billed(&self, place: i64, now: i64) -> Result<u64, StateError> {
        let sql = "SELECT metrics FROM billed WHERE place = ?1 AND month = ?2";
        let found: Option<i64> = self
            .lock()
            .query_row(sql, params![place, month(now)], |r| r.get(0))
            .optional()
            .map_err(failed("read what is billed"))?;
        Ok(found.unwrap_or(0).unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
