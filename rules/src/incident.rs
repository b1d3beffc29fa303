//! Derives incidents, the ground truth, from what was observed: status checks, log lines, probes, stops, and levels crossed.
//!
//! An outage is one incident, however many ways it shows: a kernel panic, the instance check that fails after it and the probe that
//! finds nobody are one failure, named after what says most about it. A new one begins only after the instance has been healthy for
//! the hold. A stop that a user, an Auto Scaling group, Spot or a recovery of ours made is none, and neither is what checks say while
//! it lasts or while an instance boots.

mod planned;
mod span;

use forewarn_domain::id::digest;
use forewarn_domain::signal::Signal;
use planned::Planned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One minute, milliseconds.
const MINUTE_MS: i64 = 60_000;

/// A status check of EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Of the host.
    System,
    /// Of the operating system.
    Instance,
    /// Of the attached volumes.
    AttachedEbs,
    /// All of them in one.
    Any,
}

/// What a series watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// A status check: a point is bad when it failed.
    Check(Check),
    /// A signal: a point is bad when it is past its critical level.
    Signal(Signal),
}

/// What a log line or a probe shows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The kernel killed a process for want of memory.
    OomKill,
    /// The kernel panicked.
    KernelPanic,
    /// A file system turned read-only.
    ReadOnlyFs,
    /// The application did not answer.
    ProbeDown,
    /// Its Auto Scaling group took it out because its status checks failed.
    StatusChecks,
}

/// What caused an incident, as far as the observations tell; the later in this list, the more it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A critical level was crossed, of the signal named.
    Saturation(Signal),
    /// The application did not answer.
    ProbeDown,
    /// A status check failed, and it is not known which.
    StatusCheck,
    /// The instance was stopped or ended, and nobody wanted it.
    UnplannedStop,
    /// The operating system's check failed.
    InstanceCheck,
    /// The check of the attached volumes failed.
    AttachedEbsCheck,
    /// The host's check failed.
    SystemCheck,
    /// A file system turned read-only.
    ReadOnlyFs,
    /// The kernel killed a process for want of memory.
    OomKill,
    /// The kernel panicked.
    KernelPanic,
}

impl Cause {
    /// Gives the name in tables and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Saturation(signal) => signal.name(),
            Self::ProbeDown => "probe_down",
            Self::StatusCheck => "status_check",
            Self::UnplannedStop => "unplanned_stop",
            Self::InstanceCheck => "instance_check",
            Self::AttachedEbsCheck => "attached_ebs_check",
            Self::SystemCheck => "system_check",
            Self::ReadOnlyFs => "read_only_fs",
            Self::OomKill => "oom_kill",
            Self::KernelPanic => "kernel_panic",
        }
    }
}

/// Whether something broke or only a threshold was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Something broke.
    Failure,
    /// A critical level was crossed; scored apart.
    Saturation,
}

/// A series of good and bad points, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedSeries {
    /// The instance.
    pub instance_id: String,
    /// What is watched.
    pub watched: Watched,
    /// The length of a period, milliseconds, positive.
    pub period_ms: i64,
    /// Start of each period, milliseconds, and whether it is bad; of several at one time a bad one wins.
    pub points: Vec<(i64, bool)>,
}

/// Why an instance went up or down, as EC2 and we know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It starts or runs.
    Up,
    /// It stops or ends; the reason as EC2 gives it, such as `Client.UserInitiatedShutdown`, where known.
    Down(Option<String>),
    /// It was meant to leave or stop: a user's, an Auto Scaling group's, Spot's or our own doing.
    Planned,
    /// A status check has been failing for so many minutes.
    CheckFailed(Check, u32),
    /// A fault shows itself.
    Fault(Fault),
}

/// Something that was seen of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The instance.
    pub instance_id: String,
    /// When, milliseconds; of a failed check since when.
    pub ts: i64,
    /// What.
    pub what: What,
}

/// What counts as an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// For how long a status check must fail, milliseconds.
    pub failing_ms: i64,
    /// For how long a signal must be past its critical level, milliseconds.
    pub beyond_ms: i64,
    /// For how long an instance must have been healthy before another incident begins, milliseconds.
    pub hold_ms: i64,
    /// How long an instance boots: its checks don't count until then, milliseconds.
    pub boot_ms: i64,
}

impl Default for Settings {
    /// Five minutes of a check, half an hour past a level, half an hour of health, five minutes to boot.
    fn default() -> Self {
        Self { failing_ms: 5 * MINUTE_MS, beyond_ms: 30 * MINUTE_MS, hold_ms: 30 * MINUTE_MS, boot_ms: 5 * MINUTE_MS }
    }
}

/// An incident, derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Derived {
    /// Identifies it: made from instance, class and beginning.
    pub incident_id: String,
    /// The instance.
    pub instance_id: String,
    /// When it began, milliseconds.
    pub ts: i64,
    /// When the last sign of it was over, milliseconds.
    pub until: i64,
    /// Failure or saturation.
    pub class: Class,
    /// What says most about it.
    pub cause: Cause,
    /// What shows that it happened, in words.
    pub evidence: String,
}

/// One sign of trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sign {
    ts: i64,
    until: i64,
    cause: Cause,
}

/// Derives the incidents of any number of instances, in the order of instance, time and class.
///
/// The order of the input changes nothing, and neither does anything that comes twice.
pub fn derive(series: &[WatchedSeries], seen: &[Seen], settings: &Settings) -> Vec<Derived> {
    let ids: BTreeSet<&str> =
        (series.iter().map(|s| s.instance_id.as_str())).chain(seen.iter().map(|s| s.instance_id.as_str())).collect();
    ids.into_iter().flat_map(|id| derive_one(id, series, seen, settings)).collect()
}

fn derive_one(id: &str, series: &[WatchedSeries], seen: &[Seen], settings: &Settings) -> Vec<Derived> {
    let seen: BTreeSet<&Seen> = seen.iter().filter(|s| s.instance_id == id).collect();
    let planned = Planned::of(&seen, settings);
    let mut points: BTreeMap<(Watched, i64), BTreeMap<i64, bool>> = BTreeMap::new();
    for one in series.iter().filter(|s| s.instance_id == id && s.period_ms > 0) {
        let known = points.entry((one.watched, one.period_ms)).or_default();
        for &(ts, bad) in &one.points {
            *known.entry(ts).or_default() |= bad;
        }
    }
    let mut signs: BTreeSet<Sign> = BTreeSet::new();
    for ((watched, period_ms), points) in &points {
        let (cause, least) = of_watched(*watched, settings);
        let counted = points.iter().filter(|(ts, _)| !planned.covers(**ts)).map(|(ts, bad)| (*ts, *bad));
        let spans = span::bad_spans(counted, *period_ms, settings.hold_ms);
        signs.extend(spans.filter(|s| s.1 - s.0 >= least).map(|(ts, until)| Sign { ts, until, cause }));
    }
    signs.extend(seen.iter().filter(|s| !planned.covers(s.ts)).filter_map(|s| of_seen(s, settings)));
    let (over, broken): (Vec<Sign>, Vec<Sign>) =
        signs.into_iter().partition(|s| matches!(s.cause, Cause::Saturation(_)));
    let mut found = outages(id, Class::Failure, &broken, settings.hold_ms);
    // Each signal saturates by itself.
    let signals: BTreeSet<Cause> = over.iter().map(|s| s.cause).collect();
    for signal in signals {
        let of_it: Vec<Sign> = over.iter().filter(|s| s.cause == signal).cloned().collect();
        found.extend(outages(id, Class::Saturation, &of_it, settings.hold_ms));
    }
    found.sort_by_key(|d| (d.ts, d.class, d.cause));
    found
}

/// Gives what a bad stretch of a series is a sign of, and how long it must last.
const fn of_watched(watched: Watched, settings: &Settings) -> (Cause, i64) {
    match watched {
        Watched::Signal(signal) => (Cause::Saturation(signal), settings.beyond_ms),
        Watched::Check(check) => (of_check(check), settings.failing_ms),
    }
}

const fn of_check(check: Check) -> Cause {
    match check {
        Check::System => Cause::SystemCheck,
        Check::Instance => Cause::InstanceCheck,
        Check::AttachedEbs => Cause::AttachedEbsCheck,
        Check::Any => Cause::StatusCheck,
    }
}

fn of_seen(seen: &Seen, settings: &Settings) -> Option<Sign> {
    let at_once = |cause| Some(Sign { ts: seen.ts, until: seen.ts, cause });
    match &seen.what {
        What::Up | What::Planned => None,
        What::Down(reason) => {
            reason.as_deref().filter(|r| planned::is_unplanned(r)).and_then(|_| at_once(Cause::UnplannedStop))
        }
        What::CheckFailed(check, minutes) => {
            let lasted = i64::from(*minutes) * MINUTE_MS;
            (lasted >= settings.failing_ms).then(|| Sign {
                ts: seen.ts,
                until: seen.ts.saturating_add(lasted),
                cause: of_check(*check),
            })
        }
        What::Fault(Fault::OomKill) => at_once(Cause::OomKill),
        What::Fault(Fault::KernelPanic) => at_once(Cause::KernelPanic),
        What::Fault(Fault::ReadOnlyFs) => at_once(Cause::ReadOnlyFs),
        What::Fault(Fault::ProbeDown) => at_once(Cause::ProbeDown),
        What::Fault(Fault::StatusChecks) => at_once(Cause::StatusCheck),
    }
}

/// Joins signs, ordered by time, with gaps shorter than the hold.
fn outages(id: &str, class: Class, signs: &[Sign], hold_ms: i64) -> Vec<Derived> {
    let mut found: Vec<Derived> = Vec::new();
    let mut ways: BTreeSet<&'static str> = BTreeSet::new();
    for sign in signs {
        match found.last_mut() {
            Some(open) if sign.ts < open.until.saturating_add(hold_ms) => {
                open.until = open.until.max(sign.until);
                open.cause = open.cause.max(sign.cause);
                ways.insert(sign.cause.name());
                open.evidence = ways.iter().copied().collect::<Vec<_>>().join(", ");
            }
            _ => {
                ways = BTreeSet::from([sign.cause.name()]);
                found.push(Derived {
                    incident_id: incident_id(id, class, sign),
                    instance_id: id.to_owned(),
                    ts: sign.ts,
                    until: sign.until,
                    class,
                    cause: sign.cause,
                    evidence: sign.cause.name().to_owned(),
                });
            }
        }
    }
    found
}

fn incident_id(id: &str, class: Class, first: &Sign) -> String {
    let kind = match class {
        Class::Failure => "failure",
        // Two signals may cross at once, and are two.
        Class::Saturation => first.cause.name(),
    };
    digest(&["incident", id, kind, &first.ts.to_string()])
}

/// Leaves out what is known already: an incident of the instance and class that lies within the hold of a known one, given by instance,
/// class (and cause, of a saturation), beginning and, where known, end.
pub fn news(derived: Vec<Derived>, known: &[Known], settings: &Settings) -> Vec<Derived> {
    let is_known = |d: &Derived| {
        known.iter().any(|k| {
            let same = k.class == Class::Failure || k.cause.as_deref() == Some(d.cause.name());
            let until = k.until.unwrap_or(k.ts).max(k.ts);
            k.instance_id == d.instance_id
                && k.class == d.class
                && same
                && d.until.saturating_add(settings.hold_ms) > k.ts
                && d.ts < until.saturating_add(settings.hold_ms)
        })
    };
    derived.into_iter().filter(|d| !is_known(d)).collect()
}

/// An incident that has been told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The instance.
    pub instance_id: String,
    /// Failure or saturation.
    pub class: Class,
    /// The cause as it was named.
    pub cause: Option<String>,
    /// When it began, milliseconds.
    pub ts: i64,
    /// When it was over, where known, milliseconds.
    pub until: Option<i64>,
}

#[cfg(test)]
mod tests;
