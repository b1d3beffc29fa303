//! `GetMetricData`: points within AWS's limits, page by page.

use super::Emulator;
use super::cbor::Writer;
use super::dimensions::{self, Dimension};
use super::fault::Mishaps;
use super::fold::{Datum, Stat, fold};
use super::input::Fields;
use super::refusal::{Kind, Refusal};
use super::token::{Token, Tokens};
use std::collections::BTreeSet;

/// Queries of one call.
const MOST_QUERIES: usize = 500;
/// Points of one call.
const MOST_POINTS: usize = 100_800;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
struct Query {
    id: String,
    namespace: String,
    metric: String,
    dimensions: Vec<Dimension>,
    period_ms: i64,
    stat: Stat,
    label: String,
    shown: bool,
}

#[derive(Debug)]
struct Request {
    queries: Vec<Query>,
    start: i64,
    end: i64,
    newest_first: bool,
    limit: usize,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Kind::Validation, message)
}

impl Request {
    fn parse(input: &Fields<'_>) -> Result<Self, Refusal> {
        let queries = input.structures("MetricDataQueries")?;
        match queries.len() {
            0 => return Err(Refusal::new(Kind::MissingParameter, "The parameter MetricDataQueries is required.")),
            1..=MOST_QUERIES => {}
            _ => {
                let most =
                    format!("The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.");
                return Err(invalid(most));
            }
        }
        let queries = queries.iter().map(Query::parse).collect::<Result<Vec<_>, _>>()?;
        let ids: BTreeSet<&str> = queries.iter().map(|q| q.id.as_str()).collect();
        if ids.len() < queries.len() {
            return Err(invalid("The values for parameter id in MetricDataQueries are not unique."));
        }
        let (start, end) = (input.must_time("StartTime")?, input.must_time("EndTime")?);
        if start >= end {
            return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
        }
        let newest_first = match input.text("ScanBy")? {
            None | Some("TimestampDescending") => true,
            Some("TimestampAscending") => false,
            Some(other) => {
                let message = format!("ScanBy must be TimestampDescending or TimestampAscending, not {other}.");
                return Err(invalid(message));
            }
        };
        let limit = match input.int("MaxDatapoints")? {
            None => MOST_POINTS,
            Some(n) => usize::try_from(n)
                .ok()
                .filter(|n| (1..=MOST_POINTS).contains(n))
                .ok_or_else(|| invalid(format!("The parameter MaxDatapoints must be 1 to {MOST_POINTS}.")))?,
        };
        Ok(Self { queries, start, end, newest_first, limit })
    }

    /// How many points the queries can have.
    fn expected(&self) -> usize {
        self.queries.iter().map(|q| ((self.end - self.start) / q.period_ms) as usize + 1).sum()
    }
}

impl Query {
    fn parse(q: &Fields<'_>) -> Result<Self, Refusal> {
        let id = q.label("Id")?;
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || !id.starts_with(|c: char| c.is_ascii_lowercase()) {
            let message =
                format!("The value {id} for parameter {} is not matching the expected pattern.", q.name("Id"));
            return Err(invalid(message));
        }
        if q.text("Expression")?.is_some() {
            return Err(invalid(format!("{} is not answered here; use MetricStat.", q.name("Expression"))));
        }
        let stat = q.must_structure("MetricStat")?;
        let metric = stat.must_structure("Metric")?;
        let period = stat.int("Period")?.unwrap_or(0);
        if !([1, 5, 10, 20, 30].contains(&period) || period > 0 && period % 60 == 0 && period <= 31_536_000) {
            let message = format!("{} must be 1, 5, 10, 20, 30 or a multiple of 60.", stat.name("Period"));
            return Err(invalid(message));
        }
        let wanted = stat.label("Stat")?;
        let kept = "Average, Sum, Minimum, Maximum, SampleCount";
        let unknown = || invalid(format!("{} is {wanted}; here are {kept}.", stat.name("Stat")));
        let name = metric.label("MetricName")?;
        Ok(Self {
            id: id.to_owned(),
            namespace: metric.label("Namespace")?.to_owned(),
            metric: name.to_owned(),
            dimensions: metric.dimensions()?,
            period_ms: period * 1000,
            stat: Stat::parse(wanted).ok_or_else(unknown)?,
            label: q.text("Label")?.unwrap_or(name).to_owned(),
            shown: q.bool("ReturnData")?.unwrap_or(true),
        })
    }

    /// How long points of this period are kept.
    fn kept_ms(&self) -> i64 {
        match self.period_ms / 1000 {
            s if s % 3600 == 0 => 455 * DAY_MS,
            s if s % 300 == 0 => 63 * DAY_MS,
            s if s % 60 == 0 => 15 * DAY_MS,
            _ => DAY_MS / 8,
        }
    }
}

/// What a call came to, for the counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) queries: u64,
    pub(super) continued: bool,
    pub(super) points: u64,
    pub(super) internal: u64,
    pub(super) partial: bool,
}

/// One query's part of the reply.
struct Part<'a> {
    query: &'a Query,
    points: Vec<(i64, f64)>,
    status: &'static str,
}

/// Answers.
pub(super) fn get(it: &Emulator, input: &Fields<'_>, now: i64, m: &Mishaps) -> Result<(Vec<u8>, Tally), Refusal> {
    let request = Request::parse(input)?;
    let tokens = || {
        let Request { queries, start, end, newest_first, .. } = &request;
        Tokens::new(it.seed, &format!("{queries:?} {start} {end} {newest_first}"))
    };
    let given = input.text("NextToken")?;
    let from = match given {
        None => Token::default(),
        Some(text) => tokens()
            .read(text)
            .ok_or_else(|| Refusal::new(Kind::InvalidNextToken, "The parameter NextToken is not valid."))?,
    };
    let cut = m.partial.map(|share| (share * request.expected() as f64) as usize);
    let mut left = cut.unwrap_or(request.limit).min(request.limit);
    let mut parts = Vec::with_capacity(request.queries.len());
    let mut next = None;
    let mut tally = Tally { queries: request.queries.len() as u64, continued: given.is_some(), ..Tally::default() };
    for (q, query) in request.queries.iter().enumerate().skip(from.item as usize) {
        let mut part = Part { query, points: Vec::new(), status: "PartialData" };
        if next.is_some() {
            parts.push(part);
            continue;
        }
        if m.internal(q) {
            part.status = "InternalError";
            tally.internal += 1;
            parts.push(part);
            continue;
        }
        let cursor = if q as u64 == from.item { from.within } else { 0 };
        part.points = points(it, &request, query, now, cursor);
        if part.points.len() > left {
            next = Some(Token { item: q as u64, within: (part.points[left].0 as u64).wrapping_add(1) });
            part.points.truncate(left);
        } else {
            part.status = "Complete";
        }
        left -= part.points.len();
        tally.points += part.points.len() as u64;
        parts.push(part);
    }
    tally.partial = next.is_some();
    Ok((write(&parts, next.map(|token| tokens().write(token))), tally))
}

/// Gives the points of one query from a cursor on, in the order asked for. A cursor is one more than the time of the
/// next point; 0 starts at the beginning.
fn points(it: &Emulator, request: &Request, query: &Query, now: i64, cursor: u64) -> Vec<(i64, f64)> {
    let period = query.period_ms;
    let up = |t: i64| t + (-t).rem_euclid(period);
    // AWS rounds the start down to the minute; a period counts by its own start.
    let start = request.start - request.start.rem_euclid(MINUTE_MS.min(period));
    let mut lo = up(start.max(now - query.kept_ms()));
    let mut hi = up(request.end.min(now + DAY_MS));
    if cursor > 0 {
        let ts = cursor.wrapping_sub(1) as i64;
        if request.newest_first {
            hi = hi.min(ts.saturating_add(period));
        } else {
            lo = lo.max(ts);
        }
    }
    let mut out = Vec::new();
    if lo >= hi {
        return out;
    }
    match dimensions::find(it.world.as_ref(), &query.namespace, &query.metric, &query.dimensions) {
        Some((i, k)) => {
            let step = it.world.span().step_ms;
            let series = ((i as u64) << 8) | k as u64;
            let mut stored = Vec::with_capacity(((hi - lo) / step) as usize % (1 << 20) + 1);
            it.world.read(i, k, lo, hi.min(now), &mut stored);
            let known = stored.iter().filter(|p| {
                p.ts + step <= now && p.ts + step + p.late_ms.max(it.late.of(it.seed, series, p.ts)) <= now
            });
            if period == step && query.stat != Stat::SampleCount {
                // One sample a period is its own sum, extreme and mean.
                out.reserve(stored.len());
                out.extend(known.map(|p| (p.ts, p.value)));
            } else {
                fold(known.map(|p| (p.ts, Datum::of(p.value, 1.0))), period, query.stat, &mut out);
            }
        }
        None => {
            if let Some(series) = it.store().find(&query.namespace, &query.metric, &query.dimensions) {
                fold(series.read(lo, hi), period, query.stat, &mut out);
            }
        }
    }
    if request.newest_first {
        out.reverse();
    }
    out
}

fn write(parts: &[Part<'_>], next: Option<String>) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(2 + usize::from(next.is_some()));
    let shown: Vec<&Part<'_>> = parts.iter().filter(|p| p.query.shown).collect();
    w.text("MetricDataResults").array(shown.len());
    for part in shown {
        let failed = part.status == "InternalError";
        w.map(5 + usize::from(failed)).text("Id").text(&part.query.id).text("Label").text(&part.query.label);
        w.text("Timestamps").times(&part.points);
        w.text("Values").floats(&part.points);
        w.text("StatusCode").text(part.status);
        if failed {
            w.text("Messages").array(1).map(2).text("Code").text("InternalError");
            w.text("Value").text("An internal error occurred; ask again.");
        }
    }
    w.text("Messages").array(0);
    if let Some(token) = next {
        w.text("NextToken").text(&token);
    }
    w.finish()
}
