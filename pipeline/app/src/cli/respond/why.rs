//! `forewarn respond why`: says why something was or would be done about an instance, or not.

use super::super::error::CliError;
use super::super::recoveries::rows;
use super::super::{Context, End};
use super::How;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::Action;
use forewarn_domain::time::UnixMs;
use forewarn_log::Event;
use forewarn_log::event::recovery::of;
use forewarn_log::row::RecoveryRow;
use forewarn_recover::facts::AssessmentRequest;
use forewarn_recover::ledger::events;
use forewarn_recover::policies::check_name;
use forewarn_recover::store::Store;
use forewarn_recovery::admission::Caps;
use forewarn_recovery::event::RecoveryEvent;
use forewarn_recovery::facts::Read;
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use serde_json::json;

/// Says why something was or would be done about an instance, or not: gate by gate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn respond why i-0123456789abcdef0
  forewarn respond why i-0123456789abcdef0 --for instance_check --format json")]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// The EC2 instance id
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// What it would be for
    #[arg(long = "for", value_enum, default_value = "system_check")]
    cause: CauseArg,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: super::super::history::ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum CauseArg {
    SystemCheck,
    InstanceCheck,
    EbsCheck,
    Application,
    Prediction,
}

impl CauseArg {
    const fn cause(self) -> Cause {
        match self {
            Self::SystemCheck => Cause::CheckFailed { check: Check::System },
            Self::InstanceCheck => Cause::CheckFailed { check: Check::Instance },
            Self::EbsCheck => Cause::CheckFailed { check: Check::AttachedEbs },
            Self::Application => Cause::ApplicationDown,
            Self::Prediction => Cause::Predicted { action: Action::HostMigration },
        }
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        check_name(&self.instance).map_err(CliError::input)?;
        let bench = self.how.bench(Caps::default(), context)?;
        let course_of = course_of(&*bench.log, &self.instance)?;
        let cause = self.cause.cause();
        let now = UnixMs(context.now_ms);
        let trigger = Trigger {
            id: "why".to_owned(),
            instance_id: self.instance.clone(),
            cause,
            at_ms: now,
            evidence: String::new(),
        };
        let rung = cause.first_action().rung();
        let assessed =
            bench.executor.fact_collector().about(AssessmentRequest::new(&self.instance, rung), &trigger, now);
        if let Read::Absent(what) = &assessed.facts.instance {
            return Err(CliError::input(what.clone()));
        }
        let (admission, _) = bench.executor.ledger().admission().map_err(CliError::failed)?;
        let open = admission.open_of(admission.lineage(&self.instance)).map(str::to_owned);
        if self.format == super::super::history::ReportFormat::Json {
            let refusals = assessed.refusals.iter().map(|r| json!({"refusal": r, "words": r.to_string()}));
            context.out.json(&json!({
                "instance_id": self.instance, "history": course_of, "plan": assessed.plan,
                "refusals": refusals.collect::<Vec<_>>(), "open_recovery": open, "facts": assessed.facts,
            }))?;
            return Ok(End::Done);
        }
        if let Read::Known(policy) = &assessed.facts.policy {
            for key in policy.unread() {
                context.out.line(format_args!("warning: the policy sets {key}, which nothing reads"))?;
            }
        }
        for line in &course_of {
            context.out.line(format_args!("{line}"))?;
        }
        let action = name_of(assessed.plan.action);
        if assessed.refusals.is_empty() {
            context.out.line(format_args!(
                "now: nothing speaks against {action} (its account's caps are asked when it begins)"
            ))?;
        }
        for refusal in &assessed.refusals {
            context.out.line(format_args!("now: against {action}: {refusal}"))?;
        }
        if let Some(id) = open {
            context.out.line(format_args!("now: recovery {id} of its lineage is open"))?;
        }
        Ok(End::Done)
    }
}

fn name_of(action: RecoveryAction) -> String {
    serde_json::to_value(action).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Gives what the log tells of an instance's recoveries, a line for what a person would ask about.
fn course_of(log: &dyn Store, instance: &str) -> Result<Vec<String>, CliError> {
    let about = |r: &RecoveryRow| r.instance_id == instance || r.state.subject == instance;
    let mut lines = Vec::new();
    for row in rows(log)?.into_iter().filter(about) {
        for entry in events(log, &row.recovery_id)? {
            let event = entry.event().unwrap_or(Event::Unknown { type_: String::new(), data: json!(null) });
            if let Some((id, _, event)) = of(&event)
                && let Some(words) = in_words(event)
            {
                let id = id.chars().take(12).collect::<String>();
                lines.push(format!("{}  {id}  {words}", entry.envelope.time));
            }
        }
    }
    lines.sort();
    Ok(lines)
}

/// Says what happened, where a person would ask about it.
fn in_words(event: &RecoveryEvent) -> Option<String> {
    Some(match event {
        RecoveryEvent::Requested { trigger, .. } => format!("requested: {}", trigger.evidence),
        RecoveryEvent::Joined { trigger_id } => format!("another trigger joined: {trigger_id}"),
        RecoveryEvent::Planned { plan, dry_run } => {
            format!("{}: {}", if *dry_run { "would have done" } else { "planned" }, name_of(plan.action))
        }
        RecoveryEvent::Denied { refusals } => format!("not done: {}", words(refusals)),
        RecoveryEvent::Deferred { refusals, until_ms } => {
            format!(
                "not yet done: {}; asked again at {}",
                words(refusals),
                forewarn_runtime::time::format_ms(until_ms.0)
            )
        }
        RecoveryEvent::Admitted => "admitted".to_owned(),
        RecoveryEvent::StepFailed { reason, .. } => format!("a step failed: {reason}"),
        RecoveryEvent::Undoing => "what was done is taken back".to_owned(),
        RecoveryEvent::Escalated { reason, .. } => format!("escalated: {reason}"),
        RecoveryEvent::Completed { outcome } => format!("over: {outcome}"),
        RecoveryEvent::Stuck { reason } => format!("needs a person: {reason}"),
        RecoveryEvent::Approved { by } => format!("approved by {by}"),
        RecoveryEvent::Objected { by } => format!("objected to by {by}"),
        RecoveryEvent::Stopped { by } => format!("stopped by {by}"),
        RecoveryEvent::Retried { by } => format!("tried again by {by}"),
        RecoveryEvent::Announced { .. }
        | RecoveryEvent::Leased { .. }
        | RecoveryEvent::LeaseReleased { .. }
        | RecoveryEvent::StepIntended { .. }
        | RecoveryEvent::StepDone { .. }
        | RecoveryEvent::StepWaiting { .. }
        | RecoveryEvent::Verified { .. } => return None,
    })
}

fn words(refusals: &[forewarn_recovery::refusal::Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
