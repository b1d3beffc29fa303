//! `forewarn respond trigger`: asks for a recovery by hand.

use super::super::error::CliError;
use super::super::{Context, End};
use super::How;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::time::UnixMs;
use forewarn_recover::facts::{Assessment, AssessmentRequest};
use forewarn_recover::policies::{DEFAULT, check_name};
use forewarn_recover::triggers::{Manual, ManualType};
use forewarn_recovery::admission::Caps;
use serde_json::json;

/// Asks for a recovery by hand; a running `forewarn respond` carries it out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn respond trigger i-0123456789abcdef0 --action safe_restart --dry-run
  forewarn respond trigger i-0123456789abcdef0 --action replace")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// The EC2 instance id
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// What is to be done: safe_restart, migrate_host, replace, quarantine, release, repair_volume …
    #[arg(long, value_name = "ACTION", default_value = "safe_restart", value_parser = action)]
    action: RecoveryAction,
    /// Prints the plan and what speaks against it, and does nothing
    #[arg(long)]
    dry_run: bool,
}

fn action(text: &str) -> Result<RecoveryAction, String> {
    let parsed = serde_json::from_value(json!(text));
    let known = || {
        let names = RecoveryAction::ALL.iter().filter_map(|a| Some(serde_json::to_value(a).ok()?.as_str()?.to_owned()));
        names.collect::<Vec<_>>().join(", ")
    };
    parsed.map_err(|_| format!("no action `{text}`; there are {}", known()))
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        check_name(&self.instance).map_err(CliError::input)?;
        if self.instance == DEFAULT {
            return Err(CliError::input("name an instance"));
        }
        let bench = self.how.bench(Caps::default(), context)?;
        let manual = Manual {
            instance_id: self.instance.clone(),
            trigger_type: ManualType::Manual,
            action: Some(self.action),
            id: None,
        };
        let (rung, now) = (self.action.rung(), UnixMs(context.now_ms));
        let trigger = manual.trigger("", now);
        let collector = bench.executor.fact_collector();
        // Who asks by hand is told at once what speaks against it, rather than by the log.
        let assessed = collector.about(AssessmentRequest::new(&self.instance, rung), &trigger, now);
        if let forewarn_recovery::facts::Read::Absent(what) = &assessed.facts.instance {
            return Err(CliError::input(what.clone()));
        }
        if self.dry_run {
            return print(&self.instance, &assessed, context);
        }
        let id = bench.executor.request(&trigger).map_err(CliError::failed)?;
        let against = assessed.refusals.iter().map(ToString::to_string).collect::<Vec<_>>();
        context.out.json(
            &json!({"recovery_id": id, "instance_id": self.instance, "action": self.action, "against": against}),
        )?;
        Ok(End::Done)
    }
}

/// Prints what would be done.
pub(super) fn print(instance: &str, assessed: &Assessment, context: &mut Context<'_>) -> Result<End, CliError> {
    let against = assessed.refusals.iter().map(|r| json!({"refusal": r, "words": r.to_string()})).collect::<Vec<_>>();
    let undo = assessed.plan.forward_from;
    context.out.json(&json!({
        "instance_id": instance,
        "plan": assessed.plan,
        "only_forward_from_step": undo,
        "against": against,
        "would_act": against.is_empty() && assessed.plan.action.mutates(),
    }))?;
    Ok(End::Done)
}
