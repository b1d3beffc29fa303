//! `forewarn simulate`: a fleet with its incidents, as files or served as AWS would.

mod serve;

use super::common::{count, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use forewarn_lab::simulate::{Fault, Options, Shape, select, write};
use forewarn_runtime::time::DAY_MS;
use std::path::{Path, PathBuf};

/// Writes a simulated fleet with its incidents, or serves it as CloudWatch and EC2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn simulate --out fleet --instances 200 --days 35 --seed 7
  forewarn simulate --out calm --fault-free --days 28
  forewarn simulate --serve 127.0.0.1:4599 --start now-7d --days 7 --throttle 0.05 --truth truth.parquet")]
pub(super) struct Args {
    /// The directory to write to
    #[arg(long, value_name = "DIR", required_unless_present_any = ["serve", "truth", "truth_incidents"])]
    out: Option<PathBuf>,
    /// Number of instances
    #[arg(long, value_name = "N", default_value_t = 200)]
    instances: usize,
    /// Days of data
    #[arg(long, value_name = "D", default_value_t = 35)]
    days: u32,
    /// The seed: the same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Period of the samples in seconds: 60 or 300
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    step: u32,
    /// First sample [default: 2026-01-01T00:00:00Z; with --serve so that a day of the fleet is still to come]
    #[arg(long, value_name = "T")]
    start: Option<String>,
    /// Lets nothing go wrong at all
    #[arg(long)]
    fault_free: bool,
    /// Scales the number of faults
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    incident_rate: f64,
    /// Only these shapes
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    shapes: Vec<String>,
    /// Without these shapes
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    without_shapes: Vec<String>,
    /// Only these faults
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    faults: Vec<String>,
    /// Without these faults
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    without_faults: Vec<String>,
    /// Leaves out gaps, late points, duplicates and revised versions
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    serve: serve::Serving,
}

/// Where files begin unless told otherwise: the same bytes on any day.
const START: &str = "2026-01-01T00:00:00Z";

impl Args {
    fn start_ms(&self, context: &Context<'_>) -> Result<i64, CliError> {
        match &self.start {
            Some(text) => time(text, context),
            // What is asked as if it were CloudWatch is asked about now.
            None if self.serve.is_served() => {
                let day = i64::from(self.days.saturating_sub(1)) * DAY_MS;
                Ok((context.now_ms - context.now_ms.rem_euclid(DAY_MS / 24)).saturating_sub(day))
            }
            None => time(START, context),
        }
    }

    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let options = Options {
            instances: self.instances,
            days: self.days,
            seed: self.seed,
            start_ms: self.start_ms(context)?,
            step_s: self.step,
            fault_free: self.fault_free,
            fault_rate: self.incident_rate,
            shapes: select::<Shape>(&self.shapes, &self.without_shapes).map_err(CliError::input)?,
            faults: select::<Fault>(&self.faults, &self.without_faults).map_err(CliError::input)?,
            gaps: !self.clean,
        };
        options.check().map_err(CliError::input)?;
        if let Some(out) = &self.out {
            write_files(&options, out, context)?;
        }
        if self.serve.is_asked() { self.serve.run(&options, context) } else { Ok(End::Done) }
    }
}

fn write_files(options: &Options, out: &Path, context: &mut Context<'_>) -> Result<(), CliError> {
    super::common::create_dir(out)?;
    let bar = progress("simulating");
    bar.set_length(options.instances as u64);
    let report = write(options, out, |done| bar.set_position(done as u64)).map_err(CliError::failed)?;
    bar.finish_and_clear();
    context.out.line(format_args!(
        "{} rows of {} instances in {}; {} faults, {} incidents ({} predictable)",
        count(report.rows as u64),
        report.instances,
        out.display(),
        report.faults,
        report.incidents,
        report.predictable
    ))?;
    Ok(())
}
