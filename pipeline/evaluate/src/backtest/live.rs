//! Scores what was really said: the rounds that a history keeps, measured by the code that measures a replay.
//!
//! A step of the range takes the first round within it, and is judged at that round's own time; a step without one is not scored and
//! counted as `no_round`. An instance that has samples in the range and no row in a round could not be assessed then, as in a replay.

use super::drift::{Drift, drift};
use super::incidents::Incidents;
use super::job::{Job, prior};
use super::records::{Instance, Records, Verdict};
use super::report::Report;
use super::run::{BacktestError, check_instances, data_end};
use super::sum_up::report;
use super::workloads::{WorkloadReport, by_workload};
use crate::replay::Steps;
use forewarn_domain::prediction::Level;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{EventRow, History, PredictionFile};
use forewarn_predict::error::AnalyzeError;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::truth::{Censored, RowTruth, Truth};
use forewarn_rules::grid::{HOUR_MS, reach};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::threads::Threads;
use forewarn_runtime::time::format_ms;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What to score.
#[derive(Debug)]
pub struct LiveJob<'a> {
    /// The history with the rounds, the metrics and the events.
    pub history: &'a History,
    /// The rule set whose rounds are scored.
    pub ruleset: &'a RuleSet,
    /// Another one, on the times at which both spoke.
    pub against: Option<&'a RuleSet>,
    /// The range, and how far apart the rounds are.
    pub steps: Steps,
    /// What happened; None where nobody knows.
    pub incidents: Option<&'a Incidents>,
    /// Ends of instances that a log knows beside the history.
    pub events: &'a [EventRow],
    /// Whether each workload is measured for itself.
    pub workloads: bool,
}

/// How many of the times in the range somebody spoke at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rounds {
    /// Steps of the range.
    pub steps: usize,
    /// Those with a round.
    pub held: usize,
    /// Rounds of the range that are of other rule sets, or further ones of a step.
    pub left_out: usize,
}

/// What live predictions were worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveReport {
    /// The figures, by the same names and definitions as those of a backtest.
    #[serde(flatten)]
    pub report: Report,
    /// How many rounds there were.
    pub rounds: Rounds,
    /// Whether scores and calibration have moved; None where the range is too short to be parted.
    pub drift: Option<Drift>,
    /// By workload, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_workload: Vec<WorkloadReport>,
}

/// Finds the range of a rule set's rounds: from the first to just after the last, as far apart as most of them are.
pub fn spoken(rounds: &[PredictionFile], sha256: &str) -> Option<Steps> {
    let times: BTreeSet<i64> = rounds.iter().filter(|r| r.is_of(sha256)).map(|r| r.as_of).collect();
    let (from, last) = (*times.first()?, *times.last()?);
    let mut gaps: BTreeMap<i64, usize> = BTreeMap::new();
    for (a, b) in times.iter().zip(times.iter().skip(1)) {
        // A clock that starts a few seconds late starts an hourly round all the same.
        let gap = ((b - a) + 30_000).div_euclid(60_000) * 60_000;
        *gaps.entry(gap.max(60_000)).or_default() += 1;
    }
    let most = gaps.into_iter().max_by_key(|(gap, n)| (*n, -gap)).map_or(HOUR_MS, |(gap, _)| gap);
    Some(Steps { from, to: last + most, step: most })
}

/// Scores the rounds of a range; `progress` is told how many of them are read.
///
/// # Errors
/// When there is no round of the rule set, the incidents are of another fleet, the history does not read, or somebody interrupts.
pub fn live(
    job: &LiveJob<'_>,
    interrupt: &Interrupt,
    mut progress: impl FnMut(u64, u64),
) -> Result<LiveReport, BacktestError> {
    let map = SignalMap::new(BTreeMap::new());
    let steps = job.steps;
    let as_backtest = Job {
        history: job.history,
        ruleset: job.ruleset,
        against: job.against,
        map: &map,
        steps,
        incidents: job.incidents,
        baselines: false,
        costs: None,
        pages_per_week: None,
        stated_prior: None,
        threads: Threads::ONE,
    };
    let rounds = job.history.rounds()?;
    let spoke: Vec<Vec<Option<&PredictionFile>>> =
        std::iter::once(job.ruleset).chain(job.against).map(|r| slots(&rounds, r, steps)).collect();
    for (ruleset, slots) in std::iter::once(job.ruleset).chain(job.against).zip(&spoke) {
        if slots.iter().all(Option::is_none) {
            return Err(nobody_spoke(job, ruleset, &rounds)?);
        }
    }
    let data_end = data_end(&as_backtest)?;
    let mut known = job.history.instances_in(reach(steps.from), steps.to)?;
    check_instances(&as_backtest, &known)?;

    let mut records = Records::new(steps);
    for (time, round) in records.times.iter_mut().zip(&spoke[0]) {
        *time = round.map_or(*time, |r| r.as_of);
    }
    let held: Vec<bool> = (0..records.times.len()).map(|step| spoke.iter().all(|s| s[step].is_some())).collect();
    let mut said = LivePredictions { steps: records.times.len(), rows: BTreeMap::new() };
    let all = spoke.iter().flatten().flatten().count() as u64;
    let mut done = 0;
    for (scorer, (ruleset, slots)) in std::iter::once(job.ruleset).chain(job.against).zip(&spoke).enumerate() {
        let prior = prior(ruleset)[0];
        for (step, round) in slots.iter().enumerate().filter_map(|(step, r)| r.map(|r| (step, r))) {
            if interrupt.is_raised() {
                return Err(AnalyzeError::Interrupted.into());
            }
            for row in job.history.said(round)? {
                said.take(scorer, step, prior, row);
            }
            done += 1;
            progress(done, all);
        }
    }
    known.extend(said.rows.keys().cloned());
    let last = records.times.last().copied().unwrap_or(steps.from);
    let mut events = job.history.events()?;
    events.extend_from_slice(job.events);
    events.sort();
    events.dedup();
    let list = job.incidents.map_or(&[][..], |i| &i.list);
    let truth = Truth::new(list, &events, data_end.min(last));
    let fleet = Fleet::read_over(job.history, &[], steps.from..steps.to)?;
    let priors: Vec<f64> = std::iter::once(job.ruleset).chain(job.against).map(|r| prior(r)[0]).collect();
    let mut assessed = BTreeMap::new();
    for id in known {
        let heard = said.rows.remove(&id).unwrap_or_default();
        let past = truth.of(&id);
        let judged = |(time, held): (&i64, &bool)| {
            if *held { past.row(*time) } else { RowTruth::Censored(Censored::NoRound) }
        };
        let (kind, was_assessed) = heard.about(records.times.len());
        let unassessable = was_assessed.iter().zip(&spoke[0]).filter(|(a, round)| !**a && round.is_some()).count();
        let instance = Instance {
            workload: fleet.identity(&id, "", "").workload.or_else(|| heard.workload.clone()),
            incidents: past.incidents.to_vec(),
            truth: records.times.iter().zip(&held).map(judged).collect(),
            kind,
            unassessable: unassessable as u64,
            verdicts: heard.verdicts(&priors, records.times.len()),
        };
        assessed.insert(id.clone(), was_assessed);
        records.instances.insert(id, instance);
    }
    let report = report(&as_backtest, &records, Vec::new(), &[], data_end, data_end.min(last));
    let drift = drift(&records, &assessed, data_end, job.incidents.is_some());
    let in_range = rounds.iter().filter(|r| (steps.from..steps.to).contains(&r.as_of)).count();
    let used = spoke.iter().flatten().flatten().count();
    let rounds = Rounds { steps: held.len(), held: held.iter().filter(|h| **h).count(), left_out: in_range - used };
    let by_workload = if job.workloads { by_workload(records, data_end, job.incidents.is_some()) } else { Vec::new() };
    Ok(LiveReport { report, rounds, drift, by_workload })
}

/// The first round of a rule set within each step.
fn slots<'a>(rounds: &'a [PredictionFile], ruleset: &RuleSet, steps: Steps) -> Vec<Option<&'a PredictionFile>> {
    let mut slots = vec![None; steps.times().count()];
    for round in rounds.iter().filter(|r| r.is_of(ruleset.sha256()) && (steps.from..steps.to).contains(&r.as_of)) {
        let step = ((round.as_of - steps.from) / steps.step) as usize;
        if let Some(slot) = slots.get_mut(step)
            && slot.is_none()
        {
            *slot = Some(round);
        }
    }
    slots
}

fn nobody_spoke(
    job: &LiveJob<'_>,
    ruleset: &RuleSet,
    rounds: &[PredictionFile],
) -> Result<BacktestError, BacktestError> {
    let mut newest: BTreeMap<&str, &PredictionFile> = BTreeMap::new();
    for round in rounds {
        newest.insert(&round.ruleset, round);
    }
    let mut others = Vec::new();
    for round in newest.into_values() {
        let name = job.history.said(round)?.into_iter().next().map_or_else(String::new, |r| r.ruleset.0);
        others.push(format!("{name} ({}…, last at {})", round.ruleset, format_ms(round.as_of)));
    }
    let others = if others.is_empty() {
        "it keeps none at all".to_owned()
    } else {
        format!("there are rounds of {}", others.join(", "))
    };
    Ok(BacktestError::NoPredictionsInRange {
        ruleset: format!("{} {} ({}…)", ruleset.name(), ruleset.version(), &ruleset.sha256()[..16]),
        from: format_ms(job.steps.from),
        to: format_ms(job.steps.to),
        others,
    })
}

/// What was said of every instance.
struct LivePredictions {
    steps: usize,
    rows: BTreeMap<String, InstancePredictions>,
}

/// What was said of one instance, by each rule set.
#[derive(Default)]
struct InstancePredictions {
    workload: Option<String>,
    by: Vec<Option<PredictionSteps>>,
}

/// What one rule set said of an instance, step by step.
struct PredictionSteps {
    verdict: Verdict,
    kind: Vec<Option<forewarn_domain::prediction::FailureType>>,
    assessed: Vec<bool>,
}

impl PredictionSteps {
    /// Nothing said yet: what cannot be assessed stands as the rule set has it without evidence.
    fn nothing(prior: f64, steps: usize) -> Self {
        let verdict = Verdict { p: vec![prior; steps], high: vec![false; steps] };
        Self { verdict, kind: vec![None; steps], assessed: vec![false; steps] }
    }
}

impl LivePredictions {
    fn take(&mut self, scorer: usize, step: usize, prior: f64, row: forewarn_history::PredictionRow) {
        let steps = self.steps;
        let heard = self.rows.entry(row.instance_id).or_default();
        heard.workload = row.workload.or_else(|| heard.workload.take());
        while heard.by.len() <= scorer {
            heard.by.push(None);
        }
        let rows = heard.by[scorer].get_or_insert_with(|| PredictionSteps::nothing(prior, steps));
        rows.verdict.p[step] = row.p24.unwrap_or(prior).clamp(0.0, 1.0);
        rows.verdict.high[step] = row.level == Level::High;
        rows.kind[step] = row.failure_type;
        rows.assessed[step] = row.level != Level::Unassessable;
    }
}

impl InstancePredictions {
    /// What the first rule set says will break, and which rows it assessed.
    fn about(&self, steps: usize) -> (Vec<Option<forewarn_domain::prediction::FailureType>>, Vec<bool>) {
        match self.by.first().and_then(Option::as_ref) {
            Some(rows) => (rows.kind.clone(), rows.assessed.clone()),
            None => (vec![None; steps], vec![false; steps]),
        }
    }

    fn verdicts(self, priors: &[f64], steps: usize) -> Vec<Verdict> {
        let mut by = self.by.into_iter();
        let mut of = |prior: &f64| {
            by.next().flatten().map_or_else(|| PredictionSteps::nothing(*prior, steps).verdict, |r| r.verdict)
        };
        priors.iter().map(&mut of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_history::Entry;

    fn round(minutes: i64, sha: &str) -> PredictionFile {
        let entry = Entry { path: format!("{minutes}"), size: 0 };
        PredictionFile { as_of: minutes * 60_000, ruleset: sha.to_owned(), engine: "1".to_owned(), entry }
    }

    #[test]
    fn the_range_is_that_of_the_rounds_of_the_rule_set() {
        let rounds: Vec<PredictionFile> =
            [0, 60, 120, 125, 180, 300, 360].map(|m| round(m, "aa")).into_iter().chain([round(900, "bb")]).collect();
        let found = spoken(&rounds, "aa11").unwrap();
        assert_eq!((found.from, found.to, found.step), (0, 420 * 60_000, HOUR_MS));
        assert_eq!(spoken(&rounds, "cc"), None);
        assert_eq!(spoken(&rounds, "bb").map(|s| s.step), Some(HOUR_MS), "a single round stands for an hour");
    }
}
