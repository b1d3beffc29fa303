//! Joins the episodes of a workload's members that have the same failure ahead into one, so that people hear of it once.
//!
//! Pure: a member counts while its own episode is open and it either foresees the failure now or was counted before, so that the
//! hysteresis of episodes is that of the workload's too. With as many members as the rule set asks for the workload episode opens; it is
//! updated when members join or its level rises, and cleared when fewer are left. Members whose own news it makes superfluous are folded into it.

use crate::episode::EpisodeChange;
use crate::episode_update::EpisodeUpdate;
use crate::id::digest;
use crate::levels::Episodes;
use crate::prediction::{Action, FailureType, Level, Prediction};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An instance that counts towards a workload episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Member {
    /// The EC2 instance id.
    pub instance_id: String,
    /// Its own episode.
    pub episode_id: String,
    /// The level of that.
    pub level: Level,
}

/// The same failure ahead of several members of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WorkloadEpisode {
    /// Deterministic in workload, failure type, first `as_of` and rule set name.
    pub workload_episode_id: String,
    /// What the instances are copies of.
    pub workload: String,
    /// What is going to break.
    pub failure_type: FailureType,
    /// What to do about it, as the most urgent member's prediction says; null once it is over.
    pub recommended_action: Option<Action>,
    /// The AWS account id of all members, or `unknown`.
    pub account: String,
    /// The AWS region of all members, or `unknown`.
    pub region: String,
    /// The `as_of` at which it opened (RFC 3339, UTC).
    pub since: String,
    /// The `as_of` that this speaks for (RFC 3339, UTC).
    pub as_of: String,
    /// The highest level of any member.
    pub level: Level,
    /// The members, by instance id; of an episode that is over, those that are still in trouble.
    pub members: Vec<Member>,
    /// What happened, in words.
    pub text: String,
    /// The silence that kept this from being announced; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_id: Option<String>,
}

/// Something to announce about a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadEvent {
    /// What happened.
    pub change: EpisodeChange,
    /// The level before.
    pub from: Level,
    /// The episode from now on.
    pub episode: WorkloadEpisode,
}

/// Workload episodes that are open, by id.
pub type Workloads = BTreeMap<String, WorkloadEpisode>;

/// Decides about the workloads of a round, and names in the members' predictions the episode that speaks for them.
///
/// A workload of which a prediction is older than what has been seen already is left as it is.
pub fn join(taken: &mut [EpisodeUpdate], open: &Workloads, episodes: &Episodes) -> Vec<WorkloadEvent> {
    let mut events = Vec::new();
    let mut folded: BTreeMap<String, String> = BTreeMap::new();
    for (workload, rows) in by_workload(taken) {
        if rows.iter().any(|t| !t.is_newest()) {
            continue;
        }
        let of_it = || open.values().filter(|e| e.workload == workload);
        let causes: BTreeSet<FailureType> =
            rows.iter().filter_map(|t| t.prediction.failure_type).chain(of_it().map(|e| e.failure_type)).collect();
        for cause in causes {
            let before = of_it().find(|e| e.failure_type == cause);
            let members = members(&rows, cause, before);
            let is_open = members.len() >= episodes.workload_members;
            let event = decide(workload, cause, &rows, before, &members, is_open);
            let speaking = event.as_ref().map(|e| &e.episode).or(before);
            if let Some(episode) = speaking {
                let gone = before
                    .into_iter()
                    .flat_map(|b| &b.members)
                    .filter(|m| !rows.iter().any(|t| t.has_open(&m.instance_id, &m.episode_id)));
                let silent = gone.chain(members.iter().filter(|_| is_open));
                folded.extend(silent.map(|m| (m.instance_id.clone(), episode.workload_episode_id.clone())));
            }
            events.extend(event);
        }
    }
    for t in taken {
        t.prediction.workload_episode_id = folded.remove(&t.prediction.instance_id);
    }
    events
}

fn by_workload(taken: &[EpisodeUpdate]) -> BTreeMap<&str, Vec<&EpisodeUpdate>> {
    let mut out: BTreeMap<&str, Vec<&EpisodeUpdate>> = BTreeMap::new();
    for t in taken {
        if let Some(workload) = &t.prediction.workload {
            out.entry(workload).or_default().push(t);
        }
    }
    for rows in out.values_mut() {
        rows.sort_by(|a, b| a.prediction.instance_id.cmp(&b.prediction.instance_id));
    }
    out
}

fn members(rows: &[&EpisodeUpdate], cause: FailureType, before: Option<&WorkloadEpisode>) -> Vec<Member> {
    let counted = |t: &&&EpisodeUpdate| {
        let foresees = t.prediction.confidence.is_at_risk() && t.prediction.failure_type == Some(cause);
        foresees || before.is_some_and(|b| b.members.iter().any(|m| t.has_open(&m.instance_id, &m.episode_id)))
    };
    let member = |t: &&EpisodeUpdate| {
        let own = t.after.open.as_ref()?;
        Some(Member {
            instance_id: t.prediction.instance_id.clone(),
            episode_id: own.episode_id.clone(),
            level: own.level,
        })
    };
    rows.iter().filter(counted).filter_map(member).collect()
}

fn decide(
    workload: &str,
    cause: FailureType,
    rows: &[&EpisodeUpdate],
    before: Option<&WorkloadEpisode>,
    members: &[Member],
    is_open: bool,
) -> Option<WorkloadEvent> {
    let level = members.iter().map(|m| m.level).max().unwrap_or(Level::None);
    let joined = |b: &WorkloadEpisode| {
        members.iter().filter(|m| !b.members.iter().any(|old| old.instance_id == m.instance_id)).count()
    };
    let what = cause.name().replace('_', " ");
    let (n, ids) = (members.len(), members.iter().map(|m| m.instance_id.as_str()).collect::<Vec<_>>().join(", "));
    let (change, text) = match before {
        None if is_open => (EpisodeChange::Opened, format!("{n} instances of {workload} face {what}: {ids}")),
        Some(_) if !is_open && n == 0 => {
            (EpisodeChange::Cleared, format!("no instance of {workload} faces {what} any more"))
        }
        Some(_) if !is_open => (EpisodeChange::Cleared, format!("only {n} of {workload} still face {what}: {ids}")),
        Some(b) if joined(b) > 0 => {
            let more = joined(b);
            (EpisodeChange::Updated, format!("{n} instances of {workload} face {what} now, {more} more: {ids}"))
        }
        Some(b) if level > b.level => {
            (EpisodeChange::Updated, format!("{n} instances of {workload} face {what}, now {}: {ids}", level.name()))
        }
        None | Some(_) => return None,
    };
    let first: &Prediction = &rows.first()?.prediction;
    let of_members =
        || rows.iter().map(|t| &t.prediction).filter(|p| members.iter().any(|m| m.instance_id == p.instance_id));
    let same = |get: fn(&Prediction) -> &String| {
        let mut values = of_members().map(get);
        let value = values.next().unwrap_or_else(|| get(first));
        if values.all(|v| v == value) { value.clone() } else { "unknown".to_owned() }
    };
    let urgent = |p: &&Prediction| p.failure_type == Some(cause);
    let p24 = |p: &Prediction| p.probability.h24.unwrap_or(0.0);
    let action =
        of_members().filter(urgent).max_by(|a, b| p24(a).total_cmp(&p24(b))).and_then(|p| p.recommended_action);
    let since = before.map_or_else(|| first.as_of.clone(), |b| b.since.clone());
    let id = || digest(&["workload", workload, cause.name(), &first.as_of, &first.ruleset.name]);
    Some(WorkloadEvent {
        change,
        from: before.map_or(Level::None, |b| b.level),
        episode: WorkloadEpisode {
            workload_episode_id: before.map_or_else(id, |b| b.workload_episode_id.clone()),
            workload: workload.to_owned(),
            failure_type: cause,
            recommended_action: action,
            account: same(|p| &p.account),
            region: same(|p| &p.region),
            since,
            as_of: first.as_of.clone(),
            level,
            members: members.to_vec(),
            text,
            silence_id: None,
        },
    })
}
