//! Holds one series' samples with the time each version became known, and reads them point in time.

use crate::features::worse;
use crate::grid::{CELL_MS, Combine, GridBuilder, HOUR_MS};
use forewarn_domain::signal::{Reading, Signal};
use forewarn_domain::statistic::Statistic;
use std::ops::Range;

/// Marks a sample without `ingested_at`.
pub const NOT_INGESTED: i64 = i64::MIN;

/// Marks a sample without `imported_at`.
const NOT_IMPORTED: i64 = i64::MIN;

/// Longest period that is spread over cells, milliseconds.
const LONGEST_PERIOD_MS: i64 = 86_400_000;

/// Share of a signal's range by which a value may lie outside it and still be taken for rounding.
const ROUNDING: f64 = 0.01;

/// One series of a signal: samples in the order they were read, versions of the same time included.
#[derive(Debug, Clone)]
pub struct Series {
    /// The signal that reads the series.
    pub signal: Signal,
    /// How its values are read.
    pub reading: Reading,
    /// The metric's name.
    pub metric: String,
    /// Whether it is another statistic of what a series before it measures: heard where that one is silent.
    pub is_alternative: bool,
    /// The device, where the metric has one.
    pub device: Option<String>,
    /// The period of each sample, milliseconds.
    pub period_ms: i64,
    /// How samples share a cell.
    pub combine: Combine,
    /// The signal's value is `scale * sample + offset`.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Start of each sample, milliseconds since the epoch.
    pub ts: Vec<i64>,
    /// Value of each sample.
    pub value: Vec<f64>,
    /// When each version was ingested; empty when no sample has it, else [`NOT_INGESTED`] where one has not.
    pub ingested_at: Vec<i64>,
    /// When samples were imported: where a stretch of the same time begins, and that time.
    imports: Vec<(usize, i64)>,
    /// The same for each sample, once normalised; empty where it decides nothing.
    imported_at: Vec<i64>,
    /// Where samples were spread over cells, the end of the period that each is a part of.
    whole_end: Vec<i64>,
    /// Samples that were left out because the signal can't have such a value.
    pub outside: u64,
}

impl Series {
    /// Starts an empty series.
    pub fn new(
        signal: Signal,
        reading: Reading,
        metric: &str,
        stat: &str,
        device: Option<&str>,
        period_s: i32,
    ) -> Self {
        let (scale, offset) = match reading {
            Reading::PerMinute if Statistic::of(stat) == Statistic::Sum => (60.0 / f64::from(period_s.max(1)), 0.0),
            Reading::AsIs | Reading::PerMinute | Reading::Surplus => (1.0, 0.0),
            Reading::Complement(whole) => (-1.0, whole),
        };
        Self {
            signal,
            reading,
            metric: metric.to_owned(),
            is_alternative: false,
            device: device.map(str::to_owned),
            period_ms: i64::from(period_s.max(1)) * 1000,
            combine: if signal == Signal::Status { Combine::Max } else { Combine::of_stat(stat) },
            scale,
            offset,
            ts: Vec::new(),
            value: Vec::new(),
            ingested_at: Vec::new(),
            imports: Vec::new(),
            imported_at: Vec::new(),
            whole_end: Vec::new(),
            outside: 0,
        }
    }

    /// Takes over the memory of a series that is no longer needed, while this one is empty.
    pub fn reuse(&mut self, mut old: Self) {
        old.ts.clear();
        old.value.clear();
        (self.ts, self.value) = (old.ts, old.value);
    }

    /// Adds samples as they were read, but for those that the signal can't have; `imported_at` is of all of them.
    pub fn extend(&mut self, ts: &[i64], value: &[f64], ingested_at: Option<&[i64]>, imported_at: Option<i64>) {
        let (low, high) = self.possible();
        // Counting has no way out of the loop, and so takes several values at a time.
        if value.iter().filter(|v| low <= **v && **v <= high).count() == value.len() {
            self.take(ts, value, ingested_at, imported_at);
            return;
        }
        let within: Vec<usize> = (0..value.len()).filter(|&i| low <= value[i] && value[i] <= high).collect();
        self.outside += (value.len() - within.len()) as u64;
        let times = |from: &[i64]| within.iter().map(|&i| from[i]).collect::<Vec<_>>();
        let kept: Vec<f64> = within.iter().map(|&i| value[i]).collect();
        self.take(&times(ts), &kept, ingested_at.map(times).as_deref(), imported_at);
    }

    /// The values that a sample may have: those that make one within the signal's range, but for rounding.
    pub fn possible(&self) -> (f64, f64) {
        let (low, high) = self.signal.spec().range;
        let slack = ROUNDING * (high - low);
        let [a, b] = [low - slack, high + slack].map(|end| (end - self.offset) / self.scale);
        (a.min(b), a.max(b))
    }

    fn take(&mut self, ts: &[i64], value: &[f64], ingested_at: Option<&[i64]>, imported_at: Option<i64>) {
        let imported = imported_at.unwrap_or(NOT_IMPORTED);
        if self.imports.last().map_or(NOT_IMPORTED, |(_, at)| *at) != imported {
            self.imports.push((self.ts.len(), imported));
        }
        match ingested_at {
            Some(at) => {
                self.ingested_at.resize(self.ts.len(), NOT_INGESTED);
                self.ingested_at.extend_from_slice(at);
            }
            None if !self.ingested_at.is_empty() => {
                self.ingested_at.resize(self.ts.len() + ts.len(), NOT_INGESTED);
            }
            None => {}
        }
        self.ts.extend_from_slice(ts);
        self.value.extend_from_slice(value);
    }

    /// Brings the samples into the order (time, version, import, value), so that of one time the last that counts is the one that wins.
    ///
    /// Returns true when every sample stands alone in its time and none has `ingested_at`: the usual case of an import.
    pub fn normalise(&mut self, delay_ms: i64) -> bool {
        if self.period_ms > CELL_MS {
            self.spread();
        }
        let plain = self.ingested_at.is_empty() && self.whole_end.is_empty();
        let is_unique_sorted = plain && self.ts.is_sorted_by(|a, b| a < b);
        if is_unique_sorted {
            return true;
        }
        self.date_imports();
        let mut order: Vec<usize> = (0..self.ts.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (self.ts[i], self.version(i, delay_ms), self.imported(i));
            key(a).cmp(&key(b)).then(self.value[a].total_cmp(&self.value[b]))
        });
        self.value = order.iter().map(|&i| self.value[i]).collect();
        for times in [&mut self.ts, &mut self.ingested_at, &mut self.imported_at, &mut self.whole_end] {
            if !times.is_empty() {
                *times = order.iter().map(|&i| times[i]).collect();
            }
        }
        false
    }

    /// Says of each sample when it was imported.
    fn date_imports(&mut self) {
        for (n, &(from, at)) in self.imports.iter().enumerate() {
            let to = self.imports.get(n + 1).map_or(self.ts.len(), |next| next.0);
            self.imported_at.resize(from, NOT_IMPORTED);
            self.imported_at.resize(to, at);
        }
        self.imports.clear();
    }

    /// When a sample was imported, where that is known.
    fn imported(&self, i: usize) -> i64 {
        self.imported_at.get(i).copied().unwrap_or(NOT_IMPORTED)
    }

    /// Whether a sample was known live, or says at least when it would have been.
    fn is_dated(&self, i: usize) -> bool {
        self.ingested_at.get(i).is_some_and(|&at| at != NOT_INGESTED)
    }

    /// Repeats each sample of a long period in every cell that it covers. A part of it is known no sooner than the whole.
    fn spread(&mut self) {
        let steps = (self.period_ms.min(LONGEST_PERIOD_MS) / CELL_MS) as usize;
        let whole_ms = self.period_ms;
        self.date_imports();
        let repeated = |times: &[i64]| times.iter().flat_map(|&t| std::iter::repeat_n(t, steps)).collect::<Vec<_>>();
        self.whole_end = self.ts.iter().flat_map(|&t| std::iter::repeat_n(t + whole_ms, steps)).collect();
        self.ingested_at = repeated(&self.ingested_at);
        self.imported_at = repeated(&self.imported_at);
        self.value = self.value.iter().flat_map(|&v| std::iter::repeat_n(v, steps)).collect();
        self.ts = self.ts.iter().flat_map(|&t| (0..steps).map(move |k| t + k as i64 * CELL_MS)).collect();
        self.period_ms = CELL_MS;
    }

    /// When the version counts as made: as ingested, as imported, else when its period was over and the delay had passed.
    fn version(&self, i: usize, delay_ms: i64) -> i64 {
        match self.imported(i) {
            _ if self.is_dated(i) => self.ingested_at[i],
            NOT_IMPORTED => self.whole_end.get(i).map_or(self.ts[i] + self.period_ms, |&end| end) + delay_ms,
            at => at,
        }
    }

    /// When a sample is over, and so is the cell that it starts in.
    fn cell_end(&self, ts: i64) -> i64 {
        (ts.div_euclid(CELL_MS) * CELL_MS + CELL_MS).max(ts + self.period_ms)
    }

    /// When the sample may be seen: its version is made, and its whole cell is over.
    pub fn available_at(&self, i: usize, delay_ms: i64) -> i64 {
        let over = self.whole_end.get(i).copied().unwrap_or_else(|| self.cell_end(self.ts[i]));
        if self.is_dated(i) { self.ingested_at[i].max(over) } else { over + delay_ms }
    }

    /// Gives when the last of its samples that was available at `as_of` was over, milliseconds; none where there is none.
    /// `is_unique_sorted` is what [`Series::normalise`] returned.
    pub(crate) fn heard_until(&self, as_of: i64, delay_ms: i64, is_unique_sorted: bool) -> Option<i64> {
        let begun = self.ts.partition_point(|&t| t < as_of);
        let last = if is_unique_sorted {
            self.ts[..begun].partition_point(|&t| self.cell_end(t) + delay_ms <= as_of).checked_sub(1)
        } else {
            (0..begun).rev().find(|&i| self.available_at(i, delay_ms) <= as_of)
        };
        last.map(|i| self.cell_end(self.ts[i]))
    }

    /// Gives for each hour of `span` when the last of its samples became available or could win; `i64::MIN` for an hour without samples.
    /// `is_unique_sorted` is what [`Series::normalise`] returned.
    pub(crate) fn settled(&self, span: &Range<i64>, delay_ms: i64, is_unique_sorted: bool) -> Vec<i64> {
        let hours = usize::try_from((span.end - span.start) / HOUR_MS).unwrap_or(0);
        if is_unique_sorted {
            // Nothing came late and nothing came twice: the last sample of an hour settles it.
            let mut from = self.ts.partition_point(|&t| t < span.start);
            let starts = (0..hours as i64).map(|hour| span.start + hour * HOUR_MS);
            let settled = starts.map(|start| {
                let n = self.ts[from..].partition_point(|&t| t < start + HOUR_MS);
                from += n;
                if n > 0 { self.cell_end(self.ts[from - 1]) + delay_ms } else { i64::MIN }
            });
            return settled.collect();
        }
        // When each hour's samples are available, whether one of them was known live, and when its last import came.
        let mut known = vec![(i64::MIN, false, NOT_IMPORTED); hours];
        let from = self.ts.partition_point(|&t| t < span.start);
        let to = self.ts.partition_point(|&t| t < span.end);
        for i in from..to {
            let (available, is_live, imported) = &mut known[((self.ts[i] - span.start) / HOUR_MS) as usize];
            *available = self.available_at(i, delay_ms).max(*available);
            *is_live |= self.is_dated(i);
            *imported = self.imported(i).max(*imported);
        }
        // An import may yet win over what was known live.
        known.into_iter().map(|(at, is_live, imported)| if is_live { at.max(imported) } else { at }).collect()
    }

    /// Writes the cells of `span` as they were known at `as_of`. The samples must be [normalised](Self::normalise);
    /// `is_unique_sorted` is what that returned.
    pub fn cells_at(
        &self,
        span: &Range<i64>,
        as_of: i64,
        delay_ms: i64,
        is_unique_sorted: bool,
        grid: &mut GridBuilder,
        out: &mut Vec<f64>,
    ) {
        grid.reset(span.start, self.combine);
        let from = self.ts.partition_point(|&t| t < span.start);
        if is_unique_sorted {
            let seen = |t: i64| t < span.end && self.cell_end(t) + delay_ms <= as_of;
            let to = self.ts.partition_point(|&t| seen(t));
            if from < to {
                grid.add_sorted(&self.ts[from..to], &self.value[from..to], self.scale, self.offset);
            }
        } else {
            let to = self.ts.partition_point(|&t| t < span.end);
            self.add_versions(from..to, as_of, delay_ms, grid);
        }
        grid.finish(out);
    }

    /// Adds what counted at `as_of` to a grid.
    pub(crate) fn add_versions(&self, rows: Range<usize>, as_of: i64, delay_ms: i64, grid: &mut GridBuilder) {
        self.each_version(rows, as_of, delay_ms, |i| self.put(i, grid));
    }

    /// Gives the minutes of `span` in which the signal was past a level, as they were known at `as_of`, sample by sample.
    pub(crate) fn minutes_past(&self, level: f64, span: &Range<i64>, as_of: i64, delay_ms: i64) -> f64 {
        let [from, to] = [span.start, span.end].map(|end| self.ts.partition_point(|&t| t < end));
        let worse = worse(self.signal.spec());
        let mut past = 0;
        self.each_version(from..to, as_of, delay_ms, |i| {
            past += i64::from(worse * self.value[i].mul_add(self.scale, self.offset) >= worse * level);
        });
        (past * self.period_ms) as f64 / 60_000.0
    }

    /// Hands over, of each time in `rows`, the newest version that counted at `as_of`.
    ///
    /// Between imports the later one counts at any time, for nobody knew either live. Against a version that was known live, an
    /// imported one counts from its import on.
    fn each_version(&self, rows: Range<usize>, as_of: i64, delay_ms: i64, mut each: impl FnMut(usize)) {
        let mut from = rows.start;
        while from < rows.end {
            let same = self.ts[from..rows.end].iter().take_while(|&&t| t == self.ts[from]).count();
            let versions = from..from + same;
            let seen = |&i: &usize| self.available_at(i, delay_ms) <= as_of;
            let is_live = versions.clone().filter(seen).any(|i| self.is_dated(i));
            let counts = |&i: &usize| !is_live || self.is_dated(i) || self.imported(i) <= as_of;
            if let Some(newest) = versions.clone().rev().filter(seen).find(counts) {
                each(newest);
            }
            from = versions.end;
        }
    }

    fn put(&self, i: usize, grid: &mut GridBuilder) {
        grid.add(self.ts[i], CELL_MS.min(self.period_ms), self.value[i].mul_add(self.scale, self.offset));
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values come out exactly")]
mod tests {
    use super::*;

    const DELAY: i64 = 300_000;

    fn cells(track: &mut Series, as_of: i64) -> Vec<f64> {
        let is_unique_sorted = track.normalise(DELAY);
        let span = 0..HOUR_MS;
        let mut out = Vec::new();
        track.cells_at(&span, as_of, DELAY, is_unique_sorted, &mut GridBuilder::new(&span, Combine::Mean), &mut out);
        out
    }

    fn track(period_s: i32) -> Series {
        Series::new(Signal::Memory, Reading::AsIs, "mem_used_percent", "Average", None, period_s)
    }

    #[test]
    fn duplicates_and_order_change_nothing() {
        let mut plain = track(300);
        plain.extend(&[0, 300_000, 600_000], &[1.0, 2.0, 3.0], None, None);
        let mut messy = track(300);
        messy.extend(&[600_000, 0, 0], &[3.0, 1.0, 1.0], None, None);
        messy.extend(&[300_000, 600_000], &[2.0, 3.0], None, None);
        let (a, b) = (cells(&mut plain, HOUR_MS), cells(&mut messy, HOUR_MS));
        assert_eq!(
            a.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            b.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_sample_off_the_grid_is_seen_when_its_own_period_is_over() {
        // 2:00 to 7:00, available at 12:00: whether or not another row stands beside it.
        for times in [&[120_000][..], &[120_000, 120_000]] {
            let mut t = track(300);
            t.extend(times, &vec![7.0; times.len()], None, None);
            assert!(cells(&mut t, 719_999).iter().all(|v| v.is_nan()));
            assert_eq!(cells(&mut t, 720_000).iter().filter(|v| **v == 7.0).count(), 1);
        }
    }

    #[test]
    fn between_imports_the_later_wins_at_any_time_and_against_what_was_known_live_from_its_import_on() {
        let first = |t: &mut Series, as_of| cells(t, as_of)[0];
        let imported = || {
            let mut t = track(300);
            t.extend(&[0], &[9.0], None, Some(5_000_000));
            t.extend(&[0], &[2.0], None, Some(6_000_000));
            t
        };
        // Long before either import, for both say what was there then; and whichever file is read first.
        for as_of in [600_000, 5_500_000, 7_000_000] {
            assert_eq!(first(&mut imported(), as_of), 2.0);
            let mut other_way = track(300);
            other_way.extend(&[0], &[2.0], None, Some(6_000_000));
            other_way.extend(&[0], &[9.0], None, Some(5_000_000));
            assert_eq!(first(&mut other_way, as_of), 2.0);
        }
        let live = || {
            let mut t = imported();
            t.extend(&[0], &[5.0], Some(&[700_000]), None);
            t
        };
        for (as_of, value) in [(600_000, 2.0), (700_000, 5.0), (4_999_999, 5.0), (5_000_000, 9.0), (6_000_000, 2.0)] {
            assert_eq!(first(&mut live(), as_of), value, "{as_of}");
        }
        // Known live after the import: it is the newest.
        let mut corrected = live();
        corrected.extend(&[0], &[6.0], Some(&[6_500_000]), None);
        assert_eq!(first(&mut corrected, 6_500_000), 6.0);
        // A long period keeps who wins in each of its cells.
        let mut long = track(3600);
        long.extend(&[0], &[9.0], None, Some(5_000_000));
        long.extend(&[0], &[2.0], None, Some(6_000_000));
        assert!(cells(&mut long, HOUR_MS + DELAY).iter().all(|v| *v == 2.0));
    }

    #[test]
    fn the_newest_available_version_wins() {
        let mut t = track(300);
        t.extend(&[0, 0, 0], &[1.0, 2.0, 3.0], Some(&[400_000, 2_000_000, 900_000]), None);
        assert!(cells(&mut t, 350_000)[0].is_nan());
        assert_eq!(cells(&mut t, 500_000)[0], 1.0);
        assert_eq!(cells(&mut t, 1_000_000)[0], 3.0);
        assert_eq!(cells(&mut t, 3_000_000)[0], 2.0);
    }

    #[test]
    fn a_tie_of_versions_goes_to_the_greater_value() {
        let mut t = track(300);
        t.extend(&[0, 0], &[2.0, 1.0], Some(&[400_000, 400_000]), None);
        assert_eq!(cells(&mut t, HOUR_MS)[0], 2.0);
    }

    #[test]
    fn a_long_period_fills_its_cells_once_it_is_over() {
        let mut t = track(900);
        t.extend(&[0], &[7.0], None, None);
        assert!(cells(&mut t, 899_999).iter().all(|v| v.is_nan()));
        assert_eq!(cells(&mut t, HOUR_MS).iter().filter(|v| **v == 7.0).count(), 3);
    }

    #[test]
    fn complements_and_sums_are_turned_into_the_signals_unit() {
        let mut free = Series::new(Signal::Disk, Reading::Complement(100.0), "free", "Average", None, 300);
        free.extend(&[0], &[30.0], None, None);
        assert_eq!(cells(&mut free, HOUR_MS)[0], 70.0);
        let mut drops = Series::new(Signal::NetDrop, Reading::PerMinute, "net_drop_in", "Sum", None, 300);
        drops.extend(&[0], &[50.0], None, None);
        assert_eq!(cells(&mut drops, HOUR_MS)[0], 10.0);
    }
}
