//! Takes up all predictions of one time: who is shown, what happened to episodes, and what has to be kept.

use crate::episode::{EpisodeError, EpisodeState, step};
use crate::episode_update::EpisodeUpdate;
use crate::levels::{Episodes, Levels};
use crate::prediction::{Level, Prediction};
use crate::workload::{WorkloadEvent, Workloads, join};
use std::collections::BTreeMap;

/// Where the episodes of instances stand, by instance.
pub type States = BTreeMap<String, EpisodeState>;

/// All predictions of one time, taken up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Each prediction, in the order given.
    pub taken: Vec<EpisodeUpdate>,
    /// What happened to workloads.
    pub workloads: Vec<WorkloadEvent>,
}

/// Takes up predictions in the order given, each into its instance's episode, and joins those of a workload.
///
/// # Errors
/// When a time in a state or a prediction can't be read.
pub fn apply_predictions(
    predictions: Vec<Prediction>,
    states: &States,
    workloads: &Workloads,
    levels: &Levels,
    episodes: &Episodes,
) -> Result<Round, EpisodeError> {
    let mut taken = take_each(predictions, states, levels)?;
    let workloads = join(&mut taken, workloads, episodes);
    Ok(Round { taken, workloads })
}

fn take_each(
    predictions: Vec<Prediction>,
    states: &States,
    levels: &Levels,
) -> Result<Vec<EpisodeUpdate>, EpisodeError> {
    let nothing = EpisodeState::default();
    let mut out = Vec::with_capacity(predictions.len());
    for mut prediction in predictions {
        let before = states.get(&prediction.instance_id);
        let (after, events) = step(before.unwrap_or(&nothing), &prediction, levels)?;
        after.stamp(&mut prediction);
        let open = after.open.is_some() || before.is_some_and(|b| b.open.is_some());
        out.push(EpisodeUpdate {
            shown: prediction.confidence != Level::None,
            keep: open && before != Some(&after),
            prediction,
            after,
            events,
        });
    }
    Ok(out)
}
