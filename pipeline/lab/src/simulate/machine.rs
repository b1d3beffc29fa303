//! Runs one machine step by step: from demand to CPU, credits, memory, disk, volume and network.

use super::active::{Active, Effect, Fate, Feel};
use super::credit::Credits;
use super::draw::{Draw, Stream, Wander};
use super::fault::SETTLED_H;
use super::kind::{Fault, Kind};
use super::life::{Life, Moment};
use super::plan::{HOUR, Plan};
use super::profile::Extra;
use super::pulse::{Pulse, pulses};
use super::volume::Volume;
use super::{FaultRecord, Options, Outcome};

/// Percent of a file system that temporary files never pass.
const TEMPORARY_TOP: f64 = 93.0;

/// What is true of the machine at one step, before it is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    /// Whether AWS publishes metrics of it.
    pub(super) up: bool,
    /// Whether the agent publishes metrics.
    pub(super) agent: bool,
    /// Share of all CPUs.
    pub(super) cpu: f64,
    /// Percent.
    pub(super) steal: f64,
    /// Percent.
    pub(super) iowait: f64,
    /// Percent.
    pub(super) memory: f64,
    /// Percent.
    pub(super) disk: f64,
    /// Requests waiting.
    pub(super) queue: f64,
    /// Packets dropped a minute.
    pub(super) drops: f64,
    /// Whether a status check fails.
    pub(super) check: bool,
    /// Credits in hand.
    pub(super) credits: f64,
    /// Percent of the EBS burst bucket.
    pub(super) bucket: f64,
}

/// Everything that changes while the machine runs.
#[derive(Debug)]
pub(super) struct SimulatedInstance<'a> {
    plan: &'a Plan,
    options: &'a Options,
    step_h: f64,
    /// Hour of the week at time zero, Monday 0:00 being zero.
    clock: f64,
    daily_mean: f64,
    pulses: Vec<Pulse>,
    next_pulse: usize,
    running: Vec<Pulse>,
    next_fault: usize,
    next_deploy: usize,
    active: Vec<(usize, Active)>,
    own: Wander,
    io_noise: Wander,
    memory_noise: Wander,
    draw: Draw,
    credits: Credits,
    backlog: f64,
    volume: Volume,
    smooth: f64,
    want: f64,
    last: State,
    /// Hours since the data's start when the software, and the deployment, started.
    started: f64,
    deployed: f64,
    shift: Extra,
    shift_cpu: f64,
    life: Life,
}

impl<'a> SimulatedInstance<'a> {
    /// Sets up instance `i` at the start of the data.
    pub(super) fn new(options: &'a Options, plan: &'a Plan, i: usize) -> Self {
        let p = &plan.profile;
        let mut draw = Draw::new(options.seed, Stream::SimulatedInstance, i);
        let step_h = f64::from(options.step_s) / 3600.0;
        let days = options.start_ms as f64 / (24.0 * HOUR) + 3.0; // 1970-01-01 was a Thursday
        let clock = days.rem_euclid(7.0) * 24.0;
        let span = f64::from(options.days) * 24.0;
        let daily_mean = (0..48).map(|k| daytime(f64::from(k) / 2.0, p.peak_h, p.sharp)).sum::<f64>() / 48.0;
        let pulses = pulses(p, span, clock, &mut draw);
        let credits = Credits::new(p.size, draw.uniform(0.45, 1.0));
        let deployed = plan.launched.max(-24.0 * p.deploy_days.unwrap_or(0.0) * draw.uniform(0.0, 1.0));
        Self {
            plan,
            options,
            step_h,
            clock,
            daily_mean,
            pulses,
            next_pulse: 0,
            running: Vec::new(),
            next_fault: 0,
            next_deploy: 0,
            active: Vec::new(),
            own: Wander::new(p.wobble_h, step_h, &mut draw),
            io_noise: Wander::new(0.5, step_h, &mut draw),
            memory_noise: Wander::new(2.0, step_h, &mut draw),
            credits,
            backlog: 0.0,
            volume: Volume::new(p.depth, p.io_limit, p.size.vcpus, p.size.ebs_burst),
            smooth: p.cpu,
            want: p.cpu,
            last: State::default(),
            started: deployed,
            deployed,
            shift: Extra::default(),
            shift_cpu: 1.0,
            life: Life::new(options, plan, i, &mut draw),
            draw,
        }
    }

    /// Runs to the end; the states start at the launch or at the start of the data.
    pub(super) fn run(mut self) -> (Vec<State>, Life) {
        let steps = (f64::from(self.options.days) * 24.0 / self.step_h).round() as usize;
        let mut states = vec![State::default(); steps];
        for (k, state) in states.iter_mut().enumerate() {
            let now = k as f64 * self.step_h;
            match self.life.at(now, &mut self.draw) {
                Moment::Absent => continue,
                Moment::Gone => break,
                Moment::Down { hung } => {
                    *state = if hung { self.hung() } else { State::default() };
                    self.idle(now);
                    continue;
                }
                Moment::Started => self.start(now),
                Moment::Moved => {
                    self.shift_cpu = self.draw.jitter(0.25).min(if self.credits.balance > 0.0 { 1.1 } else { 3.0 });
                    self.shift.steal = if self.draw.chance(0.4) { self.draw.log_uniform(0.3, 6.0) } else { 0.0 };
                }
                Moment::Running => {}
            }
            *state = self.step(now);
        }
        for (index, active) in std::mem::take(&mut self.active) {
            self.record(index, &active, Outcome::Open, f64::from(self.options.days) * 24.0);
        }
        (states, self.life)
    }

    /// What AWS still sees of a machine that no longer answers.
    fn hung(&self) -> State {
        State {
            up: true,
            agent: false,
            check: true,
            cpu: 0.3 * self.last.cpu,
            queue: 0.0,
            bucket: self.volume.bucket,
            credits: self.credits.balance,
            ..State::default()
        }
    }

    fn idle(&mut self, now: f64) {
        self.credits.book(0.0, self.step_h);
        while self.plan.faults.get(self.next_fault).is_some_and(|f| f.onset <= now) {
            self.next_fault += 1;
        }
        while self.pulses.get(self.next_pulse).is_some_and(|p| p.from <= now) {
            self.next_pulse += 1;
        }
        self.running.clear();
    }

    fn start(&mut self, now: f64) {
        self.started = now;
        self.deployed = now;
        self.backlog = 0.0;
        self.smooth = self.plan.profile.cpu;
        self.active.clear();
    }

    /// Demand at `now` as a share of all CPUs, before pulses and faults.
    fn demand(&mut self, now: f64) -> f64 {
        let p = &self.plan.profile;
        let clock = self.clock + now;
        let day = (1.0 - p.daily) + p.daily * daytime(clock.rem_euclid(24.0), p.peak_h, p.sharp) / self.daily_mean;
        let weekend = if (clock / 24.0).floor().rem_euclid(7.0) >= 5.0 { p.weekend } else { 1.0 };
        let (at, wander) = (now.max(0.0), &self.plan.workload.wander);
        let k = (at as usize).min(wander.len().saturating_sub(2));
        let common = wander[k] + (wander[k + 1] - wander[k]) * (at - k as f64);
        let noise = p.wobble * (0.6 * common + 0.8 * self.own.step(&mut self.draw));
        p.cpu * day * weekend * (noise - p.wobble * p.wobble / 2.0).exp() * self.shift_cpu
    }

    fn pulse(&mut self, now: f64) -> Extra {
        while let Some(next) = self.pulses.get(self.next_pulse).filter(|p| p.from < now + self.step_h) {
            self.running.push(*next);
            self.next_pulse += 1;
        }
        self.running.retain(|p| p.until > now);
        self.running.iter().fold(Extra::default(), |sum, p| {
            // The part of the step that the pulse covers.
            let share = ((p.until.min(now + self.step_h) - p.from.max(now)) / self.step_h).clamp(0.0, 1.0);
            sum.plus(p.extra.scaled(share))
        })
    }

    fn deploy(&mut self, now: f64) {
        while let Some(deploy) = self.plan.workload.deploys.get(self.next_deploy).filter(|d| d.at <= now) {
            self.next_deploy += 1;
            if now - deploy.at > 2.0 * self.step_h || deploy.at < self.plan.launched {
                continue;
            }
            self.started = now;
            self.deployed = now;
            let mut healed = Vec::new();
            self.active.retain_mut(|(index, a)| {
                let over = a.restarted() == Fate::Healed;
                if over {
                    healed.push((*index, a.clone()));
                }
                !over
            });
            for (index, a) in healed {
                self.record(index, &a, Outcome::Healed, now);
            }
        }
    }

    fn step(&mut self, now: f64) -> State {
        self.deploy(now);
        let p = &self.plan.profile;
        let load = self.demand(now);
        let extra = self.pulse(now).plus(self.shift);
        let ratio = load / p.cpu;
        let io_free =
            (p.io * (0.4 + 0.6 * ratio) * (0.25 * self.io_noise.step(&mut self.draw)).exp() + extra.io).max(0.0);
        let memory_free = self.memory(now, extra);
        let disk_kept =
            (p.disk + p.disk_growth * now / 24.0 + p.disk_tooth.map_or(0.0, |t| t.at(now))).clamp(0.5, 97.0);
        // Jobs that leave temporary files for a while have always left room, or the machine would not have come this far.
        let disk_free = disk_kept + extra.disk.min((TEMPORARY_TOP - disk_kept).max(0.0));
        let drops_free = (p.drops * ratio + extra.drops).max(0.0);
        let feel = Feel {
            now,
            step_h: self.step_h,
            load: ratio,
            mean: p.cpu,
            want: self.want,
            memory: memory_free,
            disk: disk_free,
            io: io_free,
            drops: drops_free,
            credits: self.credits.balance,
            earn: p.size.earn,
            spend: 60.0 * p.size.vcpus,
            agent: self.life.agent(now),
        };
        let (effect, dead) = self.faults(&feel);
        let own = effect.extra;

        // CPU: what is wanted, what the host and the credits leave, and what waits.
        let stolen = (p.steal + extra.steal + own.steal).clamp(0.0, 92.0);
        let burstable = p.size.earn > 0.0;
        let cap = if burstable && !p.unlimited { self.credits.affordable(self.step_h) } else { 1.0 };
        self.want = (load + extra.cpu + own.cpu + 1.5 * self.backlog).max(0.001);
        let served = self.want.min(cap * (1.0 - stolen / 100.0)).min(0.998);
        let waiting = (load + extra.cpu + own.cpu - served) * self.step_h;
        self.backlog = ((self.backlog + waiting) * (-self.step_h / 0.7).exp()).clamp(0.0, 1.5);
        let throttled = if cap < 1.0 { 60.0 * (self.want.min(1.0) - cap).max(0.0) } else { 0.0 };
        self.credits.book(served, self.step_h);
        self.smooth += (served - self.smooth) * (1.0 - (-self.step_h / 0.5).exp());

        // Memory: what waits holds memory, and what thrashes swaps.
        let memory = (memory_free + own.memory + 6.0 * self.backlog).clamp(1.0, 99.95);
        let swap = (memory - 96.8).max(0.0) * if own.memory > 0.0 { 0.25 } else { 0.02 };

        let service = self.volume.serve(io_free + swap + own.io, effect.slow, self.step_h);
        let iowait = 100.0 * (1.0 - served - stolen / 100.0).max(0.0) * service.wait;

        if dead.is_some() {
            self.die(now, dead);
            let hung = self.life.hung();
            return if hung { self.hung() } else { State::default() };
        }
        self.last = State {
            up: true,
            agent: feel.agent,
            cpu: served,
            steal: (stolen + throttled).min(95.0),
            iowait,
            memory,
            disk: (disk_free + own.disk).clamp(0.5, 100.0),
            queue: service.queue,
            drops: drops_free + own.drops,
            check: effect.check || self.life.blip(now),
            credits: self.credits.balance,
            bucket: self.volume.bucket,
        };
        self.last
    }

    /// Memory in percent without faults.
    fn memory(&mut self, now: f64, extra: Extra) -> f64 {
        let p = &self.plan.profile;
        let missing = p.ramp.0 * (-(now - self.started) / p.ramp.1).exp();
        let noise = p.memory_noise * self.memory_noise.step(&mut self.draw);
        let tooth = p.memory_tooth.map_or(0.0, |t| t.at(now));
        let climbed = p.climb * (now - self.deployed) / 24.0;
        let load = p.memory_per_load * (self.smooth / p.cpu - 1.0).clamp(-1.0, 2.0);
        (p.memory + load + tooth + climbed - missing + noise + extra.memory).clamp(2.0, 97.0)
    }

    /// Starts what is due and moves every active fault on; gives their joint effect and who killed, if any did.
    fn faults(&mut self, feel: &Feel) -> (Effect, Option<usize>) {
        while let Some(due) = self.plan.faults.get(self.next_fault).filter(|f| f.onset <= feel.now) {
            let index = self.next_fault;
            self.next_fault += 1;
            if due.onset >= self.plan.launched + SETTLED_H && self.active.iter().all(|(_, a)| a.plan.kind != due.kind) {
                self.life.announce(feel.now, due);
                let draw = self.life.fault_draw(index);
                self.active.push((index, Active::new(*due, draw, feel)));
            }
        }
        let (mut sum, mut dead, mut healed) = (Effect::default(), None, Vec::new());
        let mut active = std::mem::take(&mut self.active);
        active.retain_mut(|(index, a)| {
            let (effect, fate) = a.step(feel);
            sum.extra = sum.extra.plus(effect.extra);
            sum.slow += effect.slow;
            sum.check |= effect.check;
            match fate {
                Fate::On => true,
                Fate::Healed => {
                    healed.push((*index, a.clone()));
                    false
                }
                Fate::Dead => {
                    dead.get_or_insert(*index);
                    true
                }
            }
        });
        self.active = active;
        for (index, a) in healed {
            match a.plan.kind {
                Fault::MemoryLeak => self.started = feel.now,
                Fault::Retirement => self.life.replaced_in_time(feel.now, &a.plan, &mut self.draw),
                Fault::DiskFill
                | Fault::NoisyNeighbour
                | Fault::EbsDegradation
                | Fault::CreditExhaustion
                | Fault::Flapping
                | Fault::NetworkLoss
                | Fault::CpuRunaway
                | Fault::SuddenDeath => {}
            }
            self.record(index, &a, Outcome::Healed, feel.now);
        }
        (sum, dead)
    }

    fn die(&mut self, now: f64, killer: Option<usize>) {
        let active = std::mem::take(&mut self.active);
        let evident = active.iter().filter_map(|(_, a)| a.evident).fold(f64::INFINITY, f64::min);
        for (index, a) in active {
            if Some(index) == killer {
                self.life.incident(now, a.plan.kind.name(), evident <= now - 2.0, &mut self.draw);
                self.record(index, &a, Outcome::Killed, now);
            } else {
                self.record(index, &a, Outcome::Healed, now);
            }
        }
    }

    fn record(&mut self, index: usize, a: &Active, outcome: Outcome, end: f64) {
        let f = &self.plan.faults[index];
        let ms = |h: f64| self.options.start_ms + (h * HOUR).round() as i64;
        self.life.faults.push(FaultRecord { kind: a.plan.kind, onset: ms(f.onset), end: ms(end), outcome });
    }
}

/// The shape of the day, 0-1 with its peak at `peak`.
fn daytime(clock: f64, peak: f64, sharp: f64) -> f64 {
    let angle = std::f64::consts::TAU * (clock - peak) / 24.0;
    f64::midpoint(1.0, angle.cos()).powf(sharp)
}
