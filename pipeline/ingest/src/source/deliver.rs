//! Makes records of what a call gave: a batch for each instance, without what was sent before.

use super::clean::{Faults, clean};
use super::fetch::Raw;
use super::gap::{Course, GapNews, found};
use super::ledger::Progress;
use super::plan::Want;
use super::state::Series;
use super::tail::Tail;
use super::window::Window;
use crate::stream::{Record, SampleBatch, SeriesBlock};

/// What a call comes to.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// A batch for each instance that has something new.
    pub(super) records: Vec<Record>,
    /// The series with their windows and how far each has come.
    pub(super) progress: Vec<(usize, Window, Progress)>,
    /// Samples that came, repeated ones included.
    pub(super) samples: u64,
    /// Samples that had been sent before.
    pub(super) repeated: u64,
    /// What was left out.
    pub(super) faults: Faults,
    /// What was learned of gaps.
    pub(super) gaps: GapNews,
}

/// What all batches of a call have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    /// When the samples were had; none for a backfill.
    pub(super) ingested_at: Option<i64>,
    /// How much of the end is remembered, milliseconds.
    pub(super) tail_ms: i64,
}

/// Makes the records of a call. `settled` gives the end of what is whole by AWS's own time for a wanted query.
pub(super) fn deliver(
    series: &[Series],
    wants: &[Want],
    raws: Vec<Raw>,
    stamp: Stamp<'_>,
    settled: impl Fn(&Series) -> i64,
) -> Delivery {
    let mut out = Delivery::default();
    let mut batches = Batches::new(stamp);
    for (want, mut raw) in wants.iter().zip(raws) {
        let one = &series[want.series];
        clean(&mut raw.ts, &mut raw.values, want.window, &mut out.faults);
        out.samples += raw.ts.len() as u64;
        let last_ts = raw.ts.last().copied();
        if let Some(now) = stamp.ingested_at {
            let course =
                Course { series: one.id, begins: one.begins, last_ts: one.last_ts, done_until: one.done_until };
            out.gaps.found.extend(found(course, want.window, want.period_s, &raw.ts, now));
        }
        let stretch = Window { from: want.window.from.max(want.window.to - stamp.tail_ms), to: want.window.to };
        let tail = Tail::of(&raw.ts, &raw.values, stretch, want.period_s).encode();
        if stamp.ingested_at.is_some() && !one.tail.is_empty() {
            out.repeated += Tail::decode(&one.tail).strip(&mut raw.ts, &mut raw.values);
        }
        // A window never ends after AWS's own time: what a clock that is fast took for whole is asked for again.
        let done_until = want.window.to.min(settled(one).max(want.window.from));
        out.progress.push((want.series, want.window, Progress { series: one.id, done_until, last_ts, tail }));
        batches.push(one, want.period_s, raw);
    }
    out.records = batches.finish();
    out
}

/// Collects samples as a batch for each instance; those of one instance follow one another.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    stamp: Stamp<'a>,
    open: Option<SampleBatch>,
    done: Vec<Record>,
}

impl<'a> Batches<'a> {
    pub(super) const fn new(stamp: Stamp<'a>) -> Self {
        Self { stamp, open: None, done: Vec::new() }
    }

    pub(super) fn push(&mut self, one: &Series, period_s: i32, raw: Raw) {
        if raw.ts.is_empty() {
            return;
        }
        if self.open.as_ref().is_some_and(|b| b.instance_id != one.instance_id) {
            self.done.extend(self.open.take().map(Record::Samples));
        }
        let batch = self.open.get_or_insert_with(|| SampleBatch {
            account: self.stamp.account.to_owned(),
            region: self.stamp.region.to_owned(),
            instance_id: one.instance_id.clone(),
            ingested_at: self.stamp.ingested_at,
            series: Vec::new(),
        });
        batch.series.push(SeriesBlock {
            namespace: one.metric.namespace.clone(),
            metric: one.metric.metric.clone(),
            stat: one.stat.clone(),
            device: one.device.clone(),
            period_s,
            ts: raw.ts,
            values: raw.values,
        });
    }

    pub(super) fn finish(mut self) -> Vec<Record> {
        self.done.extend(self.open.take().map(Record::Samples));
        self.done
    }
}
