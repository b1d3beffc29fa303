//! Opens the SQLite files of the stream: marked as ours, versioned, and safe to open from several processes at once.

use crate::stream::port::StreamError;
use forewarn_runtime::sqlite::{BUSY, write_ahead};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// The version of the tables in these files.
const SCHEMA_VERSION: i32 = 1;
/// Records are some kilobytes: with pages of this size few of them are spread over more than two.
const PAGE_BYTES: i32 = 16_384;

/// One kind of file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What marks the file.
    pub(crate) application_id: i32,
    /// Its tables.
    pub(crate) schema: &'static [&'static str],
}

/// Wraps a SQLite error, saying of which file it is and what was tried.
pub(crate) fn failed<'a>(path: &'a str, doing: &'a str) -> impl Fn(rusqlite::Error) -> StreamError + 'a {
    move |source| StreamError::unavailable(path, doing, source)
}

/// Opens a file, making it where there is none; nothing is changed in a file that is not ours.
pub(crate) fn open(path: &Path, kind: Kind) -> Result<Connection, StreamError> {
    let shown = path.display().to_string();
    let fail = |doing| failed(&shown, doing);
    if let Some(dir) = path.parent() {
        let wrap = |e| StreamError::unavailable(&shown, "make its directory", e);
        std::fs::create_dir_all(dir).map_err(|e: std::io::Error| wrap(e))?;
    }
    let mut connection = Connection::open(path).map_err(fail("open the file"))?;
    connection.busy_timeout(BUSY).map_err(fail("set the time to wait"))?;
    if identity(&connection, &shown)? == (0, 0) {
        // Means something only while the file is empty.
        connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(fail("set the size of pages"))?;
        create(&mut connection, &shown, kind)?;
    }
    let (application, version) = identity(&connection, &shown)?;
    if application != kind.application_id {
        return Err(foreign(&shown));
    }
    if version > SCHEMA_VERSION {
        let what = format!("made by a newer forewarn (tables {version}, known {SCHEMA_VERSION}); upgrade forewarn");
        return Err(StreamError::Foreign { path: shown, what });
    }
    write_ahead(&connection).map_err(fail("switch to write-ahead logging"))?;
    // A commit is on the disk when it returns: a put outlives the process, and the machine's power too.
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail("set synchronous=FULL"))?;
    Ok(connection)
}

fn foreign(path: &str) -> StreamError {
    let what = "this SQLite file belongs to another program; give another --state".to_owned();
    StreamError::Foreign { path: path.to_owned(), what }
}

fn identity(connection: &Connection, path: &str) -> Result<(i32, i32), StreamError> {
    let read = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let not_ours = |e: rusqlite::Error| {
        if e.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
            return StreamError::Foreign { path: path.to_owned(), what: "this is not a SQLite file".to_owned() };
        }
        failed(path, "read the file's identity")(e)
    };
    Ok((read("application_id").map_err(not_ours)?, read("user_version").map_err(not_ours)?))
}

fn create(connection: &mut Connection, path: &str, kind: Kind) -> Result<(), StreamError> {
    let fail = failed(path, "make the file");
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
    // Another process may have made it while this one waited.
    if identity(&tx, path)? == (0, 0) {
        let others: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&fail)?;
        if others > 0 {
            return Err(foreign(path));
        }
        kind.schema.iter().try_for_each(|sql| tx.execute_batch(sql)).map_err(&fail)?;
        tx.pragma_update(None, "application_id", kind.application_id).map_err(&fail)?;
        tx.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(&fail)?;
    }
    tx.commit().map_err(&fail)
}
