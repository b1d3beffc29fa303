//! The daily profile of an hourly series.

use crate::stats::{ascending, is_constant, mad_in_place, median};
use serde::{Deserialize, Serialize};

/// What the hours of a day usually add to the day's level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DailyProfile {
    /// The expected difference from the day's level by hour of the day, shrunk by what it explains.
    pub by_hour: [f64; 24],
    /// The share of the variance about the day's level that the other days explain, from 0 to 1.
    pub strength: f64,
    /// The robust standard deviation of what remains.
    pub scale: f64,
    /// The days of data behind it: valid hours / 24.
    pub days: f64,
}

/// The largest residual score that is told.
pub const MOST_Z: f64 = 50.0;

/// The fewest hours that make a profile, and that make a window's level.
const LEAST_HOURS: usize = 24;
/// Values up to which the greatest quarter is looked up one by one.
const FEW: usize = 8;
const LEAST_HOURS_OF_WINDOW: usize = 12;

impl DailyProfile {
    /// Fits the profile of an hourly series whose first sample is of the hour `first_hour_of_day`.
    ///
    /// The level is the median of each 24 hours, counted back from the end, interpolated linearly between their centres,
    /// so that a trend is no profile. What the hours add is the median over the days of the differences from the level.
    /// The strength compares, hour by hour, the squared differences from the other days' median (leave one day out)
    /// with those from the level, each averaged without its largest quarter: noise gives none, and one odd day changes little. The
    /// profile is shrunk by s / (s + (1 - s) / days), the best linear predictor for that strength s. Fewer than 24 valid
    /// hours give `None`; a single day has no strength.
    pub fn fit(hourly: &[f64], first_hour_of_day: usize, scratch: &mut Vec<f64>) -> Option<Self> {
        let n = hourly.len();
        let valid = hourly.iter().filter(|v| v.is_finite()).count();
        if valid < LEAST_HOURS {
            return None;
        }
        let days = valid as f64 / 24.0;
        if is_constant(hourly) {
            return Some(Self { by_hour: [0.0; 24], strength: 0.0, scale: 0.0, days });
        }
        let windows = n.div_ceil(24);
        scratch.clear();
        scratch.resize(n + 2 * windows + n.max(2 * windows + 2), 0.0);
        let (rest, work) = scratch.split_at_mut(n + 2 * windows);
        let (residuals, levels) = rest.split_at_mut(n);
        let (levels, centres) = levels.split_at_mut(windows);
        window_levels(hourly, levels, centres, work);
        remove_level(hourly, levels, centres, residuals);

        let mut by_hour = [0.0; 24];
        let (mut unexplained, mut total) = (0.0, 0.0);
        for (hour, expected) in by_hour.iter_mut().enumerate() {
            let first = (hour + 24 - first_hour_of_day % 24) % 24;
            let (mut count, mut place) = (0, first);
            while let Some(value) = residuals.get(place) {
                work[count] = *value;
                count += usize::from(value.is_finite());
                place += 24;
            }
            if count == 0 {
                continue;
            }
            let (values, space) = work.split_at_mut(count);
            values.sort_unstable_by(ascending);
            *expected = middle(values, None);
            if count > 1 {
                let space = &mut space[..count];
                for (k, slot) in space.iter_mut().enumerate() {
                    *slot = (values[k] - middle(values, Some(k))).powi(2);
                }
                unexplained += trimmed_mean(space);
                for (slot, value) in space.iter_mut().zip(values) {
                    *slot = value.powi(2);
                }
                total += trimmed_mean(space);
            }
        }
        let unexplained = unexplained / total;
        let strength = if unexplained.is_nan() { 0.0 } else { (1.0 - unexplained).clamp(0.0, 1.0) };
        let weight = if strength > 0.0 { strength / (strength + (1.0 - strength) / days.max(1.0)) } else { 0.0 };
        for expected in &mut by_hour {
            *expected *= weight;
        }
        for (i, residual) in residuals.iter_mut().enumerate() {
            *residual -= by_hour[(first_hour_of_day % 24 + i) % 24];
        }
        let kept = crate::stats::finite_prefix(residuals);
        let scale = mad_in_place(kept)?;
        Some(Self { by_hour, strength, scale, days })
    }

    /// Mixes this profile with another, usually the workload's, which gets `weight` from 0 to 1.
    #[must_use]
    pub fn shrink_towards(&self, other: &Self, weight: f64) -> Self {
        let weight = if weight.is_nan() { 0.0 } else { weight.clamp(0.0, 1.0) };
        let mix = |own: f64, others: f64| (1.0 - weight) * own + weight * others;
        Self {
            by_hour: std::array::from_fn(|h| mix(self.by_hour[h], other.by_hour[h])),
            strength: mix(self.strength, other.strength),
            scale: mix(self.scale, other.scale),
            days: self.days,
        }
    }

    /// Returns what the hour usually adds to the day's level.
    pub fn expected(&self, hour_of_day: usize) -> f64 {
        self.by_hour[hour_of_day % 24]
    }

    /// Returns how many deviations a value lies above what its hour and the day's level let expect, within ±[`MOST_Z`].
    pub fn residual_z(&self, value: f64, level: f64, hour_of_day: usize) -> f64 {
        let difference = value - level - self.expected(hour_of_day);
        if self.scale > 0.0 {
            (difference / self.scale).clamp(-MOST_Z, MOST_Z)
        } else if difference.abs() <= 1e-9 * level.abs() {
            0.0
        } else {
            MOST_Z.copysign(difference)
        }
    }
}

/// Returns the mean of the smallest three quarters, reordering the values.
fn trimmed_mean(values: &mut [f64]) -> f64 {
    let kept = (3 * values.len()).div_ceil(4);
    if values.len() <= FEW {
        for end in kept..values.len() {
            let last = values.len() - 1 - (end - kept);
            let greatest = (0..last).fold(last, |most, i| if values[i] > values[most] { i } else { most });
            values.swap(greatest, last);
        }
    } else if kept < values.len() {
        values.select_nth_unstable_by(kept, ascending);
    }
    values[..kept].iter().sum::<f64>() / kept.max(1) as f64
}

/// Returns the median of sorted values, without the `left_out`th if given.
fn middle(sorted: &[f64], left_out: Option<usize>) -> f64 {
    let n = sorted.len() - usize::from(left_out.is_some());
    let at = |k: usize| sorted[k + usize::from(left_out.is_some_and(|out| k >= out))];
    if n % 2 == 1 { at(n / 2) } else { f64::midpoint(at(n / 2 - 1), at(n / 2)) }
}

/// Writes the level and the centre of each 24 hours, counted from the end; NaN where too little is known.
fn window_levels(hourly: &[f64], levels: &mut [f64], centres: &mut [f64], work: &mut [f64]) {
    let (n, windows) = (hourly.len(), levels.len());
    for (w, (level, centre)) in levels.iter_mut().zip(centres).enumerate() {
        let to = n - (windows - 1 - w) * 24;
        let from = to.saturating_sub(24);
        let mut count = 0;
        let mut places = 0.0;
        for (i, value) in hourly[from..to].iter().enumerate().filter(|(_, v)| v.is_finite()) {
            work[count] = *value;
            places += (from + i) as f64;
            count += 1;
        }
        let known = if count >= LEAST_HOURS_OF_WINDOW { median(&mut work[..count]) } else { None };
        *level = known.unwrap_or(f64::NAN);
        *centre = places / count.max(1) as f64;
    }
}

/// Writes the differences from the level interpolated between the windows' centres, NaN where there is none.
fn remove_level(hourly: &[f64], levels: &[f64], centres: &[f64], residuals: &mut [f64]) {
    let windows = levels.len();
    let is_known = |w: &usize| levels[*w].is_finite();
    residuals.fill(f64::NAN);
    for own in (0..windows).filter(is_known) {
        let before = (0..own).rev().find(is_known);
        let after = (own + 1..windows).find(is_known);
        let slope = |to: Option<usize>| to.map_or(0.0, |w| (levels[w] - levels[own]) / (centres[w] - centres[own]));
        let (falling, rising) = (slope(before.or(after)), slope(after.or(before)));
        let to = hourly.len() - (windows - 1 - own) * 24;
        for i in to.saturating_sub(24)..to {
            let place = i as f64 - centres[own];
            let slope = if place < 0.0 { falling } else { rising };
            residuals[i] = hourly[i] - (levels[own] + slope * place);
        }
    }
}
