//! Finds what is known of how often the fleet fails, and writes down the prior that a round started from.

use crate::episode_events::EpisodeError;
use forewarn_domain::id::event_id;
use forewarn_domain::prior::Prior;
use forewarn_history::{History, HistoryError, IncidentRow};
use forewarn_log::event::prior::Estimated;
use forewarn_log::{AppendError, Event, EventLog, Expected, LogError, NewEvent};
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
    /// When the first of them was, where there is one.
    first: Option<i64>,
    record: FleetRecord,
}

impl KnownIncidents {
    /// Reads which instances were there for rounds in `[from, to]`, milliseconds, where there are any incidents in the time that is looked
    /// back over.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn of(history: &History, incidents: &[IncidentRow], from: i64, to: i64) -> Result<Self, HistoryError> {
        let reach = FleetRecord::reach(from);
        let within = incidents.iter().filter(|i| (reach..=to).contains(&i.ts));
        let Some(first) = within.clone().map(|i| i.ts).min() else { return Ok(Self::default()) };
        // Since when they are looked for is not told, so that the first one is the beginning, and does not count.
        let since = first.saturating_add(1);
        let days = history.instances_by_day(reach, to)?;
        let record = FleetRecord::new(&days, within.map(|i| (i.instance_id.as_str(), i.ts)), since);
        Ok(Self { first: Some(first), record })
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
    /// are known by then tell, and where there are none the evidence.
    ///
    /// # Errors
    /// When the log does not read.
    pub fn prior(&self, log: Option<&dyn EventLog>, ruleset: &RuleSet, as_of: i64) -> Result<PriorFrom, PriorError> {
        if let Some(log) = log
            && let Some(before) = last(log, ruleset)?
            && before.as_of == format_ms(as_of)
            && before.ruleset.sha256 == ruleset.sha256()
        {
            return Ok(PriorFrom::Given(before.prior));
        }
        let is_known = self.first.is_some_and(|first| first <= as_of);
        Ok(if is_known { PriorFrom::Record(self.record.clone()) } else { PriorFrom::Evidence })
    }
}

/// Reads what the last round that was written down started from.
fn last(log: &dyn EventLog, ruleset: &RuleSet) -> Result<Option<Estimated>, PriorError> {
    let stream = stream(ruleset);
    let entries = match log.length(&stream)? {
        0 => Vec::new(),
        length => log.read(&stream, length, 1)?,
    };
    let Some(entry) = entries.first() else { return Ok(None) };
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
