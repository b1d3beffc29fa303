//! Commands on the instance, through Systems Manager: each is sent once, found again by its comment.

mod probe;
mod run;
mod script;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::CallError;
use super::record::{Unreadable, too_early};
use super::step::Step;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::pace::SPOT_LEFT_MS;
pub(super) use probe::probe;
use run::Ended;
use serde::{Deserialize, Serialize};

/// How long until a command is looked at again that nobody has taken up, milliseconds.
const SOON_MS: i64 = 2_000;
/// How long until a command is looked at again that runs, milliseconds.
const AGAIN_MS: i64 = 3_000;

/// What is run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    at_ms: UnixMs,
    lines: Vec<String>,
    /// How long it may run, seconds.
    time_s: u32,
}

impl Order {
    fn new(request: &StepRequest, lines: Vec<String>, time_s: u32) -> Self {
        Self { at_ms: request.now_ms, lines, time_s }
    }
}

#[derive(Debug)]
pub(super) struct Diagnose;

impl Step for Diagnose {
    const KIND: StepKind = StepKind::Diagnose;
    type Precondition = Order;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::diagnose(&request.policy.units), 40))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Result<StepOutcome, StepOutcome> {
        go_on(aws, request, order).await
    }

    async fn find(
        aws: &AwsRecovery,
        request: &StepRequest,
        order: Result<Order, Unreadable>,
    ) -> Result<Option<String>, String> {
        find(aws, request, &order?).await
    }
}

#[derive(Debug)]
pub(super) struct RestartUnits;

impl Step for RestartUnits {
    const KIND: StepKind = StepKind::RestartUnits;
    type Precondition = Order;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::restart(&request.policy.units)?, 300))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Result<StepOutcome, StepOutcome> {
        go_on(aws, request, order).await
    }

    async fn find(
        aws: &AwsRecovery,
        request: &StepRequest,
        order: Result<Order, Unreadable>,
    ) -> Result<Option<String>, String> {
        find(aws, request, &order?).await
    }
}

#[derive(Debug)]
pub(super) struct DrainApplication;

impl Step for DrainApplication {
    const KIND: StepKind = StepKind::DrainApplication;
    type Precondition = Order;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::drain(&request.policy.targets)?, 60))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Result<StepOutcome, StepOutcome> {
        let is_late = request.deadline_ms.is_some_and(|at| request.now_ms >= at.saturating_sub(SPOT_LEFT_MS));
        if is_late {
            return Ok(StepOutcome::Failed("no time left to stop the application".to_owned()));
        }
        go_on(aws, request, order).await
    }

    async fn find(
        aws: &AwsRecovery,
        request: &StepRequest,
        order: Result<Order, Unreadable>,
    ) -> Result<Option<String>, String> {
        find(aws, request, &order?).await
    }
}

async fn find(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Result<Option<String>, String> {
    let found = run::find(aws, &request.subject, &request.token, order.at_ms).await?;
    let Some(command) = found else { return too_early(request, order.at_ms).map_or(Ok(None), Err) };
    match run::look(aws, &command, &request.subject).await? {
        Ended::Well(said) => Ok(Some(said)),
        // It is waited for, or its failure told, when it is performed again.
        Ended::NotYet | Ended::Running | Ended::Badly(_) | Ended::Late(_) => Ok(None),
    }
}

async fn go_on(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Result<StepOutcome, StepOutcome> {
    let who = &request.subject;
    let found = run::find(aws, who, &request.token, order.at_ms).await.map_err(CallError::unknown)?;
    let Some(command) = found else {
        if let Some(why) = run::is_offline(aws, who).await.map_err(CallError::outcome)? {
            return Ok(StepOutcome::Failed(why));
        }
        run::send(aws, who, &request.token, &order.lines, order.time_s).await.map_err(CallError::outcome)?;
        return Ok(StepOutcome::Waiting(SOON_MS));
    };
    Ok(match run::look(aws, &command, who).await.map_err(CallError::unknown)? {
        Ended::NotYet => StepOutcome::Waiting(SOON_MS),
        Ended::Running => StepOutcome::Waiting(AGAIN_MS),
        Ended::Well(said) => StepOutcome::Done(said),
        Ended::Badly(why) => StepOutcome::Failed(why),
        Ended::Late(why) => {
            run::cancel(aws, &command, who).await;
            StepOutcome::Failed(why)
        }
    })
}
