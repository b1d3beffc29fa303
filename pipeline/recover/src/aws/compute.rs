//! Stops and starts the instance that is healed: each looks first, and goes on from there.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::{instance, state, unix_ms};
use super::record::Unreadable;
use super::step::{Found, Performed, Step, precondition_of};
use aws_sdk_ec2::types::{Affinity, Instance, Tenancy};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::InstanceState as State;
use forewarn_recovery::stop::{StopCall, is_stuck, next_call};
use serde::{Deserialize, Serialize};

/// How long after a call the instance is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;

/// How things stood before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PowerState {
    at_ms: UnixMs,
    state: Option<State>,
    launched_ms: Option<UnixMs>,
}

#[derive(Debug)]
pub(super) struct Stop;

impl Step for Stop {
    const KIND: StepKind = StepKind::Stop;
    type Precondition = PowerState;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<PowerState, String> {
        power_state(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &PowerState) -> Performed {
        Ok(stop(aws, request, before, &seen(aws, request).await?).await)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<PowerState, Unreadable>) -> Found {
        before.map_err(|why| why.error)?;
        let found = existing(aws, request).await?;
        Ok(is_down(&found).then(|| result(&found)))
    }

    fn unreadable(request: &StepRequest, why: Unreadable) -> Result<PowerState, StepOutcome> {
        Err(unreadable(request, &why))
    }
}

#[derive(Debug)]
pub(super) struct Start;

impl Step for Start {
    const KIND: StepKind = StepKind::Start;
    type Precondition = PowerState;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<PowerState, String> {
        power_state(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &PowerState) -> Performed {
        Ok(start(aws, request, before, &seen(aws, request).await?).await)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<PowerState, Unreadable>) -> Found {
        let before = before.map_err(|why| why.error)?;
        let found = existing(aws, request).await?;
        Ok(has_started(&before, &found).then(|| result(&found)))
    }

    fn unreadable(request: &StepRequest, why: Unreadable) -> Result<PowerState, StepOutcome> {
        Err(unreadable(request, &why))
    }
}

async fn power_state(aws: &AwsRecovery, request: &StepRequest) -> Result<PowerState, String> {
    let found = existing(aws, request).await?;
    let launched_ms = unix_ms(found.launch_time.as_ref());
    Ok(PowerState { at_ms: request.now_ms, state: state(&found), launched_ms })
}

fn unreadable(request: &StepRequest, why: &Unreadable) -> StepOutcome {
    StepOutcome::Failed(format!("how {} stood before can't be read: {}", request.subject, why.error))
}

async fn existing(aws: &AwsRecovery, request: &StepRequest) -> Result<Instance, String> {
    instance(&aws.ec2, &request.subject).await?.ok_or_else(|| unknown(aws, request))
}

async fn seen(aws: &AwsRecovery, request: &StepRequest) -> Result<Instance, StepOutcome> {
    let found = instance(&aws.ec2, &request.subject).await.map_err(CallError::unknown)?;
    found.ok_or_else(|| StepOutcome::Failed(unknown(aws, request)))
}

fn unknown(aws: &AwsRecovery, request: &StepRequest) -> String {
    format!("EC2 knows no instance {} in {}", request.subject, aws.region)
}

fn result(found: &Instance) -> String {
    let state = state(found);
    serde_json::json!({ "state": state, "launched_ms": unix_ms(found.launch_time.as_ref()) }).to_string()
}

/// What has ended does not run either: it is fenced.
fn is_down(found: &Instance) -> bool {
    matches!(state(found), Some(State::Stopped | State::Terminated))
}

/// It runs, and has been started since; or it ran all the time, and there was nothing to start.
fn has_started(before: &PowerState, found: &Instance) -> bool {
    let has_moved_on = unix_ms(found.launch_time.as_ref()) != before.launched_ms;
    state(found) == Some(State::Running) && (has_moved_on || before.state == Some(State::Running))
}

async fn stop(aws: &AwsRecovery, request: &StepRequest, before: &PowerState, found: &Instance) -> StepOutcome {
    if is_down(found) {
        return StepOutcome::Done(result(found));
    }
    let since_ms = request.now_ms.since(first_ms(request, before));
    let call = aws.ec2.stop_instances().instance_ids(&request.subject);
    let call = match next_call(state(found), since_ms, request.policy.may_skip_os_shutdown) {
        None => return StepOutcome::Waiting(LOOK_AGAIN_MS),
        Some(StopCall::Request) => call,
        Some(StopCall::Force) => call.force(true),
        Some(StopCall::SkipShutdown) => call.force(true).skip_os_shutdown(true),
    };
    after(ask("ec2:StopInstances", call.send()).await)
}

/// When this stop was first begun: another attempt at it does not wait anew.
fn first_ms(request: &StepRequest, before: &PowerState) -> UnixMs {
    let is_open = request.notes.get(&Stop::KIND).is_some_and(|note| note.result.is_none());
    let first = precondition_of::<Stop>(request).filter(|_| is_open);
    first.map_or(before.at_ms, |first| first.at_ms.min(before.at_ms))
}

async fn start(aws: &AwsRecovery, request: &StepRequest, before: &PowerState, found: &Instance) -> StepOutcome {
    match state(found) {
        Some(State::Stopped) => {}
        Some(State::ShuttingDown | State::Terminated) => {
            return StepOutcome::Failed(format!("{} has ended, and can't be started", request.subject));
        }
        // The stop that is to be taken back has not come to its end, and nobody can say when it will.
        stopping if is_stuck(stopping, request.now_ms.since(first_ms(request, before))) => {
            return StepOutcome::Failed(format!("{} hangs on its way down, and can't be started", request.subject));
        }
        _ if has_started(before, found) => return StepOutcome::Done(result(found)),
        _ => return StepOutcome::Waiting(LOOK_AGAIN_MS),
    }
    if request.action == RecoveryAction::MigrateHost && is_bound_to_host(found) {
        let call = aws.ec2.modify_instance_placement().instance_id(&request.subject).affinity(Affinity::Default);
        if let Err(error) = ask("ec2:ModifyInstancePlacement", call.send()).await {
            return error.outcome();
        }
    }
    after(ask("ec2:StartInstances", aws.ec2.start_instances().instance_ids(&request.subject).send()).await)
}

/// On a dedicated host with affinity it would come back to the same one. On shared tenancy nothing can be said of where it comes up.
fn is_bound_to_host(found: &Instance) -> bool {
    found.placement.as_ref().is_some_and(|p| {
        matches!(p.tenancy, Some(Tenancy::Dedicated | Tenancy::Host)) && p.affinity.as_deref() == Some("host")
    })
}

/// Between the look and the call it may have gone on: then the next look tells.
fn after<T>(called: Result<T, CallError>) -> StepOutcome {
    match called {
        Err(error) if error.code != "IncorrectInstanceState" => error.outcome(),
        _ => StepOutcome::Waiting(LOOK_AGAIN_MS),
    }
}
