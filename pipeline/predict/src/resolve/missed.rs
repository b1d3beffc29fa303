//! Writes down the incidents that nobody was warned of.

use super::facts::{Known, KnownIncident};
use super::{ResolveError, append, get};
use forewarn_domain::prediction::Level;
use forewarn_domain::time::HOUR_MS;
use forewarn_history::{History, PredictionFile, PredictionRow};
use forewarn_log::StateLog;
use forewarn_log::event::prediction::{Outcome, Resolved};
use forewarn_log::row::Episode;
use forewarn_rules::resolve::{SILENCE_MS, is_missed};
use forewarn_runtime::time::format_ms;
use std::collections::BTreeMap;

/// Of incidents that no episode answers, writes down those that nobody was warned of; gives how many. One counts from a day after the
/// first round on, if its instance was in the last round before it, within a week: of others forewarn could not have known.
///
/// Each round is read once, however many incidents followed it.
pub(super) fn write(
    (log, history): (&dyn StateLog, &History),
    unanswered: &[&KnownIncident],
    episodes: &[Episode],
    knowns: &mut BTreeMap<String, Known>,
) -> Result<u64, ResolveError> {
    let mut open = Vec::new();
    for known in unanswered {
        let (id, ts) = (&known.incident.instance_id, known.incident.ts);
        if log.length(&stream(&known.id))? == 0 {
            let claims: Vec<_> = get(knowns, log, episodes, id)?.claims.values().flatten().copied().collect();
            if is_missed(&claims, ts) {
                open.push(*known);
            }
        }
    }
    if open.is_empty() {
        return Ok(0);
    }
    let Some(first) = history.first_round()? else { return Ok(0) };
    open.retain(|known| known.incident.ts >= first.saturating_add(24 * HOUR_MS));
    let times = || open.iter().map(|known| known.incident.ts);
    let (Some(from), Some(to)) = (times().min(), times().max()) else { return Ok(0) };
    let rounds = history.rounds_in(from.saturating_sub(SILENCE_MS)..to)?;
    let mut count = 0;
    for (round, followed) in by_round(&rounds, &open) {
        let mut rows: BTreeMap<String, PredictionRow> = BTreeMap::new();
        for row in history.said(round)? {
            rows.entry(row.instance_id.clone()).or_insert(row);
        }
        for known in followed {
            let Some(row) = rows.get(&known.incident.instance_id) else { continue };
            count += append(log, &stream(&known.id), &["missed", &known.id], known.incident.ts, resolved(known, row))?;
        }
    }
    Ok(count)
}

/// Parts incidents by the last round before each.
fn by_round<'a>(
    rounds: &'a [PredictionFile],
    open: &[&'a KnownIncident],
) -> BTreeMap<&'a PredictionFile, Vec<&'a KnownIncident>> {
    let mut parts: BTreeMap<&PredictionFile, Vec<&KnownIncident>> = BTreeMap::new();
    for known in open {
        if let Some(round) = rounds[..rounds.partition_point(|r| r.as_of < known.incident.ts)].last() {
            parts.entry(round).or_default().push(known);
        }
    }
    parts
}

fn resolved(known: &KnownIncident, row: &PredictionRow) -> Resolved {
    let cause = known.incident.cause.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
    let said = match (row.level, row.p24) {
        (Level::Unassessable, _) => "the round before it could not assess the instance".to_owned(),
        (_, Some(p)) => format!("the round before it said P(24 h) {p:.4}"),
        (_, None) => "the round before it said nothing".to_owned(),
    };
    let at = format_ms(known.incident.ts);
    Resolved {
        episode_id: None,
        instance_id: known.incident.instance_id.clone(),
        outcome: Outcome::Missed,
        incident_id: Some(known.id.clone()),
        lead_hours: None,
        evidence: format!("an incident{cause} began at {at} and no episode reached that far; {said}"),
        at,
        verdict: None,
        by: None,
    }
}

fn stream(incident_id: &str) -> String {
    format!("missed/{incident_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_history::Entry;
    use forewarn_rules::truth::Incident;

    #[test]
    fn a_round_is_read_once_however_many_incidents_followed_it() {
        let round = |h: i64| PredictionFile {
            as_of: h * HOUR_MS,
            ruleset: "a".to_owned(),
            engine: "1".to_owned(),
            entry: Entry { path: format!("{h}"), size: 1 },
        };
        let known = |h: i64| KnownIncident {
            id: h.to_string(),
            incident: Incident { instance_id: format!("i-{h}"), ts: h * HOUR_MS + 1, cause: None, predictable: None },
            given: false,
        };
        let rounds: Vec<PredictionFile> = [0, 2, 4].map(round).to_vec();
        let incidents: Vec<KnownIncident> = (-1..8).map(known).collect();
        let parts = by_round(&rounds, &incidents.iter().collect::<Vec<_>>());
        let counts: Vec<_> = parts.iter().map(|(r, of)| (r.as_of / HOUR_MS, of.len())).collect();
        assert_eq!(counts, [(0, 2), (2, 2), (4, 4)]);
    }
}
