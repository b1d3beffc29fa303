//! The handler `respond` of a Lambda function: as `forewarn respond` would do it, one invocation at a time.

use super::super::error::CliError;
use super::super::{Cli, Command, Context};
use super::{Args, caps, untrusted};
use crate::lambda::serve;
use clap::Parser;
use forewarn_domain::time::UnixMs;
use forewarn_recover::invocation::{Function, Wake};

/// The variable that names the queue by which the function wakes itself.
const WAKE_QUEUE: &str = "FOREWARN_WAKE_QUEUE";
/// The variable by which Lambda tells containers of one function apart.
const STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// Serves invocations until Lambda ends the process.
pub(in crate::cli) fn function(context: &Context<'_>) -> Result<(), CliError> {
    let cli = Cli::try_parse_from(["forewarn", "respond"]).map_err(|e| e.to_string())?;
    let Command::Respond(args) = cli.command else {
        return Err(CliError::input("the handler responds, and nothing else"));
    };
    let Args { how, workers, caps: file, .. } = args;
    let dead = how.storage.dead(context)?;
    let name = std::env::var(STREAM).ok().map(|stream| format!("lambda {stream}"));
    let bench = how.named(name).bench(caps(file.as_deref())?, context)?;
    // Once for a container, as for any executor; a log in a table is checked as it is read.
    bench.log.check().map_err(untrusted)?;
    let wake = wake()?;
    serve(move |event, deadline_ms| {
        let function = Function {
            executor: &bench.executor,
            store: &*bench.log,
            dead: dead.as_ref(),
            workers,
            wake: wake.as_deref(),
        };
        Ok(serde_json::to_value(function.invoke(event, UnixMs(deadline_ms))?)?)
    })
    .map_err(CliError::failed)
}

/// Gives what wakes the function; none where no queue is named.
fn wake() -> Result<Option<Box<dyn Wake>>, CliError> {
    let Some(url) = std::env::var(WAKE_QUEUE).ok().filter(|url| !url.is_empty()) else { return Ok(None) };
    let aws = forewarn_runtime::aws::Aws::load().map_err(CliError::failed)?;
    Ok(Some(Box::new(forewarn_recover::sqs_wake::SqsWake::new(&aws, &url))))
}
