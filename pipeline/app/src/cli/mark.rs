//! `forewarn mark`: declares a change, which explanations name and trends wait for.

use super::common::{StateArg, time};
use super::error::CliError;
use super::operator;
use super::{Context, End};
use forewarn_domain::id::event_id;
use forewarn_log::event::change::{ChangeKind, ChangeMarked};
use forewarn_log::{Event, Expected, NewEvent};

/// Declares a change, such as a deployment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn mark --workload web \"deploy 4.2.0\"
  forewarn mark --instance i-0123456789abcdef0 --kind resize --at now-2h \"m5.large to m5.xlarge\"

A change that is declared late counts from now on: predictions of earlier times stay as they were. --known-at says that it was known before.")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    /// The instance that changed
    #[arg(long, value_name = "ID", required_unless_present = "workload")]
    instance: Option<String>,
    /// The workload that changed
    #[arg(long, value_name = "NAME", conflicts_with = "instance")]
    workload: Option<String>,
    /// deployment, config, resize, maintenance or other
    #[arg(long, value_name = "KIND", default_value = "deployment", value_parser = kind)]
    kind: ChangeKind,
    /// When it was made
    #[arg(long, value_name = "T", default_value = "now")]
    at: String,
    /// When it ended, where it lasted
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// When it became known, for changes of a past that was imported
    #[arg(long, value_name = "T", default_value = "now")]
    known_at: String,
    /// The change in words
    #[arg(value_name = "TEXT")]
    text: String,
}

fn kind(text: &str) -> Result<ChangeKind, String> {
    serde_json::from_value(serde_json::Value::from(text))
        .map_err(|_| "expected deployment, config, resize, maintenance or other".to_owned())
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let at = time(&self.at, context)?;
        let known_at = time(&self.known_at, context)?;
        let until = self.until.as_deref().map(|t| time(t, context)).transpose()?;
        if until.is_some_and(|u| u < at) {
            return Err(CliError::input("--until lies before --at"));
        }
        let target = self.instance.as_deref().or(self.workload.as_deref()).unwrap_or_default();
        let log = operator::open(&self.state, context)?;
        let at_text = forewarn_runtime::time::format_ms(at);
        let change_id = event_id("change", &[target, &at_text, &self.text]);
        let event = Event::ChangeMarked(ChangeMarked {
            change_id: change_id.clone(),
            instance_id: self.instance.clone(),
            workload: self.workload.clone(),
            kind: self.kind,
            text: self.text.clone(),
            at: at_text.clone(),
            until: until.map(forewarn_runtime::time::format_ms),
            marked_at: (at != known_at).then(|| forewarn_runtime::time::format_ms(known_at)),
            by: None,
        });
        let when = at_text.parse().map_err(CliError::failed)?;
        let new = NewEvent::new(change_id.clone(), target.to_owned(), when, event);
        let appended = log.append(&format!("change/{target}"), Expected::Any, &[new]).map_err(CliError::failed)?;
        let again = if appended.written == 0 { " (declared before: nothing changed)" } else { "" };
        context.out.line(format_args!("{change_id}  {target} at {at_text}{again}"))?;
        Ok(End::Done)
    }
}
