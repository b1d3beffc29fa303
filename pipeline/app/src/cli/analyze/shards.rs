//! `forewarn analyze --shard` and `--merge`: a fleet that several machines analyze together.

use super::super::common::count;
use super::super::error::CliError;
use super::super::output::progress;
use super::super::{Context, End};
use super::{of_run, tell_samples};
use forewarn_log::StateLog;
use forewarn_predict::prediction_run::PredictionRun;
use forewarn_predict::shard::Shard;

/// Which part of the work is done here.
#[derive(Debug, clap::Args)]
pub(super) struct ShardArgs {
    /// Only gathers the evidence of one share of the fleet, such as 2/4, and keeps it in the history
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge", "due", "emit", "out", "all", "features", "exit_code", "plans", "shadow"])]
    pub(super) shard: Option<Shard>,
    /// Predicts from what the shards of the time have gathered
    #[arg(long, conflicts_with = "due")]
    pub(super) merge: bool,
}

impl ShardArgs {
    /// Says what is wrong with the time that a part of the work is asked for.
    pub(super) fn check(&self, as_of: &str) -> Result<(), CliError> {
        if (self.shard.is_some() || self.merge) && as_of.starts_with("now") {
            return Err(CliError::input(
                "--shard and --merge need --as-of with the same time for all of them, such as a whole hour",
            ));
        }
        Ok(())
    }
}

/// Gathers the evidence of a shard and keeps it in the history.
pub(super) fn gather(
    run: &PredictionRun<'_>,
    log: Option<&dyn StateLog>,
    as_of: i64,
    shard: Shard,
    context: &mut Context<'_>,
) -> Result<End, CliError> {
    let buckets = run.history.buckets();
    if shard.of() > buckets {
        let why = format!("the history has {buckets} buckets, so at most {buckets} shards have anything to do");
        return Err(CliError::input(format!("--shard {shard}: {why}")));
    }
    let bar = progress("gathering");
    let kept = run.shard(log, as_of, shard, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (place, evidence) = kept.map_err(of_run)?;
    tell_samples(&evidence.samples);
    let (instances, samples) = (count(evidence.rows.len() as u64), count(evidence.samples.read));
    context.out.line(format_args!("shard {shard}: {instances} instances, {samples} samples; kept in {place}"))?;
    Ok(End::Done)
}
