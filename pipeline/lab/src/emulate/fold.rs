//! Folds stored points into longer periods.

/// What is kept of a period: the statistic set that AWS keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Datum {
    pub(super) n: f64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Datum {
    /// `n` samples of one value.
    pub(super) fn of(value: f64, n: f64) -> Self {
        Self { n, sum: value * n, min: value, max: value }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// A statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stat {
    Average,
    Sum,
    Minimum,
    Maximum,
    SampleCount,
}

impl Stat {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "SampleCount" => Self::SampleCount,
            _ => return None,
        })
    }

    fn of(self, d: Datum) -> f64 {
        match self {
            Self::Average => d.sum / d.n,
            Self::Sum => d.sum,
            Self::Minimum => d.min,
            Self::Maximum => d.max,
            Self::SampleCount => d.n,
        }
    }
}

/// Folds points in order of time into periods of `period_ms`, aligned to the epoch.
pub(super) fn fold(points: impl Iterator<Item = (i64, Datum)>, period_ms: i64, stat: Stat, out: &mut Vec<(i64, f64)>) {
    let mut open: Option<(i64, Datum)> = None;
    for (ts, d) in points {
        let start = ts - ts.rem_euclid(period_ms);
        match &mut open {
            Some((at, sum)) if *at == start => sum.add(d),
            Some((at, sum)) => {
                out.push((*at, stat.of(*sum)));
                (*at, *sum) = (start, d);
            }
            None => open = Some((start, d)),
        }
    }
    out.extend(open.map(|(at, sum)| (at, stat.of(sum))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statistic_of_a_longer_period_is_its_own() {
        let points = [(0, 1.0), (60_000, 2.0), (240_000, 6.0), (300_000, 5.0)];
        let expected = [
            (Stat::Average, [3.0, 5.0]),
            (Stat::Sum, [9.0, 5.0]),
            (Stat::Minimum, [1.0, 5.0]),
            (Stat::Maximum, [6.0, 5.0]),
            (Stat::SampleCount, [3.0, 1.0]),
        ];
        for (stat, [a, b]) in expected {
            let mut out = Vec::new();
            fold(points.iter().map(|(t, v)| (*t, Datum::of(*v, 1.0))), 300_000, stat, &mut out);
            assert_eq!(out, [(0, a), (300_000, b)], "{stat:?}");
        }
    }

    #[test]
    fn a_point_in_its_own_period_keeps_its_value_to_the_bit() {
        for stat in [Stat::Average, Stat::Sum, Stat::Minimum, Stat::Maximum] {
            let mut out = Vec::new();
            fold([(300_000, Datum::of(0.1, 1.0))].into_iter(), 300_000, stat, &mut out);
            assert_eq!(out, [(300_000, 0.1)]);
        }
    }
}
