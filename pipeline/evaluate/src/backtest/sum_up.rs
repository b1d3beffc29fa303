//! Sums up what a replay recorded.

use super::assemble::{Assembled, assemble};
use super::baseline::BASELINES;
use super::cost;
use super::incidents::IncidentCounts;
use super::job::{Job, prior, prior_at};
use super::measure::Measure;
use super::notes;
use super::operating;
use super::records::Records;
use super::report::{PriorRange, Range, Report, RuleReport};
use super::tally::{RuleCounts, Tally};
use super::units::Units;
use forewarn_domain::prior::Prior;
use forewarn_predict::truth::RowTruth;
use forewarn_rules::ruleset::RuleSet;
use std::collections::{BTreeMap, BTreeSet};

/// Makes the report; incidents count until `data_end`, rows until `known_until`.
pub(super) fn report(
    job: &Job<'_>,
    records: &Records,
    tallies: Vec<Tally>,
    priors: &[Prior],
    data_end: i64,
    known_until: i64,
) -> Report {
    let units = Units::of(records, data_end);
    let label = |r: &RuleSet| format!("{} {}", r.name(), r.version());
    let mut names = vec![(label(job.ruleset), "ruleset")];
    if let Some(b) = job.against {
        names.push((label(b), "against"));
        if names[0].0 == names[1].0 {
            // What `fit` makes of a rule set keeps its name.
            names[0].0.push_str(" (A)");
            names[1].0.push_str(" (B)");
        }
    }
    if job.baselines {
        names.extend(BASELINES.map(|b| (b.to_owned(), "baseline")));
    }
    let Assembled { scorers, by_failure_type, by_cause, difference, resampling } =
        assemble(records, &units, &names, job.incidents.is_some());
    let mut censored: BTreeMap<&'static str, u64> = BTreeMap::new();
    for truth in records.instances.values().flat_map(|i| &i.truth) {
        if let RowTruth::Censored(why) = truth {
            *censored.entry(why.name()).or_default() += 1;
        }
    }
    let ids: BTreeSet<String> = records.instances.keys().cloned().collect();
    let incidents = job.incidents.map(|i| IncidentCounts::of(&i.list, &ids, job.steps, data_end));
    let (counts, any) = (scorers[0].counts, scorers[0].counts.followed > 0);
    let mut named = std::iter::once(job.ruleset).chain(job.against).zip(tallies).map(|(r, t)| t.named(r, any));
    let by_rule = named.next().unwrap_or_default();
    let other = named.next();
    let is_rule = |name: &str| job.ruleset.rules().iter().any(|r| r.id == name);
    let silent = |rules: &[(String, RuleCounts)]| -> Vec<String> {
        rules
            .iter()
            .filter(|(name, c)| c.rows == 0 && !name.starts_with("first passage"))
            .map(|r| r.0.clone())
            .collect()
    };
    let never_fired = silent(&by_rule);
    let weeks = counts.scored as f64 * units.weeks_a_row;
    let cost = job.costs.filter(|_| job.incidents.is_some() && counts.scored > 0);
    let cost = cost.map(|costs| cost::price(records, &units, costs, job.ruleset.levels().high, weeks));
    let operating = (job.incidents.is_some() && counts.scored > 0).then(|| {
        operating::operating(records, &units, job.ruleset.levels().high, job.pages_per_week, (known_until, data_end))
    });
    let mut notes = notes::of(job, data_end, incidents.as_ref(), &never_fired);
    if let (Some(b), Some(rules)) = (job.against, &other) {
        notes.extend(notes::silence(b, &silent(rules)));
    }
    let plain = Measure::ALL.iter().map(|m| (m.name(), scorers[0].measure(*m).value)).collect();
    Report {
        ruleset: job.ruleset.reference(),
        against: job.against.map(RuleSet::reference),
        range: Range {
            from: forewarn_runtime::time::format_ms(job.steps.from),
            to: forewarn_runtime::time::format_ms(job.steps.to),
            step_s: job.steps.step / 1000,
            known_until: forewarn_runtime::time::format_ms(known_until),
        },
        instances: records.instances.len(),
        rows: records.instances.values().map(|i| i.truth.len() as u64).sum(),
        scored: counts.scored,
        positives: counts.followed,
        unassessable: records.instances.values().map(|i| i.unassessable).sum(),
        unassessable_p24: priors.last().map_or_else(|| prior(job.ruleset), |p| prior_at(job.ruleset, p))[0],
        prior: priors
            .first()
            .zip(priors.last())
            .map(|(first, last)| PriorRange { first: first.clone(), last: last.clone() }),
        censored,
        incidents,
        plain,
        intervals: resampling,
        scorers,
        by_failure_type,
        by_cause,
        by_rule: by_rule
            .into_iter()
            .filter(|(name, c)| is_rule(name) || c.high > 0)
            .map(|(rule, counts)| RuleReport { rule, counts })
            .collect(),
        never_fired,
        difference,
        operating,
        cost,
        notes,
    }
}
