//! A world of any size that takes no memory: every value is computed from the seed, the series and the time.

use super::hash::{mix, mix2, unit};
use super::world::{Device, EmulatedInstance, Point, Probe, Span, World, id};

/// Says what a hashed world holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hashed {
    /// Series of each instance, at most [`Hashed::MOST_SERIES`].
    pub series: usize,
    /// Share of the instances that end within the range.
    pub terminated: f64,
    /// Share of the instances that are launched within the range.
    pub launched: f64,
}

impl Hashed {
    /// How many series an instance can have.
    pub const MOST_SERIES: usize = PROBES.len();
}

impl Default for Hashed {
    fn default() -> Self {
        Self { series: 9, terminated: 0.0, launched: 0.0 }
    }
}

const EC2: &str = "AWS/EC2";
const AGENT: &str = "CWAgent";

const fn probe(namespace: &'static str, metric: &'static str, stat: &'static str, device: Device) -> Probe {
    Probe { namespace, metric, stat, device }
}

/// The series, the first nine first.
const PROBES: [Probe; 16] = [
    probe(EC2, "CPUUtilization", "Average", Device::Whole),
    probe(EC2, "StatusCheckFailed", "Maximum", Device::Whole),
    probe("AWS/EBS", "VolumeQueueLength", "Average", Device::Volume),
    probe(AGENT, "mem_used_percent", "Average", Device::Whole),
    probe(AGENT, "disk_used_percent", "Average", Device::Path("/")),
    probe(AGENT, "disk_used_percent", "Average", Device::Path("/data")),
    probe(AGENT, "cpu_usage_steal", "Average", Device::Whole),
    probe(AGENT, "cpu_usage_iowait", "Average", Device::Whole),
    probe(AGENT, "net_drop_in", "Sum", Device::Whole),
    probe(EC2, "CPUCreditBalance", "Average", Device::Whole),
    probe(EC2, "EBSIOBalance%", "Average", Device::Whole),
    probe(EC2, "StatusCheckFailed_System", "Maximum", Device::Whole),
    probe(EC2, "StatusCheckFailed_Instance", "Maximum", Device::Whole),
    probe("AWS/EBS", "BurstBalance", "Average", Device::Volume),
    probe(AGENT, "ethtool_bw_in_allowance_exceeded", "Sum", Device::Whole),
    probe(AGENT, "disk_used_percent", "Average", Device::Path("/var")),
];

const TYPES: [&str; 4] = ["m6i.large", "c6i.xlarge", "r6i.large", "t3.medium"];

/// Instances of a group.
const GROUP: usize = 16;

const DAY_MS: i64 = 86_400_000;

/// Of a thousand points, how many are missing by themselves.
const MISSING: u64 = 3;

/// What a number is drawn for, so that no two draws share their bits.
#[derive(Debug, Clone, Copy)]
enum Draw {
    Id = 1,
    Volume,
    Ends,
    End,
    Begins,
    Begin,
    Age,
    Hole,
}

#[derive(Debug)]
pub(super) struct HashedWorld {
    seed: u64,
    instances: usize,
    span: Span,
    gaps: bool,
    what: Hashed,
}

impl HashedWorld {
    pub(super) fn new(seed: u64, instances: usize, span: Span, gaps: bool, what: Hashed) -> Self {
        Self { seed, instances, span, gaps, what }
    }

    fn draw(&self, what: Draw, i: usize) -> u64 {
        mix2(mix2(self.seed, what as u64), i as u64)
    }

    /// When instance `i` was launched, and when it ends, if it does.
    fn life(&self, i: usize) -> (i64, Option<i64>) {
        let (start, length) = (self.span.start_ms, (self.span.end_ms - self.span.start_ms) as f64);
        let second = |ms: f64| ms as i64 / 1000 * 1000;
        let launched = if unit(self.draw(Draw::Begins, i)) < self.what.launched {
            start + second(length * 0.5 * unit(self.draw(Draw::Begin, i)))
        } else {
            start - second(90.0 * DAY_MS as f64 * unit(self.draw(Draw::Age, i))) - 1000
        };
        let from = launched.max(start);
        let left = (self.span.end_ms - from) as f64;
        let ends = unit(self.draw(Draw::Ends, i)) < self.what.terminated;
        let end = ends.then(|| from + second(left * (0.05 + 0.9 * unit(self.draw(Draw::End, i)))));
        (launched, end)
    }

    fn series(&self, i: usize, k: usize) -> u64 {
        mix2(mix(self.seed), ((i as u64) << 8) | k as u64)
    }

    /// The hours without any point on a day, if there are any.
    fn hole(&self, series: u64, day: i64) -> (i64, i64) {
        let bits = mix2(series, (Draw::Hole as u64) << 48 | day as u64);
        if !self.gaps || !bits.is_multiple_of(40) {
            return (0, 0);
        }
        let from = day * DAY_MS + ((bits >> 32) % 86_400) as i64 * 1000;
        (from, from + (600 + (bits >> 8) % 10_000) as i64 * 1000)
    }
}

impl World for HashedWorld {
    fn span(&self) -> Span {
        self.span
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn machine(&self, i: usize) -> EmulatedInstance {
        let (launched_at, terminated_at) = self.life(i);
        let group = i / GROUP;
        EmulatedInstance {
            id: id("i", i, self.draw(Draw::Id, i)),
            volume: id("vol", i, self.draw(Draw::Volume, i)),
            image: format!("ami-0{:016x}", mix2(self.seed, group as u64)),
            instance_type: TYPES[group % TYPES.len()],
            group: (group % 8 != 7).then(|| format!("asg-{group}")),
            launched_at,
            terminated_at,
        }
    }

    fn probes(&self, _: usize) -> &[Probe] {
        &PROBES[..self.what.series]
    }

    fn extent(&self, i: usize, _: usize) -> Option<(i64, i64)> {
        let (launched, end) = self.life(i);
        let step = self.span.step_ms;
        let first = launched.max(self.span.start_ms);
        let first = first + (self.span.start_ms - first).rem_euclid(step);
        let last = end.unwrap_or(self.span.end_ms).min(self.span.end_ms) - 1;
        let last = last - (last - self.span.start_ms).rem_euclid(step);
        (first <= last).then_some((first, last))
    }

    fn read(&self, i: usize, k: usize, from: i64, to: i64, out: &mut Vec<Point>) {
        let Some((first, last)) = self.extent(i, k) else { return };
        let step = self.span.step_ms;
        let from = from.max(first);
        let mut ts = from + (first - from).rem_euclid(step);
        let to = to.min(last + 1);
        let series = self.series(i, k);
        let shape = Shape::of(k, series);
        // Divisions cost more than all the rest: the day is looked at only as it changes.
        let (mut midnight, mut hole) = (i64::MIN, (0, 0));
        while ts < to {
            if midnight == i64::MIN || ts - midnight >= DAY_MS {
                let day = ts.div_euclid(DAY_MS);
                midnight = day * DAY_MS;
                hole = self.hole(series, day);
            }
            let bits = mix2(series, ts as u64);
            let missing = self.gaps && (bits % 1000 < MISSING || (hole.0..hole.1).contains(&ts));
            if !missing {
                out.push(Point { ts, value: shape.value(ts - midnight, bits), late_ms: 0 });
            }
            ts += step;
        }
    }
}

/// How the values of a series lie: a level, a daily swing, and noise; or rare ones among zeros.
#[derive(Debug, Clone, Copy)]
struct Shape {
    level: f64,
    swing: f64,
    noise: f64,
    /// One in so many points is 1, the others 0; 0 where values are not of this kind.
    rare: u64,
    shift: i64,
}

impl Shape {
    fn of(k: usize, series: u64) -> Self {
        let u = unit(mix2(series, 1));
        let shift = (mix2(series, 2) % 86_400) as i64 * 1000;
        let (level, swing, noise) = match PROBES[k].metric {
            "CPUUtilization" => (10.0 + 50.0 * u, 15.0, 8.0),
            "mem_used_percent" => (30.0 + 50.0 * u, 4.0, 1.0),
            "disk_used_percent" => (20.0 + 60.0 * u, 0.5, 0.2),
            "VolumeQueueLength" | "cpu_usage_steal" | "cpu_usage_iowait" => (0.1 + u, 0.3, 0.5),
            "CPUCreditBalance" => (200.0 + 300.0 * u, 50.0, 5.0),
            "EBSIOBalance%" | "BurstBalance" => (95.0, 3.0, 2.0),
            _ => (0.0, 0.0, 0.0),
        };
        let rare = match PROBES[k].stat {
            "Maximum" => 2000,
            "Sum" => 50,
            _ => 0,
        };
        Self { level, swing, noise, rare, shift }
    }

    fn value(self, since_midnight: i64, bits: u64) -> f64 {
        if self.rare > 0 {
            return f64::from(u8::from((bits >> 16).is_multiple_of(self.rare)));
        }
        // A triangle over the day: a sine would cost more than all the rest.
        let moved = since_midnight + self.shift;
        let phase = (if moved >= DAY_MS { moved - DAY_MS } else { moved }) as f64 / DAY_MS as f64;
        let day = 1.0 - 4.0 * (phase - 0.5).abs();
        let value = self.level + self.swing * day + self.noise * (unit(bits) - 0.5);
        // Through an integer, so that a value is the nearest float to its decimal text.
        (value.max(0.0) * 1000.0 + 0.5) as i64 as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(terminated: f64, gaps: bool) -> HashedWorld {
        let span = Span { start_ms: 1_767_225_600_000, end_ms: 1_767_225_600_000 + 2 * DAY_MS, step_ms: 300_000 };
        HashedWorld::new(5, 300, span, gaps, Hashed { series: 16, terminated, launched: 0.2 })
    }

    fn all(w: &HashedWorld, i: usize, k: usize) -> Vec<Point> {
        let mut out = Vec::new();
        w.read(i, k, i64::MIN / 4, i64::MAX / 4, &mut out);
        out
    }

    #[test]
    fn parts_of_a_range_are_the_whole() {
        let w = world(0.5, true);
        for (i, k) in [(0, 0), (7, 3), (299, 15)] {
            let whole = all(&w, i, k);
            let mut parts = Vec::new();
            let cut = w.span.start_ms + DAY_MS + 123_456;
            w.read(i, k, 0, cut, &mut parts);
            w.read(i, k, cut, w.span.end_ms, &mut parts);
            assert_eq!(whole, parts);
            assert!(whole.iter().all(|p| p.value.is_finite() && (p.ts - w.span.start_ms) % w.span.step_ms == 0));
        }
    }

    #[test]
    fn without_gaps_every_period_of_a_life_has_a_point() {
        let w = world(0.5, false);
        let mut ended = 0;
        for i in 0..w.instances {
            let (first, last) = w.extent(i, 0).unwrap();
            let points = all(&w, i, 0);
            assert_eq!(points.len() as i64, (last - first) / w.span.step_ms + 1);
            assert_eq!((points[0].ts, points[points.len() - 1].ts), (first, last));
            let machine = w.machine(i);
            assert!(first >= machine.launched_at && first - machine.launched_at.max(w.span.start_ms) < w.span.step_ms);
            if let Some(end) = machine.terminated_at {
                ended += 1;
                assert!(last < end && end - last <= w.span.step_ms && end < w.span.end_ms);
            }
        }
        assert!((110..190).contains(&ended), "{ended}");
        let gappy = world(0.5, true);
        let (with, without) = (0..300).fold((0, 0), |(a, b), i| (a + all(&gappy, i, 3).len(), b + all(&w, i, 3).len()));
        assert!(with < without && with * 100 > without * 97, "{with} of {without}");
    }
}
