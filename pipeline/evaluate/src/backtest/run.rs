//! Runs a backtest: replays the range in one pass, records what every scorer says, and sums up.

use super::baseline;
use super::incidents::Place;
use super::job::Job;
use super::records::{Instance, Records, Verdict};
use super::report::Report;
use super::sum_up::report;
use super::tally::Tally;
use super::write::{PredictionWriter, rows};
use crate::replay::{Replay, Replayed, Steps};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use forewarn_domain::prediction::{FailureType, Level};
use forewarn_domain::prior::Prior;
use forewarn_domain::time::DAY_MS;
use forewarn_history::HistoryError;
use forewarn_predict::error::AnalyzeError;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::truth::{RowTruth, Truth};
use forewarn_rules::assess::Assessed;
use forewarn_rules::grid::{CELL_MS, reach};
use forewarn_rules::prior::FleetRecord;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use forewarn_rules::truth::Incident;
use forewarn_runtime::interrupt::Interrupt;
use std::collections::{BTreeMap, BTreeSet};

/// Why a backtest came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// There is no sample in the range.
    #[error("no samples from {from} to {to}: {held}")]
    NoData {
        /// The first time asked for.
        from: String,
        /// The end of the range asked for.
        to: String,
        /// What the history holds instead.
        held: String,
    },
    /// No incident is of an instance that the history knows.
    #[error(
        "none of the {given} incidents is of an instance with samples from {from} to {to}: they name {named}, the history has {held}; check that both are of the same fleet"
    )]
    NoMatchingInstances {
        /// Incidents given.
        given: usize,
        /// The first time asked for.
        from: String,
        /// The end of the range asked for.
        to: String,
        /// Some instances that they name.
        named: String,
        /// Some instances that the history has.
        held: String,
    },
    /// The rule set has no round in the range.
    #[error(
        "the history keeps no round of {ruleset} from {from} to {to}: {others}; `forewarn analyze --emit` keeps them"
    )]
    NoPredictionsInRange {
        /// The rule set.
        ruleset: String,
        /// The first time asked for.
        from: String,
        /// The end of the range asked for.
        to: String,
        /// Whose rounds there are.
        others: String,
    },
    #[error(transparent)]
    Replay(#[from] AnalyzeError),
}

impl BacktestError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::NoData { .. } | Self::NoMatchingInstances { .. } | Self::NoPredictionsInRange { .. } => true,
            Self::Replay(e) => e.is_bad_input(),
        }
    }
}

impl From<HistoryError> for BacktestError {
    fn from(e: HistoryError) -> Self {
        Self::Replay(e.into())
    }
}

/// Runs a backtest; rows go to `writer`, which is finished last, and `progress` is told the share done.
///
/// # Errors
/// When the range holds no data, the incidents are of another fleet, the history does not read, a file can't be written,
/// or somebody interrupts.
pub fn run(
    job: &Job<'_>,
    writer: Option<PredictionWriter>,
    interrupt: &Interrupt,
    progress: impl FnMut(u64, u64),
) -> Result<Report, BacktestError> {
    run_watched(job, writer, (&|_, _, _| (), &mut |()| ()), interrupt, progress)
}

/// Is shown an instance's rows: what the rule set says of them, and what became of them.
pub(super) type Watch<'a, W> = dyn Fn(&FeatureTable, &Assessed, &[RowTruth]) -> W + Sync + 'a;

/// As [`run`], and shows every instance's rows to `watch`; what it makes of them is told in the order of the buckets.
pub(super) fn run_watched<W: Send>(
    job: &Job<'_>,
    mut writer: Option<PredictionWriter>,
    (watch, tell): (&Watch<'_, W>, &mut dyn FnMut(W)),
    interrupt: &Interrupt,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, BacktestError> {
    let steps = job.steps;
    let data_end = data_end(job)?;
    let days = job.history.instances_by_day(FleetRecord::reach(steps.from), steps.to)?;
    let known = days.range(reach(steps.from).div_euclid(DAY_MS)..).flat_map(|(_, ids)| ids.iter().cloned());
    check_instances(job, &known.collect())?;
    let last = steps.times().last().unwrap_or(steps.from);
    let list = job.incidents.map_or(&[][..], |i| &i.list);
    let truth = Truth::new(list, &job.history.events()?, data_end.min(last));
    let fleet = Fleet::read_over(job.history, &[], steps.from..steps.to)?;
    // Another rule set may read the same metrics against other levels, or assume another rate; it is then replayed by itself.
    let differs =
        |b: &RuleSet| (b.feature_settings(), b.rate()) != (job.ruleset.feature_settings(), job.ruleset.rate());
    let apart = job.against.filter(|b| differs(b));
    let passes = 1 + u64::from(apart.is_some());

    let mut records = Records::new(steps);
    let times = records.times.clone();
    let of_main = priors(job, job.ruleset, &days);
    let judge = |ruleset| Judge { ruleset, truth: &truth, steps, data_end, times: &times };
    let (main, other) = (judge(job.ruleset), job.against.map(judge));
    let mut tallies: Vec<Tally> = std::iter::once(job.ruleset).chain(job.against).map(Tally::new).collect();
    let &Job { history, map, threads, .. } = job;
    let mut wanted = job.ruleset.features_read();
    if let Some(other) = job.against.filter(|_| apart.is_none()) {
        wanted.join(&other.features_read());
    }
    let features = job.ruleset.feature_settings().wanting(wanted);
    let fleet = &fleet;
    let replay = |features, priors| Replay { history, features, map, fleet, steps, priors, threads, interrupt };
    let wants_rows = writer.is_some();
    let see = |bucket: &mut Bucket<W>, Replayed { table, workload, tracks }: &Replayed<'_>| {
        let Some(id) = table.instance_ids.first() else { return Ok(()) };
        let assessed = main.ruleset.assess(table)?;
        let [tally, other_tally] = &mut bucket.tallies;
        let mut instance = main.instance(id, table, *workload, &assessed, tally);
        if let (Some(other), None) = (&other, apart) {
            let assessed = other.ruleset.assess(table)?;
            instance.verdicts.push(other.verdict(table, &assessed, &instance.truth, &instance.incidents, other_tally));
        }
        if job.baselines {
            instance.verdicts.extend(baseline::verdicts(tracks, steps, job.history.delay_ms()));
        }
        bucket.watched.push(watch(table, &assessed, &instance.truth));
        if wants_rows {
            let truth = if job.incidents.is_some() { &instance.truth[..] } else { &[] };
            bucket.rows.push(rows(table, &assessed, truth, main.ruleset));
        }
        bucket.instances.push((id.clone(), instance));
        Ok(())
    };
    let take = |bucket: Bucket<W>| {
        join(&mut tallies, &bucket.tallies);
        records.instances.extend(bucket.instances);
        bucket.watched.into_iter().for_each(&mut *tell);
        writer.iter_mut().try_for_each(|writer| bucket.rows.iter().try_for_each(|rows| writer.add(rows)))
    };
    replay(&features, &of_main).run(see, take, |done, all| progress(done, all * passes))?;
    if let (Some(against), Some(other)) = (apart, &other) {
        let see = |bucket: &mut Others, Replayed { table, .. }: &Replayed<'_>| {
            let Some(id) = table.instance_ids.first() else { return Ok(()) };
            let assessed = against.assess(table)?;
            let (truth, incidents) = other.truth_of(id, table);
            let verdict = other.verdict(table, &assessed, &truth, incidents, &mut bucket.tallies[1]);
            bucket.verdicts.push((id.clone(), verdict));
            Ok(())
        };
        let take = |bucket: Others| {
            join(&mut tallies, &bucket.tallies);
            for (id, verdict) in bucket.verdicts {
                if let Some(instance) = records.instances.get_mut(&id) {
                    // The other rule set stands second, before the baselines.
                    instance.verdicts.insert(1, verdict);
                }
            }
            Ok(())
        };
        let features = against.feature_settings().wanting(against.features_read());
        let of_other = priors(job, against, &days);
        replay(&features, &of_other).run(see, take, |done, all| progress(all + done, all * passes))?;
    }
    if records.instances.is_empty() {
        return Err(no_data(job)?);
    }
    let report = report(job, &records, tallies, &of_main, data_end, data_end.min(last));
    if interrupt.is_raised() {
        return Err(AnalyzeError::Interrupted.into());
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok(report)
}

/// How often the fleet fails, at each step, by what was known then: as stated, else by the incidents up to then; where nobody knows of any, as
/// the rule set states it.
fn priors(job: &Job<'_>, ruleset: &RuleSet, days: &BTreeMap<i64, BTreeSet<String>>) -> Vec<Prior> {
    let times = job.steps.times();
    let (None, Some(incidents)) = (job.stated_prior, job.incidents) else {
        let stated = Prior::stated(job.stated_prior.unwrap_or_else(|| ruleset.rate().per_month));
        return times.map(|_| stated.clone()).collect();
    };
    let is_seen = |id: &str| days.values().any(|ids| ids.contains(id));
    let first = incidents.list.iter().filter(|i| is_seen(&i.instance_id)).map(|i| i.ts).min();
    // A file that names none from before the range may begin with the range.
    let since = incidents.since.or(first.map(FleetRecord::since)).unwrap_or(i64::MAX).min(job.steps.from);
    let record = FleetRecord::new(days, incidents.list.iter().map(|i| (i.instance_id.as_str(), i.ts)), since);
    times.map(|as_of| record.prior(ruleset.rate(), as_of)).collect()
}

/// What the instances of one bucket came to. The second tally is of the other rule set.
struct Bucket<W> {
    instances: Vec<(String, Instance)>,
    tallies: [Option<Tally>; 2],
    /// Rows for the file of predictions, where one is wanted.
    rows: Vec<Result<RecordBatch, ArrowError>>,
    watched: Vec<W>,
}

impl<W> Default for Bucket<W> {
    fn default() -> Self {
        Self { instances: Vec::new(), tallies: [None, None], rows: Vec::new(), watched: Vec::new() }
    }
}

/// What another rule set says of the instances of one bucket, where its features are its own.
#[derive(Default)]
struct Others {
    verdicts: Vec<(String, Verdict)>,
    tallies: [Option<Tally>; 2],
}

fn join(tallies: &mut [Tally], of_bucket: &[Option<Tally>; 2]) {
    for (sum, part) in tallies.iter_mut().zip(of_bucket) {
        if let Some(part) = part {
            sum.join(part);
        }
    }
}

/// Holds what a rule set says against what happened.
struct Judge<'a> {
    ruleset: &'a RuleSet,
    truth: &'a Truth,
    steps: Steps,
    data_end: i64,
    times: &'a [i64],
}

impl Judge<'_> {
    fn truth_of(&self, id: &str, table: &FeatureTable) -> (Vec<RowTruth>, &[Incident]) {
        let past = self.truth.of(id);
        (table.as_of.iter().map(|as_of| past.row(*as_of)).collect(), past.incidents)
    }

    fn instance(
        &self,
        id: &str,
        table: &FeatureTable,
        workload: Option<&str>,
        assessed: &Assessed,
        tally: &mut Option<Tally>,
    ) -> Instance {
        let (truth, incidents) = self.truth_of(id, table);
        let lost = assessed.level.iter().filter(|l| **l == Level::Unassessable);
        Instance {
            workload: workload.map(str::to_owned),
            incidents: incidents.to_vec(),
            kind: said(assessed),
            unassessable: lost.count() as u64,
            verdicts: vec![self.verdict(table, assessed, &truth, incidents, tally)],
            truth,
        }
    }

    fn verdict(
        &self,
        table: &FeatureTable,
        assessed: &Assessed,
        truth: &[RowTruth],
        incidents: &[Incident],
        tally: &mut Option<Tally>,
    ) -> Verdict {
        let counted = counted(incidents, self.steps, self.data_end);
        let tally = tally.get_or_insert_with(|| Tally::new(self.ruleset));
        tally.add(self.ruleset, table, assessed, truth, self.times, &counted);
        Verdict::of(self.ruleset, table, assessed)
    }
}

/// What a rule set says will break: nothing without a level, as predictions have it.
fn said(assessed: &Assessed) -> Vec<Option<FailureType>> {
    assessed.failure_type.iter().zip(&assessed.level).map(|(kind, level)| kind.filter(|_| level.is_at_risk())).collect()
}

fn counted(incidents: &[Incident], steps: Steps, data_end: i64) -> Vec<i64> {
    incidents.iter().map(|i| i.ts).filter(|ts| Place::of(*ts, steps, data_end) == Place::Counted).collect()
}

/// Where the data end: when the cell of the last sample is over.
pub(super) fn data_end(job: &Job<'_>) -> Result<i64, BacktestError> {
    match job.history.time_range()? {
        Some((first, last)) if first < job.steps.to && last >= job.steps.from => {
            Ok((last.div_euclid(CELL_MS) + 1) * CELL_MS)
        }
        _ => Err(no_data(job)?),
    }
}

fn no_data(job: &Job<'_>) -> Result<BacktestError, BacktestError> {
    let held = job.history.held()?;
    let (from, to) =
        (forewarn_runtime::time::format_ms(job.steps.from), forewarn_runtime::time::format_ms(job.steps.to));
    Ok(BacktestError::NoData { from, to, held })
}

/// Refuses incidents of another fleet before hours are spent on them.
pub(super) fn check_instances(job: &Job<'_>, known: &BTreeSet<String>) -> Result<(), BacktestError> {
    let Some(incidents) = job.incidents.filter(|i| !i.list.is_empty()) else { return Ok(()) };
    if incidents.list.iter().any(|i| known.contains(&i.instance_id)) {
        return Ok(());
    }
    let named: BTreeSet<&str> = incidents.list.iter().map(|i| i.instance_id.as_str()).collect();
    let some = |all: Vec<&str>| all.into_iter().take(3).collect::<Vec<_>>().join(", ");
    Err(BacktestError::NoMatchingInstances {
        given: incidents.list.len(),
        from: forewarn_runtime::time::format_ms(job.steps.from),
        to: forewarn_runtime::time::format_ms(job.steps.to),
        named: some(named.into_iter().collect()),
        held: some(known.iter().map(String::as_str).collect()),
    })
}
