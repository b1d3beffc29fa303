//! What is known of the fleet besides its metrics: attributes, scheduled events and declared changes.

use forewarn_history::{History, Result};
use forewarn_log::table::Table;
use forewarn_log::{LogError, Row, SqliteLog};
use forewarn_rules::instance::{Attributes, Maintenance};
use forewarn_rules::predict::Identity;
use std::collections::BTreeMap;

/// Attributes of every instance that a history or a log speaks of.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    known: BTreeMap<String, Known>,
    nothing: Attributes,
}

/// What is known of one instance.
#[derive(Debug, Clone, Default)]
struct Known {
    attributes: Attributes,
    workload: Option<String>,
    /// The newest declared change: its time and its words.
    change: Option<(i64, String)>,
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
    pub fn of(log: &SqliteLog) -> std::result::Result<Vec<Self>, LogError> {
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
        let mut fleet = Self::default();
        for (id, instance) in history.instances()? {
            let attributes = Attributes {
                launched_at: instance.launched_at,
                instance_type: instance.instance_type,
                ..Attributes::default()
            };
            fleet.known.insert(id, Known { attributes, workload: instance.workload, change: None });
        }
        for event in history.events()? {
            let known_at = event.ingested_at.unwrap_or(event.ts);
            let Some(due) = event.starts_at.filter(|_| event.is_maintenance() && known_at <= as_of) else { continue };
            let pending = &mut fleet.known.entry(event.instance_id.clone()).or_default().attributes.maintenance;
            if event.is_over() {
                for m in pending.iter_mut().filter(|m| m.due == due) {
                    m.over.get_or_insert(known_at);
                }
            } else {
                pending.push(Maintenance { announced: known_at, due, over: None });
            }
        }
        for change in changes.iter().filter(|c| c.ts.max(c.known_at) <= as_of) {
            // An instance may have metrics and nothing else that speaks of it.
            if !fleet.known.values().any(|k| k.workload.as_deref() == Some(change.target.as_str())) {
                fleet.known.entry(change.target.clone()).or_default();
            }
            // One that lasts is as new as it was last at work.
            let at = change.until.map_or(change.ts, |until| until.clamp(change.ts, as_of));
            for (id, known) in &mut fleet.known {
                if *id == change.target || known.workload.as_deref() == Some(change.target.as_str()) {
                    known.attributes.changes.push(at);
                    if known.change.as_ref().is_none_or(|(newest, _)| at >= *newest) {
                        let words = change.words.split_whitespace().collect::<Vec<_>>().join(" ");
                        known.change = Some((at, words));
                    }
                }
            }
        }
        Ok(fleet)
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
            change: known.and_then(|k| k.change.as_ref()).map(|(_, words)| words.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_history::{EventRow, InstanceRow};

    const HOUR: i64 = 3_600_000;

    fn instance(id: &str, workload: Option<&str>) -> InstanceRow {
        InstanceRow {
            instance_id: id.to_owned(),
            workload: workload.map(str::to_owned),
            instance_type: Some("t3.large".to_owned()),
            launched_at: Some(HOUR),
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
}
