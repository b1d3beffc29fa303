//! Settles what a successor is launched with: what the policy names, and for the rest what the old instance is.

use super::super::AwsRecovery;
use super::super::call::ask;
use super::super::ec2_reads::{instance, zone};
use super::super::snapshots::SnapshotRecord;
use super::super::tags;
use super::arguments::{Arguments, MOST_TYPES, Metadata, Template, UserData, is_burstable};
use super::devices;
use super::subnet;
use aws_sdk_ec2::types::{Instance, InstanceAttributeName, MonitoringState, Tenancy};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::id::sha256_hex;
use forewarn_recovery::policy::Policy;

/// What is wanted.
#[derive(Debug)]
pub(in crate::aws) struct ActionRequest<'a> {
    pub(in crate::aws) action: RecoveryAction,
    pub(in crate::aws) subject: &'a str,
    pub(in crate::aws) policy: &'a Policy,
    /// The snapshots that its volumes are made of, where it takes the old one's data over.
    pub(in crate::aws) snapshots: Option<Vec<SnapshotRecord>>,
}

/// Settles all of it but for the tags that say which launch it is. It only reads.
pub(in crate::aws) async fn settle(aws: &AwsRecovery, wanted: &ActionRequest<'_>) -> Result<Arguments, String> {
    if wanted.action.leaves_region() {
        return elsewhere(aws, wanted).await;
    }
    let replacement = &wanted.policy.targets.replacement;
    let old = instance(&aws.ec2, wanted.subject).await?;
    let old = old.ok_or_else(|| format!("EC2 knows no instance {} in {}", wanted.subject, aws.region))?;
    let own_type = old.instance_type.as_ref().map(|t| t.as_str().to_owned());
    let mut to = match &replacement.launch_template {
        Some(name) => from_template(aws, name).await?,
        None => captured(aws, wanted, &old).await?,
    };
    to.region.clone_from(&aws.region);
    if replacement.image_id.is_some() {
        // Another image may name its devices otherwise, and brings its own.
        to.devices.clear();
        to.image.clone_from(&replacement.image_id);
    }
    let by_template = to.template.is_some() && replacement.instance_type.is_none();
    let first = if by_template { None } else { replacement.instance_type.clone().or_else(|| own_type.clone()) };
    to.types = types(first, &replacement.fallback_types);
    if wanted.action == RecoveryAction::FailOverZone {
        let kind = replacement.instance_type.as_ref().or(own_type.as_ref());
        to.subnet = Some(subnet::in_another_zone(aws, &old, replacement.subnet_id.as_deref(), kind).await?);
        to.zone = None;
    } else if replacement.subnet_id.is_some() {
        to.subnet.clone_from(&replacement.subnet_id);
        to.zone = None;
    }
    if let Some(group) = &replacement.security_group {
        to.groups = vec![group.clone()];
    }
    to.key = replacement.key_name.clone().or(to.key);
    if let Some(snapshots) = &wanted.snapshots {
        let (root, devices) = devices::from_snapshots(aws, &old, snapshots).await?;
        (to.image, to.root, to.devices) = (None, Some(root), devices);
    }
    to.tags = carried(&old);
    Ok(to)
}

fn types(first: Option<String>, fallbacks: &[String]) -> Vec<Option<String>> {
    let others = fallbacks.iter().filter(|t| first.as_ref() != Some(t)).cloned().map(Some).collect::<Vec<_>>();
    std::iter::once(first).chain(others).take(MOST_TYPES).collect()
}

async fn from_template(aws: &AwsRecovery, name: &str) -> Result<Arguments, String> {
    let call = aws.ec2.describe_launch_templates();
    let call = if name.starts_with("lt-") { call.launch_template_ids(name) } else { call.launch_template_names(name) };
    let reply = ask("ec2:DescribeLaunchTemplates", call.send()).await?;
    let version = reply.launch_templates.unwrap_or_default().into_iter().find_map(|t| t.default_version_number);
    let version = version.ok_or_else(|| format!("EC2 knows no launch template {name}"))?.to_string();
    Ok(Arguments { template: Some(Template { id: name.to_owned(), version }), ..Arguments::default() })
}

/// Takes the old instance's own configuration; what can't be said in a launch without a template is refused, not lost.
async fn captured(aws: &AwsRecovery, wanted: &ActionRequest<'_>, old: &Instance) -> Result<Arguments, String> {
    let id = wanted.subject;
    let interfaces = old.network_interfaces.as_deref().unwrap_or_default().len();
    if interfaces > 1 {
        return Err(format!("{id} has {interfaces} network interfaces: give a launch template, which brings them"));
    }
    if old.source_dest_check == Some(false) {
        return Err(format!("{id} forwards others' traffic (no source/destination check): give a launch template"));
    }
    let devices = match wanted.snapshots {
        None => devices::blank(aws, old).await?,
        Some(_) => Vec::new(),
    };
    let tenancy = old.placement.as_ref().and_then(|p| p.tenancy.as_ref()).filter(|t| **t != Tenancy::Default);
    Ok(Arguments {
        image: old.image_id.clone(),
        key: old.key_name.clone(),
        groups: old.security_groups.iter().flatten().filter_map(|g| g.group_id.clone()).collect(),
        subnet: old.subnet_id.clone(),
        zone: zone(old).map(str::to_owned).filter(|_| old.subnet_id.is_none()),
        tenancy: tenancy.map(|t| t.as_str().to_owned()),
        ebs_optimized: old.ebs_optimized.filter(|on| *on),
        termination_protection: protection(aws, id, InstanceAttributeName::DisableApiTermination).await?,
        stop_protection: protection(aws, id, InstanceAttributeName::DisableApiStop).await?,
        credits: credits(aws, id, old).await?,
        devices,
        ..of_any_region(aws, id, old).await?
    })
}

/// What an instance can take along anywhere.
async fn of_any_region(aws: &AwsRecovery, id: &str, old: &Instance) -> Result<Arguments, String> {
    let monitoring = old.monitoring.as_ref().and_then(|m| m.state.as_ref());
    Ok(Arguments {
        profile: old.iam_instance_profile.as_ref().and_then(|p| p.arn.clone()),
        user_data: user_data(aws, id)
            .await?
            .map(|text| UserData { of: id.to_owned(), sha256: sha256_hex(text.as_bytes()) }),
        metadata: old.metadata_options.as_ref().map(|m| Metadata {
            tokens: m.http_tokens.as_ref().map(|v| v.as_str().to_owned()),
            hops: m.http_put_response_hop_limit,
            endpoint: m.http_endpoint.as_ref().map(|v| v.as_str().to_owned()),
            tags: m.instance_metadata_tags.as_ref().map(|v| v.as_str().to_owned()),
        }),
        monitoring: matches!(monitoring, Some(MonitoringState::Enabled)).then_some(true),
        ..Arguments::default()
    })
}

/// Another region has its own keys, groups and templates; where home is dark, only the policy speaks.
async fn elsewhere(aws: &AwsRecovery, wanted: &ActionRequest<'_>) -> Result<Arguments, String> {
    let targets = &wanted.policy.targets;
    let other = targets.other_region.as_ref().ok_or("the policy names no other region")?;
    let old = match instance(&aws.ec2, wanted.subject).await {
        Ok(found) => found,
        Err(_) if wanted.action == RecoveryAction::FailOverUnreachable => None,
        // What it takes along must not depend on whether one read went well.
        Err(error) => return Err(error.words),
    };
    let own = match &old {
        Some(old) => of_any_region(aws, wanted.subject, old).await?,
        None => Arguments::default(),
    };
    let own_type = old.as_ref().and_then(|i| i.instance_type.as_ref()).map(|t| t.as_str().to_owned());
    let first = targets.replacement.instance_type.clone().or(own_type);
    let first = first.ok_or_else(|| format!("{} can't be read, and the policy names no type", wanted.subject))?;
    Ok(Arguments {
        region: other.region.clone(),
        image: Some(other.image_id.clone()),
        types: types(Some(first), &targets.replacement.fallback_types),
        subnet: Some(other.subnet_id.clone()),
        tags: old.as_ref().map(carried).unwrap_or_default(),
        ..own
    })
}

/// Gives the tags that go along: people's own, and what they say of data; not what earlier recoveries noted.
fn carried(old: &Instance) -> std::collections::BTreeMap<String, String> {
    let mut tags = tags::by_key(old.tags());
    tags.retain(|key, _| !key.starts_with("aws:") && (!key.starts_with("forewarn:") || key == "forewarn:stateful"));
    tags
}

async fn protection(aws: &AwsRecovery, id: &str, name: InstanceAttributeName) -> Result<Option<bool>, String> {
    let is_stop = name == InstanceAttributeName::DisableApiStop;
    let call = aws.ec2.describe_instance_attribute().instance_id(id).attribute(name);
    let reply = ask("ec2:DescribeInstanceAttribute", call.send()).await?;
    let value = if is_stop { reply.disable_api_stop } else { reply.disable_api_termination };
    Ok(value.and_then(|v| v.value).filter(|on| *on))
}

async fn credits(aws: &AwsRecovery, id: &str, old: &Instance) -> Result<Option<String>, String> {
    if !old.instance_type.as_ref().is_some_and(|t| is_burstable(t.as_str())) {
        return Ok(None);
    }
    let call = aws.ec2.describe_instance_credit_specifications().instance_ids(id);
    let reply = ask("ec2:DescribeInstanceCreditSpecifications", call.send()).await?;
    Ok(reply.instance_credit_specifications.unwrap_or_default().into_iter().find_map(|c| c.cpu_credits))
}

/// Reads the user data of an instance, in base64.
pub(super) async fn user_data(aws: &AwsRecovery, id: &str) -> Result<Option<String>, String> {
    let call = aws.ec2.describe_instance_attribute().instance_id(id).attribute(InstanceAttributeName::UserData);
    let reply = ask("ec2:DescribeInstanceAttribute", call.send()).await?;
    Ok(reply.user_data.and_then(|v| v.value).filter(|text| !text.is_empty()))
}
