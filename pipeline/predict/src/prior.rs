//! Finds what is known of how often the fleet fails, and writes down the prior that a round started from.

use crate::episode_events::EpisodeError;
use forewarn_domain::id::event_id;
use forewarn_domain::prior::Prior;
use forewarn_history::{History, HistoryError, IncidentRow};
use forewarn_log::event::prior::Estimated;
use forewarn_log::{AppendError, Event, EventLog, Expected, LogError, NewEvent, Recorded};
use forewarn_rules::prior::{FleetRecord, PriorFrom};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::time::format_ms;

/// Why a prior could not be found or written down.
#[derive(Debug, thiserror::Error)]
pub enum PriorError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Its time can't be written.
    #[error(transparent)]
    Time(#[from] EpisodeError),
}

/// The incidents that a history knows of, and the instances that were there.
#[derive(Debug, Clone, Default)]
pub struct KnownIncidents {
    /// From when on they are known, where any is.
    since: Option<i64>,
    record: FleetRecord,
}

impl KnownIncidents {
    /// Reads which instances were there for rounds in `[from, to]`, milliseconds; `incidents` are those of this time and of the time that is
    /// looked back over. That there was none is known too, where the history knows of any before.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn of(history: &History, incidents: &[IncidentRow], from: i64, to: i64) -> Result<Self, HistoryError> {
        let Some(since) = history.incidents_since()?.map(FleetRecord::since).filter(|since| *since <= to) else {
            return Ok(Self::default());
        };
        let days = history.instances_by_day(FleetRecord::reach(from), to)?;
        let record = FleetRecord::new(&days, incidents.iter().map(|i| (i.instance_id.as_str(), i.ts)), since);
        Ok(Self { since: Some(since), record })
    }

    /// Reads what a history knows at one time.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn read(history: &History, as_of: i64) -> Result<Self, HistoryError> {
        let incidents = history.incidents_in(FleetRecord::reach(as_of)..as_of.saturating_add(1))?;
        Self::of(history, &incidents, as_of, as_of)
    }

    /// Gives where the prior of a round comes from: a round that was made before starts from what it started from; else the incidents that
    /// are known by then tell, and where none is the evidence.
    ///
    /// # Errors
    /// When the log does not read.
    pub fn prior(&self, log: Option<&dyn EventLog>, ruleset: &RuleSet, as_of: i64) -> Result<PriorFrom, PriorError> {
        if let Some(before) = log.map(|log| written(log, ruleset, as_of)).transpose()?.flatten() {
            return Ok(PriorFrom::Given(before));
        }
        let is_known = self.since.is_some_and(|since| since <= as_of);
        Ok(if is_known { PriorFrom::Record(self.record.clone()) } else { PriorFrom::Evidence })
    }
}

/// Reads what the round of a time started from, where it was written down.
fn written(log: &dyn EventLog, ruleset: &RuleSet, as_of: i64) -> Result<Option<Prior>, PriorError> {
    let (stream, time) = (stream(ruleset), format_ms(as_of));
    let length = log.length(&stream)?;
    let last = if length == 0 { Vec::new() } else { log.read(&stream, length, 1)? };
    let is_of_it = |e: &Estimated| e.as_of == time && e.ruleset.sha256 == ruleset.sha256();
    let Some(newest) = last.first().map(estimated).transpose()?.flatten() else { return Ok(None) };
    // Rounds come in the order of their times, but for one that is made again. Such times are as long as one another, and sort as text.
    if is_of_it(&newest) || newest.as_of < time {
        return Ok(Some(newest).filter(is_of_it).map(|e| e.prior));
    }
    let all = log.read(&stream, 1, usize::MAX)?;
    let found: Result<Vec<Option<Estimated>>, LogError> = all.iter().map(estimated).collect();
    Ok(found?.into_iter().flatten().find(is_of_it).map(|e| e.prior))
}

fn estimated(entry: &Recorded) -> Result<Option<Estimated>, LogError> {
    let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
    Ok(if let Event::PriorEstimated(estimated) = event { Some(estimated) } else { None })
}

/// Writes down what a round started from, before its predictions; doing it again changes nothing.
///
/// # Errors
/// When the log fails.
pub fn write(log: &dyn EventLog, ruleset: &RuleSet, as_of: i64, prior: &Prior) -> Result<(), PriorError> {
    let time = format_ms(as_of);
    let event =
        Event::PriorEstimated(Estimated { as_of: time.clone(), ruleset: ruleset.reference(), prior: prior.clone() });
    let id = event_id(event.type_(), &[&time, ruleset.sha256(), &prior.prior_id]);
    let at = time.parse().map_err(|source| EpisodeError::Time { id: id.clone(), as_of: time.clone(), source })?;
    log.append(&stream(ruleset), Expected::Any, &[NewEvent::new(id, ruleset.name(), at, event)])?;
    Ok(())
}

fn stream(ruleset: &RuleSet) -> String {
    format!("prior/{}", ruleset.name())
}
