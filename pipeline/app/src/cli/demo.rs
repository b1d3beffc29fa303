//! `forewarn demo`: the main job from end to end on a simulated fleet: the same commands as anyone runs, one after the other.

use super::analyze::of_run;
use super::common::{count, create_dir};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use crate::render;
use forewarn_deliver::{JsonLinesBus, pump};
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_history::import::{ImportOptions, import_files, read_events, read_instances};
use forewarn_lab::simulate::{Options, write};
use forewarn_log::Filter;
use forewarn_log::SqliteLog;
use forewarn_predict::prediction_run::{PredictionRun, RunReport};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::threads::Threads;
use std::path::{Path, PathBuf};

/// Simulates a fleet, imports it, analyzes it and shows what was found.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the demo keeps its files
    #[arg(long, value_name = "DIR", default_value = "forewarn-demo")]
    dir: PathBuf,
    /// Number of instances
    #[arg(long, value_name = "N", default_value_t = 40)]
    instances: usize,
    /// The seed of the fleet
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
}

const DAYS: u32 = 14;

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let simulated = self.dir.join("simulated");
        let history_dir = self.dir.join("history");
        let state = self.dir.join("state");
        for dir in [&simulated, &history_dir, &state] {
            create_dir(dir)?;
        }
        self.simulate(&simulated, context)?;
        let history = import(&simulated, &history_dir, context)?;
        let ruleset = RuleSet::builtin(&|name| std::env::var(name).ok())?;
        let log = SqliteLog::open(&forewarn_log::log_path(&state))?;
        let as_of = super::analyze::as_of("latest", &history, context)?;
        let metrics = forewarn_runtime::metrics::unregistered();
        let map = SignalMap::default();
        let run = PredictionRun {
            history: &history,
            ruleset: &ruleset,
            shadow: None,
            map: &map,
            stated_prior: None,
            plans: None,
            metrics: &metrics,
            threads: Threads::all(),
        };
        let bar = progress("analyzing");
        let prepared = run.prepare(Some(&log), as_of, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let prepared = prepared.map_err(of_run)?;
        let bus = state.join("events.jsonl");
        run.write(&log, &prepared, &mut RunReport::default()).map_err(of_run)?;
        let mut file = JsonLinesBus::open(&bus).map_err(CliError::failed)?;
        let pumped =
            pump(&log, forewarn_deliver::outbox::FILE, &mut file, &Filter::default()).map_err(CliError::failed)?;
        run.keep(&prepared).map_err(of_run)?;
        let predictions: Vec<_> = prepared.round.taken.into_iter().filter(|t| t.shown).map(|t| t.prediction).collect();
        context.out.line("")?;
        context.out.line(render::table(&prepared.analysis, &predictions).trim_end())?;
        context.out.line("")?;
        let news = match pumped.sent {
            0 => "nothing new to announce".to_owned(),
            n => format!("{n} announcements"),
        };
        let at = |p: &Path| p.display().to_string();
        for (what, where_) in [
            ("simulated metrics and incidents", at(&simulated)),
            ("history (Parquet)", at(&history_dir)),
            ("event log (SQLite)", at(&forewarn_log::log_path(&state))),
            ("bus (JSON Lines)", format!("{}: {news}", at(&bus))),
        ] {
            context.out.line(format_args!("{what:32} {where_}"))?;
        }
        if let Some(first) = predictions.first() {
            context.out.line("")?;
            context.out.line(format_args!(
                "why: {} rules explain {} --history {} --as-of {}",
                called(),
                first.instance_id,
                history.location(),
                forewarn_runtime::time::format_ms(as_of)
            ))?;
        }
        Ok(End::Done)
    }

    fn simulate(&self, dir: &Path, context: &mut Context<'_>) -> Result<(), CliError> {
        let options = Options {
            instances: self.instances,
            days: DAYS,
            seed: self.seed,
            // A demo of a fortnight shows little at the rate of a healthy fleet.
            fault_rate: 3.0,
            ..Options::default()
        };
        options.check().map_err(CliError::input)?;
        let bar = progress("simulating");
        bar.set_length(self.instances as u64);
        let report = write(&options, dir, |done| bar.set_position(done as u64)).map_err(CliError::failed)?;
        bar.finish_and_clear();
        context.out.line(format_args!(
            "simulated {} instances for {DAYS} days: {} rows, {} faults, {} incidents",
            report.instances,
            count(report.rows as u64),
            report.faults,
            report.incidents
        ))
    }
}

/// Gives the program as it was called, so that what is shown can be typed as it stands.
fn called() -> String {
    std::env::args().next().unwrap_or_else(|| "forewarn".to_owned())
}

fn import(simulated: &Path, history_dir: &Path, context: &mut Context<'_>) -> Result<History, CliError> {
    let mut history = History::open_or_create(&history_dir.display().to_string())?;
    let bar = progress("importing");
    let files = [simulated.join("metrics.parquet")];
    let report = import_files(&mut history, &files, &ImportOptions::at(context.now_ms), &mut |p| {
        bar.set_length(p.total);
        bar.set_position(p.done);
    })?;
    bar.finish_and_clear();
    let mut writer = history.writer()?;
    writer.import_instances(read_instances(&simulated.join("instances.parquet"))?, context.now_ms)?;
    writer.put_events(&read_events(&simulated.join("events.parquet"))?)?;
    drop(writer);
    super::import::say(&report, &history.location(), context)?;
    Ok(history)
}
