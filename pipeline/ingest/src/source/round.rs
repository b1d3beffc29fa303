//! Deals with one account in one region: looks, plans, and fetches with several threads.

mod refill;

use super::api::Query;
use super::breaker::{Breaker, Position};
use super::call::{CallError, Caller, Trouble};
use super::deliver::{Delivery, Stamp, deliver};
use super::fetch::fetch;
use super::job::{Job, Mode, SILENCE_MS};
use super::ledger::Ledger;
use super::permits::Permit;
use super::place::Place;
use super::place_metrics;
use super::plan::{Call, Want, pack};
use super::refresh::{Refreshed, is_chosen, listed_since, refresh};
use super::report::{Counts, PlaceReport};
use super::state::{PlaceRow, Series, State, Target};
use super::window::{by_age, live, once, settled};
use crate::stream::InstanceSeen;
use forewarn_runtime::time::format_ms;
use rand::SeedableRng;
use refill::refill;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

const HOUR: i64 = 3_600_000;

/// What a place hands to the one that puts.
#[derive(Debug)]
pub(super) enum Item {
    Instances {
        place: i64,
        seen: Vec<InstanceSeen>,
    },
    /// Samples of one call.
    Samples {
        target: Target,
        delivery: Delivery,
        ledger: Arc<Mutex<Ledger>>,
    },
    /// Nothing more comes from a place.
    Done {
        place: usize,
        /// Whether everything came that was due.
        complete: bool,
    },
}

/// What is left when the threads of a place have ended; the ledger is looked at once everything has been put.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) row: PlaceRow,
    pub(super) report: PlaceReport,
    pub(super) error: Option<CallError>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) target: Target,
    /// How the place stood before.
    pub(super) breaker: Breaker,
}

/// Gives what progress a job moves.
fn target(job: &Job<'_>, now: i64) -> Target {
    match job.mode {
        Mode::Follow { .. } => Target::Live,
        Mode::Once { range } => Target::range(range, now),
    }
}

/// Deals with a place; what it finds goes to `out`, and what goes wrong stays within it.
pub(super) fn run(place: &Place, job: &Job<'_>, state: &State, permit: &Permit<'_>, out: &SyncSender<Item>) -> Outcome {
    let counts = Counts::default();
    let now = job.clock.now_ms();
    let mut outcome = Outcome {
        row: PlaceRow::default(),
        report: PlaceReport { region: place.region.clone(), ..PlaceReport::default() },
        error: None,
        ledger: Arc::default(),
        target: target(job, now),
        breaker: Breaker::default(),
    };
    let row = match state.place(&place.label, &place.region) {
        Ok(row) => row,
        Err(e) => {
            outcome.error = Some(CallError::State(e));
            return outcome;
        }
    };
    let position = match state.breaker(row.id) {
        Ok(breaker) => {
            outcome.breaker = breaker;
            breaker.position(now)
        }
        Err(e) => {
            outcome.error = Some(CallError::State(e));
            return outcome;
        }
    };
    if let (Position::Open { until }, Mode::Follow { .. }) = (position, job.mode) {
        let Breaker { failures, since, .. } = outcome.breaker;
        let (since, until) = (format_ms(since), format_ms(until));
        outcome.error = Some(CallError::NotAsked { failures, since, until });
        outcome.report.account = place.account.clone().or_else(|| row.account.clone()).unwrap_or_default();
        outcome.row = row;
        return outcome;
    }
    let _waiting = place_metrics::begin(place, &row, job, now);
    let caller = Caller {
        clock: job.clock,
        stop: job.stop,
        metrics: job.metrics,
        label: place_metrics::label(place, row.account.as_deref()),
        pace: &place.pace,
        jitter: Mutex::new(rand_chacha::ChaCha8Rng::seed_from_u64(job.seed ^ row.id.unsigned_abs())),
        patience_ms: job.patience_ms,
        trouble: Trouble {
            began: now,
            silence_ms: match job.mode {
                Mode::Follow { .. } => SILENCE_MS,
                Mode::Once { .. } => job.patience_ms,
            },
            deadline_ms: job.deadline_ms,
            answered_at: AtomicI64::new(now),
            silent: AtomicBool::new(false),
            probing: AtomicBool::new(position == Position::HalfOpen && matches!(job.mode, Mode::Follow { .. })),
            permit,
            watch: job.watch,
            key: place.key(),
        },
        counts: &counts,
        state,
        place: row.id,
        budget: job.budget,
        over: AtomicBool::new(false),
    };
    outcome.error = work(&caller, place, job, &row, out, &mut outcome).err();
    outcome.report.tally = counts.tally();
    outcome.report.clock_offset_ms = place.metrics.clock_offset_ms();
    outcome.row = row;
    outcome
}

fn work(
    caller: &Caller<'_>,
    place: &Place,
    job: &Job<'_>,
    row: &PlaceRow,
    out: &SyncSender<Item>,
    outcome: &mut Outcome,
) -> Result<(), CallError> {
    let found = refresh(caller, place, job, row)?;
    let report = &mut outcome.report;
    report.account.clone_from(&found.account);
    (report.new_series, report.unmapped_volumes, report.odd_metrics) = (found.new_series, found.unmapped, found.odd);
    report.listings_cut = found.cut;
    report.listed_since = listed_since(job.mode, job.clock.now_ms());
    if !found.changed.is_empty() {
        let item = Item::Instances { place: row.id, seen: found.changed.clone() };
        out.send(item).map_err(|_| CallError::Ended)?;
    }
    let series = observed(caller, job, row, &found, &outcome.target)?;
    report.series = series.len() as u64;
    let mut ids: Vec<&str> = series.iter().map(|s| s.instance_id.as_str()).collect();
    ids.dedup();
    report.instances = ids.len() as u64;
    let calls = plan(job, &series, job.clock.now_ms() + place.metrics.clock_offset_ms().unwrap_or(0).min(0));
    report.planned_calls = calls.len() as u64;
    report.planned_metrics = calls.iter().map(|c| c.wants.len() as u64).sum();
    report.planned_points = calls.iter().map(|c| c.points.unsigned_abs()).sum();
    outcome.ledger = Arc::new(Mutex::new(Ledger::of(&calls)));
    forewarn_runtime::failpoint::point("ingest.planned");
    let shared = Shared { caller, place, job, series: &series, calls: &calls, account: &found.account, out };
    shared.fetch_all(outcome)?;
    if let Mode::Follow { .. } = job.mode {
        refill(&shared, outcome.report.planned_metrics);
    }
    Ok(())
}

/// Gives the series that are pulled: of observed instances, at the period that is wanted, and for following those alone that had data
/// not long ago.
fn observed(
    caller: &Caller<'_>,
    job: &Job<'_>,
    row: &PlaceRow,
    found: &Refreshed,
    target: &Target,
) -> Result<Vec<Series>, CallError> {
    let since = match job.mode {
        Mode::Follow { tail_ms, .. } => job.clock.now_ms() - tail_ms - job.discovery_age_ms - 3 * HOUR,
        Mode::Once { .. } => i64::MIN,
    };
    let mut series = caller.state.series(row.id, target, since).map_err(CallError::State)?;
    let mut last: Option<(String, bool)> = None;
    series.retain(|s| {
        let timing = job.wanted.timing(&s.metric.namespace);
        let wanted = job.wanted.namespaces.contains(&s.metric.namespace)
            && job.wanted.stat(&s.metric.namespace, &s.metric.metric) == Some(s.stat.as_str())
            && timing.period_s == s.period_s;
        let chosen = match &last {
            Some((id, chosen)) if *id == s.instance_id => *chosen,
            _ => {
                let chosen = is_chosen(job, &found.known, &s.instance_id);
                last = Some((s.instance_id.clone(), chosen));
                chosen
            }
        };
        wanted && chosen
    });
    Ok(series)
}

fn plan(job: &Job<'_>, series: &[Series], now: i64) -> Vec<Call> {
    let wants = series.iter().enumerate().flat_map(|(i, s)| {
        let timing = job.wanted.timing(&s.metric.namespace);
        let window = match job.mode {
            Mode::Follow { tail_ms, .. } => live(s.done_until, s.begins, now, timing, tail_ms),
            Mode::Once { range } => once(range, s.done_until, now, timing),
        };
        let stretches = window.map(|w| by_age(w, s.period_s, now)).unwrap_or_default();
        stretches.into_iter().map(move |(window, period_s)| Want { series: i, window, period_s })
    });
    pack(wants)
}

/// What the threads of a place share.
pub(super) struct Shared<'a> {
    pub(super) caller: &'a Caller<'a>,
    pub(super) place: &'a Place,
    pub(super) job: &'a Job<'a>,
    pub(super) series: &'a [Series],
    calls: &'a [Call],
    account: &'a str,
    pub(super) out: &'a SyncSender<Item>,
}

impl Shared<'_> {
    /// Gives what all batches of a call have in common.
    pub(super) fn stamp(&self, ingested_at: Option<i64>, tail_ms: i64) -> Stamp<'_> {
        Stamp { account: self.account, region: &self.place.region, ingested_at, tail_ms }
    }

    fn fetch_all(&self, outcome: &Outcome) -> Result<(), CallError> {
        let (next, first) = (AtomicUsize::new(0), Mutex::new(None::<CallError>));
        let threads = self.job.workers.clamp(1, 64).min(self.calls.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(call) = self.calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(e) = self.one(call, outcome) {
                            self.caller.end();
                            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                            // What others say who were told to end explains nothing.
                            if first.as_ref().is_none_or(|f| matches!(f, CallError::Ended)) {
                                *first = Some(e);
                            }
                            break;
                        }
                    }
                });
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn one(&self, call: &Call, outcome: &Outcome) -> Result<(), CallError> {
        let query = |w: &Want| {
            let s = &self.series[w.series];
            Query { metric: &s.metric, stat: &s.stat, period_s: w.period_s }
        };
        let queries: Vec<Query<'_>> = call.wants.iter().map(query).collect();
        let raws = fetch(self.caller, self.place.metrics.as_ref(), &queries, call.window)?;
        forewarn_runtime::failpoint::point("ingest.fetched");
        let now = self.job.clock.now_ms();
        let aws_now = now + self.place.metrics.clock_offset_ms().unwrap_or(0).min(0);
        let (ingested_at, tail_ms) = match self.job.mode {
            Mode::Follow { tail_ms, .. } => (Some(now), tail_ms),
            Mode::Once { .. } => (None, self.job.tail_ms),
        };
        let delivery = deliver(self.series, &call.wants, raws, self.stamp(ingested_at, tail_ms), |s| {
            settled(aws_now, self.job.wanted.timing(&s.metric.namespace))
        });
        let counts = self.caller.counts;
        Counts::add(&counts.samples, delivery.samples);
        Counts::add(&counts.repeated, delivery.repeated);
        counts.faults(delivery.faults);
        self.job.metrics.samples.inc_by(delivery.samples);
        self.job.metrics.repeated_samples.inc_by(delivery.repeated);
        let (target, ledger) = (outcome.target.clone(), Arc::clone(&outcome.ledger));
        self.out.send(Item::Samples { target, delivery, ledger }).map_err(|_| CallError::Ended)
    }
}
