//! `forewarn silence`: keeps announcements back for a while.

use super::common::{StateArg, span};
use super::error::CliError;
use super::history::ReportFormat;
use super::operator::{self, Act};
use super::{Context, End};
use forewarn_domain::silence::{self, Silence, Target};
use forewarn_log::event::operator::OperatorAction;
use serde_json::json;

/// Keeps announcements about something back for a while; episodes stay in the log, and what is still at level high afterwards is
/// announced then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn silence i-0123456789abcdef0 --for 4h --reason \"replacing the volume\"
  forewarn silence web --workload --for 2d --reason \"load test\" --by anna
  forewarn silence --list
  forewarn silence --lift ID")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    /// What is silenced: an instance or an episode by id, all, or what the next flags say
    #[arg(value_name = "TARGET", required_unless_present_any = ["list", "lift"], conflicts_with_all = ["list", "lift"])]
    target: Option<String>,
    /// The target is an instance
    #[arg(long, group = "what")]
    instance: bool,
    /// The target is a workload
    #[arg(long, group = "what")]
    workload: bool,
    /// The target is a kind of failure, such as `disk_full`
    #[arg(long, group = "what")]
    failure_type: bool,
    /// How long
    #[arg(long = "for", value_name = "SPAN", value_parser = span, required_unless_present_any = ["list", "lift"])]
    span: Option<i64>,
    /// Why, in words
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "lift"])]
    reason: Option<String>,
    /// Who asks for it; kept apart from the log's chain, and forgotten after 90 days
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Lists the silences in force
    #[arg(long, conflicts_with = "lift")]
    list: bool,
    /// Ends a silence before its time
    #[arg(long, value_name = "ID")]
    lift: Option<String>,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let log = operator::open(&self.state, context)?;
        let now = forewarn_runtime::time::format_ms(context.now_ms);
        let mut silences = forewarn_predict::announce::silences(&*log)?;
        silences.retain(|s| silence::holds_at(s, &now));
        if self.list {
            return self.print(&silences, context);
        }
        if let Some(id) = &self.lift {
            let found = silences.iter().find(|s| silence::id(&s.target, &s.since) == *id);
            let found =
                found.ok_or_else(|| format!("no silence {id} is in force; `forewarn silence --list` lists them"))?;
            let act = Act { action: OperatorAction::Unsilence, by: self.by.as_deref(), ..Act::about(&found.target) };
            operator::record(&*log, &format!("lift {id}"), act, context)?;
            context.out.line(format_args!("{} may be announced again", found.target))?;
            return Ok(End::Done);
        }
        let target = self.target()?.to_string();
        let until = forewarn_runtime::time::format_ms(context.now_ms.saturating_add(self.span.unwrap_or_default()));
        let id = silence::id(&target, &now);
        let act = Act {
            action: OperatorAction::Silence,
            until: Some(until.clone()),
            reason: self.reason.as_deref(),
            by: self.by.as_deref(),
            ..Act::about(&target)
        };
        operator::record(&*log, &id, act, context)?;
        context.out.line(format_args!("{id}  {target} silenced until {until}"))?;
        Ok(End::Done)
    }

    fn target(&self) -> Result<Target, CliError> {
        let text = self.target.clone().unwrap_or_default();
        if text.trim().is_empty() {
            return Err(CliError::input("the target is empty"));
        }
        Ok(if self.workload {
            Target::Workload(text)
        } else if self.failure_type {
            let known = serde_json::from_value::<forewarn_domain::prediction::FailureType>(json!(text));
            known
                .map_err(|_| format!("no failure type {text:?}; such as disk_full, memory_exhaustion or cpu_steal"))?;
            Target::FailureType(text)
        } else if self.instance {
            Target::Named(text)
        } else {
            Target::parse(&text)
        })
    }

    fn print(&self, silences: &[Silence], context: &mut Context<'_>) -> Result<End, CliError> {
        let id = |s: &Silence| silence::id(&s.target, &s.since);
        if self.format == ReportFormat::Json {
            let rows = silences.iter().map(
                |s| json!({"id": id(s), "target": s.target, "since": s.since, "until": s.until, "reason": s.reason}),
            );
            context.out.json(&rows.collect::<Vec<_>>())?;
            return Ok(End::Done);
        }
        for s in silences {
            let until = s.until.as_deref().unwrap_or("further notice");
            let reason = s.reason.as_deref().unwrap_or("-");
            context.out.line(format_args!("{}  {}  until {until}  {reason}", id(s), s.target))?;
        }
        Ok(End::Done)
    }
}
