//! Keeps what an instance goes through as a whole: launch, outages, moves, agent restarts, events, and its end.

use super::draw::{Draw, Stream};
use super::fault::FaultPlan;
use super::kind::{Fault, Shape};
use super::plan::{HOUR, Plan};
use super::{Event, FaultRecord, Incident, Options};

/// What a step finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Not launched yet.
    Absent,
    /// Terminated.
    Gone,
    /// Not serving; `hung` while AWS still publishes its metrics.
    Down { hung: bool },
    /// The first step after a launch or an outage.
    Started,
    /// The first step on another host.
    Moved,
    /// Nothing in particular.
    Running,
}

/// The course of one instance.
#[derive(Debug)]
pub(super) struct Life {
    seed: u64,
    index: usize,
    start_ms: i64,
    step_h: f64,
    launched: f64,
    /// Hours since the start of the data when it ended, if it did.
    pub(super) terminated: Option<f64>,
    down: Option<(f64, f64, bool)>,
    ends_after: bool,
    begun: bool,
    next_move: f64,
    moves: f64,
    agent_gaps: Vec<(f64, f64)>,
    /// Hours of harmless failed checks.
    blips: Vec<f64>,
    announced: Option<f64>,
    /// Failures, in order.
    pub(super) incidents: Vec<Incident>,
    /// Announcements, in order.
    pub(super) events: Vec<Event>,
    /// What happened to each fault that started.
    pub(super) faults: Vec<FaultRecord>,
}

const CODES: [(&str, f64); 4] =
    [("instance-retirement", 0.6), ("instance-stop", 0.25), ("system-maintenance", 0.1), ("system-reboot", 0.05)];

impl Life {
    /// Lays out what does not depend on how the machine does.
    pub(super) fn new(o: &Options, plan: &Plan, index: usize, d: &mut Draw) -> Self {
        let span = f64::from(o.days) * 24.0;
        let mut dated = |per_day: f64| {
            let (mut at, mut out) = (d.exp() * 24.0 / per_day, Vec::new());
            while at < span {
                out.push(at);
                at += d.exp() * 24.0 / per_day;
            }
            out
        };
        let restarts = dated(plan.profile.agent_restarts);
        let blips = dated(0.004);
        let next_move = d.exp() * 24.0 / plan.profile.migrations;
        Self {
            seed: o.seed,
            index,
            start_ms: o.start_ms,
            step_h: f64::from(o.step_s) / 3600.0,
            launched: plan.launched,
            terminated: plan.terminated,
            down: None,
            ends_after: false,
            begun: plan.launched < 0.0,
            next_move,
            moves: plan.profile.migrations,
            agent_gaps: restarts.into_iter().map(|at| (at, at + d.log_uniform(0.08, 2.0))).collect(),
            blips,
            announced: None,
            incidents: Vec::new(),
            events: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Says what the step at `now` finds.
    pub(super) fn at(&mut self, now: f64, d: &mut Draw) -> Moment {
        if now < self.launched {
            return Moment::Absent;
        }
        if self.terminated.is_some_and(|end| now >= end) {
            return Moment::Gone;
        }
        if let Some((_, until, hung)) = self.down {
            if now < until {
                return Moment::Down { hung };
            }
            self.down = None;
            if self.ends_after {
                self.terminated = Some(now);
                return Moment::Gone;
            }
            return Moment::Started;
        }
        if !self.begun {
            self.begun = true;
            return Moment::Started;
        }
        if now >= self.next_move {
            self.next_move = now + d.exp() * 24.0 / self.moves;
            return Moment::Moved;
        }
        Moment::Running
    }

    /// Whether the agent publishes at `now`.
    pub(super) fn agent(&self, now: f64) -> bool {
        !self.agent_gaps.iter().any(|(from, until)| (*from..*until).contains(&now))
    }

    /// Whether a harmless failed check falls into the step at `now`.
    pub(super) fn blip(&self, now: f64) -> bool {
        self.blips.iter().any(|at| (now..now + self.step_h).contains(at))
    }

    /// Whether the present outage leaves AWS's own metrics running.
    pub(super) fn hung(&self) -> bool {
        self.down.is_some_and(|(_, _, hung)| hung)
    }

    /// Opens the stream that fault number `k` of this instance draws from while it runs.
    pub(super) fn fault_draw(&self, k: usize) -> Draw {
        Draw::new(self.seed, Stream::Active, self.index * 64 + k % 64)
    }

    fn ms(&self, hours: f64) -> i64 {
        self.start_ms + (hours * HOUR).round() as i64
    }

    /// Publishes the scheduled event of a retirement that begins to be known now.
    pub(super) fn announce(&mut self, now: f64, f: &FaultPlan) {
        if f.kind != Fault::Retirement {
            return;
        }
        let code = self.fault_draw(63).pick(&CODES).unwrap_or("instance-retirement");
        let due = now + f.hours;
        self.announced = Some(due);
        self.events.push(Event {
            ts: self.ms(now),
            kind: "scheduled",
            code,
            starts_at: Some(self.ms(due)),
            detail: "The instance is running on degraded hardware".into(),
        });
    }

    /// The owner stopped and started the instance before its date: a short stop on its way to another host.
    pub(super) fn replaced_in_time(&mut self, now: f64, f: &FaultPlan, d: &mut Draw) {
        let last = self.events.iter().rev().find(|e| e.kind == "scheduled").map_or("instance-retirement", |e| e.code);
        let due = self.announced.take().unwrap_or(now + f.hours);
        self.events.push(Event {
            ts: self.ms(now),
            kind: "scheduled",
            code: last,
            starts_at: Some(self.ms(due)),
            detail: "[Completed] The instance was stopped and started".into(),
        });
        self.down = Some((now, now + d.log_uniform(0.08, 0.4), false));
        self.next_move = now;
    }

    /// Records a failure at `now` and begins the outage.
    pub(super) fn incident(&mut self, now: f64, cause: &'static str, predictable: bool, d: &mut Draw) {
        self.incidents.push(Incident { ts: self.ms(now), cause, predictable });
        let hours = d.log_uniform(0.2, 8.0);
        self.down = Some((now, now + hours, d.chance(0.55)));
        self.ends_after = d.chance(0.12);
    }

    /// Adds what the auto scaling group says at the end, for instances that it ended.
    pub(super) fn close(&mut self, shape: Shape) {
        let Some(end) = self.terminated else { return };
        let detail = if self.ends_after { "replaced after a failure" } else { "scale-in" };
        debug_assert!(self.ends_after || shape == Shape::Churn);
        self.events.push(Event {
            ts: self.ms(end),
            kind: "state",
            code: "terminated",
            starts_at: None,
            detail: detail.into(),
        });
    }
}
