//! Workload episodes: opened by enough members, told when they grow, cleared when too few are left.

use crate::support::{hand, one};
use forewarn_domain::episode::EpisodeChange;
use forewarn_domain::prediction::{Action, FailureType, Horizons, Level, Prediction};
use forewarn_domain::round::{Round, States, apply_predictions};
use forewarn_domain::workload::Workloads;
use forewarn_rules::predict::Identity;

const WELL: (f64, Option<FailureType>) = (0.01, None);
const LEAK: (f64, Option<FailureType>) = (0.9, Some(FailureType::MemoryExhaustion));
const DISK: (f64, Option<FailureType>) = (0.9, Some(FailureType::DiskFull));

/// A prediction of an instance `hour` hours after noon.
fn at(instance: &str, workload: &str, hour: i64, (p, failure_type): (f64, Option<FailureType>)) -> Prediction {
    let mut table = one(&[]);
    table.as_of[0] += hour * 3_600_000;
    instance.clone_into(&mut table.instance_ids[0]);
    let rules = hand();
    let identity = Identity { workload: Some(workload.to_owned()), ..Identity::default() };
    let mut out = rules.predict(&table, &rules.assess(&table).expect("a table of one row"), 0, &identity);
    out.confidence = rules.levels().of(&[p, p, p]);
    out.probability = Horizons { h24: Some(p), h72: Some(p), h168: Some(p) };
    out.failure_type = failure_type;
    out.recommended_action = failure_type.map(|_| Action::AppRestart);
    out
}

/// Instances a, b, c and so on of `web`, round after round, with what is kept between rounds.
#[derive(Default)]
struct Fleet {
    states: States,
    workloads: Workloads,
    hour: i64,
}

impl Fleet {
    fn predictions(&self, found: &[(f64, Option<FailureType>)]) -> Vec<Prediction> {
        let named = found.iter().zip(["a", "b", "c", "d", "e"]);
        named.map(|(f, id)| at(id, "web", self.hour, *f)).collect()
    }

    fn keep(&mut self, round: &Round) {
        for t in &round.taken {
            self.states.insert(t.prediction.instance_id.clone(), t.after.clone());
        }
        for e in &round.workloads {
            match e.change {
                EpisodeChange::Cleared => self.workloads.remove(&e.episode.workload_episode_id),
                EpisodeChange::Opened | EpisodeChange::Updated => {
                    self.workloads.insert(e.episode.workload_episode_id.clone(), e.episode.clone())
                }
            };
        }
    }

    /// One hour: what happened to the workload, how many members it has, and who is folded into it.
    fn round(&mut self, found: &[(f64, Option<FailureType>)]) -> (Vec<(EpisodeChange, usize)>, String) {
        let round = apply_predictions(
            self.predictions(found),
            &self.states,
            &self.workloads,
            hand().levels(),
            hand().episodes(),
        )
        .expect("times of our own");
        self.keep(&round);
        self.hour += 1;
        let folded = round.taken.iter().filter(|t| t.prediction.workload_episode_id.is_some());
        (
            round.workloads.iter().map(|e| (e.change, e.episode.members.len())).collect(),
            folded.map(|t| t.prediction.instance_id.as_str()).collect(),
        )
    }
}

fn quiet(folded: &str) -> (Vec<(EpisodeChange, usize)>, String) {
    (Vec::new(), folded.to_owned())
}

#[test]
fn enough_members_with_the_same_failure_are_one_episode() {
    use EpisodeChange::{Cleared, Opened, Updated};
    let mut fleet = Fleet::default();
    assert_eq!(fleet.round(&[LEAK, LEAK, DISK, WELL]), quiet(""), "two leaks and a disk are not three of a kind");
    assert_eq!(fleet.round(&[LEAK, LEAK, DISK, LEAK]), (vec![(Opened, 3)], "abd".to_owned()));
    assert_eq!(fleet.round(&[LEAK, LEAK, DISK, LEAK]), quiet("abd"));
    assert_eq!(fleet.round(&[LEAK, LEAK, DISK, LEAK, LEAK]), (vec![(Updated, 4)], "abde".to_owned()));
    // Well again, but the members' own episodes are open until their hours are over: so is the workload's.
    let well = [WELL; 5];
    let mut hours = 0;
    let cleared = loop {
        let (events, folded) = fleet.round(&well);
        hours += 1;
        if !events.is_empty() {
            break (events, folded);
        }
        assert_eq!(folded, "abde");
        assert!(hours < 48, "it is never over");
    };
    assert_eq!(cleared, (vec![(Cleared, 0)], "abde".to_owned()), "their end is told in one as well");
    assert!(f64::from(hours) > hand().levels().clear_after);
    assert_eq!(fleet.round(&well), quiet(""));
}

#[test]
fn those_left_in_trouble_are_named_and_speak_for_themselves_again() {
    let mut fleet = Fleet::default();
    fleet.round(&[LEAK, LEAK, LEAK]);
    let opened = fleet.workloads.values().next().unwrap().clone();
    assert_eq!(opened.text, "3 instances of web face memory exhaustion: a, b, c");
    assert_eq!((opened.level, opened.recommended_action), (Level::High, Some(Action::AppRestart)));
    let mut folded = "abc".to_owned();
    let cleared = loop {
        let round = apply_predictions(
            fleet.predictions(&[LEAK, LEAK, WELL]),
            &fleet.states,
            &fleet.workloads,
            hand().levels(),
            hand().episodes(),
        )
        .unwrap();
        fleet.keep(&round);
        fleet.hour += 1;
        if let Some(event) = round.workloads.first() {
            folded.clear();
            let silent = round.taken.iter().filter(|t| t.prediction.workload_episode_id.is_some());
            folded.extend(silent.map(|t| t.prediction.instance_id.clone()));
            break event.clone();
        }
    };
    assert_eq!((cleared.change, cleared.from), (EpisodeChange::Cleared, Level::High));
    assert_eq!(cleared.episode.text, "only 2 of web still face memory exhaustion: a, b");
    assert_eq!(cleared.episode.workload_episode_id, opened.workload_episode_id);
    assert_eq!(folded, "c");
}

#[test]
fn a_rising_level_is_told_and_repeating_a_round_changes_nothing() {
    let low = (hand().levels().low, Some(FailureType::MemoryExhaustion));
    let mut fleet = Fleet::default();
    assert_eq!(fleet.round(&[low, low, low]).0, [(EpisodeChange::Opened, 3)]);
    let (states, workloads) = (fleet.states.clone(), fleet.workloads.clone());
    fleet.hour -= 1;
    assert_eq!(fleet.round(&[low, low, low]), quiet("abc"));
    assert_eq!((&fleet.states, &fleet.workloads), (&states, &workloads));
    let round = apply_predictions(
        fleet.predictions(&[low, LEAK, low]),
        &states,
        &workloads,
        hand().levels(),
        hand().episodes(),
    )
    .unwrap();
    let event = &round.workloads[0];
    assert_eq!((event.change, event.from, event.episode.level), (EpisodeChange::Updated, low_level(), Level::High));
    // An older round than what was seen leaves the workload alone, well or not.
    fleet.keep(&round);
    fleet.hour -= 1;
    assert_eq!(fleet.round(&[WELL, WELL, WELL]).0, []);
}

fn low_level() -> Level {
    let low = hand().levels().low;
    hand().levels().of(&[low, low, low])
}

#[test]
fn workloads_are_kept_apart_and_an_instance_without_one_is_alone() {
    let mut predictions: Vec<Prediction> =
        [("a", "web"), ("b", "web"), ("c", "api")].map(|(id, workload)| at(id, workload, 0, LEAK)).into();
    let mut alone = at("d", "web", 0, LEAK);
    alone.workload = None;
    predictions.push(alone);
    let round =
        apply_predictions(predictions, &States::new(), &Workloads::new(), hand().levels(), hand().episodes()).unwrap();
    assert!(round.workloads.is_empty());
    assert!(round.taken.iter().all(|t| t.prediction.workload_episode_id.is_none() && t.events.len() == 1));
}
