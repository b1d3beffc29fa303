//! Reads from the log what became of recoveries and episodes.

use super::ledger;
use super::store::Store;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::Level;
use forewarn_domain::time::UnixMs;
use forewarn_log::event::prediction::Outcome as Turned;
use forewarn_log::event::recovery::of;
use forewarn_log::row::{Episode, RecoveryRow};
use forewarn_log::{LogError, Row, Table};
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::preview::downtime::downtime_ms;
use forewarn_recovery::preview::past::{Past, PastEpisode, PastRecovery};
use forewarn_recovery::state::Phase;
use forewarn_runtime::time::parse_instant;
use std::collections::BTreeMap;

/// Recoveries of one action whose downtime is read, the newest: each is a stream of its own.
const TIMED: usize = 20;

/// Reads what is over.
///
/// # Errors
/// When the log fails.
pub fn read(store: &dyn Store) -> Result<Past, LogError> {
    let mut rows: Vec<Box<RecoveryRow>> = Vec::new();
    for row in store.rows(Table::Recoveries)? {
        if let Row::Recovery(row) = row {
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| b.opened_at.cmp(&a.opened_at));
    let mut past = Past::default();
    let mut timed: BTreeMap<RecoveryAction, usize> = BTreeMap::new();
    for row in &rows {
        let Some((action, outcome)) = ended(row) else { continue };
        let read = timed.entry(action).or_default();
        let mut downtime_ms = None;
        if outcome == Outcome::Recovered && *read < TIMED {
            *read += 1;
            downtime_ms = down(store, &row.recovery_id)?;
        }
        past.recoveries.push(PastRecovery { action, outcome, downtime_ms });
    }
    for row in store.rows(Table::Episodes)? {
        if let Row::Episode(row) = row {
            past.episodes.extend(turned_out(&row));
        }
    }
    Ok(past)
}

/// Gives what a recovery did and how it ended, if it is over and an executor ever had it.
fn ended(row: &RecoveryRow) -> Option<(RecoveryAction, Outcome)> {
    let Phase::Closed { outcome } = row.state.phase else { return None };
    let action = row.state.plan.as_ref()?.action;
    (row.state.epoch() > 0 && row.illegal.is_none()).then_some((action, outcome))
}

fn down(store: &dyn Store, id: &str) -> Result<Option<i64>, LogError> {
    let mut events: Vec<(UnixMs, RecoveryEvent)> = Vec::new();
    for entry in ledger::events(store, id)? {
        let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
        if let (Ok(at), Some((_, _, event))) = (parse_instant(&entry.envelope.time, None), of(&event)) {
            events.push((UnixMs(at), event.clone()));
        }
    }
    Ok(downtime_ms(events.iter().map(|(at, event)| (*at, event))))
}

fn turned_out(row: &Episode) -> Option<PastEpisode> {
    let came = match row.outcome? {
        Turned::Hit => Some(true),
        Turned::False => Some(false),
        Turned::Missed | Turned::Censored | Turned::Gone => None,
    };
    let failure_type = row.failure_type.filter(|_| row.peak == Some(Level::High))?;
    Some(PastEpisode { failure_type, came })
}
