//! Whether an instance is well: its state, its three checks, and what its application answers.

mod probe;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::ec2_reads::{ec2_in, ec2_of_successor, instance, state, status};
use super::record::Nothing;
use super::step::{Performed, Step};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{InstanceStatus, SummaryStatus};
use forewarn_domain::step::StepKind;
use forewarn_recovery::facts::{InstanceState, Read};
use forewarn_recovery::policy::Policy;
use probe::Probe;
use serde_json::json;

/// How long until it is looked again, milliseconds.
const LOOK_AGAIN_MS: i64 = 15_000;
/// How often in a row the application has to answer.
const PASSES: usize = 3;

/// What the checks say.
#[derive(Debug, PartialEq, Eq)]
enum Checks {
    /// It runs, and all are `ok`; its private address.
    Ok(Option<String>),
    /// Not yet, or not any more.
    NotOk,
    /// It has ended.
    Gone,
}

#[derive(Debug)]
pub(super) struct AwaitHealthy;

impl Step for AwaitHealthy {
    const KIND: StepKind = StepKind::AwaitHealthy;
    type Precondition = Nothing;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(_aws: &AwsRecovery, _request: &StepRequest) -> Result<Nothing, String> {
        Ok(Nothing)
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, _before: &Nothing) -> Performed {
        let id = request.successor.as_deref().unwrap_or(&request.subject);
        // Only a successor is in the other region.
        let ec2 = if request.successor.is_some() { ec2_of_successor(aws, request) } else { aws.ec2.clone() };
        let ip = match checks(&ec2, id).await.map_err(StepOutcome::Unknown)? {
            Checks::Ok(ip) => ip,
            Checks::NotOk => return Ok(StepOutcome::Waiting(LOOK_AGAIN_MS)),
            Checks::Gone => return Ok(StepOutcome::Failed(format!("{id} has ended, and will not be well"))),
        };
        let Some(endpoint) = &request.policy.health_endpoint else { return Ok(well(id, None)) };
        let probe = Probe::new(endpoint, ip.as_deref()).map_err(StepOutcome::Failed)?;
        Ok(match probe.passes(aws, id, PASSES).await {
            Read::Known(true) => well(id, Some(endpoint)),
            Read::Known(false) | Read::Failed(_) | Read::Absent(_) => StepOutcome::Waiting(LOOK_AGAIN_MS),
        })
    }
}

fn well(id: &str, endpoint: Option<&String>) -> StepOutcome {
    let passes = endpoint.map(|_| PASSES);
    StepOutcome::Done(json!({ "instance": id, "checks": "ok", "endpoint": endpoint, "passes": passes }).to_string())
}

/// Says whether an instance is well now; one that EC2 does not know here is looked for in the other region, where there is one.
pub(super) async fn is_well(aws: &AwsRecovery, id: &str, policy: &Policy) -> Read<bool> {
    let ip = match checks_in_either_region(aws, id, policy).await {
        Ok(Checks::Ok(ip)) => ip,
        Ok(Checks::NotOk | Checks::Gone) => return Read::Known(false),
        Err(why) => return Read::Failed(why),
    };
    let Some(endpoint) = &policy.health_endpoint else { return Read::Known(true) };
    match Probe::new(endpoint, ip.as_deref()) {
        Ok(probe) => probe.passes(aws, id, 1).await,
        Err(why) => Read::Failed(why),
    }
}

async fn checks_in_either_region(aws: &AwsRecovery, id: &str, policy: &Policy) -> Result<Checks, String> {
    let Some(other) = &policy.targets.other_region else { return checks(&aws.ec2, id).await };
    let there = ec2_in(aws, &other.region);
    match instance(&aws.ec2, id).await {
        Ok(Some(_)) => checks(&aws.ec2, id).await,
        Ok(None) => checks(&there, id).await,
        // Home answers nothing; what serves may be there.
        Err(error) => match instance(&there, id).await {
            Ok(Some(_)) => checks(&there, id).await,
            _ => Err(error.words),
        },
    }
}

/// An instance that EC2 does not know is not well yet: what has just been launched may not be seen.
async fn checks(ec2: &Client, id: &str) -> Result<Checks, String> {
    let Some(found) = instance(ec2, id).await? else { return Ok(Checks::NotOk) };
    match state(&found) {
        Some(InstanceState::Running) => {}
        Some(InstanceState::ShuttingDown | InstanceState::Terminated) => return Ok(Checks::Gone),
        _ => return Ok(Checks::NotOk),
    }
    let status = status(ec2, id).await?;
    Ok(if status.is_some_and(|s| is_ok(&s)) { Checks::Ok(found.private_ip_address) } else { Checks::NotOk })
}

/// Instances of old types have no check of their volumes.
fn is_ok(status: &InstanceStatus) -> bool {
    let system = status.system_status.as_ref().and_then(|s| s.status.as_ref());
    let instance = status.instance_status.as_ref().and_then(|s| s.status.as_ref());
    let ebs = status.attached_ebs_status.as_ref().and_then(|s| s.status.as_ref());
    let is_ok = |s: Option<&SummaryStatus>| s == Some(&SummaryStatus::Ok);
    is_ok(system) && is_ok(instance) && (is_ok(ebs) || matches!(ebs, None | Some(SummaryStatus::NotApplicable)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{EbsStatusSummary, InstanceStatusSummary};

    fn status(of: [SummaryStatus; 2], ebs: Option<SummaryStatus>) -> InstanceStatus {
        let [system, instance] = of.map(|s| InstanceStatusSummary::builder().status(s).build());
        let ebs = ebs.map(|s| EbsStatusSummary::builder().status(s).build());
        InstanceStatus::builder().system_status(system).instance_status(instance).set_attached_ebs_status(ebs).build()
    }

    #[test]
    fn all_checks_are_ok_or_it_is_not_well() {
        use SummaryStatus::{Impaired, Initializing, InsufficientData, NotApplicable, Ok};
        assert!(is_ok(&status([Ok, Ok], Some(Ok))));
        assert!(is_ok(&status([Ok, Ok], None)));
        assert!(is_ok(&status([Ok, Ok], Some(NotApplicable))));
        for bad in [Impaired, Initializing, InsufficientData] {
            assert!(!is_ok(&status([bad.clone(), Ok], Some(Ok))));
            assert!(!is_ok(&status([Ok, bad.clone()], Some(Ok))));
            assert!(!is_ok(&status([Ok, Ok], Some(bad))));
        }
        assert!(!is_ok(&InstanceStatus::builder().build()));
    }
}
