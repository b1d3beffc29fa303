//! Where an instance is a target, and how it stands there.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthDescription, TargetTypeEnum};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Target groups that are looked through at most: one call each.
const GROUPS: usize = 400;
/// Target groups of one page.
const PAGE: i32 = 400;

/// Where an instance is a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Target {
    /// The target group.
    pub(in super::super) arn: String,
    /// The port; without one, the group's own.
    pub(in super::super) port: Option<i32>,
}

/// How a target stands in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not registered.
    Absent,
    /// It is being let go.
    Draining,
    /// It serves, or it would if a load balancer used the group.
    Healthy,
    /// It is registered, and does not serve.
    Unwell,
    /// There is no such group any more.
    NoGroup,
}

/// Finds the groups in which an instance is a target now.
pub(super) async fn of_instance(aws: &AwsRecovery, instance: &str) -> Result<Vec<Target>, String> {
    let mut found = Vec::new();
    for arn in groups(aws).await? {
        let call = aws.elb.describe_target_health().target_group_arn(&arn);
        let seen = match ask("elasticloadbalancing:DescribeTargetHealth", call.send()).await {
            // It went while we looked.
            Err(e) if e.code.starts_with("TargetGroupNotFound") => continue,
            other => other?.target_health_descriptions.unwrap_or_default(),
        };
        let is_here = |d: &&TargetHealthDescription| d.target().and_then(|t| t.id()) == Some(instance);
        let here = seen.iter().filter(is_here).filter(|d| !matches!(of(d), Standing::Absent | Standing::Draining));
        found.extend(here.map(|d| Target { arn: arn.clone(), port: d.target().and_then(TargetDescription::port) }));
    }
    Ok(found)
}

/// Gives the groups whose targets are instances.
async fn groups(aws: &AwsRecovery) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let call = aws.elb.describe_target_groups().page_size(PAGE).set_marker(next);
        let page = ask("elasticloadbalancing:DescribeTargetGroups", call.send()).await?;
        for group in page.target_groups.unwrap_or_default() {
            let is_of_instances = group.target_type().is_none_or(|t| *t == TargetTypeEnum::Instance);
            found.extend(group.target_group_arn.filter(|_| is_of_instances));
        }
        if found.len() > GROUPS {
            let words = format!("there are more than {GROUPS} target groups: too many to look through");
            return Err(CallError { code: String::new(), words, definitely_not_applied: true });
        }
        next = page.next_marker.filter(|m| !m.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Looks how an instance stands in a group, by port.
pub(super) async fn standing(
    aws: &AwsRecovery,
    arn: &str,
    instance: &str,
    ports: &[Option<i32>],
) -> Result<Vec<(Option<i32>, Standing)>, CallError> {
    let call = aws.elb.describe_target_health().target_group_arn(arn);
    let call = call.set_targets(Some(super::descriptions(instance, ports)));
    let all = |s: Standing| ports.iter().map(|p| (*p, s)).collect();
    let seen = match ask("elasticloadbalancing:DescribeTargetHealth", call.send()).await {
        Err(e) if e.code.starts_with("TargetGroupNotFound") => return Ok(all(Standing::NoGroup)),
        Err(e) if e.code.starts_with("InvalidTarget") => return Ok(all(Standing::Absent)),
        other => other?.target_health_descriptions.unwrap_or_default(),
    };
    let one = |port: Option<i32>| {
        let fits = |d: &&TargetHealthDescription| {
            d.target().is_some_and(|t| t.id() == Some(instance) && (port.is_none() || t.port() == port))
        };
        (port, seen.iter().find(fits).map_or(Standing::Absent, of))
    };
    Ok(ports.iter().copied().map(one).collect())
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html#target-health-states>
fn of(described: &TargetHealthDescription) -> Standing {
    let health = described.target_health();
    let reason = health.and_then(|h| h.reason()).map_or("", |r| r.as_str());
    match (health.and_then(|h| h.state()).map_or("", |s| s.as_str()), reason) {
        (_, "Target.NotRegistered") => Standing::Absent,
        ("draining" | "unhealthy.draining", _) => Standing::Draining,
        ("healthy", _) | ("unused", "Target.NotInUse") => Standing::Healthy,
        _ => Standing::Unwell,
    }
}

/// Writes targets as tags of the instance, which outlive the log.
pub(in super::super) fn to_tags(targets: &[Target]) -> Vec<(String, String)> {
    let value = |t: &Target| t.port.map_or_else(|| t.arn.clone(), |port| format!("{} {port}", t.arn));
    targets.iter().enumerate().map(|(n, t)| (format!("forewarn:target-{n}"), value(t))).collect()
}

/// Reads targets from the tags of the instance.
pub(in super::super) fn from_tags(tags: &BTreeMap<String, String>) -> Vec<Target> {
    let read = |(key, value): (&String, &String)| {
        key.strip_prefix("forewarn:target-")?.parse::<usize>().ok()?;
        match value.split_once(' ') {
            Some((arn, port)) => Some(Target { arn: arn.to_owned(), port: Some(port.trim().parse().ok()?) }),
            None => Some(Target { arn: value.clone(), port: None }),
        }
    };
    tags.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back_from_tags_and_what_is_no_target_is_passed_over() {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";
        let targets = [Target { arn: arn.to_owned(), port: Some(8080) }, Target { arn: arn.to_owned(), port: None }];
        let mut tags: BTreeMap<_, _> = to_tags(&targets).into_iter().collect();
        tags.insert("forewarn:target-x".to_owned(), arn.to_owned());
        tags.insert("forewarn:target-9".to_owned(), format!("{arn} many"));
        assert_eq!(from_tags(&tags), targets);
    }
}
