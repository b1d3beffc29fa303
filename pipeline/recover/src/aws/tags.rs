//! Tags: those by which what a recovery makes is found again, and how tags are read and set.

use super::super::ports::StepRequest;
use super::AwsRecovery;
use super::call::{CallError, ask};
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use std::collections::BTreeMap;

/// The plan that made a thing.
pub(super) const PLAN: &str = "forewarn:plan";
/// The step that made it: its token.
pub(super) const STEP: &str = "forewarn:step";
/// The recovery that made it.
pub(super) const RECOVERY: &str = "forewarn:recovery";
/// When an instance that was replaced may be ended.
pub(super) const UNTIL: &str = "forewarn:terminate-after";
/// Who has taken its place.
pub(super) const SUCCESSOR: &str = "forewarn:replaced-by";

pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Gives the value of a tag.
pub(super) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|t| t.key() == Some(key)).and_then(Tag::value)
}

/// Gives tags by their keys.
pub(super) fn by_key(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|t| Some((t.key.clone()?, t.value.clone()?))).collect()
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

pub(super) async fn put_tags(aws: &AwsRecovery, on: &[String], tags: &[(String, String)]) -> Result<(), CallError> {
    let tags = tags.iter().map(|(k, v)| tag(k, v)).collect();
    let call = aws.ec2.create_tags().set_resources(Some(on.to_vec())).set_tags(Some(tags));
    ask("ec2:CreateTags", call.send()).await.map(drop)
}

/// Sets tags that only help people: without them the step stands all the same.
pub(super) async fn try_tags(aws: &AwsRecovery, on: &str, tags: &[(&str, &str)]) {
    let tags: Vec<_> = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    if let Err(e) = put_tags(aws, &[on.to_owned()], &tags).await {
        tracing::warn!(resource = on, error = e.words, "a tag was not set");
    }
}

pub(super) async fn drop_tags(aws: &AwsRecovery, on: &[String], keys: &[String]) -> Result<(), CallError> {
    let tags = keys.iter().map(|k| Tag::builder().key(k).build()).collect();
    let call = aws.ec2.delete_tags().set_resources(Some(on.to_vec())).set_tags(Some(tags));
    ask("ec2:DeleteTags", call.send()).await.map(drop)
}
