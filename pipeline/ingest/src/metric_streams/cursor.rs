//! Remembers which objects below a prefix were taken: in `STATE/metric-streams.sqlite`, or in cells.
//!
//! Firehose names objects by the time at which their first record arrived, and tries to deliver for 24 hours: a key may appear below
//! ones that were taken. So the objects of the last [`LOOK_BACK_MS`] are remembered one by one, and everything up to a floor below
//! them counts as taken. What is remembered is bounded by what is delivered in that time, however long the prefix is followed.

mod cell;
mod file;

use crate::stream::StreamError;
use cell::CellCursor;
use file::FileCursor;
use forewarn_history::ObjectSeen;
use forewarn_runtime::place::StatePlace;
use std::sync::Arc;

/// How long after others an object may appear below them and still be taken, milliseconds.
pub const LOOK_BACK_MS: i64 = 25 * 3_600_000;

/// How far one prefix was taken; what is noted is durable when the call returns. One process at a time takes a prefix.
pub trait Cursor: Send + std::fmt::Debug {
    /// Gives the path up to which everything was taken.
    ///
    /// # Errors
    /// When it cannot be read.
    fn floor(&self) -> Result<Option<String>, StreamError>;

    /// Notes that an object is about to be taken, and gives the time at which it counts as arrived: `now_ms`, or the time that was noted
    /// before where a crash cut its taking short. None where it was taken.
    ///
    /// # Errors
    /// When it cannot be written.
    fn begin(&mut self, object: &ObjectSeen, now_ms: i64) -> Result<Option<i64>, StreamError>;

    /// Notes that an object was taken.
    ///
    /// # Errors
    /// When it cannot be written.
    fn taken(&mut self, path: &str) -> Result<(), StreamError>;

    /// Raises the floor over the objects that no late one can come before, and forgets those.
    ///
    /// # Errors
    /// When it cannot be written.
    fn raise(&mut self) -> Result<(), StreamError>;

    /// Forgets objects whose taking was begun and which are no longer there: every one that is there has been taken.
    ///
    /// # Errors
    /// When it cannot be written.
    fn forget_begun(&mut self) -> Result<(), StreamError>;

    /// Counts the objects that are remembered one by one, and gives when the newest of them was written.
    ///
    /// # Errors
    /// When it cannot be read.
    fn remembered(&self) -> Result<(u64, Option<i64>), StreamError>;
}

/// Opens the cursor of a prefix in a place, making a file where there is none.
///
/// # Errors
/// When it cannot be opened or read, is another program's, or was made by a newer forewarn.
pub fn open(place: &StatePlace, prefix: &str) -> Result<Box<dyn Cursor>, StreamError> {
    let prefix = prefix.trim_end_matches('/');
    match place {
        StatePlace::Dir(dir) => Ok(Box::new(FileCursor::open(dir, prefix)?)),
        StatePlace::Cells(cells) => Ok(Box::new(CellCursor::open(Arc::clone(cells), prefix)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_runtime::cells::MemoryCells;

    const HOUR: i64 = 3_600_000;

    fn places(dir: &std::path::Path) -> [StatePlace; 2] {
        [StatePlace::from(dir), StatePlace::Cells(Arc::new(MemoryCells::default()))]
    }

    fn object(path: &str, modified_ms: i64) -> ObjectSeen {
        ObjectSeen { path: path.to_owned(), size: 1, etag: Some("e".to_owned()), modified_ms }
    }

    fn take(cursor: &mut dyn Cursor, path: &str, modified_ms: i64) -> bool {
        let begun = cursor.begin(&object(path, modified_ms), modified_ms).unwrap();
        cursor.taken(path).unwrap();
        cursor.raise().unwrap();
        begun.is_some()
    }

    #[test]
    fn an_object_is_taken_once_and_one_that_comes_late_is_taken_too() {
        let dir = tempfile::tempdir().unwrap();
        for place in &places(dir.path()) {
            let mut cursor = open(place, "s3://b/p/").unwrap();
            assert!(take(cursor.as_mut(), "01", HOUR) && take(cursor.as_mut(), "03", 3 * HOUR));
            assert!(!take(cursor.as_mut(), "03", 3 * HOUR));
            assert!(take(cursor.as_mut(), "02", 20 * HOUR), "it was delivered late");
            let mut again = open(place, "s3://b/p").unwrap();
            assert!(!take(again.as_mut(), "02", 20 * HOUR));
            let rewritten = ObjectSeen { etag: Some("f".to_owned()), ..object("02", 21 * HOUR) };
            assert_eq!(again.begin(&rewritten, 7).unwrap(), Some(7), "other bytes are another object");
            assert!(take(open(place, "s3://other").unwrap().as_mut(), "02", 20 * HOUR));
        }
    }

    #[test]
    fn what_is_remembered_stays_bounded_however_long_a_prefix_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        for place in &places(dir.path()) {
            let mut cursor = open(place, "s3://b/p").unwrap();
            for hour in 0..24 * 30 {
                assert!(take(cursor.as_mut(), &format!("{hour:04}"), hour * HOUR));
                let (remembered, _) = cursor.remembered().unwrap();
                assert!(remembered <= 27, "hour {hour}: {remembered}");
            }
            assert_eq!(cursor.floor().unwrap().as_deref(), Some("0693"));
        }
    }

    #[test]
    fn what_a_crash_cut_short_is_taken_again_as_if_at_the_same_time_and_holds_the_floor() {
        let dir = tempfile::tempdir().unwrap();
        for place in &places(dir.path()) {
            let mut cursor = open(place, "s3://b/p").unwrap();
            assert_eq!(cursor.begin(&object("01", HOUR), 5).unwrap(), Some(5));
            for hour in 2..100 {
                take(cursor.as_mut(), &format!("{hour:02}"), hour * HOUR);
            }
            assert_eq!(cursor.floor().unwrap(), None);
            assert_eq!(cursor.begin(&object("01", HOUR), 99).unwrap(), Some(5));
            cursor.taken("01").unwrap();
            cursor.raise().unwrap();
            assert_eq!(cursor.floor().unwrap().as_deref(), Some("73"));
        }
    }
}
