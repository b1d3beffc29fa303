//! A member of a group, and the group.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads;
use aws_sdk_autoscaling::types::AutoScalingGroup;

/// A member of a group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) lifecycle: String,
    pub(super) health: String,
}

impl Member {
    /// Says whether the group has given it up, or is about to.
    pub(super) fn is_given_up(&self) -> bool {
        let is_ending = ["Terminating", "Terminated"].iter().any(|state| self.lifecycle.starts_with(state));
        is_ending || self.health.eq_ignore_ascii_case("unhealthy")
    }
}

/// Looks at an instance as a member; none where it is in no group.
pub(super) async fn member(aws: &AwsRecovery, instance: &str) -> Result<Option<Member>, CallError> {
    let call = aws.autoscaling.describe_auto_scaling_instances().instance_ids(instance);
    let found = ask("autoscaling:DescribeAutoScalingInstances", call.send()).await?;
    let mut found = found.auto_scaling_instances.unwrap_or_default().into_iter();
    let read = |i: aws_sdk_autoscaling::types::AutoScalingInstanceDetails| {
        (i.instance_id.as_deref() == Some(instance)).then_some(())?;
        let (lifecycle, health) = (i.lifecycle_state?, i.health_status.unwrap_or_default());
        Some(Member { group: i.auto_scaling_group_name?, lifecycle, health })
    };
    Ok(found.find_map(read))
}

/// Gives the group of an instance, by its tag where it has left already.
pub(super) async fn group_of(aws: &AwsRecovery, instance: &str) -> Result<Option<String>, String> {
    if let Some(member) = member(aws, instance).await? {
        return Ok(Some(member.group));
    }
    let view = ec2_reads::instance_view(aws, instance).await?;
    Ok(view.and_then(|m| m.tags.get("aws:autoscaling:groupName").cloned()))
}

/// Looks at a group; none where there is no such group.
pub(super) async fn group(aws: &AwsRecovery, name: &str) -> Result<Option<AutoScalingGroup>, CallError> {
    let call = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name);
    let found = ask("autoscaling:DescribeAutoScalingGroups", call.send()).await?;
    Ok(found.auto_scaling_groups.unwrap_or_default().into_iter().next())
}
