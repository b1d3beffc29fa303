//! The turns of archive, analyze and emit.

use super::Job;
use super::gate::Gate;
use super::supervise::{Failure, Part};
use crate::state::ANALYZE;
use forewarn_history::{History, HistoryError};
use forewarn_ingest::source::follow::next_round_in;
use forewarn_ingest::source::ingest::pull;
use forewarn_ingest::source::place::Place;
use forewarn_ingest::source::state::State;
use forewarn_ingest::stream::{Producer, open};
use forewarn_runtime::pulse::Waiting;

/// Between two pulls, milliseconds: trends need no more, and a poll each minute costs sixty times as much.
const PULL_MS: i64 = 3_600_000;
/// Between two looks at the stream, milliseconds.
const LOOK_MS: i64 = 10_000;
/// Between two deliveries of announcements, milliseconds.
const DELIVER_MS: i64 = 10_000;
/// Queues are asked this often at least, milliseconds: a poll waits for messages.
#[cfg(feature = "aws")]
const POLL_MS: i64 = 20_000;

/// Takes the stream into the history.
pub(super) fn archive<'a>(job: &'a Job, gate: &'a Gate) -> Part<'a> {
    job.ctx.metrics.period("archive", LOOK_MS);
    let turn = move |_: &_| -> Result<i64, Failure> {
        let (ctx, begun) = (&job.ctx, job.ctx.clock.now_ms());
        let _waiting = waits(job, "archive", format!("the stream {} and the history {}", job.stream, job.history));
        let report = job.archive()?;
        if !ctx.stop.is_raised() {
            gate.archived(begun);
        }
        if report.records > 0 {
            tracing::info!(
                records = report.records,
                samples = report.samples,
                rows = report.rows,
                events = report.events,
                "archived"
            );
        }
        Ok(ctx.clock.now_ms() + LOOK_MS)
    };
    Part { name: "archive", turn: Box::new(turn) }
}

/// Says what a part waits for while the guard lives.
pub(super) fn waits(job: &Job, part: &'static str, what: String) -> Waiting {
    job.ctx.metrics.pulses.of(part).waits_for(what)
}

/// Executes the prediction runs that are due.
pub(super) fn analyze<'a>(job: &'a Job, gate: &'a Gate) -> Part<'a> {
    let progress = job.state.place().progress(ANALYZE);
    job.ctx.metrics.period("analyze", job.rounds.every);
    // How far it came before it was started says how far behind it is; what can't be read fails its first turn.
    if let Ok(Some(done)) = progress.read() {
        job.ctx.metrics.dealt_with("analyze", done);
    }
    let look = move |_: &_| -> Result<i64, Failure> {
        let ctx = &job.ctx;
        let now = ctx.clock.now_ms();
        let slot = job.rounds.last(now);
        if progress.read()?.is_some_and(|done| done >= slot) {
            return Ok(job.rounds.next(now));
        }
        if !gate.opens(slot, slot - job.rounds.offset, now) {
            return Ok(now + LOOK_MS);
        }
        let _waiting = waits(job, "analyze", format!("the history {}", job.history));
        let history = match History::open(&job.history) {
            Ok(history) => history,
            Err(HistoryError::NotFound { .. }) => return Ok(now + LOOK_MS),
            Err(e) => return Err(e.into()),
        };
        let report = job.predict_due(history, now)?;
        tracing::info!(
            runs = report.due,
            instances = report.instances,
            high = report.levels.get("high").copied().unwrap_or(0),
            opened = report.emitted.opened,
            "analyzed"
        );
        Ok(job.rounds.next(ctx.clock.now_ms()))
    };
    Part { name: "analyze", turn: Box::new(look) }
}

/// Announces what the log has and a bus has not.
pub(super) fn emit(job: &Job) -> Part<'_> {
    job.ctx.metrics.period("emit", DELIVER_MS);
    let turn = move |_: &_| -> Result<i64, Failure> {
        let ctx = &job.ctx;
        for (bus, report) in job.announce()?.iter().filter(|(_, r)| r.sent > 0) {
            tracing::info!(bus, sent = report.sent, "announced");
        }
        Ok(ctx.clock.now_ms() + DELIVER_MS)
    };
    Part { name: "emit", turn: Box::new(turn) }
}

/// Takes EC2 events from queues into the stream.
#[cfg(feature = "aws")]
pub fn events(job: &Job, aws: forewarn_runtime::aws::Aws, queues: String) -> Part<'_> {
    use forewarn_events::sqs::SqsQueue;
    use forewarn_ingest::{
        intake::Intake,
        poll::{Until, poll},
    };
    job.ctx.metrics.period("events", POLL_MS);
    let turn = move |_: &_| -> Result<i64, Failure> {
        let ctx = &job.ctx;
        let mut producer = open::producer(&job.stream, job.state.place(), ctx)?;
        let dead = job.state.dead(&job.history)?;
        let mut intake = Intake { producer: producer.as_mut(), dead: dead.as_ref(), metrics: &ctx.metrics };
        let mut all = SqsQueue::each(&aws, &queues, 20);
        poll(&mut all, &mut intake, ctx.clock.as_ref(), Until::Stopped, &ctx.stop)?;
        Ok(ctx.clock.now_ms())
    };
    Part { name: "events", turn: Box::new(turn) }
}

/// What pulls: the places asked, and how.
#[derive(Debug)]
pub struct Pulling<'a> {
    /// What a round is to do.
    pub job: forewarn_ingest::source::job::Job<'a>,
    /// The accounts and regions.
    pub places: Vec<Place>,
}

/// Pulls metrics every hour.
pub fn ingest<'a>(job: &'a Job, mut pulling: Pulling<'a>, gate: &'a Gate) -> Part<'a> {
    job.ctx.metrics.period("ingest", PULL_MS);
    gate.expect(pulling.places.iter().map(Place::key));
    pulling.job.watch = Some(gate);
    let mut opened: Option<(State, Box<dyn Producer>)> = None;
    let turn = move |_: &_| -> Result<i64, Failure> {
        let ctx = &job.ctx;
        if opened.is_none() {
            let dir = job.state.dir("what was asked of CloudWatch")?;
            opened = Some((State::open(dir)?, open::producer(&job.stream, dir, ctx)?));
        }
        let Some((state, producer)) = &mut opened else { return Ok(ctx.clock.now_ms()) };
        let report = pull(&pulling.job, &pulling.places, state, producer.as_mut())?;
        let now = ctx.clock.now_ms();
        let failed = report.places.iter().filter(|p| p.error.is_some()).count();
        tracing::info!(
            samples = report.tally.samples,
            records = report.records,
            places = report.places.len(),
            failed,
            "pulled"
        );
        if !report.complete && failed == report.places.len() {
            let error = report.places.iter().find_map(|p| p.error.as_deref()).unwrap_or("it was interrupted");
            return Err(format!("nothing could be pulled from any account or region; the first: {error}").into());
        }
        let wait = next_round_in(now, PULL_MS, pulling.job.wanted.longest_delay_ms());
        Ok(now + i64::try_from(wait).unwrap_or(PULL_MS))
    };
    Part { name: "ingest", turn: Box::new(turn) }
}
