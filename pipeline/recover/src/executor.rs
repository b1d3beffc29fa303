//! Carries recoveries out: reads where one stands, asks what is next, does that, and writes down what came of it.
//!
//! It decides nothing and never sleeps: [`Executor::advance`] goes as far as it can and says when to come again.

mod admit;
mod steps;

use super::facts::FactCollector;
use super::ledger::{Entry, Ledger, LedgerError};
use super::policies::{self, Policies};
use super::ports::{FactReader, StepDriver};
use forewarn_domain::id::event_id;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::admission::Caps;
use forewarn_recovery::decide::{Command, CommandRejected, decide};
use forewarn_recovery::facts::Read;
use forewarn_recovery::next::{LEASE_MS, Next, next};
use forewarn_recovery::policy::Policy;
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::trigger::Trigger;
use std::sync::Arc;

/// Turns of one recovery without a wait, after which others have theirs.
const MOST_TURNS: usize = 200;
/// How often what has to last is looked at, milliseconds.
const LOOK_MS: i64 = 60_000;
/// How long after something could not be told it is asked again, milliseconds.
const AGAIN_MS: i64 = 15_000;

/// When a recovery is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextWakeup {
    /// At this time.
    At(UnixMs),
    /// When a person has acted; until then, it is looked at again at this time.
    Reminder(UnixMs),
    /// When a person has acted.
    Person,
    /// Never: it is over.
    Never,
}

/// One executor; several may work on the same log.
#[derive(Debug, Clone)]
pub struct Executor {
    ledger: Ledger,
    facts: Arc<dyn FactReader>,
    steps: Arc<dyn StepDriver>,
    policies: Arc<dyn Policies>,
    caps: Caps,
    name: String,
}

impl Executor {
    /// Makes one; its name must be its own.
    pub fn new(
        ledger: Ledger,
        facts: Arc<dyn FactReader>,
        steps: Arc<dyn StepDriver>,
        policies: Arc<dyn Policies>,
        caps: Caps,
        name: String,
    ) -> Self {
        Self { ledger, facts, steps, policies, caps, name }
    }

    /// The log as it uses it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What facts are read with.
    pub fn fact_collector(&self) -> FactCollector<'_> {
        FactCollector { reader: &*self.facts, policies: &*self.policies, store: &**self.ledger.store() }
    }

    /// Takes a trigger: begins a recovery, or joins the one that its lineage has. Gives its id. The same trigger again changes nothing.
    ///
    /// # Errors
    /// When the log fails.
    pub fn request(&self, trigger: &Trigger) -> Result<String, LedgerError> {
        loop {
            let (admission, _) = self.ledger.admission()?;
            let lineage = trigger.lineage_of(admission.lineage(&trigger.instance_id));
            let known = self.ledger.store().recovery_of(&lineage, &trigger.id)?;
            let id = known.unwrap_or_else(|| event_id("recovery", &[&lineage, &trigger.id]));
            let mut entry = self.ledger.load(&id, &trigger.instance_id)?;
            let now = self.ledger.now();
            let wanted = trigger.cause.first_action().rung();
            let rung = if trigger.cause.counts_for_escalation() {
                admission.first_rung(&lineage, wanted, now)
            } else {
                wanted
            };
            let command = Command::Request { trigger: trigger.clone(), lineage, rung };
            let events = decide(&entry.state, command, now).unwrap_or_default();
            if events.is_empty() || self.ledger.append(&mut entry, &events)? {
                return Ok(id);
            }
        }
    }

    /// Goes on with a recovery as far as it can.
    ///
    /// # Errors
    /// When the log fails.
    pub fn advance(&self, id: &str) -> Result<NextWakeup, LedgerError> {
        self.advance_while(id, &|| true)
    }

    /// As [`Executor::advance`], as long as it may: it is asked between any two calls.
    ///
    /// # Errors
    /// When the log fails.
    pub fn advance_while(&self, id: &str, may_go_on: &dyn Fn() -> bool) -> Result<NextWakeup, LedgerError> {
        for _ in 0..MOST_TURNS {
            if !may_go_on() {
                break;
            }
            let mut entry = self.ledger.load(id, "")?;
            if let Some(when) = self.turn(&mut entry)? {
                return Ok(when);
            }
        }
        Ok(NextWakeup::At(self.ledger.now()))
    }

    /// Does what is next; says when to come again, or nothing when there is more to do now.
    fn turn(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let now = self.ledger.now();
        self.succession(entry)?;
        match next(&entry.state, &self.name, now) {
            Next::Plan => self.plan(entry),
            Next::Announce => self.announce(entry),
            Next::Admit => self.admit(entry),
            Next::Lease => {
                let command = Command::Lease { holder: self.name.clone(), for_ms: LEASE_MS };
                self.command(entry, command)
            }
            Next::Perform => self.perform(entry),
            Next::Adopt => self.adopt(entry),
            Next::Conclude => {
                let hold_ms = self.hold_ms(entry);
                self.command(entry, Command::Conclude { epoch: entry.state.epoch(), hold_ms })
            }
            Next::Look => self.look(entry),
            Next::Wait(at) if entry.state.waits_for_person() => Ok(Some(NextWakeup::Reminder(at))),
            Next::Wait(at) => Ok(Some(NextWakeup::At(at))),
            Next::Person => Ok(Some(NextWakeup::Person)),
            Next::Nothing => {
                self.release(entry)?;
                Ok(Some(NextWakeup::Never))
            }
        }
    }

    /// Decides on a command and appends what follows. A command that comes too early says when; one that no longer fits, or that
    /// another executor was quicker with, leads to a new look.
    fn command(&self, entry: &mut Entry, command: Command) -> Result<Option<NextWakeup>, LedgerError> {
        match decide(&entry.state, command, self.ledger.now()) {
            Ok(events) => {
                self.ledger.append(entry, &events)?;
                Ok(None)
            }
            Err(CommandRejected::Early { at_ms }) => Ok(Some(NextWakeup::At(at_ms))),
            Err(CommandRejected::LeasedByOther { until_ms, .. }) => Ok(Some(NextWakeup::At(until_ms))),
            Err(wrong) => {
                tracing::debug!(recovery = entry.id, %wrong, "looked at again");
                Ok(None)
            }
        }
    }

    /// Gives back the leases that it has among these, so that whoever comes next need not wait for their end. It must be at none of them.
    pub fn give_back<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let give_back = |id: &str| -> Result<(), LedgerError> {
            let mut entry = self.ledger.load(id, "")?;
            let epoch = entry.state.epoch();
            if entry.state.holder.as_ref().is_some_and(|h| h.name == self.name) {
                self.command(&mut entry, Command::ReleaseLease { epoch })?;
            }
            Ok(())
        };
        for id in ids {
            if let Err(e) = give_back(id) {
                tracing::warn!(recovery = id, error = %e, "its lease is not given back; it ends by itself");
            }
        }
    }

    fn plan(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let Some(trigger) = entry.state.trigger.clone() else { return Ok(Some(NextWakeup::Never)) };
        let assessed = self.fact_collector().assess(entry, &trigger, self.ledger.now());
        tracing::info!(recovery = entry.id, action = %assessed.plan.action, refusals = assessed.refusals.len(), "planned");
        self.command(entry, Command::Plan { plan: assessed.plan, refusals: assessed.refusals, dry_run: false })
    }

    fn announce(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let (trigger, plan) = (entry.state.trigger.as_ref(), entry.state.plan.as_ref());
        let policy = self.policy(entry);
        let objection_ms = trigger.zip(plan).map_or(0, |(t, p)| policy.objection_to(p.action, t.cause));
        self.command(entry, Command::Announce { objection_ms })
    }

    fn look(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let lasts = entry.state.plan.as_ref().is_some_and(|p| p.action.needs_stability_hold());
        let healthy =
            if lasts { self.facts.is_well(entry.state.serving(), &self.policy(entry)) } else { Read::Known(true) };
        let now = self.ledger.now();
        match healthy {
            Read::Known(healthy) => {
                let again = self.command(entry, Command::Look { healthy })?;
                Ok(again.map(|when| match when {
                    NextWakeup::At(at) => NextWakeup::At(at.min(now.saturating_add(LOOK_MS))),
                    other @ (NextWakeup::Reminder(_) | NextWakeup::Person | NextWakeup::Never) => other,
                }))
            }
            // Not to know is no failure.
            Read::Failed(why) | Read::Absent(why) => {
                tracing::warn!(recovery = entry.id, why, "it can't be told whether it is well");
                Ok(Some(NextWakeup::At(now.saturating_add(LOOK_MS))))
            }
        }
    }

    /// What people allow; what is built in where that can't be read (the gates refuse then).
    fn policy(&self, entry: &Entry) -> Policy {
        policies::of(&*self.policies, &entry.state.subject).unwrap_or_default()
    }

    fn hold_ms(&self, entry: &Entry) -> i64 {
        entry.state.plan.as_ref().map_or(0, |p| self.policy(entry).hold_after(p.action))
    }

    /// Says that people have to be asked about a plan that no longer fits what is there.
    fn changed() -> Refusal {
        Refusal::Unreadable {
            what: "the plan".to_owned(),
            why: "the instance has changed since it was made".to_owned(),
        }
    }
}
