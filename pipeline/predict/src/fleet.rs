//! What is known of the fleet besides its metrics: attributes, scheduled events and declared changes.

use forewarn_history::{EventRow, History, InstanceVersions, Result};
use forewarn_log::table::Table;
use forewarn_log::{LogError, Row, StateLog};
use forewarn_rules::instance::{Attributes, Maintenance};
use forewarn_rules::predict::Identity;
use forewarn_runtime::time::DAY_MS;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// How long before it begins work is announced at most, milliseconds: what was announced earlier is not looked for.
pub const ANNOUNCED_AHEAD_MS: i64 = 90 * DAY_MS;

/// Attributes of every instance that a history or a log speaks of, as they were known at one time.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    known: BTreeMap<String, Known>,
    instances: Arc<InstanceVersions>,
    nothing: Attributes,
}

/// What is known of one instance.
#[derive(Debug, Clone, Default)]
struct Known {
    attributes: Attributes,
    workload: Option<String>,
    /// The newest declared change: its time and its words.
    change: Option<(i64, Arc<str>)>,
}

/// A declared change, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredChange {
    /// The instance or the workload that changed.
    pub target: String,
    /// When, milliseconds.
    pub ts: i64,
    /// When it ended, where it lasted, milliseconds.
    pub until: Option<i64>,
    /// When it became known, milliseconds.
    pub known_at: i64,
    /// What it was.
    pub words: String,
}

impl DeclaredChange {
    /// Reads the changes declared in a log.
    ///
    /// # Errors
    /// When the log does not read, or a time in it is none.
    pub fn of(log: &dyn StateLog) -> std::result::Result<Vec<Self>, LogError> {
        let time = |text: &str| {
            forewarn_runtime::time::parse_instant(text, None)
                .map_err(|e| LogError::unavailable("read a declared change", e))
        };
        let mut out = Vec::new();
        for row in log.table(Table::Changes)?.into_values() {
            let Row::Change(change) = row else { continue };
            let Some(target) = change.instance_id.or(change.workload) else { continue };
            let ts = time(&change.at)?;
            out.push(Self {
                target,
                ts,
                known_at: change.marked_at.as_deref().map(time).transpose()?.unwrap_or(ts),
                until: change.until.as_deref().map(time).transpose()?,
                words: format!("{}: {}", change.kind.name(), change.text),
            });
        }
        Ok(out)
    }
}

impl Fleet {
    /// Reads instances and events of a history, and joins the declared changes.
    ///
    /// Nothing that became known after `as_of` is taken up.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn read(history: &History, changes: &[DeclaredChange], as_of: i64) -> Result<Self> {
        Self::read_over(history, changes, as_of..as_of)
    }

    /// Does as [`Fleet::read`] at the end of a range, for a look at every time of the range.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn read_over(history: &History, changes: &[DeclaredChange], range: Range<i64>) -> Result<Self> {
        let announced = range.start.saturating_sub(ANNOUNCED_AHEAD_MS)..range.end.saturating_add(1);
        let events = history.events_in(announced, |event| event.is_maintenance())?;
        Ok(Self::of(&Arc::new(history.instance_versions()?), &events, changes, range.end))
    }

    /// Says what was known at `as_of` of instances, of events and of declared changes.
    pub fn of(instances: &Arc<InstanceVersions>, events: &[EventRow], changes: &[DeclaredChange], as_of: i64) -> Self {
        let mut fleet = Self { instances: Arc::clone(instances), ..Self::default() };
        for instance in instances.ids().filter_map(|id| instances.at(id, as_of)) {
            let is_unlimited = instance.is_unlimited();
            let attributes = Attributes {
                is_unlimited,
                launched_at: instance.launched_at,
                instance_type: instance.instance_type,
                ..Attributes::default()
            };
            let known = Known { attributes, workload: instance.workload, change: None };
            fleet.known.insert(instance.instance_id, known);
        }
        fleet.announce(events, as_of);
        fleet.declare(changes, as_of);
        fleet
    }

    /// Of one announcement of AWS Health what was said last holds; of others each holds until it is said to be over.
    fn announce(&mut self, events: &[EventRow], as_of: i64) {
        let mut told: Vec<(&EventRow, i64)> = Vec::new();
        for event in events.iter().filter(|e| e.is_maintenance()) {
            let known_at = event.ingested_at.unwrap_or(event.ts);
            if known_at <= as_of {
                told.push((event, known_at));
            }
        }
        told.sort_by_key(|(event, known_at)| (event.ts, *known_at));
        let mut of_arn: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (event, known_at) in told {
            let Some(due) = event.starts_at else { continue };
            let pending = &mut self.known.entry(event.instance_id.clone()).or_default().attributes.maintenance;
            let arn = event.health_arn().map(|arn| of_arn.entry((&event.instance_id, arn)).or_default());
            let earlier = arn.as_deref().map(Vec::as_slice).unwrap_or_default();
            for (at, m) in pending.iter_mut().enumerate() {
                if earlier.contains(&at) || event.is_over() && m.due == due {
                    m.over = Some(m.over.map_or(known_at, |over| over.min(known_at)));
                }
            }
            if !event.is_over() {
                if let Some(arn) = arn {
                    arn.push(pending.len());
                }
                pending.push(Maintenance { announced: known_at, due, over: None });
            }
        }
    }

    fn declare(&mut self, changes: &[DeclaredChange], as_of: i64) {
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, known) in self.known.iter().filter(|_| !changes.is_empty()) {
            if let Some(workload) = &known.workload {
                members.entry(workload.clone()).or_default().push(id.clone());
            }
        }
        for change in changes.iter().filter(|c| c.ts.max(c.known_at) <= as_of) {
            let team = members.get(&change.target).map_or(&[][..], Vec::as_slice);
            // An instance may have metrics and nothing else that speaks of it.
            if team.is_empty() {
                self.known.entry(change.target.clone()).or_default();
            }
            // One that lasts is as new as it was last at work.
            let at = change.until.map_or(change.ts, |until| until.clamp(change.ts, as_of));
            let words: Arc<str> = change.words.split_whitespace().collect::<Vec<_>>().join(" ").into();
            let itself = (!team.contains(&change.target)).then_some(&change.target);
            for id in team.iter().chain(itself) {
                let Some(known) = self.known.get_mut(id) else { continue };
                known.attributes.changes.push(at);
                if known.change.as_ref().is_none_or(|(newest, _)| at >= *newest) {
                    known.change = Some((at, Arc::clone(&words)));
                }
            }
        }
    }

    /// Parts ascending times, none after the fleet's own, wherever what was known of an instance changed.
    pub fn stretches(&self, instance_id: &str, times: impl Iterator<Item = i64>) -> Vec<(Attributes, Vec<i64>)> {
        let news = self.instances.times(instance_id);
        let (mut heard, mut out) = (None, Vec::<(Attributes, Vec<i64>)>::new());
        for time in times {
            let by_then = news.partition_point(|at| *at <= time);
            if heard.replace(by_then) != Some(by_then) {
                let then = self.instances.at(instance_id, time).unwrap_or_default();
                let attributes = Attributes {
                    is_unlimited: then.is_unlimited(),
                    launched_at: then.launched_at,
                    instance_type: then.instance_type,
                    ..self.attributes(instance_id).clone()
                };
                if out.last().is_none_or(|(last, _)| *last != attributes) {
                    out.push((attributes, Vec::new()));
                }
            }
            if let Some((_, times)) = out.last_mut() {
                times.push(time);
            }
        }
        out
    }

    /// Gives the attributes of an instance; empty ones where nothing is known.
    pub fn attributes(&self, instance_id: &str) -> &Attributes {
        self.known.get(instance_id).map_or(&self.nothing, |k| &k.attributes)
    }

    /// Gives account, region and workload of an instance, and its newest declared change.
    pub fn identity(&self, instance_id: &str, account: &str, region: &str) -> Identity {
        let known = self.known.get(instance_id);
        Identity {
            account: account.to_owned(),
            region: region.to_owned(),
            workload: known.and_then(|k| k.workload.clone()),
            change: known.and_then(|k| k.change.as_ref()).map(|(_, words)| words.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_history::InstanceRow;

    const HOUR: i64 = 3_600_000;

    fn instance(id: &str, workload: Option<&str>) -> InstanceRow {
        InstanceRow {
            instance_id: id.to_owned(),
            workload: workload.map(str::to_owned),
            instance_type: Some("t3.large".to_owned()),
            launched_at: Some(HOUR),
            ..InstanceRow::default()
        }
    }

    fn maintenance(ts: i64, detail: Option<&str>, ingested_at: Option<i64>) -> EventRow {
        EventRow {
            instance_id: "i-a".to_owned(),
            ts,
            kind: "scheduled".to_owned(),
            code: "system-reboot".to_owned(),
            starts_at: Some(90 * HOUR),
            detail: detail.map(str::to_owned),
            ingested_at,
        }
    }

    fn change(target: &str, ts: i64) -> DeclaredChange {
        let words = format!("deployment:\n {target}");
        DeclaredChange { target: target.to_owned(), ts, until: None, known_at: ts, words }
    }

    fn fleet(events: &[EventRow], changes: &[DeclaredChange], as_of: i64) -> Fleet {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open_or_create(dir.path().to_str().unwrap()).unwrap();
        let mut writer = history.writer().unwrap();
        writer.put_instances(&[instance("i-a", Some("web")), instance("i-b", Some("web"))]).unwrap();
        writer.put_events(events).unwrap();
        drop(writer);
        Fleet::read(&history, changes, as_of).unwrap()
    }

    #[test]
    fn of_one_announcement_what_was_said_last_holds() {
        let said = |ts: i64, due: i64, over: bool, came: i64| EventRow {
            starts_at: Some(due * HOUR),
            detail: Some(format!("{}arn:aws:health:x::event/1", if over { "[Completed] " } else { "" })),
            ..maintenance(ts * HOUR, None, Some(came * HOUR))
        };
        let due = |events: &[EventRow], as_of: i64| -> Vec<i64> {
            let fleet = fleet(events, &[], as_of * HOUR);
            let pending = fleet.attributes("i-a").maintenance.iter().filter(|m| m.is_pending(as_of * HOUR));
            pending.map(|m| m.due / HOUR).collect()
        };
        let moved = [said(1, 90, false, 1), said(3, 200, false, 4)];
        assert_eq!([due(&moved, 3), due(&moved, 4)], [[90], [200]], "nobody knew before it came");
        // In whatever order they come.
        let late = [said(1, 90, false, 5), said(3, 200, false, 4)];
        assert_eq!([due(&late, 4), due(&late, 6)], [[200], [200]]);
        let closed = [said(1, 90, false, 1), said(3, 200, false, 4), said(5, 200, true, 6)];
        assert_eq!([due(&closed, 5), due(&closed, 6)], [vec![200], vec![]]);
        // Another announcement is none of its business.
        let other = EventRow { detail: Some("arn:aws:health:x::event/2".to_owned()), ..said(2, 100, false, 2) };
        assert_eq!(due(&[moved[0].clone(), other, moved[1].clone()], 5), [100, 200]);
    }

    #[test]
    fn a_change_reaches_the_instance_or_all_of_the_workload_and_nobody_else() {
        let changes =
            [change("web", HOUR), change("i-b", 2 * HOUR), change("i-unlisted", 3 * HOUR), change("i-a", 5 * HOUR)];
        let fleet = fleet(&[], &changes, 4 * HOUR);
        assert_eq!(fleet.attributes("i-a").changes, [HOUR]);
        assert_eq!(fleet.attributes("i-b").changes, [HOUR, 2 * HOUR]);
        assert_eq!(fleet.attributes("i-unlisted").changes, [3 * HOUR]);
        assert!(fleet.attributes("web").changes.is_empty());
        assert!(fleet.attributes("i-nobody").changes.is_empty());
    }

    #[test]
    fn a_change_that_lasts_is_as_new_as_it_was_last_at_work_and_the_newest_is_named() {
        let lasting = DeclaredChange { until: Some(3 * HOUR), ..change("web", HOUR) };
        let at = |as_of: i64| {
            let fleet = fleet(&[], &[lasting.clone(), change("i-a", 2 * HOUR)], as_of);
            let newest = fleet.attributes("i-a").changes.iter().max().copied();
            (newest, fleet.identity("i-a", "1", "eu").change)
        };
        assert_eq!(at(HOUR), (Some(HOUR), Some("deployment: web".to_owned())));
        assert_eq!(at(2 * HOUR), (Some(2 * HOUR), Some("deployment: i-a".to_owned())));
        assert_eq!(at(9 * HOUR), (Some(3 * HOUR), Some("deployment: web".to_owned())));
    }

    #[test]
    fn a_change_that_was_declared_late_counts_at_its_own_time_and_from_when_it_was_known() {
        let late = DeclaredChange { known_at: 5 * HOUR, ..change("web", HOUR) };
        let at = |as_of: i64| fleet(&[], std::slice::from_ref(&late), as_of).attributes("i-a").changes.clone();
        assert!(at(4 * HOUR).is_empty(), "what was predicted then is predicted again in the same way");
        assert_eq!(at(5 * HOUR), [HOUR]);
        let planned = DeclaredChange { known_at: HOUR, ..change("web", 3 * HOUR) };
        assert!(fleet(&[], std::slice::from_ref(&planned), 2 * HOUR).attributes("i-a").changes.is_empty());
    }

    #[test]
    fn what_became_known_later_is_not_known() {
        let events = [maintenance(HOUR, None, Some(6 * HOUR)), maintenance(5 * HOUR, None, None)];
        assert!(fleet(&events, &[], 4 * HOUR).attributes("i-a").maintenance.is_empty());
        assert_eq!(fleet(&events, &[], 5 * HOUR).attributes("i-a").maintenance.len(), 1);
        assert_eq!(fleet(&events, &[], 6 * HOUR).attributes("i-a").maintenance.len(), 2);
    }

    #[test]
    fn an_instance_is_told_by_its_row_and_its_samples() {
        let fleet = fleet(&[], &[], HOUR);
        let known = fleet.identity("i-a", "1", "eu");
        assert_eq!(
            (known.account.as_str(), known.region.as_str(), known.workload.as_deref()),
            ("1", "eu", Some("web"))
        );
        assert_eq!(fleet.identity("i-x", "1", "eu").workload, None);
        assert_eq!(fleet.attributes("i-a").instance_type.as_deref(), Some("t3.large"));
    }

    #[test]
    fn what_is_known_of_an_instance_is_what_had_been_seen_by_then_and_the_future_does_not_show() {
        let seen = |at: i64, workload: &str, kind: &str| InstanceRow {
            seen_at: Some(at),
            workload: Some(workload.to_owned()),
            instance_type: Some(kind.to_owned()),
            ..instance("i-a", None)
        };
        let past = vec![seen(HOUR, "web", "t3.small"), seen(4 * HOUR, "api", "t3.large")];
        let future = [past.clone(), vec![seen(8 * HOUR, "corrupt", "m5.large"), seen(9 * HOUR, "web", "x")]].concat();
        let at = |rows: &[InstanceRow], as_of: i64| {
            let instances = Arc::new(InstanceVersions::of(rows.to_vec()));
            let fleet = Fleet::of(&instances, &[], &[change("web", HOUR)], as_of);
            (fleet.identity("i-a", "1", "eu"), fleet.attributes("i-a").clone())
        };
        let (web, api) = (at(&past, 3 * HOUR), at(&past, 5 * HOUR));
        assert_eq!((web.0.workload.as_deref(), web.1.instance_type.as_deref()), (Some("web"), Some("t3.small")));
        assert_eq!((api.0.workload.as_deref(), api.1.instance_type.as_deref()), (Some("api"), Some("t3.large")));
        assert_eq!((web.1.changes.len(), api.1.changes.len()), (1, 0), "a change reaches who was a member by then");
        for hour in 0..8 {
            assert_eq!(at(&past, hour * HOUR), at(&future, hour * HOUR), "hour {hour}");
        }
    }

    #[test]
    fn a_replay_sees_at_each_time_what_an_analysis_of_that_time_sees() {
        let seen = |at: i64, kind: &str| InstanceRow {
            seen_at: Some(at),
            instance_type: Some(kind.to_owned()),
            ..instance("i-a", None)
        };
        let rows = [seen(3 * HOUR, "t3.small"), seen(5 * HOUR, "t3.large"), seen(7 * HOUR, "t3.small")];
        let instances = Arc::new(InstanceVersions::of(rows));
        let replayed = Fleet::of(&instances, &[], &[], 9 * HOUR);
        let parts = replayed.stretches("i-a", (0..9).map(|h| h * HOUR));
        assert_eq!(parts.iter().map(|(_, times)| times.len()).collect::<Vec<_>>(), [5, 2, 2]);
        for (attributes, times) in &parts {
            for time in times {
                assert_eq!(attributes, Fleet::of(&instances, &[], &[], *time).attributes("i-a"));
            }
        }
        assert_eq!(replayed.stretches("i-unknown", 0..3).len(), 1);
    }

    proptest::proptest! {
        /// Every change against every instance, one by one.
        #[test]
        fn a_change_reaches_whom_it_would_if_each_instance_were_asked(
            workloads in proptest::collection::vec(proptest::option::of(0_usize..4), 1..9),
            targets in proptest::collection::vec((0_usize..12, 0_i64..9), 0..12),
        ) {
            let rows: Vec<InstanceRow> = workloads.iter().enumerate()
                .map(|(n, w)| InstanceRow { workload: w.map(|w| format!("w{w}")), ..instance(&format!("i-{n}"), None) })
                .collect();
            let name = |n: usize| if n < 4 { format!("w{n}") } else { format!("i-{}", n - 4) };
            let changes: Vec<DeclaredChange> = targets.iter().map(|&(n, h)| change(&name(n), h * HOUR)).collect();
            let fleet = Fleet::of(&Arc::new(InstanceVersions::of(rows.clone())), &[], &changes, 5 * HOUR);
            for row in &rows {
                let its = |c: &&DeclaredChange| c.target == row.instance_id || row.workload.as_ref() == Some(&c.target);
                let wanted: Vec<i64> = changes.iter().filter(|c| c.ts <= 5 * HOUR).filter(its).map(|c| c.ts).collect();
                proptest::prop_assert_eq!(&fleet.attributes(&row.instance_id).changes, &wanted);
            }
        }
    }
}
