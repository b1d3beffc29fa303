//! Moves the Elastic IP to the successor, if its owner is whom we expect.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::filter;
use super::record::Unreadable;
use super::step::{Found, Performed, Step, precondition_of};
use aws_sdk_ec2::types::Address;
use forewarn_domain::step::StepKind;
use serde::{Deserialize, Serialize};

/// How long after the call the address is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 1_000;

/// The address, and whose it is expected to be.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AddressRecord {
    allocation_id: String,
    owner: String,
    public_ip: Option<String>,
}

#[derive(Debug)]
pub(super) struct MoveAddress;

impl Step for MoveAddress {
    const KIND: StepKind = StepKind::MoveAddress;
    type Precondition = AddressRecord;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<AddressRecord, String> {
        settle(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &AddressRecord) -> Performed {
        let successor = successor(request).map_err(StepOutcome::Failed)?;
        Ok(move_to(aws, before, successor).await)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<AddressRecord, Unreadable>) -> Found {
        let before = before.map_err(|why| unreadable(&why))?;
        let successor = successor(request)?;
        let address = address(aws, &before.allocation_id).await?;
        let is_moved = owner(&address).as_deref() == Some(successor);
        Ok(is_moved.then(|| address.public_ip.unwrap_or_default()))
    }

    fn unreadable(_request: &StepRequest, why: Unreadable) -> Result<AddressRecord, StepOutcome> {
        Err(StepOutcome::Failed(unreadable(&why)))
    }
}

fn unreadable(why: &Unreadable) -> String {
    format!("the address can't be read: {}", why.error)
}

fn successor(request: &StepRequest) -> Result<&str, String> {
    let successor = request.successor.as_deref();
    successor.ok_or_else(|| "there is no successor to move the address to".to_owned())
}

/// Finds the allocation: the policy's, the one that an earlier attempt found, or the subject's only one.
async fn settle(aws: &AwsRecovery, request: &StepRequest) -> Result<AddressRecord, String> {
    let earlier = precondition_of::<MoveAddress>(request).map(|b| b.allocation_id);
    let found = match request.policy.targets.replacement.allocation_id.clone().or(earlier) {
        Some(allocation) => address(aws, &allocation).await?,
        None => only(aws, &request.subject).await?,
    };
    let allocation_id = found.allocation_id.clone();
    let allocation_id = allocation_id.ok_or_else(|| format!("the address of {} has no allocation", request.subject))?;
    if let Some(other) = owner(&found).filter(|o| *o != request.subject && Some(o) != request.successor.as_ref()) {
        return Err(unexpected(&allocation_id, &other));
    }
    Ok(AddressRecord { allocation_id, owner: request.subject.clone(), public_ip: found.public_ip })
}

async fn only(aws: &AwsRecovery, instance: &str) -> Result<Address, String> {
    let call = aws.ec2.describe_addresses().filters(filter("instance-id", [instance.to_owned()]));
    let reply = ask("ec2:DescribeAddresses", call.send()).await?;
    let mut all = reply.addresses.unwrap_or_default();
    match (all.pop(), all.len()) {
        (Some(address), 0) => Ok(address),
        (Some(_), more) => Err(format!("{instance} has {} Elastic IPs: name the one in the policy", more + 1)),
        (None, _) => Err(format!("{instance} has no Elastic IP")),
    }
}

async fn address(aws: &AwsRecovery, allocation: &str) -> Result<Address, CallError> {
    let call = aws.ec2.describe_addresses().allocation_ids(allocation);
    let reply = ask("ec2:DescribeAddresses", call.send()).await?;
    reply.addresses.unwrap_or_default().into_iter().next().ok_or_else(|| CallError {
        code: String::new(),
        words: format!("EC2 knows no address {allocation}"),
        definitely_not_applied: true,
    })
}

/// Gives whose an address is: an instance, or what else it is associated with.
fn owner(address: &Address) -> Option<String> {
    let own = address.instance_id.clone().filter(|id| !id.is_empty());
    own.or_else(|| address.network_interface_id.clone().filter(|id| !id.is_empty()))
}

fn unexpected(allocation: &str, owner: &str) -> String {
    format!("the address {allocation} is {owner}'s, which nobody expects")
}

async fn move_to(aws: &AwsRecovery, before: &AddressRecord, successor: &str) -> StepOutcome {
    let found = match address(aws, &before.allocation_id).await {
        Ok(found) => found,
        Err(error) => return error.unknown(),
    };
    match owner(&found) {
        Some(owner) if owner == successor => return StepOutcome::Done(found.public_ip.unwrap_or_default()),
        Some(owner) if owner != before.owner => return StepOutcome::Failed(unexpected(&before.allocation_id, &owner)),
        _ => {}
    }
    // Taking it from its owner is allowed only because that owner has just been compared with the one we expect.
    let call = aws.ec2.associate_address().allocation_id(&before.allocation_id).instance_id(successor);
    match ask("ec2:AssociateAddress", call.allow_reassociation(true).send()).await {
        Ok(_) => StepOutcome::Waiting(LOOK_AGAIN_MS),
        Err(error) => error.outcome(),
    }
}
