//! Thousands of seeded worlds: two executors that are killed, paused and overtaken work through the same recoveries, with one clock and
//! one thread; what must never be is looked at after every event, and a seed gives the same log, byte for byte.

use super::instance;
use super::world::{Power, StepOutcome, Target, World};
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::admission::{Admission, AdmissionEvent, AdmissionRequest, Caps, Health, InFlight};
use forewarn_recovery::decide::{Command, decide};
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::facts::InstanceFacts;
use forewarn_recovery::next::{LEASE_MS, Next, next};
use forewarn_recovery::pace::CALL_MS;
use forewarn_recovery::plan::{choose, plan};
use forewarn_recovery::state::{Phase, Recovery};
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt::Write;

const SECOND: i64 = 1000;
const LINEAGES: usize = 6;
const CAPS: Caps = Caps { share: 0.1, open: 3, hourly: 100, by_action: 3, storm_share: 0.9, storm_least: 100 };
const MOST_TURNS: usize = 20_000;

/// What an executor is in the middle of.
#[derive(Debug, Clone)]
enum Doing {
    Idle,
    /// The intent is in the log; the call is not made.
    Calling {
        id: String,
        kind: StepKind,
        to: Target,
        epoch: u64,
        lease_until: UnixMs,
    },
    /// The call is made; its result is not in the log.
    Telling {
        id: String,
        command: Command,
    },
}

#[derive(Debug)]
struct Executor {
    name: String,
    doing: Doing,
    paused_until: UnixMs,
    lives: u32,
}

/// A call that is under way while the one who made it is gone.
#[derive(Debug)]
struct Flying {
    at: UnixMs,
    kind: StepKind,
    to: Target,
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Whoever takes a recovery over does not wait until a lost call has settled, and makes it again under another token.
    Adoption,
    /// An executor that was paused does not look at its lease before it calls.
    Lease,
}

struct Sim {
    rng: ChaCha8Rng,
    now: UnixMs,
    world: World,
    streams: BTreeMap<String, Vec<RecoveryEvent>>,
    states: BTreeMap<String, Recovery>,
    admission: Admission,
    executors: Vec<Executor>,
    flying: Vec<Flying>,
    log: String,
    broken: Broken,
    events: u64,
}

fn facts(lineage: usize) -> InstanceFacts {
    InstanceFacts { stateful: lineage % 2 == 1, ..instance() }
}

impl Sim {
    fn new(seed: u64, broken: Broken) -> Self {
        let mut world = World::default();
        for lineage in 0..LINEAGES {
            world.add(lineage);
            if facts(lineage).stateful {
                world.exclusive.insert(lineage);
            }
        }
        let executor =
            |n: u32| Executor { name: format!("e{n}"), doing: Doing::Idle, paused_until: UnixMs(0), lives: 0 };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: UnixMs(0),
            world,
            streams: BTreeMap::new(),
            states: BTreeMap::new(),
            admission: Admission::default(),
            executors: (0..2).map(executor).collect(),
            flying: Vec::new(),
            log: String::new(),
            broken,
            events: 0,
        }
    }

    /// Appends where nothing came between, as the log does.
    fn append(&mut self, id: &str, expected: usize, events: Vec<RecoveryEvent>) -> bool {
        let stream = self.streams.entry(id.to_owned()).or_default();
        if stream.len() != expected {
            return false;
        }
        for event in events {
            let text = serde_json::to_string(&event).unwrap();
            writeln!(self.log, "{} {id} {text}", self.now.0).unwrap();
            let state = self.states.remove(id).unwrap_or_default().evolve(&event).unwrap();
            self.states.insert(id.to_owned(), state);
            self.events += 1;
            stream.push(event);
        }
        self.world.settle(self.now);
        let at_work = self.states.values().filter(|s| s.is_at_work()).count();
        if at_work > CAPS.open as usize {
            self.world.wrong.get_or_insert("more at work than the cap".to_owned());
        }
        true
    }

    fn command(&mut self, id: &str, command: Command) -> bool {
        let state = self.states.get(id).cloned().unwrap_or_default();
        let version = self.streams.get(id).map_or(0, Vec::len);
        decide(&state, command, self.now).is_ok_and(|events| self.append(id, version, events))
    }

    fn trigger(&mut self, trigger: Trigger, lineage: &str) {
        let open = self.states.iter().find(|(_, s)| s.is_open() && s.lineage == lineage).map(|(id, _)| id.clone());
        let id = open.unwrap_or_else(|| format!("r-{}", trigger.id));
        let rung = self.admission.first_rung(lineage, trigger.cause.first_action().rung(), self.now);
        self.command(&id, Command::Request { trigger, lineage: lineage.to_owned(), rung });
    }

    /// Lets one executor do one thing.
    fn turn(&mut self, e: usize) {
        if self.now < self.executors[e].paused_until {
            return;
        }
        if self.rng.random_bool(0.02) {
            self.executors[e].paused_until = self.now.saturating_add(self.rng.random_range(1..1200) * SECOND);
            return;
        }
        if self.rng.random_bool(0.02) {
            return self.kill(e);
        }
        if self.rng.random_bool(0.02) && matches!(self.executors[e].doing, Doing::Idle) {
            return self.stop(e);
        }
        match std::mem::replace(&mut self.executors[e].doing, Doing::Idle) {
            Doing::Idle => self.pick(e),
            Doing::Calling { id, kind, to, epoch, lease_until } => self.call(e, id, kind, &to, epoch, lease_until),
            Doing::Telling { id, command } => {
                self.command(&id, command);
            }
        }
    }

    /// Stops an executor between two calls: it gives back what it has.
    fn stop(&mut self, e: usize) {
        let name = self.executors[e].name.clone();
        let is_mine = |s: &Recovery| s.is_at_work() && s.holder.as_ref().is_some_and(|h| h.name == name);
        let mine: Vec<_> =
            self.states.iter().filter(|(_, s)| is_mine(s)).map(|(id, s)| (id.clone(), s.epoch())).collect();
        for (id, epoch) in mine {
            self.command(&id, Command::ReleaseLease { epoch });
        }
        self.executors[e].lives += 1;
        self.executors[e].name = format!("e{e}-{}", self.executors[e].lives);
    }

    /// Kills an executor; a call that it was making may still take effect.
    fn kill(&mut self, e: usize) {
        let executor = &mut self.executors[e];
        executor.lives += 1;
        executor.name = format!("e{e}-{}", executor.lives);
        let doing = std::mem::replace(&mut executor.doing, Doing::Idle);
        if let Doing::Calling { kind, to, lease_until, .. } = doing
            && self.now.saturating_add(CALL_MS) <= lease_until
            && self.rng.random_bool(0.5)
        {
            let at = self.now.saturating_add(self.rng.random_range(0..CALL_MS));
            self.flying.push(Flying { at, kind, to });
        }
    }

    fn call(&mut self, e: usize, id: String, kind: StepKind, to: &Target, epoch: u64, lease_until: UnixMs) {
        if self.now.saturating_add(CALL_MS) > lease_until && self.broken != Broken::Lease {
            return;
        }
        let reply = self.world.call(kind, to, self.now, &mut self.rng);
        if self.rng.random_bool(0.05) {
            return self.kill(e);
        }
        let command = match reply {
            StepOutcome::Done(result) => Command::Done { epoch, result },
            StepOutcome::Waiting => Command::Waiting { epoch, for_ms: 15 * SECOND },
            StepOutcome::Failed(reason) => Command::Failed { epoch, reason: reason.to_owned() },
        };
        self.executors[e].doing = Doing::Telling { id, command };
    }

    fn pick(&mut self, e: usize) {
        let open: Vec<String> = self.states.iter().filter(|(_, s)| s.is_open()).map(|(id, _)| id.clone()).collect();
        if open.is_empty() {
            return;
        }
        let id = open[self.rng.random_range(0..open.len())].clone();
        let name = self.executors[e].name.clone();
        let state = self.states[&id].clone();
        match next(&state, &name, self.now) {
            Next::Plan => {
                let lineage: usize = state.lineage[2..6].parse().unwrap();
                let cause = state.trigger.as_ref().unwrap().cause;
                let plan = plan(choose(cause, state.rung, &facts(lineage), true), &facts(lineage));
                self.command(&id, Command::Plan { plan, refusals: vec![], dry_run: false });
            }
            Next::Announce => {
                self.command(&id, Command::Announce { objection_ms: 60 * SECOND });
            }
            Next::Admit => self.admit(&id, &state),
            Next::Lease => {
                self.command(&id, Command::Lease { holder: name, for_ms: LEASE_MS });
            }
            Next::Perform if self.rng.random_bool(0.02) => {
                self.command(&id, Command::Unprepared { epoch: state.epoch(), reason: "throttled".to_owned() });
            }
            Next::Perform => self.intend(e, &id, Command::Intend { epoch: state.epoch(), before: String::new() }),
            Next::Adopt => self.adopt(e, &id, &state),
            Next::Wait(_) if self.broken == Broken::Adoption && state.intent().is_some() => self.adopt(e, &id, &state),
            Next::Conclude => {
                self.command(&id, Command::Conclude { epoch: state.epoch(), hold_ms: 30 * 60 * SECOND });
                self.release(&id);
            }
            Next::Look => {
                let healthy = self.rng.random_bool(0.98);
                self.command(&id, Command::Look { healthy });
                self.release(&id);
            }
            Next::Wait(_) | Next::Person | Next::Nothing => {}
        }
    }

    fn admit(&mut self, id: &str, state: &Recovery) {
        let action = state.plan.as_ref().map_or(RecoveryAction::NotifyOnly, |p| p.action);
        let well = Health { members: 1000, impaired: 1 };
        let ask = AdmissionRequest {
            recovery_id: id.to_owned(),
            slot: InFlight { lineage: state.lineage.clone(), group: None, zone: "a".to_owned(), action },
            group: None,
            zone: well,
            fleet: well,
            cooldown_ms: 60 * SECOND,
            daily_budget: 10,
        };
        let refusals = match self.admission.decide(&ask, &CAPS, self.now) {
            Ok(events) => {
                self.admission = events.iter().fold(std::mem::take(&mut self.admission), Admission::evolve);
                // The process may end between the two streams: the same asks again, and is admitted still.
                if self.rng.random_bool(0.05) {
                    return;
                }
                Vec::new()
            }
            Err(refused) => refused.reasons,
        };
        self.command(id, Command::Admit { refusals });
        self.release(id);
    }

    /// Tells the account's stream that a recovery is over.
    fn release(&mut self, id: &str) {
        let state = &self.states[id];
        if let Phase::Closed { outcome } = state.phase {
            let event =
                AdmissionEvent::Released { recovery_id: id.to_owned(), outcome, rung: state.rung, at_ms: self.now };
            self.admission = std::mem::take(&mut self.admission).evolve(&event);
        }
    }

    fn intend(&mut self, e: usize, id: &str, command: Command) {
        if !self.command(id, command) {
            return;
        }
        let state = &self.states[id];
        let (Some(step), Some(intent), Some(holder)) = (state.step(), state.intent(), &state.holder) else { return };
        let doing = Doing::Calling {
            id: id.to_owned(),
            kind: step.kind,
            to: target(state, id, &intent.token),
            epoch: intent.epoch,
            lease_until: holder.until_ms,
        };
        self.executors[e].doing = doing;
    }

    /// Looks whether a call took effect that may have been made; takes that over, or makes it again.
    fn adopt(&mut self, e: usize, id: &str, state: &Recovery) {
        let (Some(step), Some(intent)) = (state.step(), state.intent()) else { return };
        if self.broken == Broken::Adoption {
            // The call again, as if it were a new one.
            let mut to = target(state, id, &intent.token);
            to.token = format!("{}-{}", to.token, self.now.0);
            let (id, kind, epoch) = (id.to_owned(), step.kind, state.epoch());
            self.executors[e].doing = Doing::Calling { id, kind, to, epoch, lease_until: UnixMs::MAX };
            return;
        }
        match self.world.finds(step.kind, &target(state, id, &intent.token)) {
            Some(result) => {
                self.command(id, Command::Done { epoch: state.epoch(), result });
            }
            None => self.intend(e, id, Command::Reissue { epoch: state.epoch() }),
        }
    }

    fn land(&mut self) {
        let (due, later) = std::mem::take(&mut self.flying).into_iter().partition::<Vec<_>, _>(|f| f.at <= self.now);
        self.flying = later;
        for flying in due {
            self.world.call(flying.kind, &flying.to, flying.at, &mut self.rng);
        }
    }

    fn run(mut self) -> Self {
        let causes = [Check::System, Check::Instance, Check::AttachedEbs];
        let mut due: Vec<(UnixMs, Trigger, String)> = Vec::new();
        for lineage in 0..LINEAGES {
            let at = UnixMs(self.rng.random_range(0..3600) * SECOND);
            for n in 0..2 {
                let cause = match self.rng.random_range(0..6) {
                    c @ 0..3 => Cause::CheckFailed { check: causes[c] },
                    3 => Cause::Operator { action: RecoveryAction::Replace },
                    4 => Cause::Operator { action: RecoveryAction::ReplaceStateful },
                    _ => Cause::ApplicationDown,
                };
                let id = format!("t{lineage}-{n}");
                let instance_id = format!("i-{lineage:04}");
                let trigger =
                    Trigger { id, instance_id: instance_id.clone(), cause, at_ms: at, evidence: String::new() };
                // Each is delivered three times, in any order.
                for _ in 0..3 {
                    let late = self.rng.random_range(0..1800) * SECOND;
                    due.push((at.saturating_add(late), trigger.clone(), instance_id.clone()));
                }
            }
        }
        due.sort_by_key(|d| d.0);
        let mut due = due.into_iter().peekable();
        for _ in 0..MOST_TURNS {
            self.now = self.now.saturating_add(self.rng.random_range(0..10) * SECOND);
            while let Some((_, trigger, lineage)) = due.next_if(|d| d.0 <= self.now) {
                self.trigger(trigger, &lineage);
            }
            self.land();
            let e = self.rng.random_range(0..2);
            self.turn(e);
            let over = self.states.values().all(|s| !s.is_open() || s.phase == Phase::Stuck);
            if self.world.wrong.is_some() || (over && due.peek().is_none() && self.flying.is_empty()) {
                break;
            }
        }
        self
    }

    /// What must hold when all is over.
    fn verdict(&self) -> Result<(), String> {
        if let Some(wrong) = &self.world.wrong {
            return Err(wrong.clone());
        }
        for (id, state) in &self.states {
            if state.phase == Phase::Stuck {
                continue;
            }
            let Phase::Closed { outcome } = state.phase else {
                return Err(format!("{id} is still {:?}", state.phase));
            };
            if outcome == Outcome::Recovered {
                self.is_whole(id, state)?;
            }
        }
        Ok(())
    }

    /// A lineage that recovered, and of which nothing was begun later, has one machine in service and it has the address.
    fn is_whole(&self, id: &str, state: &Recovery) -> Result<(), String> {
        let later = self.states.iter().any(|(other, s)| other != id && s.lineage == state.lineage && s.plans > 0);
        if later {
            return Ok(());
        }
        let lineage: usize = state.lineage[2..6].parse().unwrap();
        let serving: Vec<&String> = self
            .world
            .machines
            .iter()
            .filter(|(_, m)| m.lineage == lineage && m.power == Power::Running && m.registered)
            .map(|(id, _)| id)
            .collect();
        if serving.len() != 1 {
            return Err(format!("{id}: in service are {serving:?}"));
        }
        let replaced = state.plan.as_ref().is_some_and(|p| p.action.rung() == Rung::Replace);
        if replaced && self.world.address[&lineage] != *serving[0] {
            return Err(format!("{id}: the address is {}'s, in service is {serving:?}", self.world.address[&lineage]));
        }
        Ok(())
    }
}

fn target(state: &Recovery, id: &str, token: &str) -> Target {
    Target {
        lineage: state.lineage[2..6].parse().unwrap(),
        subject: state.subject.clone(),
        successor: state.successor.clone(),
        serves: state.serving().to_owned(),
        token: token.to_owned(),
        plan: format!("{id}-{}", state.plans),
    }
}

/// How many worlds: `FOREWARN_SEEDS`, else as many as a test has time for.
#[expect(clippy::disallowed_methods, reason = "how many is the proof's to say")]
fn seeds() -> u64 {
    std::env::var("FOREWARN_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// What is broken in all of them: `FOREWARN_BROKEN`, else nothing.
#[expect(clippy::disallowed_methods, reason = "what is broken is the proof's to say")]
fn broken() -> Broken {
    match std::env::var("FOREWARN_BROKEN").as_deref() {
        Ok("adoption") => Broken::Adoption,
        Ok("lease") => Broken::Lease,
        _ => Broken::Nothing,
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the proof shows these figures")]
fn in_no_world_does_what_must_never_be() {
    let (mut events, mut outcomes, mut calls) = (0, BTreeMap::new(), BTreeMap::new());
    for seed in 0..seeds() {
        let sim = Sim::new(seed, broken()).run();
        if let Err(wrong) = sim.verdict() {
            panic!("seed {seed} at {}: {wrong}\n{}", sim.now.0, sim.log);
        }
        events += sim.events;
        for state in sim.states.values() {
            *outcomes.entry(format!("{:?}", state.phase)).or_insert(0) += 1;
        }
        for (kind, n) in &sim.world.calls {
            *calls.entry(*kind).or_insert(0) += n;
        }
    }
    println!("{} worlds, {events} events, {outcomes:?}, {calls:?}", seeds());
    let recovered = outcomes.get("Closed { outcome: Recovered }").copied().unwrap_or(0);
    assert!(recovered as u64 > seeds(), "most of it heals: {outcomes:?}");
    let moved = calls.get(&StepKind::MoveAddress).copied().unwrap_or(0);
    assert!(
        moved > 0 && calls.contains_key(&StepKind::Discard) && calls.contains_key(&StepKind::AttachOld),
        "{calls:?}"
    );
}

#[test]
fn a_seed_gives_the_same_log_byte_for_byte() {
    let logs: Vec<String> = (0..2).map(|_| Sim::new(7, Broken::Nothing).run().log).collect();
    assert!(logs[0].len() > 10_000);
    assert_eq!(logs[0], logs[1]);
    assert_ne!(logs[0], Sim::new(8, Broken::Nothing).run().log);
}

#[test]
fn what_is_broken_on_purpose_is_found() {
    for broken in [Broken::Adoption, Broken::Lease] {
        let found = (0..500).find_map(|seed| Sim::new(seed, broken).run().verdict().err());
        assert!(found.is_some(), "{broken:?} goes unnoticed");
    }
}
