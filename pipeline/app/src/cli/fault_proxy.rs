//! `forewarn fault-proxy`: stands before an AWS endpoint and spoils some of the calls, for proofs.

use super::error::CliError;
use super::{Context, End};
use forewarn_lab::fault_proxy::{FaultProxy, Script};
use forewarn_runtime::clock::{Clock, SystemClock};
use forewarn_runtime::interrupt::Interrupt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Stands before an AWS endpoint and spoils some of the calls by a script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  forewarn fault-proxy --listen 127.0.0.1:0 --to http://127.0.0.1:5000 --script faults.json --fault-log faults.jsonl

A script: {\"seed\": 7, \"rules\": [{\"operation\": \"PutRecords\", \"every\": 5, \"action\": {\"partial_put_records\": 0.3}}]}
Actions: throttle, {http: STATUS}, reset, lose_reply, {delay: MS}, silent, drip, {partial_put_records: SHARE},
{partial_put_events: SHARE}, expire_iterator. When: operation (or *), nth, every, probability, times.")]
pub(super) struct Args {
    /// Where it listens; port 0 is any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where it forwards to
    #[arg(long, value_name = "URL")]
    to: String,
    /// What goes wrong (JSON)
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// The file to which each fault is appended (JSON Lines)
    #[arg(long, value_name = "FILE")]
    fault_log: Option<PathBuf>,
}

/// How long it waits between looks at whether it is to end.
const LOOK_MS: u64 = 3_600_000;

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let shown = self.script.display();
        let text = std::fs::read_to_string(&self.script)
            .map_err(|e| CliError::input(format!("cannot read the script {shown}: {e}")))?;
        let script = Script::parse(&text).map_err(CliError::input)?;
        let stop = Interrupt::listen()?;
        let proxy =
            FaultProxy::start(self.listen, &self.to, script, self.fault_log.as_deref()).map_err(CliError::failed)?;
        context.out.line(format_args!("listening on {}", proxy.url()))?;
        context.out.flush()?;
        while SystemClock.pause(LOOK_MS, &stop) {}
        Ok(End::Done)
    }
}
