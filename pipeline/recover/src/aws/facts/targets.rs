//! Whether a load balancer has no other healthy target.

use super::super::AwsRecovery;
use super::super::call::ask;
use aws_sdk_ec2::types::Instance;
use aws_sdk_elasticloadbalancingv2::types::{TargetHealthDescription, TargetHealthStateEnum};

/// How many groups of a VPC are looked into.
const MOST_GROUPS: usize = 20;

/// Says whether in some target group of its VPC an instance is the only healthy target. Where there are more groups than are looked
/// into, nobody knows that it is not, and it counts as one.
pub(super) async fn is_last(aws: &AwsRecovery, id: &str, instance: &Instance) -> Result<bool, String> {
    let Some(vpc) = &instance.vpc_id else { return Ok(false) };
    let mut arns = Vec::new();
    let mut next = None;
    loop {
        let call = aws.elb.describe_target_groups().set_marker(next);
        let reply = ask("elasticloadbalancing:DescribeTargetGroups", call.send()).await?;
        let groups = reply.target_groups.unwrap_or_default().into_iter();
        arns.extend(groups.filter(|g| g.vpc_id.as_ref() == Some(vpc)).filter_map(|g| g.target_group_arn));
        next = reply.next_marker.filter(|m| !m.is_empty());
        if next.is_none() {
            break;
        }
    }
    let is_more = arns.len() > MOST_GROUPS;
    let mut reads = tokio::task::JoinSet::new();
    for arn in arns.into_iter().take(MOST_GROUPS) {
        let call = aws.elb.describe_target_health().target_group_arn(arn);
        reads.spawn(async move { ask("elasticloadbalancing:DescribeTargetHealth", call.send()).await });
    }
    let mut is_last = false;
    while let Some(read) = reads.join_next().await {
        let reply = read.map_err(|e| e.to_string())??;
        is_last |= is_last_of(id, reply.target_health_descriptions());
    }
    Ok(is_last || is_more)
}

fn is_last_of(id: &str, targets: &[TargetHealthDescription]) -> bool {
    let is_healthy = |t: &&TargetHealthDescription| {
        t.target_health.as_ref().and_then(|h| h.state.as_ref()) == Some(&TargetHealthStateEnum::Healthy)
    };
    let mut healthy = targets.iter().filter(is_healthy).filter_map(|t| t.target.as_ref()?.id.as_deref()).peekable();
    // One instance may be registered with several ports.
    healthy.peek().is_some() && healthy.all(|target| target == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealth};

    fn target(id: &str, port: i32, state: TargetHealthStateEnum) -> TargetHealthDescription {
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(id).port(port).build())
            .target_health(TargetHealth::builder().state(state).build())
            .build()
    }

    #[test]
    fn the_last_healthy_target_has_no_other_beside_it() {
        use TargetHealthStateEnum::{Healthy, Unhealthy};
        let own = [target("i-1", 80, Healthy), target("i-1", 81, Healthy)];
        assert!(is_last_of("i-1", &own));
        assert!(is_last_of("i-1", &[own[0].clone(), target("i-2", 80, Unhealthy)]));
        assert!(!is_last_of("i-1", &[own[0].clone(), target("i-2", 80, Healthy)]));
        assert!(!is_last_of("i-1", &[target("i-1", 80, Unhealthy)]));
        assert!(!is_last_of("i-1", &[]));
    }
}
