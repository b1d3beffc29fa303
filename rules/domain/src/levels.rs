//! Where probabilities become levels, and levels become episodes.

use crate::prediction::Level;

/// The probabilities that make a level, and the hysteresis of episodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// High when p24 is at least this.
    pub high: f64,
    /// Else medium when p72 is at least this.
    pub medium: f64,
    /// Else low when p168 is at least this.
    pub low: f64,
    /// An episode's level is left only below this share of its threshold.
    pub clear_below: f64,
    /// ... for this many consecutive hours.
    pub clear_after: f64,
}

impl Levels {
    /// Gives the level that probabilities (24 h, 72 h, 168 h) make.
    pub fn of(&self, p: &[f64; 3]) -> Level {
        if p[0] >= self.high {
            Level::High
        } else if p[1] >= self.medium {
            Level::Medium
        } else if p[2] >= self.low {
            Level::Low
        } else {
            Level::None
        }
    }

    /// Gives the level that probabilities still hold up once reached: thresholds times `clear_below`.
    pub fn held(&self, p: &[f64; 3]) -> Level {
        let share = self.clear_below;
        Self { high: self.high * share, medium: self.medium * share, low: self.low * share, ..*self }.of(p)
    }
}

/// When an episode is announced, and when several are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episodes {
    /// Hours after a declared change in which trends alone announce nothing.
    pub change_grace_hours: f64,
    /// Members of a workload with the same failure ahead that make one workload episode.
    pub workload_members: usize,
}
