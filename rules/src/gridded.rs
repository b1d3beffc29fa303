//! Puts a series on the grid once for a whole range of time, and shows any window of it as it was known.

use crate::features::{Levels, worse};
use crate::grid::{CELLS_PER_HOUR, Combine, GridBuilder, HABIT_HOURS, HOUR_MS, HOURS, Hour, reach};
use crate::series::Series;
use std::ops::Range;

/// The cells and hours of one series over a range, as they are once everything has arrived.
///
/// An hour is *settled* when the last of its samples became available; a window takes settled hours as they stand and makes
/// the others again from the samples, so that it shows the same as a grid made for it alone.
#[derive(Debug)]
pub(crate) struct Gridded<'t> {
    pub(crate) track: &'t Series,
    is_unique_sorted: bool,
    delay_ms: i64,
    pub(crate) levels: Levels,
    start: i64,
    cells: Vec<f64>,
    hours: Vec<Hour>,
    settled: Vec<i64>,
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

    /// Forgets all but so many of the last hours; all of them keep the habits before them too.
    pub(crate) fn look_back(&mut self, hours: usize) {
        let forgotten = HOURS.saturating_sub(hours);
        if forgotten > 0 {
            self.cells[..forgotten * CELLS_PER_HOUR].fill(f64::NAN);
            self.hours[..HABIT_HOURS + forgotten].fill(Hour::EMPTY);
        }
    }
}

impl<'t> Gridded<'t> {
    /// Puts a track on the grid over `span`, whose bounds must be whole hours; `is_unique_sorted` is what
    /// [`Series::normalise`] returned.
    pub(crate) fn new(
        track: &'t Series,
        is_unique_sorted: bool,
        span: &Range<i64>,
        delay_ms: i64,
        levels: Levels,
    ) -> Self {
        let (mut grid, mut cells) = (GridBuilder::new(span, track.combine), Vec::new());
        track.cells_at(span, i64::MAX, delay_ms, is_unique_sorted, &mut grid, &mut cells);
        let hours = cells.chunks_exact(CELLS_PER_HOUR).map(|c| hour(c, track, &levels)).collect();
        let settled = track.settled(span, delay_ms, is_unique_sorted);
        Self { track, is_unique_sorted, delay_ms, levels, start: span.start, cells, hours, settled }
    }

    /// Gives when the last of its samples that was available at `as_of` was over, milliseconds.
    pub(crate) fn heard_until(&self, as_of: i64) -> Option<i64> {
        self.track.heard_until(as_of, self.delay_ms, self.is_unique_sorted)
    }

    /// Writes the [`HABIT_HOURS`] and [`HOURS`] hours that are looked at from `at`, as they were known at `as_of`, and the cells of the
    /// latter; they must lie within the range. Where `at` is earlier than `as_of`, by a day at most, habits begin as late as those that are
    /// looked at from `as_of`: nothing before is read.
    pub(crate) fn window(&self, at: i64, as_of: i64, out: &mut Window) {
        let unread = usize::try_from((reach(as_of) - reach(at)) / HOUR_MS).unwrap_or(0).min(HABIT_HOURS);
        let from = reach(at) + unread as i64 * HOUR_MS;
        let first = usize::try_from((from - self.start) / HOUR_MS).unwrap_or(0);
        let hours = first..first + HABIT_HOURS - unread + HOURS;
        out.cells.clear();
        out.cells.extend_from_slice(&self.cells[(hours.end - HOURS) * CELLS_PER_HOUR..hours.end * CELLS_PER_HOUR]);
        out.hours.clear();
        out.hours.resize(unread, Hour::EMPTY);
        out.hours.extend_from_slice(&self.hours[hours.clone()]);
        for (h, _) in self.settled[hours].iter().enumerate().filter(|(_, at)| **at > as_of) {
            let start = from + h as i64 * HOUR_MS;
            let span = start..start + HOUR_MS;
            self.track.cells_at(&span, as_of, self.delay_ms, self.is_unique_sorted, &mut out.hour, &mut out.made);
            out.hours[unread + h] = hour(&out.made, self.track, &self.levels);
            if let Some(h) = (unread + h).checked_sub(HABIT_HOURS) {
                out.cells[h * CELLS_PER_HOUR..(h + 1) * CELLS_PER_HOUR].copy_from_slice(&out.made);
            }
        }
    }
}

fn hour(cells: &[f64], track: &Series, levels: &Levels) -> Hour {
    Hour::of_cells(cells, worse(track.signal.spec()), levels.warning, levels.critical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::NOT_INGESTED;
    use forewarn_domain::signal::{Reading, Signal};

    const DELAY: i64 = 300_000;
    const CELL: i64 = 300_000;

    /// Twelve days with gaps; some samples came late, some again with another value, and some were imported: alone, for whole hours, or
    /// later than what was known live.
    fn messy() -> Series {
        let mut track = Series::new(Signal::Memory, Reading::AsIs, "mem_used_percent", "Average", None, 300);
        for i in (0..12 * 288_i64).filter(|i| i % 17 != 3) {
            let late = if i % 13 == 5 { (i + 40) * CELL } else { NOT_INGESTED };
            if i % 288 < 60 {
                track.extend(&[i * CELL], &[(i % 97) as f64], None, Some((i + 900) * CELL));
                continue;
            }
            track.extend(&[i * CELL], &[(i % 97) as f64], Some(&[late]), None);
            if i % 31 == 11 {
                track.extend(&[i * CELL], &[2000.0 + i as f64], None, Some((i + 500) * CELL));
            }
            if i % 29 == 7 {
                track.extend(&[i * CELL], &[1000.0 + i as f64], Some(&[(i + 400) * CELL]), None);
            }
        }
        track
    }

    /// Twelve days with gaps of a sample and of a day.
    fn plain(period_s: i32) -> Series {
        let mut track = Series::new(Signal::Memory, Reading::AsIs, "mem_used_percent", "Average", None, period_s);
        let step = i64::from(period_s) * 1000;
        for i in (0..12 * 288 * CELL / step).filter(|i| i % 17 != 3 && i * step / (288 * CELL) != 10) {
            track.extend(&[i * step], &[(i % 97) as f64], None, None);
        }
        track
    }

    #[test]
    fn a_window_shows_what_a_grid_made_for_it_alone_would() {
        for (track, is_plain) in [(messy(), false), (plain(300), true), (plain(60), true)] {
            let remade = checked(track, is_plain);
            assert!(remade > 100, "hours were under way {remade} times");
        }
    }

    /// Compares windows with grids; gives how often late versions were under way.
    fn checked(mut track: Series, is_plain: bool) -> usize {
        let is_unique_sorted = track.normalise(DELAY);
        assert_eq!(is_unique_sorted, is_plain);
        let levels = Levels::of(Signal::Memory.spec());
        let (first, last) = (9 * 288 * CELL, 12 * 288 * CELL);
        let gridded = Gridded::new(&track, is_unique_sorted, &(reach(first)..last + HOUR_MS), DELAY, levels);
        let (mut window, mut remade) = (Window::new(), 0);
        for as_of in (first..last).step_by(1_234_567) {
            let span = reach(as_of)..reach(as_of) + (HABIT_HOURS + HOURS) as i64 * HOUR_MS;
            gridded.window(as_of, as_of, &mut window);
            let mut cells = Vec::new();
            track.cells_at(
                &span,
                as_of,
                DELAY,
                is_unique_sorted,
                &mut GridBuilder::new(&span, track.combine),
                &mut cells,
            );
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&window.cells), bits(&cells[HABIT_HOURS * CELLS_PER_HOUR..]), "as of {as_of}");
            for (h, cells) in window.hours.iter().zip(cells.chunks_exact(CELLS_PER_HOUR)) {
                let plain = hour(cells, &track, &levels);
                assert_eq!((h.n, bits(&[h.sum, h.median])), (plain.n, bits(&[plain.sum, plain.median])));
            }
            remade += usize::from(gridded.settled.iter().any(|at| *at > as_of && *at < as_of + 300 * CELL));
        }
        remade
    }
}
