//! The binary as a Lambda function's bootstrap: settings from the environment, the part from the handler's name.

use super::error::CliError;
use super::output::Out;
use super::{Cli, Command, Context, settle};
use crate::lambda::{HANDLER, Handler, Part, Pull, answer, serve};
use crate::run::{Job, upkeep};
use clap::Parser;
use forewarn_ingest::source::ingest::pull;
use forewarn_ingest::source::state::State;
use forewarn_ingest::stream::open;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// What a pull keeps in a directory.
const ASKED: &str = "what was asked of CloudWatch";
const NO_PULL: &str = "the handler ingest remembers in SQLite what was asked of CloudWatch, and a Lambda function has no place for that; \
                       run `forewarn ingest` on one machine with the same --stream, or let CloudWatch Metric Streams deliver";

/// Serves invocations until Lambda ends the process.
pub(super) fn main() -> ExitCode {
    match begin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            Out::complain(&e);
            ExitCode::from(e.exit_code())
        }
    }
}

fn begin() -> Result<(), CliError> {
    let handler = Handler::parse(&std::env::var(HANDLER).unwrap_or_default())?;
    // What `forewarn run` would do with the same settings, one invocation at a time.
    let cli = Cli::try_parse_from(["forewarn", "--log-format", "json", "run"]).map_err(|e| e.to_string())?;
    let settings = settle(&cli)?;
    forewarn_runtime::telemetry::init(settings.log_format, &settings.log).map_err(CliError::input)?;
    let Command::Run(args) = cli.command else { return Err(CliError::input("the bootstrap runs nothing else")) };
    let mut out = Out::stdout();
    let context = Context { settings, out: &mut out, now_ms: forewarn_runtime::time::system_now_ms() };
    let part = match handler {
        Handler::Part(part) => part,
        Handler::Respond => return super::respond::function(&context),
    };
    let job = args.job(&context)?;
    let puller = puller(&args, part, &job, &context)?;
    serve(move |event, _| answer(&job, part, event, &puller)).map_err(CliError::failed)
}

/// Makes what a handler calls that pulls.
fn puller(args: &super::run::Args, part: Part, job: &Job, context: &Context<'_>) -> Result<Pull, CliError> {
    match part {
        Part::Ingest => ingest(args, job, context),
        Part::MetricStream => {
            let wrong = || CliError::input("the handler metric-stream needs FOREWARN_METRIC_STREAM=s3://BUCKET/PREFIX");
            let prefixes = upkeep::prefixes(args.delivered(context).ok_or_else(wrong)?);
            Ok(Arc::new(move |job| Ok(serde_json::to_value(upkeep::metric_stream_turn(job, &prefixes)?)?)))
        }
        Part::Archive | Part::Events | Part::Analyze | Part::Emit | Part::Maintain => {
            Ok(Arc::new(|_| Err("this function does not pull".into())))
        }
    }
}

/// Its places keep their pace from one invocation to the next.
fn ingest(args: &super::run::Args, job: &Job, context: &Context<'_>) -> Result<Pull, CliError> {
    let dir = job.state.dir(ASKED).map_err(|_| CliError::input(NO_PULL))?.to_owned();
    let places = args.pull.places(context)?;
    let how = args.pull.settled(args.pull.follow(), context)?;
    let places = Mutex::new(places);
    Ok(Arc::new(move |job| {
        let places = places.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State::open(&dir)?;
        let mut producer = open::producer(&job.stream, &dir, &job.ctx)?;
        let report = pull(&how.job(&job.ctx), &places, &state, producer.as_mut())?;
        if !report.complete {
            tracing::warn!("not everything that was due could be pulled; the next invocation goes on");
        }
        Ok(serde_json::to_value(report)?)
    }))
}
