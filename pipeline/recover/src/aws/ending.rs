//! Ends an instance that was replaced and kept, after a last look at what it is.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::{instance, state};
use super::record::{Nothing, Unreadable};
use super::step::{Found, Performed, Step};
use super::tags::{self, SUCCESSOR};
use aws_sdk_ec2::types::Instance;
use forewarn_domain::step::StepKind;
use forewarn_recovery::facts::InstanceState as State;

/// How long after the call it is looked at again, milliseconds.
const AGAIN_MS: i64 = 5_000;
/// What came of it.
const ENDED: &str = "terminated";

#[derive(Debug)]
pub(super) struct Terminate;

impl Step for Terminate {
    const KIND: StepKind = StepKind::Terminate;
    type Precondition = Nothing;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(_aws: &AwsRecovery, _request: &StepRequest) -> Result<Nothing, String> {
        Ok(Nothing)
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, _before: &Nothing) -> Performed {
        Ok(match instance(&aws.ec2, &request.subject).await.map_err(CallError::unknown)? {
            Some(found) if !is_gone(Some(&found)) => end(aws, &request.subject, &found).await,
            _ => StepOutcome::Done(ENDED.to_owned()),
        })
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, _before: Result<Nothing, Unreadable>) -> Found {
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
