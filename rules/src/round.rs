//! Takes up all predictions of one time: who is shown, what happened to episodes, and what has to be kept.

use crate::episode::{EpisodeError, EpisodeEvent, EpisodeState, step};
use crate::prediction::{Level, Prediction};
use crate::ruleset::{Levels, RuleSet};
use crate::workload::{Member, WorkloadEvent, Workloads, join};
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

impl Taken {
    /// True when nothing newer than this prediction has been seen of its instance.
    pub(crate) fn is_newest(&self) -> bool {
        self.after.last.as_ref().is_some_and(|l| l.prediction_id == self.prediction.prediction_id)
    }

    /// True when this is the member's instance, and the episode by which it counted is open.
    pub(crate) fn has_open(&self, member: &Member) -> bool {
        self.prediction.instance_id == member.instance_id
            && self.after.open.as_ref().is_some_and(|o| o.episode_id == member.episode_id)
    }
}

/// All predictions of one time, taken up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Each prediction, in the order given.
    pub taken: Vec<Taken>,
    /// What happened to workloads.
    pub workloads: Vec<WorkloadEvent>,
}

/// Takes up predictions in the order given, each into its instance's episode, and joins those of a workload.
///
/// # Errors
/// When a time in a state or a prediction can't be read.
pub fn take_up(
    predictions: Vec<Prediction>,
    states: &States,
    workloads: &Workloads,
    ruleset: &RuleSet,
) -> Result<Round, EpisodeError> {
    let mut taken = take_each(predictions, states, ruleset.levels())?;
    let workloads = join(&mut taken, workloads, ruleset.episodes());
    Ok(Round { taken, workloads })
}

fn take_each(predictions: Vec<Prediction>, states: &States, levels: &Levels) -> Result<Vec<Taken>, EpisodeError> {
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
