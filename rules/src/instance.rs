//! Joins the series of one instance into its row of the feature table.

use crate::doubt::{Doubt, Shape};
use crate::feature::{FEATURES, Feature, INSTANCE_COLUMNS, WIDTH, index, instance_index};
use crate::feature_set::SignalFeatures;
use crate::features::{FeatureSettings, Levels, Row, Scratch, View, track_features, worse};
use crate::grid::{HABIT_HOURS, HOUR_MS, HOURS, Hour, reach, window};
use crate::gridded::{Gridded, Window};
use crate::last_heard::{LastHeard, is_measured};
use crate::remark::Remark;
use crate::series::Series;
use forewarn_domain::signal::{Reading, SIGNALS, Signal};
use forewarn_models::credits::credit_spec;
use std::collections::BTreeMap;

/// What is known of an instance besides its series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    /// When it was launched, milliseconds.
    pub launched_at: Option<i64>,
    /// Its instance type.
    pub instance_type: Option<String>,
    /// Times of declared changes (deployments), milliseconds, in any order.
    pub changes: Vec<i64>,
    /// Scheduled maintenance.
    pub maintenance: Vec<Maintenance>,
    /// Whether it is set to spend credits that it does not have.
    pub is_unlimited: bool,
}

/// Work that the provider has scheduled on an instance or its host; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// When it was announced.
    pub announced: i64,
    /// When it is due.
    pub due: i64,
    /// When it was said to be completed or cancelled.
    pub over: Option<i64>,
}

impl Maintenance {
    /// True when, at `as_of`, it was announced and still to come.
    pub fn is_pending(&self, as_of: i64) -> bool {
        self.announced <= as_of && self.due > as_of && self.over.is_none_or(|over| over > as_of)
    }
}

/// Steps of a sparkline: seven days in quarters of a day.
pub const SPARK: usize = 28;

/// One row of the feature table.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceRow {
    /// [`WIDTH`] values, NaN where unknown.
    pub values: Vec<f64>,
    /// For each signal, the device that its features speak of.
    pub devices: Vec<Option<String>>,
    /// The seven days of each signal that has samples, as means of [`SPARK`] steps, NaN where there is none; empty unless
    /// [asked for](RowBuilder::with_sparks).
    pub sparks: BTreeMap<Signal, [f32; SPARK]>,
    /// What is to be said beside.
    pub remarks: Vec<Remark>,
}

/// One instance's series on the grid, over all the time that rows are wanted for.
#[derive(Debug)]
pub struct Prepared<'t> {
    series: Vec<Gridded<'t>>,
    /// Which features of each of them are wanted.
    wanted: Vec<SignalFeatures>,
}

impl Prepared<'_> {
    /// Says of each series whether it is looked at as of its last sample.
    fn held(&self, as_of: i64) -> Vec<Option<LastHeard>> {
        let mut newest = [i64::MIN; SIGNALS.len()];
        let heard = |gridded: &Gridded<'_>| {
            let is_measured = is_measured(gridded.track.signal) && gridded.track.reading != Reading::Surplus;
            gridded.heard_until(as_of).filter(|_| is_measured)
        };
        let heard: Vec<Option<i64>> = self.series.iter().map(heard).collect();
        for (gridded, until) in self.series.iter().zip(&heard) {
            let newest = &mut newest[gridded.track.signal as usize];
            *newest = until.map_or(*newest, |until| until.max(*newest));
        }
        let held = |(gridded, until): (&Gridded<'_>, Option<i64>)| {
            LastHeard::of(until?, newest[gridded.track.signal as usize], as_of)
        };
        self.series.iter().zip(heard).map(held).collect()
    }
}

/// Computes rows; holds the memory that is used again from one series to the next.
#[derive(Debug)]
pub struct RowBuilder {
    settings: FeatureSettings,
    delay_ms: i64,
    window: Window,
    other: Window,
    scratch: Scratch,
    sparks: bool,
}

impl RowBuilder {
    /// Makes a builder of such features, where a sample without `ingested_at` shows itself after `delay_ms`.
    pub fn new(settings: FeatureSettings, delay_ms: i64) -> Self {
        Self {
            settings,
            delay_ms,
            window: Window::new(),
            other: Window::new(),
            scratch: Scratch::default(),
            sparks: false,
        }
    }

    /// Makes rows carry sparklines, which only people look at.
    #[must_use]
    pub fn with_sparks(self) -> Self {
        Self { sparks: true, ..self }
    }

    /// Puts the series of one instance on the grid for rows from `first` to `last`. Each track comes with what
    /// [`Series::normalise`] returned.
    pub fn prepare<'t>(
        &self,
        tracks: &'t [(Series, bool)],
        attributes: &Attributes,
        first: i64,
        last: i64,
    ) -> Prepared<'t> {
        let span = reach(first)..window(last).end;
        let series = tracks.iter().map(|(track, is_unique_sorted)| {
            let levels = self.levels_for(track.signal, attributes);
            Gridded::new(track, *is_unique_sorted, &span, self.delay_ms, levels)
        });
        let wanted = tracks.iter().map(|(track, _)| {
            let wanted = self.settings.wanted.of(track.signal);
            // What decides which of several series speaks for the signal is wanted where there are several.
            let several = tracks.iter().filter(|(other, _)| other.signal == track.signal).count() > 1;
            if several { wanted.with(&DECIDE) } else { wanted }
        });
        Prepared { series: series.collect(), wanted: wanted.collect() }
    }

    /// Computes the row of one instance at `as_of`, which must lie in the range that it was prepared for.
    pub fn row(&mut self, prepared: &Prepared<'_>, attributes: &Attributes, as_of: i64) -> InstanceRow {
        let mut assembly = Assembly::new();
        let held = prepared.held(as_of);
        // Whether a better statistic of the same metric has spoken.
        let mut is_spoken_for = false;
        for ((gridded, wanted), held) in prepared.series.iter().zip(&prepared.wanted).zip(held) {
            let track = gridded.track;
            is_spoken_for &= track.is_alternative;
            if is_spoken_for {
                continue;
            }
            let at = held.map_or(as_of, |held| held.at);
            gridded.window(at, as_of, &mut self.window);
            self.window.look_back(self.settings.lookback_hours);
            let Window { cells, hours: habit, .. } = &self.window;
            let hours = &habit[HABIT_HOURS..];
            if track.reading == Reading::Surplus {
                assembly.is_unlimited |= cells.iter().any(|v| *v > 0.0);
                continue;
            }
            let doubt = doubt(track, cells, hours).filter(|doubt| {
                // A new volume is nearly empty; of an agent that publishes shares, every volume lies below 1.
                let alike =
                    |other: &&Gridded<'_>| other.track.metric == track.metric && !std::ptr::eq(other.track, track);
                *doubt == Doubt::Counter
                    || prepared.series.iter().filter(alike).all(|other| {
                        other.window(as_of, as_of, &mut self.other);
                        self.other.look_back(self.settings.lookback_hours);
                        crate::doubt::is_within_1(&self.other.cells)
                    })
            });
            if let Some(doubt) = doubt {
                let (metric, device) = (track.metric.clone(), track.device.clone());
                assembly.remarks.push(Remark::KeptOut { metric, device, doubt });
                continue;
            }
            let view = View { cells, hours, habit, start: window(at).start, as_of: at };
            let mut row = track_features(&view, track.signal.spec(), &gridded.levels, *wanted, &mut self.scratch);
            if track.signal == Signal::Status && row[Feature::CriticalMinutes24h as usize] > 0.0 {
                let day = window(as_of).end - 24 * HOUR_MS..as_of;
                let minutes = track.minutes_past(gridded.levels.critical, &day, as_of, self.delay_ms);
                row[Feature::CriticalMinutes24h as usize] = minutes;
            }
            if let Some(held) = held {
                row[Feature::SilenceHours as usize] = held.hours(as_of);
                row[Feature::AgeDays as usize] += (as_of - at) as f64 / (24 * HOUR_MS) as f64;
                row[Feature::Coverage as usize] = LastHeard::coverage(cells, view.start, as_of);
            }
            is_spoken_for = row[Feature::Coverage as usize] > 0.0;
            assembly.offer(track.signal, track.device.as_deref(), &row, || self.sparks.then(|| spark(hours)));
        }
        assembly.finish(attributes, as_of)
    }

    /// A credit balance is judged by the instance type's own cap: a small type never holds a hundred.
    fn levels_for(&self, signal: Signal, attributes: &Attributes) -> Levels {
        let mut levels = self.settings.levels[signal as usize];
        if let Some([warning, critical]) = levels.of_cap
            && let Some(spec) = attributes.instance_type.as_deref().and_then(credit_spec)
        {
            levels.warning = levels.warning.min(warning * spec.max_balance);
            levels.critical = levels.critical.min(critical * spec.max_balance);
        }
        levels
    }
}

/// A row in the making: of several series of one signal the worst speaks for it.
#[derive(Debug)]
struct Assembly {
    values: Vec<f64>,
    devices: Vec<Option<String>>,
    sparks: BTreeMap<Signal, [f32; SPARK]>,
    ranks: [Option<[f64; 3]>; SIGNALS.len()],
    coverage: f64,
    silence: f64,
    age_days: f64,
    is_unlimited: bool,
    remarks: Vec<Remark>,
}

impl Assembly {
    fn new() -> Self {
        Self {
            values: vec![f64::NAN; WIDTH],
            devices: vec![None; SIGNALS.len()],
            sparks: BTreeMap::new(),
            ranks: [None; SIGNALS.len()],
            coverage: 0.0,
            silence: f64::NAN,
            age_days: f64::NAN,
            is_unlimited: false,
            remarks: Vec::new(),
        }
    }

    fn offer(&mut self, signal: Signal, device: Option<&str>, row: &Row, spark: impl FnOnce() -> Option<[f32; SPARK]>) {
        self.coverage = self.coverage.max(row[Feature::Coverage as usize]);
        self.silence = self.silence.min(row[Feature::SilenceHours as usize]);
        self.age_days = self.age_days.max(row[Feature::AgeDays as usize]);
        if is_no_news(row) && signal_stands(signal, row) {
            let (device, now) = (device.map(str::to_owned), row[Feature::Now as usize]);
            self.remarks.push(Remark::Standing { signal, device, now });
        }
        let rank = badness(signal, row);
        let held = &mut self.ranks[signal as usize];
        // Series come in a fixed order, so that a tie always goes to the same one.
        if held.is_none_or(|h| rank > h) {
            *held = Some(rank);
            let at = index(signal, Feature::Now);
            self.values[at..at + FEATURES.len()].copy_from_slice(row);
            self.devices[signal as usize] = device.map(str::to_owned);
            if let Some(spark) = spark() {
                self.sparks.insert(signal, spark);
            }
        }
    }

    fn finish(mut self, attributes: &Attributes, as_of: i64) -> InstanceRow {
        self.maintenance(attributes, as_of);
        if self.is_unlimited || attributes.is_unlimited {
            self.values[index(Signal::Credits, Feature::NoNews)] = 1.0;
            if self.is_unlimited || self.values[index(Signal::Credits, Feature::X168)] >= HEADS_FOR_IT {
                self.remarks.push(Remark::Unlimited);
            }
        }
        let signals = self.ranks.iter().filter(|r| r.is_some_and(|r| r[0] > -1.0)).count();
        let launched = attributes.launched_at.filter(|&l| l <= as_of);
        let age = launched.map_or(self.age_days, |l| (as_of - l) as f64 / (24 * HOUR_MS) as f64);
        let change = attributes.changes.iter().filter(|&&c| c <= as_of).max();
        let change_hours = change.map_or(f64::NAN, |&c| (as_of - c) as f64 / HOUR_MS as f64);
        let burstable = attributes.instance_type.as_deref().and_then(credit_spec);
        let baseline = burstable.map_or(f64::NAN, |spec| spec.baseline_percent);
        let instance: [f64; INSTANCE_COLUMNS.len()] =
            [age, self.coverage, self.silence, signals as f64, change_hours, baseline];
        self.values[instance_index(0)..].copy_from_slice(&instance);
        InstanceRow { values: self.values, devices: self.devices, sparks: self.sparks, remarks: self.remarks }
    }

    /// The next scheduled maintenance that was announced by `as_of`, read as a signal whose failure time is known.
    fn maintenance(&mut self, attributes: &Attributes, as_of: i64) {
        let pending = attributes.maintenance.iter().filter(|m| m.is_pending(as_of));
        let Some(due) = pending.map(|m| m.due).min() else { return };
        let eta = (due - as_of) as f64 / HOUR_MS as f64;
        let mut put = |feature, value: f64| self.values[index(Signal::Maintenance, feature)] = value;
        put(Feature::Now, 1.0);
        put(Feature::EtaHours, eta);
        for (feature, horizon) in [
            (Feature::Q24, 24.0),
            (Feature::Q72, 72.0),
            (Feature::Q168, 168.0),
            (Feature::X24, 24.0),
            (Feature::X72, 72.0),
            (Feature::X168, 168.0),
        ] {
            put(feature, f64::from(u8::from(eta <= horizon)));
        }
    }
}

fn spark(hours: &[Hour]) -> [f32; SPARK] {
    let mut out = [f32::NAN; SPARK];
    for (step, quarter) in out.iter_mut().zip(hours.chunks_exact(HOURS / SPARK)) {
        let (sum, n) = quarter.iter().fold((0.0, 0_u32), |(s, n), h| (s + h.sum, n + u32::from(h.n)));
        if n > 0 {
            *step = (sum / f64::from(n)) as f32;
        }
    }
    out
}

/// Says what a series is instead of what its signal reads, by what is known of it.
fn doubt(track: &Series, cells: &[f64], hours: &[Hour]) -> Option<Doubt> {
    // What most series are is seen at once: no share, no count of anything.
    let is_plain = match track.reading {
        Reading::PerMinute => hours.iter().all(|h| h.n == 0 || h.max <= 0.0),
        Reading::AsIs | Reading::Complement(_) | Reading::Surplus => hours.iter().any(|h| h.max > 1.0),
    };
    if is_plain || !Shape::matters(track.signal, track.reading) {
        return None;
    }
    let mut shape = Shape::default();
    for value in cells {
        shape.add(*value);
        if shape.fell() && track.reading == Reading::PerMinute {
            return None;
        }
    }
    shape.doubt(track.signal, track.reading)
}

fn is_no_news(row: &Row) -> bool {
    row[Feature::NoNews as usize] > 0.0
}

/// Says whether what is no news is so because it stands at its end.
fn signal_stands(signal: Signal, row: &Row) -> bool {
    let spec = signal.spec();
    spec.exhausted.is_some_and(|end| worse(spec) * row[Feature::Now as usize] >= worse(spec) * end)
}

/// From which probability within a week an empty balance is worth saying where it is unlimited.
const HEADS_FOR_IT: f64 = 0.5;

/// The features by which [`badness`] decides that are not always known.
const DECIDE: [Feature; 4] = [Feature::X24, Feature::X72, Feature::X168, Feature::Q24];

/// How finely the probability of what is new decides between series, before all else does.
const NEWS_STEPS: f64 = 20.0;

/// Orders the series of one signal from harmless to worst; a series without samples comes before all, then what is no news. What is new goes
/// before what has long been bad.
fn badness(signal: Signal, row: &Row) -> [f64; 3] {
    let known = |f: Feature| row[f as usize];
    if known(Feature::N) == 0.0 {
        return [-1.0, 0.0, 0.0];
    }
    let worse = worse(signal.spec());
    let or = |v: f64, other: f64| if v.is_nan() { other } else { v };
    let worst = worse * or(known(Feature::Mean24h), -worse * f64::MAX);
    if is_no_news(row) {
        return [-0.5, 0.0, worst];
    }
    let new: f64 = [Feature::X24, Feature::X72, Feature::X168].map(|f| or(known(f), 0.0)).iter().sum();
    let bad = or(known(Feature::Q24), 0.0) + or(known(Feature::AboveCritical24h), 0.0);
    [(new * NEWS_STEPS).round(), bad, worst]
}

#[cfg(test)]
mod tests;
