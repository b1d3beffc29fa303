//! `forewarn ack`: takes note of an episode, and says whether it was right.

use super::common::StateArg;
use super::error::CliError;
use super::operator::{self, Act};
use super::{Context, End};
use forewarn_log::event::operator::{OperatorAction, Opinion};
use forewarn_log::table::Table;
use forewarn_log::{Row, StateLog};

/// Takes note of an episode, and says whether it was right.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn ack i-0123456789abcdef0 --note \"volume ordered\"
  forewarn ack EPISODE_ID --verdict false --note \"nightly batch\" --by anna")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    /// The episode, or the instance whose open episode is meant
    #[arg(value_name = "EPISODE_ID|INSTANCE")]
    target: String,
    /// Whether the prediction was right: true, false or unsure
    #[arg(long, value_enum)]
    verdict: Option<Opinion>,
    /// What there is to say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who says so; kept apart from the log's chain, and forgotten after 90 days
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let log = operator::open(&self.state, context)?;
        let episode = episode(&*log, &self.target)?;
        let act = Act {
            action: OperatorAction::Ack,
            reason: self.note.as_deref(),
            verdict: self.verdict,
            by: self.by.as_deref(),
            ..Act::about(&episode)
        };
        let id = format!("ack {episode} {}", forewarn_runtime::time::format_ms(context.now_ms));
        operator::record(&*log, &id, act, context)?;
        context.out.line(format_args!("{episode}  noted"))?;
        Ok(End::Done)
    }
}

/// Finds the episode that is meant: its own id, a workload episode's, or an instance's latest.
fn episode(log: &dyn StateLog, target: &str) -> Result<String, CliError> {
    let known =
        log.table(Table::Episodes)?.contains_key(target) || log.table(Table::WorkloadEpisodes)?.contains_key(target);
    if known {
        return Ok(target.to_owned());
    }
    if let Some(Row::Prediction(p)) = log.table(Table::PredictionsCurrent)?.remove(target)
        && let Some(id) = p.episode_id
    {
        return Ok(id);
    }
    Err(CliError::input(format!(
        "no episode and no instance {target:?} in the log; `forewarn log list --type prediction`"
    )))
}
