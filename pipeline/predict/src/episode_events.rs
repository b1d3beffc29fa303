//! Writes the life of an episode into the log, once.

use forewarn_domain::episode::EpisodeChange;
use forewarn_domain::id::event_id;
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_log::event::prediction::{Cleared, Opened, Updated};
use forewarn_log::{AppendError, Event, EventLog, Expected, LogError, NewEvent};

/// What happened to an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpisodeEvent {
    /// None was open before.
    Opened,
    /// Its level changed.
    Updated {
        /// The level before.
        previous: Level,
    },
    /// Its trouble is over.
    Cleared {
        /// The level before.
        previous: Level,
    },
}

/// Explains why an episode's event was not written.
#[derive(Debug, thiserror::Error)]
pub enum EpisodeError {
    /// The prediction belongs to no episode.
    #[error("prediction {0} belongs to no episode, so there is nothing to announce")]
    NoEpisode(String),
    /// The level did not change.
    #[error("prediction {0} has the level of the one before it, so there is nothing to update")]
    SameLevel(String),
    /// The episode was never announced.
    #[error("episode {0} was never opened in the log, so it can't be updated or cleared")]
    NeverOpened(String),
    /// The episode is over.
    #[error("episode {0} is cleared; a new trouble is a new episode")]
    AlreadyCleared(String),
    /// The prediction's time is not one.
    #[error("as_of {as_of:?} of prediction {id} is not RFC 3339")]
    Time {
        /// The prediction.
        id: String,
        /// What it says.
        as_of: String,
        /// Why it is not.
        #[source]
        source: jiff::Error,
    },
    /// The log refused.
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Gives the stream of an episode.
pub fn stream_of(episode_id: &str) -> String {
    format!("episode/{episode_id}")
}

impl EpisodeEvent {
    /// Takes over what a round decided.
    pub fn of(event: &forewarn_domain::episode::EpisodeEvent) -> Self {
        match event.change {
            EpisodeChange::Opened => Self::Opened,
            EpisodeChange::Updated => Self::Updated { previous: event.from },
            EpisodeChange::Cleared => Self::Cleared { previous: event.from },
        }
    }

    /// Makes the event of the log.
    fn with(self, prediction: &Prediction) -> Event {
        let prediction = Box::new(prediction.clone());
        match self {
            Self::Opened => Event::PredictionMade(Opened { prediction }),
            Self::Updated { previous } => Event::PredictionUpdated(Updated { previous, prediction }),
            Self::Cleared { previous } => Event::PredictionCleared(Cleared { previous, prediction }),
        }
    }
}

/// Appends what happened to the prediction's episode, in one append, and gives what is new.
///
/// Ids are deterministic: an episode opens once and clears once, and is updated once by a prediction, however often
/// this is called. A repeated call changes nothing.
///
/// # Errors
/// When the prediction and an event don't go together, the episode is not open, or the log fails.
pub fn append_predictions<L: EventLog + ?Sized>(
    log: &L,
    prediction: &Prediction,
    what: &[EpisodeEvent],
) -> Result<Vec<EpisodeEvent>, EpisodeError> {
    if what.is_empty() {
        return Ok(Vec::new());
    }
    let id = || prediction.prediction_id.clone();
    let episode = prediction.episode_id.as_deref().ok_or_else(|| EpisodeError::NoEpisode(id()))?;
    let time = prediction.as_of.parse().map_err(|source| EpisodeError::Time {
        id: id(),
        as_of: prediction.as_of.clone(),
        source,
    })?;
    let stream = stream_of(episode);
    let history = log.read(&stream, 1, usize::MAX)?;
    // A stream may have lost its beginning, or all of it, to pruning.
    let length = log.length(&stream)?;
    let over = history.iter().any(|e| matches!(e.event(), Ok(Event::PredictionCleared(_))));
    let (mut fresh, mut new) = (Vec::new(), Vec::new());
    for &what in what {
        if matches!(what, EpisodeEvent::Updated { previous } if previous == prediction.confidence) {
            return Err(EpisodeError::SameLevel(id()));
        }
        let event = what.with(prediction);
        let event_id = match what {
            EpisodeEvent::Opened | EpisodeEvent::Cleared { .. } => event_id(event.type_(), &[episode]),
            EpisodeEvent::Updated { .. } => event_id(event.type_(), &[episode, &prediction.prediction_id]),
        };
        if history.iter().any(|e| e.envelope.id == event_id) {
            continue;
        }
        if over {
            return Err(EpisodeError::AlreadyCleared(episode.to_owned()));
        }
        if length == 0 && fresh.is_empty() && what != EpisodeEvent::Opened {
            return Err(EpisodeError::NeverOpened(episode.to_owned()));
        }
        fresh.push(what);
        new.push(NewEvent::new(event_id, prediction.instance_id.clone(), time, event));
    }
    if !new.is_empty() {
        // Another writer between the read and here shows as a conflict, and the caller decides again.
        log.append(&stream, Expected::Version(length), &new)?;
    }
    Ok(fresh)
}
