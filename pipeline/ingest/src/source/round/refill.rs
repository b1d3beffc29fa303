//! Asks again for the gaps of series, once a round has everything else: what is late never stands in the way of what is new.

use super::super::api::Query;
use super::super::budget::next_month;
use super::super::call::CallError;
use super::super::clean::clean;
use super::super::deliver::{Batches, Delivery};
use super::super::fetch::fetch;
use super::super::gap::{Gap, GapNews, allowance, forgotten, left};
use super::super::plan::{Call, Want, pack};
use super::super::report::Counts;
use super::super::state::Target;
use super::super::window::kept;
use super::{Item, Shared};
use std::collections::BTreeMap;
use std::sync::Arc;

const HOUR: i64 = 3_600_000;

/// A gap with the place of its series among those observed.
type Found = (usize, Gap);

/// Asks for the gaps of a place that are due, as many as its allowance permits; those that could not be asked for stay due.
pub(super) fn refill(shared: &Shared<'_>, live: u64) {
    match due(shared, live).and_then(|gaps| ask(shared, &gaps)) {
        Ok(()) | Err(CallError::Ended | CallError::Spent(_)) => {}
        Err(error) => {
            tracing::info!(region = shared.place.region, %error, "late samples are asked for again next time");
        }
    }
}

fn due(shared: &Shared<'_>, live: u64) -> Result<Vec<Found>, CallError> {
    let (state, place, now) = (shared.caller.state, shared.caller.place, shared.job.clock.now_ms());
    state.forget_gaps(forgotten(now)).map_err(CallError::State)?;
    let used = state.billed(place, now).map_err(CallError::State)?;
    let budget_left = shared.job.budget.map(|budget| budget.saturating_sub(used));
    let rounds_left = ((next_month(now) - now) / HOUR).unsigned_abs();
    let most = allowance(live, budget_left, rounds_left);
    let of: BTreeMap<i64, usize> = shared.series.iter().enumerate().map(|(i, s)| (s.id, i)).collect();
    // Of series that are observed, and what CloudWatch still keeps at their period.
    let wanted = |g: &Gap| of.get(&g.series).is_some_and(|i| g.window.from >= now - kept(shared.series[*i].period_s));
    let gaps = state.gaps(place, now, most, wanted).map_err(CallError::State)?;
    let mut found: Vec<Found> = gaps.into_iter().filter_map(|g| Some((*of.get(&g.series)?, g))).collect();
    found.sort_by_key(|(i, g)| (*i, g.window));
    Ok(found)
}

fn ask(shared: &Shared<'_>, gaps: &[Found]) -> Result<(), CallError> {
    let wants = gaps.iter().enumerate().map(|(i, (series, gap))| Want {
        series: i,
        window: gap.window,
        period_s: shared.series[*series].period_s,
    });
    pack(wants).iter().try_for_each(|call| one(shared, gaps, call))
}

fn one(shared: &Shared<'_>, gaps: &[Found], call: &Call) -> Result<(), CallError> {
    let query = |want: &Want| {
        let series = &shared.series[gaps[want.series].0];
        Query { metric: &series.metric, stat: &series.stat, period_s: want.period_s }
    };
    let queries: Vec<Query<'_>> = call.wants.iter().map(query).collect();
    let raws = fetch(shared.caller, shared.place.metrics.as_ref(), &queries, call.window)?;
    let now = shared.job.clock.now_ms();
    let mut batches = Batches::new(shared.stamp(Some(now), 0));
    let (mut delivery, mut asked) = (Delivery::default(), Vec::new());
    for (want, mut raw) in call.wants.iter().zip(raws) {
        let (series, gap) = gaps[want.series];
        clean(&mut raw.ts, &mut raw.values, want.window, &mut delivery.faults);
        delivery.samples += raw.ts.len() as u64;
        asked.push((gap, left(gap, want.period_s, &raw.ts, now), raw.ts.last().copied()));
        batches.push(&shared.series[series], want.period_s, raw);
    }
    delivery.records = batches.finish();
    delivery.gaps = GapNews { asked, found: Vec::new() };
    let counts = shared.caller.counts;
    Counts::add(&counts.samples, delivery.samples);
    Counts::add(&counts.late, delivery.samples);
    counts.faults(delivery.faults);
    shared.job.metrics.samples.inc_by(delivery.samples);
    let item = Item::Samples { target: Target::Live, delivery, ledger: Arc::default() };
    shared.out.send(item).map_err(|_| CallError::Ended)
}
