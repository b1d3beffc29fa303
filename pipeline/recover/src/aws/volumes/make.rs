//! A volume like another one, made of its snapshot, and deleted again if nobody uses it.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads;
use super::super::record::{Since, Unreadable};
use super::super::snapshots;
use super::super::step::{Found, Performed, Step};
use super::super::tags;
use super::AGAIN_MS;
use aws_sdk_ec2::types::{ResourceType, Volume, VolumeState, VolumeType};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags that are taken over: there may be fifty, and ours come on top.
const TAGS: usize = 42;

/// The call's arguments: with the same token they must be the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct Likeness {
    at_ms: UnixMs,
    snapshot: String,
    replaces: String,
    zone: String,
    kind: Option<String>,
    iops: Option<i32>,
    throughput: Option<i32>,
    size: Option<i32>,
    encrypted: bool,
    kms_key: Option<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(in crate::aws) struct CreateVolume;

impl Step for CreateVolume {
    const KIND: StepKind = StepKind::CreateVolume;
    type Precondition = Likeness;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Likeness, String> {
        let old = snapshots::broken_disk(aws, request).await?.volume;
        let known = snapshots::known(aws, request).await?;
        let snapshot = known.into_iter().find(|t| t.volume == old).map(|t| t.snapshot);
        let snapshot = snapshot.ok_or_else(|| format!("this plan has no snapshot of {old}"))?;
        let seen = ec2_reads::volumes(aws, [old.clone()]).await?;
        let volume = seen.first().ok_or_else(|| format!("there is no volume {old}"))?;
        likeness(request.now_ms, volume, old, snapshot)
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, like: &Likeness) -> Performed {
        create(aws, request, like).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, _like: Result<Likeness, Unreadable>) -> Found {
        let found = made(aws, request).await?;
        Ok(found.filter(|(_, state)| matches!(state.as_str(), "available" | "in-use")).map(|(id, _)| id))
    }
}

#[derive(Debug)]
pub(in crate::aws) struct DeleteVolume;

impl Step for DeleteVolume {
    const KIND: StepKind = StepKind::DeleteVolume;
    type Precondition = Since;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Since, String> {
        Ok(Since::now(request))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, _since: &Since) -> Performed {
        delete(aws, request).await
    }

    fn unreadable(_request: &StepRequest, _why: Unreadable) -> Result<Since, StepOutcome> {
        Ok(Since::LONG_AGO)
    }
}

fn likeness(at_ms: UnixMs, volume: &Volume, replaces: String, snapshot: String) -> Result<Likeness, String> {
    let zone = volume.availability_zone().ok_or_else(|| format!("{replaces} names no zone"))?.to_owned();
    let kind = volume.volume_type().map(|t| t.as_str().to_owned());
    // EC2 also tells what a type gives by itself, and refuses to be told that.
    let is = |kinds: &[&str]| kind.as_deref().is_some_and(|k| kinds.contains(&k));
    let foreign = |key: &str| !key.starts_with("aws:") && !key.starts_with("forewarn:");
    let encrypted = volume.encrypted().unwrap_or_default();
    Ok(Likeness {
        at_ms,
        snapshot,
        replaces,
        zone,
        iops: volume.iops().filter(|_| is(&["io1", "io2", "gp3"])),
        throughput: volume.throughput().filter(|_| is(&["gp3"])),
        size: volume.size(),
        encrypted,
        kms_key: volume.kms_key_id().filter(|_| encrypted).map(str::to_owned),
        tags: tags::by_key(volume.tags()).into_iter().filter(|(k, _)| foreign(k)).take(TAGS).collect(),
        kind,
    })
}

/// Makes the volume, and waits until it can be attached.
async fn create(aws: &AwsRecovery, request: &StepRequest, like: &Likeness) -> Result<StepOutcome, StepOutcome> {
    let (id, state) = match made(aws, request).await.map_err(StepOutcome::Unknown)? {
        Some(found) => found,
        None => begin(aws, request, like).await?,
    };
    Ok(match state.as_str() {
        "available" | "in-use" => StepOutcome::Done(id),
        "creating" => StepOutcome::Waiting(AGAIN_MS),
        "error" => {
            // What can't be used is not left behind.
            let call = aws.ec2.delete_volume().volume_id(&id);
            match ask("ec2:DeleteVolume", call.send()).await {
                Ok(_) => StepOutcome::Failed(format!("the new volume {id} came up in error and was deleted")),
                Err(e) => StepOutcome::Failed(format!("the new volume {id} came up in error and is left: {}", e.words)),
            }
        }
        other => StepOutcome::Failed(format!("the new volume {id} is {other}")),
    })
}

async fn begin(aws: &AwsRecovery, request: &StepRequest, like: &Likeness) -> Result<(String, String), StepOutcome> {
    let own = [("forewarn:replaces", like.replaces.as_str())];
    let tags: Vec<_> = like.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).chain(own).collect();
    let call = aws.ec2.create_volume();
    let call = call
        .client_token(&request.token)
        .snapshot_id(&like.snapshot)
        .availability_zone(&like.zone)
        .set_volume_type(like.kind.as_deref().map(VolumeType::from))
        .set_iops(like.iops)
        .set_throughput(like.throughput)
        .set_size(like.size)
        .set_encrypted(like.encrypted.then_some(true))
        .set_kms_key_id(like.kms_key.clone())
        .tag_specifications(tags::marks(request, ResourceType::Volume, &tags));
    let made = ask("ec2:CreateVolume", call.send()).await.map_err(CallError::outcome)?;
    let id = made.volume_id.ok_or_else(|| StepOutcome::Unknown("ec2:CreateVolume names no volume".to_owned()))?;
    Ok((id, state_of(made.state.as_ref())))
}

fn state_of(state: Option<&VolumeState>) -> String {
    state.map_or_else(|| "creating".to_owned(), |s| s.as_str().to_owned())
}

/// Finds the volume of this step and its state.
async fn made(aws: &AwsRecovery, request: &StepRequest) -> Result<Option<(String, String)>, String> {
    let call = aws.ec2.describe_volumes().filters(ec2_reads::tagged(tags::STEP, &request.token));
    let found = ask("ec2:DescribeVolumes", call.send()).await?;
    let mut found = found.volumes.unwrap_or_default().into_iter();
    Ok(found.find_map(|v| Some((v.volume_id?, state_of(v.state.as_ref())))))
}

/// Deletes the volume that this plan has made, unless somebody uses it.
async fn delete(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let Some(id) = super::new_volume(request) else {
        return Ok(StepOutcome::Done("no volume was made".to_owned()));
    };
    let seen = ec2_reads::volumes(aws, [id.clone()]).await.map_err(CallError::unknown)?;
    let Some(volume) = seen.first() else { return Ok(StepOutcome::Done(id)) };
    let is_ours = tags::value(volume.tags(), tags::PLAN) == Some(&request.plan_id)
        && tags::value(volume.tags(), tags::RECOVERY) == Some(&request.recovery_id);
    if !is_ours {
        return Ok(StepOutcome::Failed(format!("{id} was not made by {}: it is kept", request.plan_id)));
    }
    if let Some(user) = volume.attachments().first() {
        let owner = user.instance_id().unwrap_or("something");
        return Ok(StepOutcome::Failed(format!("{id} is attached to {owner}: it is kept")));
    }
    if volume.state().is_some_and(|s| matches!(s.as_str(), "deleting" | "deleted")) {
        return Ok(StepOutcome::Done(id));
    }
    match ask("ec2:DeleteVolume", aws.ec2.delete_volume().volume_id(&id).send()).await {
        Ok(_) => Ok(StepOutcome::Done(id)),
        Err(e) if e.code == "InvalidVolume.NotFound" => Ok(StepOutcome::Done(id)),
        Err(e) => Err(e.outcome()),
    }
}
