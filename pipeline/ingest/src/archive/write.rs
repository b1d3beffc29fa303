//! Writes the samples of a range as sorted files, one for each bucket and day, in one commit.

use super::range_buffer::{RangeBuffer, SeriesChunk};
use forewarn_history::versions::{Sample, from_ordered_bits, keep_versions, ordered_bits};
use forewarn_history::{HistoryError, InstanceRow, MetricWriter, NOT_INGESTED, Partition, SeriesKey, Staging, Writer};
use forewarn_runtime::failpoint;
use forewarn_runtime::time::DAY_MS;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What a commit wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) rows: u64,
    pub(super) repeated: u64,
    /// Samples of days that the history has pruned.
    pub(super) expired: u64,
    pub(super) files: u64,
}

/// Commits the samples of a range under its name; without samples only that it happened is kept.
pub(super) fn commit(writer: &mut Writer<'_>, name: &str, pile: &RangeBuffer) -> Result<Done, HistoryError> {
    let mut staging = writer.stage(name)?;
    let history = writer.history();
    let mut out = Out { delay_ms: history.delay_ms(), name, done: Done::default(), range: None };
    let kept_from = history.kept_from()?.unwrap_or(i64::MIN);
    let mut buckets: BTreeMap<u16, Vec<Series<'_>>> = BTreeMap::new();
    for (key, pieces) in &pile.series {
        buckets.entry(history.bucket_of(&key.instance_id)).or_default().push((key, pieces));
    }
    for (bucket, series) in buckets {
        // A file at a time: what a writer buffers is held once, not for each day of the range.
        let mut days = days_of(&series);
        let kept = days.split_off(&kept_from);
        out.done.expired += days.iter().map(|&day| samples_within(&series, day)).sum::<u64>();
        for day in kept {
            out.file(&mut staging, bucket, day, &series)?;
        }
        failpoint::point("archive.bucket_written");
    }
    let (done, range) = (out.done, out.range);
    if !staging.is_empty() {
        writer.commit(&staging, &BTreeMap::new(), range, serde_json::Value::Null)?;
    }
    Ok(done)
}

/// What was seen of instances, as rows of the history.
pub(super) fn seen_rows(pile: &RangeBuffer) -> Vec<InstanceRow> {
    let row = |seen: &crate::stream::InstanceSeen| InstanceRow {
        instance_id: seen.instance_id.clone(),
        seen_at: Some(seen.seen_at),
        imported_at: None,
        workload: seen.workload.clone(),
        instance_type: seen.instance_type.clone(),
        launched_at: seen.launched_at,
        cpu_credits: seen.cpu_credits.clone(),
    };
    pile.instances.iter().map(row).collect()
}

/// A series and what came of it.
type Series<'a> = (&'a SeriesKey, &'a Vec<SeriesChunk>);

/// The days that have samples of any of these series.
fn days_of(series: &[Series<'_>]) -> BTreeSet<i64> {
    let mut days = BTreeSet::new();
    for piece in series.iter().flat_map(|(_, pieces)| pieces.iter()) {
        let mut rest = piece.ts.as_slice();
        while let [first, ..] = rest {
            let day = first.div_euclid(DAY_MS);
            days.insert(day);
            rest = &rest[rest.partition_point(|t| t.div_euclid(DAY_MS) == day)..];
        }
    }
    days
}

/// The part of a piece that lies in a day.
fn within(piece: &SeriesChunk, day: i64) -> Range<usize> {
    let start = piece.ts.partition_point(|t| t.div_euclid(DAY_MS) < day);
    start..piece.ts.partition_point(|t| t.div_euclid(DAY_MS) <= day)
}

fn samples_within(series: &[Series<'_>], day: i64) -> u64 {
    series.iter().flat_map(|(_, pieces)| pieces.iter()).map(|piece| within(piece, day).len() as u64).sum()
}

/// What has been written, and how.
struct Out<'a> {
    delay_ms: i64,
    name: &'a str,
    done: Done,
    range: Option<(i64, i64)>,
}

impl Out<'_> {
    /// Writes what the series have in a day as one file.
    fn file(
        &mut self,
        staging: &mut Staging,
        bucket: u16,
        day: i64,
        series: &[Series<'_>],
    ) -> Result<(), HistoryError> {
        let target = format!("{}/{}.parquet", Partition { bucket, day }.dir(), self.name);
        let mut writer = MetricWriter::create(&staging.add(&target))?;
        self.done.files += 1;
        // Series that differ only in account, region or period share a place in the file's order: by time.
        for group in series.chunk_by(|a, b| a.0.sort_group() == b.0.sort_group()) {
            match group {
                [(key, pieces)] => self.series(&mut writer, key, pieces, day)?,
                several => self.interleaved(&mut writer, several, day)?,
            }
        }
        writer.finish()
    }

    fn series(
        &mut self,
        writer: &mut MetricWriter,
        key: &SeriesKey,
        pieces: &[SeriesChunk],
        day: i64,
    ) -> Result<(), HistoryError> {
        if let [piece] = pieces {
            let part = within(piece, day);
            let ingested = vec![piece.ingested_at; part.len()];
            return self.push(writer, key, &piece.ts[part.clone()], &piece.values[part], &ingested);
        }
        let samples = self.merged(key, pieces, day);
        let (ts, values, ingested) = columns(samples.iter());
        self.push(writer, key, &ts, &values, &ingested)
    }

    /// Writes several series of one place in the order of time, run by run.
    fn interleaved(&mut self, writer: &mut MetricWriter, group: &[Series<'_>], day: i64) -> Result<(), HistoryError> {
        let mut rows: Vec<(&SeriesKey, Sample)> = Vec::new();
        for (key, pieces) in group {
            rows.extend(self.merged(key, pieces, day).into_iter().map(|s| (*key, s)));
        }
        rows.sort_by(|a, b| a.1.ts.cmp(&b.1.ts).then_with(|| a.0.cmp(b.0)).then_with(|| a.1.cmp(&b.1)));
        for run in rows.chunk_by(|a, b| a.0 == b.0) {
            let (ts, values, ingested) = columns(run.iter().map(|r| &r.1));
            self.push(writer, run[0].0, &ts, &values, &ingested)?;
        }
        Ok(())
    }

    fn merged(&mut self, key: &SeriesKey, pieces: &[SeriesChunk], day: i64) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::new();
        for piece in pieces {
            let part = within(piece, day);
            let pairs = piece.ts[part.clone()].iter().zip(&piece.values[part]);
            let ingested_at = piece.ingested_at;
            samples.extend(pairs.map(|(&ts, &value)| Sample {
                ts,
                ingested_at,
                imported_at: None,
                bits: ordered_bits(value),
            }));
        }
        self.done.repeated += keep_versions(&mut samples, key.period_s, self.delay_ms) as u64;
        samples
    }

    /// Writes samples in the order of time.
    fn push(
        &mut self,
        writer: &mut MetricWriter,
        key: &SeriesKey,
        ts: &[i64],
        values: &[f64],
        ingested: &[i64],
    ) -> Result<(), HistoryError> {
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Ok(()) };
        let dated = ingested.iter().any(|&t| t != NOT_INGESTED);
        writer.push(key, ts, values, if dated { ingested } else { &[] }, None)?;
        self.range = Some(self.range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        self.done.rows += ts.len() as u64;
        Ok(())
    }
}

fn columns<'s>(samples: impl Iterator<Item = &'s Sample>) -> (Vec<i64>, Vec<f64>, Vec<i64>) {
    let (mut ts, mut values, mut ingested) = (Vec::new(), Vec::new(), Vec::new());
    for sample in samples {
        ts.push(sample.ts);
        values.push(from_ordered_bits(sample.bits));
        ingested.push(sample.ingested_at);
    }
    (ts, values, ingested)
}
