//! What several steps look at, and what they share: an instance, its volumes, its tags, and what is frozen before a call.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::CallError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, Instance, InstanceBlockDeviceMapping, ResourceType, Tag, TagSpecification, Volume};
use forewarn_domain::step::StepKind;
use forewarn_recovery::state::Note;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long what was just made may be hidden, milliseconds.
pub(super) const GRACE_MS: i64 = 120_000;
/// How long after the first try a search that finds nothing tells nothing, milliseconds.
const SEARCH_MS: i64 = 10_000;
/// The same where AWS is about to take the instance.
const HURRIED_SEARCH_MS: i64 = 3_000;

/// The plan that made a thing.
pub(super) const PLAN: &str = "forewarn:plan";
/// The step that made it: its token.
pub(super) const STEP: &str = "forewarn:step";
/// The recovery that made it.
pub(super) const RECOVERY: &str = "forewarn:recovery";

/// A volume of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Disk {
    pub(super) volume: String,
    pub(super) device: String,
    #[serde(default)]
    pub(super) delete_on_termination: bool,
}

/// An instance, as far as these steps look at it.
#[derive(Debug, Clone)]
pub(super) struct InstanceView {
    pub(super) state: String,
    pub(super) root_device: String,
    pub(super) disks: Vec<Disk>,
    pub(super) tags: BTreeMap<String, String>,
}

impl InstanceView {
    /// Gives its root volume.
    pub(super) fn root(&self) -> Option<&Disk> {
        self.disks.iter().find(|d| d.device == self.root_device)
    }

    /// Gives its other volumes.
    pub(super) fn data(&self) -> impl Iterator<Item = &Disk> {
        self.disks.iter().filter(|d| d.device != self.root_device)
    }
}

/// When a step was first tried; every `before` of these steps has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Since {
    pub(super) at_ms: i64,
}

/// Asks AWS something.
pub(super) fn ask<T, E>(
    aws: &AwsRecovery,
    call: &str,
    asked: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    aws.runtime.block_on(asked).map_err(|e| CallError::of(call, &e))
}

/// Makes a failed read a step's reply: whether earlier calls of the step have had an effect is not known then.
pub(super) fn unread(trouble: CallError) -> StepOutcome {
    StepOutcome::Unknown(trouble.words)
}

/// Gives a failed read in words.
pub(super) fn words(trouble: CallError) -> String {
    trouble.words
}

/// Gives whichever of the two it is.
pub(super) fn either(reply: Result<StepOutcome, StepOutcome>) -> StepOutcome {
    reply.unwrap_or_else(|early| early)
}

/// Writes down what is frozen before a call.
pub(super) fn encode_precondition(what: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(what).map_err(|e| format!("cannot write down how things stand: {e}"))
}

/// Reads what was frozen.
pub(super) fn decode_precondition<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("what was written down before the step can't be read: {e}"))
}

/// Reads what was frozen, as the reply where it can't be read.
pub(super) fn before<T: DeserializeOwned>(request: &StepRequest) -> Result<T, StepOutcome> {
    decode_precondition(&request.before).map_err(StepOutcome::Unknown)
}

/// Gives what was frozen when this step was first tried: a later look must not take our own doing for how things stood.
pub(super) fn settled(request: &StepRequest) -> Option<String> {
    request.notes.get(&request.kind).map(|n| n.before.clone()).filter(|b| !b.is_empty())
}

/// Gives what is known of another step of the plan, read.
pub(super) fn decoded_note<T: DeserializeOwned>(
    request: &StepRequest,
    kind: StepKind,
    of: fn(&Note) -> Option<&str>,
) -> Option<T> {
    request.notes.get(&kind).and_then(of).and_then(|text| serde_json::from_str(text).ok())
}

/// Gives how things stood before another step, read.
pub(super) fn precondition_of<T: DeserializeOwned>(request: &StepRequest, kind: StepKind) -> Option<T> {
    decoded_note(request, kind, |n| Some(&n.before))
}

/// Gives what came of another step.
pub(super) fn result_of(request: &StepRequest, kind: StepKind) -> Option<String> {
    request.notes.get(&kind).and_then(|n| n.result.clone()).filter(|r| !r.is_empty())
}

/// Says whether a search that finds nothing tells nothing yet: a call that was just made may not show.
pub(super) fn too_early(request: &StepRequest) -> Option<String> {
    let first = decode_precondition::<Since>(&request.before).ok()?.at_ms;
    let span = if request.deadline_ms.is_some() { HURRIED_SEARCH_MS } else { SEARCH_MS };
    (request.now_ms < first.saturating_add(span)).then(|| "what was just made may not show yet".to_owned())
}

/// Says whether what can't be seen may only be hidden, for it is new.
pub(super) fn may_be_hidden(request: &StepRequest) -> bool {
    decode_precondition::<Since>(&request.before).is_ok_and(|s| request.now_ms < s.at_ms.saturating_add(GRACE_MS))
}

/// Makes a filter.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// Makes a filter for one tag.
pub(super) fn tagged(key: &str, value: &str) -> Filter {
    filter(&format!("tag:{key}"), [value.to_owned()])
}

/// Makes a tag.
pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Gives the tags of what a step makes, and others.
pub(super) fn marks(request: &StepRequest, kind: ResourceType, more: &[(&str, &str)]) -> TagSpecification {
    let own = [
        (PLAN, request.plan_id.as_str()),
        (STEP, request.token.as_str()),
        (RECOVERY, request.recovery_id.as_str()),
        ("forewarn:instance", request.subject.as_str()),
    ];
    let tags = own.iter().chain(more).map(|(k, v)| tag(k, v)).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

/// Gives tags as a table.
pub(super) fn table(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|t| Some((t.key.clone()?, t.value.clone()?))).collect()
}

/// Gives the value of a tag.
pub(super) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|t| t.key() == Some(key)).and_then(Tag::value)
}

/// Sets tags.
pub(super) fn put_tags(aws: &AwsRecovery, on: &[String], tags: &[(String, String)]) -> Result<(), CallError> {
    let tags = tags.iter().map(|(k, v)| tag(k, v)).collect();
    let call = aws.ec2.create_tags().set_resources(Some(on.to_vec())).set_tags(Some(tags));
    ask(aws, "ec2:CreateTags", call.send()).map(drop)
}

/// Sets tags that only help people: without them the step stands all the same.
pub(super) fn try_tags(aws: &AwsRecovery, on: &str, tags: &[(&str, &str)]) {
    let tags: Vec<_> = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    if let Err(e) = put_tags(aws, &[on.to_owned()], &tags) {
        tracing::warn!(resource = on, error = e.words, "a tag was not set");
    }
}

/// Takes tags away.
pub(super) fn drop_tags(aws: &AwsRecovery, on: &[String], keys: &[String]) -> Result<(), CallError> {
    let tags = keys.iter().map(|k| Tag::builder().key(k).build()).collect();
    let call = aws.ec2.delete_tags().set_resources(Some(on.to_vec())).set_tags(Some(tags));
    ask(aws, "ec2:DeleteTags", call.send()).map(drop)
}

/// Looks at an instance; none where there is no such instance, or it can't be seen yet.
pub(super) fn machine(aws: &AwsRecovery, id: &str) -> Result<Option<InstanceView>, CallError> {
    let call = aws.ec2.describe_instances().filters(filter("instance-id", [id.to_owned()]));
    let reply = ask(aws, "ec2:DescribeInstances", call.send())?;
    let found = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
    Ok(found.into_iter().find(|i| i.instance_id() == Some(id)).map(|i| machine_of(&i)))
}

/// Looks at an instance that must be there.
pub(super) fn must_see(aws: &AwsRecovery, id: &str) -> Result<InstanceView, String> {
    machine(aws, id).map_err(words)?.ok_or_else(|| format!("there is no instance {id}"))
}

fn machine_of(instance: &Instance) -> InstanceView {
    InstanceView {
        state: instance.state().and_then(|s| s.name()).map_or_else(String::new, |n| n.as_str().to_owned()),
        root_device: instance.root_device_name().unwrap_or_default().to_owned(),
        disks: instance.block_device_mappings().iter().filter_map(disk_of).collect(),
        tags: table(instance.tags()),
    }
}

fn disk_of(mapping: &InstanceBlockDeviceMapping) -> Option<Disk> {
    let ebs = mapping.ebs()?;
    Some(Disk {
        volume: ebs.volume_id()?.to_owned(),
        device: mapping.device_name()?.to_owned(),
        delete_on_termination: ebs.delete_on_termination().unwrap_or_default(),
    })
}

/// Looks at volumes by id; those that are not there, or can't be seen yet, are left out.
pub(super) fn volumes(aws: &AwsRecovery, ids: impl IntoIterator<Item = String>) -> Result<Vec<Volume>, CallError> {
    let ids: Vec<String> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ec2.describe_volumes().filters(filter("volume-id", ids));
    Ok(ask(aws, "ec2:DescribeVolumes", call.send())?.volumes.unwrap_or_default())
}

/// Gives volumes whose status has what is looked for.
pub(super) fn volumes_with(
    aws: &AwsRecovery,
    ids: &[String],
    wrong: CommandRejected,
) -> Result<Vec<String>, CallError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ec2.describe_volume_status().set_volume_ids(Some(ids.to_vec()));
    let items = ask(aws, "ec2:DescribeVolumeStatus", call.send())?.volume_statuses.unwrap_or_default();
    let found = items.into_iter().filter(|item| {
        let status = item.volume_status();
        match wrong {
            CommandRejected::Impaired => status.and_then(|s| s.status()).is_some_and(|s| s.as_str() == "impaired"),
            CommandRejected::IoDisabled => status.is_some_and(|s| {
                let io =
                    |d: &&aws_sdk_ec2::types::VolumeStatusDetails| d.name().is_some_and(|n| n.as_str() == "io-enabled");
                s.details().iter().find(io).and_then(|d| d.status()) == Some("failed")
            }),
        }
    });
    Ok(found.filter_map(|item| item.volume_id).collect())
}

/// What may be wrong with a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandRejected {
    /// Its status is impaired.
    Impaired,
    /// AWS has disabled its input and output.
    IoDisabled,
}
