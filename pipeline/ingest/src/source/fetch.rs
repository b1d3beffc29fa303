//! Makes one planned call until every query of it is answered whole: pages, partial data and failed queries included.

use super::api::{ApiError, DataRequest, MetricApi, Query, Standing};
use super::call::{CallError, Caller, Need};
use super::report::Counts;
use super::window::Window;
use forewarn_runtime::metrics::Call;

/// Most pages of one call.
const MAX_PAGES: u32 = 1000;
/// How often queries that CloudWatch failed are asked again.
const MAX_ROUNDS: u32 = 12;
/// Windows that begin within this time are cheaper to read, milliseconds.
const RECENT_MS: i64 = 3 * 3_600_000;

const CALL: Call = Call { service: "cloudwatch", operation: "GetMetricData" };

/// What one query gave, as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Raw {
    pub(super) ts: Vec<i64>,
    pub(super) values: Vec<f64>,
}

/// Gets everything of a window that the queries ask for, in their order.
///
/// # Errors
/// When a query cannot be answered whole; nothing of the window counts then.
pub(super) fn fetch(
    caller: &Caller<'_>,
    api: &dyn MetricApi,
    queries: &[Query<'_>],
    window: Window,
) -> Result<Vec<Raw>, CallError> {
    let mut out: Vec<Raw> = vec![Raw::default(); queries.len()];
    let mut open: Vec<usize> = (0..queries.len()).collect();
    let mut round = 0;
    loop {
        let asked: Vec<Query<'_>> = open.iter().map(|i| queries[*i]).collect();
        let standings = pages(caller, api, &asked, window, |query, ts, values| {
            let raw = &mut out[open[query]];
            if raw.ts.is_empty() {
                (raw.ts, raw.values) = (ts, values);
            } else {
                raw.ts.extend(ts);
                raw.values.extend(values);
            }
        })?;
        open = open.iter().zip(standings).filter(|(_, s)| *s != Standing::Complete).map(|(i, _)| *i).collect();
        if open.is_empty() {
            return Ok(out);
        }
        round += 1;
        Counts::add(&caller.counts.failed_queries, open.len() as u64);
        if round > MAX_ROUNDS {
            let query = &queries[open[0]].metric;
            let what = format!("{} {} was not answered whole", query.namespace, query.metric);
            let last = ApiError::Passing(what);
            return Err(CallError::GivenUp { operation: CALL.operation, tries: round, minutes: 0, last });
        }
        for &i in &open {
            out[i] = Raw::default();
        }
        caller.metrics.retries.get_or_create(&CALL).inc();
        Counts::add(&caller.counts.retries, 1);
        caller.pause(caller.backoff(round - 1))?;
    }
}

/// Reads all pages of a call and gives how far each query has come. A token that is no longer good begins the call again.
fn pages(
    caller: &Caller<'_>,
    api: &dyn MetricApi,
    queries: &[Query<'_>],
    window: Window,
    mut take: impl FnMut(usize, Vec<i64>, Vec<f64>),
) -> Result<Vec<Standing>, CallError> {
    let mut standings = vec![None::<Standing>; queries.len()];
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let points = queries.iter().map(|q| window.points(q.period_s)).sum();
        let need =
            Need { points, recent: caller.clock.now_ms() - window.from <= RECENT_MS, billed: queries.len() as u64 };
        let request = DataRequest { from: window.from, to: window.to, queries, token: token.clone() };
        let page = match caller.make(&CALL, need, || api.get_metric_data(&request)) {
            Ok(page) => page,
            // Whatever came before is asked for again: points that come twice are found by their time.
            Err(CallError::Api(ApiError::Token)) => return Ok(vec![Standing::Failed; queries.len()]),
            Err(e) => return Err(e),
        };
        for result in page.results {
            let Some(standing) = standings.get_mut(result.query) else { continue };
            if result.standing == Standing::Refused {
                let what = format!("CloudWatch refuses {}", queries[result.query].metric.metric);
                return Err(CallError::Api(ApiError::Denied { operation: "cloudwatch:GetMetricData", why: what }));
            }
            if result.standing == Standing::Partial {
                Counts::add(&caller.counts.partials, 1);
            }
            // A failure in the middle is not made good by a later page.
            if *standing != Some(Standing::Failed) {
                *standing = Some(result.standing);
            }
            take(result.query, result.ts, result.values);
        }
        match page.next {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            Some(_) | None => return Ok(standings.into_iter().map(|s| s.unwrap_or(Standing::Failed)).collect()),
        }
    }
    Ok(vec![Standing::Failed; queries.len()])
}
