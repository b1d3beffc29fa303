//! Draws what an instance is like while nothing is wrong with it.

use super::credit::{BURSTABLE, FIXED, Size};
use super::draw::Draw;
use super::kind::Shape;

/// A level that climbs evenly and falls back at the end of each period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tooth {
    /// Percent gained from the bottom to the peak.
    pub(super) height: f64,
    /// Hours from one fall to the next.
    pub(super) hours: f64,
    /// Where in its period it is at time zero, 0-1.
    pub(super) phase: f64,
    /// Curvature: 1 climbs evenly, more climbs late.
    pub(super) bend: f64,
}

impl Tooth {
    /// The height at `hours` since time zero.
    pub(super) fn at(&self, hours: f64) -> f64 {
        self.height * (hours / self.hours + self.phase).rem_euclid(1.0).powf(self.bend)
    }
}

/// Extra load for a while: what a batch, a backup, or a burst asks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra {
    /// Share of all vCPUs.
    pub(super) cpu: f64,
    /// Share of what the volume can do.
    pub(super) io: f64,
    /// Percent of CPU time stolen.
    pub(super) steal: f64,
    /// Packets dropped a minute.
    pub(super) drops: f64,
    /// Percent of the disk.
    pub(super) disk: f64,
    /// Percent of memory.
    pub(super) memory: f64,
}

impl Extra {
    /// The same at another strength.
    pub(super) fn scaled(self, k: f64) -> Self {
        Self {
            cpu: self.cpu * k,
            io: self.io * k,
            steal: self.steal * k,
            drops: self.drops * k,
            disk: self.disk * k,
            memory: self.memory * k,
        }
    }

    /// Both at once.
    pub(super) fn plus(self, o: Self) -> Self {
        Self {
            cpu: self.cpu + o.cpu,
            io: self.io + o.io,
            steal: self.steal + o.steal,
            drops: self.drops + o.drops,
            disk: self.disk + o.disk,
            memory: self.memory + o.memory,
        }
    }
}

/// Work at the same time every day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Hour of the day when it starts.
    pub(super) start_h: f64,
    /// How long it runs.
    pub(super) hours: f64,
    /// Standard deviation of the start, hours.
    pub(super) jitter_h: f64,
    /// Probability that a day is left out.
    pub(super) skip: f64,
    /// Only on this day of the week (0 = Monday), where set.
    pub(super) weekday: Option<i64>,
    /// What it asks for.
    pub(super) extra: Extra,
}

/// Work at random times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bursts {
    /// Mean number a day.
    pub(super) per_day: f64,
    /// Shortest and longest, hours.
    pub(super) hours: (f64, f64),
    /// What the mean burst asks for.
    pub(super) extra: Extra,
}

/// Everything about a healthy instance.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) size: Size,
    pub(super) unlimited: bool,
    pub(super) cpu: f64,
    pub(super) daily: f64,
    pub(super) peak_h: f64,
    pub(super) sharp: f64,
    pub(super) weekend: f64,
    pub(super) wobble: f64,
    pub(super) wobble_h: f64,
    pub(super) memory: f64,
    pub(super) memory_per_load: f64,
    pub(super) memory_noise: f64,
    pub(super) memory_tooth: Option<Tooth>,
    /// Percent a day, taken back by a deployment.
    pub(super) climb: f64,
    /// Percent of memory that is still missing right after a start, and the hours it takes to come.
    pub(super) ramp: (f64, f64),
    pub(super) disk: f64,
    pub(super) disk_growth: f64,
    pub(super) disk_tooth: Option<Tooth>,
    pub(super) second_disk: Option<f64>,
    pub(super) io: f64,
    pub(super) depth: f64,
    pub(super) io_limit: f64,
    pub(super) steal: f64,
    pub(super) drops: f64,
    pub(super) windows: Vec<Window>,
    pub(super) bursts: Vec<Bursts>,
    /// Days between deployments, where there are any.
    pub(super) deploy_days: Option<f64>,
    /// Host moves a day.
    pub(super) migrations: f64,
    /// Agent restarts a day.
    pub(super) agent_restarts: f64,
}

impl Profile {
    /// Draws a profile for an instance with these habits.
    pub(super) fn draw(d: &mut Draw, habits: &[Shape], burstable_allowed: bool) -> Self {
        let has = |s| habits.contains(&s);
        let sawtooth = has(Shape::CreditSawtooth);
        let burstable = sawtooth || (burstable_allowed && d.chance(0.3));
        let size = if burstable { BURSTABLE[d.below(BURSTABLE.len())] } else { FIXED[d.below(FIXED.len())] };
        let load = d.log_uniform(0.03, 0.55);
        let mut p = Self {
            size,
            unlimited: burstable && !sawtooth && d.chance(0.05),
            cpu: if burstable { size.baseline() * d.uniform(0.25, 0.75) } else { load },
            daily: if d.chance(0.5) { 0.0 } else { d.uniform(0.0, 0.3) },
            peak_h: d.uniform(0.0, 24.0),
            sharp: d.log_uniform(0.6, 4.0),
            weekend: 1.0,
            wobble: d.log_uniform(0.02, 0.25),
            wobble_h: d.log_uniform(0.2, 12.0),
            memory: d.uniform(18.0, 72.0),
            memory_per_load: d.log_uniform(0.5, 12.0),
            memory_noise: d.log_uniform(0.05, 1.2),
            memory_tooth: None,
            climb: 0.0,
            ramp: (d.uniform(2.0, 12.0), d.log_uniform(0.2, 12.0)),
            disk: d.uniform(12.0, 68.0),
            disk_growth: d.log_uniform(0.002, 0.15),
            disk_tooth: d.chance(0.2).then(|| Tooth {
                height: d.log_uniform(0.5, 6.0),
                hours: d.log_uniform(6.0, 168.0),
                phase: d.uniform(0.0, 1.0),
                bend: d.log_uniform(0.7, 1.6),
            }),
            second_disk: d.chance(0.08).then(|| d.uniform(5.0, 70.0)),
            io: d.log_uniform(0.01, 0.3),
            depth: d.log_uniform(0.2, 4.0),
            io_limit: d.log_uniform(24.0, 400.0),
            steal: if burstable { d.log_uniform(0.05, 1.5) } else { d.log_uniform(0.01, 0.5) },
            drops: if d.chance(0.6) { d.log_uniform(0.001, 0.05) } else { d.log_uniform(0.05, 1.5) },
            windows: Vec::new(),
            bursts: Vec::new(),
            deploy_days: d.chance(0.5).then(|| d.log_uniform(1.5, 15.0)),
            migrations: 0.002,
            agent_restarts: 0.02,
        };
        p.small_bursts(d);
        for habit in habits {
            p.add(*habit, d);
        }
        p.fit_to_credits();
        p
    }

    /// A burstable type is chosen so that its usual work fits its earnings: extra work is at most 0.35 of them, and
    /// all work at most 0.88.
    fn fit_to_credits(&mut self) {
        if self.size.earn <= 0.0 {
            return;
        }
        let base = self.size.baseline();
        let windows = |p: &Self| p.windows.iter().map(|w| w.extra.cpu * w.hours / 24.0).sum::<f64>();
        let bursts = |p: &Self| {
            p.bursts.iter().map(|b| b.extra.cpu * b.per_day * f64::midpoint(b.hours.0, b.hours.1) / 24.0).sum::<f64>()
        };
        let extra = windows(self) + bursts(self);
        let keep = (0.35 * base / extra.max(1e-9)).min(1.0);
        self.windows.iter_mut().for_each(|w| w.extra.cpu *= keep);
        self.bursts.iter_mut().for_each(|b| b.extra.cpu *= keep);
        self.weekend = self.weekend.min(1.3);
        self.cpu = self.cpu.min(0.88 * base - extra * keep);
    }

    /// Spikes that every machine has now and then.
    fn small_bursts(&mut self, d: &mut Draw) {
        self.bursts.push(Bursts {
            per_day: d.log_uniform(0.1, 4.0),
            hours: (0.03, 0.5),
            extra: Extra { cpu: d.uniform(0.02, 0.3), io: d.uniform(0.02, 0.3), ..Extra::default() },
        });
        self.bursts.push(Bursts {
            per_day: d.log_uniform(0.02, 0.5),
            hours: (0.1, 3.0),
            extra: Extra { steal: d.log_uniform(0.5, 4.0), drops: d.log_uniform(0.1, 5.0), ..Extra::default() },
        });
    }

    /// Gives a member of the workload its own slightly different copy.
    pub(super) fn member(&self, d: &mut Draw) -> Self {
        let mut p = self.clone();
        p.cpu *= d.jitter(0.08);
        p.memory = (p.memory + 0.4 * d.normal()).clamp(5.0, 96.0);
        p.disk = (p.disk + 2.0 * d.normal()).clamp(3.0, 92.0);
        p.io *= d.jitter(0.15);
        p.steal *= d.jitter(0.5);
        p.drops *= d.jitter(0.5);
        for t in p.memory_tooth.iter_mut().chain(&mut p.disk_tooth) {
            t.phase += d.uniform(0.0, 1.0);
            t.hours *= if d.chance(0.5) { 1.0 } else { d.jitter(0.05) };
        }
        p
    }
}
