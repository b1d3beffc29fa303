//! Fit: replays histories with known incidents and learns a rule set from them.

use crate::backtest::{IncidentCounts, Incidents};
use crate::replay::{Replay, Replayed, Steps};
use forewarn_domain::signal::Signal;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, HistoryError};
use forewarn_models::stats::log1pexp;
use forewarn_predict::error::AnalyzeError;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::truth::Truth;
use forewarn_rules::fit::{FOLDS, FitError, HeldOut, Learned, Observations, Place, Watched};
use forewarn_rules::hazard::logit;
use forewarn_rules::outcome::Outcome;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::truth::Incident;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::threads::Threads;
use std::collections::{BTreeMap, BTreeSet};

/// Probabilities are kept this far from 0 and 1 where their logarithm is taken.
const LEAST: f64 = 1e-9;

/// A history and what happened in it.
#[derive(Debug)]
pub struct Source {
    /// The metrics.
    pub history: History,
    /// The failures.
    pub incidents: Incidents,
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// A history does not replay.
    #[error(transparent)]
    Replay(#[from] AnalyzeError),
    /// A history has nothing in the range.
    #[error("no samples of {location} from {from} to {to}: {held}")]
    NoData {
        /// The history.
        location: String,
        /// The first time asked for.
        from: String,
        /// The end of the range asked for.
        to: String,
        /// What it holds instead.
        held: String,
    },
    /// Too few incidents are of use.
    #[error("{source}{why}")]
    TooFew {
        /// How many there are and how many it takes.
        source: FitError,
        /// Why others were of no use; empty where there are none.
        why: String,
    },
    /// The rows teach nothing.
    #[error(transparent)]
    Fit(FitError),
}

impl LearnError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Replay(e) => e.is_bad_input(),
            Self::NoData { .. } | Self::TooFew { .. } => true,
            Self::Fit(_) => false,
        }
    }
}

impl From<HistoryError> for LearnError {
    fn from(e: HistoryError) -> Self {
        Self::Replay(e.into())
    }
}

/// How good probabilities are on the rows learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// Mean log loss.
    pub log_loss: f64,
    /// Mean squared error.
    pub brier: f64,
}

/// How to learn.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How strongly evidence is drawn towards what the rule set has.
    pub ridge: f64,
    /// Whether to ask how well each cause is foreseen by weights that have never seen it.
    pub hold_out: bool,
    /// How many threads replay.
    pub threads: Threads,
}

/// A cause of failure, and how well it is foreseen with and without having been seen.
#[derive(Debug)]
pub struct CauseHeldOut {
    pub cause: String,
    /// How well; None when no row that could be assessed lies before such an incident.
    pub held_out: Option<HeldOut>,
}

/// What was learned, and where it comes from.
#[derive(Debug)]
pub struct Taught {
    /// What was learned.
    pub learned: Learned,
    /// Where it comes from, for the rule set's text.
    pub provenance: Vec<(&'static str, String)>,
    /// P(24 h) of the rule set as it was.
    pub before: Loss,
    /// P(24 h) as learned, on folds left out.
    pub after: Loss,
    /// Incidents learned from, by cause.
    pub causes: BTreeMap<String, usize>,
    /// What each cause is worth to the others; empty unless asked for.
    pub held_out: Vec<CauseHeldOut>,
    pub instances: u64,
    /// Those of which no workload is known.
    pub without_workload: u64,
    /// What else should be known.
    pub notes: Vec<String>,
}

/// Learns from one or more histories. Instances of a workload share a fold, so that none is judged by its own twins.
///
/// # Errors
/// When a history does not read or holds nothing in the range, there are too few incidents, or somebody interrupts.
pub fn learn(
    ruleset: &RuleSet,
    sources: &[Source],
    names: &BTreeMap<String, Signal>,
    steps: Steps,
    manner: Manner,
    interrupt: &Interrupt,
    mut progress: impl FnMut(u64, u64),
) -> Result<Taught, LearnError> {
    let causes = manner.hold_out.then(|| Causes::of(sources));
    let (mut lesson, mut left_out) = (Lesson::default(), Vec::new());
    let features = ruleset.feature_settings().wanting(ruleset.features_read());
    for (n, source) in sources.iter().enumerate() {
        let end = data_end(&source.history, steps)?;
        let truth = Truth::new(&source.incidents.list, &source.history.events()?, end);
        let mut map = source.history.manifest().signal_map.clone();
        map.extend(names.clone());
        let fleet = Fleet::read_over(&source.history, &[], steps.from..steps.to)?;
        let mut ids = BTreeSet::new();
        let map = SignalMap::new(map);
        let teacher = Teacher { ruleset, truth: &truth, steps, source: n, causes: causes.as_ref() };
        let see = |lesson: &mut Lesson, replayed: &Replayed<'_>| teacher.show(lesson, replayed);
        let take = |mut part: Lesson| {
            ids.append(&mut part.ids);
            lesson.join(part);
            Ok(())
        };
        let (history, threads) = (&source.history, manner.threads);
        Replay { history, features: &features, map: &map, fleet: &fleet, steps, priors: &[], threads, interrupt }.run(
            see,
            take,
            |done, all| {
                progress(n as u64 * all + done, sources.len() as u64 * all);
            },
        )?;
        left_out.extend(notes(&source.incidents, &ids, steps, end));
    }
    lesson.learn(ruleset, (sources.len(), steps), manner.ridge, causes, left_out)
}

/// Holds what a rule set sees of one history against what happened in it.
struct Teacher<'a> {
    ruleset: &'a RuleSet,
    truth: &'a Truth,
    steps: Steps,
    /// Which of the histories it is.
    source: usize,
    /// The causes of all histories, where each is to be held out.
    causes: Option<&'a Causes>,
}

impl Teacher<'_> {
    fn show(&self, lesson: &mut Lesson, replayed: &Replayed<'_>) -> Result<(), AnalyzeError> {
        let Self { ruleset, steps, .. } = *self;
        let Replayed { table, workload, .. } = *replayed;
        let Some(id) = table.instance_ids.first() else { return Ok(()) };
        let past = self.truth.of(id);
        let known = |row: usize| {
            if ruleset.unassessable(table, row).is_some() {
                return Outcome::CENSORED;
            }
            Outcome::of(|horizon_ms| past.within(table.as_of[row], horizon_ms))
        };
        let outcomes: Vec<Outcome> = (0..table.len()).map(known).collect();
        let assessed = ruleset.assess(table)?;
        let source = self.source;
        let fold = fold(source, workload.unwrap_or(id));
        lesson.observations.add(ruleset, table, &assessed.fired, &outcomes, Place { source, fold });
        if let Some(causes) = self.causes {
            let by_cause = lesson.by_cause.get_or_insert_with(|| Observations::new(causes.0.len()));
            let fold = causes.group(past.incidents.first(), id);
            by_cause.add(ruleset, table, &assessed.fired, &outcomes, Place { source, fold });
        }
        for (outcome, p) in outcomes.iter().zip(&assessed.probability[0]) {
            lesson.before.take(outcome.within[0], *p);
        }
        for incident in past.incidents.iter().filter(|i| (steps.from..steps.to).contains(&i.ts)) {
            *lesson.causes.entry(cause_of(incident)).or_default() += 1;
            lesson.watched.entry(source).or_default().incidents += 1;
        }
        lesson.watched.entry(source).or_default().hours += table.len() as f64 * steps.step as f64 / 3_600_000.0;
        lesson.without_workload += u64::from(workload.is_none());
        lesson.instances += 1;
        lesson.ids.insert(id.clone());
        Ok(())
    }
}

/// What the histories have shown so far.
#[derive(Default)]
struct Lesson {
    observations: Observations,
    /// The same rows, in folds by the cause of what happened to their instance.
    by_cause: Option<Observations>,
    before: Sums,
    causes: BTreeMap<String, usize>,
    /// By history.
    watched: BTreeMap<usize, Watched>,
    instances: u64,
    without_workload: u64,
    /// The instances of the history that is shown.
    ids: BTreeSet<String>,
}

impl Lesson {
    /// Adds what another part of the fleet has shown.
    fn join(&mut self, other: Self) {
        self.observations.join(other.observations);
        if let Some(part) = other.by_cause {
            match &mut self.by_cause {
                Some(by_cause) => by_cause.join(part),
                none => *none = Some(part),
            }
        }
        self.before.join(&other.before);
        for (cause, n) in other.causes {
            *self.causes.entry(cause).or_default() += n;
        }
        for (source, seen) in other.watched {
            let held = self.watched.entry(source).or_default();
            (held.incidents, held.hours) = (held.incidents + seen.incidents, held.hours + seen.hours);
        }
        self.instances += other.instances;
        self.without_workload += other.without_workload;
    }

    fn learn(
        self,
        ruleset: &RuleSet,
        (histories, steps): (usize, Steps),
        ridge: f64,
        held_out: Option<Causes>,
        notes: Vec<String>,
    ) -> Result<Taught, LearnError> {
        let incidents: usize = self.causes.values().sum();
        let watched: Vec<Watched> =
            (0..histories).map(|source| self.watched.get(&source).copied().unwrap_or_default()).collect();
        let learned = self.observations.learn(ruleset, &watched, ridge).map_err(|e| match e {
            FitError::TooFew { .. } => {
                let why = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
                LearnError::TooFew { source: e, why }
            }
            FitError::Logistic(_) => LearnError::Fit(e),
        })?;
        let held_out =
            held_out.zip(self.by_cause).map(|(causes, by_cause)| causes.hold_out(&by_cause, ruleset, &watched, ridge));
        let held_out = held_out.transpose().map_err(LearnError::Fit)?;
        let (before, after) = (self.before.mean(), Loss { log_loss: learned.log_loss, brier: learned.brier });
        let causes: Vec<String> = self.causes.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
        let provenance = vec![
            ("method", "forewarn fit: non-negative logistic regression on patterns of fired rules towards each hazard, drawn towards what was written, calibrated on folds left out".to_owned()),
            ("base", format!("{} {} {}", ruleset.name(), ruleset.version(), ruleset.sha256())),
            ("data", format!("{histories} histories, {} instances, {incidents} incidents, {} rows", self.instances, learned.rows)),
            ("causes", causes.join(", ")),
            ("range", format!("{} to {}", forewarn_runtime::time::format_ms(steps.from), forewarn_runtime::time::format_ms(steps.to))),
            ("incidents_per_instance_month", format!("{:.3}", learned.incidents_per_instance_month)),
            ("ridge", ridge.to_string()),
            ("log_loss", format!("{:.5} on folds left out, {:.5} before", after.log_loss, before.log_loss)),
            ("brier", format!("{:.5} on folds left out, {:.5} before", after.brier, before.brier)),
        ];
        Ok(Taught {
            learned,
            provenance,
            before,
            after,
            causes: self.causes,
            held_out: held_out.unwrap_or_default(),
            instances: self.instances,
            without_workload: self.without_workload,
            notes,
        })
    }
}

/// The causes of all histories, in order: each is a fold of its own.
struct Causes(Vec<String>);

impl Causes {
    fn of(sources: &[Source]) -> Self {
        let causes: BTreeSet<String> = sources.iter().flat_map(|s| &s.incidents.list).map(cause_of).collect();
        Self(causes.into_iter().collect())
    }

    /// The fold of an instance: that of its first incident; those without one are spread over all.
    fn group(&self, first: Option<&Incident>, id: &str) -> usize {
        let cause = first.and_then(|i| self.0.binary_search(&cause_of(i)).ok());
        cause.unwrap_or_else(|| xxhash_rust::xxh64::xxh64(id.as_bytes(), 0) as usize)
    }

    fn hold_out(
        self,
        by_cause: &Observations,
        ruleset: &RuleSet,
        watched: &[Watched],
        ridge: f64,
    ) -> Result<Vec<CauseHeldOut>, FitError> {
        let held_out = by_cause.hold_out(ruleset, watched, ridge)?;
        Ok(self.0.into_iter().zip(held_out).map(|(cause, held_out)| CauseHeldOut { cause, held_out }).collect())
    }
}

fn cause_of(incident: &Incident) -> String {
    incident.cause.clone().unwrap_or_else(|| "not said".to_owned())
}

/// Sums of losses.
#[derive(Default)]
struct Sums {
    log_loss: f64,
    brier: f64,
    rows: f64,
}

impl Sums {
    fn take(&mut self, hit: Option<bool>, p: f64) {
        let Some(hit) = hit.filter(|_| !p.is_nan()) else { return };
        let z = logit(p.clamp(LEAST, 1.0 - LEAST));
        self.log_loss += log1pexp(if hit { -z } else { z });
        self.brier += (p - f64::from(u8::from(hit))).powi(2);
        self.rows += 1.0;
    }

    fn join(&mut self, other: &Self) {
        self.log_loss += other.log_loss;
        self.brier += other.brier;
        self.rows += other.rows;
    }

    fn mean(&self) -> Loss {
        Loss { log_loss: self.log_loss / self.rows, brier: self.brier / self.rows }
    }
}

/// Where a history's data end; an error when none lie in the range.
fn data_end(history: &History, steps: Steps) -> Result<i64, LearnError> {
    let range = history.time_range()?;
    if let Some((_, last)) = range.filter(|(first, last)| *first < steps.to && *last >= steps.from) {
        return Ok(last);
    }
    let time = forewarn_runtime::time::format_ms;
    Err(LearnError::NoData {
        location: history.location(),
        from: time(steps.from),
        to: time(steps.to),
        held: history.held()?,
    })
}

/// Says which incidents teach nothing, and why.
fn notes(incidents: &Incidents, ids: &BTreeSet<String>, steps: Steps, end: i64) -> Vec<String> {
    let counts = IncidentCounts::of(&incidents.list, ids, steps, end);
    let mut notes = crate::backtest::notes_of_incidents(incidents);
    if counts.of_unknown_instances > 0 {
        notes.push(format!(
            "left out, as their instances have no sample in the range: {} of {} incidents",
            counts.of_unknown_instances, counts.given
        ));
    }
    if counts.before + counts.after > 0 {
        notes.push(format!("outside the range: {} of {} incidents", counts.before + counts.after, counts.given));
    }
    notes
}

/// The fold of a workload, by a hash that no release changes.
fn fold(source: usize, workload: &str) -> usize {
    let hash = xxhash_rust::xxh64::xxh64(workload.as_bytes(), source as u64);
    (hash % FOLDS as u64) as usize
}
