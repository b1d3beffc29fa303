//! Joins predictions into episodes: announced once, updated on a change of level, cleared with hysteresis.
//!
//! Pure: `step(state, prediction) -> (state, events)`. The level of an episode rises at once. It falls only after the
//! probabilities have stayed below the level's threshold times `clear_below` for `clear_after` consecutive hours, to the
//! highest level seen meanwhile; at `none` the episode is cleared. Unassessable hours are no sign of health: they neither
//! open nor clear, and don't count towards the hours. A prediction that a declared change holds back neither opens nor raises.

use crate::id::digest;
use crate::levels::Levels;
use crate::prediction::{Level, Prediction, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest gap between two quiet predictions that still counts as quiet, in hours.
const MAX_GAP_HOURS: f64 = 6.0;

/// Where an instance's episodes stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EpisodeState {
    /// The open episode.
    pub open: Option<OpenEpisode>,
    /// The newest prediction seen.
    pub last: Option<LastSeen>,
}

/// An episode that has not been cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpenEpisode {
    /// Deterministic in instance, first `as_of` and rule set name.
    pub episode_id: String,
    /// The first `as_of` (RFC 3339).
    pub since: String,
    /// The level that was last announced.
    pub level: Level,
    /// Predictions so far, from 1.
    pub sequence: u32,
    /// Consecutive hours spent below the level.
    pub hours_below: f64,
    /// The highest level held during those hours; None while not below.
    pub held: Option<Level>,
}

/// What was said of the newest prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastSeen {
    /// Its `as_of` (RFC 3339).
    pub as_of: String,
    /// Its id.
    pub prediction_id: String,
    /// The episode it belonged to.
    pub episode_id: Option<String>,
    /// Its place in the episode.
    pub sequence: u32,
    /// Where the episode stood.
    pub status: Status,
    /// True when it was assessed.
    pub assessed: bool,
}

/// What happened to an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeChange {
    /// It began.
    Opened,
    /// Its level changed.
    Updated,
    /// It is over.
    Cleared,
}

/// Something to announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EpisodeEvent {
    /// What happened.
    pub change: EpisodeChange,
    /// The episode.
    pub episode_id: String,
    /// The instance.
    pub instance_id: String,
    /// The prediction that made it happen.
    pub prediction_id: String,
    /// When (RFC 3339).
    pub as_of: String,
    /// The level before.
    pub from: Level,
    /// The level from now on.
    pub to: Level,
}

/// Says why a prediction can't be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpisodeError {
    /// A time is not RFC 3339.
    #[error("`{0}` is not an RFC 3339 time")]
    Time(String),
}

/// Takes up one prediction. One that isn't newer than the last seen changes nothing, so that repeating is harmless.
///
/// # Errors
/// When a time in the state or the prediction can't be read.
pub fn step(
    state: &EpisodeState,
    prediction: &Prediction,
    levels: &Levels,
) -> Result<(EpisodeState, Vec<EpisodeEvent>), EpisodeError> {
    let now = time(&prediction.as_of)?;
    let elapsed = match &state.last {
        None => None,
        Some(last) => {
            let before = time(&last.as_of)?;
            if now <= before {
                return Ok((state.clone(), Vec::new()));
            }
            Some(now.duration_since(before).as_secs_f64() / 3600.0)
        }
    };
    let quiet_hours = elapsed.filter(|_| state.last.as_ref().is_some_and(|l| l.assessed)).unwrap_or(0.0);
    let mut open = state.open.clone();
    let mut change = None;
    if let Some(episode) = &mut open {
        episode.sequence += 1;
        let from = episode.level;
        if let Some(p) = known(prediction) {
            let level = prediction.confidence;
            let level = if prediction.held_until.is_some() { level.min(from) } else { level };
            episode.advance(level, levels.held(&p), quiet_hours.min(MAX_GAP_HOURS), levels.clear_after);
        }
        change = (episode.level != from).then_some((from, episode.level));
    } else if prediction.held_until.is_none() && prediction.confidence.is_at_risk() {
        open = Some(OpenEpisode {
            episode_id: digest(&[&prediction.instance_id, &prediction.as_of, &prediction.ruleset.name]),
            since: prediction.as_of.clone(),
            level: prediction.confidence,
            sequence: 1,
            hours_below: 0.0,
            held: None,
        });
        change = Some((Level::None, prediction.confidence));
    }
    let (events, status) = announce(prediction, open.as_ref(), change);
    let last = LastSeen {
        as_of: prediction.as_of.clone(),
        prediction_id: prediction.prediction_id.clone(),
        episode_id: open.as_ref().map(|e| e.episode_id.clone()),
        sequence: open.as_ref().map_or(0, |e| e.sequence),
        status,
        assessed: prediction.confidence != Level::Unassessable,
    };
    Ok((EpisodeState { open: open.filter(|e| e.level != Level::None), last: Some(last) }, events))
}

impl OpenEpisode {
    fn advance(&mut self, level: Level, held: Level, quiet_hours: f64, clear_after: f64) {
        if level > self.level {
            self.level = level;
        }
        if level >= self.level || held >= self.level {
            (self.hours_below, self.held) = (0.0, None);
            return;
        }
        // The first prediction below the level begins the count; those that follow add the time between.
        self.hours_below = if self.held.is_some() { self.hours_below + quiet_hours } else { 0.0 };
        let reached = self.held.unwrap_or(Level::None).max(held);
        self.held = Some(reached);
        if self.hours_below >= clear_after {
            (self.level, self.hours_below, self.held) = (reached, 0.0, None);
        }
    }
}

impl EpisodeState {
    /// Writes episode, sequence and status into the prediction that was taken up last; leaves any other alone.
    pub fn stamp(&self, prediction: &mut Prediction) {
        if let Some(last) = self.last.as_ref().filter(|l| l.prediction_id == prediction.prediction_id) {
            prediction.episode_id.clone_from(&last.episode_id);
            prediction.sequence = last.sequence;
            prediction.status = last.status;
        }
    }
}

fn announce(
    prediction: &Prediction,
    open: Option<&OpenEpisode>,
    change: Option<(Level, Level)>,
) -> (Vec<EpisodeEvent>, Status) {
    let Some(episode) = open else {
        let pending = prediction.held_until.is_some() && prediction.confidence.is_at_risk();
        return (Vec::new(), if pending { Status::Pending } else { Status::Quiet });
    };
    let Some((from, to)) = change else { return (Vec::new(), Status::Ongoing) };
    let (change, status) = match (from, to) {
        (Level::None, _) => (EpisodeChange::Opened, Status::New),
        (_, Level::None) => (EpisodeChange::Cleared, Status::Cleared),
        _ => (EpisodeChange::Updated, Status::Changed),
    };
    let event = EpisodeEvent {
        change,
        episode_id: episode.episode_id.clone(),
        instance_id: prediction.instance_id.clone(),
        prediction_id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        from,
        to,
    };
    (vec![event], status)
}

fn known(p: &Prediction) -> Option<[f64; 3]> {
    Some([p.probability.h24?, p.probability.h72?, p.probability.h168?])
}

fn time(text: &str) -> Result<Timestamp, EpisodeError> {
    text.parse().map_err(|_| EpisodeError::Time(text.to_owned()))
}
