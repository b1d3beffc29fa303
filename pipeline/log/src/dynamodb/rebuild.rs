//! Folds the whole log again, and says whether the newest snapshot is what the log says.

use super::super::checkpoint::Prefix;
use super::super::port::LogError;
use super::super::report::RebuildReport;
use super::super::table::TABLES;
use super::api::Api;
use super::pruned::Pruned;
use super::{read, snapshot};
use std::collections::BTreeMap;

/// Entries read at a time.
const PAGE: usize = 1000;

/// Rebuilds; see [`super::DynamoLog::rebuild`].
pub(super) fn rebuild(api: &Api, mark: &str) -> Result<RebuildReport, LogError> {
    Pruned::steady(api, |pruned| after(api, pruned, mark))
}

fn after(api: &Api, pruned: Option<&Pruned>, mark: &str) -> Result<RebuildReport, LogError> {
    let checkpoint = pruned.map(|p| snapshot::checkpoint(api, p)).transpose()?;
    let mut log = Prefix::after(checkpoint.as_ref())?;
    let kept = snapshot::newest(api)?;
    let mut report = RebuildReport::default();
    loop {
        if log.walk.position == kept.walk.position {
            compare(&kept, &log, &mut report)?;
        }
        let most = match kept.walk.position.checked_sub(log.walk.position) {
            Some(left @ 1..) => usize::try_from(left).unwrap_or(PAGE).min(PAGE),
            _ => PAGE,
        };
        let page = read::after(api, log.walk.position, most)?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            log.check_and_take(entry)?;
            report.entries += 1;
        }
    }
    if log.walk.position > kept.walk.position {
        snapshot::keep(api, &log, mark)?;
    } else if !report.identical {
        snapshot::replace(api, &log, mark)?;
    }
    for table in TABLES {
        report.rows.insert(table.name(), log.projection.table(table).count() as u64);
    }
    report.unknown = std::mem::take(&mut log.projection.unknown);
    Ok(report)
}

/// Compares what was kept with what the log says at the same place.
fn compare(kept: &Prefix, log: &Prefix, report: &mut RebuildReport) -> Result<(), LogError> {
    let (was, now) = (&kept.projection.rows, &log.projection.rows);
    let mut sides: BTreeMap<_, (Option<&_>, Option<&_>)> = BTreeMap::new();
    for (key, row) in was {
        sides.entry(key).or_default().0 = Some(row);
    }
    for (key, row) in now {
        sides.entry(key).or_default().1 = Some(row);
    }
    for (key, (was, now)) in sides.into_iter().filter(|(_, (was, now))| was != now) {
        let text = |row| serde_json::to_string(row).map_err(|e| LogError::unavailable("compare current state", e));
        let (was, now) = (was.map(text).transpose()?, now.map(text).transpose()?);
        report.differs(key.table, &key.id, was.as_deref(), now.as_deref());
    }
    Ok(())
}
