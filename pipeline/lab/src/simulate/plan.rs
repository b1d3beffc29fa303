//! Lays out a fleet: which workload an instance belongs to, what it is like, and what will happen to it.

use super::Options;
use super::draw::{Draw, Stream, spread};
use super::fault::{FaultPlan, Finish, SETTLED_H};
use super::kind::{Fault, Kind, Shape};
use super::profile::Profile;

/// Milliseconds in an hour.
pub(super) const HOUR: f64 = 3_600_000.0;

/// One deployment of a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Deploy {
    /// Hours since the start of the data.
    pub(super) at: f64,
    /// Its number.
    pub(super) version: usize,
}

/// What the members of one workload share.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) index: usize,
    pub(super) shape: Shape,
    pub(super) habits: Vec<Shape>,
    pub(super) profile: Profile,
    pub(super) deploys: Vec<Deploy>,
    /// A fault that all members get, as after a bad deployment.
    pub(super) common: Option<FaultPlan>,
    /// Hourly common noise of the demand, unit variance.
    pub(super) wander: Vec<f64>,
}

/// One instance before it runs.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) workload: Workload,
    pub(super) profile: Profile,
    /// Hours since the start of the data; negative for instances that are older.
    pub(super) launched: f64,
    pub(super) terminated: Option<f64>,
    pub(super) faults: Vec<FaultPlan>,
}

/// Prevalence of each shape among workloads.
const PREVALENCE: [(Shape, f64); 18] = [
    (Shape::Steady, 1.6),
    (Shape::Diurnal, 1.6),
    (Shape::WeekendShift, 1.0),
    (Shape::NightlyBatch, 0.35),
    (Shape::HighMemory, 0.6),
    (Shape::LogRotation, 0.8),
    (Shape::MemorySawtooth, 1.0),
    (Shape::DeployResets, 0.8),
    (Shape::Backups, 0.6),
    (Shape::Bursty, 0.6),
    (Shape::CreditSawtooth, 0.7),
    (Shape::Young, 0.6),
    (Shape::Churn, 0.6),
    (Shape::AgentRestarts, 0.5),
    (Shape::TempFiles, 0.6),
    (Shape::ColdStart, 0.7),
    (Shape::SlowGrowth, 0.7),
    (Shape::HostMigration, 0.5),
];

/// Finds the workload of instance `i` and its place in it; both are independent of the size of the fleet.
fn seat(seed: u64, i: usize) -> (usize, usize) {
    let (mut first, mut w) = (0, 0);
    loop {
        let mut d = Draw::new(seed, Stream::Workload, w);
        let members = d.pick(&[(1, 0.4), (2, 0.25), (3, 0.2), (4, 0.1), (6, 0.05)]).unwrap_or(1);
        if i < first + members {
            return (w, i - first);
        }
        first += members;
        w += 1;
    }
}

fn workload(o: &Options, index: usize) -> Workload {
    let mut d = Draw::new(o.seed, Stream::Workload, index);
    d.word(); // the draw that `seat` made
    let allowed: Vec<(Shape, f64)> = PREVALENCE.iter().copied().filter(|p| o.shapes.contains(&p.0)).collect();
    let offset = Draw::new(o.seed, Stream::Fleet, 0).uniform(0.0, 1.0);
    let shape = Draw::pick_at(spread(offset, index), &allowed).unwrap_or(Shape::Steady);
    let mut habits = vec![shape];
    for (extra, p) in [
        (Shape::Diurnal, 0.3),
        (Shape::WeekendShift, 0.12),
        (Shape::MemorySawtooth, 0.06),
        (Shape::LogRotation, 0.05),
        (Shape::Backups, 0.05),
        (Shape::TempFiles, 0.05),
        (Shape::AgentRestarts, 0.06),
        (Shape::HostMigration, 0.04),
        (Shape::ColdStart, 0.06),
        (Shape::Bursty, 0.04),
    ] {
        if d.chance(p) && o.shapes.contains(&extra) && !habits.contains(&extra) && !clash(shape, extra) {
            habits.push(extra);
        }
    }
    let span = f64::from(o.days) * 24.0;
    let profile = Profile::draw(&mut d, &habits, o.shapes.contains(&Shape::CreditSawtooth) || o.shapes.len() > 1);
    let mut deploys = Vec::new();
    if let Some(days) = profile.deploy_days {
        let weekly = (days - 7.0).abs() < 1e-9;
        let mut at = d.uniform(0.0, days) * 24.0;
        while at < span {
            deploys.push(Deploy { at, version: 0 });
            at += 24.0 * days * if weekly { 1.0 } else { d.jitter(0.2) } + d.uniform(-1.0, 1.0);
        }
    }
    // From a stream of its own, so that a workload is the same with and without it.
    let mut c = Draw::new(o.seed, Stream::Common, index);
    let common = (!o.fault_free && c.chance(0.05 * o.fault_rate * f64::from(o.days) / 30.0))
        .then(|| common_fault(o, &mut c, span))
        .flatten();
    if let Some(f) = &common {
        deploys.push(Deploy { at: f.onset - c.uniform(0.0, 0.5), version: 0 });
    }
    deploys.sort_by(|a, b| a.at.total_cmp(&b.at));
    for (n, deploy) in deploys.iter_mut().enumerate() {
        deploy.version = 100 + n;
    }
    let mut wander = Vec::with_capacity(span as usize + 2);
    let mut value = d.normal();
    for _ in 0..span as usize + 2 {
        value = 0.9 * value + (1.0 - 0.81_f64).sqrt() * d.normal();
        wander.push(value);
    }
    Workload { index, shape, habits, profile, deploys, common, wander }
}

/// Says whether `extra` would undo what `shape` is about.
fn clash(shape: Shape, extra: Shape) -> bool {
    let memory = [Shape::HighMemory, Shape::MemorySawtooth, Shape::DeployResets, Shape::ColdStart];
    let disk = [Shape::LogRotation, Shape::SlowGrowth, Shape::TempFiles];
    let load = [Shape::Steady, Shape::Diurnal, Shape::WeekendShift, Shape::CreditSawtooth, Shape::Bursty];
    [&memory[..], &disk[..], &load[..]].iter().any(|g| g.contains(&shape) && g.contains(&extra))
}

fn common_fault(o: &Options, d: &mut Draw, span: f64) -> Option<FaultPlan> {
    let kinds = [(Fault::MemoryLeak, 0.6), (Fault::DiskFill, 0.25), (Fault::CpuRunaway, 0.15)];
    let kinds: Vec<(Fault, f64)> = kinds.into_iter().filter(|k| o.faults.contains(&k.0)).collect();
    let kind = d.pick(&kinds)?;
    let onset = d.uniform(0.0, span);
    Some(FaultPlan::draw(d, kind, onset))
}

/// Lays out instance `i`.
pub(super) fn plan(o: &Options, i: usize) -> Plan {
    let (w, _) = seat(o.seed, i);
    let workload = workload(o, w);
    let mut d = Draw::new(o.seed, Stream::Profile, i);
    let profile = workload.profile.member(&mut d);
    let span = f64::from(o.days) * 24.0;
    let mut launched = -d.log_uniform(24.0, 12_000.0);
    let mut terminated = None;
    match workload.shape {
        Shape::Young => launched = d.uniform(0.15, 0.9) * span,
        Shape::Churn => {
            if d.chance(0.6) {
                launched = d.uniform(0.0, 0.8) * span;
            }
            let end = launched.max(0.0) + d.log_uniform(6.0, 600.0);
            terminated = (end < span).then_some(end);
        }
        Shape::Steady
        | Shape::Diurnal
        | Shape::WeekendShift
        | Shape::NightlyBatch
        | Shape::HighMemory
        | Shape::LogRotation
        | Shape::MemorySawtooth
        | Shape::DeployResets
        | Shape::Backups
        | Shape::Bursty
        | Shape::CreditSawtooth
        | Shape::AgentRestarts
        | Shape::TempFiles
        | Shape::ColdStart
        | Shape::SlowGrowth
        | Shape::HostMigration => {}
    }
    let faults = if o.fault_free { Vec::new() } else { faults(o, i, &workload, &profile, span) };
    Plan { workload, profile, launched, terminated, faults }
}

/// Faults a month that kill, and that heal, at rate one.
const MONTHLY: (f64, f64) = (0.40, 0.30);

fn faults(o: &Options, i: usize, workload: &Workload, profile: &Profile, span: f64) -> Vec<FaultPlan> {
    let mut d = Draw::new(o.seed, Stream::Faults, i);
    let mut out = Vec::new();
    let months = span / 720.0 * o.fault_rate;
    let possible = |f: Fault| o.faults.contains(&f) && (f != Fault::CreditExhaustion || profile.size.earn > 0.0);
    for (salt, rate, kills) in [(1, MONTHLY.0, true), (2, MONTHLY.1, false)] {
        let weights: Vec<(Fault, f64)> = Fault::ALL
            .iter()
            .map(|f| (*f, if kills { f.kill_weight() } else { f.heal_weight() }))
            .filter(|(f, w)| possible(*f) && *w > 0.0)
            .collect();
        // Systematic sampling: every so many instances one more fault, each next of another kind, so that fleets of
        // one size differ in who fails and how, and hardly in how many do.
        let mut fleet = Draw::new(o.seed, Stream::Fleet, salt);
        let (count, kinds) = (fleet.uniform(0.0, 1.0), fleet.uniform(0.0, 1.0));
        let first = (i as f64 * months * rate + count) as usize;
        let last = ((i + 1) as f64 * months * rate + count) as usize;
        for k in first..last {
            let onset = d.uniform(SETTLED_H, span);
            if let Some(kind) = Draw::pick_at(spread(kinds, k), &weights) {
                let mut f = FaultPlan::draw(&mut d, kind, onset);
                f.settle(&mut d, kills);
                out.push(f);
            }
        }
    }
    if let Some(common) = workload.common {
        let mut f = common;
        f.onset += d.log_uniform(0.02, 2.0);
        f.hours *= d.jitter(0.15);
        f.severity *= d.jitter(0.1);
        // A roll-back saves every member that still lives; its time is the workload's, not the member's.
        if matches!(f.finish, Finish::Kill) && d.chance(0.25) {
            f.settle(&mut d, false);
        }
        out.push(f);
    }
    out.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    out
}
