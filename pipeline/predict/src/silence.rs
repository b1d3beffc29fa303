//! Decides what is not announced for now, and what is due once the quiet is over.
//!
//! Pure over the log's tables. The decision is taken when an event is written and stands in it as `silence_id`, so that every bus
//! and every rerun agrees: the bus passes over what carries one.

use crate::episode_events::EpisodeEvent;
use forewarn_domain::episode_update::EpisodeUpdate;
use forewarn_domain::prediction::Level;
use forewarn_domain::silence::{Silence, of, of_workload};
use forewarn_domain::workload::WorkloadEpisode;
use forewarn_log::row::Episode;

/// Decides which silence an episode's event carries. The end of an episode is told to those who know of its beginning, silence or
/// not, and to nobody else.
pub fn stamp(what: EpisodeEvent, silenced: Option<String>, before: Option<&Episode>) -> Option<String> {
    match what {
        EpisodeEvent::Opened | EpisodeEvent::Updated { .. } => silenced,
        EpisodeEvent::Cleared { .. } => before.filter(|e| e.unannounced).and_then(|e| e.silence_id.clone()),
    }
}

/// Decides whether an episode is to be announced because the quiet is over: its last news was kept back, nothing keeps it back now,
/// and it is open at level high and still foresees that. Gives the silence that was.
pub fn due(taken: &EpisodeUpdate, silences: &[Silence], before: Option<&Episode>) -> Option<String> {
    let p = &taken.prediction;
    let high = p.confidence == Level::High && taken.after.open.as_ref().is_some_and(|o| o.level == Level::High);
    let newest = taken.after.last.as_ref().is_some_and(|l| l.prediction_id == p.prediction_id);
    let quiet = taken.events.is_empty() && p.workload_episode_id.is_none() && of(silences, p).is_none();
    before.and_then(|e| e.silence_id.clone()).filter(|_| high && newest && quiet)
}

/// Decides the same for a workload episode of which nothing else is said in a round at `as_of`; gives the silence that was.
pub fn due_workload(episode: &WorkloadEpisode, silences: &[Silence], as_of: &str) -> Option<String> {
    let now = WorkloadEpisode { as_of: as_of.to_owned(), ..episode.clone() };
    let over = episode.level == Level::High && of_workload(silences, &now).is_none();
    episode.silence_id.clone().filter(|_| over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_to_those_who_know_of_the_beginning() {
        let cleared = EpisodeEvent::Cleared { previous: Level::High };
        let mut episode = Episode { silence_id: Some("s".to_owned()), ..Episode::new("ep", "i-1") };
        assert_eq!(stamp(cleared, Some("s".to_owned()), Some(&episode)), None);
        episode.unannounced = true;
        assert_eq!(stamp(cleared, None, Some(&episode)), Some("s".to_owned()));
        assert_eq!(stamp(EpisodeEvent::Opened, Some("s".to_owned()), None), Some("s".to_owned()));
        assert_eq!(stamp(EpisodeEvent::Opened, None, None), None);
    }
}
