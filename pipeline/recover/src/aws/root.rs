//! The root volume, replaced in place.

use super::super::hands::{Errand, Reply};
use super::call::Trouble;
use super::sight;
use super::snapshots;
use super::{AwsHands, Part};
use aws_sdk_ec2::types::{ReplaceRootVolumeTask, ResourceType};
use serde::{Deserialize, Serialize};

/// How long until a replacement is looked at again, milliseconds.
const AGAIN_MS: i64 = 10_000;

/// The replacement of a root volume.
#[derive(Debug)]
pub(super) struct Root;

/// The call's arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Arguments {
    at_ms: i64,
    snapshot: String,
    /// The volume that is replaced; it is kept.
    old: String,
    device: String,
}

impl Part for Root {
    fn prepare(&self, hands: &AwsHands, errand: &Errand) -> Result<String, String> {
        if let Some(before) = sight::settled(errand) {
            return Ok(before);
        }
        let machine = sight::must_see(hands, &errand.subject)?;
        let root = machine.root().ok_or_else(|| format!("{} has no root volume in EBS", errand.subject))?;
        let known = match snapshots::came_of_step(errand) {
            Some(set) => set,
            None => snapshots::of_plan(hands, errand).map_err(sight::words)?,
        };
        let taken = known.into_iter().find(|t| t.volume == root.volume);
        let taken = taken.ok_or_else(|| format!("this plan has no snapshot of the root volume {}", root.volume))?;
        sight::freeze(&Arguments {
            at_ms: errand.now_ms,
            snapshot: taken.snapshot,
            old: root.volume.clone(),
            device: root.device.clone(),
        })
    }

    fn perform(&self, hands: &AwsHands, errand: &Errand) -> Reply {
        sight::either(replace(hands, errand))
    }

    fn find(&self, hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
        let found = task(hands, errand).map_err(sight::words)?;
        Ok(found.filter(|t| state(t) == "succeeded").and_then(|t| t.replace_root_volume_task_id))
    }
}

fn replace(hands: &AwsHands, errand: &Errand) -> Result<Reply, Reply> {
    let with: Arguments = sight::before(errand)?;
    let task = match task(hands, errand).map_err(sight::unread)? {
        Some(task) => task,
        None => ask(hands, errand, &with)?,
    };
    let id = task.replace_root_volume_task_id().unwrap_or("the task").to_owned();
    let who = &errand.subject;
    Ok(match state(&task) {
        "succeeded" => {
            sight::try_tags(hands, &with.old, &[("forewarn:replaced-by", id.as_str())]);
            Reply::Done(id)
        }
        "failed" | "failing" => Reply::Failed(format!(
            "the replacement of the root volume of {who} has failed ({id}); the old one is in place"
        )),
        "failed-detached" => Reply::Failed(format!(
            "the replacement of the root volume of {who} has failed ({id}) and left it without one: a person must attach {} as {}",
            with.old, with.device
        )),
        _ => Reply::Waiting(AGAIN_MS),
    })
}

fn ask(hands: &AwsHands, errand: &Errand, with: &Arguments) -> Result<ReplaceRootVolumeTask, Reply> {
    let call = hands.ec2.create_replace_root_volume_task();
    let call = call
        .instance_id(&errand.subject)
        .snapshot_id(&with.snapshot)
        .client_token(&errand.token)
        .delete_replaced_root_volume(false)
        .tag_specifications(sight::marks(errand, ResourceType::ReplaceRootVolumeTask, &[]));
    let made = sight::ask(hands, "ec2:CreateReplaceRootVolumeTask", call.send()).map_err(Trouble::reply)?;
    made.replace_root_volume_task.ok_or_else(|| Reply::Unknown("the reply names no task".to_owned()))
}

/// Finds the task of this step.
fn task(hands: &AwsHands, errand: &Errand) -> Result<Option<ReplaceRootVolumeTask>, Trouble> {
    let call = hands.ec2.describe_replace_root_volume_tasks();
    let call = call.filters(sight::filter("instance-id", [errand.subject.clone()]));
    let found = sight::ask(hands, "ec2:DescribeReplaceRootVolumeTasks", call.send())?;
    let is_ours = |t: &ReplaceRootVolumeTask| sight::value(t.tags(), sight::STEP) == Some(&errand.token);
    Ok(found.replace_root_volume_tasks.unwrap_or_default().into_iter().find(is_ours))
}

fn state(task: &ReplaceRootVolumeTask) -> &str {
    task.task_state().map_or("pending", |s| s.as_str())
}
