//! An executor on a log in memory, with a fake of AWS that does at once what it is asked.

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_log::MemoryLog;
use forewarn_recover::executor::{Executor, NextWakeup};
use forewarn_recover::ledger::{Ledger, stream_of};
use forewarn_recover::policies::{DEFAULT, Policies, PolicyDir};
use forewarn_recover::ports::{DryRunner, FactReader, Place, Seen, StepDriver, StepOutcome, StepRequest};
use forewarn_recover::store::{ProjectedLog, Store};
use forewarn_recovery::admission::{Caps, Health};
use forewarn_recovery::event::RecoveryEvent;
use forewarn_recovery::facts::{InstanceFacts, InstanceState, Market, Read};
use forewarn_recovery::plan::Plan;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::preview::DryRunResult;
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use forewarn_runtime::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";

pub(crate) fn facts() -> InstanceFacts {
    InstanceFacts {
        state: InstanceState::Running,
        market: Market::OnDemand,
        enrolled: true,
        self_heal: false,
        stop_protection: false,
        termination_protection: false,
        instance_store: false,
        assigned_public_ip: false,
        elastic_ip: false,
        stateful: false,
        multi_attach: false,
        broken_volume: None,
        last_target: false,
        group: None,
        kept: None,
        controller: None,
    }
}

/// Writes down what it was asked; what is in `lost` has its effect and loses its reply once, what is in `slow` takes its time, and before
/// what is in `unseen` it can't be told once how things stand.
#[derive(Debug, Default)]
pub(crate) struct FakeAws {
    pub(crate) calls: Mutex<Vec<StepKind>>,
    pub(crate) lost: Mutex<Vec<StepKind>>,
    pub(crate) slow: Mutex<Vec<StepKind>>,
    pub(crate) unseen: Mutex<Vec<StepKind>>,
}

/// Says whether a step is the next of its kind in a list, and takes it out.
fn takes(list: &Mutex<Vec<StepKind>>, kind: StepKind) -> bool {
    let mut list = list.lock().unwrap();
    list.iter().position(|k| *k == kind).map(|at| list.remove(at)).is_some()
}

impl FactReader for FakeAws {
    fn home(&self) -> (&str, &str) {
        ("123456789012", "eu-central-1")
    }

    fn look(&self, _: &str, _: UnixMs) -> Seen {
        let health = Health { members: 100, impaired: 1 };
        let place = Place { zone: "a".to_owned(), group: None, in_zone: health, fleet: health };
        Seen { instance: Read::Known(facts()), place: Read::Known(place), aws_recovers_until: Read::Known(None) }
    }

    fn still_holds(&self, _: &Trigger) -> Read<bool> {
        Read::Known(true)
    }

    fn capacity_check(&self, _: RecoveryAction, _: &str, _: &Policy) -> Read<Option<String>> {
        Read::Known(None)
    }

    fn is_well(&self, _: &str, _: &Policy) -> Read<bool> {
        Read::Known(true)
    }
}

impl DryRunner for FakeAws {
    fn dry_run(&self, _: &Plan, _: &str) -> Vec<DryRunResult> {
        Vec::new()
    }

    fn snapshot_age(&self, _: &str, _: UnixMs) -> Read<Option<i64>> {
        Read::Known(None)
    }
}

impl StepDriver for FakeAws {
    fn prepare(&self, request: &StepRequest) -> Result<String, String> {
        if takes(&self.unseen, request.kind) {
            return Err("throttled".to_owned());
        }
        Ok(json!({ "for": request.kind }).to_string())
    }

    fn perform(&self, request: &StepRequest) -> StepOutcome {
        self.calls.lock().unwrap().push(request.kind);
        if takes(&self.slow, request.kind) {
            return StepOutcome::Waiting(15_000);
        }
        if takes(&self.lost, request.kind) {
            return StepOutcome::Unknown("the reply was lost".to_owned());
        }
        StepOutcome::Done(format!("{:?}", request.kind))
    }

    fn find(&self, request: &StepRequest) -> Result<Option<String>, String> {
        serde_json::from_str::<Value>(&request.before).map_err(|e| format!("the record can't be read: {e}"))?;
        let made = self.calls.lock().unwrap().contains(&request.kind);
        Ok(made.then(|| format!("found {:?}", request.kind)))
    }
}

pub(crate) struct Bench {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) aws: Arc<FakeAws>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) policies: Arc<PolicyDir>,
    pub(crate) state: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(policy: &Value) -> Self {
        Self::on(Arc::new(ProjectedLog::new(MemoryLog::new())), policy)
    }

    /// Makes one whose recoveries stand in a store that is given.
    pub(crate) fn on(store: Arc<dyn Store>, policy: &Value) -> Self {
        let state = tempfile::tempdir().unwrap();
        let policies = PolicyDir::of(state.path());
        policies.put(DEFAULT, None, policy.as_object().unwrap()).unwrap();
        Self {
            clock: Arc::new(ManualClock::at(1_771_135_200_000)),
            aws: Arc::default(),
            store,
            policies: Arc::new(policies),
            state,
        }
    }

    pub(crate) fn executor(&self, name: &str) -> Executor {
        let ledger = Ledger::new(self.store.clone(), self.clock.clone(), self.aws.home());
        Executor::new(
            ledger,
            self.aws.clone(),
            self.aws.clone(),
            self.policies.clone(),
            Caps::default(),
            name.to_owned(),
        )
    }

    /// Lets one executor work until nothing can be done without a person, time passing as it says.
    pub(crate) fn work(&self, executor: &Executor, id: &str) -> NextWakeup {
        for _ in 0..100 {
            match executor.advance(id).unwrap() {
                NextWakeup::At(at) | NextWakeup::Reminder(at) => {
                    self.clock.advance(at.since(UnixMs(self.clock.now_ms())).max(1));
                }
                over @ (NextWakeup::Person | NextWakeup::Never) => return over,
            }
        }
        panic!("{id} comes to no end");
    }

    pub(crate) fn events(&self, id: &str) -> Vec<RecoveryEvent> {
        let of = |entry: &forewarn_log::Recorded| {
            let event = entry.event().unwrap();
            forewarn_log::event::recovery::of(&event).unwrap().2.clone()
        };
        self.store.read(&stream_of(id), 1, usize::MAX).unwrap().iter().map(of).collect()
    }
}

pub(crate) fn failed(id: &str) -> Trigger {
    let cause = Cause::CheckFailed { check: Check::Instance };
    let (id, instance_id, evidence) = (id.to_owned(), INSTANCE.to_owned(), "instance check".to_owned());
    Trigger { id, instance_id, cause, at_ms: UnixMs(0), evidence }
}
