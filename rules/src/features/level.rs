//! Levels: where a series stands, how much of the time it is past its limits, and how that compares with its own past.

use super::{Feature, Levels, Row, Scratch, SignalFeatures, View, set};
use crate::grid::{CELL_MS, CELLS_PER_HOUR, HOUR_MS, HOURS, Hour};
use forewarn_models::stats;

const DAY: usize = 24;
/// Hours in a row whose mean tells a lasting excursion from a spike.
const RUN: usize = 6;
/// Cells that such a run must hold to count, half of all.
const LEAST_CELLS: u32 = (RUN * CELLS_PER_HOUR / 2) as u32;
/// Cells in a row on the better side of a level that end a run past it.
const CALM: usize = 3;
/// The quantile that counts as a series' habitual worst.
const TAIL: f64 = 0.95;

pub(super) fn fill(
    row: &mut Row,
    view: &View<'_>,
    worse: f64,
    levels: &Levels,
    wanted: SignalFeatures,
    scratch: &mut Scratch,
) {
    let hours = view.hours;
    let last_day = &hours[HOURS - DAY..];
    set(row, Feature::Now, now(view, &mut scratch.values));
    set(row, Feature::Mean6h, mean(&hours[HOURS - 6..]));
    set(row, Feature::Mean24h, mean(last_day));
    set(row, Feature::Mean7d, mean(hours));
    set(row, Feature::Max24h, worst(last_day, worse));
    if wanted.has_any(&[Feature::P957d]) {
        set(row, Feature::P957d, tail(view, worse, scratch));
    }
    set(row, Feature::AboveWarning24h, share(last_day, |h| h.warning));
    set(row, Feature::AboveCritical24h, share(last_day, |h| h.critical));
    let past: u32 = last_day.iter().map(|h| u32::from(h.critical)).sum();
    set(row, Feature::CriticalMinutes24h, f64::from(past) * (CELL_MS / 60_000) as f64);
    set(row, Feature::CriticalPeriods, critical_periods(view, worse, worse * levels.critical));
    set(row, Feature::Critical6d, share(&hours[..HOURS - DAY], |h| h.critical));
    let (current, longest_before) = critical_runs(view.habit);
    set(row, Feature::HoursCritical, current);
    set(row, Feature::ExcessRun, (current - longest_before).max(0.0));
    set(row, Feature::Bursts24h, bursts(view, worse, worse * levels.warning));
    set(row, Feature::Lift24h, worse * (mean(last_day) - mean(&hours[..HOURS - DAY])));
    set(row, Feature::Lift6h, worse * (mean(&hours[HOURS - 6..]) - same_hours_before(hours)));
    let habit = worst_run(&view.habit[..view.habit.len() - DAY], worse);
    set(row, Feature::Beyond6h, worse * mean(&hours[HOURS - RUN..]) - habit);
    let (lasting, unusual) = beyond_tail(view.habit, worse, &mut scratch.values);
    set(row, Feature::Lasting6h, lasting);
    set(row, Feature::Unusual24h, unusual);
    let past = view.past();
    if let Some(last) = view.cells[..past].iter().rposition(|v| !v.is_nan()) {
        let end = view.start + (last as i64 + 1) * CELL_MS;
        set(row, Feature::SilenceHours, ((view.as_of - end).max(0)) as f64 / HOUR_MS as f64);
    }
    if let Some(first) = view.cells.iter().position(|v| !v.is_nan()) {
        let start = view.start + first as i64 * CELL_MS;
        set(row, Feature::AgeDays, (view.as_of - start) as f64 / (24 * HOUR_MS) as f64);
    }
}

/// Counts the cells in a row, up to the last that is known, past a level that is turned so that greater is worse; a cell without a
/// sample neither ends nor lengthens the run.
fn critical_periods(view: &View<'_>, worse: f64, critical: f64) -> f64 {
    let known = view.cells[..view.past()].iter().rev().filter(|v| !v.is_nan());
    known.take_while(|v| worse * **v >= critical).count() as f64
}

/// Median of the last hour; the newest two cells may not have arrived yet, so fourteen are looked at.
fn now(view: &View<'_>, values: &mut Vec<f64>) -> f64 {
    let end = view.past();
    values.clear();
    values.extend(view.cells[end.saturating_sub(CELLS_PER_HOUR + 2)..end].iter().filter(|v| !v.is_nan()));
    stats::median(values).unwrap_or(f64::NAN)
}

fn mean(hours: &[Hour]) -> f64 {
    let (sum, n) = hours.iter().fold((0.0, 0_u32), |(s, n), h| (s + h.sum, n + u32::from(h.n)));
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}

/// The worst mean of six hours in a row, turned so that greater is worse; NaN when no six hours hold enough samples.
fn worst_run(hours: &[Hour], worse: f64) -> f64 {
    let halves =
        |h: &[Hour]| (h[0].sum + h[1].sum + h[2].sum, u32::from(h[0].n) + u32::from(h[1].n) + u32::from(h[2].n));
    // Three hours at a time: each half of a run serves two runs.
    let mut before = [(0.0, 0); RUN / 2];
    let mut most = f64::NAN;
    for (i, half) in hours.windows(RUN / 2).map(halves).enumerate() {
        let (sum, n) = before[i % (RUN / 2)];
        let (sum, n) = (sum + half.0, n + half.1);
        before[i % (RUN / 2)] = half;
        if i >= RUN / 2 && n >= LEAST_CELLS {
            most = most.max(worse * sum / f64::from(n));
        }
    }
    most
}

/// How far the median of the last hours lies beyond the worst twentieth of the hours before the last day, and how many of
/// the last day's hours do; NaN when too little is known of either.
fn beyond_tail(hours: &[Hour], worse: f64, values: &mut Vec<f64>) -> (f64, f64) {
    let (before, day) = hours.split_at(hours.len() - DAY);
    let turned = |hours: &[Hour], values: &mut Vec<f64>| {
        values.clear();
        values.extend(hours.iter().filter(|h| h.n > 0).map(|h| worse * h.median));
    };
    turned(before, values);
    if values.len() < DAY {
        return (f64::NAN, f64::NAN);
    }
    let Some(usual) = stats::quantile(values, TAIL) else { return (f64::NAN, f64::NAN) };
    let unusual = day.iter().filter(|h| worse * h.median > usual).count();
    turned(&day[DAY - RUN..], values);
    let enough = values.len() >= RUN / 2;
    let lasting = stats::median(values).filter(|_| enough).map_or(f64::NAN, |median| median - usual);
    (lasting, unusual as f64)
}

fn worst(hours: &[Hour], worse: f64) -> f64 {
    let extreme = hours.iter().map(|h| if worse > 0.0 { h.max } else { -h.min }).fold(f64::NAN, f64::max);
    worse * extreme
}

/// 95th percentile of the cells towards the worse side, interpolated between its neighbours as numpy does.
///
/// It lies among the worst twentieth, so that only cells past a bound are sorted out: each hour at least half of whose
/// cells are past the bound vouches for that many, and hours are added until they vouch for the twentieth.
fn tail(view: &View<'_>, worse: f64, scratch: &mut Scratch) -> f64 {
    let n: usize = view.hours.iter().map(|h| usize::from(h.n)).sum();
    if n == 0 {
        return f64::NAN;
    }
    let position = TAIL * (n - 1) as f64;
    let (rank, fraction) = (position as usize, position.fract());
    // At least `n - rank` cells reach the bound; those beyond it, the number of which is often small, are all it takes.
    let bound = bound_of_worst(view.hours, worse, n - rank, &mut scratch.values);
    scratch.worst.resize(view.cells.len(), 0.0);
    let values = &mut scratch.worst[..];
    let (mut beyond, reach) = (0, |h: &Hour| if worse > 0.0 { h.max } else { -h.min });
    for (h, cells) in view.hours.iter().zip(view.cells.chunks_exact(CELLS_PER_HOUR)) {
        if reach(h) > bound {
            for cell in cells {
                values[beyond] = worse * cell;
                beyond += usize::from(values[beyond] > bound);
            }
        }
    }
    let values = &mut values[..beyond];
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let (low, high) = match (rank + beyond).checked_sub(n) {
        Some(place) => {
            let (_, low, above) = values.select_nth_unstable_by(place, f64::total_cmp);
            (*low, least(above))
        }
        None if rank + beyond + 1 == n => (bound, least(values)),
        None => (bound, bound),
    };
    worse * if high.is_finite() { (low * (1.0 - fraction) + high * fraction).clamp(low, high) } else { low }
}

/// A value (greater is worse) that at least `wanted` cells reach: the smallest of the worst hourly medians that together
/// vouch for them.
fn bound_of_worst(hours: &[Hour], worse: f64, wanted: usize, values: &mut Vec<f64>) -> f64 {
    let least = hours.iter().filter(|h| h.n > 0).map(|h| h.n).min().unwrap_or(1);
    let enough = wanted.div_ceil(usize::from(least.div_ceil(2)));
    values.clear();
    // A mean of two middle cells is reached by half of the cells as well.
    values.extend(hours.iter().filter(|h| h.n > 0).map(|h| worse * h.median));
    if enough >= values.len() {
        return f64::NEG_INFINITY;
    }
    let at = values.len() - enough;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

fn share(hours: &[Hour], of: impl Fn(&Hour) -> u8) -> f64 {
    let (past, n) = hours.iter().fold((0_u32, 0_u32), |(p, n), h| (p + u32::from(of(h)), n + u32::from(h.n)));
    if n == 0 { f64::NAN } else { f64::from(past) / f64::from(n) }
}

/// Length of the run of hours past the critical level that reaches the present, and of the longest one before it.
///
/// An hour counts when half of its cells do; hours without samples neither end nor lengthen a run.
fn critical_runs(hours: &[Hour]) -> (f64, f64) {
    let (mut run, mut longest) = (0_u32, 0_u32);
    for h in hours.iter().filter(|h| h.n > 0) {
        if 2 * h.critical >= h.n {
            run += 1;
        } else {
            longest = longest.max(run);
            run = 0;
        }
    }
    (f64::from(run), f64::from(longest))
}

/// Runs past a level, turned so that greater is worse, that began in the last day. A run ends with a quarter of an hour on the better side; a
/// cell without a sample neither ends nor begins one.
fn bursts(view: &View<'_>, worse: f64, level: f64) -> f64 {
    let day = (HOURS - DAY) * CELLS_PER_HOUR;
    // No hour of the day has a cell past the level, as in most series.
    if view.hours[HOURS - DAY..].iter().all(|h| h.warning == 0) {
        return 0.0;
    }
    let (mut calm, mut count) = (CALM, 0_u32);
    for (i, cell) in view.cells.iter().enumerate().skip(day - CELLS_PER_HOUR).filter(|(_, v)| !v.is_nan()) {
        if worse * cell >= level {
            count += u32::from(calm >= CALM && i >= day);
            calm = 0;
        } else {
            calm += 1;
        }
    }
    f64::from(count)
}

/// Mean of the hours of the day that the last six hours cover, over the earlier days.
fn same_hours_before(hours: &[Hour]) -> f64 {
    let (mut sum, mut n) = (0.0, 0_u32);
    for day in 1..HOURS / DAY {
        let end = HOURS - day * DAY;
        for h in &hours[end - 6..end] {
            sum += h.sum;
            n += u32::from(h.n);
        }
    }
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}
