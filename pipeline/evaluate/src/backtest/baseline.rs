//! What people use today, on the same rows: a static threshold, `predict_linear` over six hours, and the scorer of the
//! system that forewarn grew out of.
//!
//! Definitions are those of the yardstick's `baselines.py`, on signals instead of metric names: of several series of a signal
//! the worst counts. Each sees at a time the samples that were available then, and no other. A signal without a sample
//! stays silent.

use super::records::Verdict;
use crate::replay::Steps;
use forewarn_domain::signal::{SIGNALS, Signal};
use forewarn_domain::time::HOUR_MS;
use forewarn_rules::series::Series;

/// The baselines' names, in the order of their verdicts.
pub(super) const BASELINES: [&str; 3] = ["static threshold", "predict_linear 6 h", "source's scorer"];

const QUARTER_MS: i64 = 15 * 60_000;
/// The source's score from which it raised an alarm.
const SCORER_HIGH: f64 = 0.8;
/// Credits below which the source warned, and a static alarm fires.
const CREDITS: (f64, f64) = (100.0, 20.0);
/// Failed checks in 24 hours that raise an alarm.
const FAILED_CHECKS: f64 = 3.0;

/// Gives every baseline's verdict at every step, from an instance's normalised tracks.
pub(super) fn verdicts(tracks: &[(Series, bool)], steps: Steps, delay_ms: i64) -> Vec<Verdict> {
    let mut known: Vec<Known<'_>> =
        tracks.iter().filter_map(|(t, _)| Kind::of(t.signal).map(|kind| Known::new(t, kind, delay_ms))).collect();
    let mut out = vec![Verdict::default(); BASELINES.len()];
    for as_of in steps.times() {
        let mut severity = [0.0_f64; SIGNALS.len()];
        let (mut threshold, mut linear) = (false, false);
        for series in &mut known {
            series.advance(as_of);
            let said = series.look(as_of);
            let held = &mut severity[series.track.signal as usize];
            *held = held.max(said.severity);
            threshold |= said.threshold;
            linear |= said.linear;
        }
        let score = combined(severity);
        for (verdict, (p, high)) in out.iter_mut().zip([
            (f64::from(u8::from(threshold)), threshold),
            (f64::from(u8::from(linear)), linear),
            (score, score >= SCORER_HIGH),
        ]) {
            verdict.push(p, high);
        }
    }
    out
}

/// The source's weighted sum of the three worst severities.
fn combined(mut severity: [f64; SIGNALS.len()]) -> f64 {
    severity.sort_unstable_by(|a, b| b.total_cmp(a));
    match severity.iter().filter(|s| **s > 0.0).count() {
        0 | 1 => severity[0],
        2 => severity[0] * 0.6 + severity[1] * 0.4,
        _ => severity[0] * 0.5 + severity[1] * 0.3 + severity[2] * 0.2,
    }
}

/// How a signal is judged.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// More is worse: warning, critical, and the level that a line must reach.
    Up {
        warning: f64,
        critical: f64,
        cap: f64,
    },
    Credits,
    Status,
}

impl Kind {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the baselines know these signals and no other")]
    fn of(signal: Signal) -> Option<Self> {
        let up = |cap: f64| {
            let spec = signal.spec();
            Some(Self::Up { warning: spec.warning, critical: spec.critical, cap })
        };
        match signal {
            Signal::Steal => up(30.0),
            Signal::Iowait => up(60.0),
            Signal::Memory | Signal::Disk => up(100.0),
            Signal::Queue | Signal::NetDrop => up(signal.spec().critical),
            Signal::Credits => Some(Self::Credits),
            Signal::Status => Some(Self::Status),
            _ => None,
        }
    }
}

/// What one series makes the baselines say.
#[derive(Debug, Default, PartialEq)]
struct BaselineVerdicts {
    severity: f64,
    threshold: bool,
    linear: bool,
}

/// A series as it is known at a time that moves forward.
struct Known<'a> {
    track: &'a Series,
    kind: Kind,
    /// (when it became available, sample), in this order.
    arrivals: Vec<(i64, u32)>,
    arrived: usize,
    /// Distinct times, and the place of each sample among them.
    ts: Vec<i64>,
    place: Vec<u32>,
    /// The newest version known of each time; NaN where none is.
    value: Vec<f64>,
    version: Vec<u32>,
    first_hour: i64,
    /// Mean of each clock hour's known samples; NaN where there are none.
    hours: Vec<f64>,
}

impl<'a> Known<'a> {
    fn new(track: &'a Series, kind: Kind, delay_ms: i64) -> Self {
        let mut ts: Vec<i64> = Vec::with_capacity(track.ts.len());
        let mut place = Vec::with_capacity(track.ts.len());
        for &t in &track.ts {
            if ts.last() != Some(&t) {
                ts.push(t);
            }
            place.push(ts.len() as u32 - 1);
        }
        let mut arrivals: Vec<(i64, u32)> =
            (0..track.ts.len()).map(|i| (track.available_at(i, delay_ms), i as u32)).collect();
        arrivals.sort_unstable();
        let hour = |t: i64| t.div_euclid(HOUR_MS);
        let first_hour = ts.first().map_or(0, |t| hour(*t));
        let hours = ts.last().map_or(0, |t| hour(*t) - first_hour + 1);
        Self {
            track,
            kind,
            arrivals,
            arrived: 0,
            value: vec![f64::NAN; ts.len()],
            version: vec![0; ts.len()],
            ts,
            place,
            first_hour,
            hours: vec![f64::NAN; usize::try_from(hours).unwrap_or(0)],
        }
    }

    /// Takes up what has become available by `as_of`. Of one time the later sample wins, as tracks are in order of versions.
    fn advance(&mut self, as_of: i64) {
        let mut stale: Option<usize> = None;
        while let Some(&(_, i)) = self.arrivals.get(self.arrived).filter(|a| a.0 <= as_of) {
            self.arrived += 1;
            let place = self.place[i as usize] as usize;
            if !self.value[place].is_nan() && i < self.version[place] {
                continue;
            }
            let hour = (self.ts[place].div_euclid(HOUR_MS) - self.first_hour) as usize;
            if stale.is_some_and(|s| s != hour) {
                self.settle(stale);
            }
            stale = Some(hour);
            self.value[place] = self.track.value[i as usize].mul_add(self.track.scale, self.track.offset);
            self.version[place] = i;
        }
        self.settle(stale);
    }

    fn settle(&mut self, hour: Option<usize>) {
        let Some(hour) = hour else { return };
        let begin = (self.first_hour + hour as i64) * HOUR_MS;
        let known = self.between(begin, begin + HOUR_MS);
        let (sum, n) = known.fold((0.0, 0.0), |(sum, n), (_, v)| (sum + v, n + 1.0));
        self.hours[hour] = sum / n;
    }

    /// Gives (time, value) of the samples known in `[from, to)`.
    fn between(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, f64)> + '_ {
        let range = self.ts.partition_point(|t| *t < from)..self.ts.partition_point(|t| *t < to);
        self.ts[range.clone()].iter().copied().zip(self.value[range].iter().copied()).filter(|(_, v)| !v.is_nan())
    }

    /// The mean of the clock hours that start in the `span` before `as_of`; NaN where none has a sample.
    fn mean(&self, as_of: i64, span: i64) -> f64 {
        let at = |t: i64| (t + HOUR_MS - 1).div_euclid(HOUR_MS) - self.first_hour;
        let clamp = |h: i64| h.clamp(0, self.hours.len() as i64) as usize;
        let hours = &self.hours[clamp(at(as_of - span))..clamp(at(as_of))];
        let (sum, n) = hours.iter().filter(|h| !h.is_nan()).fold((0.0, 0.0), |(sum, n), h| (sum + h, n + 1.0));
        sum / n
    }

    fn look(&self, as_of: i64) -> BaselineVerdicts {
        if let Kind::Status = self.kind {
            let failed: f64 = self.between(as_of - 24 * HOUR_MS, as_of).map(|(_, v)| v).sum();
            let failing = failed >= FAILED_CHECKS;
            return BaselineVerdicts { severity: f64::from(u8::from(failing)), threshold: failing, linear: false };
        }
        let (recent, usual) = (self.mean(as_of, 24 * HOUR_MS), self.mean(as_of, 168 * HOUR_MS));
        let (sum, n) = self.between(as_of - QUARTER_MS, as_of).fold((0.0, 0.0), |(sum, n), (_, v)| (sum + v, n + 1.0));
        // Nothing known compares as false everywhere.
        let last: f64 = sum / n;
        let six_hours = || self.between(as_of - 6 * HOUR_MS, as_of);
        match self.kind {
            Kind::Up { warning, critical, cap } => {
                let level: f64 = if recent >= critical {
                    0.8
                } else if recent >= warning {
                    0.4
                } else {
                    0.0
                };
                let rising = if recent > usual * 1.2 { 1.2 } else { 1.0 };
                BaselineVerdicts {
                    severity: (level * rising).min(1.0),
                    threshold: last >= critical,
                    linear: last >= warning && last + 24.0 * slope_per_hour(six_hours()) >= cap,
                }
            }
            Kind::Credits => {
                let falling = if recent < usual * 0.8 { 1.2 } else { 1.0 };
                let first = six_hours().next().map_or(f64::NAN, |(_, v)| v);
                BaselineVerdicts {
                    severity: if recent < CREDITS.0 { 0.4 * falling } else { 0.0 },
                    threshold: last < CREDITS.1,
                    linear: last < CREDITS.0 && last + 4.0 * (last - first) <= 0.0,
                }
            }
            Kind::Status => BaselineVerdicts::default(),
        }
    }
}

/// The least-squares slope, per hour; 0 where the times don't spread.
fn slope_per_hour(points: impl Iterator<Item = (i64, f64)>) -> f64 {
    let mut origin = None;
    let (mut n, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (t, y) in points {
        let x = (t - *origin.get_or_insert(t)) as f64 / HOUR_MS as f64;
        n += 1.0;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    let spread = n * sxx - sx * sx;
    if spread > 1e-9 { (n * sxy - sx * sy) / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_domain::signal::Reading;

    const DELAY: i64 = 300_000;

    fn track(signal: Signal, hours: i64, value: impl Fn(f64) -> f64) -> (Series, bool) {
        let mut track = Series::new(signal, Reading::AsIs, "m", "Average", None, 300);
        let ts: Vec<i64> = (0..hours * 12).map(|i| i * 300_000).collect();
        let values: Vec<f64> = ts.iter().map(|t| value(*t as f64 / HOUR_MS as f64)).collect();
        track.extend(&ts, &values, None, None);
        let is_unique_sorted = track.normalise(DELAY);
        (track, is_unique_sorted)
    }

    fn said(tracks: &[(Series, bool)], hour: i64) -> Vec<(f64, bool)> {
        let steps = Steps { from: hour * HOUR_MS, to: hour * HOUR_MS + 1, step: HOUR_MS };
        verdicts(tracks, steps, DELAY).iter().map(|v| (v.p[0], v.high[0])).collect()
    }

    #[test]
    fn a_level_past_critical_raises_the_threshold_and_the_scorer() {
        let steady = [track(Signal::Disk, 200, |_| 92.0)];
        assert_eq!(said(&steady, 190), [(1.0, true), (0.0, false), (0.8, true)]);
        // 24 h at 92 after a week at 50: 0.8 x 1.2, and two signals weigh 0.6 and 0.4.
        let rising = track(Signal::Disk, 200, |h| if h < 166.0 { 50.0 } else { 92.0 });
        let warned = track(Signal::Memory, 200, |_| 86.0);
        let found = said(&[rising, warned], 190)[2];
        assert!((found.0 - (0.6 * 0.96 + 0.4 * 0.4)).abs() < 1e-12 && !found.1, "{found:?}");
    }

    #[test]
    fn a_line_is_drawn_through_six_hours_and_a_day_ahead() {
        let fills = |per_hour: f64| [track(Signal::Disk, 200, move |h| 85.0 + (h - 180.0) * per_hour)];
        assert!(said(&fills(0.7), 182)[1].1, "86.4 + 24 x 0.7 is past 100");
        assert!(!said(&fills(0.5), 182)[1].1);
        assert!(!said(&[track(Signal::Disk, 200, |h| 70.0 + (h - 180.0) * 5.0)], 181)[1].1, "not past warning yet");
        let credits = |per_hour: f64| [track(Signal::Credits, 200, move |h| 60.0 - (h - 180.0) * per_hour)];
        assert!(said(&credits(5.0), 182)[1].1);
        assert!(!said(&credits(0.1), 182)[1].1);
    }

    #[test]
    fn three_failed_checks_in_a_day_are_an_alarm() {
        let failing = |n: f64| {
            [track(Signal::Status, 200, move |h| f64::from(u8::from((170.0..170.0 + n / 12.0 - 0.01).contains(&h))))]
        };
        assert_eq!(said(&failing(3.0), 190)[0], (1.0, true));
        assert_eq!(said(&failing(2.0), 190)[0], (0.0, false));
    }

    #[test]
    fn what_comes_later_is_not_seen_and_silence_says_nothing() {
        let jump = [track(Signal::Disk, 200, |h| if h < 190.0 { 50.0 } else { 99.0 })];
        assert_eq!(said(&jump, 190), [(0.0, false); 3]);
        assert!(said(&jump, 191)[0].1);
        assert_eq!(said(&jump, 400), [(0.0, false); 3]);
        // A revised version counts from when it came in.
        let mut track = Series::new(Signal::Disk, Reading::AsIs, "m", "Average", None, 300);
        track.extend(&[0, 0], &[50.0, 99.0], Some(&[400_000, 700_000]), None);
        let is_unique_sorted = track.normalise(DELAY);
        let steps = Steps { from: 350_000, to: 800_001, step: 150_000 };
        let found = verdicts(&[(track, is_unique_sorted)], steps, DELAY);
        assert_eq!(found[0].high, [false, false, false, true]);
    }
}
