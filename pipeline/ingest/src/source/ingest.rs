//! Pulls what is due from all accounts and regions through the stream: the one function that the command, `run` and Lambda share.

use super::breaker::{Breaker, Change, Position};
use super::call::CallError;
use super::job::{Job, Mode};
use super::ledger::{Ledger, Progress};
use super::permits::Permits;
use super::place::Place;
use super::place_metrics;
use super::report::{PlaceReport, Report};
use super::round::{Item, Outcome, run};
use super::state::{State, StateError, Target};
use super::watch::PlaceEvent;
use super::window::Window;
use crate::stream::{Producer, PutReport, Record, StreamError};
use forewarn_runtime::failpoint;
use forewarn_runtime::time::format_ms;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// How many places are dealt with at a time; one where something fails is beyond count until it answers.
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
    let (permits, outcomes) = (Permits::new(PLACES_AT_ONCE), Mutex::new(Vec::<(usize, Outcome)>::new()));
    let put = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        for (i, place) in places.iter().enumerate() {
            let sender = sender.clone();
            let (permits, outcomes) = (&permits, &outcomes);
            scope.spawn(move || {
                let permit = permits.take();
                let outcome = run(place, job, state, &permit, &sender);
                let complete = outcome.error.is_none();
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((i, outcome));
                // Where nobody listens any more, nobody waits either.
                sender.send(Item::Done { place: i, complete }).ok();
            });
        }
        drop(sender);
        // When this fails the receiver goes, and with it everybody who sends.
        put_all(receiver, state, producer, &mut report, &|i, complete| {
            let event = if complete { PlaceEvent::Pulled } else { PlaceEvent::Failed };
            if let (Some(watch), Some(place)) = (job.watch, places.get(i)) {
                watch.heard(&place.key(), event, job.clock.now_ms());
            }
        })
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
    done: &dyn Fn(usize, bool),
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
                state.note_found(&delivery.gaps.found)?;
                put_samples(&target, &delivery.records, &progress, (state, producer), report)?;
                state.note_asked(&delivery.gaps.asked)?;
            }
            Item::Done { place, complete } => done(place, complete),
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
    let Outcome { row, mut report, error, ledger, target, breaker } = outcome;
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
    let news = learn(&mut report, error.as_ref(), breaker, now);
    if let Some(breaker) = news.0 {
        state.keep_breaker(row.id, breaker)?;
    }
    match error {
        None => {}
        Some(CallError::State(e)) => return Err(e),
        Some(CallError::Spent(spent)) => {
            report.error = Some(format!("account {}, region {}: {spent}", report.account, report.region));
            report.spent = Some(spent);
        }
        Some(
            e @ (CallError::Api(_)
            | CallError::GivenUp { .. }
            | CallError::OutOfTime { .. }
            | CallError::NotAsked { .. }
            | CallError::Ended),
        ) => report.error = Some(e.to_string()),
    }
    say(&report, news.1);
    // What is still missing is pulled by the next run alone, once it can be.
    if report.is_whole() {
        state.forget(&target, row.id)?;
    }
    if let Mode::Follow { .. } = job.mode {
        report.lag_ms = state.oldest(row.id)?.map(|oldest| now - oldest);
    }
    Ok(report)
}

/// Settles how it stands with a place after a round; gives what is to be remembered, and what is to be said.
fn learn(
    report: &mut PlaceReport,
    error: Option<&CallError>,
    before: Breaker,
    now: i64,
) -> (Option<Breaker>, Option<Change>) {
    let succeeded = match error {
        None => true,
        // It answers, and there is more than a round can take.
        Some(CallError::OutOfTime { .. }) => report.tally.samples > 0,
        Some(CallError::Api(_) | CallError::GivenUp { .. }) => false,
        // These say nothing of the place.
        Some(CallError::NotAsked { .. } | CallError::Spent(_) | CallError::Ended | CallError::State(_)) => {
            report.breaker = before.position(now);
            return (None, None);
        }
    };
    let (after, change) = before.note(succeeded, now);
    report.breaker = after.position(now);
    ((after != before).then_some(after), change)
}

/// Says once that a place fails, that it is asked more rarely, and that it answers again.
fn say(report: &PlaceReport, change: Option<Change>) {
    let (account, region) = (&report.account, &report.region);
    let error = report.error.as_deref().unwrap_or_default();
    match (change, report.breaker) {
        (Some(Change::Fails), _) => tracing::error!(account, region, "not pulled: {error}"),
        (Some(Change::Opens), Position::Open { until }) => tracing::error!(
            account,
            region,
            "not pulled again, so it is asked more rarely from now on, next after {}; predictions go on without it, and what it has \
             missed is made up for: {error}",
            format_ms(until)
        ),
        (Some(Change::Recovers { since }), _) => {
            tracing::info!(account, region, "pulled again; it had failed since {}", format_ms(since));
        }
        (Some(Change::Opens) | None, _) => {}
    }
}

/// From here on a clock is said to be wrong, milliseconds.
const SKEW_MS: i64 = 60_000;
