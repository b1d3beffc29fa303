//! Which buses announcements go to, and opening them: the same for every command that announces.

use super::Context;
use super::common::{StateArg, span};
use super::error::CliError;
use crate::state::{EMIT, State};
use forewarn_deliver::outbox::{self, Sink, SinkConfig};
use forewarn_deliver::{Deliveries, PumpReport};
use forewarn_recover::store::Store;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use forewarn_runtime::place::StatePlace;
use std::sync::Arc;

/// How old what is announced on EventBridge may be to count as news unless the setting says otherwise, milliseconds.
const STALE_AFTER_MS: i64 = 6 * 3_600_000;

/// Where announcements go beside the JSON Lines file.
#[derive(Debug, clap::Args)]
pub(super) struct BusArgs {
    /// Announces on this EventBridge bus too: a name or an ARN [default: the setting]
    #[arg(long, value_name = "BUS")]
    eventbridge: Option<String>,
    /// Announces on stdout too, one JSON object a line
    #[arg(long)]
    stdout: bool,
}

impl BusArgs {
    /// Says which buses are wanted: flags over settings. What they took is remembered in `place`.
    pub(super) fn wanted(
        &self,
        state: &StateArg,
        place: &StatePlace,
        context: &Context<'_>,
    ) -> Result<SinkConfig, CliError> {
        let live = &context.settings.live;
        let stale_after = live.stale_after.as_deref().map(span).transpose();
        Ok(SinkConfig {
            file: state.bus(context)?,
            eventbridge: self.eventbridge.clone().or_else(|| live.eventbridge.clone()),
            stdout: self.stdout,
            state: place.clone(),
            stale_after_ms: stale_after.map_err(|e| format!("stale_after: {e}"))?.unwrap_or(STALE_AFTER_MS),
        })
    }
}

/// Gives the real clock, Ctrl-C, and counters that nobody reads.
pub(super) fn system_context() -> Result<RuntimeContext, CliError> {
    Ok(RuntimeContext { clock: Arc::new(SystemClock), stop: Interrupt::listen()?, metrics: unregistered() })
}

/// Opens the buses, before anything is appended to the log.
pub(super) fn open(
    log: &dyn Store,
    wanted: &SinkConfig,
    from_start: bool,
    system_context: &RuntimeContext,
) -> Result<Vec<Sink>, CliError> {
    Ok(outbox::open(log, wanted, from_start, system_context)?)
}

/// Takes the turn and feeds the buses; where another process has it, that one feeds them.
pub(super) fn deliver(
    state: &State,
    log: &dyn Store,
    sinks: &mut [Sink],
    ctx: &RuntimeContext,
) -> Result<Deliveries, CliError> {
    match state.leases().take(EMIT) {
        Ok(_lease) => Ok(forewarn_deliver::deliver(log, sinks, &ctx.metrics)),
        Err(e) if e.is_held() => {
            tracing::info!("announcing is left to another forewarn: {e}");
            Ok(Deliveries::default())
        }
        Err(e) => Err(CliError::failed(e)),
    }
}

/// Says in the logs what each bus was told, and fails with the first that failed.
pub(super) fn report(deliveries: Deliveries) -> Result<Vec<(&'static str, PumpReport)>, CliError> {
    let fed = deliveries.checked()?;
    for (bus, report) in &fed {
        tracing::info!(bus, sent = report.sent, skipped = report.skipped, position = report.position, "announced");
    }
    Ok(fed)
}
