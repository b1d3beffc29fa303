//! Fit: replays histories with known incidents and learns a rule set from them.

use crate::analyze::AnalyzeError;
use crate::fleet::Fleet;
use crate::gather::SignalMap;
use crate::history::History;
use crate::replay::{Steps, replay};
use forewarn_rules::fit::{FOLDS, FitError, Learned, Observations};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::signal::Signal;
use forewarn_rules::truth::{Incident, Outcome, outcome};
use std::collections::BTreeMap;

/// A history and what happened in it.
#[derive(Debug)]
pub struct Source {
    /// The metrics.
    pub history: History,
    /// The failures.
    pub incidents: Vec<Incident>,
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// A history does not replay.
    #[error(transparent)]
    Replay(#[from] AnalyzeError),
    /// The rows teach nothing.
    #[error(transparent)]
    Fit(#[from] FitError),
}

impl LearnError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Replay(e) => e.is_bad_input(),
            Self::Fit(FitError::TooFew { .. }) => true,
            Self::Fit(FitError::Logistic(_)) => false,
        }
    }
}

/// What was learned, and where it comes from.
pub type Taught = (Learned, Vec<(&'static str, String)>);

/// Learns from one or more histories. Instances of a workload share a fold, so that none is judged by its own twins.
///
/// # Errors
/// When a history does not read, or there are too few incidents.
pub fn learn(
    ruleset: &RuleSet,
    sources: &[Source],
    names: &BTreeMap<String, Signal>,
    steps: Steps,
    ridge: f64,
    mut progress: impl FnMut(u64, u64),
) -> Result<Taught, LearnError> {
    let mut observations = Observations::default();
    let (mut incidents, mut hours, mut instances) = (0, 0.0, 0_u64);
    for (n, source) in sources.iter().enumerate() {
        let end = source.history.time_range().map_err(AnalyzeError::from)?.map_or(steps.to, |(_, last)| last);
        let mut by: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for i in &source.incidents {
            by.entry(&i.instance_id).or_default().push(i.ts);
        }
        for times in by.values_mut() {
            times.sort_unstable();
        }
        let mut map = source.history.manifest().signal_map.clone();
        map.extend(names.clone());
        let fleet = Fleet::read(&source.history, &[], steps.to).map_err(AnalyzeError::from)?;
        replay(
            &source.history,
            ruleset,
            &SignalMap::new(map),
            &fleet,
            steps,
            |table, workload| {
                let Some(id) = table.instance_ids.first() else { return Ok(()) };
                let times = by.get(id.as_str()).map_or(&[] as &[i64], Vec::as_slice);
                let known = |row: usize| {
                    if ruleset.unassessable(table, row).is_some() {
                        Outcome::CENSORED
                    } else {
                        outcome(times, table.as_of[row], end)
                    }
                };
                let outcomes: Vec<Outcome> = (0..table.len()).map(known).collect();
                observations.add(ruleset, table, &ruleset.fired(table)?, &outcomes, fold(n, workload.unwrap_or(id)));
                incidents += times.iter().filter(|t| (steps.from..steps.to).contains(t)).count();
                hours += table.len() as f64 * steps.step as f64 / 3_600_000.0;
                instances += 1;
                Ok(())
            },
            |done, all| progress(n as u64 * all + done, sources.len() as u64 * all),
        )?;
    }
    let learned = observations.learn(ruleset, incidents, hours, ridge)?;
    let provenance = vec![
        ("method", "forewarn fit: non-negative ridge logistic regression on patterns of fired rules, calibrated on folds left out".to_owned()),
        ("base", format!("{} {} {}", ruleset.name(), ruleset.version(), ruleset.sha256())),
        ("data", format!("{} histories, {instances} instances, {incidents} incidents, {} rows", sources.len(), learned.rows)),
        ("range", format!("{} to {}", crate::time::format_ms(steps.from), crate::time::format_ms(steps.to))),
        ("incidents_per_instance_month", format!("{:.3}", learned.incidents_per_instance_month)),
        ("ridge", ridge.to_string()),
        ("log_loss", format!("{:.5} on folds left out", learned.log_loss)),
    ];
    Ok((learned, provenance))
}

/// The fold of a workload, by a hash that no release changes.
fn fold(source: usize, workload: &str) -> usize {
    let hash = xxhash_rust::xxh64::xxh64(workload.as_bytes(), source as u64);
    (hash % FOLDS as u64) as usize
}
