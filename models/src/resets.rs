//! Sudden returns to a healthier level: restarts, deploys, log rotations, garbage collections.

use crate::stats::{ascending, finite_prefix, is_constant, mad_about, median};

/// A reset: the first sample after it, and the tooth that it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reset {
    /// Position of the first sample at the healthier level.
    pub(crate) at: usize,
    /// The ended tooth's highest value.
    pub(crate) peak: f64,
    /// The ended tooth's lowest value.
    pub(crate) trough: f64,
}

/// Deviations of the first differences by which a drop must exceed the usual fall.
const NOISE_FACTOR: f64 = 5.0;
/// Share of the spread of the whole series that a drop must exceed.
const SPREAD_SHARE: f64 = 0.1;
/// Share of the tooth's rise that a drop within one sample must undo.
const ONE_STEP_SHARE: f64 = 0.6;
/// The same for a drop that falls into two samples; a sine of eight samples a day falls by 71 % in two.
const TWO_STEP_SHARE: f64 = 0.8;
/// Share of the drop by which the sample before the peak must stand above the level after it, or the peak is a spike.
const SUPPORT: f64 = 0.25;
/// Share of the drop that the next sample may take back, or the drop is a dip.
const REBOUND: f64 = 0.65;

/// Returns the drop that a series (finite, growing is worse) must make to count, using `space` of its length.
pub(crate) fn least_drop(g: &[f64], space: &mut [f64]) -> f64 {
    let n = g.len().min(space.len());
    if n < 3 {
        return f64::INFINITY;
    }
    if is_constant(&g[..n]) {
        return f64::INFINITY;
    }
    for (slot, pair) in space.iter_mut().zip(g.windows(2)) {
        *slot = pair[1] - pair[0];
    }
    let steps = finite_prefix(&mut space[..n - 1]);
    let centre = median(steps).unwrap_or(0.0);
    let fall = -centre;
    let noise = mad_about(steps, centre).unwrap_or(0.0);
    space[..n].copy_from_slice(&g[..n]);
    // Both ends of the middle 80 %; the lower one lies among what the upper one has put below itself.
    let upper = 9 * (n - 1) / 10;
    let (below, high, _) = space[..n].select_nth_unstable_by(upper, ascending);
    let high = *high;
    let lower = (n - 1) / 10;
    let low = if lower < below.len() { *below.select_nth_unstable_by(lower, ascending).1 } else { high };
    let rounding = 1e-9 * high.abs().max(low.abs());
    (fall.max(0.0) + NOISE_FACTOR * noise).max(SPREAD_SHARE * (high - low)).max(rounding)
}

/// Calls `found` for each reset of a series of finite values in which growing is worse.
pub(crate) fn for_each_reset(g: &[f64], least: f64, mut found: impl FnMut(Reset)) {
    let Some(&first) = g.first() else { return };
    let (mut from, mut low, mut high) = (0, first, first);
    for at in 1..g.len() {
        let one = at - from >= 2 && is_drop(g, at, at - 1, least, ONE_STEP_SHARE * (high - low));
        let two = !one
            && at - from >= 3
            && g[at - 2] > g[at - 1]
            && g[at - 1] > g[at]
            && is_drop(g, at, at - 2, least, TWO_STEP_SHARE * (high - low));
        if one || two {
            found(Reset { at, peak: high, trough: low });
            (from, low, high) = (at, g[at], g[at]);
        } else {
            low = low.min(g[at]);
            high = high.max(g[at]);
        }
    }
}

/// Tells whether the series falls from `before` to `at` far enough, from a supported peak, and stays down.
fn is_drop(g: &[f64], at: usize, before: usize, least: f64, share: f64) -> bool {
    let drop = g[before] - g[at];
    drop > least
        && drop >= share
        && g[before - 1] - g[at] >= SUPPORT * drop
        && g.get(at + 1).is_none_or(|next| next - g[at] <= REBOUND * drop)
}
