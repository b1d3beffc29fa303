//! Sawteeth: signals that rise and are set back again and again, and the envelope at which they turn back.

use crate::resets::{for_each_reset, least_drop};
use crate::slope::pairwise;
use crate::stats::{MAD_TO_SD, mad_in_place, median, quantile};

/// A series of teeth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sawtooth {
    /// The number of teeth that rose and turned back.
    pub teeth: usize,
    /// The level at which they turn back: the upper quantile of the peaks, carried along a rising envelope to the last.
    pub peak: f64,
    /// The robust standard deviation of the peaks about their own trend.
    pub peak_spread: f64,
    /// The median level from which they rise.
    pub trough: f64,
    /// The median length of a tooth in samples.
    pub period: f64,
    /// How alike the teeth are in length and height, from 0 to 1; few teeth are never very regular.
    pub regularity: f64,
    /// The slope of the peaks per sample; the envelope worsens when it has the sign of `toward`.
    pub peak_slope: f64,
}

/// The quantile of the peaks that is the envelope.
const ENVELOPE: f64 = 0.8;
/// The share of the median tooth by which the first, cut off by the window, must have risen to count.
const FIRST_TOOTH: f64 = 0.5;
/// The standard errors by which the peaks' slope must differ from zero before the envelope follows it.
const SURE_SLOPE: f64 = 2.0;
/// The latest peaks that their slope is fitted to.
const MOST_PEAKS: usize = 32;

/// Looks for at least two complete teeth in an equally spaced series.
///
/// `toward` is +1 when growing is worse and -1 when falling is; "peak" is always the worse side, and values are in the
/// series' own unit. Teeth end at the resets that [`current_segment`](crate::segment::current_segment) finds too. NaN is
/// skipped.
pub fn sawtooth(y: &[f64], toward: f64, scratch: &mut Vec<f64>) -> Option<Sawtooth> {
    let sign = if toward < 0.0 { -1.0 } else { 1.0 };
    scratch.clear();
    scratch.extend(y.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, _)| i as f64));
    let n = scratch.len();
    if n < 6 {
        return None;
    }
    scratch.extend(y.iter().filter(|v| v.is_finite()).map(|v| sign * v));
    scratch.resize(7 * n, 0.0);
    let (x, rest) = scratch.split_at_mut(n);
    let (g, rest) = rest.split_at_mut(n);
    let (ends, rest) = rest.split_at_mut(n);
    let (peaks, rest) = rest.split_at_mut(n);
    let (troughs, work) = rest.split_at_mut(n);
    let least = least_drop(g, work);
    if least.is_infinite() {
        return None;
    }
    let mut teeth = 0;
    for_each_reset(g, least, |reset| {
        ends[teeth] = x[reset.at];
        peaks[teeth] = reset.peak;
        troughs[teeth] = reset.trough;
        teeth += 1;
    });
    if teeth < 2 {
        return None;
    }
    // The first tooth began before the window: its trough and length are unknown, and without a rise it is none.
    let trough = median_of(&troughs[1..teeth], work)?;
    let height = median_of(&peaks[1..teeth], work)? - trough;
    let first = usize::from(peaks[0] - troughs[0] < FIRST_TOOTH * height);
    let complete = teeth - first;
    if complete < 2 || height <= 0.0 {
        return None;
    }
    for (slot, pair) in work.iter_mut().zip(ends[..teeth].windows(2)) {
        *slot = pair[1] - pair[0];
    }
    let period = median(&mut work[..teeth - 1])?;
    let unevenness = mad_in_place(&mut work[..teeth - 1])?;

    let (peaks, ends) = (&mut peaks[first..teeth], &ends[first..teeth]);
    let line = PeakLine::through(ends, peaks, work);
    let last = ends[complete - 1];
    if line.is_sure {
        for (peak, end) in peaks.iter_mut().zip(ends) {
            *peak += line.slope * (last - end);
        }
    }
    let peak = quantile(peaks, ENVELOPE)?;
    let evenness = (1.0 - unevenness / period).max(0.0) * (1.0 - line.spread / height).max(0.0);
    Some(Sawtooth {
        teeth: complete,
        peak: sign * peak,
        peak_spread: line.spread,
        trough: sign * trough,
        period,
        regularity: evenness * (1.0 - 0.5_f64.powi(i32::try_from(complete).unwrap_or(i32::MAX) - 1)),
        peak_slope: sign * line.slope,
    })
}

/// The trend of the peaks.
struct PeakLine {
    slope: f64,
    spread: f64,
    is_sure: bool,
}

impl PeakLine {
    /// Fits the peaks robustly from three on, through both when there are two.
    fn through(ends: &[f64], peaks: &[f64], work: &mut [f64]) -> Self {
        let n = peaks.len();
        let span = ends[n - 1] - ends[0];
        if n == 2 {
            let difference = peaks[1] - peaks[0];
            let slope = if span > 0.0 { difference / span } else { 0.0 };
            return Self { slope, spread: MAD_TO_SD * difference.abs() / 2.0, is_sure: false };
        }
        let recent = n.saturating_sub(MOST_PEAKS);
        let mut space = [0.0; MOST_PEAKS * (MOST_PEAKS - 1) / 2];
        let (slope, error) = pairwise(&ends[recent..], &peaks[recent..], &mut space, &mut []).unwrap_or_default();
        for ((slot, peak), end) in work.iter_mut().zip(peaks).zip(ends) {
            *slot = peak - slope * (end - ends[0]);
        }
        let spread = mad_in_place(&mut work[..n]).unwrap_or(0.0);
        Self { slope, spread, is_sure: n >= 4 && slope.abs() > SURE_SLOPE * error }
    }
}

/// Returns the median of `values`, copied to `work`.
fn median_of(values: &[f64], work: &mut [f64]) -> Option<f64> {
    let work = &mut work[..values.len()];
    work.copy_from_slice(values);
    median(work)
}
