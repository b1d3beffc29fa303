//! Commands on the instance, through Systems Manager: each is sent once, found again by its comment.

mod probe;
mod run;
mod script;

use super::super::ports::{StepOutcome, StepRequest};
use super::call::CallError;
use super::record::{self, Since};
use super::{AwsRecovery, Part};
use forewarn_domain::step::StepKind as S;
use forewarn_recovery::pace::SPOT_LEFT_MS;
pub(super) use probe::probe;
use run::Ended;
use serde::{Deserialize, Serialize};

/// How long until a command is looked at again that nobody has taken up, milliseconds.
const SOON_MS: i64 = 2_000;
/// How long until a command is looked at again that runs, milliseconds.
const AGAIN_MS: i64 = 3_000;

/// Commands on an instance.
#[derive(Debug)]
pub(super) struct Commands;

/// What is run.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    at_ms: i64,
    lines: Vec<String>,
    /// How long it may run, seconds.
    time_s: u32,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other steps belong to other parts")]
impl Part for Commands {
    async fn prepare(&self, _aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = record::settled(request) {
            return Ok(before);
        }
        let policy = &request.policy;
        let (lines, time_s) = match request.kind {
            S::Diagnose => (script::diagnose(&policy.units), 40),
            S::RestartUnits => (script::restart(&policy.units)?, 300),
            S::DrainApplication => (script::drain(&policy.targets)?, 60),
            other => return Err(format!("{other:?} is no step of commands")),
        };
        record::encode_precondition(&Order { at_ms: request.now_ms, lines, time_s })
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        record::either(go_on(aws, request).await)
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        let since: Since = record::decode_precondition(&request.before)?;
        let found = run::find(aws, &request.subject, &request.token, since.at_ms).await?;
        let Some(command) = found else { return record::too_early(request).map_or(Ok(None), Err) };
        match run::look(aws, &command, &request.subject).await? {
            Ended::Well(said) => Ok(Some(said)),
            // It is waited for, or its failure told, when it is performed again.
            Ended::NotYet | Ended::Running | Ended::Badly(_) | Ended::Late(_) => Ok(None),
        }
    }
}

async fn go_on(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let order: Order = record::before(request)?;
    let who = &request.subject;
    let is_late = || request.deadline_ms.is_some_and(|at| request.now_ms >= at.saturating_sub(SPOT_LEFT_MS));
    if request.kind == S::DrainApplication && is_late() {
        return Ok(StepOutcome::Failed("no time left to stop the application".to_owned()));
    }
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
