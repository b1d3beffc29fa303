//! The part of `forewarn simulate` that serves a fleet as AWS would, and writes down what exists.

use super::super::common::{count, span, time};
use super::super::error::CliError;
use super::super::{Context, End};
use forewarn_lab::emulate::{
    EmulateError, Emulator, Faults, Hashed, Late, Options, WorldKind, serve, write_incidents, write_truth,
};
use forewarn_runtime::interrupt::Interrupt;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

/// What is served, and what goes wrong while it is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Serving")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(in crate::cli) struct Serving {
    /// Serves CloudWatch and EC2 on this address, port 0 taking any free one
    #[arg(long, value_name = "ADDR")]
    serve: Option<String>,
    /// Writes every point that exists to a Parquet file
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Writes the incidents of the fleet to a Parquet file
    #[arg(long, value_name = "FILE")]
    truth_incidents: Option<PathBuf>,
    /// Where values come from: fleet simulates machines, hash computes any number of series without memory
    #[arg(long, value_enum, default_value_t = World::Fleet)]
    world: World,
    /// Series of each instance (hash)
    #[arg(long, value_name = "N", default_value_t = 9)]
    series: usize,
    /// Share of the instances that end within the range (hash)
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    terminated: f64,
    /// Share of the instances that are launched within the range (hash)
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    launched: f64,
    /// The account that everything belongs to
    #[arg(long, value_name = "ID", default_value = "123456789012")]
    account: String,
    /// The region that everything lies in
    #[arg(long, value_name = "NAME", default_value = "eu-central-1")]
    region: String,
    /// Share of calls that are throttled
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    throttle: f64,
    /// Share of calls that fail with a 5xx
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    errors: f64,
    /// Share of calls whose connection is reset before anything is done
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    resets: f64,
    /// Share of GetMetricData calls that end early with PartialData and a token
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    partial: f64,
    /// Share of queries that end with InternalError
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    internal: f64,
    /// Share of calls that are answered late, and by how many milliseconds
    #[arg(long, value_name = "P:MS", value_parser = slow)]
    slow: Option<(f64, u64)>,
    /// Share of calls that take effect but whose reply is lost
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    lose_replies: f64,
    /// Share of points that come late, and how late at most [default most: 2h]
    #[arg(long, value_name = "P[:MOST]", value_parser = late)]
    late: Option<(f64, i64)>,
    /// Throttles calls beyond so many a second; AWS allows 50
    #[arg(long, value_name = "CALLS")]
    rate_limit: Option<f64>,
    /// Throttles every call from one time to another
    #[arg(long, value_name = "FROM/TO")]
    storm: Option<String>,
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum World {
    /// Machines with habits and faults
    Fleet,
    /// Numbers mixed from the seed
    Hash,
}

fn share(text: &str) -> Result<f64, String> {
    let bad = || format!("`{text}` is not a share; write a number from 0 to 1");
    text.parse().ok().filter(|p| (0.0..=1.0).contains(p)).ok_or_else(bad)
}

fn slow(text: &str) -> Result<(f64, u64), String> {
    let (p, ms) = text.split_once(':').ok_or("expected P:MS, such as 0.01:3000")?;
    Ok((share(p)?, ms.parse().map_err(|_| format!("`{ms}` is not a number of milliseconds"))?))
}

fn late(text: &str) -> Result<(f64, i64), String> {
    match text.split_once(':') {
        None => Ok((share(text)?, Late::default().most_ms)),
        Some((p, most)) => Ok((share(p)?, span(most)?)),
    }
}

impl Serving {
    /// Checks what no other part checks.
    fn check(&self) -> Result<(), CliError> {
        if self.world == World::Hash && self.truth_incidents.is_some() {
            return Err(CliError::input(
                "numbers have no incidents; use --truth-incidents with --world fleet".to_owned(),
            ));
        }
        Ok(())
    }

    /// Says whether requests are answered.
    pub(super) const fn is_served(&self) -> bool {
        self.serve.is_some()
    }

    /// Says whether there is anything to serve or to write down.
    pub(super) fn is_asked(&self) -> bool {
        self.serve.is_some() || self.truth.is_some() || self.truth_incidents.is_some()
    }

    /// Writes the truth, then serves until it is told to stop.
    pub(super) fn run(
        &self,
        fleet: &forewarn_lab::simulate::Options,
        context: &mut Context<'_>,
    ) -> Result<End, CliError> {
        self.check()?;
        let address = self.serve.as_deref().map(address).transpose()?;
        let options = self.options(fleet, context)?;
        let emulator = Emulator::new(&options, Arc::new(forewarn_runtime::clock::SystemClock)).map_err(blame)?;
        if let Some(path) = &self.truth {
            let rows = write_truth(&emulator, path).map_err(blame)?;
            context.out.line(format_args!("{} points in {}", count(rows), path.display()))?;
            context.out.flush()?;
        }
        if let Some(path) = &self.truth_incidents {
            let rows = write_incidents(&emulator, path).map_err(blame)?;
            context.out.line(format_args!("{} incidents in {}", count(rows), path.display()))?;
            context.out.flush()?;
        }
        let Some(address) = address else { return Ok(End::Done) };
        let stop = Interrupt::listen()?;
        let mut said = Ok(());
        serve(&Arc::new(emulator), address, &stop, |at| {
            let line = context.out.line(format_args!("serving CloudWatch and EC2 on http://{at}"));
            said = line.and_then(|()| Ok(context.out.flush()?));
        })
        .map_err(blame)?;
        said.map(|()| End::Done)
    }

    fn options(&self, fleet: &forewarn_lab::simulate::Options, context: &Context<'_>) -> Result<Options, CliError> {
        let (slow, slow_ms) = self.slow.unwrap_or_default();
        let (share, most_ms) = self.late.unwrap_or((0.0, Late::default().most_ms));
        let storm = self.storm.as_deref().map(|text| {
            let (from, to) = text.split_once('/').ok_or("expected FROM/TO, two times".to_owned())?;
            Ok::<_, CliError>((time(from, context)?, time(to, context)?))
        });
        Ok(Options {
            seed: fleet.seed,
            instances: fleet.instances,
            start_ms: fleet.start_ms,
            days: fleet.days,
            step_s: fleet.step_s,
            gaps: fleet.gaps,
            world: self.world(fleet),
            late: Late { share, most_ms },
            faults: Faults {
                throttle: self.throttle,
                errors: self.errors,
                resets: self.resets,
                partial: self.partial,
                internal: self.internal,
                slow,
                slow_ms,
                lose_replies: self.lose_replies,
                rate_limit: self.rate_limit,
                storm: storm.transpose()?,
            },
            account: self.account.clone(),
            region: self.region.clone(),
        })
    }

    fn world(&self, fleet: &forewarn_lab::simulate::Options) -> WorldKind {
        match self.world {
            World::Fleet => WorldKind::Fleet(Box::new(fleet.clone())),
            World::Hash => {
                WorldKind::Hashed(Hashed { series: self.series, terminated: self.terminated, launched: self.launched })
            }
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, CliError> {
    let bad = |why: String| CliError::input(format!("cannot serve on `{text}`: {why}; write such as 127.0.0.1:4599"));
    let mut found = text.to_socket_addrs().map_err(|e| bad(e.to_string()))?;
    found.next().ok_or_else(|| bad("it names no address".to_owned()))
}

fn blame(e: EmulateError) -> CliError {
    match e {
        EmulateError::Setting { .. } | EmulateError::Fleet(_) | EmulateError::Listen { .. } => CliError::input(e),
        EmulateError::Truth { .. } | EmulateError::Table { .. } => CliError::failed(e),
    }
}
