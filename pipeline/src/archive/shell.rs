//! Opens everything that the archive needs, and takes what is waiting.

use super::{Archive, ArchiveError, ArchiveReport, SetAside};
use crate::announce::log_path;
use crate::history::History;
use crate::lease::Lease;
use crate::log::SqliteLog;
use crate::stream::{StreamSpec, Surroundings, open};
use std::path::Path;

/// The consumer of the stream that the archive is, and the part of the work that a lease is taken for.
const NAME: &str = "archive";

/// Takes everything that waits in a stream into the history at a location, and says how far behind it is then.
///
/// # Errors
/// When another process archives with this state, or stream, history or log fail.
pub fn drain(
    history: &str,
    state: &Path,
    stream: &StreamSpec,
    around: &Surroundings,
) -> Result<ArchiveReport, ArchiveError> {
    let _lease = Lease::take(state, NAME)?;
    let log = SqliteLog::open(&log_path(state))?;
    let mut history = History::open_or_create(history)?;
    let mut consumer = open::consumer(stream, NAME, state, around)?;
    let (aside, vitals, now_ms) = (SetAside::of(state), &around.vitals, around.clock.now_ms());
    let mut archive = Archive { history: &mut history, log: &log, aside: &aside, vitals, now_ms };
    let report = archive.drain(consumer.as_mut(), &around.stop)?;
    vitals.lag(NAME, consumer.lag()?.millis.unwrap_or(0));
    Ok(report)
}
