//! Commands on the instance, through Systems Manager: each is sent once, found again by its comment.

mod probe;
mod run;
mod script;

use super::super::hands::{Errand, Reply};
use super::call::Trouble;
use super::sight::{self, Since};
use super::{AwsHands, Part};
use forewarn_domain::step::StepKind as S;
use forewarn_recovery::plan::SPOT_LEFT_MS;
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
    fn prepare(&self, _hands: &AwsHands, errand: &Errand) -> Result<String, String> {
        if let Some(before) = sight::settled(errand) {
            return Ok(before);
        }
        let policy = &errand.policy;
        let (lines, time_s) = match errand.kind {
            S::Diagnose => (script::diagnose(&policy.units), 40),
            S::RestartUnits => (script::restart(&policy.units)?, 300),
            S::DrainApplication => (script::drain(&policy.targets)?, 60),
            other => return Err(format!("{other:?} is no step of commands")),
        };
        sight::freeze(&Order { at_ms: errand.now_ms, lines, time_s })
    }

    fn perform(&self, hands: &AwsHands, errand: &Errand) -> Reply {
        sight::either(go_on(hands, errand))
    }

    fn find(&self, hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
        let since: Since = sight::thaw(&errand.before)?;
        let found = run::find(hands, &errand.subject, &errand.token, since.at_ms).map_err(sight::words)?;
        let Some(command) = found else { return sight::too_early(errand).map_or(Ok(None), Err) };
        match run::look(hands, &command, &errand.subject).map_err(sight::words)? {
            Ended::Well(said) => Ok(Some(said)),
            // It is waited for, or its failure told, when it is performed again.
            Ended::NotYet | Ended::Running | Ended::Badly(_) | Ended::Late(_) => Ok(None),
        }
    }
}

fn go_on(hands: &AwsHands, errand: &Errand) -> Result<Reply, Reply> {
    let order: Order = sight::before(errand)?;
    let who = &errand.subject;
    let is_late = || errand.deadline_ms.is_some_and(|at| errand.now_ms >= at.saturating_sub(SPOT_LEFT_MS));
    if errand.kind == S::DrainApplication && is_late() {
        return Ok(Reply::Failed("no time left to stop the application".to_owned()));
    }
    let found = run::find(hands, who, &errand.token, order.at_ms).map_err(sight::unread)?;
    let Some(command) = found else {
        if let Some(why) = run::is_offline(hands, who).map_err(Trouble::reply)? {
            return Ok(Reply::Failed(why));
        }
        run::send(hands, who, &errand.token, &order.lines, order.time_s).map_err(Trouble::reply)?;
        return Ok(Reply::Waiting(SOON_MS));
    };
    Ok(match run::look(hands, &command, who).map_err(sight::unread)? {
        Ended::NotYet => Reply::Waiting(SOON_MS),
        Ended::Running => Reply::Waiting(AGAIN_MS),
        Ended::Well(said) => Reply::Done(said),
        Ended::Badly(why) => Reply::Failed(why),
        Ended::Late(why) => {
            run::cancel(hands, &command, who);
            Reply::Failed(why)
        }
    })
}
