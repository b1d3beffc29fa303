//! Runs a backtest: replays the range in one pass, records what every scorer says, and sums up.

use super::baseline;
use super::incidents::Place;
use super::job::{Job, prior};
use super::records::{Instance, Records, Verdict};
use super::report::Report;
use super::sum_up::report;
use super::tally::Tally;
use super::write::PredictionWriter;
use crate::replay::{Steps, replay};
use forewarn_domain::prediction::{FailureType, Level};
use forewarn_history::HistoryError;
use forewarn_predict::analyze::{AnalyzeError, delay_ms, signal_levels};
use forewarn_predict::fleet::Fleet;
use forewarn_predict::truth::{RowTruth, Truth};
use forewarn_rules::grid::{CELL_MS, reach};
use forewarn_rules::hazard::PerHazard;
use forewarn_rules::truth::Incident;
use forewarn_runtime::interrupt::Interrupt;
use std::collections::BTreeSet;

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
    run_watched(job, writer, &mut |_, _, _| {}, interrupt, progress)
}

/// Is shown each instance's rows: what the rule set says of them, and what became of them.
pub(super) type Watch<'a> = dyn FnMut(&Table, &Assessed, &[RowTruth]) + 'a;

/// As [`run`], and shows every instance's rows to `watch`.
pub(super) fn run_watched(
    job: &Job<'_>,
    mut writer: Option<PredictionWriter>,
    watch: &mut Watch<'_>,
    interrupt: &Interrupt,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, BacktestError> {
    let steps = job.steps;
    let data_end = data_end(job)?;
    let known = job.history.instances_in(reach(steps.from), steps.to)?;
    check_instances(job, &known)?;
    let last = steps.times().last().unwrap_or(steps.from);
    let list = job.incidents.map_or(&[][..], |i| &i.list);
    let truth = Truth::new(list, &job.history.events()?, data_end.min(last));
    let fleet = Fleet::read_over(job.history, &[], steps.from..steps.to)?;
    // Another rule set may read the same metrics against other levels; its features are then its own.
    let apart = job.against.filter(|b| signal_levels(b) != signal_levels(job.ruleset));
    let passes = 1 + u64::from(apart.is_some());

    let mut records = Records::new(steps);
    let mut tallies: Vec<Tally> = std::iter::once(job.ruleset).chain(job.against).map(Tally::new).collect();
    let delay = delay_ms(job.history);
    let (prior, other_prior) = (prior(job.ruleset), job.against.map(prior));
    let each = |table: &_, workload: Option<&str>, tracks: &[_]| {
        if interrupt.is_raised() {
            return Err(AnalyzeError::Interrupted);
        }
        let mut rows = Rows { job, truth: &truth, steps, data_end, tallies: &mut tallies, records: &mut records };
        let assessed = job.ruleset.assess(table)?;
        let mut instance = rows.take(table, workload, &assessed, &prior);
        if let (Some(against), Some(prior), None) = (job.against, &other_prior, apart) {
            let other = against.assess(table)?;
            rows.take_other(&mut instance, table, &other, prior);
        }
        if job.baselines {
            instance.verdicts.extend(baseline::verdicts(tracks, steps, delay));
        }
        watch(table, &assessed, &instance.truth);
        if let Some(writer) = &mut writer {
            let truth = if job.incidents.is_some() { &instance.truth[..] } else { &[] };
            writer.add(table, &assessed, truth, &prior)?;
        }
        rows.keep(table, instance);
        Ok(())
    };
    replay(job.history, job.ruleset, job.map, &fleet, steps, each, |done, all| progress(done, all * passes))?;
    if let (Some(against), Some(prior)) = (apart, &other_prior) {
        let each = |table: &_, _: Option<&str>, _: &[_]| {
            if interrupt.is_raised() {
                return Err(AnalyzeError::Interrupted);
            }
            let mut rows = Rows { job, truth: &truth, steps, data_end, tallies: &mut tallies, records: &mut records };
            rows.add_other(table, &against.assess(table)?, prior);
            Ok(())
        };
        replay(job.history, against, job.map, &fleet, steps, each, |done, all| progress(all + done, all * passes))?;
    }
    if records.instances.is_empty() {
        return Err(no_data(job)?);
    }
    let report = report(job, &records, tallies, data_end, data_end.min(last));
    if interrupt.is_raised() {
        return Err(AnalyzeError::Interrupted.into());
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok(report)
}

/// What is filled while instances come in.
struct Rows<'a, 'j> {
    job: &'a Job<'j>,
    truth: &'a Truth,
    steps: Steps,
    data_end: i64,
    tallies: &'a mut Vec<Tally>,
    records: &'a mut Records,
}

type Table = forewarn_rules::table::FeatureTable;
type Assessed = forewarn_rules::assess::Assessed;

impl Rows<'_, '_> {
    fn take(&mut self, table: &Table, workload: Option<&str>, assessed: &Assessed, prior: &PerHazard) -> Instance {
        let id = table.instance_ids.first().map_or("", String::as_str);
        let past = self.truth.of(id);
        let truth: Vec<RowTruth> = table.as_of.iter().map(|as_of| past.row(*as_of)).collect();
        let counted = counted(past.incidents, self.steps, self.data_end);
        self.tallies[0].add(self.job.ruleset, table, assessed, &truth, &self.records.times, &counted);
        let lost = assessed.level.iter().filter(|l| **l == Level::Unassessable);
        Instance {
            workload: workload.map(str::to_owned),
            incidents: past.incidents.to_vec(),
            kind: said(assessed),
            unassessable: lost.count() as u64,
            verdicts: vec![Verdict::of(assessed, prior)],
            truth,
        }
    }

    fn take_other(&mut self, instance: &mut Instance, table: &Table, assessed: &Assessed, prior: &PerHazard) {
        if let (Some(against), Some(tally)) = (self.job.against, self.tallies.get_mut(1)) {
            let counted = counted(&instance.incidents, self.steps, self.data_end);
            tally.add(against, table, assessed, &instance.truth, &self.records.times, &counted);
        }
        // The other rule set stands second, before the baselines.
        instance.verdicts.insert(1, Verdict::of(assessed, prior));
    }

    fn add_other(&mut self, table: &Table, assessed: &Assessed, prior: &PerHazard) {
        let Some(id) = table.instance_ids.first() else { return };
        if let Some(mut instance) = self.records.instances.remove(id) {
            self.take_other(&mut instance, table, assessed, prior);
            self.records.instances.insert(id.clone(), instance);
        }
    }

    fn keep(&mut self, table: &Table, instance: Instance) {
        if let Some(id) = table.instance_ids.first() {
            self.records.instances.insert(id.clone(), instance);
        }
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
