//! What every SQLite file of ours needs and SQLite does not do by itself.

use rusqlite::{Connection, ErrorCode};
use std::time::Duration;

/// How long one waits for another that has the file.
pub const BUSY: Duration = Duration::from_secs(30);
/// How long one that was turned away waits until it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// How often one who waits asks whether the file is free. SQLite's own waits grow to 100 ms: where the file is free for less than that
/// at a time, one who comes seldom may miss it again and again.
const ASK: Duration = Duration::from_millis(5);

/// Has a connection wait for the file for [`BUSY`], asking often enough to find it free whenever it is.
///
/// # Errors
///
/// As SQLite says them.
pub fn patient(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|asked: i32| {
        let goes_on = u128::from(asked.unsigned_abs()) < BUSY.as_millis() / ASK.as_millis();
        if goes_on {
            std::thread::sleep(ASK);
        }
        goes_on
    }))
}

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
