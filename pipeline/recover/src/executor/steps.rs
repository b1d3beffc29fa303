//! Makes a step's call: the intent is in the log before it, and what is not known of it afterwards is looked for.

use super::super::ledger::{Entry, LedgerError};
use super::super::policies;
use super::super::ports::{StepOutcome, StepRequest};
use super::{AGAIN_MS, Executor, NextWakeup};
use forewarn_domain::step::{Repeat, StepKind};
use forewarn_domain::time::UnixMs;
use forewarn_recovery::decide::{Command, decide};
use forewarn_recovery::pace::CALL_MS;
use forewarn_recovery::state::{Progress, Recovery};
use forewarn_recovery::trigger::Cause;
use forewarn_runtime::failpoint;

/// Longest result that is kept, in bytes.
const MAX_RESULT: usize = 64 << 10;

impl Executor {
    /// Settles the arguments, writes the intent, makes the call.
    pub(super) fn perform(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let request = match self.step_request(entry) {
            Ok(request) => request,
            Err(when) => return Ok(when),
        };
        let epoch = entry.state.epoch();
        let prepared = match kept(&entry.state, request.kind) {
            Some(before) => Ok(before),
            None => self.steps.prepare(&request),
        };
        let command = match prepared {
            Ok(before) => Command::Intend { epoch, before },
            Err(reason) => return self.command(entry, Command::Unprepared { epoch, reason }),
        };
        let version = entry.version;
        let again = self.command(entry, command)?;
        if again.is_some() || entry.version == version {
            return Ok(again);
        }
        self.call(entry)
    }

    /// Looks what came of a call that may have been made: takes that over, or makes it again.
    pub(super) fn adopt(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let request = match self.step_request(entry) {
            Ok(request) => request,
            Err(when) => return Ok(when),
        };
        let epoch = entry.state.epoch();
        match self.steps.find(&request) {
            Ok(Some(result)) => {
                tracing::info!(recovery = entry.id, step = %request.kind, "found done");
                self.command(entry, Command::Done { epoch, result: bounded(result) })
            }
            Ok(None) => {
                let version = entry.version;
                let again = self.command(entry, Command::Reissue { epoch })?;
                if again.is_some() || entry.version == version {
                    return Ok(again);
                }
                self.call(entry)
            }
            Err(why) => {
                tracing::warn!(recovery = entry.id, step = %request.kind, why, "it can't be told what came of a call");
                Ok(Some(NextWakeup::At(self.ledger.now().saturating_add(AGAIN_MS))))
            }
        }
    }

    /// Makes the call whose intent is in the log, if the lease still outlives it.
    fn call(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        failpoint::point("respond.intended");
        let lease_until = entry.state.holder.as_ref().map_or(UnixMs::MIN, |h| h.until_ms);
        if lease_until < self.ledger.now().saturating_add(CALL_MS) {
            tracing::warn!(recovery = entry.id, "the lease ran out between intent and call: nothing is called");
            return Ok(None);
        }
        let request = match self.step_request(entry) {
            Ok(request) => request,
            // The intent stays; whoever comes next looks what came of it, and makes the call.
            Err(when) => return Ok(when),
        };
        let epoch = entry.state.epoch();
        let reply = self.steps.perform(&request);
        failpoint::point("respond.called");
        tracing::info!(recovery = entry.id, step = %request.kind, subject = request.subject, %reply, "called");
        let command = match reply {
            StepOutcome::Done(result) => Command::Done { epoch, result: bounded(result) },
            StepOutcome::Waiting(for_ms) => Command::Waiting { epoch, for_ms },
            StepOutcome::Failed(reason) => Command::Failed { epoch, reason },
            StepOutcome::Unknown(_) if request.kind.only_reads() => Command::Waiting { epoch, for_ms: AGAIN_MS },
            StepOutcome::Unknown(why) => {
                tracing::warn!(recovery = entry.id, step = %request.kind, why, "nobody knows what came of the call");
                failpoint::point("respond.unanswered");
                return Ok(Some(NextWakeup::At(self.ledger.now().saturating_add(AGAIN_MS))));
            }
        };
        self.tell(entry, &command)
    }

    /// Writes down what came of a call; where another event came between, on what that left.
    fn tell(&self, entry: &mut Entry, command: &Command) -> Result<Option<NextWakeup>, LedgerError> {
        loop {
            let now = self.ledger.now();
            let Ok(events) = decide(&entry.state, command.clone(), now) else { return Ok(None) };
            if self.ledger.append(entry, &events)? {
                return Ok(None);
            }
            // Somebody approved, or joined: that changes nothing about the call.
            *entry = self.ledger.load(&entry.id, "")?;
        }
    }

    /// Says what the step that is next is about; otherwise when to come again: there is none, or the policy can't be read, and what
    /// people allow is not guessed at in mid-work either.
    fn step_request(&self, entry: &Entry) -> Result<StepRequest, Option<NextWakeup>> {
        let state = &entry.state;
        let (Some(step), Some(plan)) = (state.step(), state.plan.as_ref()) else { return Err(None) };
        let policy = policies::of(&*self.policies, &state.subject).map_err(|e| {
            tracing::warn!(recovery = entry.id, error = %e, "nothing more is done until the policy can be read");
            Some(NextWakeup::At(self.ledger.now().saturating_add(AGAIN_MS)))
        })?;
        let intent = state.intent();
        let deadline_ms = match state.trigger.as_ref().map(|t| t.cause) {
            Some(Cause::SpotWarned { deadline_ms }) => Some(deadline_ms),
            _ => None,
        };
        Ok(StepRequest {
            kind: step.kind,
            action: plan.action,
            recovery_id: entry.id.clone(),
            plan_id: format!("{}-{}", entry.id, state.plans),
            subject: state.subject.clone(),
            successor: state.successor.clone(),
            serves: state.serving().to_owned(),
            token: intent.map(|i| i.token.clone()).unwrap_or_default(),
            before: intent.map(|i| i.before.clone()).unwrap_or_default(),
            notes: state.notes.clone(),
            deadline_ms,
            policy,
            now_ms: self.ledger.now(),
        })
    }
}

/// Gives what was settled for this step before: how things stood before its first try. Where each try has its own arguments, only while
/// the same try goes on.
fn kept(state: &Recovery, kind: StepKind) -> Option<String> {
    let goes_on = state.progress().and_then(Progress::began_ms).is_some();
    let note = state.notes.get(&kind)?;
    let same = goes_on || kind.repeat() != Repeat::Token;
    (same && !note.before.is_empty()).then(|| note.before.clone())
}

fn bounded(mut result: String) -> String {
    if result.len() > MAX_RESULT {
        let end = (0..=MAX_RESULT).rev().find(|i| result.is_char_boundary(*i)).unwrap_or(0);
        result.truncate(end);
    }
    result
}
