//! The binary as a Lambda function's bootstrap: settings from the environment, the part from the handler's name.

use super::error::CliError;
use super::output::Out;
use super::{Cli, Command, Context, settle};
use crate::lambda::{HANDLER, Handler, Part, answer, serve};
use crate::run::upkeep;
use clap::Parser;
use std::process::ExitCode;

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
    let prefixes = match part {
        Part::MetricStream => {
            let wrong = || CliError::input("the handler metric-stream needs FOREWARN_METRIC_STREAM=s3://BUCKET/PREFIX");
            upkeep::prefixes(args.delivered(&context).ok_or_else(wrong)?)
        }
        Part::Archive | Part::Events | Part::Analyze | Part::Emit | Part::Maintain => Vec::new(),
    };
    serve(move |event, _| answer(&job, part, event, &prefixes)).map_err(CliError::failed)
}
