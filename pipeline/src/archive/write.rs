//! Writes the samples of a range as sorted files, one for each day and bucket, in one commit.

use super::pile::{Piece, Pile};
use crate::crash;
use crate::history::versions::{Sample, from_ordered_bits, keep_versions, ordered_bits};
use crate::history::{
    History, HistoryError, InstanceRow, MetricWriter, NOT_INGESTED, Partition, SeriesKey, Staging, Writer,
};
use crate::time::DAY_MS;
use std::collections::BTreeMap;

/// What a commit wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) rows: u64,
    pub(super) repeated: u64,
    pub(super) files: u64,
}

/// Commits the samples of a range under its name; without samples only that it happened is kept.
pub(super) fn commit(writer: &mut Writer<'_>, name: &str, pile: &Pile) -> Result<Done, HistoryError> {
    let mut staging = writer.stage(name)?;
    let history = writer.history();
    let mut out = Out {
        delay_ms: i64::from(history.manifest().availability_delay_s) * 1000,
        name,
        done: Done::default(),
        range: None,
        open: BTreeMap::new(),
    };
    let mut buckets: BTreeMap<u16, Vec<(&SeriesKey, &Vec<Piece>)>> = BTreeMap::new();
    for (key, pieces) in &pile.series {
        buckets.entry(history.bucket_of(&key.instance_id)).or_default().push((key, pieces));
    }
    for (bucket, series) in buckets {
        // Series that differ only in account, region or period share a place in the file's order: by time.
        for group in series.chunk_by(|a, b| a.0.sort_group() == b.0.sort_group()) {
            match group {
                [(key, pieces)] => out.series(&mut staging, bucket, key, pieces)?,
                several => out.interleaved(&mut staging, bucket, several)?,
            }
        }
        out.close()?;
        crash::point("archive.bucket_written");
    }
    let (done, range) = (out.done, out.range);
    if !staging.is_empty() {
        writer.commit(&staging, &BTreeMap::new(), range, serde_json::Value::Null)?;
    }
    Ok(done)
}

/// The rows of instances that say something the history doesn't know.
pub(super) fn news_of(history: &History, pile: &Pile) -> Result<Vec<InstanceRow>, HistoryError> {
    if pile.instances.is_empty() {
        return Ok(Vec::new());
    }
    let known = history.instances()?;
    let row = |seen: &crate::stream::InstanceSeen| {
        let old = known.get(&seen.instance_id).cloned().unwrap_or_default();
        InstanceRow {
            instance_id: seen.instance_id.clone(),
            workload: seen.workload.clone().or(old.workload),
            instance_type: seen.instance_type.clone().or(old.instance_type),
            launched_at: seen.launched_at.or(old.launched_at),
        }
    };
    Ok(pile.instances.values().map(row).filter(|row| known.get(&row.instance_id) != Some(row)).collect())
}

/// The files of one bucket while they are written.
struct Out<'a> {
    delay_ms: i64,
    name: &'a str,
    done: Done,
    range: Option<(i64, i64)>,
    open: BTreeMap<i64, MetricWriter>,
}

impl Out<'_> {
    fn series(
        &mut self,
        staging: &mut Staging,
        bucket: u16,
        key: &SeriesKey,
        pieces: &[Piece],
    ) -> Result<(), HistoryError> {
        if let [piece] = pieces {
            let ingested = vec![piece.ingested_at; piece.ts.len()];
            return self.push(staging, bucket, key, &piece.ts, &piece.values, &ingested);
        }
        let samples = self.merged(key, pieces);
        let (ts, values, ingested) = columns(samples.iter());
        self.push(staging, bucket, key, &ts, &values, &ingested)
    }

    /// Writes several series of one place in the order of time, run by run.
    fn interleaved(
        &mut self,
        staging: &mut Staging,
        bucket: u16,
        group: &[(&SeriesKey, &Vec<Piece>)],
    ) -> Result<(), HistoryError> {
        let mut rows: Vec<(&SeriesKey, Sample)> = Vec::new();
        for (key, pieces) in group {
            rows.extend(self.merged(key, pieces).into_iter().map(|s| (*key, s)));
        }
        rows.sort_by(|a, b| a.1.0.cmp(&b.1.0).then_with(|| a.0.cmp(b.0)).then_with(|| a.1.cmp(&b.1)));
        for run in rows.chunk_by(|a, b| a.0 == b.0) {
            let (ts, values, ingested) = columns(run.iter().map(|r| &r.1));
            self.push(staging, bucket, run[0].0, &ts, &values, &ingested)?;
        }
        Ok(())
    }

    fn merged(&mut self, key: &SeriesKey, pieces: &[Piece]) -> Vec<Sample> {
        let samples = pieces
            .iter()
            .flat_map(|p| p.ts.iter().zip(&p.values).map(|(&ts, &value)| (ts, p.ingested_at, ordered_bits(value))));
        let mut samples: Vec<Sample> = samples.collect();
        self.done.repeated += keep_versions(&mut samples, key.period_s, self.delay_ms) as u64;
        samples
    }

    /// Writes samples in the order of time, each into the file of its day.
    fn push(
        &mut self,
        staging: &mut Staging,
        bucket: u16,
        key: &SeriesKey,
        ts: &[i64],
        values: &[f64],
        ingested: &[i64],
    ) -> Result<(), HistoryError> {
        let mut from = 0;
        while from < ts.len() {
            let day = ts[from].div_euclid(DAY_MS);
            let to = from + ts[from..].partition_point(|&t| t.div_euclid(DAY_MS) == day);
            let writer = match self.open.entry(day) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let target = format!("{}/{}.parquet", Partition { bucket, day }.dir(), self.name);
                    self.done.files += 1;
                    entry.insert(MetricWriter::create(&staging.add(&target))?)
                }
            };
            let dated = ingested[from..to].iter().any(|&t| t != NOT_INGESTED);
            writer.push(key, &ts[from..to], &values[from..to], if dated { &ingested[from..to] } else { &[] })?;
            let (first, last) = (ts[from], ts[to - 1]);
            self.range = Some(self.range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            self.done.rows += (to - from) as u64;
            from = to;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), HistoryError> {
        std::mem::take(&mut self.open).into_values().try_for_each(MetricWriter::finish)
    }
}

fn columns<'s>(samples: impl Iterator<Item = &'s Sample>) -> (Vec<i64>, Vec<f64>, Vec<i64>) {
    let (mut ts, mut values, mut ingested) = (Vec::new(), Vec::new(), Vec::new());
    for &(t, at, bits) in samples {
        ts.push(t);
        values.push(from_ordered_bits(bits));
        ingested.push(at);
    }
    (ts, values, ingested)
}
