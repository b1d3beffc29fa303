//! `forewarn ingest`: CloudWatch through the stream into the history.

mod places;
mod words;

use super::common::{HistoryArg, StateArg, span, time};
use super::error::CliError;
use super::{Context, End};
use crate::clock::SystemClock;
use crate::interrupt::Interrupt;
use crate::source::follow::follow;
use crate::source::ingest::{
    DEFAULT_DISCOVERY_AGE_MS, DEFAULT_LOOKBACK_MS, DEFAULT_PATIENCE_MS, DEFAULT_TAIL_MS, Job, Mode, Place, pull,
};
use crate::source::report::Report;
use crate::source::select::Selection;
use crate::source::state::State;
use crate::source::wanted::{NAMESPACES, Wanted, parse_delay, parse_period};
use crate::source::window::Window;
use crate::stream::{Producer, StreamSpec, Surroundings, open};
use crate::vitals::{Vitals, unwatched};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Pulls metrics from CloudWatch, through the stream, into the history.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
#[command(after_help = "Examples:
  forewarn ingest --once --from now-7d --to now --history H
  forewarn ingest --select tag:env=prod --every 1h --budget 2000000
  forewarn ingest --once --from now-63d --to now --ids dead.txt --regions eu-central-1,us-east-1

Exit codes: 0 done, 1 failed or incomplete (run it again: it goes on where it ended), 2 usage.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    /// Pulls once and ends: a range where --from and --to are given, else what is due since the last success
    #[arg(long)]
    once: bool,
    /// Start of the range
    #[arg(long, value_name = "T", requires = "once", requires = "to")]
    from: Option<String>,
    /// End of the range
    #[arg(long, value_name = "T", requires = "once", requires = "from")]
    to: Option<String>,
    /// The stream: embedded, or kinesis:NAME [default: the setting, else embedded]
    #[arg(long, value_name = "S")]
    stream: Option<String>,
    /// Which instances: all, metrics, tag:NAME=VALUE[|VALUE], asg:NAME, ids:FILE, comma-separated [default: the setting, else all]
    #[arg(long, value_name = "S")]
    select: Option<String>,
    /// The regions, comma-separated [default: the setting, else the SDK's own]
    #[arg(long, value_name = "R")]
    regions: Option<String>,
    /// A TOML file of accounts: [[account]] with role, external_id, id, regions [default: the setting]
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// A file of further instance ids, one a line: those that are long gone
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// The period in seconds, for all or one namespace; may be given again [default: 300]
    #[arg(long, value_name = "[NAMESPACE=]S", value_parser = parse_period)]
    period: Vec<(String, i32)>,
    /// How long CloudWatch takes until a period is whole, for all or one namespace [default: 5m]
    #[arg(long, value_name = "[NAMESPACE=]SPAN", value_parser = parse_delay)]
    delay: Vec<(String, i64)>,
    /// How often following pulls
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1h")]
    every: i64,
    /// How much of the end is read again for late points [default: 2h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    tail: Option<i64>,
    /// How far following reaches back when it begins [default: 3h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lookback: Option<i64>,
    /// Metrics that may be asked for in a calendar month, for each account and region [default: the setting, else no limit]
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
    /// The namespaces that are listed
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = NAMESPACES)]
    namespaces: Vec<String>,
    /// Every metric of the namespaces, rather than what signals read
    #[arg(long)]
    all_metrics: bool,
    /// Threads for each account and region
    #[arg(long, value_name = "N", default_value_t = 4)]
    workers: usize,
    /// GetMetricData calls a second that AWS allows here
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    quota_calls: f64,
    /// Datapoints a second that AWS allows here for the last three hours; half of it for older ones
    #[arg(long, value_name = "N", default_value_t = 180_000.0)]
    quota_points: f64,
    /// How the report is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What a run has opened.
struct Opened {
    places: Vec<Place>,
    state: State,
    producer: Box<dyn Producer>,
    stop: Interrupt,
    vitals: Arc<Vitals>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let mode = self.mode(context)?;
        let selection = self.selection(context)?;
        let ids = self.further_ids()?;
        let budget = self.budget(context)?;
        let setting = self.stream.as_deref().or(context.settings.live.stream.as_deref());
        let spec = StreamSpec::parse(setting).map_err(CliError::input)?;
        let dir = self.state.dir(context);
        let stop = Interrupt::listen()?;
        let vitals = unwatched();
        let places = self.places(context)?;
        let state = State::open(&dir).map_err(CliError::failed)?;
        let around = Surroundings { vitals: Arc::clone(&vitals), clock: Arc::new(SystemClock), stop: stop.clone() };
        let producer = open::producer(&spec, &dir, &around).map_err(CliError::failed)?;
        let mut opened = Opened { places, state, producer, stop, vitals };
        let wanted = Wanted {
            namespaces: self.namespaces.clone(),
            all_metrics: self.all_metrics,
            periods: self.period.iter().cloned().collect(),
            delays: self.delay.iter().cloned().collect(),
        };
        let stop = opened.stop.clone();
        let vitals = Arc::clone(&opened.vitals);
        let job = Job {
            mode,
            selection,
            ids,
            discovery_age_ms: DEFAULT_DISCOVERY_AGE_MS,
            tail_ms: self.tail.unwrap_or(DEFAULT_TAIL_MS),
            budget,
            workers: self.workers,
            patience_ms: DEFAULT_PATIENCE_MS,
            seed: context.now_ms.unsigned_abs(),
            clock: &SystemClock,
            stop: &stop,
            vitals: &vitals,
            wanted,
        };
        if self.once {
            let report = self.round(&job, &mut opened, context)?;
            return Ok(if report.complete { End::Done } else { End::Faults });
        }
        let delay = job.wanted.longest_delay_ms();
        follow(self.every, delay, &SystemClock, &stop, || self.round(&job, &mut opened, context))?;
        Ok(End::Done)
    }

    fn round(&self, job: &Job<'_>, opened: &mut Opened, context: &mut Context<'_>) -> Result<Report, CliError> {
        let pulled = pull(job, &opened.places, &opened.state, opened.producer.as_mut());
        let report = pulled.map_err(CliError::failed)?;
        self.after_pull(context, opened)?;
        match self.format {
            Format::Json => context.out.json(&report)?,
            Format::Table => words::write(&report, context.out)?,
        }
        // A round's report is not to wait in a buffer for the next round.
        context.out.finish()?;
        Ok(report)
    }

    /// The one place where what was pulled goes on from the stream to the history.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the archive is called here")]
    fn after_pull(&self, _context: &mut Context<'_>, _opened: &mut Opened) -> Result<(), CliError> {
        Ok(())
    }

    fn mode(&self, context: &Context<'_>) -> Result<Mode, CliError> {
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            return Ok(Mode::Follow {
                tail_ms: self.tail.unwrap_or(DEFAULT_TAIL_MS),
                lookback_ms: self.lookback.unwrap_or(DEFAULT_LOOKBACK_MS),
            });
        };
        let range = Window { from: time(from, context)?, to: time(to, context)? };
        if range.from >= range.to {
            return Err(CliError::input(format!("--from {from} is not before --to {to}")));
        }
        Ok(Mode::Once { range })
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

    fn further_ids(&self) -> Result<BTreeSet<String>, CliError> {
        let Some(file) = &self.ids else { return Ok(BTreeSet::new()) };
        let mut selection = Selection::default();
        selection.add_ids(&file.display().to_string(), &read(file)?).map_err(CliError::input)?;
        Ok(selection.ids().clone())
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
