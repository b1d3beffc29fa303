//! The pilot: what forewarn would have warned of on somebody's own fleet, how early, what falsely, and what nobody could have seen.
//!
//! Read-only towards the world: what is pulled goes into a history of its own, incidents are derived from it where none are given, and
//! the built-in rules are replayed over it by the backtest.

mod spend;
mod text;

pub use spend::{Estimate, PRICE_PER_THOUSAND, Puller, Refused, SpendApprover, pull_if_agreed};

use crate::backtest::{self, BacktestError, FalseAlarm, Incidents, Job, Judged, Report};
use crate::replay::Steps;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, HistoryError};
use forewarn_predict::incidents::derive_from;
use forewarn_rules::foresee::Verdict;
use forewarn_rules::grid::{CELL_MS, HOUR_MS, HOURS, reach};
use forewarn_rules::incident::{Class, Settings};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::truth::Incident;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::threads::Threads;
use forewarn_runtime::time::DAY_MS;
use serde::Serialize;
use std::collections::BTreeMap;

/// How far a pilot looks back at most: for so long CloudWatch keeps five-minute data.
pub const MOST_DAYS: i64 = 63;
/// With fewer incidents than this a share says little.
const FEW: usize = 10;

/// What a pilot found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DryRunResult {
    /// Where the incidents come from: `file`, or `derived` from checks and events.
    pub incidents_from: &'static str,
    /// How many incidents there are of each verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Every incident with its verdict, in order of time.
    pub incidents: Vec<Judged>,
    /// Alarms that nothing followed, in order of time.
    pub false_alarms: Vec<FalseAlarm>,
    /// The figures, as a backtest gives them.
    pub backtest: Report,
    /// What should be kept in mind.
    pub caveats: Vec<String>,
}

/// Finds the range that a history can be tried on, looked at every `step` milliseconds: from the eighth day of its data to their end.
///
/// # Errors
/// When the history does not read.
pub fn range(history: &History, step: i64) -> Result<Option<Steps>, HistoryError> {
    let Some((first, last)) = history.time_range()? else { return Ok(None) };
    let end = (last.div_euclid(CELL_MS) + 1) * CELL_MS;
    let begin = (first + HOURS as i64 * HOUR_MS).max(end - MOST_DAYS * DAY_MS);
    let from = (begin + HOUR_MS - 1).div_euclid(HOUR_MS) * HOUR_MS;
    Ok(Some(Steps { from, to: end, step }).filter(|s| s.from < s.to))
}

/// Derives the failures of a range from status checks and events. What follows within a day of an instance's last failure is the same
/// trouble and counts once: a check that flaps for days is one failure to those who had it.
///
/// # Errors
/// When the history does not read.
pub fn derived(history: &History, steps: Steps) -> Result<Incidents, HistoryError> {
    let found = derive_from(history, steps.from, steps.to, &Settings::default())?;
    let mut list: Vec<Incident> = Vec::new();
    let mut last: Option<(String, i64)> = None;
    // In the order of instance and time.
    for i in found.into_iter().map(|f| f.incident).filter(|i| i.class == Class::Failure) {
        let same = last.as_ref().is_some_and(|(id, until)| *id == i.instance_id && i.ts <= until + DAY_MS);
        let until = last.filter(|_| same).map_or(i.until, |(_, until)| until.max(i.until));
        last = Some((i.instance_id.clone(), until.max(i.ts)));
        if !same {
            let cause = Some(i.cause.name().to_owned());
            list.push(Incident { instance_id: i.instance_id, ts: i.ts, cause, predictable: None });
        }
    }
    Ok(Incidents { list, since: Some(steps.from), ..Incidents::default() })
}

/// Tries a rule set on a history. `given` are incidents that somebody knows; without them they are derived. With
/// `pages_per_week` a level for `high` is picked that keeps to it.
///
/// # Errors
/// As a backtest's.
pub fn trial(
    history: &History,
    ruleset: &RuleSet,
    map: &SignalMap,
    steps: Steps,
    (given, pages_per_week): (Option<Incidents>, Option<f64>),
    interrupt: &Interrupt,
    progress: impl FnMut(u64, u64),
) -> Result<DryRunResult, BacktestError> {
    let incidents_from = if given.is_some() { "file" } else { "derived" };
    let incidents = match given {
        Some(given) => given,
        // The week before the range tells how often the fleet fails.
        None => derived(history, Steps { from: reach(steps.from), ..steps })?,
    };
    let job = Job {
        history,
        ruleset,
        against: None,
        map,
        steps,
        incidents: Some(&incidents),
        baselines: false,
        costs: None,
        pages_per_week,
        stated_prior: None,
        threads: Threads::all(),
    };
    let found = backtest::judge_incidents(&job, interrupt, progress)?;
    let mut verdicts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for judged in &found.incidents {
        *verdicts.entry(name(judged.verdict)).or_default() += 1;
    }
    let caveats = caveats(&found.incidents, incidents_from, steps);
    Ok(DryRunResult {
        incidents_from,
        verdicts,
        incidents: found.incidents,
        false_alarms: found.false_alarms,
        backtest: found.backtest,
        caveats,
    })
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Warned => "warned",
        Verdict::Missed => "missed",
        Verdict::NotForeseeable => "not_foreseeable",
        Verdict::Unassessable => "unassessable",
    }
}

fn caveats(incidents: &[Judged], from: &str, steps: Steps) -> Vec<String> {
    let mut found = Vec::new();
    if incidents.is_empty() {
        found.push("nothing failed in this range, so it says nothing about what would be caught; it does say how often forewarn would have cried wolf".to_owned());
    } else if incidents.len() < FEW {
        found.push(format!(
            "{} incidents are few: any share of them may be far from what a longer time would show",
            incidents.len()
        ));
    }
    if from == "derived" {
        found.push("incidents were derived from status checks and events: a failure that no check noticed (an application that hangs) is not among them; --incidents FILE names yours".to_owned());
        found.push("whether a failure had a precursor is told from these metrics alone: `not foreseeable` means that forewarn saw nothing, not that nothing was there".to_owned());
    }
    if steps.to - steps.from < 14 * DAY_MS {
        found.push(
            "the range is shorter than two weeks: what comes once a week was seen at most once or twice".to_owned(),
        );
    }
    found
}
