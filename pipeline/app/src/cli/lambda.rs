//! The binary as a Lambda function's bootstrap: settings from the environment, the part from the handler's name.

use super::error::CliError;
use super::output::Out;
use super::{Cli, Command, Context, settle};
use crate::lambda::{HANDLER, Handler, Part, Pull, answer, serve};
use crate::run::supervise::Failure;
use clap::Parser;
use forewarn_ingest::source::ingest::pull;
use forewarn_ingest::source::state::State;
use forewarn_ingest::stream::open;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Makes what the handler `ingest` calls; its places keep their pace from one invocation to the next.
fn puller(args: &super::run::Args, part: Part, job: &crate::run::Job, context: &Context<'_>) -> Result<Pull, CliError> {
    if part != Part::Ingest {
        return Ok(Arc::new(|| Err("this function does not pull".into())));
    }
    let ctx = job.ctx.clone();
    let places = args.pull.places(context)?;
    let (dir, spec) = (job.state.clone(), job.stream.clone());
    let how = args.pull.settled(args.pull.follow(), context)?;
    let places = Mutex::new(places);
    Ok(Arc::new(move || -> Result<serde_json::Value, Failure> {
        let places = places.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State::open(&dir)?;
        let mut producer = open::producer(&spec, &dir, &ctx)?;
        let report = pull(&how.job(&ctx), &places, &state, producer.as_mut())?;
        if !report.complete {
            tracing::warn!("not everything that was due could be pulled; the next invocation goes on");
        }
        Ok(serde_json::to_value(report)?)
    }))
}
