//! Incidents that have been told of before.

use forewarn_history::IncidentRow;
use forewarn_log::event::incident::IncidentClass;
use forewarn_log::{Event, EventLog, LogError};
use forewarn_rules::incident::{Class, Known};
use forewarn_runtime::time::parse_instant;

/// Entries read at a time.
const PAGE: usize = 500;

/// Names the stream of an instance's incidents.
pub(super) fn stream(instance_id: &str) -> String {
    format!("incident/{instance_id}")
}

/// Reads those that the log tells of an instance.
pub(super) fn in_log(log: &dyn EventLog, instance_id: &str) -> Result<Vec<Known>, LogError> {
    let (stream, mut from, mut known) = (stream(instance_id), 1, Vec::new());
    loop {
        let page = log.read(&stream, from, PAGE)?;
        for entry in &page {
            let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
            let Event::IncidentObserved(i) = event else { continue };
            let Ok(ts) = parse_instant(&i.start, None) else { continue };
            known.push(Known {
                instance_id: i.instance_id,
                class: match i.class {
                    IncidentClass::Failure => Class::Failure,
                    IncidentClass::Saturation => Class::Saturation,
                },
                cause: i.cause,
                ts,
                until: i.end.and_then(|end| parse_instant(&end, None).ok()),
            });
        }
        match page.last() {
            Some(last) if page.len() == PAGE => from = last.version + 1,
            _ => return Ok(known),
        }
    }
}

/// Gives those of the history's table: all of them failures.
pub(super) fn of_rows(rows: &[IncidentRow]) -> Vec<Known> {
    let known = |r: &IncidentRow| Known {
        instance_id: r.instance_id.clone(),
        class: Class::Failure,
        cause: r.cause.clone(),
        ts: r.ts,
        until: None,
    };
    rows.iter().map(known).collect()
}
