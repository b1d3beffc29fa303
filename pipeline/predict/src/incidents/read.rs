//! Reads a history as what incidents are derived from: series of good and bad points, and what was seen.

use crate::gather::{CollectedInstance, SeriesCollector};
use forewarn_domain::signal::{Direction, Signal};
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{EventRow, History, HistoryError, ScanOptions};
use forewarn_rules::incident::{Check, Fault, Seen, Watched, WatchedSeries, What};
use forewarn_rules::series::Series;
use std::collections::BTreeMap;

/// Half a failed check is a failed one: some statistics average.
const FAILED_FROM: f64 = 0.5;

/// Everything about one instance.
#[derive(Debug)]
pub(super) struct One {
    pub(super) account: String,
    pub(super) region: String,
    /// The time of its last sample, milliseconds.
    pub(super) last: Option<i64>,
    pub(super) series: Vec<WatchedSeries>,
    pub(super) seen: Vec<Seen>,
}

/// Hands over every instance that has samples or events in `[from, to)`, one at a time.
pub(super) fn each_instance(
    history: &History,
    from: i64,
    to: i64,
    mut events: BTreeMap<String, Vec<EventRow>>,
    mut each: impl FnMut(One),
) -> Result<(), HistoryError> {
    let manifest = history.manifest();
    let map = SignalMap::new(manifest.signal_map.clone());
    let delay_ms = i64::from(manifest.availability_delay_s) * 1000;
    let options = ScanOptions { from_ms: Some(from), to_ms: Some(to), instance: None };
    for bucket in 0..history.buckets() {
        let mut gather = SeriesCollector::new(&map, delay_ms, |g: &CollectedInstance<'_>| {
            let known = events.remove(g.instance_id).unwrap_or_default();
            each(One {
                account: g.account.to_owned(),
                region: g.region.to_owned(),
                last: g.tracks.iter().filter_map(|(track, _)| track.ts.last().copied()).max(),
                series: g.tracks.iter().filter_map(|(track, _)| series_of(g.instance_id, track)).collect(),
                seen: known.iter().filter_map(seen_of).collect(),
            });
            Ok(())
        });
        history.scan_with(bucket, &options, &mut gather)?;
    }
    for rows in events.values() {
        each(One {
            account: "unknown".to_owned(),
            region: "unknown".to_owned(),
            last: None,
            series: Vec::new(),
            seen: rows.iter().filter_map(seen_of).collect(),
        });
    }
    Ok(())
}

/// Reads a track, normalised, as good and bad points; none for signals that say nothing about failures.
pub fn series_of(instance_id: &str, track: &Series) -> Option<WatchedSeries> {
    let (watched, bad_from, direction) = match track.signal {
        Signal::Status => (Watched::Check(check_of(&track.metric)), FAILED_FROM, Direction::Up),
        Signal::Maintenance | Signal::Log | Signal::Anomaly => return None,
        Signal::Cpu
        | Signal::Steal
        | Signal::Iowait
        | Signal::Memory
        | Signal::Disk
        | Signal::Credits
        | Signal::Queue
        | Signal::NetDrop
        | Signal::Ena
        | Signal::Ebs => {
            let spec = track.signal.spec();
            (Watched::Signal(track.signal), spec.critical, spec.direction)
        }
    };
    let bad = |sample: f64| {
        let value = sample.mul_add(track.scale, track.offset);
        match direction {
            Direction::Up => value >= bad_from,
            Direction::Down => value <= bad_from,
        }
    };
    let mut points: Vec<(i64, bool)> = Vec::with_capacity(track.ts.len());
    for (&ts, &value) in track.ts.iter().zip(&track.value) {
        // Of several versions the last one is the one that holds.
        if points.last().is_some_and(|(last, _)| *last == ts) {
            points.pop();
        }
        points.push((ts, bad(value)));
    }
    Some(WatchedSeries { instance_id: instance_id.to_owned(), watched, period_ms: track.period_ms, points })
}

fn check_of(metric: &str) -> Check {
    match metric {
        "StatusCheckFailed_System" => Check::System,
        "StatusCheckFailed_Instance" => Check::Instance,
        "StatusCheckFailed_AttachedEBS" => Check::AttachedEbs,
        _ => Check::Any,
    }
}

/// Reads a row of the events' table; none where it bears on no incident.
pub fn seen_of(row: &EventRow) -> Option<Seen> {
    let kind = row.kind.strip_prefix("instance.").unwrap_or(&row.kind);
    let (ts, what) = match (kind, row.code.as_str()) {
        ("state" | "state_changed", "pending" | "running") => (row.ts, What::Up),
        ("state" | "state_changed", "stopping" | "stopped" | "shutting-down" | "terminated") => {
            (row.ts, What::Down(row.detail.clone().filter(|d| !d.is_empty())))
        }
        ("left", "terminated" | "scale_in" | "spot" | "recovery" | "maintenance") => (row.ts, What::Planned),
        ("spot.interruption_warned", _) => (row.starts_at.unwrap_or(row.ts), What::Planned),
        ("check_failed", code) => {
            let check = match code {
                "system" => Check::System,
                "instance" => Check::Instance,
                "attached_ebs" => Check::AttachedEbs,
                _ => Check::Any,
            };
            let since = row.starts_at.unwrap_or(row.ts).min(row.ts);
            let minutes = u32::try_from(row.ts.saturating_sub(since) / 60_000).unwrap_or(u32::MAX);
            (since, What::CheckFailed(check, minutes))
        }
        ("log.matched", pattern) => (row.ts, What::Fault(fault_of(pattern)?)),
        ("group.unhealthy", "status_checks") => (row.ts, What::Fault(Fault::StatusChecks)),
        ("probe", "down") => (row.ts, What::Fault(Fault::ProbeDown)),
        _ => return None,
    };
    Some(Seen { instance_id: row.instance_id.clone(), ts, what })
}

/// Reads what a pattern's name says.
fn fault_of(pattern: &str) -> Option<Fault> {
    let name = pattern.to_ascii_lowercase().replace('-', "_");
    let has = |part: &str| name.contains(part);
    match () {
        () if has("oom") || has("out_of_memory") => Some(Fault::OomKill),
        () if has("panic") => Some(Fault::KernelPanic),
        () if has("read_only") || has("readonly") => Some(Fault::ReadOnlyFs),
        () if has("probe_down") || has("health_check_down") => Some(Fault::ProbeDown),
        () => None,
    }
}
