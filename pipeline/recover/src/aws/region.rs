//! Points DNS to the successor in the other region.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::ask;
use super::ec2_reads::{ec2_of_successor, instance};
use super::record::Unreadable;
use super::step::{Performed, Step};
use aws_sdk_route53::Client;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use forewarn_domain::step::StepKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long after the change it is asked whether every server has it, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;

/// What the name is to say, and what it said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DnsRecord {
    zone: String,
    name: String,
    ttl_s: i64,
    ip: String,
    old: Option<Old>,
}

/// A record as it was, for people who want it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Old {
    ttl_s: Option<i64>,
    values: Vec<String>,
    alias: Option<String>,
}

/// Changes of this process that some server may not have yet, by their steps' tokens. One that is forgotten is made again, and says
/// the same.
static CHANGES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
pub(super) struct PointDns;

/// A record that says so already may not be on every server: nothing is found, and the change made again says the same and tells when
/// it is.
impl Step for PointDns {
    const KIND: StepKind = StepKind::PointDns;
    type Precondition = DnsRecord;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<DnsRecord, String> {
        settle(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &DnsRecord) -> Performed {
        let client = Client::new(&aws.config);
        let change = CHANGES.lock().unwrap_or_else(PoisonError::into_inner).get(&request.token).cloned();
        Ok(match change {
            Some(change) => look(&client, request, before, &change).await,
            None => point(&client, request, before).await,
        })
    }

    fn unreadable(_request: &StepRequest, why: Unreadable) -> Result<DnsRecord, StepOutcome> {
        Err(StepOutcome::Failed(format!("the record to set can't be read: {}", why.error)))
    }
}

async fn settle(aws: &AwsRecovery, request: &StepRequest) -> Result<DnsRecord, String> {
    let other = request.policy.targets.other_region.as_ref();
    let other = other.ok_or("the policy names no other region, and so no record")?;
    let successor = request.successor.as_deref().ok_or("there is no successor to point to")?;
    let found = instance(&ec2_of_successor(aws, request), successor).await?;
    let found = found.ok_or_else(|| format!("EC2 knows no instance {successor} in {}", other.region))?;
    let ip = found.public_ip_address.or(found.private_ip_address);
    let ip = ip.ok_or_else(|| format!("{successor} has no address yet"))?;
    let old = record(&Client::new(&aws.config), &other.hosted_zone_id, &other.record_name).await?;
    if let Some(id) = old.as_ref().and_then(|r| r.set_identifier.as_ref()) {
        let name = &other.record_name;
        return Err(format!(
            "{name} is one of several records that Route 53 chooses among ({id}): it is not for us to set"
        ));
    }
    let old = old.map(|r| Old {
        ttl_s: r.ttl,
        values: r.resource_records.unwrap_or_default().into_iter().map(|v| v.value).collect(),
        alias: r.alias_target.map(|a| a.dns_name),
    });
    Ok(DnsRecord { zone: other.hosted_zone_id.clone(), name: other.record_name.clone(), ttl_s: other.ttl_s, ip, old })
}

/// Reads the address record of a name; a list begins there, and may go on with others.
async fn record(client: &Client, zone: &str, name: &str) -> Result<Option<ResourceRecordSet>, String> {
    let call = client.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name);
    let call = call.start_record_type(RrType::A).max_items(1).send();
    let reply = ask("route53:ListResourceRecordSets", call).await?;
    let is_it = |r: &ResourceRecordSet| r.r#type == RrType::A && is_same_name(&r.name, name);
    Ok(reply.resource_record_sets.into_iter().find(is_it))
}

fn is_same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

async fn point(client: &Client, request: &StepRequest, before: &DnsRecord) -> StepOutcome {
    let batch = match batch(before, &request.token) {
        Ok(batch) => batch,
        Err(e) => return StepOutcome::Failed(format!("the record can't be set so: {e}")),
    };
    let call = client.change_resource_record_sets().hosted_zone_id(&before.zone).change_batch(batch);
    let change = match ask("route53:ChangeResourceRecordSets", call.send()).await {
        Ok(reply) => reply.change_info.map(|c| c.id).unwrap_or_default(),
        // The request before it is still being carried out.
        Err(error) if error.code == "PriorRequestNotComplete" => return StepOutcome::Waiting(LOOK_AGAIN_MS),
        Err(error) => return error.outcome(),
    };
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner).insert(request.token.clone(), change.clone());
    look(client, request, before, &change).await
}

fn batch(before: &DnsRecord, token: &str) -> Result<ChangeBatch, BuildError> {
    let record = ResourceRecordSet::builder()
        .name(&before.name)
        .r#type(RrType::A)
        .ttl(before.ttl_s)
        .resource_records(ResourceRecord::builder().value(&before.ip).build()?)
        .build()?;
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(record).build()?;
    ChangeBatch::builder().comment(format!("forewarn {token}")).changes(change).build()
}

async fn look(client: &Client, request: &StepRequest, before: &DnsRecord, change: &str) -> StepOutcome {
    let reply = match ask("route53:GetChange", client.get_change().id(change).send()).await {
        Ok(reply) => reply,
        // Whether every server has it can be asked again.
        Err(error) => return error.unknown(),
    };
    if reply.change_info.is_none_or(|c| c.status != ChangeStatus::Insync) {
        return StepOutcome::Waiting(LOOK_AGAIN_MS);
    }
    // Somebody else may have set it meanwhile.
    match record(client, &before.zone, &before.name).await {
        Ok(found) => {
            CHANGES.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.token);
            let says = found.and_then(|r| r.resource_records).unwrap_or_default();
            if says.iter().any(|v| v.value == before.ip) {
                StepOutcome::Done(before.ip.clone())
            } else {
                StepOutcome::Unknown(format!(
                    "{} does not say {}, though every server has our change",
                    before.name, before.ip
                ))
            }
        }
        Err(why) => StepOutcome::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_with_and_without_its_last_dot() {
        assert!(is_same_name("App.example.com.", "app.example.com"));
        assert!(!is_same_name("app2.example.com", "app.example.com"));
    }
}
