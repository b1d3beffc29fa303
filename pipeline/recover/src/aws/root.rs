//! The root volume, replaced in place.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads;
use super::record::Unreadable;
use super::snapshots;
use super::step::{Found, Performed, Step};
use super::tags;
use aws_sdk_ec2::types::{ReplaceRootVolumeTask, ResourceType};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// How long until a replacement is looked at again, milliseconds.
const AGAIN_MS: i64 = 10_000;

/// The call's arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Arguments {
    at_ms: UnixMs,
    snapshot: String,
    /// The volume that is replaced; it is kept.
    old: String,
    device: String,
}

#[derive(Debug)]
pub(super) struct ReplaceRoot;

impl Step for ReplaceRoot {
    const KIND: StepKind = StepKind::ReplaceRoot;
    type Precondition = Arguments;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Arguments, String> {
        let view = ec2_reads::require_instance_view(aws, &request.subject).await?;
        let root = view.root().ok_or_else(|| format!("{} has no root volume in EBS", request.subject))?;
        let taken = snapshots::known(aws, request).await?.into_iter().find(|t| t.volume == root.volume);
        let taken = taken.ok_or_else(|| format!("this plan has no snapshot of the root volume {}", root.volume))?;
        Ok(Arguments {
            at_ms: request.now_ms,
            snapshot: taken.snapshot,
            old: root.volume.clone(),
            device: root.device.clone(),
        })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, with: &Arguments) -> Performed {
        replace(aws, request, with).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, _with: Result<Arguments, Unreadable>) -> Found {
        let found = task(aws, request).await?;
        Ok(found.filter(|t| state(t) == "succeeded").and_then(|t| t.replace_root_volume_task_id))
    }
}

async fn replace(aws: &AwsRecovery, request: &StepRequest, with: &Arguments) -> Result<StepOutcome, StepOutcome> {
    let task = match task(aws, request).await.map_err(CallError::unknown)? {
        Some(task) => task,
        None => begin(aws, request, with).await?,
    };
    let id = task.replace_root_volume_task_id().unwrap_or("the task").to_owned();
    let who = &request.subject;
    Ok(match state(&task) {
        "succeeded" => {
            tags::try_tags(aws, &with.old, &[("forewarn:replaced-by", id.as_str())]).await;
            StepOutcome::Done(id)
        }
        "failed" | "failing" => StepOutcome::Failed(format!(
            "the replacement of the root volume of {who} has failed ({id}); the old one is in place"
        )),
        "failed-detached" => StepOutcome::Failed(format!(
            "the replacement of the root volume of {who} has failed ({id}) and left it without one: a person must attach {} as {}",
            with.old, with.device
        )),
        _ => StepOutcome::Waiting(AGAIN_MS),
    })
}

async fn begin(
    aws: &AwsRecovery,
    request: &StepRequest,
    with: &Arguments,
) -> Result<ReplaceRootVolumeTask, StepOutcome> {
    let call = aws.ec2.create_replace_root_volume_task();
    let call = call
        .instance_id(&request.subject)
        .snapshot_id(&with.snapshot)
        .client_token(&request.token)
        .delete_replaced_root_volume(false)
        .tag_specifications(tags::marks(request, ResourceType::ReplaceRootVolumeTask, &[]));
    let made = ask("ec2:CreateReplaceRootVolumeTask", call.send()).await.map_err(CallError::outcome)?;
    made.replace_root_volume_task.ok_or_else(|| StepOutcome::Unknown("the reply names no task".to_owned()))
}

/// Finds the task of this step.
async fn task(aws: &AwsRecovery, request: &StepRequest) -> Result<Option<ReplaceRootVolumeTask>, CallError> {
    let call = aws.ec2.describe_replace_root_volume_tasks();
    let call = call.filters(ec2_reads::filter("instance-id", [request.subject.clone()]));
    let found = ask("ec2:DescribeReplaceRootVolumeTasks", call.send()).await?;
    let is_ours = |t: &ReplaceRootVolumeTask| tags::value(t.tags(), tags::STEP) == Some(&request.token);
    Ok(found.replace_root_volume_tasks.unwrap_or_default().into_iter().find(is_ours))
}

fn state(task: &ReplaceRootVolumeTask) -> &str {
    task.task_state().map_or("pending", |s| s.as_str())
}
