//! Puts samples of any period on the canonical 5-minute grid, point in time, and sums the grid up by clock hour.

use forewarn_domain::statistic::Statistic;
use std::ops::Range;

/// Length of a grid cell, milliseconds.
pub const CELL_MS: i64 = 300_000;
/// Length of an hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// Grid cells in an hour.
pub const CELLS_PER_HOUR: usize = 12;
/// Hours that a feature may look back.
pub const HOURS: usize = 168;
/// Hours before those that only what a series is used to is read from.
pub const HABIT_HOURS: usize = 24;
/// Grid cells that a feature may look back.
pub const CELLS: usize = HOURS * CELLS_PER_HOUR;

/// How several samples in one cell become the cell's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Their mean: averages and rates.
    Mean,
    /// The greatest: statistics that are maxima.
    Max,
    /// The smallest: statistics that are minima.
    Min,
}

impl Combine {
    /// Picks the way that keeps a CloudWatch statistic meaning the same at every period.
    pub fn of_stat(stat: &str) -> Self {
        match Statistic::of(stat) {
            Statistic::Maximum => Self::Max,
            Statistic::Minimum => Self::Min,
            Statistic::Average | Statistic::Sum | Statistic::SampleCount | Statistic::Other => Self::Mean,
        }
    }
}

/// The hours `[start, end)` that features at `as_of` look at: 168 clock hours, the last one holding the instant before `as_of`.
pub fn window(as_of: i64) -> Range<i64> {
    let end = (as_of - 1).div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS;
    end - HOURS as i64 * HOUR_MS..end
}

/// The first time that anything at `as_of` looks at: where the habits before its [`window`] begin.
pub fn reach(as_of: i64) -> i64 {
    window(as_of).start - HABIT_HOURS as i64 * HOUR_MS
}

/// Says whether a sample was there to be seen at `as_of`.
///
/// A sample without `ingested_at` counts as available when its whole cell is over and `delay_ms` has passed, so that the
/// same data at 60 s and at 300 s shows itself at the same time.
pub fn available(ts: i64, period_ms: i64, ingested_at: Option<i64>, delay_ms: i64, as_of: i64) -> bool {
    let cell_end = (ts.div_euclid(CELL_MS) * CELL_MS + CELL_MS).max(ts + period_ms);
    match ingested_at {
        Some(at) => at <= as_of && cell_end <= as_of,
        None => cell_end + delay_ms <= as_of,
    }
}

/// One hour of a series, made from its twelve cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Cells with a sample, at most twelve.
    pub n: u8,
    /// Cells past the warning level.
    pub warning: u8,
    /// Cells past the critical level.
    pub critical: u8,
    /// Sum of the cells.
    pub sum: f64,
    /// Smallest cell; NaN when empty.
    pub min: f64,
    /// Greatest cell; NaN when empty.
    pub max: f64,
    /// Median of the cells; NaN when empty.
    pub median: f64,
}

impl Hour {
    /// An hour without samples.
    pub const EMPTY: Self =
        Self { n: 0, warning: 0, critical: 0, sum: 0.0, min: f64::NAN, max: f64::NAN, median: f64::NAN };

    /// Sums up an hour's cells (NaN where there is no sample). `worse` multiplies values so that greater is worse (+1 or -1).
    pub fn of_cells(cells: &[f64], worse: f64, warning: f64, critical: f64) -> Self {
        // What is missing sorts behind everything.
        let mut sorted = [f64::INFINITY; CELLS_PER_HOUR];
        let mut n = 0;
        let mut hour = Self::EMPTY;
        for &v in cells.iter().filter(|v| !v.is_nan()) {
            sorted[n] = v;
            n += 1;
            hour.sum += v;
            hour.warning += u8::from(worse * v >= worse * warning);
            hour.critical += u8::from(worse * v >= worse * critical);
        }
        if n == 0 {
            return hour;
        }
        sort(&mut sorted);
        hour.n = n as u8;
        hour.min = sorted[0];
        hour.max = sorted[n - 1];
        hour.median = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
        hour
    }
}

/// Sorts an hour's cells by a network, which takes no branch: the best known for twelve, after Knuth, "The Art of Computer Programming",
/// volume 3, 5.3.4.
fn sort(cells: &mut [f64; CELLS_PER_HOUR]) {
    #[rustfmt::skip]
    const NETWORK: [(usize, usize); 39] = [
        (0, 8), (1, 7), (2, 6), (3, 11), (4, 10), (5, 9), (0, 1), (2, 5), (3, 4), (6, 9), (7, 8), (10, 11), (0, 2),
        (1, 6), (5, 10), (9, 11), (0, 3), (1, 2), (4, 6), (5, 7), (8, 11), (9, 10), (1, 4), (3, 5), (6, 8), (7, 10),
        (1, 3), (2, 5), (6, 9), (8, 10), (2, 3), (4, 5), (6, 7), (8, 9), (4, 6), (5, 7), (3, 4), (5, 6), (7, 8),
    ];
    for (i, j) in NETWORK {
        let (a, b) = (cells[i], cells[j]);
        (cells[i], cells[j]) = if b < a { (b, a) } else { (a, b) };
    }
}

/// Collects one series' samples into the cells of a fixed span of time.
#[derive(Debug, Clone)]
pub struct GridBuilder {
    start: i64,
    combine: Combine,
    cells: Vec<f64>,
    counts: Vec<u16>,
}

impl GridBuilder {
    /// Starts an empty grid over `span`, whose bounds must be whole hours.
    pub fn new(span: &Range<i64>, combine: Combine) -> Self {
        let n = usize::try_from((span.end - span.start) / CELL_MS).unwrap_or(0);
        Self { start: span.start, combine, cells: vec![0.0; n], counts: vec![0; n] }
    }

    /// Empties the grid for another series over `span` of the same length, keeping its memory.
    pub fn reset(&mut self, start: i64, combine: Combine) {
        self.start = start;
        self.combine = combine;
        self.cells.fill(0.0);
        self.counts.fill(0);
    }

    /// Adds one sample; a period longer than a cell fills every cell that it covers, up to a day.
    pub fn add(&mut self, ts: i64, period_ms: i64, value: f64) {
        let first = (ts - self.start).div_euclid(CELL_MS);
        let last = if period_ms <= CELL_MS { first } else { first + (period_ms.min(24 * HOUR_MS) / CELL_MS) - 1 };
        for cell in first.max(0)..=last.min(self.cells.len() as i64 - 1) {
            self.put(cell as usize, std::iter::once(value));
        }
    }

    /// Adds samples in time order, all available and all of a period of one cell or less: the fast path, a cell at a time.
    pub fn add_sorted(&mut self, ts: &[i64], values: &[f64], scale: f64, offset: f64) {
        let mut from = 0;
        while let Some(&first) = ts.get(from) {
            let cell = (first - self.start).div_euclid(CELL_MS);
            let end = self.start + (cell + 1) * CELL_MS;
            let to = from + ts[from..].iter().take_while(|&&t| t < end).count();
            if let Ok(cell) = usize::try_from(cell)
                && cell < self.cells.len()
            {
                self.put(cell, values[from..to].iter().map(|v| v * scale + offset));
            }
            from = to;
        }
    }

    #[inline]
    fn put(&mut self, cell: usize, values: impl ExactSizeIterator<Item = f64>) {
        let n = u16::try_from(values.len()).unwrap_or(u16::MAX);
        let sum = self.cells[cell];
        // Whatever is greater or smaller than nothing is the value itself.
        let held = if self.counts[cell] == 0 { f64::NAN } else { sum };
        self.cells[cell] = match self.combine {
            Combine::Mean => values.fold(sum, |sum, v| sum + v),
            Combine::Max => values.fold(held, f64::max),
            Combine::Min => values.fold(held, f64::min),
        };
        self.counts[cell] = self.counts[cell].saturating_add(n);
    }

    /// Writes the cells' values to `out`, NaN where there is no sample.
    pub fn finish(&self, out: &mut Vec<f64>) {
        out.clear();
        let cells = self.cells.iter().zip(&self.counts);
        match self.combine {
            // Where there is no sample it is 0 / 0.
            Combine::Mean => out.extend(cells.map(|(&v, &n)| v / f64::from(n))),
            Combine::Max | Combine::Min => out.extend(cells.map(|(&v, &n)| if n == 0 { f64::NAN } else { v })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_168_clock_hours_up_to_as_of() {
        let noon = 1_782_907_200_000;
        assert_eq!(window(noon), noon - 168 * HOUR_MS..noon);
        assert_eq!(window(noon + 1), noon - 167 * HOUR_MS..noon + HOUR_MS);
    }

    #[test]
    fn a_cell_shows_itself_at_the_same_time_at_every_period() {
        let t = 1_782_907_200_000;
        for as_of in (t..t + 2 * HOUR_MS).step_by(60_000) {
            let five = available(t, 300_000, None, 300_000, as_of);
            let ones = (0..5).all(|i| available(t + i * 60_000, 60_000, None, 300_000, as_of));
            let any = (0..5).any(|i| available(t + i * 60_000, 60_000, None, 300_000, as_of));
            assert_eq!(five, ones);
            assert_eq!(five, any);
        }
    }

    #[test]
    fn sixty_and_three_hundred_seconds_give_the_same_cells() {
        let span = 0..HOUR_MS;
        let mut fine = GridBuilder::new(&span, Combine::Mean);
        let mut coarse = GridBuilder::new(&span, Combine::Mean);
        for cell in 0..12 {
            let values = [1.0, 2.0, 3.0, 4.0, 10.0].map(|v| v + f64::from(cell));
            for (i, v) in values.iter().enumerate() {
                fine.add(i64::from(cell) * CELL_MS + i as i64 * 60_000, 60_000, *v);
            }
            coarse.add(i64::from(cell) * CELL_MS, CELL_MS, values.iter().sum::<f64>() / 5.0);
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        fine.finish(&mut a);
        coarse.finish(&mut b);
        assert_eq!(a, b);
    }

    #[test]
    fn the_network_sorts_whatever_there_is() {
        // A network that sorts every sequence of zeros and ones sorts everything (Knuth, 5.3.4, theorem Z).
        for bits in 0..1_u32 << CELLS_PER_HOUR {
            let mut cells = std::array::from_fn(|i| f64::from(bits >> i & 1));
            sort(&mut cells);
            assert!(cells.is_sorted(), "{bits:b}");
        }
    }

    #[test]
    fn samples_in_order_make_the_cells_that_samples_one_by_one_make() {
        let span = 0..HOUR_MS;
        let times: Vec<i64> = (-3..70).filter(|i| i % 7 != 2).map(|i| i * 60_000 + 1).collect();
        let values: Vec<f64> = times.iter().map(|t| (t / 60_000 * 37 % 11) as f64 / 7.0).collect();
        for combine in [Combine::Mean, Combine::Max, Combine::Min] {
            let (mut fast, mut slow) = (GridBuilder::new(&span, combine), GridBuilder::new(&span, combine));
            for (times, values) in times.chunks(8).zip(values.chunks(8)) {
                fast.add_sorted(times, values, -1.0, 100.0);
            }
            for (t, v) in times.iter().zip(&values) {
                slow.add(*t, 60_000, v.mul_add(-1.0, 100.0));
            }
            let (mut a, mut b) = (Vec::new(), Vec::new());
            fast.finish(&mut a);
            slow.finish(&mut b);
            assert_eq!(a, b);
        }
    }

    #[test]
    fn an_hour_is_summed_up_and_gaps_are_left_out() {
        let nan = f64::NAN;
        let cells = [5.0, nan, 1.0, 3.0, nan, nan, nan, nan, nan, nan, nan, 7.0];
        let hour = Hour::of_cells(&cells, 1.0, 3.0, 7.0);
        assert_eq!((hour.n, hour.warning, hour.critical), (4, 3, 1));
        assert_eq!((hour.sum, hour.min, hour.max, hour.median), (16.0, 1.0, 7.0, 4.0));
        assert_eq!(Hour::of_cells(&[nan; 12], 1.0, 3.0, 7.0).n, 0);
    }
}
