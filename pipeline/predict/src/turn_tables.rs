//! What a turn reads of the history's small tables: each file once, and only the days that somebody needs.

use crate::fleet::ANNOUNCED_AHEAD_MS;
use forewarn_history::{EventKey, EventRow, History, IncidentRow, InstanceVersions, Result};
use forewarn_log::row::Episode;
use forewarn_rules::grid::reach;
use forewarn_runtime::time::parse_instant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which rows a turn needs; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The first time that a round speaks for: work announced for a time after it may have been announced long before.
    pub round: Option<i64>,
    /// Since when everything is needed that happened to anybody.
    pub since: Option<i64>,
    /// Since when incidents are needed.
    pub incidents_since: Option<i64>,
    /// Since when everything is needed that happened to an instance.
    pub of: BTreeMap<String, i64>,
}

impl Needs {
    /// What episodes need that are not resolved: everything since as long before they opened as a prediction looks back, but nothing
    /// before `floor`.
    #[must_use]
    pub fn with_open<'a>(mut self, episodes: impl IntoIterator<Item = &'a Episode>, floor: i64) -> Self {
        for episode in episodes.into_iter().filter(|e| e.outcome.is_none()) {
            let mut heard = [&episode.opened_at, &episode.last_as_of, &episode.cleared_at].into_iter().flatten();
            let Some(first) = heard.find_map(|at| parse_instant(at, None).ok()) else { continue };
            let since = reach(first).max(floor);
            let known = self.of.entry(episode.instance_id.clone()).or_insert(since);
            *known = since.min(*known);
            self.incidents_since = Some(self.incidents_since.map_or(since, |at| at.min(since)));
        }
        self
    }

    /// The first time of which anything is needed; none where nothing is.
    fn first(&self) -> Option<i64> {
        let announced = self.round.map(|at| at.saturating_sub(ANNOUNCED_AHEAD_MS));
        announced.into_iter().chain(self.since).chain(self.of.values().copied()).min()
    }

    fn wants(&self, event: EventKey<'_>) -> bool {
        let after = |since: Option<&i64>| since.is_some_and(|since| event.ts >= *since);
        after(self.since.as_ref())
            || after(self.of.get(event.instance_id))
            || event.is_maintenance() && self.round.is_some_and(|at| event.ts >= at.saturating_sub(ANNOUNCED_AHEAD_MS))
    }
}

/// The rows of the small tables that a turn needs.
#[derive(Debug, Clone, Default)]
pub struct TurnTables {
    pub instances: Arc<InstanceVersions>,
    /// Sorted, each once.
    pub events: Vec<EventRow>,
    /// Sorted, each once.
    pub incidents: Vec<IncidentRow>,
}

impl TurnTables {
    /// Reads what is needed.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn read(history: &History, needs: &Needs) -> Result<Self> {
        let events = match needs.first() {
            Some(first) => history.events_in(first..i64::MAX, |event| needs.wants(event))?,
            None => Vec::new(),
        };
        let incidents = match needs.incidents_since {
            Some(since) => history.incidents_in(since..i64::MAX)?,
            None => Vec::new(),
        };
        Ok(Self { instances: Arc::new(history.instance_versions()?), events, incidents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_told_before_a_row_is_read_whole() {
        let episode = |id: &str, opened: &str| Episode {
            opened_at: Some(opened.to_owned()),
            ..Episode::new(&format!("e-{id}"), id)
        };
        let resolved = Some(forewarn_log::event::prediction::Outcome::False);
        let hour = |h: i64| h * 3_600_000;
        let open = [
            episode("i-open", "1970-02-01T00:00:00Z"),
            Episode { outcome: resolved, ..episode("i-done", "1970-01-01T00:00:00Z") },
        ];
        let needs = Needs { round: Some(hour(3000)), since: Some(hour(2900)), ..Needs::default() };
        let needs = needs.with_open(&open, i64::MIN);
        let wants = |instance_id: &str, h: i64, kind: &str| needs.wants(EventKey { instance_id, ts: hour(h), kind });
        assert!(wants("i-x", 2900, "left") && !wants("i-x", 2899, "left"));
        assert!(wants("i-open", 745, "left") && wants("i-open", 560, "left") && !wants("i-open", 500, "left"));
        assert!(!wants("i-done", 2899, "left"));
        assert!(wants("i-x", 3000 - 90 * 24, "maintenance") && !wants("i-x", 2999 - 90 * 24, "maintenance"));
        assert_eq!(needs.incidents_since, Some(reach(hour(744))));
        assert_eq!((needs.first(), Needs::default().first()), (Some(reach(hour(744))), None));
        let floor = Needs::default().with_open(&open, hour(800));
        assert_eq!((floor.first(), floor.incidents_since), (Some(hour(800)), Some(hour(800))));
    }
}
