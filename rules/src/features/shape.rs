//! Shape: the slopes at several scales on the current segment, trend, teeth and the daily profile.

use super::{Feature, Row, Scratch, View, get, set};
use crate::grid::{CELLS_PER_HOUR, HOURS};
use forewarn_models::mann_kendall::mann_kendall_detrended;
use forewarn_models::sawtooth::{Sawtooth, sawtooth};
use forewarn_models::season::DailyProfile;
use forewarn_models::segment::current_segment;
use forewarn_models::slope::{Slope, theil_sen};

/// Hours in one of the blocks that the seven-day slope runs over.
const BLOCK: usize = 3;
const BLOCKS: usize = HOURS / BLOCK;

/// Fills slopes, trend, teeth and season. `critical` is turned so that greater is worse.
pub(super) fn fill(row: &mut Row, view: &View<'_>, worse: f64, critical: f64, scratch: &mut Scratch) {
    let profile = DailyProfile::fit(&scratch.hourly, view.first_hour_of_day(), &mut scratch.values);
    flatten(profile.as_ref(), view, scratch);
    let segment = current_segment(&scratch.blocks, 1.0, &mut scratch.values);
    let start_block = segment.start.min(BLOCKS);
    let segment_start = start_block * BLOCK;
    let slope_7d = block_slope(scratch, start_block);
    let slope_24h = hourly_slope(scratch, segment_start.max(HOURS - 24));
    let slope_6h = recent_slope(profile.as_ref(), view, worse, scratch);
    set(row, Feature::Slope6h, per_day(slope_6h.as_ref()));
    set(row, Feature::Slope24h, per_day(slope_24h.as_ref()));
    set(row, Feature::Slope7d, per_day(slope_7d.as_ref()));
    set(row, Feature::Accel, get(row, Feature::Slope24h) - get(row, Feature::Slope7d));
    set(row, Feature::Resets7d, segment.resets as f64);
    let per_block = slope_7d.as_ref().map_or(f64::NAN, |s| s.per_unit * BLOCK as f64);
    let trend = mann_kendall_detrended(&scratch.blocks[start_block..], per_block, &mut scratch.values);
    set(row, Feature::Trend, trend.map_or(f64::NAN, |t| t.z));
    let tooth = sawtooth(&scratch.hourly, 1.0, &mut scratch.values);
    let turns_back = tooth.as_ref().is_some_and(|t| stays_below(t, critical));
    set(row, Feature::Tooth, f64::from(u8::from(turns_back)));
    set(row, Feature::Season, profile.as_ref().map_or(f64::NAN, |p| p.strength));
    set(row, Feature::ResidZ, profile.as_ref().map_or(f64::NAN, |p| residual_z(p, view, scratch)));
}

/// What the daily profile expects at an hour of the window, against the day's level.
pub(super) fn seasonal(profile: Option<&DailyProfile>, view: &View<'_>, hour: usize) -> f64 {
    profile.map_or(0.0, |p| p.expected((view.first_hour_of_day() + hour) % 24))
}

/// Takes the daily profile out, and makes the three-hour medians.
fn flatten(profile: Option<&DailyProfile>, view: &View<'_>, scratch: &mut Scratch) {
    scratch.flat.clear();
    scratch.flat.extend(scratch.hourly.iter().enumerate().map(|(h, v)| v - seasonal(profile, view, h)));
    scratch.blocks.clear();
    scratch.blocks.extend(scratch.flat.chunks_exact(BLOCK).map(|c| super::median_of_three(c[0], c[1], c[2])));
}

/// True when the teeth turn back before the critical level, their spread and the drift of their peaks allowed for.
fn stays_below(tooth: &Sawtooth, critical: f64) -> bool {
    let next_peak = tooth.peak_slope.max(0.0).mul_add(tooth.period, tooth.peak);
    2.0_f64.mul_add(tooth.peak_spread, next_peak) < critical
}

fn per_day(slope: Option<&Slope>) -> f64 {
    slope.map_or(f64::NAN, |s| 24.0 * s.per_unit)
}

fn block_slope(scratch: &mut Scratch, start: usize) -> Option<Slope> {
    scratch.x.clear();
    scratch.x.extend((start..BLOCKS).map(|b| (b * BLOCK) as f64 + BLOCK as f64 / 2.0));
    theil_sen(&scratch.x, &scratch.blocks[start..], &mut scratch.slopes)
}

fn hourly_slope(scratch: &mut Scratch, start: usize) -> Option<Slope> {
    scratch.x.clear();
    scratch.x.extend((start..HOURS).map(|h| h as f64 + 0.5));
    theil_sen(&scratch.x, &scratch.flat[start..], &mut scratch.slopes)
}

/// Slope over the half-hour medians of the last six hours, less the daily profile.
fn recent_slope(profile: Option<&DailyProfile>, view: &View<'_>, worse: f64, scratch: &mut Scratch) -> Option<Slope> {
    const HALF_HOUR: usize = 6;
    let end = view.past();
    let start = end.saturating_sub(6 * CELLS_PER_HOUR);
    scratch.x.clear();
    scratch.y.clear();
    for (i, half) in view.cells[start..end].chunks(HALF_HOUR).enumerate() {
        let mut cells = [f64::NAN; HALF_HOUR];
        cells[..half.len()].copy_from_slice(half);
        let hour = (start + i * HALF_HOUR) / CELLS_PER_HOUR;
        let median = forewarn_models::stats::median(&mut cells).unwrap_or(f64::NAN);
        scratch.x.push(0.5_f64.mul_add(i as f64, 0.25));
        scratch.y.push(worse * median - seasonal(profile, view, hour));
    }
    theil_sen(&scratch.x, &scratch.y, &mut scratch.slopes)
}

/// Distance of the last hour with samples from the daily profile, in robust standard deviations.
fn residual_z(profile: &DailyProfile, view: &View<'_>, scratch: &mut Scratch) -> f64 {
    let first = view.first_hour_of_day();
    let Some(last) = scratch.hourly.iter().rposition(|v| !v.is_nan()) else { return f64::NAN };
    scratch.y.clear();
    let before = last.saturating_sub(24)..last;
    scratch.y.extend(before.map(|h| scratch.hourly[h] - profile.expected((first + h) % 24)).filter(|v| !v.is_nan()));
    let Some(level) = forewarn_models::stats::median(&mut scratch.y) else { return f64::NAN };
    let residual = scratch.hourly[last] - level - profile.expected((first + last) % 24);
    if profile.scale > 0.0 { (residual / profile.scale).clamp(-50.0, 50.0) } else { 0.0 }
}
