//! What is pulled from `CloudWatch`, and how: the same for every command that pulls.

mod places;

use super::Context;
use super::common::span;
use super::error::CliError;
use forewarn_ingest::source::job::{
    DEFAULT_DISCOVERY_AGE_MS, DEFAULT_LOOKBACK_MS, DEFAULT_PATIENCE_MS, DEFAULT_TAIL_MS, FOLLOW_DEADLINE_MS, Job, Mode,
};
use forewarn_ingest::source::metric_scope::{MetricScope, NAMESPACES, parse_delay, parse_period};
use forewarn_ingest::source::select::Selection;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is pulled from CloudWatch, and how.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct PullArgs {
    /// Which instances: all, metrics, tag:NAME=VALUE[|VALUE], asg:NAME, ids:FILE, comma-separated [default: the setting, else all]
    #[arg(long, value_name = "S")]
    pub(super) select: Option<String>,
    /// The regions, comma-separated [default: the setting, else the SDK's own]
    #[arg(long, value_name = "R")]
    pub(super) regions: Option<String>,
    /// A TOML file of accounts: [[account]] with role, external_id, id, regions [default: the setting]
    #[arg(long, value_name = "FILE")]
    pub(super) accounts: Option<PathBuf>,
    /// A file of further instances, one a line, each with the volumes that it had: those that are long gone
    #[arg(long, value_name = "FILE")]
    pub(super) ids: Option<PathBuf>,
    /// The period in seconds, for all or one namespace; may be given again [default: 300]
    #[arg(long, value_name = "[NAMESPACE=]S", value_parser = parse_period)]
    pub(super) period: Vec<(String, i32)>,
    /// How long CloudWatch takes until a period is whole, for all or one namespace [default: 5m]
    #[arg(long, value_name = "[NAMESPACE=]SPAN", value_parser = parse_delay)]
    pub(super) delay: Vec<(String, i64)>,
    /// How much of the end is read again for late points [default: 2h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(super) tail: Option<i64>,
    /// How far following reaches back when it begins [default: 3h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(super) lookback: Option<i64>,
    /// Metrics that may be asked for in a calendar month, for each account and region [default: the setting, else no limit]
    #[arg(long, value_name = "N")]
    pub(super) budget: Option<u64>,
    /// The namespaces that are listed
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = NAMESPACES)]
    pub(super) namespaces: Vec<String>,
    /// Every metric of the namespaces, rather than what signals read
    #[arg(long)]
    pub(super) all_metrics: bool,
    /// Threads for each account and region
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) workers: usize,
    /// GetMetricData calls a second that AWS allows here
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub(super) quota_calls: f64,
    /// Datapoints a second that AWS allows here for the last three hours; half of it for older ones
    #[arg(long, value_name = "N", default_value_t = 180_000.0)]
    pub(super) quota_points: f64,
}

/// What is pulled and how, with everything read that was named.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    mode: Mode,
    selection: Selection,
    ids: BTreeSet<String>,
    volumes: BTreeMap<String, String>,
    pub(super) wanted: MetricScope,
    tail_ms: i64,
    pub(super) budget: Option<u64>,
    workers: usize,
    seed: u64,
}

impl Settled {
    /// Makes the job of a round.
    pub(super) fn job<'a>(&self, ctx: &'a RuntimeContext) -> Job<'a> {
        Job {
            mode: self.mode,
            selection: self.selection.clone(),
            ids: self.ids.clone(),
            volumes: self.volumes.clone(),
            wanted: self.wanted.clone(),
            discovery_age_ms: DEFAULT_DISCOVERY_AGE_MS,
            tail_ms: self.tail_ms,
            budget: self.budget,
            workers: self.workers,
            patience_ms: DEFAULT_PATIENCE_MS,
            deadline_ms: match self.mode {
                Mode::Follow { .. } => Some(FOLLOW_DEADLINE_MS),
                Mode::Once { .. } => None,
            },
            watch: None,
            seed: self.seed,
            clock: &SystemClock,
            stop: &ctx.stop,
            metrics: &ctx.metrics,
        }
    }
}

impl PullArgs {
    /// Everything since the last success.
    pub(super) fn follow(&self) -> Mode {
        Mode::Follow {
            tail_ms: self.tail.unwrap_or(DEFAULT_TAIL_MS),
            lookback_ms: self.lookback.unwrap_or(DEFAULT_LOOKBACK_MS),
        }
    }

    /// Reads the files and settings that it names.
    pub(super) fn settled(&self, mode: Mode, context: &Context<'_>) -> Result<Settled, CliError> {
        let (selection, further) = (self.selection(context)?, self.further()?);
        let mut volumes = selection.volumes().clone();
        volumes.extend(further.volumes().clone());
        Ok(Settled {
            mode,
            selection,
            ids: further.ids().clone(),
            volumes,
            wanted: MetricScope {
                namespaces: self.namespaces.clone(),
                all_metrics: self.all_metrics,
                periods: self.period.iter().cloned().collect(),
                delays: self.delay.iter().cloned().collect(),
            },
            tail_ms: self.tail.unwrap_or(DEFAULT_TAIL_MS),
            budget: self.budget(context)?,
            workers: self.workers,
            seed: context.now_ms.unsigned_abs(),
        })
    }

    fn selection(&self, context: &Context<'_>) -> Result<Selection, CliError> {
        let text = self.select.as_deref().or(context.settings.live.select.as_deref()).unwrap_or("all");
        let mut selection: Selection = text.parse().map_err(CliError::input)?;
        let files: Vec<String> = selection.id_files().map(str::to_owned).collect();
        for file in files {
            selection.add_ids(&file, &read(Path::new(&file))?).map_err(CliError::input)?;
        }
        Ok(selection)
    }

    /// What the file of `--ids` names.
    fn further(&self) -> Result<Selection, CliError> {
        let mut named = Selection::default();
        if let Some(file) = &self.ids {
            named.add_ids(&file.display().to_string(), &read(file)?).map_err(CliError::input)?;
        }
        Ok(named)
    }

    fn budget(&self, context: &Context<'_>) -> Result<Option<u64>, CliError> {
        let Some(text) = context.settings.live.budget.as_deref().filter(|_| self.budget.is_none()) else {
            return Ok(self.budget);
        };
        let number = text.trim().parse().map_err(|_| format!("budget is {text:?}, expected a number of metrics"))?;
        Ok(Some(number))
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|e| CliError::input(format!("cannot read {}: {e}", path.display())))
}
