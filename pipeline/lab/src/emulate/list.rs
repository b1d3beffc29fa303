//! `ListMetrics`: what has been measured lately, 500 a page.

use super::Emulator;
use super::cbor::Writer;
use super::dimensions::{self, Dimension};
use super::hash::mix2;
use super::input::Fields;
use super::refusal::{Kind, Refusal};
use super::token::{Token, Tokens};

/// Metrics of a page.
const PAGE: usize = 500;
/// After so long without a point a metric is no longer listed.
const FORGOTTEN_MS: i64 = 14 * 86_400_000;
/// What `RecentlyActive` asks for.
const RECENT_MS: i64 = 3 * 3_600_000;
/// A new metric is listed at most so long after its first point.
const SHOWN_MS: u64 = 900_000;

/// What is asked for.
#[derive(Debug)]
struct ListFilter {
    namespace: Option<String>,
    metric: Option<String>,
    /// Names, and values where they matter.
    dimensions: Vec<(String, Option<String>)>,
    recent: bool,
}

impl ListFilter {
    fn parse(input: &Fields<'_>) -> Result<Self, Refusal> {
        let text = |key| input.text(key).map(|t| t.map(str::to_owned));
        let filters = input.structures("Dimensions")?;
        if filters.len() > 10 {
            let message = "The collection Dimensions must not have a size greater than 10.";
            return Err(Refusal::new(Kind::InvalidValue, message));
        }
        let filter = |d: &Fields<'_>| Ok((d.label("Name")?.to_owned(), d.text("Value")?.map(str::to_owned)));
        let recent = match input.text("RecentlyActive")? {
            None => false,
            Some("PT3H") => true,
            Some(other) => {
                let message = format!("The parameter RecentlyActive must be PT3H, not {other}.");
                return Err(Refusal::new(Kind::InvalidValue, message));
            }
        };
        Ok(Self {
            namespace: text("Namespace")?,
            metric: text("MetricName")?,
            dimensions: filters.iter().map(filter).collect::<Result<_, _>>()?,
            recent,
        })
    }

    fn names(&self, namespace: &str, metric: &str) -> bool {
        self.namespace.as_deref().is_none_or(|n| n == namespace) && self.metric.as_deref().is_none_or(|m| m == metric)
    }

    fn has(&self, dimensions: &[Dimension]) -> bool {
        self.dimensions.iter().all(|(name, value)| {
            dimensions.iter().any(|(n, v)| n == name && value.as_ref().is_none_or(|value| value == v))
        })
    }

    /// Whether a metric with its first and last point is listed at a time.
    fn shows(&self, first: i64, last: i64, delay: i64, now: i64) -> bool {
        let silent = now - last.min(now);
        first + delay <= now && silent <= if self.recent { RECENT_MS } else { FORGOTTEN_MS }
    }

    /// The only instance that can match, where the filter names one.
    fn only(&self) -> Option<usize> {
        let known: Vec<Dimension> =
            self.dimensions.iter().filter_map(|(n, v)| v.clone().map(|v| (n.clone(), v))).collect();
        dimensions::instance(&known)
    }
}

/// Marks, in a token, that the world has been listed and what callers put goes on.
const PUT: u64 = u64::MAX;

/// One metric of a page.
type Listed = (String, String, Vec<Dimension>);

/// Answers.
pub(super) fn list(it: &Emulator, input: &Fields<'_>, now: i64) -> Result<Vec<u8>, Refusal> {
    let wanted = ListFilter::parse(input)?;
    let tokens = Tokens::new(it.seed, &format!("{wanted:?}"));
    let from = match input.text("NextToken")? {
        None => Token::default(),
        Some(text) => tokens
            .read(text)
            .ok_or_else(|| Refusal::new(Kind::InvalidValue, "The parameter NextToken is not valid."))?,
    };
    let mut page: Vec<Listed> = Vec::new();
    let mut next = Some(if from.item == PUT { from } else { world(it, &wanted, now, from, &mut page) });
    if let Some(token) = next.filter(|token| token.item == PUT) {
        next = put(it, &wanted, now, token.within, &mut page);
    }
    let mut w = Writer::default();
    w.map(1 + usize::from(next.is_some())).text("Metrics").array(page.len());
    for (namespace, metric, dimensions) in &page {
        w.map(3).text("Namespace").text(namespace).text("MetricName").text(metric);
        w.text("Dimensions").array(dimensions.len());
        for (name, value) in dimensions {
            w.map(2).text("Name").text(name).text("Value").text(value);
        }
    }
    if let Some(token) = next {
        w.text("NextToken").text(&tokens.write(token));
    }
    Ok(w.finish())
}

/// Lists the world's metrics from a place on; gives where to go on.
fn world(it: &Emulator, wanted: &ListFilter, now: i64, from: Token, page: &mut Vec<Listed>) -> Token {
    let world = it.world.as_ref();
    let range = match wanted.only() {
        Some(i) => i..(i + 1).min(world.instances()),
        None => 0..world.instances(),
    };
    for i in range.start.max(from.item as usize)..range.end {
        let machine = world.machine(i);
        for (k, probe) in world.probes(i).iter().enumerate() {
            if i as u64 == from.item && (k as u64) < from.within || !wanted.names(probe.namespace, probe.metric) {
                continue;
            }
            let Some((first, last)) = world.extent(i, k) else { continue };
            let delay = it.world.span().step_ms + shown_after(it.seed, ((i as u64) << 8) | k as u64);
            if !wanted.shows(first, last, delay, now) {
                continue;
            }
            let dimensions = dimensions::of(&machine, probe);
            if !wanted.has(&dimensions) {
                continue;
            }
            if page.len() == PAGE {
                return Token { item: i as u64, within: k as u64 };
            }
            page.push((probe.namespace.to_owned(), probe.metric.to_owned(), dimensions));
        }
    }
    Token { item: PUT, within: 0 }
}

/// Lists what callers put, from the `n`-th metric on.
fn put(it: &Emulator, wanted: &ListFilter, now: i64, n: u64, page: &mut Vec<Listed>) -> Option<Token> {
    let store = it.store();
    for (at, (key, series)) in store.series().enumerate().skip(n as usize) {
        let Some((first, last)) = series.extent() else { continue };
        let delay = shown_after(it.seed, at as u64 | 1 << 63);
        let shown = wanted.names(&key.namespace, &key.metric)
            && wanted.has(&key.dimensions)
            && wanted.shows(first.max(series.since), last, delay, now);
        if shown {
            if page.len() == PAGE {
                return Some(Token { item: PUT, within: at as u64 });
            }
            page.push((key.namespace.clone(), key.metric.clone(), key.dimensions.clone()));
        }
    }
    None
}

fn shown_after(seed: u64, series: u64) -> i64 {
    (mix2(mix2(seed, 0x115), series) % SHOWN_MS) as i64
}
