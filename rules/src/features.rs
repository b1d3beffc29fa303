//! Computes the features of one series at one time from its hourly summaries and cells: pure, and shared by analysis and backtest.

mod habit;
mod level;
mod risk;
mod shape;

use crate::feature::{FEATURES, Feature};
use crate::feature_set::{FeatureSet, SignalFeatures};
use crate::grid::{CELL_MS, CELLS, CELLS_PER_HOUR, HOUR_MS, HOURS, Hour};
use forewarn_domain::signal::{CREDIT_SHARES, Direction, SIGNALS, Signal, SignalSpec};

/// The features of one series, in the order of [`FEATURES`].
pub type Row = [f64; FEATURES.len()];

/// The levels that a series is held against, in the signal's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// The warning level.
    pub warning: f64,
    /// The critical level.
    pub critical: f64,
    /// The level at which a bounded resource is used up, where there is one.
    pub exhausted: Option<f64>,
    /// The warning and critical level as shares of the most that the instance's type can hold, where the signal has such a cap.
    pub of_cap: Option<[f64; 2]>,
}

impl Levels {
    /// Takes the levels from the table of signals.
    pub fn of(spec: &SignalSpec) -> Self {
        let of_cap = (spec.signal == Signal::Credits).then(|| CREDIT_SHARES.map(|(_, share)| share));
        Self { warning: spec.warning, critical: spec.critical, exhausted: spec.exhausted, of_cap }
    }
}

/// What of a rule set features depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSettings {
    /// The levels of every signal.
    pub levels: [Levels; SIGNALS.len()],
    /// How many hours are looked back at, at most [`HOURS`].
    pub lookback_hours: usize,
    /// Which features are wanted: what costs much and isn't stays unknown.
    pub wanted: FeatureSet,
}

impl FeatureSettings {
    /// Wants only these features.
    #[must_use]
    pub fn wanting(self, wanted: FeatureSet) -> Self {
        Self { wanted, ..self }
    }
}

impl Default for FeatureSettings {
    /// Gives the levels of the table of signals, all the hours there are, and every feature.
    fn default() -> Self {
        Self { levels: SIGNALS.each_ref().map(Levels::of), lookback_hours: HOURS, wanted: FeatureSet::ALL }
    }
}

/// What is known of one series at one time: [`CELLS`] cells and the [`HOURS`] hours made from them.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Values on the grid, NaN where there is none or none was available yet.
    pub cells: &'a [f64],
    /// The hours' summaries.
    pub hours: &'a [Hour],
    /// The same and [`HABIT_HOURS`](crate::grid::HABIT_HOURS) before them, which only tell what the series is used to: what comes once a week came a week
    /// ago, and seven days alone would forget it as it comes again.
    pub habit: &'a [Hour],
    /// The time of the first cell, milliseconds; a whole hour.
    pub start: i64,
    /// The time that the features speak for, milliseconds.
    pub as_of: i64,
}

impl View<'_> {
    /// Number of cells that begin before `as_of`.
    fn past(&self) -> usize {
        usize::try_from((self.as_of - self.start + CELL_MS - 1).div_euclid(CELL_MS)).unwrap_or(0).min(self.cells.len())
    }

    /// Hour of the day, UTC, of the first hour.
    fn first_hour_of_day(&self) -> usize {
        self.start.div_euclid(HOUR_MS).rem_euclid(24) as usize
    }
}

/// Memory that is used again from one series to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    values: Vec<f64>,
    /// What Sen's slopes are selected from.
    slopes: Vec<f64>,
    /// The worst cells; as long as the cells from its first use on.
    worst: Vec<f64>,
    /// Hourly medians, turned so that greater is worse.
    hourly: Vec<f64>,
    /// Hourly medians less the daily profile.
    flat: Vec<f64>,
    /// Three-hour medians of the flat series.
    blocks: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

/// Computes the features of one series: all but those that are not wanted, as far as they would cost much.
///
/// Values are turned so that greater is worse, and turned back for the features that are in the signal's own unit.
/// Without any sample only `n` and `coverage` are known (0).
pub fn track_features(
    view: &View<'_>,
    spec: &SignalSpec,
    levels: &Levels,
    wanted: SignalFeatures,
    scratch: &mut Scratch,
) -> Row {
    debug_assert_eq!((view.cells.len(), view.hours.len()), (CELLS, HOURS));
    let worse = worse(spec);
    let mut row = [f64::NAN; FEATURES.len()];
    let n: usize = view.hours.iter().map(|h| usize::from(h.n)).sum();
    set(&mut row, Feature::N, n as f64);
    set(&mut row, Feature::Coverage, coverage(view));
    if n == 0 {
        return row;
    }
    orient(view, worse, scratch);
    level::fill(&mut row, view, worse, levels, wanted, scratch);
    shape::fill(&mut row, view, worse, worse * levels.critical, scratch);
    let is_habit = habit::is_standing(&row, view, worse, levels, spec.range)
        || habit::has_settled(&row, view, worse, levels, scratch);
    set(&mut row, Feature::NoNews, f64::from(u8::from(is_habit)));
    risk::fill(&mut row, view, worse, levels, wanted, scratch);
    row
}

/// Gives what turns a signal's values so that greater is worse: +1, or -1 where less is worse.
pub(crate) const fn worse(spec: &SignalSpec) -> f64 {
    match spec.direction {
        Direction::Up => 1.0,
        Direction::Down => -1.0,
    }
}

/// Share of the cells of the last 24 hours, as far as they are past, that hold a sample.
fn coverage(view: &View<'_>) -> f64 {
    let end = view.past();
    let start = end.saturating_sub(24 * CELLS_PER_HOUR);
    let seen = view.cells[start..end].iter().filter(|v| !v.is_nan()).count();
    seen as f64 / (24 * CELLS_PER_HOUR) as f64
}

/// Fills the hourly medians, turned so that greater is worse.
fn orient(view: &View<'_>, worse: f64, scratch: &mut Scratch) {
    scratch.hourly.clear();
    scratch.hourly.extend(view.hours.iter().map(|h| worse * h.median));
}

/// Median of up to three values, NaN meaning absent.
fn median_of_three(a: f64, b: f64, c: f64) -> f64 {
    match (a.is_nan(), b.is_nan(), c.is_nan()) {
        (false, false, false) => a.max(b).min(a.min(b).max(c)),
        (true, false, false) => f64::midpoint(b, c),
        (false, true, false) => f64::midpoint(a, c),
        (false, false, true) => f64::midpoint(a, b),
        (false, true, true) => a,
        (true, false, true) => b,
        (true, true, _) => c,
    }
}

const fn set(row: &mut Row, feature: Feature, value: f64) {
    row[feature as usize] = value;
}

const fn get(row: &Row, feature: Feature) -> f64 {
    row[feature as usize]
}

#[cfg(test)]
mod tests;
