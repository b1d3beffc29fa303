//! `forewarn recoveries`: what goes on, and what a person says to it.

use super::error::CliError;
use super::history::ReportFormat;
use super::storage::StorageArgs;
use super::{Context, End};
use forewarn_domain::time::UnixMs;
use forewarn_log::event::recovery::of;
use forewarn_log::row::RecoveryRow;
use forewarn_log::{Row, Table};
use forewarn_recover::ledger::{Ledger, LedgerError, events};
use forewarn_recover::store::Store;
use forewarn_recovery::decide::{Command, decide};
use forewarn_recovery::state::Phase;
use forewarn_runtime::clock::SystemClock;
use serde_json::json;
use std::sync::Arc;

/// Lists recoveries, shows one, and tells it what a person says.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn recoveries list --state S
  forewarn recoveries show 3f2a --state S
  forewarn recoveries approve 3f2a --by anna --state S

An id may be shortened as long as it is one recovery's alone.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Lists recoveries, the open ones unless --all
    List(List),
    /// Shows one, event by event
    Show(One),
    /// Approves what waits for it, on this rung
    Approve(Say),
    /// Objects to what was announced: it is not done
    Object(Say),
    /// Lets one that is stuck try again, after a person has looked
    Retry(Say),
    /// Ends one that is not in the middle of its steps
    Stop(Say),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    storage: StorageArgs,
    /// Those that are over as well
    #[arg(long)]
    all: bool,
    /// Only an instance's
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Debug, clap::Args)]
struct One {
    #[command(flatten)]
    storage: StorageArgs,
    /// The recovery
    #[arg(value_name = "ID")]
    id: String,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Debug, clap::Args)]
struct Say {
    #[command(flatten)]
    storage: StorageArgs,
    /// The recovery
    #[arg(value_name = "ID")]
    id: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Sub::List(args) => args.run(context),
            Sub::Show(args) => args.run(context),
            Sub::Approve(args) => args.say(|by| Command::Approve { by }, "approved", context),
            Sub::Object(args) => args.say(|by| Command::Object { by }, "objected to", context),
            Sub::Retry(args) => args.say(|by| Command::Retry { by }, "tried again", context),
            Sub::Stop(args) => args.say(|by| Command::Stop { by }, "stopped", context),
        }
    }
}

pub(super) fn rows(log: &dyn Store) -> Result<Vec<RecoveryRow>, CliError> {
    let rows = log.rows(Table::Recoveries)?.into_iter();
    let mut rows: Vec<RecoveryRow> =
        rows.filter_map(|row| if let Row::Recovery(r) = row { Some(*r) } else { None }).collect();
    rows.sort_by(|a, b| (&a.opened_at, &a.recovery_id).cmp(&(&b.opened_at, &b.recovery_id)));
    Ok(rows)
}

/// Finds the one that an id, or its beginning, means.
fn find(log: &dyn Store, id: &str) -> Result<RecoveryRow, CliError> {
    let mut found: Vec<RecoveryRow> = rows(log)?.into_iter().filter(|r| r.recovery_id.starts_with(id)).collect();
    match (found.len(), found.pop()) {
        (1, Some(row)) => Ok(row),
        (0, _) => Err(CliError::input(format!("no recovery {id:?}; `forewarn recoveries list --all` lists them"))),
        (n, _) => Err(CliError::input(format!("{n} recoveries begin with {id:?}; write more of it"))),
    }
}

/// Says where a recovery stands, in words.
fn phase(row: &RecoveryRow, now_ms: i64) -> String {
    let at = |time: UnixMs| format!("{time} ({})", forewarn_runtime::time::relative(time.0, now_ms));
    if let Some(what) = &row.illegal {
        return format!("unreadable: {what}");
    }
    match row.state.phase {
        Phase::New => "new".to_owned(),
        Phase::Requested => "to be planned".to_owned(),
        Phase::Deferred { until_ms, .. } => format!("deferred until {}", at(until_ms)),
        Phase::Planned => "planned".to_owned(),
        Phase::Announced { until_ms } => format!("announced, may be objected to until {}", at(until_ms)),
        Phase::Running(_) => row.state.step().map_or("steps done".to_owned(), |s| format!("at {}", s.kind)),
        Phase::Undoing(_) => row.state.step().map_or("taken back".to_owned(), |s| format!("taking back: {}", s.kind)),
        Phase::Holding { until_ms } => format!("done, has to last until {}", at(until_ms)),
        Phase::Closed { outcome } => format!("over: {outcome}"),
        Phase::Stuck => format!("needs a person: {}", row.state.reason.as_deref().unwrap_or("-")),
    }
}

impl List {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let log = self.storage.log(context)?;
        let mut rows = rows(&*log)?;
        rows.retain(|r| {
            (self.all || r.open) && self.instance.as_ref().is_none_or(|i| r.instance_id == *i || r.state.subject == *i)
        });
        if self.format == ReportFormat::Json {
            context.out.json(&rows)?;
            return Ok(End::Done);
        }
        for row in &rows {
            let action = row.state.plan.as_ref().map_or("-".to_owned(), |p| p.action.to_string());
            let id = row.recovery_id.chars().take(12).collect::<String>();
            let (subject, words) = (&row.state.subject, phase(row, context.now_ms));
            context.out.line(format_args!("{id}  {}  {subject}  {action}  {words}", row.opened_at))?;
        }
        Ok(End::Done)
    }
}

impl One {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let log = self.storage.log(context)?;
        let row = find(&*log, &self.id)?;
        let entries = events(&*log, &row.recovery_id)?;
        if self.format == ReportFormat::Json {
            context.out.json(&json!({"recovery": row, "events": entries}))?;
            return Ok(End::Done);
        }
        context.out.line(format_args!(
            "{}  {}  {}",
            row.recovery_id,
            row.state.subject,
            phase(&row, context.now_ms)
        ))?;
        for entry in &entries {
            let event = entry.event().map_err(CliError::failed)?;
            let Some((_, _, event)) = of(&event) else { continue };
            let text = serde_json::to_string(event).map_err(CliError::failed)?;
            context.out.line(format_args!("{:>4}  {}  {text}", entry.version, entry.envelope.time))?;
        }
        Ok(End::Done)
    }
}

impl Say {
    fn say(&self, command: fn(String) -> Command, words: &str, context: &mut Context<'_>) -> Result<End, CliError> {
        if self.by.trim().is_empty() || self.by.len() > 200 {
            return Err(CliError::input("--by is a name of 1 to 200 bytes"));
        }
        let log = self.storage.log(context)?;
        let row = find(&*log, &self.id)?;
        // What a person says is about one recovery: no account's admission is touched.
        let ledger = Ledger::new(log, Arc::new(SystemClock), ("-", "-"));
        loop {
            let mut entry = ledger.load(&row.recovery_id, &row.instance_id).map_err(illegal)?;
            let events = decide(&entry.state, command(self.by.clone()), ledger.now())
                .map_err(|e| CliError::input(format!("recovery {} can't be {words}: {e}", row.recovery_id)))?;
            if ledger.append(&mut entry, &events).map_err(illegal)? {
                context.out.line(format_args!("{}  {words}", row.recovery_id))?;
                return Ok(End::Done);
            }
        }
    }
}

fn illegal(e: LedgerError) -> CliError {
    CliError::failed(e)
}
