//! What is told of each account and region: how old its oldest watermark is, whether it fails, what is left of its budget.

use super::breaker::Position;
use super::job::{Job, Mode};
use super::place::Place;
use super::report::PlaceReport;
use super::state::PlaceRow;
use forewarn_runtime::metrics::{Metrics, Place as PlaceLabel};
use forewarn_runtime::pulse::Waiting;

/// What the part that pulls is called.
const PART: &str = "ingest";
const UNKNOWN: &str = "unknown";

/// Names a place by the account that it is known to be in.
pub(super) fn label(place: &Place, known: Option<&str>) -> PlaceLabel {
    let account = place.account.as_deref().or(known).unwrap_or(UNKNOWN);
    PlaceLabel { account: account.to_owned(), region: place.region.clone() }
}

/// Notes that a place is being dealt with, until the guard is dropped; a place that was never done grows old from its first round.
pub(super) fn begin(place: &Place, row: &PlaceRow, job: &Job<'_>, now_ms: i64) -> Waiting {
    let label = label(place, row.account.as_deref());
    let waiting = job.metrics.pulses.of(PART).waits_for(format!("account {} in {}", label.account, label.region));
    if let Mode::Follow { .. } = job.mode {
        job.metrics.places.through.begin(label, now_ms);
    }
    waiting
}

/// Notes how a round ended in a place.
pub(super) fn close(place: &Place, report: &PlaceReport, job: &Job<'_>, now_ms: i64) {
    let (metrics, label) =
        (job.metrics, label(place, Some(&report.account).filter(|a| !a.is_empty()).map(String::as_str)));
    metrics.billed_metrics.get_or_create(&label).inc_by(report.tally.billed_metrics);
    metrics.budget_spent.get_or_create(&label).set(i64::from(report.spent.is_some()));
    if let Some(budget) = job.budget {
        let left = i64::try_from(budget.saturating_sub(report.billed_this_month)).unwrap_or(i64::MAX);
        metrics.place_budget_left.get_or_create(&label).set(left);
    }
    if let Mode::Follow { .. } = job.mode {
        follows(metrics, &label, report, now_ms);
    }
}

fn follows(metrics: &Metrics, label: &PlaceLabel, report: &PlaceReport, now_ms: i64) {
    if label.account != UNKNOWN {
        metrics.places.forget(&PlaceLabel { account: UNKNOWN.to_owned(), region: label.region.clone() });
    }
    match report.lag_ms {
        Some(lag) => metrics.places.through.set(label.clone(), now_ms - lag),
        // There is nothing to pull, and that was found out just now.
        None if report.complete => metrics.places.through.set(label.clone(), now_ms),
        None => {}
    }
    let open = !matches!(report.breaker, Position::Closed);
    metrics.breaker_open.get_or_create(label).set(i64::from(open));
    if report.complete {
        metrics.places.succeeded(label, now_ms);
    } else if report.error.is_some() {
        metrics.places.failed(label);
    }
}

/// Notes how a round ended everywhere: it was a success where anything was pulled whole, and is as far behind as the place that is
/// furthest behind, whether that fails or not.
pub(super) fn round(reports: &[PlaceReport], job: &Job<'_>, now_ms: i64) {
    if let Some(budget) = job.budget {
        let left = reports.iter().map(|r| budget.saturating_sub(r.billed_this_month)).min().unwrap_or(budget);
        job.metrics.budget_left.set(i64::try_from(left).unwrap_or(i64::MAX));
    }
    let Mode::Follow { .. } = job.mode else { return };
    if let Some(oldest) = job.metrics.places.through.oldest() {
        job.metrics.dealt_with(PART, oldest);
    }
    if reports.iter().any(|r| r.complete) {
        job.metrics.success(PART, now_ms);
    }
}
