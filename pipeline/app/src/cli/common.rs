//! What several commands share: times, rule sets, histories, maps and sizes.

pub(super) use forewarn_runtime::text::thousands as count;

use super::Context;
use super::error::CliError;
use crate::state::{State, StateSpec, in_function, refuse_local};
use forewarn_domain::signal::{SIGNALS, Signal};
use forewarn_domain::signal_map::SignalMap;
use forewarn_events::DeadLetters;
use forewarn_history::History;
use forewarn_recover::store::Store;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::settings::Origin;
use forewarn_runtime::threads::Threads;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the history is.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct HistoryArg {
    /// The history: a directory or s3://BUCKET/PREFIX [default: the setting, else ./history]
    #[arg(long, value_name = "H")]
    pub(super) history: Option<String>,
}

impl HistoryArg {
    pub(super) fn location<'a>(&'a self, context: &'a Context<'_>) -> &'a str {
        self.history.as_deref().unwrap_or(&context.settings.history)
    }

    pub(super) fn open(&self, context: &Context<'_>) -> Result<History, CliError> {
        Ok(History::open(self.location(context))?)
    }
}

/// Where the event log is.
#[derive(Debug, clap::Args)]
pub(super) struct StateArg {
    /// The state, with event log and bus: a directory, or dynamodb:TABLE [default: the setting, else ./state]
    #[arg(long, value_name = "STATE")]
    pub(super) state: Option<String>,
}

impl StateArg {
    /// Says what it is; in a Lambda function a directory is refused.
    pub(super) fn spec(&self, context: &Context<'_>) -> Result<StateSpec, CliError> {
        let spec = StateSpec::parse(self.state.as_deref().unwrap_or(&context.settings.state))?;
        if in_function() {
            spec.refuse_dir()?;
            refuse_local(&context.settings.history)?;
        }
        Ok(spec)
    }

    /// Opens what it names: a directory is made where there is none.
    pub(super) fn open(&self, context: &Context<'_>, ctx: &RuntimeContext) -> Result<State, CliError> {
        Ok(State::open(self.spec(context)?, ctx)?)
    }

    /// Opens the log to read it; none where there is none yet.
    pub(super) fn read(&self, context: &Context<'_>) -> Result<Option<Arc<dyn Store>>, CliError> {
        let spec = self.spec(context)?;
        if !spec.has_log() {
            return Ok(None);
        }
        Ok(Some(State::open(spec, &RuntimeContext::standalone())?.log("read")?))
    }

    /// Gives where messages are that can't be understood: in the directory, or in the history that a setting names.
    pub(super) fn dead(&self, context: &Context<'_>) -> Result<Box<dyn DeadLetters>, CliError> {
        let spec = self.spec(context)?;
        let settings = &context.settings;
        let is_named = settings.origins.get("history").is_some_and(|o| *o != Origin::Default);
        if matches!(spec, StateSpec::Table(_)) && !is_named {
            return Err(CliError::input(
                "where the state is a table, what can't be understood lies in the history; name it with FOREWARN_HISTORY",
            ));
        }
        Ok(spec.dead(&settings.history)?)
    }

    /// Gives the directory, for what is kept nowhere else.
    pub(super) fn dir(&self, context: &Context<'_>) -> Result<PathBuf, CliError> {
        let text = self.state.as_deref().unwrap_or(&context.settings.state);
        Ok(StateSpec::parse(text)?.dir("what this command works on")?.to_owned())
    }

    /// The file that announcements go to; none where the state is a table and nobody names a file.
    pub(super) fn bus(&self, context: &Context<'_>) -> Result<Option<PathBuf>, CliError> {
        let settings = &context.settings;
        let is_named = self.state.is_none() && settings.origins.get("bus").is_some_and(|o| *o != Origin::Default);
        if is_named {
            return Ok(Some(PathBuf::from(&settings.bus)));
        }
        Ok(match StateSpec::parse(self.state.as_deref().unwrap_or(&settings.state))? {
            StateSpec::Dir(dir) => Some(dir.join("events.jsonl")),
            StateSpec::Table(_) => None,
        })
    }
}

/// How many threads work at a time.
#[derive(Debug, clap::Args)]
pub(super) struct ThreadsArg {
    /// How many threads work at a time; what comes out is the same whatever their number [default: the setting, else one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<Threads>,
}

impl ThreadsArg {
    pub(super) fn threads(&self, context: &Context<'_>) -> Result<Threads, CliError> {
        let settings = &context.settings;
        let Some(setting) = settings.live.threads.as_ref().filter(|_| self.threads.is_none()) else {
            return Ok(self.threads.unwrap_or_else(Threads::all));
        };
        let origin = settings.origins.get("threads").map(|origin| format!("{origin}: ")).unwrap_or_default();
        setting.parse().map_err(|why| CliError::input(format!("{origin}threads: {why}")))
    }
}

/// Which rules are used.
#[derive(Debug, clap::Args)]
pub(super) struct RulesArg {
    /// A rule set (TOML) to use instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
}

impl RulesArg {
    /// Loads the rule set and gives its text as well.
    pub(super) fn load(&self, context: &Context<'_>) -> Result<(RuleSet, String), CliError> {
        let path = self.rules.clone().or_else(|| context.settings.rules.as_ref().map(PathBuf::from));
        match path {
            Some(path) => load_rules(&path),
            None => builtin(),
        }
    }
}

/// Gives the rule set that is built in.
pub(super) fn builtin() -> Result<(RuleSet, String), CliError> {
    Ok((RuleSet::builtin(&env)?, forewarn_rules::ruleset::DEFAULT_TOML.to_owned()))
}

/// Reads a rule set from a file.
pub(super) fn load_rules(path: &Path) -> Result<(RuleSet, String), CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| CliError::input(format!("cannot read the rule set {}: {e}", path.display())))?;
    Ok((RuleSet::parse(&text, &path.display().to_string(), &env)?, text))
}

/// Loads the second rule set that is kept silently, if one is wanted: by flag, else by setting. It is a trial: one that can't be read is
/// said, and stops no prediction.
pub(super) fn load_shadow(flag: Option<&PathBuf>, context: &Context<'_>) -> Option<RuleSet> {
    let setting = context.settings.live.shadow.as_ref().map(PathBuf::from);
    let file = flag.cloned().or(setting)?;
    match load_rules(&file) {
        Ok((rules, _)) => Some(rules),
        Err(e) => {
            tracing::error!("the shadow rule set is not kept: {e}");
            None
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// How many pages people put up with.
#[derive(Debug, clap::Args)]
pub(super) struct BudgetArg {
    /// Picks the lowest level for high at which this history would have brought at most so many pages a week
    #[arg(long, value_name = "N", value_parser = pages)]
    pub(super) pages_per_week: Option<f64>,
}

/// Reads a number of pages: zero or more, and finite.
fn pages(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    found.ok_or_else(|| format!("`{text}` is not a number of pages; write zero or more"))
}

/// How often the fleet fails.
#[derive(Debug, clap::Args)]
pub(super) struct PriorArg {
    /// Incidents in an instance's month, where you know better than what is estimated from known incidents or the evidence
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) prior: Option<f64>,
}

/// Reads a rate: above zero, and finite.
fn rate(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|rate| (1e-6..=100.0).contains(rate));
    found.ok_or_else(|| format!("`{text}` is not a rate; write incidents in an instance's month, 0.000001 to 100"))
}

/// Which metric names feed which signals, beyond the table of known names.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct MapArg {
    /// Lets a metric feed a signal, such as app_heap=memory; may be given again
    #[arg(long = "map", value_name = "NAME=SIGNAL", value_parser = parse_map)]
    pub(super) map: Vec<(String, Signal)>,
}

impl MapArg {
    pub(super) fn names(&self) -> BTreeMap<String, Signal> {
        self.map.iter().cloned().collect()
    }

    /// The history's own names, and these over them.
    pub(super) fn over(&self, history: &History) -> SignalMap {
        let mut names = history.manifest().signal_map.clone();
        names.extend(self.names());
        SignalMap::new(names)
    }
}

fn parse_map(text: &str) -> Result<(String, Signal), String> {
    let known = || SIGNALS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
    let (name, signal) = text.split_once('=').ok_or("expected NAME=SIGNAL, such as app_heap=memory")?;
    let found = Signal::from_name(signal).ok_or_else(|| format!("no signal `{signal}`; there are {}", known()))?;
    if name.is_empty() {
        return Err("the metric's name is empty".to_owned());
    }
    Ok((name.to_owned(), found))
}

/// Reads a time: RFC 3339, `now`, `now-7d`, or a bare date and time as UTC.
pub(super) fn time(text: &str, context: &Context<'_>) -> Result<i64, CliError> {
    Ok(forewarn_runtime::time::parse_time(text, context.now_ms, None)?)
}

/// Reads a span such as `1h`, `300s`, `7d`.
pub(super) fn span(text: &str) -> Result<i64, String> {
    forewarn_runtime::time::parse_span(text)
        .filter(|ms| *ms > 0)
        .ok_or_else(|| format!("`{text}` is not a span of time; write 300s, 5m, 1h or 7d"))
}

/// Reads a size such as `128MiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = forewarn_runtime::text::parse_size(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("`{text}` is not a size; write bytes, or a number with KiB, MiB or GiB"))
}

pub(super) fn create_dir(path: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(path).map_err(|e| CliError::input(format!("cannot create {}: {e}", path.display())))
}
