//! Judges every incident of a replay for itself, and lists the alarms that nothing followed.

use super::job::Job;
use super::records::{ahead, episodes};
use super::report::Report;
use super::run::{BacktestError, run_watched};
use forewarn_domain::prediction::{FailureType, Level};
use forewarn_domain::time::HOUR_MS;
use forewarn_models::stats::quantile;
use forewarn_predict::truth::{RowTruth, Truth};
use forewarn_rules::assess::Assessed;
use forewarn_rules::foresee::{Look, Verdict, foresee};
use forewarn_rules::table::FeatureTable;
use forewarn_rules::truth::Incident;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::time::format_ms;
use serde::Serialize;
use std::collections::BTreeMap;

/// What would have been said of one incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    pub instance_id: String,
    /// When the incident began (RFC 3339).
    pub ts: String,
    /// Its cause, where known.
    pub cause: Option<String>,
    pub verdict: Verdict,
    /// Hours from the first warning of the last day.
    pub lead_h: Option<f64>,
    /// The reason in words.
    pub why: String,
    /// The highest level 1 to 24 hours ahead.
    pub peak: Option<&'static str>,
    /// The highest probability within 24 hours that was said then.
    pub p24: Option<f64>,
}

/// An alarm that nothing followed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseAlarm {
    pub instance_id: String,
    /// Its first hour (RFC 3339).
    pub from: String,
    /// Its last.
    pub to: String,
    /// What was said to break.
    pub failure_type: Option<&'static str>,
}

/// A replay with every incident judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreseen {
    /// Every incident of the range, in order of time.
    pub incidents: Vec<Judged>,
    /// Alarms that nothing followed, in order of time.
    pub false_alarms: Vec<FalseAlarm>,
    /// The figures of the backtest.
    pub backtest: Report,
}

/// Replays and judges.
///
/// # Errors
/// As [`super::run`].
pub fn judge_incidents(
    job: &Job<'_>,
    interrupt: &Interrupt,
    progress: impl FnMut(u64, u64),
) -> Result<Foreseen, BacktestError> {
    let list = job.incidents.map_or(&[][..], |i| &i.list);
    // Only the incidents are asked of it; until when the truth is known plays no part.
    let truth = Truth::new(list, &[], i64::MAX / 2);
    let mut judged: BTreeMap<(i64, String), Judged> = BTreeMap::new();
    let mut alarms: BTreeMap<(i64, String), FalseAlarm> = BTreeMap::new();
    let watch = |table: &FeatureTable, assessed: &Assessed, rows: &[RowTruth]| {
        let Some(id) = table.instance_ids.first() else { return (Vec::new(), Vec::new()) };
        let judged = truth
            .of(id)
            .incidents
            .iter()
            .map(|incident| ((incident.ts, id.clone()), of(job, incident, table, assessed)));
        let false_alarms = episodes(&table.as_of, rows, |row| assessed.level[row] == Level::High)
            .into_iter()
            .filter(|episode| !episode.right)
            .map(|episode| {
                let first = episode.first;
                let alarm = FalseAlarm {
                    instance_id: id.clone(),
                    from: format_ms(table.as_of[first]),
                    to: format_ms(table.as_of[episode.last]),
                    failure_type: assessed.failure_type[first].map(FailureType::name),
                };
                ((table.as_of[first], id.clone()), alarm)
            });
        (judged.collect(), false_alarms.collect())
    };
    let mut tell = |(found, raised): (Vec<_>, Vec<_>)| {
        judged.extend(found);
        alarms.extend(raised);
    };
    let backtest = run_watched(job, None, (&watch, &mut tell), interrupt, progress)?;
    for incident in list.iter().filter(|i| within(job, i.ts)) {
        let key = (incident.ts, incident.instance_id.clone());
        judged.entry(key).or_insert_with(|| {
            let why = "the history has no sample of the instance around it".to_owned();
            said(incident, Verdict::Unassessable, None, why, (None, None))
        });
    }
    let incidents = judged.into_iter().filter(|((ts, _), _)| within(job, *ts)).map(|(_, found)| found).collect();
    Ok(Foreseen { incidents, false_alarms: alarms.into_values().collect(), backtest })
}

fn within(job: &Job<'_>, ts: i64) -> bool {
    ts > job.steps.from && ts <= job.steps.to
}

fn of(job: &Job<'_>, incident: &Incident, table: &FeatureTable, assessed: &Assessed) -> Judged {
    let look = |row: usize| Look {
        as_of: table.as_of[row],
        level: assessed.level[row],
        reason: assessed.reason[row],
        p24: assessed.probability[0][row],
    };
    let whole_day = incident.ts >= job.steps.from + 24 * HOUR_MS;
    let window = ahead(&table.as_of, incident.ts);
    let looks: Vec<Look> = if whole_day { window.clone().map(look).collect() } else { Vec::new() };
    let mut before: Vec<f64> =
        assessed.probability[0][..window.start].iter().copied().filter(|p| p.is_finite()).collect();
    let found = foresee(incident.ts, &looks, quantile(&mut before, 0.5), incident.predictable);
    said(incident, found.verdict, found.lead_hours, found.why, (found.peak.map(Level::name), found.p24))
}

fn said(
    incident: &Incident,
    verdict: Verdict,
    lead_h: Option<f64>,
    why: String,
    (peak, p24): (Option<&'static str>, Option<f64>),
) -> Judged {
    Judged {
        instance_id: incident.instance_id.clone(),
        ts: format_ms(incident.ts),
        cause: incident.cause.clone(),
        verdict,
        lead_h,
        why,
        peak,
        p24,
    }
}
