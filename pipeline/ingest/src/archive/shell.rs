//! Opens what the archive needs of stream and history, and takes what is waiting.

use super::{Archive, ArchiveError, ArchiveReport, SetAside};
use crate::stream::{Consumer, StreamError, StreamSpec, open};
use forewarn_history::History;
use forewarn_log::StateLog;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::Leases;
use forewarn_runtime::place::StatePlace;
use std::collections::BTreeSet;

/// The consumer of the stream that the archive is, and the part of the work that a lease is taken for.
pub const PART: &str = "archive";

/// What to do where the stream no longer keeps what follows the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gap {
    /// Stops and says so: nothing is skipped unless somebody says that it may be.
    #[default]
    Stop,
    /// Goes on with the oldest record that is kept.
    Pass,
}

/// What the archive keeps beside the history.
#[derive(Debug)]
pub struct ArchiveState<'a> {
    /// Where the right to archive is taken.
    pub leases: &'a Leases,
    /// The event log.
    pub log: &'a dyn StateLog,
    /// Where records go that can't be read.
    pub aside: &'a SetAside,
    /// Where checkpoints and intents are.
    pub checkpoints: StatePlace,
}

/// Takes everything that waits in a stream into the history at a location, and says how far behind it is then.
///
/// # Errors
/// When another process archives with this state, or stream, history or log fail.
pub fn drain(
    history: &str,
    state: &ArchiveState<'_>,
    stream: &StreamSpec,
    gap: Gap,
    ctx: &RuntimeContext,
) -> Result<ArchiveReport, ArchiveError> {
    let lease = state.leases.take(PART)?;
    let mut history = History::open_or_create(history)?;
    let mut consumer = open::consumer(stream, PART, &state.checkpoints, ctx)?;
    let (metrics, now_ms) = (&ctx.metrics, ctx.clock.now_ms());
    let (log, aside) = (state.log, state.aside);
    let mut archive = Archive { history: &mut history, log, aside, metrics, now_ms, lease: Some(&lease) };
    let mut passed = BTreeSet::new();
    let report = loop {
        match archive.drain(consumer.as_mut(), &ctx.stop) {
            Err(e) if gap == Gap::Pass && pass(&e, consumer.as_ref(), &mut passed)? => {
                consumer = open::consumer(stream, PART, &state.checkpoints, ctx)?;
            }
            other => break other?,
        }
    };
    // As of the last look at the stream: what came since is the next drain's.
    let behind_ms = consumer.lag()?.millis.unwrap_or(0);
    metrics.dealt_with(PART, ctx.clock.now_ms() - behind_ms);
    if report.records > 0 || report.redone > 0 {
        metrics.success(PART, ctx.clock.now_ms());
    }
    Ok(report)
}

/// Forgets how far a shard was read whose records are gone, once; says whether it did.
fn pass(error: &ArchiveError, consumer: &dyn Consumer, passed: &mut BTreeSet<String>) -> Result<bool, StreamError> {
    let (ArchiveError::Stream(StreamError::Lost { shard, .. }) | ArchiveError::Changed { shard, .. }) = error else {
        return Ok(false);
    };
    if !passed.insert(shard.clone()) {
        return Ok(false);
    }
    tracing::warn!(%error, shard, "going on with the oldest record that is kept");
    consumer.checkpoints().forget(shard)?;
    Ok(true)
}
