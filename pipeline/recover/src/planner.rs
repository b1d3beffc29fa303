//! Gives each prediction at high its plan: what a recovery would do about it, looked at now. It changes nothing in AWS, and whatever
//! it can't find out, the plan says so: no prediction waits for it longer than a few minutes, or is lost by it.

use super::facts::{AssessmentRequest, FactCollector};
use super::past;
use super::policies::Policies;
use super::ports::{DryRunner, FactReader};
use super::store::Store;
use super::triggers::predicted;
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_domain::preview::RecoveryPreview;
use forewarn_domain::previewer::RecoveryPreviewer;
use forewarn_domain::round::Round;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::Read;
use forewarn_recovery::preview::past::Past;
use forewarn_recovery::preview::{PreviewInputs, preview};
use forewarn_recovery::trigger::is_fresh;
use forewarn_runtime::clock::Clock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Plans that are looked at together.
const AT_ONCE: usize = 4;
/// How long new ones are begun in a round, milliseconds; one that has begun lasts as long as its calls, four of a minute at most.
const BEGIN_MS: i64 = 60_000;

/// What previews read in one account and region.
#[derive(Debug, Clone)]
pub struct RegionReader {
    facts: Arc<dyn FactReader>,
    dry_runs: Arc<dyn DryRunner>,
}

impl RegionReader {
    /// Makes one of what can do both.
    pub fn new<T: FactReader + DryRunner + 'static>(both: &Arc<T>) -> Self {
        Self { facts: both.clone(), dry_runs: both.clone() }
    }
}

/// Finds what reads an account and region.
pub trait Regions: Send + Sync + fmt::Debug {
    /// Gives the reader; an account or region that nobody knows is called `unknown`.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn reader(&self, account: &str, region: &str) -> Result<RegionReader, String>;
}

/// Makes plans.
#[derive(Debug, Clone)]
pub struct Planner {
    regions: Arc<dyn Regions>,
    policies: Arc<dyn Policies>,
    clock: Arc<dyn Clock>,
}

type ReadersByPlace = BTreeMap<(String, String), Result<RegionReader, String>>;

/// What the plans of one round are made with.
struct PreviewBatch<'a> {
    planner: &'a Planner,
    store: &'a dyn Store,
    readers: ReadersByPlace,
    past: Option<Past>,
    begun_ms: UnixMs,
}

impl Planner {
    /// Makes one that reads these regions, under these policies.
    pub fn new(regions: Arc<dyn Regions>, policies: Arc<dyn Policies>, clock: Arc<dyn Clock>) -> Self {
        Self { regions, policies, clock }
    }

    /// Gives the previewer of a run over this log.
    pub fn on<'a>(&'a self, store: &'a dyn Store) -> LogPreviewer<'a> {
        LogPreviewer { planner: self, store }
    }

    fn now(&self) -> UnixMs {
        UnixMs(self.clock.now_ms())
    }

    /// Puts a plan into each prediction at high; those whose news is told now come first.
    fn attach(&self, round: &mut Round, store: &dyn Store) {
        let is_high = |i: &usize| round.taken[*i].prediction.confidence == Level::High;
        let mut wanted: Vec<usize> = (0..round.taken.len()).filter(is_high).collect();
        if wanted.is_empty() {
            return;
        }
        wanted.sort_by_key(|i| round.taken[*i].events.is_empty());
        let predictions: Vec<&Prediction> = wanted.iter().map(|i| &round.taken[*i].prediction).collect();
        let past = past::read(store);
        if let Err(e) = &past {
            tracing::warn!(error = %e, "plans do not say how others like them ended");
        }
        let begun_ms = self.now();
        let readers = self.readers(&predictions);
        let batch = PreviewBatch { planner: self, store, readers, past: past.ok(), begun_ms };
        let previews = batch.each(&predictions);
        tracing::info!(plans = previews.len(), "looked at what would be done about predictions at high");
        for (i, preview) in wanted.into_iter().zip(previews) {
            round.taken[i].prediction.plan = Some(Box::new(preview));
        }
    }

    /// Finds the reader of each account and region, once: where there is none, each of its predictions says why.
    fn readers(&self, predictions: &[&Prediction]) -> ReadersByPlace {
        let mut known = ReadersByPlace::new();
        for p in predictions {
            let place = (p.account.clone(), p.region.clone());
            known.entry(place).or_insert_with(|| self.regions.reader(&p.account, &p.region));
        }
        known
    }
}

/// Looks at what a recovery would do, with what one log knows.
#[derive(Debug, Clone, Copy)]
pub struct LogPreviewer<'a> {
    planner: &'a Planner,
    store: &'a dyn Store,
}

impl RecoveryPreviewer for LogPreviewer<'_> {
    /// What is caught up with is not looked at now.
    fn is_fresh(&self, as_of: i64) -> bool {
        is_fresh(UnixMs(as_of), self.planner.now())
    }

    fn attach(&self, round: &mut Round) {
        self.planner.attach(round, self.store);
    }
}

impl PreviewBatch<'_> {
    fn each(&self, predictions: &[&Prediction]) -> Vec<RecoveryPreview> {
        let next = AtomicUsize::new(0);
        let slots: Vec<OnceLock<RecoveryPreview>> = predictions.iter().map(|_| OnceLock::new()).collect();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(predictions.len()) {
                scope.spawn(|| {
                    while let Some(i) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < slots.len()) {
                        slots[i].get_or_init(|| self.preview_of(predictions[i]));
                    }
                });
            }
        });
        let unmade = || RecoveryPreview::unseen("it was not looked at", self.begun_ms.0);
        slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(unmade)).collect()
    }

    fn preview_of(&self, prediction: &Prediction) -> RecoveryPreview {
        let now = self.planner.now();
        if now.since(self.begun_ms) >= BEGIN_MS {
            let why = format!("plans of a round are begun for {} s, and this one's turn did not come", BEGIN_MS / 1000);
            return RecoveryPreview::unseen(&why, now.0);
        }
        let place = (prediction.account.clone(), prediction.region.clone());
        match self.readers.get(&place) {
            Some(Ok(reader)) => self.look(prediction, reader, now),
            Some(Err(why)) => RecoveryPreview::unseen(why, now.0),
            None => RecoveryPreview::unseen("nobody knows its account and region", now.0),
        }
    }

    fn look(&self, prediction: &Prediction, reader: &RegionReader, now: UnixMs) -> RecoveryPreview {
        let id = prediction.instance_id.as_str();
        let Some(trigger) = predicted(prediction, now) else {
            return RecoveryPreview::unseen("it calls for no recovery", now.0);
        };
        let collector = FactCollector { reader: &*reader.facts, policies: &*self.planner.policies, store: self.store };
        let request =
            AssessmentRequest { is_given: true, ..AssessmentRequest::new(id, trigger.cause.first_action().rung()) };
        let assessed = collector.about(request, &trigger, now);
        let is_seen = matches!(assessed.facts.instance, Read::Known(_));
        let dry_runs = if is_seen { reader.dry_runs.dry_run(&assessed.plan, id) } else { Vec::new() };
        let unseen = || Read::Failed("the instance could not be seen".to_owned());
        let snapshot_age_ms = if is_seen { reader.dry_runs.snapshot_age(id, now) } else { unseen() };
        preview(&PreviewInputs {
            plan: &assessed.plan,
            refusals: &assessed.refusals,
            facts: &assessed.facts,
            dry_runs: &dry_runs,
            snapshot_age_ms: &snapshot_age_ms,
            past: self.past.as_ref(),
            failure_type: prediction.failure_type,
            now_ms: now,
        })
    }
}
