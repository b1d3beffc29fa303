//! Remembers series and how far each has come.

use super::{State, StateError, failed};
use crate::source::api::MetricName;
use crate::source::discover::Found;
use crate::source::ledger::Progress;
use crate::source::window::Window;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

/// A series with how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) struct Series {
    pub(in crate::source) id: i64,
    pub(in crate::source) instance_id: String,
    pub(in crate::source) metric: MetricName,
    pub(in crate::source) stat: String,
    pub(in crate::source) device: Option<String>,
    pub(in crate::source) period_s: i32,
    /// Where following begins while nothing has been pulled.
    pub(in crate::source) begins: i64,
    pub(in crate::source) listed_at: i64,
    /// Until when everything was asked for, by the purpose that was asked about.
    pub(in crate::source) done_until: Option<i64>,
    pub(in crate::source) last_ts: Option<i64>,
    pub(in crate::source) tail: Vec<u8>,
}

/// Whose progress is meant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::source) enum Target {
    /// That of following.
    Live,
    /// That of a backfill of a range.
    Range {
        /// What the backfill is known by.
        job: String,
        /// Start of the range, where it reaches up to the present, so that following goes on from its end.
        meets: Option<i64>,
    },
}

impl Target {
    pub(in crate::source) fn range(range: Window, now: i64) -> Self {
        let meets = (range.to >= now - 2 * forewarn_runtime::time::DAY_MS).then_some(range.from);
        Self::Range { job: format!("{}..{}", range.from, range.to), meets }
    }
}

const COLUMNS: &str =
    "s.id, s.instance_id, s.namespace, s.metric, s.dimensions, s.stat, s.device, s.period_s, s.begins, s.listed_at";

/// Series that were listed so long before the last ones are gone, milliseconds.
const LISTED_MS: i64 = 3 * 3_600_000;

impl State {
    /// Notes the series that are there now; new ones begin at `begins`, or where another series of the same thing fell silent.
    pub(in crate::source) fn list(
        &self,
        place: i64,
        found: &[Found],
        begins: i64,
        now: i64,
        scope: &str,
        all: bool,
    ) -> Result<u64, StateError> {
        let e = || failed("note series");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        let mut new = 0;
        {
            let sql = "UPDATE series SET listed_at = ?8, device = ?9 WHERE place = ?1 AND instance_id = ?2
                       AND namespace = ?3 AND metric = ?4 AND dimensions = ?5 AND stat = ?6 AND period_s = ?7";
            let mut again = tx.prepare(sql).map_err(e())?;
            let sql = "SELECT max(last_ts) FROM series WHERE place = ?1 AND instance_id = ?2 AND namespace = ?3
                       AND metric = ?4 AND device = ?5";
            let mut silent = tx.prepare(sql).map_err(e())?;
            let sql = "INSERT INTO series(place, instance_id, namespace, metric, dimensions, stat, period_s, listed_at,
                       device, begins) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            let mut insert = tx.prepare(sql).map_err(e())?;
            for f in found {
                let dimensions = serde_json::to_string(&f.metric.dimensions)
                    .map_err(|e| StateError::Damaged(format!("dimensions: {e}")))?;
                let (m, device) = (&f.metric, f.device.as_deref().unwrap_or_default());
                let key =
                    params![place, f.instance_id, m.namespace, m.metric, dimensions, f.stat, f.period_s, now, device];
                if again.execute(key).map_err(e())? > 0 {
                    continue;
                }
                let last: Option<i64> = silent
                    .query_row(params![place, f.instance_id, m.namespace, m.metric, device], |r| r.get(0))
                    .map_err(e())?;
                let begins = last.map_or(begins, |l| l.min(begins));
                let row = params![
                    place,
                    f.instance_id,
                    m.namespace,
                    m.metric,
                    dimensions,
                    f.stat,
                    f.period_s,
                    now,
                    device,
                    begins
                ];
                insert.execute(row).map_err(e())?;
                new += 1;
            }
            let sql = if all {
                "UPDATE places SET discovered_all_at = ?2, scope = ?3 WHERE id = ?1"
            } else {
                "UPDATE places SET discovered_at = ?2, scope = ?3 WHERE id = ?1"
            };
            tx.execute(sql, params![place, now, scope]).map_err(e())?;
        }
        tx.commit().map_err(e())?;
        Ok(new)
    }

    /// Gives the series of a place that were listed at `since` or later, with the progress that is meant, by instance.
    pub(in crate::source) fn series(&self, place: i64, target: &Target, since: i64) -> Result<Vec<Series>, StateError> {
        let e = || failed("read series");
        let connection = self.lock();
        let order = "ORDER BY s.instance_id, s.namespace, s.metric, s.stat, s.device, s.dimensions";
        let (sql, job) = match target {
            Target::Live => (
                format!(
                    "SELECT {COLUMNS}, s.done_until, s.last_ts, s.tail FROM series s
                     WHERE s.place = ?1 AND s.listed_at >= ?2 AND ?3 = '' {order}"
                ),
                "",
            ),
            Target::Range { job, .. } => (
                format!(
                    "SELECT {COLUMNS}, b.done_until, s.last_ts, NULL FROM series s
                     LEFT JOIN backfills b ON b.series = s.id AND b.job = ?3
                     WHERE s.place = ?1 AND s.listed_at >= ?2 {order}"
                ),
                job.as_str(),
            ),
        };
        let mut select = connection.prepare(&sql).map_err(e())?;
        let mut rows = select.query(params![place, since, job]).map_err(e())?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(e())? {
            out.push(read(row)?);
        }
        Ok(out)
    }

    /// Says whether a series was asked for and gave nothing for so long.
    pub(in crate::source) fn is_silent(
        &self,
        place: i64,
        metric: &MetricName,
        since_ms: i64,
    ) -> Result<bool, StateError> {
        let dimensions = serde_json::to_string(&metric.dimensions).map_err(|e| StateError::Damaged(e.to_string()))?;
        let sql = "SELECT coalesce(last_ts, 0) < done_until - ?5 FROM series
                   WHERE place = ?1 AND namespace = ?2 AND metric = ?3 AND dimensions = ?4";
        let found: Option<Option<bool>> = self
            .lock()
            .query_row(sql, params![place, metric.namespace, metric.metric, dimensions, since_ms], |r| r.get(0))
            .optional()
            .map_err(failed("read a series"))?;
        Ok(found.flatten().unwrap_or(false))
    }

    /// Gives the oldest watermark of the series that were listed within [`LISTED_MS`] of the last look at the place, whenever that was:
    /// a place that can't be looked at keeps its series, and so grows old.
    pub(in crate::source) fn oldest(&self, place: i64) -> Result<Option<i64>, StateError> {
        let sql = "SELECT min(done_until) FROM series
                   WHERE place = ?1 AND listed_at >= (SELECT max(listed_at) FROM series WHERE place = ?1) - ?2";
        self.lock().query_row(sql, params![place, LISTED_MS], |r| r.get(0)).map_err(failed("read watermarks"))
    }

    /// Moves watermarks.
    pub(in crate::source) fn commit(&self, target: &Target, progress: &[Progress]) -> Result<(), StateError> {
        let e = || failed("move watermarks");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        advance(&tx, target, progress).map_err(e())?;
        tx.commit().map_err(e())
    }

    /// Forgets a backfill that is complete.
    pub(in crate::source) fn forget(&self, target: &Target, place: i64) -> Result<(), StateError> {
        let Target::Range { job, .. } = target else { return Ok(()) };
        let sql = "DELETE FROM backfills WHERE job = ?1 AND series IN (SELECT id FROM series WHERE place = ?2)";
        self.lock().execute(sql, params![job, place]).map(drop).map_err(failed("forget a backfill"))
    }
}

/// Moves watermarks within a transaction. A backfill that meets where following stands moves that as well, so that nothing lies between.
pub(super) fn advance(tx: &Connection, target: &Target, progress: &[Progress]) -> rusqlite::Result<()> {
    let mut live = tx.prepare(
        "UPDATE series SET done_until = ?2, last_ts = max(coalesce(last_ts, ?3), coalesce(?3, last_ts)), tail = ?4
         WHERE id = ?1 AND (done_until IS NULL OR done_until < ?2) AND (?5 IS NULL OR done_until IS NULL OR done_until >= ?5)",
    )?;
    let mut range = tx.prepare(
        "INSERT INTO backfills(job, series, done_until) VALUES(?1, ?2, ?3)
         ON CONFLICT(job, series) DO UPDATE SET done_until = max(done_until, excluded.done_until)",
    )?;
    for p in progress {
        let from = match target {
            Target::Live => None,
            Target::Range { job, meets } => {
                range.execute(params![job, p.series, p.done_until])?;
                if meets.is_none() {
                    continue;
                }
                *meets
            }
        };
        live.execute(params![p.series, p.done_until, p.last_ts, p.tail, from])?;
    }
    Ok(())
}

fn read(r: &Row<'_>) -> Result<Series, StateError> {
    let e = || failed("read a series");
    let dimensions: String = r.get(4).map_err(e())?;
    let id: i64 = r.get(0).map_err(e())?;
    Ok(Series {
        id,
        instance_id: r.get(1).map_err(e())?,
        metric: MetricName {
            namespace: r.get(2).map_err(e())?,
            metric: r.get(3).map_err(e())?,
            dimensions: serde_json::from_str(&dimensions)
                .map_err(|e| StateError::Damaged(format!("series {id}: {e}")))?,
        },
        stat: r.get(5).map_err(e())?,
        device: r.get::<_, Option<String>>(6).map_err(e())?.filter(|d| !d.is_empty()),
        period_s: r.get(7).map_err(e())?,
        begins: r.get(8).map_err(e())?,
        listed_at: r.get(9).map_err(e())?,
        done_until: r.get(10).map_err(e())?,
        last_ts: r.get(11).map_err(e())?,
        tail: r.get::<_, Option<Vec<u8>>>(12).map_err(e())?.unwrap_or_default(),
    })
}
