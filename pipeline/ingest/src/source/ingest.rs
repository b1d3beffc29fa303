//! Pulls what is due from all accounts and regions through the stream: the one function that the command, `run` and Lambda share.

use super::call::CallError;
use super::job::{Job, Mode};
use super::ledger::{Ledger, Progress};
use super::place::Place;
use super::place_metrics;
use super::report::{PlaceReport, Report};
use super::round::{Item, Outcome, run};
use super::state::{State, StateError, Target};
use super::window::Window;
use crate::stream::{Producer, PutReport, Record, StreamError};
use forewarn_runtime::failpoint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// How many places are dealt with at a time.
const PLACES_AT_ONCE: usize = 4;
/// How many calls' samples wait for the stream at most: memory is bounded by this, not by the fleet.
const WAITING: usize = 2;

/// Explains why nothing more could be pulled anywhere. What goes wrong in one place is in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The state fails.
    #[error(transparent)]
    State(#[from] StateError),
    /// The stream takes nothing more.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// Pulls what is due and puts it into the stream; watermarks move only after that. One place that fails stops no other.
///
/// # Errors
/// When the state or the stream fails; what was put is not asked for again.
pub fn pull(job: &Job<'_>, places: &[Place], state: &State, producer: &mut dyn Producer) -> Result<Report, PullError> {
    let mut report = Report { began_at: job.clock.now_ms(), ..Report::default() };
    resume(state, producer, &mut report)?;
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::<(usize, Outcome)>::new()));
    let put = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        for _ in 0..PLACES_AT_ONCE.min(places.len()) {
            let sender = sender.clone();
            let (next, outcomes) = (&next, &outcomes);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(place) = places.get(i) else { break };
                    let outcome = run(place, job, state, &sender);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((i, outcome));
                }
            });
        }
        drop(sender);
        // When this fails the receiver goes, and with it everybody who sends.
        put_all(receiver, state, producer, &mut report)
    });
    put?;
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|o| o.0);
    let now = job.clock.now_ms();
    let mut reports = Vec::new();
    for (i, outcome) in outcomes {
        let report = close(outcome, job, state, now)?;
        if let Some(place) = places.get(i) {
            place_metrics::close(place, &report, job, now);
        }
        reports.push(report);
    }
    place_metrics::round(&reports, job, now);
    Ok(report.close(reports, now, job.stop.is_raised()))
}

/// Puts again exactly what an earlier run was about to put when it ended.
fn resume(state: &State, producer: &mut dyn Producer, report: &mut Report) -> Result<(), PullError> {
    while let Some(parked) = state.parked()? {
        note(report, producer.put(&parked.records)?);
        failpoint::point("ingest.resumed");
        state.unpark(parked.id, &parked.progress)?;
        report.resumed += 1;
    }
    Ok(())
}

fn note(report: &mut Report, put: PutReport) {
    report.records += put.records;
    report.bytes += put.bytes;
}

fn put_all(
    receiver: Receiver<Item>,
    state: &State,
    producer: &mut dyn Producer,
    report: &mut Report,
) -> Result<(), PullError> {
    for item in receiver {
        match item {
            Item::Instances { place, seen } => {
                let records: Vec<Record> = seen.iter().cloned().map(Record::Instance).collect();
                note(report, producer.put(&records)?);
                failpoint::point("ingest.instances_put");
                state.mark_sent(place, &seen)?;
            }
            Item::Samples { target, delivery, ledger } => {
                let progress = settle(delivery.progress, &ledger);
                put_samples(&target, &delivery.records, &progress, (state, producer), report)?;
            }
        }
    }
    Ok(())
}

fn settle(progress: Vec<(usize, Window, Progress)>, ledger: &Mutex<Ledger>) -> Vec<Progress> {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    progress.into_iter().filter_map(|(series, window, p)| ledger.finish(series, window, p)).collect()
}

/// Puts samples, then moves watermarks. Samples that say when they were had are written down first: a run after a crash puts the very
/// same again, so that the moment is the same as well.
fn put_samples(
    target: &Target,
    records: &[Record],
    progress: &[Progress],
    (state, producer): (&State, &mut dyn Producer),
    report: &mut Report,
) -> Result<(), PullError> {
    let parked = match target {
        Target::Live if !records.is_empty() => Some(state.park(records, progress)?),
        Target::Live | Target::Range { .. } => None,
    };
    failpoint::point("ingest.parked");
    if !records.is_empty() {
        note(report, producer.put(records)?);
    }
    failpoint::point("ingest.put");
    match parked {
        Some(id) => state.unpark(id, progress)?,
        None => state.commit(target, progress)?,
    }
    failpoint::point("ingest.committed");
    Ok(())
}

fn close(outcome: Outcome, job: &Job<'_>, state: &State, now: i64) -> Result<PlaceReport, StateError> {
    let Outcome { row, mut report, error, ledger, target } = outcome;
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    report.series_left = ledger.left() as u64;
    report.complete = error.is_none() && ledger.is_complete();
    report.billed_this_month = state.billed(row.id, now)?;
    if report.account.is_empty() {
        report.account = row.account.clone().unwrap_or_default();
    }
    if let Some(offset) = report.clock_offset_ms.filter(|o| o.abs() > SKEW_MS) {
        let (seconds, way) = (offset.abs() / 1000, if offset < 0 { "fast" } else { "slow" });
        tracing::warn!(region = report.region, "this machine's clock is {seconds} s {way} by AWS's time; set it (NTP)");
    }
    match error {
        None => {}
        Some(CallError::State(e)) => return Err(e),
        Some(CallError::Spent(spent)) => {
            report.error = Some(format!("account {}, region {}: {spent}", report.account, report.region));
            report.spent = Some(spent);
        }
        Some(e @ (CallError::Api(_) | CallError::GivenUp { .. } | CallError::Ended)) => {
            report.error = Some(e.to_string());
        }
    }
    // What is still missing is pulled by the next run alone, once it can be.
    if report.is_whole() {
        state.forget(&target, row.id)?;
    }
    if let Mode::Follow { .. } = job.mode {
        report.lag_ms = state.oldest(row.id)?.map(|oldest| now - oldest);
    }
    Ok(report)
}

/// From here on a clock is said to be wrong, milliseconds.
const SKEW_MS: i64 = 60_000;
