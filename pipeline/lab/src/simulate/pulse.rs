//! Turns the habits of a profile into dated stretches of extra load.

use super::draw::Draw;
use super::profile::{Extra, Profile};

/// Extra load from one time to another, hours since the start of the data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) extra: Extra,
}

/// Lays out all pulses of `span` hours, in order of their start; `clock` is the hour of the week at time zero.
pub(super) fn pulses(p: &Profile, span: f64, clock: f64, d: &mut Draw) -> Vec<Pulse> {
    let mut out = Vec::new();
    for w in &p.windows {
        let first = (w.start_h - clock).rem_euclid(24.0) - 24.0;
        for day in 0..=(span / 24.0) as i64 + 1 {
            let from = first + 24.0 * day as f64 + w.jitter_h * d.normal();
            let (skip, strength, length) = (d.chance(w.skip), d.jitter(0.12), d.jitter(0.15));
            let weekday = ((clock + first + 24.0 * day as f64) / 24.0).floor().rem_euclid(7.0) as i64;
            if !skip && w.weekday.is_none_or(|only| only == weekday) {
                out.push(Pulse { from, until: from + w.hours * length, extra: w.extra.scaled(strength) });
            }
        }
    }
    for b in &p.bursts {
        let mut at = d.exp() * 24.0 / b.per_day;
        while at < span {
            let hours = d.log_uniform(b.hours.0, b.hours.1);
            out.push(Pulse { from: at, until: at + hours, extra: b.extra.scaled(d.jitter(0.5)) });
            at += d.exp() * 24.0 / b.per_day;
        }
    }
    out.sort_by(|a, b| a.from.total_cmp(&b.from));
    out
}
