//! What one prediction has made of its instance's episode.

use crate::episode::{EpisodeEvent, EpisodeState};
use crate::prediction::Prediction;

/// A prediction with its place in its episode.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeUpdate {
    /// The prediction, with episode, sequence and status written into it.
    pub prediction: Prediction,
    /// Where the instance's episode stands now.
    pub after: EpisodeState,
    /// What happened to it.
    pub events: Vec<EpisodeEvent>,
    /// True when people who did not ask for every instance are shown it: at risk, or too little known to tell.
    pub shown: bool,
    /// True when the state has to be kept for the next round: an episode is or was open, and something changed.
    pub keep: bool,
}

impl EpisodeUpdate {
    /// True when nothing newer than this prediction has been seen of its instance.
    pub(crate) fn is_newest(&self) -> bool {
        self.after.last.as_ref().is_some_and(|l| l.prediction_id == self.prediction.prediction_id)
    }

    /// True when this is the instance, and that episode of it is open.
    pub(crate) fn has_open(&self, instance_id: &str, episode_id: &str) -> bool {
        self.prediction.instance_id == instance_id
            && self.after.open.as_ref().is_some_and(|o| o.episode_id == episode_id)
    }
}
