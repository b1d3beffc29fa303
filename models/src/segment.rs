//! Where the current regime of a series begins: after its last reset, and after its last change of level or slope.

use crate::resets::{for_each_reset, least_drop};
use crate::stats::{is_constant, mad_in_place, median_of_five};

/// The current regime of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Position in the series at which the current regime begins.
    pub start: usize,
    /// The number of sudden returns to a healthier level.
    pub resets: usize,
    /// Position of the first sample after the last reset.
    pub last_reset: Option<usize>,
    /// Whether the level or slope changed after the last reset, at `start`.
    pub changed: bool,
}

/// The fewest samples on either side of a change.
const LEAST_LENGTH: usize = 6;
/// Changes that are looked for, each in what follows the one before.
const MOST_CHANGES: usize = 3;
/// Cost of a change in units of ln n: two coefficients, the place, and the search for it.
const PENALTY: f64 = 4.0;
/// Deviations of the first differences by which a sample may leave its running median before it is drawn in.
const WINSOR: f64 = 3.0;
/// Share of the range below which a residual means nothing.
const RESOLUTION: f64 = 1e-3;
/// The highest autocorrelation that is believed.
const MOST_CORRELATION: f64 = 0.95;

/// Finds the current regime of an equally spaced series.
///
/// `toward` is +1 when growing is worse and -1 when falling is; NaN is skipped. First the resets: drops towards health
/// that exceed the noise and undo most of the rise since the last. Then, in what follows the last reset, the split into
/// two straight lines that lowers the residual variance most, accepted when n' ln(before / after) exceeds a penalty in
/// ln n: the criterion of Yao (1988), "Estimating the number of change-points via Schwarz' criterion", with outliers
/// drawn in to a running median, and with n' the sample size that the residuals' lag-one autocorrelation r leaves,
/// n (1 - r) / (1 + r) (Bartlett 1946; r is freed of the bias of two fitted lines as in Kendall 1954), so that a daily rhythm or a wandering is no change.
pub fn current_segment(y: &[f64], toward: f64, scratch: &mut Vec<f64>) -> Segment {
    let sign = if toward < 0.0 { -1.0 } else { 1.0 };
    scratch.clear();
    scratch.extend(y.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, _)| i as f64));
    let n = scratch.len();
    let mut segment = Segment { start: 0, resets: 0, last_reset: None, changed: false };
    if n < 3 {
        return segment;
    }
    scratch.extend(y.iter().filter(|v| v.is_finite()).map(|v| sign * v));
    scratch.resize(5 * n, 0.0);
    let (x, rest) = scratch.split_at_mut(n);
    let (g, rest) = rest.split_at_mut(n);
    let (space, costs) = rest.split_at_mut(n);

    if is_constant(g) {
        return segment;
    }
    let least = least_drop(g, space);
    let mut from = 0;
    for_each_reset(g, least, |reset| {
        segment.resets += 1;
        from = reset.at;
    });
    if from > 0 {
        segment.start = x[from] as usize;
        segment.last_reset = Some(segment.start);
    }
    if n - from < 2 * LEAST_LENGTH {
        return segment;
    }
    // White noise scatters half as much as its first differences do.
    let noise = draw_in_outliers(g, space);
    let mut variance = if from > 0 { 0.5 * noise * noise } else { 0.0 };
    for _ in 0..MOST_CHANGES {
        let Some(found) = change(&x[from..], &g[from..], variance, &mut costs[..n - from]) else { break };
        from += found.cut;
        variance = found.variance_before;
        segment.start = x[from] as usize;
        segment.changed = true;
    }
    segment
}

/// Draws samples that stick out of the running median of five in to three deviations of the first differences.
///
/// Returns that deviation.
fn draw_in_outliers(g: &mut [f64], space: &mut [f64]) -> f64 {
    for (slot, pair) in space.iter_mut().zip(g.windows(2)) {
        *slot = pair[1] - pair[0];
    }
    let noise = mad_in_place(&mut space[..g.len() - 1]).unwrap_or(0.0);
    let reach = WINSOR * noise;
    for (i, five) in g.windows(5).enumerate() {
        space[i + 2] = median_of_five([five[0], five[1], five[2], five[3], five[4]]);
    }
    for i in 2..g.len().saturating_sub(2) {
        g[i] = g[i].max(space[i] - reach).min(space[i] + reach);
    }
    noise
}

/// Sums from which the least squares of a straight line follow.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
        self.yy += y * y;
    }

    /// Returns the intercept and the slope of the least-squares line.
    fn line(&self) -> (f64, f64) {
        let sxx = self.xx - self.x * self.x / self.n;
        let sxy = self.xy - self.x * self.y / self.n;
        let slope = if sxx > 0.0 { sxy / sxx } else { 0.0 };
        ((self.y - slope * self.x) / self.n, slope)
    }

    /// Returns the sum of squared residuals of the least-squares line.
    fn cost(&self) -> f64 {
        let sxx = self.xx - self.x * self.x / self.n;
        let sxy = self.xy - self.x * self.y / self.n;
        let syy = self.yy - self.y * self.y / self.n;
        let explained = if sxx > 0.0 { sxy * sxy / sxx } else { 0.0 };
        (syy - explained).max(0.0)
    }
}

/// A place where one line ends and another begins.
struct Change {
    cut: usize,
    /// The residual variance of the line before it.
    variance_before: f64,
}

/// Returns where the series is best split in two lines, if that is worth its penalty.
///
/// `variance` is what the series scattered by before: a short stretch may look straighter than the series is.
fn change(x: &[f64], g: &[f64], variance: f64, costs: &mut [f64]) -> Option<Change> {
    let n = g.len();
    if n < 2 * LEAST_LENGTH {
        return None;
    }
    let (low, high) = g.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let range = high - low;
    let floor = RESOLUTION.mul_add(range, 1e-9 * low.abs().max(high.abs()));
    if !floor.is_finite() || floor <= 0.0 || range <= 0.0 {
        return None;
    }
    // Centred and scaled, so that the sums neither cancel nor overflow.
    let (x0, y0, unit) = (x[n / 2], low + 0.5 * range, range);
    let point = |i: usize| (x[i] - x0, (g[i] - y0) / unit);
    let least = n as f64 * ((floor / unit).powi(2) + variance / (unit * unit));

    let mut left = Sums::default();
    for (i, cost) in costs.iter_mut().enumerate().take(n) {
        let (x, y) = point(i);
        left.add(x, y);
        *cost = left.cost();
    }
    let whole = left.cost() + least;
    let mut right = Sums::default();
    let (mut best, mut cut) = (f64::INFINITY, 0);
    for i in (LEAST_LENGTH..n).rev() {
        let (x, y) = point(i);
        right.add(x, y);
        if n - i >= LEAST_LENGTH {
            let cost = costs[i - 1] + right.cost();
            if cost < best {
                (best, cut) = (cost, i);
            }
        }
    }
    let ratio = whole / (best + least);
    let size = n as f64;
    let penalty = PENALTY * size.ln();
    if size * ratio.ln() <= penalty {
        return None;
    }
    let mut before = Sums::default();
    let mut after = Sums::default();
    for i in 0..n {
        let (x, y) = point(i);
        if i < cut { before.add(x, y) } else { after.add(x, y) }
    }
    let (lines, mut last) = ([before.line(), after.line()], None);
    let (mut power, mut lagged) = (least, 0.0);
    for i in 0..n {
        let (x, y) = point(i);
        let (intercept, slope) = lines[usize::from(i >= cut)];
        let residual = y - intercept - slope * x;
        power += residual * residual;
        lagged += last.map_or(0.0, |last: f64| last * residual);
        last = Some(residual);
    }
    let raw = lagged / power;
    let correlation = (raw + (2.0 + 4.0 * raw) / size).clamp(0.0, MOST_CORRELATION);
    let effective = size * (1.0 - correlation) / (1.0 + correlation);
    let variance_before = before.cost() / before.n * unit * unit;
    (effective * ratio.ln() > penalty).then_some(Change { cut, variance_before })
}
