//! Ends an instance that was replaced and kept, after a last look at what it is.

use super::super::ports::{StepOutcome, StepRequest};
use super::call::ask;
use super::ec2_reads::{instance, state};
use super::tags::{self, SUCCESSOR};
use super::{AwsRecovery, Part};
use aws_sdk_ec2::types::Instance;
use forewarn_recovery::facts::InstanceState as State;

/// How long after the call it is looked at again, milliseconds.
const AGAIN_MS: i64 = 5_000;
/// What came of it.
const ENDED: &str = "terminated";

/// `Terminate`.
#[derive(Debug)]
pub(super) struct Ending;

impl Part for Ending {
    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        match instance(&aws.ec2, &request.subject).await {
            Ok(Some(found)) if !is_gone(Some(&found)) => end(aws, &request.subject, &found).await,
            Ok(_) => StepOutcome::Done(ENDED.to_owned()),
            Err(error) => error.unknown(),
        }
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        let found = instance(&aws.ec2, &request.subject).await?;
        Ok(is_gone(found.as_ref()).then(|| ENDED.to_owned()))
    }
}

/// EC2 forgets an instance an hour after its end; this one was seen when it was planned.
fn is_gone(found: Option<&Instance>) -> bool {
    found.is_none_or(|i| state(i) == Some(State::Terminated))
}

async fn end(aws: &AwsRecovery, id: &str, found: &Instance) -> StepOutcome {
    match state(found) {
        Some(State::ShuttingDown) => return StepOutcome::Waiting(AGAIN_MS),
        Some(State::Stopped) if tags::by_key(found.tags()).contains_key(SUCCESSOR) => {}
        _ => return StepOutcome::Failed(format!("{id} is not ended: it is no longer stopped and marked as replaced")),
    }
    match ask("ec2:TerminateInstances", aws.ec2.terminate_instances().instance_ids(id).send()).await {
        Ok(_) => StepOutcome::Waiting(AGAIN_MS),
        Err(error) => error.outcome(),
    }
}
