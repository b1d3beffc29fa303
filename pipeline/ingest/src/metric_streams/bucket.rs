//! Takes what Firehose delivers below a prefix of a bucket, object by object, each once.

use super::cursor::{self, Cursor, LOOK_BACK_MS};
use super::take::{ObjectError, ObjectName, PART, Taking};
use crate::stream::StreamError;
use forewarn_history::{HistoryError, Objects};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::failpoint;
use forewarn_runtime::place::StatePlace;
use std::io::ErrorKind;

/// Objects listed at a time.
const PAGE: usize = 1000;
/// Objects that may fail to be read before the others are left for the next turn.
const MOST_FAILED: usize = 3;
/// Objects that may be remembered: more come only where keys are not in the order of time.
const MOST_REMEMBERED: u64 = 500_000;

/// Explains why a prefix was not taken to its end; the next turn goes on.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The bucket does not answer or refuses.
    #[error(transparent)]
    Bucket(#[from] HistoryError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Cursor(#[from] StreamError),
    /// Keys are not in the order of time.
    #[error(
        "{prefix}: {objects} objects of {hours} hours have to be remembered, because their keys are not in the order of time; name the prefix of each \
         delivery stream instead"
    )]
    Unordered { prefix: String, objects: u64, hours: i64 },
}

/// A prefix with what is remembered of it.
pub type Source = (Objects, Box<dyn Cursor>);

/// Opens prefixes such as `s3://bucket/prefix`.
///
/// # Errors
/// When one is none, or a cursor can't be read.
pub fn open_all(prefixes: &[String], state: &StatePlace) -> Result<Vec<Source>, BucketError> {
    prefixes.iter().map(|prefix| Ok((Objects::open(prefix)?, cursor::open(state, prefix)?))).collect()
}

/// Takes what is new below each prefix, object by object; one that fails holds up no other.
///
/// # Errors
/// The first of the failures.
pub fn take_all(
    sources: &mut [Source],
    from_ms: Option<i64>,
    taking: &mut Taking<'_>,
    ctx: &RuntimeContext,
) -> Result<(), BucketError> {
    let (mut failed, mut newest) = (None, Vec::new());
    for (objects, cursor) in sources {
        match take_new(objects, cursor.as_mut(), from_ms, taking, ctx) {
            Ok(()) => {}
            Err(e) => failed = failed.or(Some(e)),
        }
        newest.extend(cursor.remembered()?.1);
    }
    // All of it is as far behind as the prefix that is furthest behind.
    if let Some(oldest) = newest.into_iter().min() {
        ctx.metrics.dealt_with(PART, oldest);
    }
    failed.map_or(Ok(()), Err)
}

/// Takes every object below the prefix that was not taken before and was not written before `from_ms`, the first keys first; ends early,
/// between two objects, when it is interrupted.
///
/// # Errors
/// When bucket, stream, dead letters or cursor fail; what was taken until then is remembered.
fn take_new(
    objects: &Objects,
    cursor: &mut dyn Cursor,
    from_ms: Option<i64>,
    taking: &mut Taking<'_>,
    ctx: &RuntimeContext,
) -> Result<(), BucketError> {
    let mut after = cursor.floor()?;
    let mut failed = Vec::new();
    loop {
        let page = objects.after(after.as_deref(), PAGE)?;
        for object in &page {
            if ctx.stop.is_raised() {
                return Ok(());
            }
            let Some(ingested_at) = cursor.begin(object, ctx.clock.now_ms())? else { continue };
            failpoint::point("metric_stream.begun");
            if from_ms.is_none_or(|from| object.modified_ms >= from) {
                let uri = objects.uri(&object.path);
                let name = ObjectName { uri: &uri, bytes: object.size, etag: object.etag.as_deref() };
                match taking.take(name, objects.read(object), ingested_at) {
                    Ok(()) => {}
                    Err(ObjectError::Fetch { uri, source }) if source.kind() == ErrorKind::NotFound => {
                        tracing::warn!(uri, "an object was deleted before it was taken");
                    }
                    // One that is refused holds nobody up; where all are, it is the bucket.
                    Err(e @ ObjectError::Fetch { .. }) if failed.len() < MOST_FAILED => {
                        failed.push(e);
                        continue;
                    }
                    Err(e) => return Err(e.into()),
                }
            }
            failpoint::point("metric_stream.put");
            cursor.taken(&object.path)?;
            failpoint::point("metric_stream.taken");
        }
        cursor.raise()?;
        failpoint::point("metric_stream.raised");
        let Some(last) = page.last().filter(|_| page.len() == PAGE) else { break };
        after = Some(last.path.clone());
    }
    if failed.is_empty() {
        cursor.forget_begun()?;
    }
    let (remembered, _) = cursor.remembered()?;
    if remembered > MOST_REMEMBERED {
        let (prefix, hours) = (objects.uri(""), LOOK_BACK_MS / 3_600_000);
        return Err(BucketError::Unordered { prefix, objects: remembered, hours });
    }
    failed.into_iter().next().map_or(Ok(()), |e| Err(e.into()))
}
