//! Reads known incidents from Parquet or CSV, and holds them against what a replay can judge.

use crate::replay::Steps;
use forewarn_history::import::table::{Table, TableError};
use forewarn_predict::truth::DAY_MS;
use forewarn_rules::truth::Incident;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Why incidents could not be read.
pub type IncidentsError = TableError;

/// Incidents as a file has them.
#[derive(Debug, Clone, Default)]
pub struct Incidents {
    /// Each once, by instance and time.
    pub list: Vec<Incident>,
    /// Rows that say again what another row says.
    pub repeated: usize,
    /// Times that carry no zone of their own.
    pub local: usize,
    /// From when on they are known, milliseconds; None where only the first of them tells.
    pub since: Option<i64>,
}

/// Reads `instance_id, ts` and, where they are there, `cause` and `predictable`. Times without a zone are taken in `zone`, else
/// as UTC.
///
/// # Errors
/// When the file does not read, lacks a column, or holds a value that is none.
pub fn read_incidents(path: &Path, zone: Option<&TimeZone>) -> Result<Incidents, IncidentsError> {
    let table = Table::read(path)?;
    table.require(&["instance_id", "ts"])?;
    let mut found: BTreeMap<(String, i64), Incident> = BTreeMap::new();
    let mut local = 0;
    for row in 0..table.rows() {
        let (ts, says_zone) = table.zoned_time(row, "ts", zone)?;
        local += usize::from(!says_zone);
        let instance_id = table.needed(row, "instance_id")?.to_owned();
        found.entry((instance_id.clone(), ts)).or_insert(Incident {
            instance_id,
            ts,
            cause: table.text(row, "cause").map(str::to_owned),
            predictable: table.flag(row, "predictable")?,
        });
    }
    let list: Vec<Incident> = found.into_values().collect();
    Ok(Incidents { repeated: table.rows() - list.len(), list, local, since: None })
}

/// How the incidents of a file stand to the rows of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IncidentCounts {
    /// Incidents given, each once.
    pub given: usize,
    /// Of instances that have no sample in the range.
    pub of_unknown_instances: usize,
    /// Before the range or at its very start.
    pub before: usize,
    /// In the first 24 hours of the range: rows are scored by them, but no full day lies ahead of them to be warned in.
    pub in_the_first_day: usize,
    /// Past the end of the range or of the data.
    pub after: usize,
    /// Those that could have been warned of.
    pub counted: usize,
    /// Those among them that are said to be predictable; all where nothing is said.
    pub predictable: usize,
}

impl IncidentCounts {
    /// Counts incidents against a range whose data end at `data_end`.
    pub fn of(incidents: &[Incident], known: &BTreeSet<String>, steps: Steps, data_end: i64) -> Self {
        let mut counts = Self { given: incidents.len(), ..Self::default() };
        for incident in incidents {
            match Place::of(incident.ts, steps, data_end) {
                _ if !known.contains(&incident.instance_id) => counts.of_unknown_instances += 1,
                Place::Before => counts.before += 1,
                Place::FirstDay => counts.in_the_first_day += 1,
                Place::After => counts.after += 1,
                Place::Counted => {
                    counts.counted += 1;
                    counts.predictable += usize::from(incident.predictable.unwrap_or(true));
                }
            }
        }
        counts
    }
}

/// Where an incident stands to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    FirstDay,
    Counted,
    After,
}

impl Place {
    pub(super) const fn of(ts: i64, steps: Steps, data_end: i64) -> Self {
        if ts <= steps.from {
            Self::Before
        } else if ts > steps.to || ts > data_end {
            Self::After
        } else if ts < steps.from + DAY_MS {
            Self::FirstDay
        } else {
            Self::Counted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: Option<&TimeZone>) -> Result<Incidents, IncidentsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("i.csv");
        std::fs::write(&path, text).unwrap();
        read_incidents(&path, zone)
    }

    #[test]
    fn times_without_a_zone_are_counted_and_taken_in_the_zone_given() {
        let text =
            "instance_id,ts,cause\ni-b,2026-02-15 01:00:00,x\ni-a,2026-02-15T00:00:00Z,\ni-b,2026-02-15 01:00:00,x\n";
        let utc = read(text, None).unwrap();
        assert_eq!((utc.local, utc.repeated), (2, 1));
        assert_eq!(utc.list.iter().map(|i| i.ts).collect::<Vec<_>>(), [1_771_113_600_000, 1_771_117_200_000]);
        let berlin = forewarn_runtime::time::zone("Europe/Berlin").unwrap();
        let there = read(text, Some(&berlin)).unwrap();
        assert!(there.list.iter().all(|i| i.ts == 1_771_113_600_000), "{there:?}");
        let bad = read("instance_id,ts\ni-a,soon\n", None).unwrap_err().to_string();
        assert!(bad.contains("row 1") && bad.contains("soon"), "{bad}");
    }

    #[test]
    fn incidents_are_sorted_by_what_can_be_judged() {
        let hour = 3_600_000;
        let at = |id: &str, h: i64| Incident {
            instance_id: id.to_owned(),
            ts: h * hour,
            cause: None,
            predictable: Some(h != 60),
        };
        let list = [at("i-a", 5), at("i-a", 20), at("i-a", 50), at("i-a", 60), at("i-a", 101), at("i-x", 50)];
        let steps = Steps { from: 10 * hour, to: 100 * hour, step: hour };
        let counts = IncidentCounts::of(&list, &BTreeSet::from(["i-a".to_owned()]), steps, 200 * hour);
        let expected = IncidentCounts {
            given: 6,
            of_unknown_instances: 1,
            before: 1,
            in_the_first_day: 1,
            after: 1,
            counted: 2,
            predictable: 1,
        };
        assert_eq!(counts, expected);
    }
}
