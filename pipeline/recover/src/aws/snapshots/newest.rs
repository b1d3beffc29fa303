//! The newest whole set of snapshots of an instance that is not too old.
//!
//! Snapshots are a set when they carry the same tag: ours ([`STEP`]), or one that people's own backups set ([`SET`]).

use super::super::AwsRecovery;
use super::super::call::CallError;
use super::super::ec2_reads::{self, Disk, unix_ms};
use super::super::record::done_with;
use super::super::tags::{self, STEP};
use super::{SnapshotRecord, StepOutcome, StepRequest, snapshot_record};
use aws_sdk_ec2::types::Snapshot;
use forewarn_domain::time::UnixMs;
use forewarn_runtime::time::format_ms;
use std::collections::BTreeMap;

/// The tag by which people's own backups say which snapshots belong together.
const SET: &str = "forewarn:set";

/// A set, as far as it goes.
#[derive(Debug, Default)]
struct Set {
    snapshot_record: Vec<SnapshotRecord>,
    /// When the first of it was taken.
    at_ms: Option<UnixMs>,
}

/// Looks for it; there being none is for people to deal with.
pub(super) async fn find(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let view = ec2_reads::require_instance_view(aws, &request.subject).await.map_err(StepOutcome::Unknown)?;
    let found = snapshot_record::complete_of(aws, &view.disks).await.map_err(CallError::unknown)?;
    let newest = newest(found, &view.disks);
    let oldest_ms = request.now_ms.saturating_sub(request.policy.recovery_point_ms);
    match newest {
        Some((at_ms, set)) if at_ms >= oldest_ms => done_with(&set),
        Some((at_ms, _)) => Ok(StepOutcome::Failed(format!(
            "the newest whole set of snapshots of {} is of {}, and may be {} h old",
            request.subject,
            format_ms(at_ms.0),
            request.policy.recovery_point_ms / 3_600_000
        ))),
        None => Ok(StepOutcome::Failed(format!("there is no whole set of complete snapshots of {}", request.subject))),
    }
}

/// Gives the newest set that has every volume, complete.
fn newest(found: Vec<Snapshot>, disks: &[Disk]) -> Option<(UnixMs, Vec<SnapshotRecord>)> {
    let mut sets = BTreeMap::<String, Set>::new();
    for snapshot in found {
        let mark = [STEP, SET].iter().find_map(|key| tags::value(snapshot.tags(), key)).map(str::to_owned);
        let at_ms = unix_ms(snapshot.start_time.as_ref());
        let snapshot_record = SnapshotRecord::read(snapshot).filter(SnapshotRecord::is_complete);
        if let (Some(mark), Some(at_ms), Some(snapshot_record)) = (mark, at_ms, snapshot_record) {
            let set = sets.entry(mark).or_default();
            set.at_ms = Some(set.at_ms.map_or(at_ms, |first| first.min(at_ms)));
            set.snapshot_record.push(snapshot_record);
        }
    }
    let whole = sets.into_values().filter_map(|set| {
        let of = |disk: &Disk| {
            let mut snapshot_record = set.snapshot_record.iter().find(|t| t.volume == disk.volume)?.clone();
            snapshot_record.device.clone_from(&disk.device);
            Some(snapshot_record)
        };
        Some((set.at_ms?, disks.iter().map(of).collect::<Option<Vec<_>>>()?))
    });
    whole.filter(|(_, snapshot_record)| !snapshot_record.is_empty()).max_by_key(|(at_ms, _)| *at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::SnapshotState;

    fn disk(volume: &str) -> Disk {
        Disk { volume: volume.to_owned(), device: format!("/dev/{volume}"), delete_on_termination: true }
    }

    fn snapshot(id: &str, volume: &str, mark: (&str, &str), at_s: i64, state: SnapshotState) -> Snapshot {
        let tags = tags::tag(mark.0, mark.1);
        let made = Snapshot::builder().snapshot_id(id).volume_id(volume).state(state).tags(tags);
        made.start_time(DateTime::from_secs(at_s)).build()
    }

    #[test]
    fn a_set_that_lacks_a_volume_or_is_not_complete_is_passed_over() {
        use SnapshotState::{Completed, Pending};
        let night = (SET, "night");
        let found = vec![
            snapshot("s1", "a", night, 100, Completed),
            snapshot("s2", "b", night, 101, Completed),
            snapshot("s3", "a", (STEP, "x"), 200, Completed),
            snapshot("s4", "a", (STEP, "y"), 300, Completed),
            snapshot("s5", "b", (STEP, "y"), 300, Pending),
            snapshot("s6", "a", ("Name", "z"), 400, Completed),
            snapshot("s7", "b", ("Name", "z"), 400, Completed),
        ];
        let (at_ms, set) = newest(found, &[disk("a"), disk("b")]).unwrap();
        let ids: Vec<&str> = set.iter().map(|t| t.snapshot.as_str()).collect();
        assert_eq!((at_ms, ids), (UnixMs(100_000), vec!["s1", "s2"]));
        assert_eq!(set[1].device, "/dev/b");
        assert!(newest(Vec::new(), &[disk("a")]).is_none());
    }
}
