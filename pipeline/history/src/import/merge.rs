//! Merges the spilled runs of a partition into file order.

use super::error::ImportError;
use super::order::total_order;
use super::series::{Ranks, SeriesTable};
use crate::{NOT_INGESTED, Partition};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

/// Sorted runs on disk, by partition.
#[derive(Debug)]
pub(super) struct Spilled {
    path: PathBuf,
    parts: BTreeMap<Partition, Vec<Range<u64>>>,
    ranks: Ranks,
}

impl Spilled {
    pub(super) fn new(path: PathBuf, parts: BTreeMap<Partition, Vec<Range<u64>>>, ranks: Ranks) -> Self {
        Self { path, parts, ranks }
    }

    /// Lists the partitions, by bucket, then day.
    pub(super) fn partitions(&self) -> Vec<Partition> {
        self.parts.keys().copied().collect()
    }

    /// Opens what the runs are read through.
    pub(super) fn open(&self) -> Result<File, ImportError> {
        File::open(&self.path).map_err(|e| ImportError::spill("open", &self.path, e))
    }

    /// Deletes the file.
    pub(super) fn remove(self) -> Result<(), ImportError> {
        std::fs::remove_file(&self.path).map_err(|e| ImportError::spill("remove", &self.path, e))
    }
}

/// Bytes read ahead for each run.
const AHEAD: u64 = 128 * 1024;

/// Reads the blocks of one run in sequence.
#[derive(Debug)]
struct Cursor {
    left: Range<u64>,
    ahead: Vec<u8>,
    at: usize,
    series: u32,
    ts: Vec<i64>,
    value: Vec<f64>,
    ingested: Vec<i64>,
    pos: usize,
}

/// Where a run stands in the file order: group, time, rank, ingestion, value.
type Place = (u32, i64, u32, i64, i64);

impl Cursor {
    fn new(left: Range<u64>) -> Self {
        Self {
            left,
            ahead: Vec::new(),
            at: 0,
            series: 0,
            ts: Vec::new(),
            value: Vec::new(),
            ingested: Vec::new(),
            pos: 0,
        }
    }

    fn place(&self, ranks: &Ranks) -> Place {
        let i = self.pos;
        let ingested = self.ingested.get(i).copied().unwrap_or(NOT_INGESTED);
        let series = self.series as usize;
        (ranks.group[series], self.ts[i], ranks.rank[series], ingested, total_order(self.value[i]))
    }

    /// Makes at least `n` bytes available.
    fn fill(&mut self, file: &mut File, n: usize) -> std::io::Result<()> {
        if self.ahead.len() - self.at >= n {
            return Ok(());
        }
        self.ahead.drain(..self.at);
        self.at = 0;
        let more = (self.left.end - self.left.start).min(AHEAD.max(n as u64));
        file.seek(SeekFrom::Start(self.left.start))?;
        let got = file.take(more).read_to_end(&mut self.ahead)?;
        self.left.start += got as u64;
        if self.ahead.len() < n {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Reads the next block; false at the end.
    fn next_block(&mut self, file: &mut File) -> std::io::Result<bool> {
        if self.left.is_empty() && self.at == self.ahead.len() {
            return Ok(false);
        }
        self.fill(file, 12)?;
        let head = |bytes: &[u8], i: usize| u32::from_ne_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let bytes = &self.ahead[self.at..];
        let (series, n, with_ingested) = (head(bytes, 0), head(bytes, 4) as usize, head(bytes, 8) == 1);
        self.at += 12;
        let columns = if with_ingested { 3 } else { 2 };
        self.fill(file, n * 8 * columns)?;
        let bytes = &self.ahead[self.at..self.at + n * 8 * columns];
        let words = |column: usize| bytes[column * n * 8..(column + 1) * n * 8].as_chunks::<8>().0.iter();
        self.series = series;
        self.ts.clear();
        self.ts.extend(words(0).map(|w| i64::from_ne_bytes(*w)));
        self.value.clear();
        self.value.extend(words(1).map(|w| f64::from_ne_bytes(*w)));
        self.ingested.clear();
        if with_ingested {
            self.ingested.extend(words(2).map(|w| i64::from_ne_bytes(*w)));
        }
        self.at += n * 8 * columns;
        self.pos = 0;
        Ok(true)
    }
}

/// Hands over a partition's samples in file order: series, times, values, times of ingestion (or none). `file` is what
/// [`Spilled::open`] gave.
pub(super) fn merge_partition(
    (spilled, file): (&Spilled, &mut File),
    table: &SeriesTable,
    partition: Partition,
    mut emit: impl FnMut(u32, &[i64], &[f64], &[i64]) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    debug_assert_eq!(spilled.ranks.rank.len(), table.keys().len(), "every series is ranked");
    let Spilled { path, parts, ranks } = spilled;
    let failed = |e| ImportError::spill("read", path, e);
    let mut cursors = Vec::new();
    let mut heap = BinaryHeap::new();
    for range in parts.get(&partition).into_iter().flatten() {
        let mut cursor = Cursor::new(range.clone());
        if cursor.next_block(file).map_err(failed)? {
            heap.push(Reverse((cursor.place(ranks), cursors.len())));
            cursors.push(cursor);
        }
    }
    while let Some(Reverse((place, index))) = heap.pop() {
        let cursor = &mut cursors[index];
        let end = match heap.peek() {
            None => cursor.ts.len(),
            Some(Reverse((next, _))) if next.0 > place.0 => cursor.ts.len(),
            // The same place in the file: all that is earlier goes at once; at the same time, one by one.
            Some(Reverse((next, _))) => {
                let earlier = cursor.ts[cursor.pos..].partition_point(|&t| t < next.1);
                cursor.pos + earlier.max(1)
            }
        };
        let run = cursor.pos..end;
        let ingested = cursor.ingested.get(run.clone()).unwrap_or(&[]);
        emit(cursor.series, &cursor.ts[run.clone()], &cursor.value[run], ingested)?;
        cursor.pos = end;
        if cursor.pos < cursor.ts.len() || cursor.next_block(file).map_err(failed)? {
            heap.push(Reverse((cursor.place(ranks), index)));
        }
    }
    Ok(())
}
