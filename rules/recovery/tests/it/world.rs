//! A small AWS: instances, volumes, an Elastic IP, snapshots; calls take time, fail, and lose their replies.

use forewarn_domain::step::{Repeat, StepKind as S};
use forewarn_domain::time::UnixMs;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};

const SECOND: i64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Running,
    Stopped,
    Terminated,
}

#[derive(Debug, Clone)]
pub(super) struct SimulatedInstance {
    pub(super) lineage: usize,
    pub(super) power: Power,
    /// What it is becoming, and when.
    pub(super) turning: Option<(Power, UnixMs)>,
    pub(super) registered: bool,
    pub(super) has_served: bool,
    pub(super) healthy: bool,
    pub(super) data_volume: Option<String>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StepOutcome {
    Done(String),
    Waiting,
    Failed(&'static str),
}

/// Who is meant by a call.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) lineage: usize,
    pub(super) subject: String,
    pub(super) successor: Option<String>,
    /// Who is to serve in the end.
    pub(super) serves: String,
    pub(super) token: String,
    /// What makes the volumes and snapshots of one plan one another's.
    pub(super) plan: String,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) machines: BTreeMap<String, SimulatedInstance>,
    /// The owner of each lineage's address.
    pub(super) address: BTreeMap<usize, String>,
    /// Whether two machines of a lineage must never run at once: they would write the same data.
    pub(super) exclusive: BTreeSet<usize>,
    by_token: BTreeMap<String, String>,
    snapshots: BTreeMap<String, UnixMs>,
    volumes: BTreeMap<String, String>,
    /// Whether the new volume of a plan can't be attached.
    unattachable: BTreeMap<String, bool>,
    /// Calls by kind.
    pub(super) calls: BTreeMap<S, u32>,
    /// The first thing that must never be.
    pub(super) wrong: Option<String>,
}

impl World {
    pub(super) fn add(&mut self, lineage: usize) -> String {
        let id = format!("i-{lineage:04}");
        let machine = SimulatedInstance {
            lineage,
            power: Power::Running,
            turning: None,
            registered: true,
            has_served: true,
            healthy: false,
            data_volume: Some(format!("vol-{lineage:04}")),
        };
        self.machines.insert(id.clone(), machine);
        self.address.insert(lineage, id.clone());
        id
    }

    /// Lets everything become what it is becoming.
    pub(super) fn settle(&mut self, now: UnixMs) {
        for machine in self.machines.values_mut() {
            if let Some((power, at)) = machine.turning
                && at <= now
            {
                (machine.power, machine.turning) = (power, None);
            }
        }
        self.check();
    }

    /// What must hold at every moment.
    fn check(&mut self) {
        for lineage in self.address.keys() {
            let of_it = || self.machines.values().filter(|m| m.lineage == *lineage);
            let running = of_it().filter(|m| m.power == Power::Running).count();
            if self.exclusive.contains(lineage) && running > 1 {
                self.wrong.get_or_insert(format!("two machines of lineage {lineage} write the same data"));
            }
            if of_it().filter(|m| m.power != Power::Terminated).count() > 4 {
                self.wrong.get_or_insert(format!("lineage {lineage} has launched without end"));
            }
        }
    }

    fn machine(&mut self, id: &str) -> &mut SimulatedInstance {
        self.machines.get_mut(id).unwrap()
    }

    /// Says whether a call's effect is there, for one that does not know whether it was made.
    pub(super) fn finds(&self, kind: S, to: &Target) -> Option<String> {
        // What converges is found by making it again.
        let is_named = matches!(kind.repeat(), Repeat::Token | Repeat::Search);
        self.by_token.get(&to.token).filter(|_| is_named).cloned()
    }

    /// Makes a call.
    pub(super) fn call(&mut self, kind: S, to: &Target, now: UnixMs, rng: &mut impl Rng) -> StepOutcome {
        self.settle(now);
        *self.calls.entry(kind).or_default() += 1;
        match kind {
            S::Launch => self.launch(to, now, rng),
            S::Stop => self.turn(&to.subject, Power::Stopped, now, rng),
            S::Start => self.turn(&to.subject, Power::Running, now, rng),
            S::Discard => self.discard(to),
            S::Deregister => {
                self.machine(&to.subject).registered = false;
                done("")
            }
            S::Register | S::PointDns => {
                let machine = self.machine(&to.serves);
                (machine.registered, machine.has_served) = (true, true);
                done("")
            }
            S::AwaitHealthy => self.health(&to.serves, rng),
            S::MoveAddress => self.move_address(to),
            S::Snapshot => {
                self.snapshots.insert(to.plan.clone(), now.saturating_add(rng.random_range(5..900) * SECOND));
                self.by_token.insert(to.token.clone(), to.plan.clone());
                done(&to.plan)
            }
            S::AwaitSnapshot => match self.snapshots.get(&to.plan) {
                Some(at) if *at <= now => done(""),
                Some(_) => StepOutcome::Waiting,
                None => StepOutcome::Failed("no snapshot"),
            },
            S::CreateVolume => {
                if self.snapshots.get(&to.plan).is_none_or(|at| *at > now) {
                    self.wrong.get_or_insert("a volume is made of a snapshot that is not complete".to_owned());
                }
                let id = self.by_token.entry(to.token.clone()).or_insert_with(|| format!("vol-{}", to.plan)).clone();
                self.volumes.insert(to.plan.clone(), id.clone());
                done(&id)
            }
            S::Detach | S::DetachNew => {
                let machine = self.machine(&to.subject);
                if machine.power != Power::Stopped {
                    let what = format!("{kind:?} from a machine that is {:?}", machine.power);
                    self.wrong.get_or_insert(what);
                }
                self.machine(&to.subject).data_volume = None;
                done("")
            }
            S::AttachOld | S::AttachNew => {
                let old = format!("vol-{:04}", to.lineage);
                let fails = *self.unattachable.entry(to.plan.clone()).or_insert_with(|| rng.random_bool(0.2));
                if fails && kind == S::AttachNew {
                    return StepOutcome::Failed("the device is busy");
                }
                let volume = if kind == S::AttachOld { Some(old) } else { self.volumes.get(&to.plan).cloned() };
                let Some(volume) = volume else { return StepOutcome::Failed("no volume") };
                let machine = self.machine(&to.subject);
                if machine.data_volume.as_ref().is_some_and(|v| *v != volume) {
                    return StepOutcome::Failed("another volume is attached");
                }
                machine.data_volume = Some(volume);
                done("")
            }
            S::DeleteVolume => {
                let volume = self.volumes.get(&to.plan);
                if self.machines.values().any(|m| m.data_volume.is_some() && m.data_volume.as_ref() == volume) {
                    self.wrong.get_or_insert("a volume is deleted that is attached".to_owned());
                }
                done("")
            }
            S::Notify
            | S::Diagnose
            | S::RestartUnits
            | S::DrainApplication
            | S::SuspendProcesses
            | S::ResumeProcesses
            | S::EnterStandby
            | S::ExitStandby
            | S::KeepOld
            | S::Terminate
            | S::FindSnapshots
            | S::EnableIo
            | S::ReplaceRoot
            | S::Isolate
            | S::RestoreGroups
            | S::CompleteLifecycle
            | S::SetUnhealthy
            | S::AwaitInService => {
                if rng.random_bool(0.1) {
                    StepOutcome::Failed("scripted")
                } else {
                    done("")
                }
            }
        }
    }

    fn launch(&mut self, to: &Target, now: UnixMs, rng: &mut impl Rng) -> StepOutcome {
        if let Some(id) = self.by_token.get(&to.token) {
            return done(id);
        }
        if rng.random_bool(0.2) {
            return StepOutcome::Failed("InsufficientInstanceCapacity");
        }
        let id = format!("i-{:04}-{}", to.lineage, self.machines.len());
        let machine = SimulatedInstance {
            lineage: to.lineage,
            power: Power::Stopped,
            turning: Some((Power::Running, now.saturating_add(rng.random_range(1..60) * SECOND))),
            registered: false,
            has_served: false,
            healthy: rng.random_bool(0.7),
            data_volume: None,
        };
        self.machines.insert(id.clone(), machine);
        self.by_token.insert(to.token.clone(), id.clone());
        done(&id)
    }

    fn turn(&mut self, id: &str, to: Power, now: UnixMs, rng: &mut impl Rng) -> StepOutcome {
        let hang = if rng.random_bool(0.1) { 1500 } else { 60 };
        let after = now.saturating_add(rng.random_range(1..hang) * SECOND);
        let heals = rng.random_bool(0.6);
        let fails = to == Power::Running && rng.random_bool(0.15);
        let machine = self.machine(id);
        match (machine.power, machine.turning) {
            (Power::Terminated, _) => return StepOutcome::Failed("terminated"),
            (power, None) if power == to => return done(""),
            (_, Some((becoming, _))) if becoming == to => return StepOutcome::Waiting,
            (_, Some(_)) => return StepOutcome::Waiting,
            (_, None) if fails => return StepOutcome::Failed("InsufficientInstanceCapacity"),
            (_, None) => machine.turning = Some((to, after)),
        }
        machine.healthy |= to == Power::Running && heals;
        StepOutcome::Waiting
    }

    fn discard(&mut self, to: &Target) -> StepOutcome {
        let Some(id) = &to.successor else { return done("") };
        let owns = self.address.get(&to.lineage) == Some(id);
        let machine = self.machine(id);
        let served = machine.has_served;
        (machine.power, machine.turning) = (Power::Terminated, None);
        if served || owns {
            self.wrong.get_or_insert(format!("{id} is ended though it has served"));
        }
        done("")
    }

    fn health(&mut self, id: &str, rng: &mut impl Rng) -> StepOutcome {
        let well = rng.random_bool(0.9);
        let machine = self.machine(id);
        if machine.power == Power::Running && machine.healthy && well { done("") } else { StepOutcome::Waiting }
    }

    fn move_address(&mut self, to: &Target) -> StepOutcome {
        let Some(new) = &to.successor else { return StepOutcome::Failed("no successor") };
        let owner = self.address[&to.lineage].clone();
        if owner != to.subject && owner != *new {
            return StepOutcome::Failed("an owner that nobody expects");
        }
        if self.machines[&to.subject].power != Power::Stopped {
            self.wrong.get_or_insert("the address moves before the old machine has stopped".to_owned());
        }
        self.address.insert(to.lineage, new.clone());
        done("")
    }
}

fn done(result: &str) -> StepOutcome {
    StepOutcome::Done(result.to_owned())
}
