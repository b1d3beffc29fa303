//! What is missing where an instance would start or be launched.

use super::AwsRecovery;
use super::call::{ask, bounded};
use super::dry;
use super::ec2_reads::{ec2_in, instance, zone};
use super::launch::capture::{ActionRequest, settle};
use super::launch::subnet::{zone_of, zones_with};
use aws_sdk_ec2::types::ImageState;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::Read;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::targets::OtherRegion;
use forewarn_runtime::time::{format_ms, parse_instant, system_now_ms};

/// Says what is missing; none if nothing is known to be.
pub(super) async fn capacity_check(
    aws: &AwsRecovery,
    action: RecoveryAction,
    id: &str,
    policy: &Policy,
) -> Read<Option<String>> {
    let reads = async {
        if action.launches() {
            of_launch(aws, action, id, policy).await
        } else if action.stops_instance() {
            of_start(aws, id).await
        } else {
            Ok(None)
        }
    };
    let found = bounded(Box::pin(reads)).await.and_then(|found| found);
    found.map_or_else(Read::Failed, Read::Known)
}

/// A start has no dry run that looks for capacity: only whether its zone has the type at all can be asked.
async fn of_start(aws: &AwsRecovery, id: &str) -> Result<Option<String>, String> {
    let found = instance(&aws.ec2, id).await?;
    let found = found.ok_or_else(|| format!("EC2 knows no instance {id} in {}", aws.region))?;
    let kind = found.instance_type.as_ref().ok_or_else(|| format!("EC2 names no type of {id}"))?.as_str();
    let zone = zone(&found).ok_or_else(|| format!("EC2 names no zone for {id}"))?;
    offered(aws, &aws.region, kind, zone).await
}

async fn offered(aws: &AwsRecovery, region: &str, kind: &str, zone: &str) -> Result<Option<String>, String> {
    let zones = zones_with(aws, region, kind).await?;
    Ok((!zones.contains(zone)).then(|| format!("{kind} is not offered in {zone}")))
}

async fn of_launch(
    aws: &AwsRecovery,
    action: RecoveryAction,
    id: &str,
    policy: &Policy,
) -> Result<Option<String>, String> {
    if action.leaves_region() {
        let Some(other) = &policy.targets.other_region else {
            return Ok(Some("the policy names no other region".to_owned()));
        };
        if let Some(what) = of_copy(aws, other).await? {
            return Ok(Some(what));
        }
    }
    let arguments = settle(aws, &ActionRequest { action, subject: id, policy, snapshots: None }).await?;
    if let (Some(Some(kind)), Some(subnet)) = (arguments.types.first(), &arguments.subnet) {
        let zone = zone_of(aws, &arguments.region, subnet).await?;
        if let Some(what) = offered(aws, &arguments.region, kind, &zone).await? {
            return Ok(Some(what));
        }
    }
    let call = arguments.call(&arguments.ec2(aws), "", 0).set_client_token(None).dry_run(true);
    let name = "ec2:RunInstances (dry run)";
    dry::said(name, ask(name, Box::pin(call.send())).await)
}

/// The image has to be there already, and not too old.
async fn of_copy(aws: &AwsRecovery, other: &OtherRegion) -> Result<Option<String>, String> {
    let OtherRegion { region, image_id, .. } = other;
    let ec2 = ec2_in(aws, region);
    let reply = match ask("ec2:DescribeImages", ec2.describe_images().image_ids(image_id).send()).await {
        Ok(reply) => reply,
        Err(error) if error.code.starts_with("InvalidAMIID") => return Ok(Some(error.words)),
        Err(error) => return Err(error.words),
    };
    let Some(image) = reply.images.unwrap_or_default().into_iter().next() else {
        return Ok(Some(format!("there is no image {image_id} in {region}")));
    };
    if image.state != Some(ImageState::Available) {
        let state = image.state.as_ref().map_or("in no state", |s| s.as_str());
        return Ok(Some(format!("image {image_id} in {region} is {state}")));
    }
    let made = image.creation_date.ok_or_else(|| format!("EC2 does not tell how old {image_id} is"))?;
    let made = parse_instant(&made, None).map(UnixMs).map_err(|e| format!("{image_id}: {e}"))?;
    let age_ms = UnixMs(system_now_ms()).since(made);
    let hours = |ms: i64| ms / 3_600_000;
    Ok((age_ms > other.copy_age_ms).then(|| {
        let (age, most) = (hours(age_ms), hours(other.copy_age_ms));
        format!("image {image_id} in {region} is {age} h old (made {}), and may be {most} h old", format_ms(made.0))
    }))
}
