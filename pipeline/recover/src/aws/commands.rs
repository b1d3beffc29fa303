//! Commands on the instance, through Systems Manager: each is sent once, found again by its comment.

mod probe;
mod run;
mod script;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::CallError;
use super::record::{Unreadable, too_early};
use super::step::{Found, Performed, Step};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::pace::leaves_no_time;
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

/// A command that is a step: it says what is run.
pub(super) trait Command {
    const STEP: StepKind;

    fn order(request: &StepRequest) -> Result<Order, String>;

    /// Says why it is not sent any more.
    fn refusal(_request: &StepRequest) -> Option<&'static str> {
        None
    }
}

impl<T: Command> Step for T {
    const KIND: StepKind = T::STEP;
    type Precondition = Order;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Order, String> {
        T::order(request)
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Performed {
        match T::refusal(request) {
            Some(why) => Ok(StepOutcome::Failed(why.to_owned())),
            None => go_on(aws, request, order).await,
        }
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, order: Result<Order, Unreadable>) -> Found {
        find(aws, request, &order?).await
    }
}

#[derive(Debug)]
pub(super) struct Diagnose;

impl Command for Diagnose {
    const STEP: StepKind = StepKind::Diagnose;

    fn order(request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::diagnose(&request.policy.units), 40))
    }
}

#[derive(Debug)]
pub(super) struct RestartUnits;

impl Command for RestartUnits {
    const STEP: StepKind = StepKind::RestartUnits;

    fn order(request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::restart(&request.policy.units)?, 300))
    }
}

#[derive(Debug)]
pub(super) struct DrainApplication;

impl Command for DrainApplication {
    const STEP: StepKind = StepKind::DrainApplication;

    fn order(request: &StepRequest) -> Result<Order, String> {
        Ok(Order::new(request, script::drain(&request.policy.targets)?, 60))
    }

    fn refusal(request: &StepRequest) -> Option<&'static str> {
        let is_late = request.deadline_ms.is_some_and(|at| leaves_no_time(at, request.now_ms));
        is_late.then_some("no time left to stop the application")
    }
}

async fn find(aws: &AwsRecovery, request: &StepRequest, order: &Order) -> Found {
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
