//! A forecast of how bad the hours to come will get, made of simple forecasts that are held against what came.
//!
//! Each expert says how high the worst hour of a day to come will lie: as high as the worst of the last day, higher by the change from
//! day to day, or as far as the trend of the last 12, 24 or 48 hours leads, on and on or ever more slowly. Each has said so before,
//! and the errors it made, the newest most, are its spread: it is a Brownian motion that drifts as the expert says and wanders as
//! the expert errs, whose first passage of a level is known ([`crate::passage`]). Experts are mixed by their precision, the
//! inverse of the mean squared error; Bates & Granger (1969), "The combination of forecasts".

use crate::passage::cdf;

/// Hours that the experts' errors are taken over.
pub const AHEAD: usize = 24;

/// Hours between two earlier forecasts that are held against what came, and how many of them.
const STRIDE: usize = 3;
const ORIGINS: usize = 24;
/// What an error counts for beside the next newer one: e^(-1/8), a third of it after a day.
const FADED: f64 = 0.882_496_902_584_595_4;
/// Errors that are enough to know a spread by; what is missing is filled with how much the series varies.
const ENOUGH: f64 = 4.0;
/// The fewest known hours of a day whose worst hour is taken for the day's.
const LEAST_HOURS: usize = 12;
/// Days that a passage is looked for in.
const MOST_HOURS: f64 = 60.0 * 24.0;
const HALVINGS: usize = 12;
/// A trend goes on at most so many times as fast as in the last hours.
const STILL_GOING: f64 = 3.0;
/// Standard deviations beyond which a level is out of reach.
const OUT_OF_REACH: f64 = 8.0;

const EXPERTS: usize = 7;

/// How an expert's trend goes on: the share of it that is left after an hour; 1 when all is.
const KEPT: [f64; EXPERTS] = [1.0, 1.0, 1.0, 1.0, 1.0, 0.95, 0.97];

/// The forecast of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    experts: [Option<Expert>; EXPERTS],
}

/// What one expert says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expert {
    /// What it starts from.
    base: f64,
    /// How fast it moves at first, an hour; never away from what is worse.
    slope: f64,
    /// The share of the slope that is left after an hour.
    kept: f64,
    /// The root mean square of its errors a day ahead.
    spread: f64,
    /// Its share of the mixture.
    weight: f64,
}

impl Forecast {
    /// Makes the forecast of a series of hours, turned so that greater is worse, from the hour after its last one; NaN is a missing hour.
    /// No expert is surer than `least_spread`. None when nothing of the last hours is known.
    pub fn of(hourly: &[f64], least_spread: f64) -> Option<Self> {
        let history = History::new(hourly);
        let end = history.hourly.len();
        let said = history.says(end);
        let ahead = KEPT.map(|kept| travelled(1.0, kept, AHEAD as f64));
        let mut squares = [0.0; EXPERTS];
        let mut weights = [0.0; EXPERTS];
        let mut weight = 1.0 / FADED;
        for k in 0..ORIGINS {
            weight *= FADED;
            let Some(origin) = end.checked_sub(AHEAD + k * STRIDE) else { break };
            let Some(came) = history.worst(origin, origin + AHEAD) else { continue };
            for (e, (base, slope)) in history.says(origin).into_iter().enumerate() {
                let error = came - slope.mul_add(ahead[e], base);
                if error.is_finite() {
                    squares[e] += weight * error * error;
                    weights[e] += weight;
                }
            }
        }
        let varies = history.variance();
        let mut experts = [None; EXPERTS];
        let mut sum = 0.0;
        for (e, (base, slope)) in said.into_iter().enumerate() {
            if !(base.is_finite() && slope.is_finite()) {
                continue;
            }
            let missing = (ENOUGH - weights[e]).max(0.0);
            let square = missing.mul_add(varies, squares[e]) / (weights[e] + missing);
            let spread = square.sqrt().max(least_spread);
            let weight = (spread * spread).recip();
            sum += weight;
            experts[e] = Some(Expert { base, slope, kept: KEPT[e], spread, weight });
        }
        for expert in experts.iter_mut().flatten() {
            expert.weight /= sum;
        }
        (sum > 0.0).then_some(Self { experts })
    }

    /// Gives the probability that an hour within the next `hours` is as bad as `level` or worse.
    pub fn passes(&self, level: f64, hours: f64) -> f64 {
        let said = self.experts.iter().flatten();
        said.map(|e| e.weight * e.passes(level, hours)).sum::<f64>().clamp(0.0, 1.0)
    }

    /// Gives the probabilities of [`Forecast::passes`] within 24, 72 and 168 hours; none falls below the one before.
    pub fn by_horizon(&self, level: f64) -> [f64; 3] {
        let mut p = 0.0_f64;
        [24.0, 72.0, 168.0].map(|hours| {
            p = p.max(self.passes(level, hours));
            p
        })
    }

    /// Gives the hours within which the level is passed with each of these rising probabilities; None beyond 60 days. `known` is what
    /// [`Forecast::by_horizon`] says of the level.
    pub fn quantiles<const N: usize>(&self, level: f64, known: [f64; 3], p: [f64; N]) -> [Option<f64>; N] {
        let [q24, q72, q168] = known;
        let last = q168.max(self.passes(level, MOST_HOURS));
        let known = [(0.0, 0.0), (24.0, q24), (72.0, q72), (168.0, q168), (MOST_HOURS, last)];
        p.map(|p| {
            let after = known.iter().position(|(_, reached)| *reached >= p)?;
            let (mut low, mut high) = (known[after.saturating_sub(1)].0, known[after].0);
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(low, high);
                if self.passes(level, middle) >= p {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            Some(high)
        })
    }
}

impl Expert {
    fn passes(&self, level: f64, hours: f64) -> f64 {
        let gap = level - self.base;
        let travelled = travelled(self.slope, self.kept, hours);
        let sigma = self.spread / (AHEAD as f64).sqrt();
        if gap - travelled > OUT_OF_REACH * sigma * hours.sqrt() {
            return 0.0;
        }
        cdf(gap, travelled / hours, sigma, hours)
    }
}

/// How far a trend leads in so many hours: the sum of a slope of which a share is kept from hour to hour.
fn travelled(slope: f64, kept: f64, hours: f64) -> f64 {
    if kept < 1.0 { slope * kept * (1.0 - kept.powf(hours)) / (1.0 - kept) } else { slope * hours }
}

/// A series with what means and worst hours of its parts are taken from.
struct History<'a> {
    hourly: &'a [f64],
    /// Sums and numbers of the known hours before each hour.
    sums: [(f64, f64); LONGEST + 1],
    /// The worst known hour, and how many are known, of each [`STRIDE`] of hours, counted from the end.
    worst: [(f64, usize); LONGEST / STRIDE],
}

/// The most hours that are looked at, the newest.
const LONGEST: usize = 168;

impl<'a> History<'a> {
    fn new(hourly: &'a [f64]) -> Self {
        let hourly = &hourly[hourly.len().saturating_sub(LONGEST)..];
        let mut sums = [(0.0, 0.0); LONGEST + 1];
        for (i, v) in hourly.iter().enumerate() {
            let (sum, n) = sums[i];
            sums[i + 1] = if v.is_finite() { (sum + v, n + 1.0) } else { (sum, n) };
        }
        let mut worst = [(f64::NEG_INFINITY, 0); LONGEST / STRIDE];
        for (worst, hours) in worst.iter_mut().zip(hourly.rchunks(STRIDE)) {
            for v in hours.iter().filter(|v| v.is_finite()) {
                *worst = (worst.0.max(*v), worst.1 + 1);
            }
        }
        Self { hourly, sums, worst }
    }

    /// Mean of the known hours from `from` to before `to`; NaN when there is none, or the series begins later.
    fn mean(&self, from: Option<usize>, to: usize) -> f64 {
        let Some(from) = from else { return f64::NAN };
        let ((before, fewer), (sum, n)) = (self.sums[from], self.sums[to]);
        (sum - before) / (n - fewer)
    }

    /// The worst of the known hours from `from` to before `to`, which both lie whole strides before the end; None when too few are known.
    fn worst(&self, from: usize, to: usize) -> Option<f64> {
        let end = self.hourly.len();
        let strides = &self.worst[(end - to) / STRIDE..(end - from) / STRIDE];
        let (worst, n) = strides.iter().fold((f64::NEG_INFINITY, 0), |(w, n), (v, m)| (v.max(w), n + m));
        (n >= LEAST_HOURS).then_some(worst)
    }

    /// How much the last day lies above the one before, stride by stride: the mean or the median, whichever is less; NaN where less than
    /// half of them are known.
    fn daily_change(&self, origin: usize) -> f64 {
        let Some(from) = origin.checked_sub(2 * AHEAD) else { return f64::NAN };
        let mut changes = [0.0; AHEAD / STRIDE];
        let (mut known, mut sum) = (0, 0.0);
        for start in (from..from + AHEAD).step_by(STRIDE) {
            let stride = |start: usize| self.mean(Some(start), start + STRIDE);
            let change = stride(start + AHEAD) - stride(start);
            if change.is_finite() {
                (changes[known], known, sum) = (change, known + 1, sum + change);
            }
        }
        if 2 * known < changes.len() {
            return f64::NAN;
        }
        changes[..known].sort_unstable_by(f64::total_cmp);
        changes[known / 2].min(sum / known as f64)
    }

    /// Variance of the known hours.
    fn variance(&self) -> f64 {
        let (sum, n) = self.sums[self.hourly.len()];
        let mean = sum / n;
        let known = self.hourly.iter().filter(|v| v.is_finite());
        known.map(|v| (v - mean) * (v - mean)).sum::<f64>() / n
    }

    /// What each expert says at `origin`, a whole number of strides before the end, of what comes from then on: base and slope; NaN where
    /// it knows too little.
    fn says(&self, origin: usize) -> [(f64, f64); EXPERTS] {
        let back = |hours: usize| origin.checked_sub(hours);
        let now = self.mean(back(2), origin);
        let day = back(AHEAD).and_then(|from| self.worst(from, origin)).unwrap_or(f64::NAN);
        // A trend that has stopped in the last hours leads nowhere: what jumped and stays is no trend.
        let going = (now - self.mean(back(4), back(2).unwrap_or(0))) / 2.0;
        // From the mean of the first third (or quarter) of the hours to that of the last.
        let trend = |hours: usize, part: usize| {
            let first = self.mean(back(hours), back(hours - part).unwrap_or(0));
            let slope = (self.mean(back(part), origin) - first) / (hours - part) as f64;
            if going.is_nan() { slope } else { slope.min(STILL_GOING * going) }
        };
        let change = self.daily_change(origin) / AHEAD as f64;
        let rising = |slope: f64| if slope < 0.0 { 0.0 } else { slope };
        let [half_day, one_day, two_days] = [trend(12, 4), trend(24, 8), trend(48, 12)].map(rising);
        [
            (day, 0.0),
            (day, rising(change)),
            (now, half_day),
            (now, one_day),
            (now, two_days),
            (now, half_day),
            (now, one_day),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Noise without a random number generator: a fixed hash of the hour, uniform in -1..1.
    fn noise(i: usize) -> f64 {
        let mut h = i as u64 ^ 0x9e37_79b9_7f4a_7c15;
        h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((h >> 11) as f64 / (1_u64 << 52) as f64) - 1.0
    }

    fn forecast(value: impl Fn(usize) -> f64) -> Forecast {
        Forecast::of(&(0..168).map(value).collect::<Vec<_>>(), 0.2).unwrap()
    }

    fn rhythm(i: usize) -> f64 {
        15.0 * (i as f64 * std::f64::consts::TAU / 24.0).sin()
    }

    #[test]
    fn a_ramp_arrives_when_it_is_due() {
        // 5 % a day from 40 %: 75 % at the end, 99 % in 115 hours.
        let ramp = forecast(|i| 40.0 + 5.0 * i as f64 / 24.0 + 0.3 * noise(i));
        let p = ramp.by_horizon(99.0);
        assert!(p[0] < 0.01 && p[1] < 0.1 && p[2] > 0.8, "{p:?}");
        let [eta] = ramp.quantiles(99.0, p, [0.5]);
        assert!((100.0..135.0).contains(&eta.unwrap()), "{eta:?}");
    }

    #[test]
    fn a_leak_under_a_daily_rhythm_is_seen_and_the_rhythm_alone_is_none() {
        let leak = forecast(|i| 40.0 + 5.0 * i as f64 / 24.0 + rhythm(i) + 0.3 * noise(i));
        // The next peak lies at 60 + 5 * 7 + ... = 93 %, the one after at 98 %.
        assert!(leak.passes(91.0, 24.0) > 0.7, "{}", leak.passes(91.0, 24.0));
        assert!(leak.passes(99.0, 24.0) < 0.2, "{}", leak.passes(99.0, 24.0));
        assert!(leak.passes(99.0, 72.0) > 0.6, "{}", leak.passes(99.0, 72.0));
        let alone = forecast(|i| 70.0 + rhythm(i) + 0.3 * noise(i));
        assert!(alone.passes(95.0, 24.0) < 0.02, "{}", alone.passes(95.0, 24.0));
    }

    #[test]
    fn steps_count_by_the_day() {
        // Each night 4 % more.
        let steps = forecast(|i| 65.0 + 4.0 * ((i + 20) / 24) as f64 + 0.1 * noise(i));
        assert!(steps.passes(99.0, 24.0) < 0.2 && steps.passes(99.0, 72.0) > 0.5, "{:?}", steps.by_horizon(99.0));
    }

    /// That there was one jump makes another likely, less so from hour to hour; whether the first is still news, habit says.
    #[test]
    fn a_jump_that_stays_is_forgotten_within_days() {
        let since = |hours: usize| forecast(|i| if i + hours < 168 { 40.0 } else { 75.0 } + 0.5 * noise(i));
        let p = [4, 30, 48, 60, 72].map(|hours| since(hours).passes(99.0, 24.0));
        assert!(p[1..].windows(2).all(|w| w[1] < w[0]) && p[0] < 0.3 && p[4] < 0.1, "{p:?}");
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(Forecast::of(&[], 0.1), None);
        assert_eq!(Forecast::of(&[f64::NAN; 168], 0.1), None);
        assert_eq!(Forecast::of(&[50.0, 51.0, 50.0], 0.1), None, "two hours are no day");
        let young: Vec<f64> = (0..14).map(|i| 50.0 + noise(i)).collect();
        assert!(Forecast::of(&young, 0.1).unwrap().passes(99.0, 24.0) < 0.01);
    }

    proptest! {
        #[test]
        fn probabilities_are_ordered_and_bounded(
            y in prop::collection::vec(prop_oneof![8 => -50.0..150.0_f64, 1 => Just(f64::NAN)], 0..200),
            level in -60.0..200.0_f64,
        ) {
            if let Some(forecast) = Forecast::of(&y, 0.1) {
                let p = forecast.by_horizon(level);
                prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
                prop_assert!(p[0] <= p[1] && p[1] <= p[2]);
                let nearer = forecast.by_horizon(level - 5.0);
                prop_assert!((0..3).all(|k| nearer[k] >= p[k] - 1e-9));
                let [lo, eta, hi] = forecast.quantiles(level, p, [0.1, 0.5, 0.9]);
                let order = [lo, eta, hi].map(|h| h.unwrap_or(f64::INFINITY));
                prop_assert!(order[0] <= order[1] && order[1] <= order[2]);
            }
        }
    }
}
