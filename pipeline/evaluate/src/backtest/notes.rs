//! What a backtest says in words about its input, so that no number stands for something that was never there.

use super::incidents::{IncidentCounts, Incidents};
use super::job::Job;
use forewarn_rules::grid::{HOUR_MS, HOURS};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::time::format_ms;

/// Says what is odd about the input, in words.
pub(super) fn of(
    job: &Job<'_>,
    data_end: i64,
    incidents: Option<&IncidentCounts>,
    never_fired: &[String],
) -> Vec<String> {
    let mut notes = Vec::new();
    match (job.incidents, incidents) {
        (Some(given), Some(counts)) => {
            notes.extend(of_incidents(given));
            notes.extend(of_counts(counts, job));
        }
        _ => notes.push("no incidents were given (--incidents FILE): nothing can be scored".to_owned()),
    }
    notes.extend(of_range(job, data_end));
    notes.extend(silence(job.ruleset, never_fired));
    notes
}

/// Says what is odd about a file of incidents.
pub fn of_incidents(given: &Incidents) -> Vec<String> {
    let mut notes = Vec::new();
    if given.list.is_empty() {
        notes.push("the incidents' file has no row: taken to mean that nothing failed".to_owned());
    }
    if given.local > 0 {
        notes.push(format!(
            "{} incident {} no zone: taken as UTC (--tz takes them in another zone)",
            given.local,
            if given.local == 1 { "time says" } else { "times say" }
        ));
    }
    if given.repeated > 0 {
        notes.push(format!(
            "{} of the incidents' file say again what another row says, and count once",
            rows_of(given.repeated)
        ));
    }
    notes
}

fn of_counts(counts: &IncidentCounts, job: &Job<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let (from, to) = (format_ms(job.steps.from), format_ms(job.steps.to));
    if counts.of_unknown_instances > 0 {
        notes.push(format!(
            "left out, as their instances have no sample from {from} to {to}: {} of {} incidents",
            counts.of_unknown_instances, counts.given
        ));
    }
    if counts.before + counts.after > 0 {
        let before = (counts.before > 0).then(|| format!("{} before {from}", counts.before));
        let after = (counts.after > 0).then(|| format!("{} past its end or that of the data", counts.after));
        let parts: Vec<String> = before.into_iter().chain(after).collect();
        notes.push(format!(
            "outside the range: {} of {} incidents ({})",
            counts.before + counts.after,
            counts.given,
            parts.join(", ")
        ));
    }
    if counts.in_the_first_day > 0 {
        notes.push(format!(
            "recall leaves out {} in the first 24 hours of the range: no full day of looks lies ahead of them (rows are scored by them all the same)",
            incidents_of(counts.in_the_first_day)
        ));
    }
    if counts.given > 0 && counts.counted == 0 {
        notes.push("no incident could have been warned of in this range: recall has no meaning".to_owned());
    }
    let said = job.incidents.is_some_and(|i| i.list.iter().any(|i| i.predictable.is_some()));
    if counts.counted > 0 && !said {
        notes.push("the incidents don't say which were predictable: all are taken to be".to_owned());
    }
    notes
}

fn of_range(job: &Job<'_>, data_end: i64) -> Vec<String> {
    let steps = job.steps;
    let mut notes = Vec::new();
    if (steps.to - steps.from) % steps.step != 0 {
        let last = steps.times().last().unwrap_or(steps.from);
        notes.push(format!(
            "the step of {} does not divide the range: the last look is at {}, and {} before --to are not looked at",
            span(steps.step),
            format_ms(last),
            span(steps.to - last)
        ));
    }
    if steps.step % HOUR_MS != 0 && HOUR_MS % steps.step != 0 {
        notes.push(format!(
            "the step of {} neither divides an hour nor is a whole number of hours: looks fall on ever other minutes of the hour",
            span(steps.step)
        ));
    }
    if steps.to - steps.from <= 24 * HOUR_MS {
        notes.push(
            "the range is no longer than the 24 hours that a prediction speaks of: nothing can be scored".to_owned(),
        );
    }
    if let Ok(Some((first, _))) = job.history.time_range()
        && steps.from < first + HOURS as i64 * HOUR_MS
    {
        notes.push(format!(
            "--from lies within the first seven days of the data, which begin at {}: early rows know less than a week",
            format_ms(first)
        ));
    }
    if steps.to > data_end {
        notes.push(format!("the data end at {}, before --to: rows past the end are not scored", format_ms(data_end)));
    }
    notes
}

/// Says that a rule set has nothing to say about this history.
pub(super) fn silence(ruleset: &RuleSet, never_fired: &[String]) -> Option<String> {
    let all = ruleset.rules().len();
    (all > 0 && never_fired.len() == all).then(|| {
        format!(
            "none of the {all} rules of {} {} fired in any row: check that signals have metrics (`forewarn history stats`, --map NAME=SIGNAL)",
            ruleset.name(),
            ruleset.version()
        )
    })
}

fn incidents_of(n: usize) -> String {
    if n == 1 { "1 incident".to_owned() } else { format!("{n} incidents") }
}

fn rows_of(n: usize) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

/// Writes a span as people do.
fn span(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400_000, "d"), (HOUR_MS, "h"), (60_000, "min"), (1000, "s")];
    UNITS
        .iter()
        .find(|u| ms % u.0 == 0)
        .map_or_else(|| format!("{ms} ms"), |(unit, name)| format!("{} {name}", ms / unit))
}
