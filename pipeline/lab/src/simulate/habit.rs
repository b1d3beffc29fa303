//! Adds habits to a profile: the healthy behaviour that looks like trouble to a threshold.

use super::draw::Draw;
use super::kind::Shape;
use super::profile::{Bursts, Extra, Profile, Tooth, Window};

/// An hour of the night, and how exactly it is kept.
fn night(d: &mut Draw) -> (f64, f64) {
    (d.uniform(20.0, 30.0) % 24.0, if d.chance(0.7) { 0.03 } else { 0.5 })
}

impl Profile {
    /// Gives the machine one more habit.
    pub(super) fn add(&mut self, habit: Shape, d: &mut Draw) {
        match habit {
            Shape::Steady | Shape::Young | Shape::Churn => {}
            Shape::Diurnal => self.daily = d.uniform(0.4, 1.0),
            Shape::WeekendShift => {
                self.daily = d.uniform(0.2, 0.9);
                self.weekend = if d.chance(0.75) { d.uniform(0.1, 0.7) } else { d.uniform(1.3, 2.2) };
            }
            Shape::NightlyBatch => self.nightly_batch(d),
            Shape::HighMemory => {
                self.memory = if d.chance(0.03) { d.uniform(94.5, 96.0) } else { d.uniform(85.0, 94.0) };
                self.memory_per_load = d.uniform(0.1, 1.0);
                self.memory_noise = d.log_uniform(0.03, 0.4);
                self.ramp.0 = d.uniform(5.0, 50.0);
                self.memory_tooth = None;
            }
            Shape::LogRotation => self.log_rotation(d),
            Shape::MemorySawtooth => self.memory_sawtooth(d),
            Shape::DeployResets => {
                let days = if d.chance(0.5) { 7.0 } else { d.log_uniform(2.0, 10.0) };
                self.deploy_days = Some(days);
                self.memory = d.uniform(25.0, 60.0);
                self.climb = d.uniform(0.3, 1.0) * (85.0 - self.memory) / (1.25 * days);
            }
            Shape::Backups => self.backups(d),
            Shape::Bursty => {
                let mut extra = Extra { cpu: d.uniform(0.2, 0.9), ..Extra::default() };
                match d.below(4) {
                    0 => extra.io = d.uniform(0.6, 1.8),
                    1 => extra.steal = d.log_uniform(5.0, 25.0),
                    2 => extra.drops = d.log_uniform(5.0, 100.0),
                    _ => extra.memory = d.uniform(5.0, 25.0),
                }
                self.bursts.push(Bursts { per_day: d.log_uniform(0.2, 4.0), hours: (0.08, 0.6), extra });
            }
            Shape::CreditSawtooth => {
                self.daily = d.uniform(0.6, 1.0);
                self.cpu = self.size.baseline() * d.uniform(0.5, 0.85);
            }
            Shape::AgentRestarts => self.agent_restarts = d.log_uniform(0.15, 1.5),
            Shape::TempFiles => {
                let extra = Extra { disk: d.uniform(3.0, 35.0), ..Extra::default() };
                self.bursts.push(Bursts { per_day: d.log_uniform(0.2, 8.0), hours: (0.3, 8.0), extra });
            }
            Shape::ColdStart => {
                let plateau = d.uniform(60.0, 94.0);
                self.ramp = (d.uniform(0.3, 0.8) * plateau, d.log_uniform(4.0, 96.0));
                self.memory = plateau;
                self.memory_per_load = self.memory_per_load.min(2.0);
                self.deploy_days = self.deploy_days.or_else(|| d.chance(0.6).then(|| d.log_uniform(3.0, 15.0)));
            }
            Shape::SlowGrowth => {
                self.disk_growth = d.log_uniform(0.1, 0.45);
                self.disk = d.uniform(30.0, 70.0);
            }
            Shape::HostMigration => self.migrations = d.log_uniform(0.05, 0.3),
        }
    }

    fn nightly_batch(&mut self, d: &mut Draw) {
        let (start_h, jitter_h) = night(d);
        let extra = Extra {
            cpu: d.uniform(0.2, 0.95),
            io: d.uniform(0.4, 1.7),
            disk: if d.chance(0.3) { d.uniform(1.0, 12.0) } else { 0.0 },
            memory: if d.chance(0.5) { d.uniform(2.0, 18.0) } else { 0.0 },
            ..Extra::default()
        };
        let hours = d.log_uniform(0.33, 3.0);
        self.windows.push(Window { start_h, hours, jitter_h, skip: d.uniform(0.0, 0.15), weekday: None, extra });
    }

    fn backups(&mut self, d: &mut Draw) {
        let (start_h, jitter_h) = night(d);
        let extra = Extra {
            cpu: d.uniform(0.02, 0.2),
            io: d.uniform(0.3, 1.3),
            drops: if d.chance(0.4) { d.log_uniform(0.3, 20.0) } else { 0.0 },
            disk: if d.chance(0.5) { d.uniform(1.0, 20.0) } else { 0.0 },
            ..Extra::default()
        };
        let hours = d.log_uniform(0.25, 2.5);
        let weekday = d.chance(0.35).then(|| d.below(7) as i64);
        self.windows.push(Window { start_h, hours, jitter_h, skip: 0.02, weekday, extra });
    }

    fn log_rotation(&mut self, d: &mut Draw) {
        let peak = 97.0 - d.log_uniform(2.0, 35.0);
        let height = d.uniform(12.0, 60.0).min(peak - 5.0);
        self.disk = peak - height;
        self.disk_growth = 0.0;
        let hours = if d.chance(0.3) { [24.0, 168.0, 12.0][d.below(3)] } else { d.log_uniform(6.0, 144.0) };
        self.disk_tooth = Some(Tooth { height, hours, phase: d.uniform(0.0, 1.0), bend: d.log_uniform(0.8, 1.8) });
    }

    fn memory_sawtooth(&mut self, d: &mut Draw) {
        let peak = 96.5 - d.log_uniform(1.0, 35.0);
        let height = d.uniform(5.0, 45.0).min(peak - 10.0);
        self.memory = peak - height - self.memory_per_load.min(3.0);
        self.memory_per_load = self.memory_per_load.min(3.0);
        self.memory_tooth = Some(Tooth {
            height,
            hours: d.log_uniform(0.7, 96.0),
            phase: d.uniform(0.0, 1.0),
            bend: d.log_uniform(0.6, 1.8),
        });
    }
}
