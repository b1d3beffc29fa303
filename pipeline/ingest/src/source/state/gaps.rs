//! Remembers the gaps of series that are asked for again.

use super::{State, StateError, failed};
use crate::source::gap::{Gap, GapNews};
use crate::source::window::Window;
use rusqlite::{OptionalExtension, TransactionBehavior, params};

impl State {
    /// Gives gaps of a place that are due, those that were asked for least first.
    pub(in crate::source) fn gaps(&self, place: i64, now: i64, most: u64) -> Result<Vec<Gap>, StateError> {
        let e = || failed("read gaps");
        let connection = self.lock();
        let sql = "SELECT g.series, g.begins, g.ends, g.tries, g.next_at FROM gaps g JOIN series s ON s.id = g.series
                   WHERE s.place = ?1 AND g.next_at <= ?2 ORDER BY g.tries, g.ends DESC, g.series LIMIT ?3";
        let mut select = connection.prepare(sql).map_err(e())?;
        let read = |r: &rusqlite::Row<'_>| {
            Ok(Gap {
                series: r.get(0)?,
                window: Window { from: r.get(1)?, to: r.get(2)? },
                tries: r.get(3)?,
                next_at: r.get(4)?,
            })
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = select.query_map(params![place, now, most], read).map_err(e())?;
        rows.collect::<Result<_, _>>().map_err(e())
    }

    /// Writes down what was learned of gaps.
    pub(in crate::source) fn note_gaps(&self, news: &GapNews) -> Result<(), StateError> {
        if news.is_empty() {
            return Ok(());
        }
        let e = || failed("note gaps");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        {
            // One that is known keeps its wait and may reach further.
            let sql = "INSERT INTO gaps(series, begins, ends, tries, next_at) VALUES(?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT(series, begins) DO UPDATE SET ends = max(ends, excluded.ends)";
            let mut insert = tx.prepare(sql).map_err(e())?;
            let mut forget = tx.prepare("DELETE FROM gaps WHERE series = ?1 AND begins = ?2").map_err(e())?;
            let sql = "UPDATE series SET last_ts = max(coalesce(last_ts, ?2), ?2) WHERE id = ?1";
            let mut last = tx.prepare(sql).map_err(e())?;
            let mut reach = tx.prepare("SELECT ends FROM gaps WHERE series = ?1 AND begins = ?2").map_err(e())?;
            for (gap, left, last_ts) in &news.asked {
                let key = params![gap.series, gap.window.from];
                let ends: Option<i64> = reach.query_row(key, |r| r.get(0)).optional().map_err(e())?;
                forget.execute(key).map_err(e())?;
                for g in &gap.and_beyond(left, ends.unwrap_or(gap.window.to)) {
                    insert.execute(params![g.series, g.window.from, g.window.to, g.tries, g.next_at]).map_err(e())?;
                }
                if let Some(ts) = last_ts {
                    last.execute(params![gap.series, ts]).map_err(e())?;
                }
            }
            for g in &news.found {
                insert.execute(params![g.series, g.window.from, g.window.to, g.tries, g.next_at]).map_err(e())?;
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
