//! How far a prefix was taken, in cells: `taken/PREFIX` has the path up to which everything was taken, `objects/PREFIX` the objects that
//! are remembered one by one.

use super::{Cursor, LOOK_BACK_MS};
use crate::stream::StreamError;
use forewarn_history::ObjectSeen;
use forewarn_runtime::cells::map::{CellMap, MapError};
use forewarn_runtime::cells::{CellError, Cells, update};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How far one prefix was taken.
#[derive(Debug)]
pub(super) struct CellCursor {
    cells: Arc<dyn Cells>,
    prefix: String,
    floor: Option<String>,
    objects: CellMap<Object>,
}

/// An object that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Object {
    etag: Option<String>,
    modified_ms: i64,
    ingested_at: i64,
    taken: bool,
}

fn failed(prefix: &str, doing: &'static str) -> impl Fn(MapError) -> StreamError {
    let prefix = prefix.to_owned();
    move |e| StreamError::unavailable(&prefix, doing, e)
}

impl CellCursor {
    /// Reads the cursor of a prefix.
    pub(super) fn open(cells: Arc<dyn Cells>, prefix: &str) -> Result<Self, StreamError> {
        let read = failed(prefix, "read how far it was taken");
        let objects = CellMap::read(Arc::clone(&cells), &format!("objects/{prefix}")).map_err(|e| read(e.into()))?;
        let mut cursor = Self { cells, prefix: prefix.to_owned(), floor: None, objects };
        let floor = cursor.cells.get(&cursor.floor_name()).map_err(|e| read(e.into()))?;
        cursor.floor = floor.map(|cell| cell.text);
        Ok(cursor)
    }

    fn floor_name(&self) -> String {
        format!("taken/{}", self.prefix)
    }
}

impl Cursor for CellCursor {
    fn floor(&self) -> Result<Option<String>, StreamError> {
        Ok(self.floor.clone())
    }

    fn begin(&mut self, object: &ObjectSeen, now_ms: i64) -> Result<Option<i64>, StreamError> {
        if let Some(known) = self.objects.get(&object.path).filter(|known| known.etag == object.etag) {
            return Ok((!known.taken).then_some(known.ingested_at));
        }
        let ObjectSeen { path, etag, modified_ms, size: _ } = object.clone();
        let begun = Object { etag, modified_ms, ingested_at: now_ms, taken: false };
        self.objects.insert([(path, begun)]).map_err(failed(&self.prefix, "note that an object is taken"))?;
        Ok(Some(now_ms))
    }

    fn taken(&mut self, path: &str) -> Result<(), StreamError> {
        let Some(object) = self.objects.get(path).cloned() else { return Ok(()) };
        let taken = [(path.to_owned(), Object { taken: true, ..object })];
        self.objects.insert(taken).map_err(failed(&self.prefix, "note that an object was taken"))
    }

    fn raise(&mut self) -> Result<(), StreamError> {
        let newest = self.objects.iter().map(|(_, object)| object.modified_ms).max().unwrap_or(i64::MIN);
        let is_needed = |object: &Object| !object.taken || object.modified_ms >= newest.saturating_sub(LOOK_BACK_MS);
        // The first that has to be remembered: what lies before it is known by the floor.
        let first = self.objects.iter().filter(|(_, object)| is_needed(object)).map(|(path, _)| path).min();
        let before = self.objects.iter().map(|(path, _)| path).filter(|path| first.is_some_and(|first| *path < first));
        let Some(floor) = before.max().cloned() else { return Ok(()) };
        let failed = failed(&self.prefix, "move on");
        let raise = |there: Option<&str>| -> Result<Option<String>, CellError> {
            Ok(there.is_none_or(|there| there < floor.as_str()).then(|| floor.clone()))
        };
        update(self.cells.as_ref(), &self.floor_name(), raise).map_err(|e| failed(e.into()))?;
        self.objects.retain(|path, _| path > floor.as_str()).map_err(failed)?;
        self.floor = Some(floor);
        Ok(())
    }

    fn forget_begun(&mut self) -> Result<(), StreamError> {
        self.objects.retain(|_, object| object.taken).map_err(failed(&self.prefix, "forget objects that are gone"))
    }

    fn remembered(&self) -> Result<(u64, Option<i64>), StreamError> {
        let newest = self.objects.iter().map(|(_, object)| object.modified_ms).max();
        Ok((self.objects.iter().count() as u64, newest))
    }
}
