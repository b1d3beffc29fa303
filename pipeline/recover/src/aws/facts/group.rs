//! The Auto Scaling group of an instance.

use super::super::AwsRecovery;
use super::super::call::ask;
use super::super::tags;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState, SuspendedProcess};
use aws_sdk_ec2::types::Instance;
use forewarn_recovery::admission::Health;
use forewarn_recovery::facts::Group;

/// A group, and how its members are.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) group: Group,
    pub(super) health: Health,
}

/// Finds the group by the tag that Auto Scaling gives its members, or by asking for the member; none without one.
pub(super) async fn of(aws: &AwsRecovery, id: &str, instance: &Instance) -> Result<Option<Membership>, String> {
    let tagged = tags::by_key(instance.tags()).remove("aws:autoscaling:groupName");
    let name = match tagged {
        Some(name) => Some(name),
        None => by_member(aws, id).await?,
    };
    let Some(name) = name else { return Ok(None) };
    let call = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(&name);
    let reply = ask("autoscaling:DescribeAutoScalingGroups", call.send()).await?;
    let group = reply.auto_scaling_groups.unwrap_or_default().into_iter().next();
    let group = group.ok_or_else(|| format!("{id} says that its group is {name}, which Auto Scaling does not know"))?;
    Ok(Some(membership(name, &group)))
}

async fn by_member(aws: &AwsRecovery, id: &str) -> Result<Option<String>, String> {
    let call = aws.autoscaling.describe_auto_scaling_instances().instance_ids(id);
    let reply = ask("autoscaling:DescribeAutoScalingInstances", call.send()).await?;
    Ok(reply.auto_scaling_instances.unwrap_or_default().into_iter().find_map(|i| i.auto_scaling_group_name))
}

fn membership(name: String, group: &AutoScalingGroup) -> Membership {
    let members = group.instances.as_deref().unwrap_or_default();
    let in_service = members.iter().filter(|m| m.lifecycle_state == Some(LifecycleState::InService)).count();
    let unhealthy = members.iter().filter(|m| m.health_status.as_deref() != Some("Healthy")).count();
    // Without its minimum it is unknown how many it can spare: none.
    let minimum = group.min_size.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
    let suspended = group.suspended_processes.as_deref().unwrap_or_default().iter().filter(|p| is_of_a_person(p));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Membership {
        group: Group {
            name,
            suspended: suspended.filter_map(|p| p.process_name.clone()).collect(),
            at_minimum: in_service.saturating_sub(1) < minimum,
        },
        health: Health { members: count(members.len()), impaired: count(unhealthy) },
    }
}

/// AWS gives "User suspended at …" for what people suspend; where it gives no reason, it may have been a person.
fn is_of_a_person(process: &SuspendedProcess) -> bool {
    let reason = process.suspension_reason.as_deref().unwrap_or_default();
    reason.is_empty() || reason.starts_with("User suspended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_autoscaling::types::Instance as Member;

    fn member(state: LifecycleState, health: &str) -> Member {
        Member::builder().lifecycle_state(state).health_status(health).build()
    }

    #[test]
    fn a_group_can_spare_whom_its_minimum_leaves_over() {
        let group = |minimum: i32| {
            AutoScalingGroup::builder()
                .min_size(minimum)
                .instances(member(LifecycleState::InService, "Healthy"))
                .instances(member(LifecycleState::InService, "Unhealthy"))
                .instances(member(LifecycleState::Standby, "Healthy"))
                .build()
        };
        let at_minimum = |minimum| membership("g".to_owned(), &group(minimum)).group.at_minimum;
        assert_eq!([at_minimum(0), at_minimum(1), at_minimum(2)], [false, false, true]);
        assert!(membership("g".to_owned(), &AutoScalingGroup::builder().build()).group.at_minimum);
        assert_eq!(membership("g".to_owned(), &group(1)).health, Health { members: 3, impaired: 1 });
    }

    #[test]
    fn what_aws_suspended_is_not_a_persons() {
        let process = |name: &str, reason: Option<&str>| {
            let reason = reason.map(str::to_owned);
            SuspendedProcess::builder().process_name(name).set_suspension_reason(reason).build()
        };
        let group = AutoScalingGroup::builder()
            .suspended_processes(process("Launch", Some("User suspended at 2026-01-01T00:00:00Z")))
            .suspended_processes(process("Terminate", None))
            .suspended_processes(process("AZRebalance", Some("Administrative suspension")))
            .build();
        assert_eq!(membership("g".to_owned(), &group).group.suspended, ["Launch", "Terminate"]);
    }
}
