//! Passes the account's admission, and gives the place back.

use super::super::facts::Assessment;
use super::super::ledger::{Entry, LedgerError};
use super::super::ports::Place;
use super::{Executor, NextWakeup};
use forewarn_domain::action::RecoveryAction;
use forewarn_recovery::admission::{AdmissionEvent, AdmissionRequest, InFlight};
use forewarn_recovery::decide::Command;
use forewarn_recovery::facts::Read;
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::state::Phase;

/// How often an append that another was quicker with is decided again.
const TRIES: usize = 20;

impl Executor {
    /// Reads the facts again, asks the gates and the account, and begins or waits.
    pub(super) fn admit(&self, entry: &mut Entry) -> Result<Option<NextWakeup>, LedgerError> {
        let (Some(trigger), Some(plan)) = (entry.state.trigger.clone(), entry.state.plan.clone()) else {
            return Ok(Some(NextWakeup::Never));
        };
        let mut assessed = self.fact_collector().assess(entry, &trigger, self.ledger.now());
        let mut refusals = std::mem::take(&mut assessed.refusals);
        if assessed.plan != plan {
            refusals.push(Self::changed());
        }
        if refusals.is_empty() && plan.action.mutates() {
            refusals = match ask_of(entry, plan.action, &assessed) {
                Ok(ask) => self.ask(&ask)?,
                Err(why) => vec![Refusal::Unreadable { what: "the fleet's health".to_owned(), why }],
            };
        }
        self.command(entry, Command::Admit { refusals })
    }

    /// Asks the account's stream; gives every reason against it.
    fn ask(&self, ask: &AdmissionRequest) -> Result<Vec<Refusal>, LedgerError> {
        for _ in 0..TRIES {
            let (admission, version) = self.ledger.admission()?;
            match admission.decide(ask, &self.caps, self.ledger.now()) {
                Ok(notes) if notes.is_empty() => return Ok(Vec::new()),
                Ok(notes) => {
                    if self.ledger.note(version, &notes)? {
                        return Ok(Vec::new());
                    }
                }
                Err(refused) => {
                    if !refused.note.is_empty() {
                        self.ledger.note(version, &refused.note)?;
                    }
                    return Ok(refused.reasons);
                }
            }
        }
        let why = "others were quicker each time".to_owned();
        Ok(vec![Refusal::Unreadable { what: "the account's admission".to_owned(), why }])
    }

    /// Notes in the account's stream who has taken whose place, once.
    pub(super) fn succession(&self, entry: &Entry) -> Result<(), LedgerError> {
        let Some(new) = &entry.state.successor else { return Ok(()) };
        self.until_noted(|admission| {
            let is_known = admission.lineage(new) != new;
            (!is_known).then(|| AdmissionEvent::Succeeded { old: entry.state.subject.clone(), new: new.clone() })
        })
    }

    /// Gives back the place of a recovery that is over, once, and sees to it that what it has replaced is ended one day.
    pub(super) fn release(&self, entry: &Entry) -> Result<(), LedgerError> {
        let Phase::Closed { outcome } = entry.state.phase else { return Ok(()) };
        if self.ledger.admission()?.0.open_ids().any(|id| id == entry.id)
            && let Some(trigger) = entry.state.ending(self.ledger.now())
        {
            self.request(&trigger)?;
        }
        self.until_noted(|admission| {
            let is_open = admission.open_ids().any(|id| id == entry.id);
            let (recovery_id, rung) = (entry.id.clone(), entry.state.rung);
            is_open.then(|| AdmissionEvent::Released { recovery_id, outcome, rung, at_ms: self.ledger.now() })
        })
    }

    /// Gives back the places of recoveries that ended without it: a process died in between, or a person stopped them.
    ///
    /// # Errors
    /// When the log fails.
    pub fn sweep(&self) -> Result<(), LedgerError> {
        let (admission, _) = self.ledger.admission()?;
        for id in admission.open_ids() {
            match self.ledger.load(id, "") {
                Ok(entry) => self.release(&entry)?,
                Err(LedgerError::IllegalTransition { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn until_noted(
        &self,
        wanted: impl Fn(&forewarn_recovery::admission::Admission) -> Option<AdmissionEvent>,
    ) -> Result<(), LedgerError> {
        for _ in 0..TRIES {
            let (admission, version) = self.ledger.admission()?;
            let Some(note) = wanted(&admission) else { return Ok(()) };
            if self.ledger.note(version, &[note])? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Says what is asked for. Where the gates have let a wish pass though the instance can't be seen, nothing is known of its place either.
fn ask_of(entry: &Entry, action: RecoveryAction, assessed: &Assessment) -> Result<AdmissionRequest, String> {
    let dark = Place::default();
    let (place, group) = match (&assessed.place, &assessed.facts.instance) {
        (_, Read::Failed(_)) => (&dark, None),
        (Read::Known(place), Read::Known(instance)) => (place, instance.group.as_ref().map(|g| g.name.clone())),
        (Read::Failed(why) | Read::Absent(why), _) | (_, Read::Absent(why)) => return Err(why.clone()),
    };
    Ok(AdmissionRequest {
        recovery_id: entry.id.clone(),
        slot: InFlight { lineage: entry.state.lineage.clone(), group, zone: place.zone.clone(), action },
        group: place.group,
        zone: place.in_zone,
        fleet: place.fleet,
        cooldown_ms: assessed.policy.cooldown_ms,
        daily_budget: assessed.policy.daily_budget,
    })
}
