//! Sorts samples outside memory: fills a buffer, sorts it into file order, spills it, and again.

use super::error::ImportError;
use super::merge::Spilled;
use super::order::{from_total_order, total_order};
use super::series::{Ranks, SeriesTable};
use crate::{NOT_INGESTED, Partition};
use forewarn_runtime::time::DAY_MS;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Samples of one series and day that came in sequence.
#[derive(Debug, Clone, Copy)]
struct Span {
    series: u32,
    day: i32,
    start: u32,
    len: u32,
    /// Times strictly ascend.
    ascending: bool,
}

/// Bytes that one sample costs at most: time, value, ingestion, and a span of its own.
const ROW_BYTES: usize = 8 + 8 + 8 + size_of::<Span>();

/// Samples in one block of a spill.
pub(super) const BLOCK: usize = 4096;

/// A sample with all that orders it within its place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Placed {
    pub(super) ts: i64,
    pub(super) rank: u32,
    pub(super) ingested: i64,
    /// The value as bits that sort as [`f64::total_cmp`].
    pub(super) bits: i64,
    series: u32,
}

/// Takes samples in any order, and holds at most so many bytes of them.
#[derive(Debug)]
pub(super) struct Sorter {
    path: PathBuf,
    out: BufWriter<File>,
    written: u64,
    parts: BTreeMap<Partition, Vec<Range<u64>>>,
    capacity: usize,
    spans: Vec<Span>,
    ts: Vec<i64>,
    value: Vec<f64>,
    /// Empty until a sample has one.
    ingested: Vec<i64>,
}

impl Sorter {
    /// Creates the spill file.
    pub(super) fn create(path: &Path, limit_bytes: usize) -> Result<Self, ImportError> {
        let file = File::options().create(true).truncate(true).write(true).read(true).open(path);
        let file = file.map_err(|e| ImportError::spill("create", path, e))?;
        let capacity = (limit_bytes / ROW_BYTES).clamp(1, u32::MAX as usize);
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(256 * 1024, file),
            written: 0,
            parts: BTreeMap::new(),
            capacity,
            spans: Vec::new(),
            ts: Vec::with_capacity(capacity),
            value: Vec::with_capacity(capacity),
            ingested: Vec::new(),
        })
    }

    /// Takes samples of one series; `ingested` is empty where none has one.
    pub(super) fn push(
        &mut self,
        table: &SeriesTable,
        series: u32,
        ts: &[i64],
        value: &[f64],
        ingested: &[i64],
    ) -> Result<(), ImportError> {
        let mut from = 0;
        while from < ts.len() {
            if self.ts.len() == self.capacity {
                self.spill(table)?;
            }
            let room = self.capacity - self.ts.len();
            let to = ts.len().min(from + room);
            let day = ts[from].div_euclid(DAY_MS);
            let (midnight, next) = (day * DAY_MS, (day + 1) * DAY_MS);
            let n = ts[from..to].iter().take_while(|&&t| t >= midnight && t < next).count();
            let run = from..from + n;
            self.append(series, day, &ts[run.clone()], &value[run.clone()], ingested.get(run).unwrap_or(&[]));
            from += n;
        }
        Ok(())
    }

    fn append(&mut self, series: u32, day: i64, ts: &[i64], value: &[f64], ingested: &[i64]) {
        let start = self.ts.len();
        let last = self.ts.last().copied();
        if !ingested.is_empty() || !self.ingested.is_empty() {
            if self.ingested.capacity() == 0 {
                self.ingested.reserve_exact(self.capacity);
            }
            self.ingested.resize(start, NOT_INGESTED);
            self.ingested.extend_from_slice(ingested);
            self.ingested.resize(start + ts.len(), NOT_INGESTED);
        }
        self.ts.extend_from_slice(ts);
        self.value.extend_from_slice(value);
        let ascending = ts.windows(2).map(|w| u8::from(w[0] >= w[1])).fold(0, |down, step| down | step) == 0;
        let day = day as i32;
        if let Some(span) = self.spans.last_mut()
            && span.series == series
            && span.day == day
        {
            span.ascending &= ascending && last < Some(ts[0]);
            span.len += ts.len() as u32;
            return;
        }
        self.spans.push(Span { series, day, start: start as u32, len: ts.len() as u32, ascending });
    }

    /// Spills what is left and gives the sorted runs.
    pub(super) fn finish(mut self, table: &SeriesTable) -> Result<Spilled, ImportError> {
        self.spill(table)?;
        self.out.flush().map_err(|e| ImportError::spill("write", &self.path, e))?;
        Ok(Spilled::new(self.path, self.parts, table.ranks()))
    }

    fn spill(&mut self, table: &SeriesTable) -> Result<(), ImportError> {
        let ranks = table.ranks();
        let mut spans = std::mem::take(&mut self.spans);
        let place = |s: &Span| (table.bucket(s.series), s.day, ranks.group[s.series as usize]);
        spans.sort_unstable_by_key(|s| (place(s), self.ts[s.start as usize], s.start));
        for partition in spans.chunk_by(|a, b| (place(a).0, a.day) == (place(b).0, b.day)) {
            let start = self.written;
            for group in partition.chunk_by(|a, b| place(a) == place(b)) {
                self.spill_group(group, &ranks)?;
            }
            let at = Partition { bucket: table.bucket(partition[0].series), day: i64::from(partition[0].day) };
            self.parts.entry(at).or_default().push(start..self.written);
        }
        spans.clear();
        self.spans = spans;
        self.ts.clear();
        self.value.clear();
        self.ingested.clear();
        forewarn_runtime::failpoint::point("import.spilled");
        Ok(())
    }

    /// Spills what shares a place in the file order: as it stands where it is in order already.
    fn spill_group(&mut self, spans: &[Span], ranks: &Ranks) -> Result<(), ImportError> {
        let rows = |s: &Span| s.start as usize..(s.start + s.len) as usize;
        let one_series = spans.iter().all(|s| s.series == spans[0].series && s.ascending);
        let follows = |w: &[Span]| self.ts[rows(&w[0]).end - 1] < self.ts[w[1].start as usize];
        if one_series && spans.windows(2).all(follows) {
            for span in spans {
                for from in rows(span).step_by(BLOCK) {
                    let block = from..rows(span).end.min(from + BLOCK);
                    let ingested = self.ingested.get(block.clone()).unwrap_or(&[]);
                    let wrote =
                        write_block(&mut self.out, span.series, &self.ts[block.clone()], &self.value[block], ingested);
                    self.written += wrote.map_err(|e| ImportError::spill("write", &self.path, e))?;
                }
            }
            return Ok(());
        }
        let mut placed = Vec::with_capacity(spans.iter().map(|s| s.len as usize).sum());
        for span in spans {
            let rank = ranks.rank[span.series as usize];
            placed.extend(rows(span).map(|i| Placed {
                ts: self.ts[i],
                rank,
                ingested: self.ingested.get(i).copied().unwrap_or(NOT_INGESTED),
                bits: total_order(self.value[i]),
                series: span.series,
            }));
        }
        placed.sort_unstable();
        for run in placed.chunk_by(|a, b| a.series == b.series) {
            for block in run.chunks(BLOCK) {
                let ts: Vec<i64> = block.iter().map(|p| p.ts).collect();
                let value: Vec<f64> = block.iter().map(|p| from_total_order(p.bits)).collect();
                let ingested: Vec<i64> =
                    if self.ingested.is_empty() { Vec::new() } else { block.iter().map(|p| p.ingested).collect() };
                let wrote = write_block(&mut self.out, run[0].series, &ts, &value, &ingested);
                self.written += wrote.map_err(|e| ImportError::spill("write", &self.path, e))?;
            }
        }
        Ok(())
    }
}

/// Writes series, count, whether times of ingestion follow, then the columns.
fn write_block(out: &mut impl Write, series: u32, ts: &[i64], value: &[f64], ingested: &[i64]) -> std::io::Result<u64> {
    use arrow_buffer::ToByteSlice;
    let head = [series, ts.len() as u32, u32::from(!ingested.is_empty())];
    let parts = [head.to_byte_slice(), ts.to_byte_slice(), value.to_byte_slice(), ingested.to_byte_slice()];
    let mut n = 0;
    for part in parts {
        out.write_all(part)?;
        n += part.len() as u64;
    }
    Ok(n)
}
