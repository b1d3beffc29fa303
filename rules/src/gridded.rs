//! Puts a series on the grid once for a whole range of time, and shows any window of it as it was known.

use crate::grid::{CELLS_PER_HOUR, Combine, GridBuilder, HABIT_HOURS, HOUR_MS, HOURS, Hour};
use crate::series::Track;
use std::ops::Range;

/// The cells and hours of one series over a range, as they are once everything has arrived.
///
/// An hour is *settled* when the last of its samples became available; a window takes settled hours as they stand and makes
/// the others again from the samples, so that it shows the same as a grid made for it alone.
#[derive(Debug)]
pub(crate) struct Gridded<'t> {
    pub(crate) track: &'t Track,
    alone: bool,
    delay_ms: i64,
    limits: Limits,
    start: i64,
    cells: Vec<f64>,
    hours: Vec<Hour>,
    settled: Vec<i64>,
}

/// How an hour is judged: the side that is worse (+1 or -1), the warning and the critical level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) worse: f64,
    pub(crate) warning: f64,
    pub(crate) critical: f64,
}

impl Limits {
    fn hour(&self, cells: &[f64]) -> Hour {
        Hour::of_cells(cells, self.worse, self.warning, self.critical)
    }
}

/// Cells of one window, its hours with the habits before them, and the memory to make them.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) cells: Vec<f64>,
    pub(crate) hours: Vec<Hour>,
    hour: GridBuilder,
    made: Vec<f64>,
}

impl Window {
    pub(crate) fn new() -> Self {
        let hour = GridBuilder::new(&(0..HOUR_MS), Combine::Mean);
        Self { cells: Vec::new(), hours: Vec::new(), hour, made: Vec::new() }
    }
}

impl<'t> Gridded<'t> {
    /// Puts a track on the grid over `span`, whose bounds must be whole hours; `alone` is what
    /// [`Track::normalise`] returned.
    pub(crate) fn new(track: &'t Track, alone: bool, span: &Range<i64>, delay_ms: i64, limits: Limits) -> Self {
        let (mut grid, mut cells) = (GridBuilder::new(span, track.combine), Vec::new());
        track.cells_at(span, i64::MAX, delay_ms, alone, &mut grid, &mut cells);
        let hours = cells.chunks_exact(CELLS_PER_HOUR).map(|c| limits.hour(c)).collect();
        let settled = track.settled(span, delay_ms);
        Self { track, alone, delay_ms, limits, start: span.start, cells, hours, settled }
    }

    /// Writes the [`HABIT_HOURS`] and [`HOURS`] hours from `from` as they were known at `as_of`, and the cells of the latter;
    /// they must lie within the range.
    pub(crate) fn window(&self, from: i64, as_of: i64, out: &mut Window) {
        let first = usize::try_from((from - self.start) / HOUR_MS).unwrap_or(0);
        let hours = first..first + HABIT_HOURS + HOURS;
        out.cells.clear();
        out.cells
            .extend_from_slice(&self.cells[(hours.start + HABIT_HOURS) * CELLS_PER_HOUR..hours.end * CELLS_PER_HOUR]);
        out.hours.clear();
        out.hours.extend_from_slice(&self.hours[hours.clone()]);
        for (h, _) in self.settled[hours].iter().enumerate().filter(|(_, at)| **at > as_of) {
            let start = from + h as i64 * HOUR_MS;
            let hour = start..start + HOUR_MS;
            self.track.cells_at(&hour, as_of, self.delay_ms, self.alone, &mut out.hour, &mut out.made);
            out.hours[h] = self.limits.hour(&out.made);
            if let Some(h) = h.checked_sub(HABIT_HOURS) {
                out.cells[h * CELLS_PER_HOUR..(h + 1) * CELLS_PER_HOUR].copy_from_slice(&out.made);
            }
        }
    }
}
