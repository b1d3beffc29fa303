//! Pulls what a pilot is tried on into a directory of its own, once somebody has agreed to what that costs.

use super::super::analyze::write_file;
use super::super::common::create_dir;
use super::super::error::CliError;
use super::super::pull::Settled;
use super::{Args, Context};
use crate::state::{self, StateSpec};
use forewarn_domain::time::HOUR_MS;
use forewarn_evaluate::pilot::{Estimate, Puller, SpendApprover, pull_if_agreed};
use forewarn_ingest::archive::Gap;
use forewarn_ingest::source::ingest::pull;
use forewarn_ingest::source::job::Mode;
use forewarn_ingest::source::place::Place;
use forewarn_ingest::source::report::Report;
use forewarn_ingest::source::state::State;
use forewarn_ingest::source::window::Window;
use forewarn_ingest::stream::{Producer, StreamSpec, open};
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use forewarn_runtime::time::DAY_MS;
use serde::{Deserialize, Serialize};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

impl Args {
    /// Pulls, and gives the history that came of it.
    pub(super) fn fetch(&self, context: &Context<'_>) -> Result<String, CliError> {
        let state_dir = self.dir.join("state");
        create_dir(&state_dir)?;
        let begun = self.begun(context)?;
        let history = self.dir.join("history").display().to_string();
        if begun.done {
            tracing::info!("everything was pulled before, up to {}", forewarn_runtime::time::format_ms(begun.to));
            return Ok(history);
        }
        let range = Window { from: begun.from, to: begun.to };
        let ctx = RuntimeContext { metrics: unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let spec = StreamSpec::parse(Some("embedded")).map_err(CliError::input)?;
        let mut fetching = Fetching {
            settled: self.pull.settled(Mode::Once { range }, context)?,
            places: self.pull.places(context)?,
            state: State::open(&state_dir).map_err(CliError::failed)?,
            producer: open::producer(&spec, &state_dir, &ctx).map_err(CliError::failed)?,
            pace: (self.pull.quota_calls, self.pull.quota_points),
            history: history.clone(),
            spec,
            state_dir,
            ctx,
        };
        let agreed = pull_if_agreed(&mut fetching, self.yes, &mut Terminal).map_err(CliError::input)?;
        tracing::info!("pulled: {agreed}");
        write_file(&self.note(), &serde_json::to_vec(&Begun { done: true, ..begun })?)?;
        Ok(history)
    }
}

/// The range that a directory was begun with, so that running it again goes on there instead of asking for everything once more.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    days: i64,
    from: i64,
    to: i64,
    /// Whether all of it is in the history.
    done: bool,
}

impl Args {
    fn note(&self) -> PathBuf {
        self.dir.join("pilot.json")
    }

    /// What the directory was begun with, else the days before now.
    fn begun(&self, context: &Context<'_>) -> Result<Begun, CliError> {
        let path = self.note();
        let begun = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Begun>(&bytes).map_err(|e| {
                CliError::input(format!("{} is not what a pilot writes: {e}; choose another --dir", path.display()))
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // An hour ago everything is whole, so that going on later asks for no further point.
                let whole = |ms: i64| ms.div_euclid(HOUR_MS) * HOUR_MS;
                let (from, to) =
                    (whole(context.now_ms - self.days * DAY_MS + HOUR_MS - 1), whole(context.now_ms - HOUR_MS));
                let begun = Begun { days: self.days, from, to, done: false };
                write_file(&path, &serde_json::to_vec(&begun)?)?;
                begun
            }
            Err(e) => return Err(CliError::input(format!("cannot read {}: {e}", path.display()))),
        };
        if begun.days != self.days || begun.from >= begun.to {
            return Err(CliError::input(format!(
                "{} holds a pilot of {} days; go on with --days {} or choose another --dir",
                self.dir.display(),
                begun.days,
                begun.days
            )));
        }
        Ok(begun)
    }
}

/// Everything that is pulled with.
struct Fetching {
    settled: Settled,
    places: Vec<Place>,
    state: State,
    producer: Box<dyn Producer>,
    /// Calls and points a second.
    pace: (f64, f64),
    history: String,
    spec: StreamSpec,
    state_dir: PathBuf,
    ctx: RuntimeContext,
}

impl Fetching {
    fn round(&mut self, budget: Option<u64>) -> Result<Report, String> {
        let mut job = self.settled.job(&self.ctx);
        job.budget = budget;
        let report = pull(&job, &self.places, &self.state, self.producer.as_mut()).map_err(|e| e.to_string())?;
        if report.interrupted {
            return Err("interrupted: what was pulled stays, run it again to go on".to_owned());
        }
        Ok(report)
    }
}

impl Puller for Fetching {
    /// Lists and plans under a budget of nothing, so that not a single metric is requested.
    fn estimate(&mut self) -> Result<Estimate, String> {
        let report = self.round(Some(0))?;
        let mut estimate = Estimate::default();
        let mut seconds = 0.0_f64;
        for place in &report.places {
            if let (Some(error), None) = (&place.error, &place.spent) {
                return Err(error.clone());
            }
            estimate.instances += place.instances;
            estimate.series += place.series;
            estimate.billed_metrics += place.planned_metrics;
            estimate.calls += place.planned_calls;
            // Older data come at half the pace, and places are pulled side by side.
            let (calls, points) = self.pace;
            seconds = seconds.max(place.planned_calls as f64 / calls).max(place.planned_points as f64 / (points / 2.0));
        }
        if estimate.series == 0 {
            return Err("no series was found that a signal reads: check --select, --regions and the credentials (`forewarn doctor --live`)".to_owned());
        }
        estimate.minutes = (seconds / 60.0).ceil() as u64;
        Ok(estimate)
    }

    fn pull(&mut self) -> Result<(), String> {
        let budget = self.settled.budget;
        let report = self.round(budget)?;
        let kept = state::State::open(StateSpec::Dir(self.state_dir.clone()), &self.ctx).map_err(|e| e.to_string())?;
        kept.archive(&self.history, &self.spec, Gap::Stop, &self.ctx)
            .map_err(|e| forewarn_runtime::telemetry::causes(&e))?;
        for gap in report.places.iter().flat_map(forewarn_ingest::source::report::PlaceReport::gaps) {
            tracing::warn!("{gap}");
        }
        let open: Vec<String> = report
            .places
            .iter()
            .filter(|p| !p.complete)
            .map(|p| {
                let why = p.error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
                format!("{} series of {} {} are not done{why}", p.series_left, p.account, p.region)
            })
            .collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{}; run it again to go on", open.join("; "))) }
    }
}

/// Whoever sits at the terminal.
struct Terminal;

impl SpendApprover for Terminal {
    fn agreed(&mut self, estimate: &Estimate) -> Option<bool> {
        if estimate.billed_metrics == 0 {
            return Some(true);
        }
        let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
        if !stdin.is_terminal() || !stderr.is_terminal() {
            return None;
        }
        write!(stderr, "{estimate}\nGo on? [y/N] ").and_then(|()| stderr.flush()).ok()?;
        let mut answer = String::new();
        stdin.read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
