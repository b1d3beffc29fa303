//! Resolves an episode: decides how it turned out, once enough is known, and never decides otherwise with more knowledge.
//!
//! An episode is judged at its peak: the highest level that it claimed, with the horizon of that level. It is a hit when an incident
//! begins within the horizon of one of the claims at that level, as [`judge`] has it for rows. It is decided as a
//! hit at the incident, and else when it is over and every horizon has passed or was cut short. It is over when it is cleared, when
//! the instance is gone for good, or when nothing was claimed for a week.

use crate::grid::HOUR_MS;
use crate::judge::{Censored, Ending, RowTruth, judge};
use crate::truth::Incident;
use forewarn_domain::prediction::Level;

/// An open episode without any claim for this long is over: the longest horizon.
pub const SILENCE_MS: i64 = 168 * HOUR_MS;

/// What was said at one time of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The time it speaks for, milliseconds.
    pub as_of: i64,
    /// The level of that prediction itself, hysteresis aside.
    pub level: Level,
}

/// What is known of an episode's instance.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its incidents in order of time.
    pub incidents: &'a [Incident],
    /// Its ends that were no failure.
    pub endings: &'a [Ending],
    /// Until when all that happened is known, milliseconds.
    pub known_until: i64,
}

/// How an episode turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// The incident came.
    Hit {
        /// When it began, milliseconds.
        incident: i64,
        /// The first claim at the episode's level within whose horizon it came.
        warned: i64,
    },
    /// Every claim that could be judged was followed by nothing.
    False,
    /// Something else ended the instance within every horizon, or all was said within an outage: nobody can know.
    Censored(Censored),
    /// The instance left within every horizon, and nothing says why.
    Gone,
}

/// A decided episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// How it turned out.
    pub turned: Turned,
    /// The level at which it is judged.
    pub level: Level,
    /// When this could be known, milliseconds.
    pub at: i64,
}

/// Gives the horizon that a level speaks of, milliseconds; None for levels that foresee nothing.
pub const fn horizon_ms(level: Level) -> Option<i64> {
    match level {
        Level::High => Some(24 * HOUR_MS),
        Level::Medium => Some(72 * HOUR_MS),
        Level::Low => Some(168 * HOUR_MS),
        Level::None | Level::Unassessable => None,
    }
}

/// Decides how an episode turned out; None where it is too early. `claims` are in order of time; `cleared_at` is when the episode was
/// cleared, where it was.
pub fn resolve(claims: &[Claim], cleared_at: Option<i64>, facts: Facts<'_>) -> Option<Resolution> {
    let claims: Vec<Claim> =
        claims.iter().copied().filter(|c| c.level.is_at_risk() && c.as_of <= facts.known_until).collect();
    let first = claims.first()?.as_of;
    let over = over_at(&claims, cleared_at, facts.endings);
    let claims: Vec<Claim> = claims.into_iter().filter(|c| c.as_of <= over).collect();
    for (i, incident) in facts.incidents.iter().enumerate() {
        if incident.ts <= first || incident.ts > facts.known_until {
            continue;
        }
        let earlier: Vec<Claim> = claims.iter().copied().filter(|c| c.as_of < incident.ts).collect();
        let Some((level, horizon)) = peak(&earlier) else { continue };
        let known = Known { incidents: &facts.incidents[..=i], endings: facts.endings, until: incident.ts };
        let warned = earlier
            .iter()
            .filter(|c| c.level == level && c.as_of >= incident.ts - horizon)
            .find(|c| known.judge(c.as_of, horizon) == RowTruth::Followed);
        if let Some(claim) = warned {
            let turned = Turned::Hit { incident: incident.ts, warned: claim.as_of };
            return Some(Resolution { turned, level, at: incident.ts });
        }
    }
    let (level, horizon) = peak(&claims)?;
    let said: Vec<i64> = claims.iter().filter(|c| c.level == level).map(|c| c.as_of).collect();
    let due = said.iter().map(|as_of| due(*as_of, horizon, facts.endings)).max()?.max(over);
    if due > facts.known_until {
        return None;
    }
    let known = Known { incidents: facts.incidents, endings: facts.endings, until: due };
    let became: Vec<RowTruth> = said.iter().map(|as_of| known.judge(*as_of, horizon)).collect();
    Some(Resolution { turned: sum_up(&became), level, at: due })
}

/// Says whether nobody was warned of an incident at `ts`: no claim about the instance, of any episode, had it within its horizon.
pub fn is_missed(claims: &[Claim], ts: i64) -> bool {
    !claims.iter().any(|c| c.as_of < ts && horizon_ms(c.level).is_some_and(|h| ts <= c.as_of + h))
}

/// What is known at a time.
struct Known<'a> {
    incidents: &'a [Incident],
    endings: &'a [Ending],
    until: i64,
}

impl Known<'_> {
    fn judge(&self, as_of: i64, horizon: i64) -> RowTruth {
        let incidents = &self.incidents[..self.incidents.partition_point(|i| i.ts <= self.until)];
        let endings: Vec<Ending> = self.endings.iter().copied().filter(|e| e.at <= self.until).collect();
        judge(incidents, &endings, i64::MAX, as_of, horizon)
    }
}

/// When nothing that is claimed belongs to the episode any more.
fn over_at(claims: &[Claim], cleared_at: Option<i64>, endings: &[Ending]) -> i64 {
    let first = claims.first().map_or(i64::MIN, |c| c.as_of);
    let silent = claims.iter().zip(claims.iter().skip(1).map(Some).chain(std::iter::once(None)));
    let silent = silent
        .filter(|(c, next)| next.is_none_or(|n| n.as_of > c.as_of + SILENCE_MS))
        .map(|(c, _)| c.as_of + SILENCE_MS)
        .min();
    let gone = endings.iter().filter(|e| e.until == i64::MAX && e.at > first).map(|e| e.at).min();
    [cleared_at, silent, gone].into_iter().flatten().min().unwrap_or(i64::MAX)
}

/// The highest level claimed, and its horizon.
fn peak(claims: &[Claim]) -> Option<(Level, i64)> {
    let level = claims.iter().map(|c| c.level).max()?;
    Some((level, horizon_ms(level)?))
}

/// When it is known what became of a claim that no incident followed.
fn due(as_of: i64, horizon: i64, endings: &[Ending]) -> i64 {
    let until = as_of + horizon;
    let ended = endings.iter().filter(|e| e.until > as_of && e.at <= until).map(|e| e.at.max(as_of)).min();
    ended.unwrap_or(until)
}

fn sum_up(became: &[RowTruth]) -> Turned {
    if became.iter().any(|b| matches!(b, RowTruth::Quiet | RowTruth::Followed)) {
        return Turned::False;
    }
    let why = |b: &RowTruth| match b {
        RowTruth::Censored(why) if *why != Censored::Outage => Some(*why),
        RowTruth::Censored(_) | RowTruth::Quiet | RowTruth::Followed => None,
    };
    let ended: Vec<Censored> = became.iter().filter_map(why).collect();
    match ended.iter().find(|why| **why != Censored::Gone) {
        Some(why) => Turned::Censored(*why),
        None if ended.is_empty() => Turned::Censored(Censored::Outage),
        None => Turned::Gone,
    }
}

#[cfg(test)]
mod tests;
