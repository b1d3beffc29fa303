//! Draws faults: what breaks, how fast, how badly, and whether it ends in death or heals.

use super::draw::Draw;
use super::kind::Fault;

/// Hours after a launch, and after the start of the data, in which nothing goes wrong, so that every instance is
/// measured at all.
pub(super) const SETTLED_H: f64 = 6.0;

/// How a level rises from zero to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// Evenly.
    Linear,
    /// As a power of time above one.
    Accelerating(f64),
    /// In so many jumps.
    Steps(f64),
    /// With the load served rather than with time.
    LoadCoupled,
    /// Exponentially, with this many e-folds.
    Runaway(f64),
}

impl Form {
    /// The level at progress `x`.
    pub(super) fn level(self, x: f64) -> f64 {
        let x = x.max(0.0);
        match self {
            Self::Linear | Self::LoadCoupled => x,
            Self::Accelerating(power) => x.powf(power),
            Self::Steps(n) => (x * n).floor() / n,
            Self::Runaway(folds) => ((x * folds).exp() - 1.0) / (folds.exp() - 1.0),
        }
    }
}

/// How a fault is meant to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Finish {
    /// It goes on until the instance dies.
    Kill,
    /// It heals when its progress reaches this share.
    HealAt(f64),
    /// Somebody cleans up when the level reaches this percentage.
    HealLevel(f64),
}

/// One fault before it starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FaultPlan {
    pub(super) kind: Fault,
    /// Hours since the start of the data.
    pub(super) onset: f64,
    /// Hours from onset to full strength.
    pub(super) hours: f64,
    /// Full strength, in the unit of the kind: see [`FaultPlan::draw`].
    pub(super) severity: f64,
    pub(super) form: Form,
    pub(super) finish: Finish,
    /// Share of full strength from which damage accumulates.
    pub(super) threshold: f64,
    /// Hours at twice the threshold that the instance survives.
    pub(super) fragility: f64,
    /// Hours that it struggles on at the limit.
    pub(super) linger: f64,
    /// Hours in which it fades when it heals.
    pub(super) fade: f64,
}

impl Fault {
    /// Relative frequency among faults that kill.
    pub(super) fn kill_weight(self) -> f64 {
        match self {
            Self::MemoryLeak => 0.20,
            Self::DiskFill => 0.16,
            Self::NoisyNeighbour | Self::EbsDegradation => 0.11,
            Self::CreditExhaustion => 0.25,
            Self::Flapping | Self::NetworkLoss => 0.07,
            Self::CpuRunaway => 0.05,
            Self::Retirement => 0.025,
            Self::SuddenDeath => 0.15,
        }
    }

    /// Relative frequency among faults that heal.
    pub(super) fn heal_weight(self) -> f64 {
        match self {
            Self::SuddenDeath => 0.0,
            Self::Retirement => 0.06,
            Self::MemoryLeak
            | Self::DiskFill
            | Self::NoisyNeighbour
            | Self::EbsDegradation
            | Self::CreditExhaustion
            | Self::Flapping
            | Self::NetworkLoss
            | Self::CpuRunaway => self.kill_weight(),
        }
    }
}

impl FaultPlan {
    /// Draws a fault of `kind` that starts at `onset`.
    ///
    /// Severity is: percent of memory at which the kernel kills, percent of the disk at which writes fail, percent
    /// of time stolen, utilisation of the volume, flaps an hour, drops a minute, or demand as a share of all CPUs.
    pub(super) fn draw(d: &mut Draw, kind: Fault, onset: f64) -> Self {
        let (hours, severity) = match kind {
            Fault::MemoryLeak => (d.log_uniform(16.0, 288.0), 100.0 - d.log_uniform(0.1, 4.0)),
            Fault::DiskFill => (d.log_uniform(12.0, 288.0), 100.0 - d.log_uniform(0.05, 3.0)),
            Fault::NoisyNeighbour => (d.log_uniform(12.0, 96.0), d.log_uniform(16.0, 70.0)),
            Fault::EbsDegradation => (d.log_uniform(12.0, 120.0), d.uniform(0.95, 2.4)),
            Fault::CreditExhaustion => (d.log_uniform(20.0, 140.0), 1.0),
            Fault::Flapping => (d.log_uniform(36.0, 150.0), d.log_uniform(1.2, 5.0)),
            Fault::NetworkLoss => (d.log_uniform(12.0, 120.0), d.log_uniform(120.0, 8000.0)),
            Fault::CpuRunaway => (d.log_uniform(12.0, 96.0), d.uniform(1.02, 2.0)),
            Fault::Retirement => (d.log_uniform(16.0, 336.0), 1.0),
            Fault::SuddenDeath => (1e-6, 1.0),
        };
        // Most take a day or more to come to a head; some are over before anybody looks.
        let hours = if d.chance(0.15) { hours * d.uniform(0.15, 0.6) } else { hours };
        let form = match kind {
            Fault::MemoryLeak => match d.below(10) {
                0..=3 => Form::Linear,
                4..=5 => Form::Accelerating(d.log_uniform(1.2, 4.0)),
                6..=7 => Form::Steps(d.log_uniform(4.0, 40.0).round()),
                _ => Form::LoadCoupled,
            },
            Fault::DiskFill => match d.below(10) {
                0..=4 => Form::Linear,
                5..=6 => Form::Accelerating(d.log_uniform(1.2, 3.5)),
                7 => Form::LoadCoupled,
                _ => Form::Runaway(d.uniform(1.0, 4.0)),
            },
            Fault::NoisyNeighbour
            | Fault::EbsDegradation
            | Fault::CreditExhaustion
            | Fault::Flapping
            | Fault::NetworkLoss
            | Fault::CpuRunaway
            | Fault::Retirement
            | Fault::SuddenDeath => match d.below(3) {
                0 => Form::Linear,
                1 => Form::Accelerating(d.log_uniform(0.4, 2.0)),
                _ => Form::Runaway(d.uniform(0.5, 2.5)),
            },
        };
        Self {
            kind,
            onset,
            hours,
            severity,
            form,
            finish: Finish::Kill,
            threshold: d.uniform(0.35, 0.75),
            fragility: d.log_uniform(7.0, 24.0),
            linger: if d.chance(0.1) { 0.0 } else { d.log_uniform(2.0, 24.0) },
            fade: d.log_uniform(0.05, 3.0),
        }
    }

    /// Decides how it ends; what heals is milder on average, yet overlaps with what kills.
    pub(super) fn settle(&mut self, d: &mut Draw, kills: bool) {
        if kills {
            self.finish = Finish::Kill;
            return;
        }
        self.finish = Finish::HealAt(if d.chance(0.8) { d.uniform(0.08, 0.45) } else { d.uniform(0.45, 0.95) });
        match self.kind {
            Fault::DiskFill => {
                if d.chance(0.3) {
                    self.finish = Finish::HealLevel(97.0 - d.log_uniform(1.0, 17.0));
                }
            }
            Fault::NoisyNeighbour => {
                self.severity *= d.log_uniform(0.1, 0.5);
                self.finish = Finish::HealAt(d.uniform(0.2, 1.3));
            }
            Fault::NetworkLoss => {
                self.severity *= d.log_uniform(0.01, 0.4);
                self.finish = Finish::HealAt(d.uniform(0.2, 1.3));
            }
            Fault::EbsDegradation => {
                self.severity *= d.uniform(0.2, 0.6);
                self.finish = Finish::HealAt(d.uniform(0.2, 1.3));
            }
            Fault::CpuRunaway => self.severity *= d.uniform(0.4, 0.85),
            Fault::Flapping => self.severity *= d.log_uniform(0.05, 0.4),
            Fault::MemoryLeak | Fault::CreditExhaustion | Fault::Retirement | Fault::SuddenDeath => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_climbs_from_zero_to_one() {
        for form in [Form::Linear, Form::Accelerating(2.5), Form::Steps(7.0), Form::LoadCoupled, Form::Runaway(3.0)] {
            assert!(form.level(0.0).abs() < 1e-12, "{form:?}");
            assert!((form.level(1.0) - 1.0).abs() < 1e-9, "{form:?}");
            let levels: Vec<f64> = (0..=100).map(|i| form.level(f64::from(i) / 100.0)).collect();
            assert!(levels.windows(2).all(|w| w[0] <= w[1]), "{form:?}");
        }
    }
}
