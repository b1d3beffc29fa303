//! Remembers which accounts and regions fail, so that a restart doesn't begin anew to ask them.

use super::{FILE, State, StateError, failed};
use crate::source::breaker::Breaker;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;

/// A place whose last round failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPlace {
    /// A role, or `own`.
    pub label: String,
    pub region: String,
    pub breaker: Breaker,
}

/// Gives the places whose last round failed, whoever pulls meanwhile; none where nothing was ever pulled.
///
/// # Errors
/// When the state doesn't read.
pub fn failing(dir: &Path) -> Result<Option<Vec<FailingPlace>>, StateError> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let e = || failed("read which places fail");
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(e())?;
    connection.busy_timeout(forewarn_runtime::sqlite::BUSY).map_err(e())?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'breakers'";
    if connection.query_row(sql, [], |r| r.get::<_, i64>(0)).map_err(e())? == 0 {
        return Ok(Some(Vec::new()));
    }
    let sql =
        "SELECT p.label, p.region, b.failures, b.since, b.tried_at FROM breakers b JOIN places p ON p.id = b.place
               WHERE b.failures > 0 ORDER BY p.label, p.region";
    let read = |r: &rusqlite::Row<'_>| {
        let breaker = Breaker { failures: r.get(2)?, since: r.get(3)?, tried_at: r.get(4)? };
        Ok(FailingPlace { label: r.get(0)?, region: r.get(1)?, breaker })
    };
    let mut select = connection.prepare(sql).map_err(e())?;
    let rows = select.query_map([], read).map_err(e())?;
    rows.collect::<Result<_, _>>().map(Some).map_err(e())
}

impl State {
    /// Gives what is remembered of a place.
    pub(in crate::source) fn breaker(&self, place: i64) -> Result<Breaker, StateError> {
        let sql = "SELECT failures, since, tried_at FROM breakers WHERE place = ?1";
        let found = self.lock().query_row(sql, params![place], |r| {
            Ok(Breaker { failures: r.get(0)?, since: r.get(1)?, tried_at: r.get(2)? })
        });
        Ok(found.optional().map_err(failed("read which places fail"))?.unwrap_or_default())
    }

    /// Remembers how it stands with a place.
    pub(in crate::source) fn keep_breaker(&self, place: i64, breaker: Breaker) -> Result<(), StateError> {
        let sql = "INSERT INTO breakers(place, failures, since, tried_at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(place)
                   DO UPDATE SET failures = excluded.failures, since = excluded.since, tried_at = excluded.tried_at";
        let row = params![place, breaker.failures, breaker.since, breaker.tried_at];
        self.lock().execute(sql, row).map(drop).map_err(failed("remember which places fail"))
    }
}
