//! What every SQLite file of ours needs and SQLite does not do by itself.

use rusqlite::{Connection, ErrorCode};
use std::time::Duration;

/// How long one waits for another that has the file.
pub const BUSY: Duration = Duration::from_secs(30);
/// How long one that was turned away waits until it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Switches to write-ahead logging, and leaves the connection with a busy timeout of [`BUSY`]. Of several that switch a new file at once
/// SQLite turns all but one away, and lets none of them wait by its busy timeout: they ask again.
///
/// # Errors
///
/// As SQLite says them; `SQLITE_BUSY` only after [`BUSY`].
pub fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let switch = || connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map(drop);
    connection.busy_timeout(Duration::ZERO)?;
    let mut switched = switch();
    for _ in 0..BUSY.as_millis() / PAUSE.as_millis() {
        if !matches!(&switched, Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)) {
            break;
        }
        std::thread::sleep(PAUSE);
        switched = switch();
    }
    switched.and(connection.busy_timeout(BUSY))
}
