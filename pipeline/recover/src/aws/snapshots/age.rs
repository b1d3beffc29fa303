//! How old the newest snapshots are from which all volumes could be made.

use super::super::AwsRecovery;
use super::super::ec2_reads::{self, Disk, unix_ms};
use super::snapshot_record;
use aws_sdk_ec2::types::Snapshot;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::Read;

/// Gives the age of the newest complete snapshot of each volume of an instance, the oldest of these, milliseconds.
pub(in super::super) async fn age(aws: &AwsRecovery, id: &str, now: UnixMs) -> Read<Option<i64>> {
    let disks = match ec2_reads::require_instance_view(aws, id).await {
        Ok(view) => view.disks,
        Err(why) => return Read::Failed(why),
    };
    if disks.is_empty() {
        return Read::Absent("it has no volumes".to_owned());
    }
    match snapshot_record::complete_of(aws, &disks).await {
        Ok(found) => Read::Known(oldest(&disks, &found, now)),
        Err(error) => Read::Failed(error.words),
    }
}

/// A snapshot holds what was there when it was asked for; none if a volume has none.
fn oldest(disks: &[Disk], snapshots: &[Snapshot], now: UnixMs) -> Option<i64> {
    let newest = |disk: &Disk| {
        let of_it = snapshots.iter().filter(|s| s.volume_id() == Some(&disk.volume));
        of_it.filter_map(|s| unix_ms(s.start_time())).max()
    };
    let at: Option<Vec<UnixMs>> = disks.iter().map(newest).collect();
    Some(now.since(at?.into_iter().min()?).max(0))
}
