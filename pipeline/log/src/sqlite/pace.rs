//! Long work on the file, one short transaction after another: between two of them the file is free for others.
//!
//! SQLite's lock knows no queue. Who waits for it asks again and again ([`forewarn_runtime::sqlite::patient`]), so each transaction is
//! followed by a rest at least as long, in which everybody who waits finds the file free.

use super::super::port::LogError;
use super::failed;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::{Lease, LeaseError};
use forewarn_runtime::sqlite::patient;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// Most rows that one transaction changes.
pub(super) const MOST_ROWS: usize = 2000;
/// Rows that the first transaction changes, and the fewest that any does.
const FEWEST_ROWS: usize = 50;
/// How long one transaction should take, milliseconds.
const GOAL_MS: i64 = 50;
/// The shortest rest, milliseconds: some times as long as the file is asked for by those who wait.
const REST_MS: i64 = 20;

/// How long work goes about it.
#[derive(Debug)]
pub(super) struct Pace {
    ctx: RuntimeContext,
    /// Rows that the next transaction may change.
    rows: usize,
}

impl Pace {
    pub(super) fn new(ctx: RuntimeContext) -> Self {
        Self { ctx, rows: FEWEST_ROWS }
    }

    /// Makes one transaction's worth of work on so many rows at most, and rests.
    pub(super) fn step<T, E: From<LogError>>(&mut self, work: impl FnOnce(usize) -> Result<T, E>) -> Result<T, E> {
        let begun = self.ctx.clock.now_ms();
        let done = work(self.rows)?;
        let took = (self.ctx.clock.now_ms() - begun).max(0);
        self.rows = next_rows(self.rows, took);
        self.wait(took.max(REST_MS).unsigned_abs())?;
        Ok(done)
    }

    /// Ends the work where it was asked to end; what was done stays, and doing it again goes on from there.
    pub(super) fn look(&self) -> Result<(), LogError> {
        self.wait(0)
    }

    fn wait(&self, ms: u64) -> Result<(), LogError> {
        if self.ctx.clock.pause(ms, &self.ctx.stop) {
            return Ok(());
        }
        Err(LogError::unavailable("go on with long work on it", "it was asked to end; start it again to go on"))
    }
}

/// Decides how many rows the next transaction changes, from how long the last one took.
fn next_rows(rows: usize, took_ms: i64) -> usize {
    let next = if took_ms > GOAL_MS { rows / 2 } else { rows + rows / 2 };
    next.clamp(FEWEST_ROWS, MOST_ROWS)
}

/// Opens a connection of its own, so that threads that share the log's need not wait for each other's.
pub(super) fn connect(path: &Path) -> Result<Connection, LogError> {
    let mut connection = Connection::open(path).map_err(failed("open it once more"))?;
    patient(&mut connection).map_err(failed("open it once more"))?;
    Ok(connection)
}

/// Lets transactions be made durable one by one, or together with the next one that is.
pub(super) fn durable(connection: &Connection, each: bool) -> Result<(), LogError> {
    let how = if each { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", how).map_err(failed("say when to sync"))
}

/// Shuts out other rebuilds and prunings of the same file, in this process and in others, until it is dropped.
pub(super) fn exclusive(path: &Path) -> Result<Lease, LogError> {
    Lease::at(PathBuf::from(format!("{}-maintenance.lock", path.display()))).map_err(|e| match e {
        LeaseError::AlreadyHeld { path } => LogError::unavailable(
            format!("rebuild or prune it while {} is locked", path.display()),
            "another forewarn does; try again when it has ended",
        ),
        other @ (LeaseError::Io { .. }
        | LeaseError::HeldElsewhere { .. }
        | LeaseError::Lost { .. }
        | LeaseError::Cell(_)) => LogError::unavailable(format!("lock {}", path.display()), other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_grow_while_they_are_short_and_are_halved_when_they_are_not() {
        assert_eq!([next_rows(100, 10), next_rows(100, 51)], [150, 50]);
        assert_eq!([next_rows(MOST_ROWS, 0), next_rows(FEWEST_ROWS, 5000)], [MOST_ROWS, FEWEST_ROWS]);
    }
}
