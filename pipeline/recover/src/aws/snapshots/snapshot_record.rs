//! Snapshots that were taken, as they are found again.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads::{self, Disk};
use super::super::tags;
use super::StepRequest;
use aws_sdk_ec2::types::{Filter, Snapshot, SnapshotState};
use serde::{Deserialize, Serialize};

/// What is kept of a snapshot that a step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct SnapshotRecord {
    /// What it is of.
    pub(in super::super) volume: String,
    /// What it is.
    pub(in super::super) snapshot: String,
    /// Where the volume was attached.
    #[serde(default)]
    pub(in super::super) device: String,
    #[serde(skip)]
    state: String,
}

impl SnapshotRecord {
    pub(super) fn new(volume: String, snapshot: String, state: Option<&SnapshotState>) -> Option<Self> {
        let state = state.map_or_else(String::new, |s| s.as_str().to_owned());
        (!volume.is_empty() && !snapshot.is_empty()).then_some(Self { volume, snapshot, device: String::new(), state })
    }

    /// Reads EC2's description of one.
    pub(super) fn read(s: Snapshot) -> Option<Self> {
        let device = tags::value(s.tags(), "forewarn:device").unwrap_or_default().to_owned();
        let snapshot_record = Self::new(s.volume_id?, s.snapshot_id?, s.state.as_ref())?;
        Some(Self { device, ..snapshot_record })
    }

    /// Says whether nothing can be made of it.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.state.as_str(), "error" | "recoverable" | "recovering")
    }

    /// Says whether a volume can be made of it.
    pub(super) fn is_complete(&self) -> bool {
        self.state == "completed"
    }
}

/// Gives every complete snapshot of some volumes.
pub(super) async fn complete_of(aws: &AwsRecovery, disks: &[Disk]) -> Result<Vec<Snapshot>, CallError> {
    let volumes = disks.iter().map(|d| d.volume.clone());
    let filters = vec![ec2_reads::filter("volume-id", volumes), ec2_reads::filter("status", ["completed".to_owned()])];
    let call = aws.ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters));
    Ok(ask("ec2:DescribeSnapshots", call.send()).await?.snapshots.unwrap_or_default())
}

/// Finds what a step has taken.
pub(super) async fn of_step(aws: &AwsRecovery, token: &str) -> Result<Vec<SnapshotRecord>, CallError> {
    described(aws, vec![ec2_reads::tagged(tags::STEP, token)]).await
}

/// Finds what a plan has taken, where its log does not tell.
pub(in super::super) async fn of_plan(
    aws: &AwsRecovery,
    request: &StepRequest,
) -> Result<Vec<SnapshotRecord>, CallError> {
    let filters =
        vec![ec2_reads::tagged(tags::PLAN, &request.plan_id), ec2_reads::tagged(tags::RECOVERY, &request.recovery_id)];
    described(aws, filters).await
}

/// Looks at snapshots by id; those that can't be seen are left out.
pub(super) async fn by_id(
    aws: &AwsRecovery,
    ids: impl Iterator<Item = String>,
) -> Result<Vec<SnapshotRecord>, CallError> {
    described(aws, vec![ec2_reads::filter("snapshot-id", ids)]).await
}

async fn described(aws: &AwsRecovery, filters: Vec<Filter>) -> Result<Vec<SnapshotRecord>, CallError> {
    let call = aws.ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters));
    let found = ask("ec2:DescribeSnapshots", call.send()).await?.snapshots.unwrap_or_default();
    Ok(found.into_iter().filter_map(SnapshotRecord::read).collect())
}
