//! `forewarn respond`: carries recoveries out.

#[cfg(feature = "aws")]
mod function;
mod trigger;
mod why;

use super::error::CliError;
use super::storage::StorageArgs;
use super::{Context, End};
use forewarn_events::queue::Queue;
use forewarn_log::LogError;
use forewarn_recover::executor::Executor;
use forewarn_recover::inbox::Inbox;
use forewarn_recover::ledger::Ledger;
use forewarn_recover::ports::{FactReader, StepDriver};
use forewarn_recover::serve::{Until, serve};
use forewarn_recover::store::Store;
use forewarn_recovery::admission::Caps;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::interrupt::Interrupt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Heals what was predicted or has failed: takes triggers from the event log and from queues, and carries their recoveries out.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  forewarn respond --state S
  forewarn respond --state S --queue https://sqs.eu-central-1.amazonaws.com/123456789012/recoveries
  forewarn respond --state S --until idle
  forewarn respond --recovery-log dynamodb:forewarn-recoveries --policies dynamodb:forewarn-policies --create
  forewarn respond trigger i-0123456789abcdef0 --action safe_restart --dry-run
  forewarn respond why i-0123456789abcdef0

Nothing is done to an instance before its policy says `approve` or `act` (forewarn policy) and its tag AutoRecovery is `enabled`."
)]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// The URLs of SQS queues that triggers arrive in, comma-separated
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// How long it works: until it is stopped, nothing can be done now, or nothing can be done without a person
    #[arg(long, value_enum, default_value = "stopped")]
    until: UntilArg,
    /// Recoveries that are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    workers: usize,
    /// Makes the tables of DynamoDB that are named and not there
    #[arg(long)]
    create: bool,
    /// A JSON file of caps: how much may go on at once in the account and region
    #[arg(long, value_name = "FILE")]
    caps: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Sub>,
}

#[cfg(feature = "aws")]
pub(super) use function::function;

/// Where executors work.
#[derive(Debug, clap::Args)]
struct How {
    #[command(flatten)]
    storage: StorageArgs,
    /// The region [default: the SDK's own]
    #[arg(long, value_name = "R")]
    region: Option<String>,
    /// The role that acts, by its ARN [default: the own credentials]
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
    /// The external id that the role's trust policy asks for
    #[arg(long, value_name = "ID", requires = "role")]
    external_id: Option<String>,
    /// The name of this executor, its own among all [default: process and time]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum UntilArg {
    Stopped,
    Idle,
    Done,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Asks for a recovery by hand
    Trigger(trigger::Args),
    /// Says why something was or would be done about an instance, or not: gate by gate
    Why(why::Args),
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Some(Sub::Trigger(args)) => args.run(context),
            Some(Sub::Why(args)) => args.run(context),
            None => self.serve(context),
        }
    }

    fn serve(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let caps = caps(self.caps.as_deref())?;
        if self.create {
            self.how.storage.create(context)?;
        }
        let bench = self.how.bench(caps, context)?;
        // What somebody changed afterwards can't be told from what happened: nothing is done on such a log.
        bench.log.check().map_err(untrusted)?;
        let queues = How::queues(self.queue.as_deref())?;
        let dead = self.how.storage.dead(context)?;
        let stop = Interrupt::listen()?;
        let mut inbox = Inbox::open(&*bench.log, &bench.executor, queues, dead.as_ref()).map_err(CliError::failed)?;
        let until = match self.until {
            UntilArg::Stopped => Until::Stopped,
            UntilArg::Idle => Until::Idle,
            UntilArg::Done => Until::Done,
        };
        let served = serve(&bench.executor, &mut inbox, self.workers, until, &stop).map_err(CliError::failed)?;
        context.out.json(&served)?;
        Ok(End::Done)
    }
}

/// An executor and what it works on.
struct Bench {
    log: Arc<dyn Store>,
    executor: Executor,
}

type Ports = (Arc<dyn FactReader>, Arc<dyn StepDriver>);

impl How {
    /// Gives the executor this name, where nothing else names it.
    #[cfg(feature = "aws")]
    fn named(self, name: Option<String>) -> Self {
        Self { name: self.name.or(name), ..self }
    }

    fn bench(&self, caps: Caps, context: &Context<'_>) -> Result<Bench, CliError> {
        let log = self.storage.log(context)?;
        let (facts, steps) = self.ports()?;
        let ledger = Ledger::new(log.clone(), Arc::new(SystemClock), facts.home());
        let name = self.name.clone().unwrap_or_else(|| format!("{}-{}", std::process::id(), context.now_ms));
        let executor = Executor::new(ledger, facts, steps, self.storage.policies(context)?, caps, name);
        Ok(Bench { log, executor })
    }

    #[cfg(feature = "aws")]
    fn ports(&self) -> Result<Ports, CliError> {
        let aws = forewarn_runtime::aws::Aws::load().map_err(CliError::failed)?;
        let region = match &self.region {
            Some(region) => region.clone(),
            None => aws.region().map_err(CliError::input)?.to_owned(),
        };
        aws.check_credentials(aws.base()).map_err(CliError::input)?;
        let role = self
            .role
            .as_ref()
            .map(|arn| forewarn_runtime::aws::Role { arn: arn.clone(), external_id: self.external_id.clone() });
        if let Some(role) = &role {
            role.account().map_err(CliError::input)?;
        }
        let aws = forewarn_recover::aws::AwsRecovery::new(&aws, &region, role.as_ref()).map_err(CliError::failed)?;
        let aws = Arc::new(aws);
        Ok((aws.clone(), aws))
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "as it is with AWS")]
    fn ports(&self) -> Result<Ports, CliError> {
        Err(CliError::input(
            "this forewarn was built without AWS, and there is nothing else to heal; build it with the feature `aws`",
        ))
    }

    #[cfg(feature = "aws")]
    fn queues(urls: Option<&str>) -> Result<Vec<Box<dyn Queue>>, CliError> {
        let Some(urls) = urls else { return Ok(Vec::new()) };
        let aws = forewarn_runtime::aws::Aws::load().map_err(CliError::failed)?;
        Ok(forewarn_events::sqs::SqsQueue::each(&aws, urls, 1))
    }

    #[cfg(not(feature = "aws"))]
    fn queues(urls: Option<&str>) -> Result<Vec<Box<dyn Queue>>, CliError> {
        match urls {
            None => Ok(Vec::new()),
            Some(_) => Err(CliError::input("this forewarn was built without AWS; build it with the feature `aws`")),
        }
    }
}

/// Says that a log can't be trusted, or could not be read.
fn untrusted(e: LogError) -> CliError {
    let LogError::Corrupt { position, what } = e else { return e.into() };
    let why =
        format!("entry {position} of the event log is damaged: {what}; nothing is done, see `forewarn log verify`");
    CliError::failed(why)
}

fn caps(path: Option<&Path>) -> Result<Caps, CliError> {
    let Some(path) = path else { return Ok(Caps::default()) };
    let failed = |e: &dyn std::fmt::Display| CliError::input(format!("caps {}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    let caps: Caps = serde_json::from_str(&text).map_err(|e| failed(&e))?;
    caps.check().map_err(|e| failed(&e))?;
    Ok(caps)
}
