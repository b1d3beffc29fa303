//! Takes up all predictions of one time: who is shown, what happened to episodes, and what has to be kept.

use crate::episode::{EpisodeError, EpisodeEvent, EpisodeState, step};
use crate::prediction::{Level, Prediction};
use crate::ruleset::Levels;
use std::collections::BTreeMap;

/// Where the episodes of instances stand, by instance.
pub type States = BTreeMap<String, EpisodeState>;

/// A prediction with its place in its episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
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

/// Takes up predictions in the order given, each into its instance's episode.
///
/// # Errors
/// When a time in a state or a prediction can't be read.
pub fn take_up(predictions: Vec<Prediction>, states: &States, levels: &Levels) -> Result<Vec<Taken>, EpisodeError> {
    let nothing = EpisodeState::default();
    let mut out = Vec::with_capacity(predictions.len());
    for mut prediction in predictions {
        let before = states.get(&prediction.instance_id);
        let (after, events) = step(before.unwrap_or(&nothing), &prediction, levels)?;
        after.stamp(&mut prediction);
        let open = after.open.is_some() || before.is_some_and(|b| b.open.is_some());
        out.push(Taken {
            shown: prediction.confidence != Level::None,
            keep: open && before != Some(&after),
            prediction,
            after,
            events,
        });
    }
    Ok(out)
}
