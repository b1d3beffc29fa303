//! Stops and starts the instance that is healed: each looks first, and goes on from there.

use super::super::ports::{StepOutcome, StepRequest};
use super::call::{CallError, ask};
use super::ec2_reads::{instance, millis, state};
use super::{AwsRecovery, Part};
use aws_sdk_ec2::types::{Affinity, Instance, Tenancy};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_recovery::facts::InstanceState as State;
use serde::{Deserialize, Serialize};

/// How long after a call the instance is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;
/// How long a stop may take until it is forced, milliseconds.
const HUNG_MS: i64 = 5 * 60_000;
/// How long until it is clear that this has not helped either, milliseconds.
const STUCK_MS: i64 = 2 * HUNG_MS;

/// How things stood before.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    at_ms: i64,
    state: Option<State>,
    launched_ms: Option<i64>,
}

/// Stop and start.
#[derive(Debug)]
pub(super) struct Compute;

impl Part for Compute {
    async fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        let found = instance(&aws.ec2, &request.subject).await?;
        let found = found.ok_or_else(|| unknown(aws, request))?;
        let launched_ms = millis(found.launch_time.as_ref());
        let before = Before { at_ms: request.now_ms, state: state(&found), launched_ms };
        serde_json::to_string(&before).map_err(|e| e.to_string())
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        let before: Before = match serde_json::from_str(&request.before) {
            Ok(before) => before,
            Err(e) => return StepOutcome::Failed(format!("how {} stood before can't be read: {e}", request.subject)),
        };
        match instance(&aws.ec2, &request.subject).await {
            Ok(Some(found)) if request.kind == StepKind::Stop => stop(aws, request, &before, &found).await,
            Ok(Some(found)) => start(aws, request, &before, &found).await,
            Ok(None) => StepOutcome::Failed(unknown(aws, request)),
            Err(error) => error.unknown(),
        }
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        let before: Before = serde_json::from_str(&request.before).map_err(|e| e.to_string())?;
        let found = instance(&aws.ec2, &request.subject).await?;
        let found = found.ok_or_else(|| unknown(aws, request))?;
        let is_done = if request.kind == StepKind::Stop { is_down(&found) } else { has_started(&before, &found) };
        Ok(is_done.then(|| result(&found)))
    }
}

fn unknown(aws: &AwsRecovery, request: &StepRequest) -> String {
    format!("EC2 knows no instance {} in {}", request.subject, aws.region)
}

fn result(found: &Instance) -> String {
    let state = state(found);
    serde_json::json!({ "state": state, "launched_ms": millis(found.launch_time.as_ref()) }).to_string()
}

/// What has ended does not run either: it is fenced.
fn is_down(found: &Instance) -> bool {
    matches!(state(found), Some(State::Stopped | State::Terminated))
}

/// It runs, and has been started since; or it ran all the time, and there was nothing to start.
fn has_started(before: &Before, found: &Instance) -> bool {
    let has_moved_on = millis(found.launch_time.as_ref()) != before.launched_ms;
    state(found) == Some(State::Running) && (has_moved_on || before.state == Some(State::Running))
}

async fn stop(aws: &AwsRecovery, request: &StepRequest, before: &Before, found: &Instance) -> StepOutcome {
    let is_forced = match state(found) {
        _ if is_down(found) => return StepOutcome::Done(result(found)),
        Some(State::Running) => false,
        Some(State::Stopping) if request.now_ms - first_ms(request, before) > HUNG_MS => true,
        _ => return StepOutcome::Waiting(LOOK_AGAIN_MS),
    };
    // The guest is always asked to shut down, unless people have said that it may be cut off, and nothing else has helped.
    let is_cut_off =
        is_forced && request.policy.may_skip_os_shutdown && request.now_ms - first_ms(request, before) > STUCK_MS;
    let call = aws.ec2.stop_instances().instance_ids(&request.subject);
    let call = if is_forced { call.force(true) } else { call };
    let call = if is_cut_off { call.skip_os_shutdown(true) } else { call };
    after(ask("ec2:StopInstances", call.send()).await)
}

/// When this stop was first begun: another attempt at it does not wait anew.
fn first_ms(request: &StepRequest, before: &Before) -> i64 {
    let first = request.notes.get(&StepKind::Stop).filter(|note| note.result.is_none());
    let first = first.and_then(|note| serde_json::from_str::<Before>(&note.before).ok());
    first.map_or(before.at_ms, |first| first.at_ms.min(before.at_ms))
}

async fn start(aws: &AwsRecovery, request: &StepRequest, before: &Before, found: &Instance) -> StepOutcome {
    match state(found) {
        Some(State::Stopped) => {}
        Some(State::ShuttingDown | State::Terminated) => {
            return StepOutcome::Failed(format!("{} has ended, and can't be started", request.subject));
        }
        // The stop that is to be taken back has not come to its end, and nobody can say when it will.
        Some(State::Stopping) if request.now_ms - first_ms(request, before) > STUCK_MS => {
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
