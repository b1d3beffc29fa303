//! Keeps account of the windows of each series in a round: a watermark only moves over windows that are all dealt with.

use super::plan::Call;
use super::window::Window;
use std::collections::BTreeMap;

/// How far a series has come.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Progress {
    /// The row of the series.
    pub(super) series: i64,
    /// Until when everything has been asked for.
    pub(super) done_until: i64,
    /// The last sample there was in the window.
    pub(super) last_ts: Option<i64>,
    /// What of the end was sent, encoded.
    pub(super) tail: Vec<u8>,
}

/// The windows of a round, by series.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: BTreeMap<usize, Vec<(Window, Option<Progress>)>>,
}

impl Ledger {
    /// Notes the windows of planned calls.
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut open: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for want in calls.iter().flat_map(|c| &c.wants) {
            open.entry(want.series).or_default().push((want.window, None));
        }
        for windows in open.values_mut() {
            windows.sort_by_key(|w| w.0);
        }
        Self { open }
    }

    /// Notes that a window has been dealt with; gives how far the series has come where that is further than before.
    pub(super) fn finish(&mut self, series: usize, window: Window, progress: Progress) -> Option<Progress> {
        let windows = self.open.get_mut(&series)?;
        if let Some(entry) = windows.iter_mut().find(|w| w.0 == window) {
            entry.1 = Some(progress);
        }
        let ready = windows.iter().take_while(|w| w.1.is_some()).count();
        let last_ts = windows[..ready].iter().filter_map(|w| w.1.as_ref()?.last_ts).max();
        let furthest = windows.drain(..ready).next_back()?.1?;
        if windows.is_empty() {
            self.open.remove(&series);
        }
        Some(Progress { last_ts, ..furthest })
    }

    /// Says whether everything has been dealt with.
    pub(super) fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// Counts the series that are not done.
    pub(super) fn left(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Want, pack};
    use super::*;

    #[test]
    fn a_later_window_waits_for_the_earlier_one() {
        let window = |from, to| Window { from, to };
        let want = |from, to| Want { series: 3, window: window(from, to), period_s: 1 };
        let mut ledger = Ledger::of(&pack([want(5000, 9000), want(0, 5000)]));
        let progress = |done_until| Progress { series: 70, done_until, last_ts: Some(done_until - 1), tail: vec![] };
        assert_eq!(ledger.finish(3, window(5000, 9000), progress(9000)), None);
        assert_eq!((ledger.is_complete(), ledger.left()), (false, 1));
        assert_eq!(ledger.finish(3, window(0, 5000), progress(5000)), Some(progress(9000)));
        assert!(ledger.is_complete());
        assert_eq!(ledger.finish(3, window(0, 5000), progress(5000)), None, "a repetition changes nothing");
    }
}
