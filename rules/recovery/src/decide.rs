//! Decides what a command makes of a recovery; the shell appends the events, and only then acts on them.

use super::event::{Outcome, RecoveryEvent};
use super::pace::{CALL_MS, RETRY_MS};
use super::plan::Plan;
use super::refusal::{Refusal, Verdict, combine_verdicts};
use super::state::{Phase, Progress, Recovery};
use super::trigger::Trigger;
use forewarn_domain::action::Rung;
use forewarn_domain::id::digest;
use forewarn_domain::time::UnixMs;

/// How long after a gate refused without a date it is asked again, milliseconds.
pub const ASK_AGAIN_MS: i64 = 60_000;

/// How long after it found no approval it is looked at again, milliseconds; an approval itself is acted on at once.
pub const REMIND_MS: i64 = 15 * 60_000;

/// What somebody wants of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin, or join what is open.
    Request {
        /// With this.
        trigger: Trigger,
        /// The first of the instances that replaced one another.
        lineage: String,
        /// Where the ladder begins, as earlier failures of the lineage demand.
        rung: Rung,
    },
    /// Take this plan, unless gates refuse.
    Plan {
        /// What would be done.
        plan: Plan,
        /// Why it may not.
        refusals: Vec<Refusal>,
        /// Only look.
        dry_run: bool,
    },
    /// People have been told; they may object for so long, milliseconds.
    Announce {
        /// How long.
        objection_ms: i64,
    },
    /// Somebody objects.
    Object {
        /// Who.
        by: String,
    },
    /// Somebody approves.
    Approve {
        /// Who.
        by: String,
    },
    /// Begin, unless gates, looked at again, or the account's admission refuse.
    Admit {
        /// Why it may not.
        refusals: Vec<Refusal>,
    },
    /// Take it for a while.
    Lease {
        /// Who.
        holder: String,
        /// For how long, milliseconds.
        for_ms: i64,
    },
    /// Give it back: who has it stops.
    ReleaseLease {
        /// The epoch under which.
        epoch: u64,
    },
    /// Make the call of the next step.
    Intend {
        /// The epoch under which.
        epoch: u64,
        /// How things stand before it (JSON).
        before: String,
    },
    /// What the call of the next step needs can't be read: a try without a call.
    Unprepared {
        /// The epoch under which.
        epoch: u64,
        /// Why.
        reason: String,
    },
    /// Make a call again of which nothing was found.
    Reissue {
        /// The epoch under which.
        epoch: u64,
    },
    /// The call has had its effect.
    Done {
        /// The epoch under which.
        epoch: u64,
        /// What came of it.
        result: String,
    },
    /// What the call began is on its way.
    Waiting {
        /// The epoch under which.
        epoch: u64,
        /// When to look again, milliseconds from now.
        for_ms: i64,
    },
    /// The call has had no effect, for sure.
    Failed {
        /// The epoch under which.
        epoch: u64,
        /// Why.
        reason: String,
    },
    /// All steps are behind: say what follows.
    Conclude {
        /// The epoch under which.
        epoch: u64,
        /// How long what was recovered has to stay well, milliseconds.
        hold_ms: i64,
    },
    /// What was recovered was looked at.
    Look {
        /// Whether it is well.
        healthy: bool,
    },
    /// A person has looked at what was stuck.
    Retry {
        /// Who.
        by: String,
    },
    /// A person ends it.
    Stop {
        /// Who.
        by: String,
    },
}

/// Explains why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandRejected {
    /// It does not fit to where the recovery stands.
    #[error("not while it is {phase}")]
    Phase {
        /// The phase's name.
        phase: &'static str,
    },
    /// It comes before its time.
    #[error("not before {at_ms}")]
    Early {
        /// When.
        at_ms: UnixMs,
    },
    /// Another has it.
    #[error("{holder} has it until {until_ms}")]
    LeasedByOther {
        /// Who.
        holder: String,
        /// Until when.
        until_ms: UnixMs,
    },
    /// Another took it since.
    #[error("epoch {epoch} is over: {current} is current")]
    Stale {
        /// The epoch of the command.
        epoch: u64,
        /// The current one.
        current: u64,
    },
    /// The lease would end while the call is under way.
    #[error("the lease ends at {until_ms}, and the call may take until {needed_ms}")]
    LeaseTooShort {
        /// The lease's end.
        until_ms: UnixMs,
        /// The call's end.
        needed_ms: UnixMs,
    },
    /// A call is under way, or may be.
    #[error("a call may be under way")]
    Unsettled,
    /// There is none.
    #[error("no call is under way")]
    NoIntent,
}

/// Decides.
///
/// # Errors
/// When the command changes nothing, with the reason.
pub fn decide(state: &Recovery, command: Command, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    match command {
        Command::Request { trigger, lineage, rung } => Ok(request(state, trigger, lineage, rung, now)),
        Command::Plan { plan, refusals, dry_run } => {
            must(state, matches!(state.phase, Phase::Requested | Phase::Deferred { .. }))?;
            due(state, now)?;
            Ok(planned(state, plan, refusals, dry_run, now))
        }
        Command::Announce { objection_ms } => {
            must(state, state.phase == Phase::Planned)?;
            Ok(vec![RecoveryEvent::Announced { until_ms: now.saturating_add(objection_ms) }])
        }
        Command::Object { by } => {
            must(state, can_object(state))?;
            Ok(vec![RecoveryEvent::Objected { by }, RecoveryEvent::Completed { outcome: Outcome::Objected }])
        }
        Command::Approve { by } => {
            must(state, state.is_open())?;
            Ok(vec![RecoveryEvent::Approved { by }])
        }
        Command::Admit { refusals } => {
            must(state, matches!(state.phase, Phase::Announced { .. }))?;
            due(state, now)?;
            Ok(refused(state, refusals, now).unwrap_or_else(|| vec![RecoveryEvent::Admitted]))
        }
        Command::Lease { holder, for_ms } => lease(state, holder, for_ms, now),
        Command::ReleaseLease { epoch } => release_lease(state, epoch, now),
        Command::Intend { epoch, before } => intend(state, epoch, before, now),
        // Written at once: an intent alone would be taken for a call that may have been made.
        Command::Unprepared { epoch, reason } => {
            let mut events = intend(state, epoch, String::new(), now)?;
            events.extend(failed(state, reason, now));
            Ok(events)
        }
        Command::Reissue { epoch } => reissue(state, epoch, now),
        Command::Done { epoch, result } => {
            settled(state, epoch)?;
            Ok(vec![RecoveryEvent::StepDone { result }])
        }
        Command::Waiting { epoch, for_ms } => {
            settled(state, epoch)?;
            Ok(waiting(state, for_ms, now))
        }
        Command::Failed { epoch, reason } => {
            settled(state, epoch)?;
            Ok(failed(state, reason, now))
        }
        Command::Conclude { epoch, hold_ms } => {
            current(state, epoch)?;
            conclude(state, hold_ms, now)
        }
        Command::Look { healthy } => {
            must(state, matches!(state.phase, Phase::Holding { .. }))?;
            if !healthy {
                return Ok(escalate(state, "it did not stay well", now));
            }
            due(state, now)?;
            Ok(vec![RecoveryEvent::Completed { outcome: Outcome::Recovered }])
        }
        Command::Retry { by } => {
            must(state, state.phase == Phase::Stuck)?;
            Ok(vec![RecoveryEvent::Retried { by }])
        }
        // In mid-work a person must not leave half of it behind: what is under way is undone or finished first.
        Command::Stop { by } => {
            must(state, state.is_open() && !state.is_at_work())?;
            Ok(vec![RecoveryEvent::Stopped { by }, RecoveryEvent::Completed { outcome: Outcome::HandedOver }])
        }
    }
}

fn must(state: &Recovery, fits: bool) -> Result<(), CommandRejected> {
    if fits { Ok(()) } else { Err(CommandRejected::Phase { phase: state.phase.name() }) }
}

/// What a phase waits for has come.
fn due(state: &Recovery, now: UnixMs) -> Result<(), CommandRejected> {
    let (Phase::Deferred { until_ms, .. } | Phase::Announced { until_ms } | Phase::Holding { until_ms }) = state.phase
    else {
        return Ok(());
    };
    if now < until_ms { Err(CommandRejected::Early { at_ms: until_ms }) } else { Ok(()) }
}

const fn can_object(state: &Recovery) -> bool {
    matches!(state.phase, Phase::Planned | Phase::Announced { .. })
}

fn request(state: &Recovery, trigger: Trigger, lineage: String, rung: Rung, now: UnixMs) -> Vec<RecoveryEvent> {
    if state.phase == Phase::New {
        return vec![RecoveryEvent::Requested { trigger, lineage, rung, at_ms: now }];
    }
    if state.triggers.contains(&trigger.id) || !state.is_open() {
        return Vec::new();
    }
    vec![RecoveryEvent::Joined { trigger_id: trigger.id }]
}

fn planned(state: &Recovery, plan: Plan, refusals: Vec<Refusal>, dry_run: bool, now: UnixMs) -> Vec<RecoveryEvent> {
    if dry_run {
        let end = RecoveryEvent::Completed { outcome: Outcome::DryRun };
        return vec![RecoveryEvent::Planned { plan, dry_run }, end];
    }
    // People are told of what waits for their approval, so that is no reason to keep the plan back.
    let gates = refusals.iter().filter(|r| **r != Refusal::Unapproved).cloned().collect();
    match refused(state, gates, now) {
        None => vec![RecoveryEvent::Planned { plan, dry_run }],
        Some(mut events) if matches!(events[..], [RecoveryEvent::Deferred { .. }]) => {
            // What is left out above is a reason all the same.
            if let Some(RecoveryEvent::Deferred { refusals: told, .. }) = events.first_mut() {
                *told = refusals;
            }
            events
        }
        // What would have been done is written down all the same.
        Some(mut events) if events.len() > 1 => {
            events.insert(0, RecoveryEvent::Planned { plan, dry_run: true });
            events
        }
        Some(events) => events,
    }
}

fn refused(state: &Recovery, refusals: Vec<Refusal>, now: UnixMs) -> Option<Vec<RecoveryEvent>> {
    Some(match combine_verdicts(&refusals)? {
        // What a rung below has left unhealed is not dropped because this one is not allowed.
        Verdict::Deny if state.epoch() > 0 => {
            let reason = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let mut events = vec![RecoveryEvent::Denied { refusals }];
            events.extend(escalate(state, &reason, now));
            events
        }
        Verdict::Deny => {
            vec![RecoveryEvent::Denied { refusals }, RecoveryEvent::Completed { outcome: Outcome::Denied }]
        }
        Verdict::Defer(at) => {
            let again = if refusals.iter().all(|r| *r == Refusal::Unapproved) { REMIND_MS } else { ASK_AGAIN_MS };
            let until_ms = at.unwrap_or(now).max(now.saturating_add(again));
            vec![RecoveryEvent::Deferred { refusals, until_ms }]
        }
    })
}

fn lease(state: &Recovery, holder: String, for_ms: i64, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    if !state.is_at_work() {
        return Err(CommandRejected::Phase { phase: state.phase.name() });
    }
    if let Some(h) = state.holder.as_ref().filter(|h| now < h.until_ms && h.name != holder) {
        return Err(CommandRejected::LeasedByOther { holder: h.name.clone(), until_ms: h.until_ms });
    }
    Ok(vec![RecoveryEvent::Leased { holder, epoch: state.epoch() + 1, until_ms: now.saturating_add(for_ms) }])
}

/// A call of which nobody knows what came keeps its lease: whoever comes next waits until it has settled in any case.
fn release_lease(state: &Recovery, epoch: u64, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    current(state, epoch)?;
    if state.intent().is_some() {
        return Err(CommandRejected::Unsettled);
    }
    let is_held = state.holder.as_ref().is_some_and(|h| now < h.until_ms);
    Ok(if is_held { vec![RecoveryEvent::LeaseReleased { epoch, at_ms: now }] } else { Vec::new() })
}

fn current(state: &Recovery, epoch: u64) -> Result<(), CommandRejected> {
    if !state.is_at_work() {
        return Err(CommandRejected::Phase { phase: state.phase.name() });
    }
    if epoch == state.epoch() { Ok(()) } else { Err(CommandRejected::Stale { epoch, current: state.epoch() }) }
}

/// A result is taken from whoever holds it now; a stale executor's is refused.
fn settled(state: &Recovery, epoch: u64) -> Result<(), CommandRejected> {
    current(state, epoch)?;
    if state.intent().is_some() { Ok(()) } else { Err(CommandRejected::NoIntent) }
}

fn intend(state: &Recovery, epoch: u64, before: String, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    current(state, epoch)?;
    if state.intent().is_some() {
        return Err(CommandRejected::Unsettled);
    }
    let misplaced = CommandRejected::Phase { phase: state.phase.name() };
    let Some(progress) = state.progress() else { return Err(misplaced) };
    if let Some(at_ms) = progress.not_before_ms().filter(|at| now < *at) {
        return Err(CommandRejected::Early { at_ms });
    }
    match progress.number() {
        Some(attempt) if state.step().is_some() => {
            intent(state, progress.cursor, attempt, token(state, progress.cursor, attempt), before, now)
        }
        _ => Err(misplaced),
    }
}

fn reissue(state: &Recovery, epoch: u64, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    settled(state, epoch)?;
    let Some(open) = state.intent() else { return Err(CommandRejected::NoIntent) };
    // Before that the call of a lost executor may still take effect.
    let harmless = state.step().is_some_and(|s| s.kind.only_reads());
    if now < open.settles_ms && !harmless {
        return Err(CommandRejected::Early { at_ms: open.settles_ms });
    }
    intent(state, open.step, open.attempt, open.token.clone(), open.before.clone(), now)
}

fn intent(
    state: &Recovery,
    step: usize,
    attempt: u32,
    token: String,
    before: String,
    now: UnixMs,
) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    let Some(holder) = &state.holder else { return Err(CommandRejected::Phase { phase: state.phase.name() }) };
    let needed_ms = now.saturating_add(CALL_MS);
    if holder.until_ms < needed_ms {
        return Err(CommandRejected::LeaseTooShort { until_ms: holder.until_ms, needed_ms });
    }
    let settles_ms = holder.until_ms.saturating_add(CALL_MS);
    let epoch = state.epoch();
    Ok(vec![RecoveryEvent::StepIntended { step, attempt, token, before, epoch, at_ms: now, settles_ms }])
}

/// Gives the token of the next call: 32 hexadecimal digits, the same for the same try of the same step of the same plan.
fn token(state: &Recovery, step: usize, attempt: u32) -> String {
    let way = if matches!(state.phase, Phase::Undoing(_)) { "back" } else { "forth" };
    let trigger = state.trigger.as_ref().map_or("", |t| t.id.as_str());
    let place = [state.plans.to_string(), step.to_string(), attempt.to_string()];
    digest(&[&state.lineage, trigger, way, &place[0], &place[1], &place[2]])
}

/// What is on its way is looked at again, until the step has had its time.
fn waiting(state: &Recovery, for_ms: i64, now: UnixMs) -> Vec<RecoveryEvent> {
    let patience = state.step().map_or(0, |s| s.timeout_ms);
    if state.progress().and_then(Progress::began_ms).is_some_and(|began| now.since(began) >= patience) {
        return failed(state, format!("it was not done within {} s", patience / 1000), now);
    }
    if state.must_skip_optional(now.saturating_add(for_ms)) {
        return failed(state, "AWS takes the instance before long: no time is left for it".to_owned(), now);
    }
    if state.is_over_time(now) {
        return failed(state, "it was not done while its rung had time".to_owned(), now);
    }
    vec![RecoveryEvent::StepWaiting { again_ms: now.saturating_add(for_ms.max(1)) }]
}

fn failed(state: &Recovery, reason: String, now: UnixMs) -> Vec<RecoveryEvent> {
    let (attempts, after_ms) = state.step().map_or((0, RETRY_MS), |s| (s.attempts, s.retry_ms));
    let retry_ms = now.saturating_add(after_ms);
    let is_left = state.progress().and_then(Progress::number).is_some_and(|number| number < attempts);
    let retry_ms =
        (is_left && !state.is_over_time(retry_ms) && !state.must_skip_optional(retry_ms)).then_some(retry_ms);
    vec![RecoveryEvent::StepFailed { reason, retry_ms }]
}

/// Decides what follows when there is no next step or it has failed for good.
fn conclude(state: &Recovery, hold_ms: i64, now: UnixMs) -> Result<Vec<RecoveryEvent>, CommandRejected> {
    if state.intent().is_some() {
        return Err(CommandRejected::Unsettled);
    }
    let reason = state.reason.as_deref().unwrap_or("its steps failed").to_owned();
    match (&state.phase, state.step(), state.has_given_up()) {
        (Phase::Running(_), None, _) if state.plan.as_ref().is_none_or(|p| !p.action.mutates()) => {
            Ok(vec![RecoveryEvent::Completed { outcome: Outcome::HandedOver }])
        }
        (Phase::Running(_), None, _) => {
            Ok(vec![RecoveryEvent::Verified { hold_until_ms: now.saturating_add(hold_ms) }])
        }
        (Phase::Running(work), Some(_), true) => {
            let forward = state.plan.as_ref().is_some_and(|p| p.is_past_return(work.progress.cursor));
            Ok(if forward { escalate(state, &reason, now) } else { vec![RecoveryEvent::Undoing] })
        }
        (Phase::Undoing(_), None, _) => Ok(escalate(state, &reason, now)),
        (Phase::Undoing(_), Some(_), true) => {
            let reason = format!("what was done could not be taken back: {reason}");
            Ok(vec![RecoveryEvent::Stuck { reason }])
        }
        (phase, _, _) => Err(CommandRejected::Phase { phase: phase.name() }),
    }
}

fn escalate(state: &Recovery, reason: &str, now: UnixMs) -> Vec<RecoveryEvent> {
    match state.rung.above() {
        Some(to) => vec![RecoveryEvent::Escalated { to, reason: reason.to_owned(), at_ms: now }],
        None => vec![RecoveryEvent::Completed { outcome: Outcome::HandedOver }],
    }
}
