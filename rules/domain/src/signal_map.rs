//! Which metrics feed which signals: the known names, and those that a history or a person adds.

use crate::signal::{Reading, Signal, source_of};
use std::collections::BTreeMap;

/// The namespace of imported metrics that say none and that no signal knows.
const CUSTOM: &str = "custom";

/// Says which series feed which signal.
#[derive(Debug, Clone, Default)]
pub struct SignalMap {
    extra: BTreeMap<String, Signal>,
}

impl SignalMap {
    /// Adds the names that a history or a flag maps to signals.
    pub fn new(extra: BTreeMap<String, Signal>) -> Self {
        Self { extra }
    }

    /// Gives the names that were added.
    pub const fn extra(&self) -> &BTreeMap<String, Signal> {
        &self.extra
    }

    /// Finds the signal that reads a metric, and how.
    ///
    /// A mapped name counts in every namespace; a known name counts in its own namespace, or where the namespace says nothing.
    pub fn find(&self, namespace: &str, metric: &str) -> Option<(Signal, Reading)> {
        if let Some(&signal) = self.extra.get(metric) {
            let reading = source_of(None, metric).filter(|s| s.signal == signal).map_or(Reading::AsIs, |s| s.reading);
            return Some((signal, reading));
        }
        let known = Some(namespace).filter(|n| *n != CUSTOM);
        source_of(known, metric).map(|s| (s.signal, s.reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_counts_in_every_namespace_and_a_known_name_in_its_own() {
        let map = SignalMap::new(BTreeMap::from([("heap".to_owned(), Signal::Memory)]));
        assert_eq!(map.find("App", "heap"), Some((Signal::Memory, Reading::AsIs)));
        assert_eq!(map.find("CWAgent", "mem_used_percent").map(|f| f.0), Some(Signal::Memory));
        assert_eq!(map.find("custom", "mem_used_percent").map(|f| f.0), Some(Signal::Memory));
        assert_eq!(map.find("App", "mem_used_percent"), None);
        assert_eq!(map.find("custom", "else"), None);
    }
}
