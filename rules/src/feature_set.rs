//! Says which features are wanted, so that what nobody reads need not be computed.

use crate::feature::{FEATURES, Feature};
use forewarn_domain::signal::{SIGNALS, Signal};

/// Features of every signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSet([SignalFeatures; SIGNALS.len()]);

/// Features of one signal: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalFeatures(u64);

impl FeatureSet {
    /// All that there are.
    pub const ALL: Self = Self([SignalFeatures::ALL; SIGNALS.len()]);
    /// None of any.
    pub const NONE: Self = Self([SignalFeatures(0); SIGNALS.len()]);

    /// Gives those of one signal.
    pub const fn of(&self, signal: Signal) -> SignalFeatures {
        self.0[signal as usize]
    }

    /// Adds features to every signal's.
    pub fn add_to_all(&mut self, features: &[Feature]) {
        for held in &mut self.0 {
            *held = held.with(features);
        }
    }

    /// Adds what a column of the feature table holds, by its index; what an instance's own columns hold is always known.
    pub fn add_column(&mut self, column: usize) {
        if let Some(held) = self.0.get_mut(column / FEATURES.len()) {
            *held = held.with(&[FEATURES[column % FEATURES.len()].0]);
        }
    }

    /// Adds another set.
    pub fn join(&mut self, other: &Self) {
        for (held, more) in self.0.iter_mut().zip(&other.0) {
            held.0 |= more.0;
        }
    }
}

impl SignalFeatures {
    /// All that there are.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds some.
    #[must_use]
    pub fn with(self, features: &[Feature]) -> Self {
        Self(features.iter().fold(self.0, |bits, f| bits | 1 << *f as u64))
    }

    /// Says whether any of these is among them.
    pub fn has_any(self, features: &[Feature]) -> bool {
        self.0 & Self(0).with(features).0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{index, instance_index};

    #[test]
    fn a_column_is_its_signals_feature_and_an_instance_has_none() {
        let mut set = FeatureSet::NONE;
        set.add_column(index(Signal::Disk, Feature::P957d));
        set.add_column(instance_index(2));
        assert!(set.of(Signal::Disk).has_any(&[Feature::Q24, Feature::P957d]));
        assert!(!set.of(Signal::Disk).has_any(&[Feature::Q24]));
        assert!(!set.of(Signal::Memory).has_any(&[Feature::P957d]));
        let mut other = FeatureSet::NONE;
        other.add_to_all(&[Feature::Q24]);
        other.join(&set);
        assert!(other.of(Signal::Disk).has_any(&[Feature::P957d]) && other.of(Signal::Cpu).has_any(&[Feature::Q24]));
        assert!(FEATURES.len() <= 64, "a bit for each");
    }
}
