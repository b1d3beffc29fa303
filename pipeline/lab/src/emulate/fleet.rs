//! A world of simulated machines: made once, then kept in a few bytes a point.

use super::hash::mix2;
use super::world::{Device, EmulatedInstance, Point, Probe, Span, World, id};
use crate::simulate::{self, Event, Incident, SimInstance};
use std::sync::mpsc::channel;

/// The values of a series by period, as many as the range has.
#[derive(Debug)]
enum Column {
    /// Multiples of a decimal fraction, which measured values are; `u32::MAX` where there is none.
    Scaled(f64, Vec<u32>),
    /// Whatever else; NaN where there is none.
    Plain(Vec<f64>),
}

impl Column {
    fn pack(values: Vec<f64>) -> Self {
        let fits = |per: f64| {
            values.iter().all(|v| {
                v.is_nan() || {
                    let n = (v * per).round();
                    (0.0..f64::from(u32::MAX)).contains(&n) && (n / per).to_bits() == v.to_bits()
                }
            })
        };
        let Some(per) = [1.0, 100.0, 1e3, 1e4].into_iter().find(|per| fits(*per)) else { return Self::Plain(values) };
        let scaled = |v: &f64| if v.is_nan() { u32::MAX } else { (v * per).round() as u32 };
        Self::Scaled(per, values.iter().map(scaled).collect())
    }

    fn at(&self, slot: usize) -> Option<f64> {
        match self {
            Self::Scaled(per, values) => values.get(slot).filter(|n| **n != u32::MAX).map(|n| f64::from(*n) / per),
            Self::Plain(values) => values.get(slot).copied().filter(|v| !v.is_nan()),
        }
    }
}

#[derive(Debug)]
struct Series {
    column: Column,
    /// Points that come late: their periods in order, and how late, milliseconds.
    late: Vec<(u32, i64)>,
    extent: (i64, i64),
}

#[derive(Debug)]
struct CachedInstance {
    machine: EmulatedInstance,
    probes: Vec<Probe>,
    series: Vec<Series>,
    scheduled: Vec<Event>,
    incidents: Vec<Incident>,
}

/// A simulated fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    span: Span,
    kept: Vec<CachedInstance>,
}

impl Fleet {
    /// Simulates the fleet, on every core.
    pub(super) fn make(options: &simulate::Options, span: Span) -> Result<Self, simulate::Error> {
        options.check()?;
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
        let (send, receive) = channel();
        let mut kept: Vec<(usize, CachedInstance)> = std::thread::scope(|scope| {
            for w in 0..workers {
                let send = send.clone();
                scope.spawn(move || {
                    for i in (w..options.instances).step_by(workers) {
                        let made = simulate::instance(options, i).map(|it| (i, keep(&it, i, options.seed, span)));
                        if send.send(made).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            receive.iter().collect::<Result<_, _>>()
        })?;
        kept.sort_by_key(|(i, _)| *i);
        Ok(Self { span, kept: kept.into_iter().map(|(_, k)| k).collect() })
    }
}

fn keep(it: &SimInstance, i: usize, seed: u64, span: Span) -> CachedInstance {
    let mut kept = CachedInstance {
        machine: EmulatedInstance {
            id: it.id.clone(),
            volume: id("vol", i, mix2(seed ^ 0x701, i as u64)),
            image: format!("ami-0{:016x}", xxhash_rust::xxh64::xxh64(it.workload.as_bytes(), seed)),
            instance_type: it.instance_type,
            group: Some(it.workload.clone()),
            launched_at: it.launched_at,
            terminated_at: it.terminated_at,
        },
        probes: Vec::new(),
        series: Vec::new(),
        scheduled: it.events.iter().filter(|e| e.kind == "scheduled").cloned().collect(),
        incidents: it.incidents.clone(),
    };
    let slots = ((span.end_ms - span.start_ms) / span.step_ms) as usize;
    for s in &it.series {
        let device = match s.device {
            _ if s.namespace == "AWS/EBS" => Device::Volume,
            None => Device::Whole,
            Some(device) => Device::Path(device.strip_prefix("path=").unwrap_or(device)),
        };
        let mut values = vec![f64::NAN; slots];
        let mut late: Vec<(u32, i64)> = Vec::new();
        // Versions of a point stand in order of time: the last is what is there in the end.
        for sample in &s.samples {
            let slot = ((sample.ts - span.start_ms) / span.step_ms) as usize;
            let Some(value) = values.get_mut(slot) else { continue };
            *value = sample.value;
            // An earlier version's lateness doesn't count.
            if late.last().is_some_and(|(s, _)| *s as usize == slot) {
                late.pop();
            }
            let delay = sample.ingested_at.map_or(0, |at| at - sample.ts - span.step_ms);
            if delay > 0 {
                late.push((slot as u32, delay));
            }
        }
        let (Some(first), Some(last)) = (s.samples.first(), s.samples.last()) else { continue };
        kept.probes.push(Probe { namespace: s.namespace, metric: s.metric, stat: s.stat, device });
        kept.series.push(Series { column: Column::pack(values), late, extent: (first.ts, last.ts) });
    }
    kept
}

impl World for Fleet {
    fn span(&self) -> Span {
        self.span
    }

    fn instances(&self) -> usize {
        self.kept.len()
    }

    fn machine(&self, i: usize) -> EmulatedInstance {
        self.kept[i].machine.clone()
    }

    fn probes(&self, i: usize) -> &[Probe] {
        &self.kept[i].probes
    }

    fn extent(&self, i: usize, k: usize) -> Option<(i64, i64)> {
        self.kept[i].series.get(k).map(|s| s.extent)
    }

    fn read(&self, i: usize, k: usize, from: i64, to: i64, out: &mut Vec<Point>) {
        let Some(series) = self.kept[i].series.get(k) else { return };
        let Span { start_ms, end_ms, step_ms } = self.span;
        let slot = |t: i64| (t.clamp(start_ms, end_ms) - start_ms + step_ms - 1) / step_ms;
        let mut late = series.late.partition_point(|(s, _)| i64::from(*s) < slot(from));
        for slot in slot(from)..slot(to) {
            let mut late_ms = 0;
            if let Some((_, ms)) = series.late.get(late).filter(|(s, _)| i64::from(*s) == slot) {
                late_ms = *ms;
                late += 1;
            }
            if let Some(value) = series.column.at(slot as usize) {
                out.push(Point { ts: start_ms + slot * step_ms, value, late_ms });
            }
        }
    }

    fn scheduled(&self, i: usize) -> &[Event] {
        &self.kept[i].scheduled
    }

    fn incidents(&self, i: usize) -> &[Incident] {
        &self.kept[i].incidents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_last_version_of_every_simulated_point_to_the_bit() {
        let options = simulate::Options { instances: 4, days: 20, seed: 9, ..simulate::Options::default() };
        let day = forewarn_runtime::time::DAY_MS;
        let span = Span { start_ms: options.start_ms, end_ms: options.start_ms + 20 * day, step_ms: 300_000 };
        let fleet = Fleet::make(&options, span).unwrap();
        let (mut versions, mut late) = (0, 0);
        for i in 0..4 {
            let it = simulate::instance(&options, i).unwrap();
            assert_eq!(fleet.machine(i).id, it.id);
            for (k, s) in it.series.iter().enumerate() {
                let last: std::collections::BTreeMap<i64, _> = s.samples.iter().map(|x| (x.ts, x)).collect();
                versions += s.samples.len() - last.len();
                let mut points = Vec::new();
                let cut = span.start_ms + 7 * day + 1;
                fleet.read(i, k, 0, cut, &mut points);
                fleet.read(i, k, cut, i64::MAX / 4, &mut points);
                assert_eq!(points.len(), last.len());
                for (p, (ts, x)) in points.iter().zip(&last) {
                    let delay = x.ingested_at.map_or(0, |at| at - ts - 300_000);
                    late += usize::from(delay > 0);
                    assert_eq!((p.ts, p.value.to_bits(), p.late_ms), (*ts, x.value.to_bits(), delay.max(0)));
                }
                assert!(matches!(fleet.kept[i].series[k].column, Column::Scaled(..)), "{}", s.metric);
            }
        }
        assert!(versions > 10 && late > 10, "{versions} versions, {late} late");
    }
}
