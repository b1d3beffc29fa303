//! Runs one fault: how far it has come, what it does to the machine, and when it kills or heals.

use super::draw::{Draw, Wander};
use super::fault::{FaultPlan, Finish, Form};
use super::kind::Fault;
use super::profile::Extra;

/// What a fault can feel of the machine in one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feel {
    /// Hours since the start of the data.
    pub(super) now: f64,
    /// Hours a step.
    pub(super) step_h: f64,
    /// Load over its usual mean.
    pub(super) load: f64,
    /// Mean load, share of all CPUs.
    pub(super) mean: f64,
    /// Demand of the last step, share of all CPUs.
    pub(super) want: f64,
    /// Percent of memory in use without faults.
    pub(super) memory: f64,
    /// Percent of the disk in use without faults.
    pub(super) disk: f64,
    /// Utilisation of the volume without faults.
    pub(super) io: f64,
    /// Packets dropped a minute without faults.
    pub(super) drops: f64,
    /// Credits in hand.
    pub(super) credits: f64,
    /// Credits earned an hour.
    pub(super) earn: f64,
    /// Credits spent an hour at full use.
    pub(super) spend: f64,
    /// Whether the agent's metrics are being collected.
    pub(super) agent: bool,
}

/// What a fault does in one step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effect {
    /// Extra load.
    pub(super) extra: Extra,
    /// Added share of the volume's service time.
    pub(super) slow: f64,
    /// Whether the status check fails.
    pub(super) check: bool,
}

/// How things stand after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    On,
    /// It is over and the machine lives.
    Healed,
    /// The machine dies now.
    Dead,
}

/// Hours of evidence that must lie in the data, two hours or more ahead, for an incident to count as predictable.
pub(super) const EVIDENCE_H: f64 = 0.75;

/// One fault that is under way.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub(super) plan: FaultPlan,
    /// Progress from onset (0) to full strength (1).
    x: f64,
    /// What the full level amounts to on this machine, fixed at onset.
    scale: f64,
    damage: f64,
    limit_h: f64,
    flaps: f64,
    flap_steps: f64,
    leaving: Option<f64>,
    sway: Wander,
    draw: Draw,
    seen_h: f64,
    /// Hours since the start of the data when enough evidence had been emitted.
    pub(super) evident: Option<f64>,
}

impl Active {
    /// Starts a fault on the machine as it is now.
    pub(super) fn new(plan: FaultPlan, mut draw: Draw, feel: &Feel) -> Self {
        let scale = match plan.kind {
            Fault::MemoryLeak => (plan.severity - feel.memory).max(1.5),
            Fault::DiskFill => (plan.severity - feel.disk).max(1.0),
            Fault::EbsDegradation => (plan.severity / feel.io.max(0.01) - 1.0).max(0.2),
            Fault::CreditExhaustion => {
                let drain = feel.earn + feel.credits / plan.hours;
                (drain / feel.spend - feel.mean).clamp(0.02, 0.95)
            }
            Fault::CpuRunaway => (plan.severity - feel.mean).max(0.1),
            Fault::NoisyNeighbour | Fault::Flapping | Fault::NetworkLoss | Fault::Retirement | Fault::SuddenDeath => {
                plan.severity
            }
        };
        let hours = draw.log_uniform(0.3, 4.0);
        let sway = Wander::new(hours, feel.step_h, &mut draw);
        Self {
            plan,
            x: 0.0,
            scale,
            damage: 0.0,
            limit_h: 0.0,
            flaps: 0.0,
            flap_steps: 0.0,
            leaving: None,
            sway,
            draw,
            seen_h: 0.0,
            evident: None,
        }
    }

    /// Takes note that the software was restarted: a leak starts over, and may be gone.
    pub(super) fn restarted(&mut self) -> Fate {
        if self.plan.kind != Fault::MemoryLeak {
            return Fate::On;
        }
        self.x = 0.0;
        self.limit_h = 0.0;
        self.evident = None;
        self.seen_h = 0.0;
        if self.draw.chance(0.5) { Fate::Healed } else { Fate::On }
    }

    /// Moves on by one step.
    pub(super) fn step(&mut self, feel: &Feel) -> (Effect, Fate) {
        let pace = if self.plan.form == Form::LoadCoupled { feel.load.clamp(0.15, 3.0) } else { 1.0 };
        self.x += pace * feel.step_h / self.plan.hours;
        let (effect, fate, visible) = match self.plan.kind {
            Fault::MemoryLeak | Fault::DiskFill => self.fill(feel),
            Fault::NoisyNeighbour | Fault::EbsDegradation | Fault::NetworkLoss => self.wear(feel),
            Fault::CreditExhaustion | Fault::CpuRunaway => self.overload(feel),
            Fault::Flapping => self.flap(feel),
            Fault::Retirement => {
                let fate = if self.past() { Fate::Healed } else { Fate::On };
                (Effect::default(), if self.x >= 1.0 { Fate::Dead } else { fate }, true)
            }
            Fault::SuddenDeath => (Effect::default(), Fate::Dead, false),
        };
        // Announcements, checks and credits come from AWS, the rest from the agent.
        let told =
            feel.agent || matches!(self.plan.kind, Fault::Retirement | Fault::Flapping | Fault::CreditExhaustion);
        if visible && told {
            self.seen_h += feel.step_h;
            if self.seen_h >= EVIDENCE_H && self.evident.is_none() {
                self.evident = Some(feel.now);
            }
        }
        (effect, fate)
    }

    fn past(&self) -> bool {
        matches!(self.plan.finish, Finish::HealAt(x) if self.x >= x)
    }

    /// Memory or disk that fills to its limit.
    fn fill(&mut self, feel: &Feel) -> (Effect, Fate, bool) {
        let memory = self.plan.kind == Fault::MemoryLeak;
        let level = self.plan.form.level(self.x);
        let base = if memory { feel.memory } else { feel.disk };
        let amount = (level * self.scale).min((self.plan.severity + 0.2 - base).max(0.0));
        let total = base + amount;
        let cleaned = match self.plan.finish {
            Finish::Kill => false,
            Finish::HealAt(share) => level >= share,
            Finish::HealLevel(percent) => total >= percent && level > 0.1,
        };
        let mut extra = Extra::default();
        *(if memory { &mut extra.memory } else { &mut extra.disk }) = amount;
        let mut fate = if cleaned { Fate::Healed } else { Fate::On };
        if total >= self.plan.severity && !cleaned {
            self.limit_h += feel.step_h;
            if self.limit_h > self.plan.linger {
                fate = Fate::Dead;
            }
        }
        (Effect { extra, ..Effect::default() }, fate, amount >= 4.0_f64.min(0.35 * self.scale).max(1.0))
    }

    /// A strain that wears the instance down: stolen time, a slow volume, lost packets.
    fn wear(&mut self, feel: &Feel) -> (Effect, Fate, bool) {
        let sway = (0.3 * self.sway.step(&mut self.draw)).exp();
        let mut level = self.plan.form.level(self.x.min(1.0)) * sway;
        if self.leaving.is_none() && self.past() {
            self.leaving = Some(feel.now);
        }
        let mut fate = Fate::On;
        if let Some(since) = self.leaving {
            level *= (-(feel.now - since) / self.plan.fade).exp();
            if feel.now - since > 5.0 * self.plan.fade {
                fate = Fate::Healed;
            }
        } else if matches!(self.plan.finish, Finish::Kill) {
            self.damage += (level / self.plan.threshold - 1.0).max(0.0) * feel.step_h;
            if self.damage >= self.plan.fragility {
                fate = Fate::Dead;
            }
        }
        let mut effect = Effect::default();
        let strength = level * self.scale;
        let visible = match self.plan.kind {
            Fault::NoisyNeighbour => {
                effect.extra.steal = strength.min(85.0);
                strength >= 4.0
            }
            Fault::NetworkLoss => {
                effect.extra.drops = strength;
                strength >= 5.0 && strength > 4.0 * feel.drops
            }
            Fault::EbsDegradation
            | Fault::MemoryLeak
            | Fault::DiskFill
            | Fault::CreditExhaustion
            | Fault::Flapping
            | Fault::CpuRunaway
            | Fault::Retirement
            | Fault::SuddenDeath => {
                effect.slow = strength;
                // Stalls: the volume stops answering for a while, ever more often.
                if self.draw.chance(0.35 * level.min(1.0).powi(2) * feel.step_h) {
                    self.flap_steps = (self.draw.uniform(0.05, 0.4) / feel.step_h).ceil();
                }
                if self.flap_steps > 0.0 {
                    self.flap_steps -= 1.0;
                    effect.extra.io = 1.5;
                    effect.check = level > 0.7 && self.draw.chance(0.1);
                }
                strength > 0.8 && feel.io * (1.0 + strength) > 0.7
            }
        };
        (effect, fate, visible)
    }

    /// Demand that the CPUs, or the credits, cannot serve.
    fn overload(&mut self, feel: &Feel) -> (Effect, Fate, bool) {
        let credits = self.plan.kind == Fault::CreditExhaustion;
        let level =
            if credits { (self.x * self.plan.hours / 2.0).min(1.0) } else { self.plan.form.level(self.x.min(1.15)) };
        let add = level * self.scale * (0.1 * self.sway.step(&mut self.draw)).exp();
        let at_limit = if credits { feel.credits <= 0.2 * feel.earn } else { feel.want > 0.97 };
        if at_limit {
            self.limit_h += feel.step_h;
        }
        let patience = if credits { 0.5 + self.plan.linger } else { self.plan.fragility };
        let fate = if self.past() {
            Fate::Healed
        } else if self.limit_h >= patience && (credits || matches!(self.plan.finish, Finish::Kill)) {
            Fate::Dead
        } else {
            Fate::On
        };
        let visible = if credits { self.x > 0.3 } else { add >= 0.15 };
        (Effect { extra: Extra { cpu: add, ..Extra::default() }, ..Effect::default() }, fate, visible)
    }

    /// Status checks that fail now and then, more and more often.
    fn flap(&mut self, feel: &Feel) -> (Effect, Fate, bool) {
        let floor: f64 = 0.08;
        let rate = floor * (self.plan.severity / floor).max(1.0).powf(self.plan.form.level(self.x.min(1.2)));
        if self.flap_steps <= 0.0 && self.draw.chance(rate * feel.step_h) {
            self.flaps += 1.0;
            self.flap_steps = (self.draw.log_uniform(0.02, 0.4) / feel.step_h).ceil();
        }
        let check = self.flap_steps > 0.0;
        self.flap_steps -= 1.0;
        let fate = if self.past() {
            Fate::Healed
        } else if self.x >= 1.0 && matches!(self.plan.finish, Finish::Kill) {
            Fate::Dead
        } else {
            Fate::On
        };
        (Effect { check, ..Effect::default() }, fate, self.flaps >= 2.0)
    }
}
