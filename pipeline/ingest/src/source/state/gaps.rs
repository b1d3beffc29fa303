//! Remembers the gaps of series that are asked for again.

use super::{State, StateError, failed};
use crate::source::gap::{Asked, Gap};
use crate::source::window::Window;
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

impl State {
    /// Gives gaps of a place that are due and wanted, those that were asked for least first.
    pub(in crate::source) fn gaps(
        &self,
        place: i64,
        now: i64,
        most: u64,
        wanted: impl Fn(&Gap) -> bool,
    ) -> Result<Vec<Gap>, StateError> {
        let e = || failed("read gaps");
        let connection = self.lock();
        let sql = "SELECT g.series, g.begins, g.ends, g.tries, g.next_at FROM gaps g JOIN series s ON s.id = g.series
                   WHERE s.place = ?1 AND g.next_at <= ?2 ORDER BY g.tries, g.ends DESC, g.series";
        let mut select = connection.prepare(sql).map_err(e())?;
        let read = |r: &rusqlite::Row<'_>| {
            Ok(Gap {
                series: r.get(0)?,
                window: Window { from: r.get(1)?, to: r.get(2)? },
                tries: r.get(3)?,
                next_at: r.get(4)?,
            })
        };
        let rows = select.query_map(params![place, now], read).map_err(e())?;
        let wanted = rows.filter(|gap| gap.as_ref().map_or(true, &wanted));
        wanted.take(usize::try_from(most).unwrap_or(usize::MAX)).collect::<Result<_, _>>().map_err(e())
    }

    /// Writes down gaps that were found: before the samples after them are put, or a crash in between would hide them for good.
    pub(in crate::source) fn note_found(&self, found: &[Gap]) -> Result<(), StateError> {
        if found.is_empty() {
            return Ok(());
        }
        let e = || failed("note gaps");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        found.iter().try_for_each(|g| insert(&tx, g)).map_err(e())?;
        tx.commit().map_err(e())
    }

    /// Writes down what came of gaps that were asked for, once their samples are put.
    pub(in crate::source) fn note_asked(&self, asked: &[Asked]) -> Result<(), StateError> {
        if asked.is_empty() {
            return Ok(());
        }
        let e = || failed("note gaps");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        {
            let mut forget = tx.prepare("DELETE FROM gaps WHERE series = ?1 AND begins = ?2").map_err(e())?;
            let sql = "UPDATE series SET last_ts = max(coalesce(last_ts, ?2), ?2) WHERE id = ?1";
            let mut last = tx.prepare(sql).map_err(e())?;
            let mut reach = tx.prepare("SELECT ends FROM gaps WHERE series = ?1 AND begins = ?2").map_err(e())?;
            for (gap, left, last_ts) in asked {
                let key = params![gap.series, gap.window.from];
                let ends: Option<i64> = reach.query_row(key, |r| r.get(0)).optional().map_err(e())?;
                forget.execute(key).map_err(e())?;
                gap.and_beyond(left, ends.unwrap_or(gap.window.to))
                    .iter()
                    .try_for_each(|g| insert(&tx, g))
                    .map_err(e())?;
                if let Some(ts) = last_ts {
                    last.execute(params![gap.series, ts]).map_err(e())?;
                }
            }
        }
        tx.commit().map_err(e())
    }

    /// Forgets gaps that ended before a time.
    pub(in crate::source) fn forget_gaps(&self, before: i64) -> Result<(), StateError> {
        let sql = "DELETE FROM gaps WHERE ends < ?1";
        self.lock().execute(sql, params![before]).map(drop).map_err(failed("forget gaps"))
    }
}

/// Adds a gap; one that is known keeps its wait and may reach further.
fn insert(tx: &Transaction<'_>, g: &Gap) -> rusqlite::Result<()> {
    let sql = "INSERT INTO gaps(series, begins, ends, tries, next_at) VALUES(?1, ?2, ?3, ?4, ?5)
               ON CONFLICT(series, begins) DO UPDATE SET ends = max(ends, excluded.ends)";
    tx.execute(sql, params![g.series, g.window.from, g.window.to, g.tries, g.next_at]).map(drop)
}
