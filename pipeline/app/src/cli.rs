//! The command line: one file for each command; data goes to stdout, logs and progress to stderr.

mod ack;
mod analyze;
mod archive;
mod backtest;
mod buses;
mod common;
mod demo;
mod doctor;
mod emit;
mod error;
mod events;
mod fault_proxy;
mod fit;
mod history;
mod import;
mod ingest;
#[cfg(feature = "aws")]
mod lambda;
mod log;
mod maintain;
mod mark;
mod metric_stream;
mod operator;
mod output;
mod pilot;
mod plans;
mod policy;
mod pull;
mod recoveries;
mod respond;
mod rules;
mod run;
mod schema;
mod scorecard;
mod silence;
mod simulate;
mod storage;

use clap::{Parser, Subcommand};
use error::CliError;
use forewarn_runtime::settings::Settings;
use output::Out;
use std::process::ExitCode;

/// Predicts which EC2 instance will fail, when, how sure it is and why.
#[derive(Debug, Parser)]
#[command(name = "forewarn", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    /// How logs on stderr are written: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<forewarn_runtime::telemetry::LogFormat>,
    /// Which logs are written, such as info or forewarn=debug
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// The settings file [default: forewarn.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  forewarn demo
  forewarn import --history H metrics.parquet
  forewarn analyze --history H --as-of now
  forewarn rules explain i-0123456789abcdef0 --history H --as-of now

Exit codes: 0 done, 1 failed, 2 usage or bad input, 3 done with findings (--exit-code).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulates a fleet, imports it, analyzes it and shows what was found
    Demo(demo::Args),
    /// Writes a simulated fleet with its incidents
    Simulate(simulate::Args),
    /// Imports metrics from Parquet or CSV files into a history
    Import(import::Args),
    /// Takes what is in the stream into the history
    Archive(archive::Args),
    /// Pulls metrics from CloudWatch into a history, once or each hour
    Ingest(ingest::Args),
    /// Predicts failures from the seven days before a time
    Analyze(analyze::Args),
    /// Announces what is due on every bus
    Emit(emit::Args),
    /// Replays a range of time, and says what the predictions were worth
    Backtest(backtest::Args),
    /// Learns a rule set's weights and calibration from a history and its incidents
    Fit(fit::Args),
    /// Runs the whole pipeline in one process
    Run(run::Args),
    /// Says what forewarn would have warned of on a history, how early, and what falsely
    Pilot(pilot::Args),
    /// Says what live predictions were worth, and resolves their episodes
    Scorecard(scorecard::Args),
    /// Lists, checks and explains rules
    Rules(rules::Args),
    /// Describes, checks, compacts and prunes a history
    History(history::Args),
    /// Lists, checks and replays the event log
    Log(log::Args),
    /// Puts CloudWatch Metric Streams, as Firehose delivers them, into the stream
    MetricStream(metric_stream::Args),
    /// Takes events of AWS in, deals with those set aside, and derives incidents
    Events(events::Args),
    /// Compacts the history and lets go what is older than what is kept
    Maintain(maintain::Args),
    /// Declares a change, such as a deployment
    Mark(mark::Args),
    /// Keeps announcements back for a while
    Silence(silence::Args),
    /// Takes note of an episode, and says whether it was right
    Ack(ack::Args),
    /// Heals what was predicted or has failed
    Respond(respond::Args),
    /// Lists recoveries, shows one, and tells it what a person says
    Recoveries(recoveries::Args),
    /// Reads and changes what may be done to instances
    Policy(policy::Args),
    /// Writes the JSON Schemas and the AsyncAPI document
    Schema(schema::Args),
    /// Checks that this machine and its settings are fit to run forewarn
    Doctor(doctor::Args),
    /// Stands before an AWS endpoint and spoils some of the calls
    #[command(hide = true)]
    FaultProxy(fault_proxy::Args),
}

/// What every command is given.
struct Context<'a> {
    settings: Settings,
    out: &'a mut Out,
    now_ms: i64,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // A low limit is worked with, so that a refusal is no reason to end.
    drop(forewarn_runtime::limits::raise_open_files());
    #[cfg(feature = "aws")]
    if std::env::args_os().len() == 1 && crate::state::in_function() {
        return lambda::main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Clap prints help to stdout and errors to stderr; a closed pipe is nobody's fault.
            drop(e.print());
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    let mut out = Out::stdout();
    let done = run(cli, &mut out).and_then(|end| out.finish().map(|()| end));
    match done {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Faults) => ExitCode::from(1),
        Ok(End::Findings) => ExitCode::from(3),
        Err(e) if e.is_closed_pipe() => ExitCode::SUCCESS,
        Err(e) => {
            Out::complain(&e);
            ExitCode::from(e.exit_code())
        }
    }
}

/// How a command that ran to its end came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All is well.
    Done,
    /// A check found faults: exit code 1.
    Faults,
    /// Findings, and `--exit-code` asked for them: exit code 3.
    Findings,
}

fn run(cli: Cli, out: &mut Out) -> Result<End, CliError> {
    let settings = settle(&cli)?;
    forewarn_runtime::telemetry::init(settings.log_format, &settings.log).map_err(CliError::input)?;
    let mut context = Context { settings, out, now_ms: forewarn_runtime::time::system_now_ms() };
    match cli.command {
        Command::Demo(args) => args.run(&mut context),
        Command::Simulate(args) => args.run(&mut context),
        Command::Import(args) => args.run(&mut context),
        Command::Archive(args) => args.run(&mut context),
        Command::Ingest(args) => args.run(&mut context),
        Command::Analyze(args) => args.run(&mut context),
        Command::Emit(args) => args.run(&mut context),
        Command::Backtest(args) => args.run(&mut context),
        Command::Fit(args) => args.run(&mut context),
        Command::Run(args) => args.run(&mut context),
        Command::Pilot(args) => args.run(&mut context),
        Command::Scorecard(args) => args.run(&mut context),
        Command::Rules(args) => args.run(&mut context),
        Command::History(args) => args.run(&mut context),
        Command::Log(args) => args.run(&mut context),
        Command::MetricStream(args) => args.run(&mut context),
        Command::Events(args) => args.run(&mut context),
        Command::Maintain(args) => args.run(&mut context),
        Command::Mark(args) => args.run(&mut context),
        Command::Silence(args) => args.run(&mut context),
        Command::Ack(args) => args.run(&mut context),
        Command::Respond(args) => args.run(&mut context),
        Command::Recoveries(args) => args.run(&mut context),
        Command::Policy(args) => args.run(&mut context),
        Command::Schema(args) => args.run(&mut context),
        Command::Doctor(args) => args.run(&mut context),
        Command::FaultProxy(args) => args.run(&mut context),
    }
}

/// Settles the settings: file, environment, global flags; a command's own flags come over them in the command.
fn settle(cli: &Cli) -> Result<Settings, CliError> {
    let flags = forewarn_runtime::settings::Layer {
        log: cli.log.clone(),
        log_format: cli.log_format.map(|f| f.to_string()),
        ..forewarn_runtime::settings::Layer::default()
    };
    let (path, must) = match &cli.config {
        Some(path) => (path.clone(), true),
        None => (std::path::PathBuf::from(forewarn_runtime::settings::FILE), false),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must => None,
        Err(e) => return Err(CliError::input(format!("cannot read the settings file {}: {e}", path.display()))),
    };
    let name = path.display().to_string();
    let file = text.as_deref().map(|t| (name.as_str(), t));
    Ok(forewarn_runtime::settings::resolve(file, |name| std::env::var(name).ok(), &flags)?)
}
