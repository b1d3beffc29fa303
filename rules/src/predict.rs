//! Builds predictions: what a rule set says about a row, as people and programs receive it.

mod links;
mod remarks;
pub(crate) mod text;

use crate::assess::{Assessed, Score, hazards_of};
use crate::feature::{Feature, index, instance_index};
use crate::hazard::{HAZARDS, PerHazard, quantile_hours};
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::id::digest;
use forewarn_domain::prediction::{Factor, Horizons, Level, Prediction, Status, Window};
use forewarn_domain::signal::{Direction, SIGNALS, Signal};

/// The version of forewarn that makes predictions.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// The name that a factor gives for evidence without a rule.
pub const FIRST_PASSAGE: &str = "first-passage";

/// Says whose instance it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What the instance is a copy of, where known.
    pub workload: Option<String>,
    /// The newest declared change in words, where there is one.
    pub change: Option<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { account: "unknown".to_owned(), region: "unknown".to_owned(), workload: None, change: None }
    }
}

/// Gives the id of a prediction: 32 hexadecimal digits of the SHA-256 of instance, `as_of` (milliseconds), rule set, engine, and
/// the base rate where it was told.
pub fn prediction_id(instance_id: &str, as_of: i64, ruleset_sha256: &str, prior_id: Option<&str>) -> String {
    let as_of = as_of.to_string();
    let parts = [instance_id, &as_of, ruleset_sha256, ENGINE];
    digest(&parts.into_iter().chain(prior_id).collect::<Vec<_>>())
}

impl RuleSet {
    /// Builds the prediction for one row of an assessed table. The same row, rule set and engine give the same prediction, byte
    /// for byte; episode, sequence and status are left to [`forewarn_domain::episode`].
    ///
    /// # Panics
    /// When `assessed` was not made from `table`, or has no such row.
    pub fn predict(&self, table: &FeatureTable, assessed: &Assessed, row: usize, identity: &Identity) -> Prediction {
        let level = assessed.level[row];
        let at_risk = level.is_at_risk();
        let p = assessed.probabilities(row);
        let [h24, h72, h168] = p.map(|v| (!v.is_nan()).then_some(v));
        let mut score = Score::default();
        self.score(table, &assessed.fired, row, &mut score);
        let factors = if level == Level::Unassessable { Vec::new() } else { self.factors(table, &score, row, level) };
        let as_of = table.as_of[row];
        let held_until = if at_risk { self.held_until(table, &score, row, level) } else { None };
        let instance_id = table.instance_ids[row].as_str();
        let prior = table.prior.as_ref();
        Prediction {
            prediction_id: prediction_id(instance_id, as_of, &self.sha256, prior.map(|b| b.prior_id.as_str())),
            episode_id: None,
            workload_episode_id: None,
            sequence: 0,
            instance_id: instance_id.to_owned(),
            account: identity.account.clone(),
            region: identity.region.clone(),
            workload: identity.workload.clone(),
            as_of: forewarn_domain::time::rfc3339(as_of),
            confidence: level,
            status: Status::Quiet,
            probability: Horizons { h24, h72, h168 },
            window: at_risk.then(|| window(as_of, &p)),
            failure_type: assessed.failure_type[row].filter(|_| at_risk),
            recommended_action: assessed.action[row].filter(|_| at_risk),
            unassessable: assessed.reason[row].filter(|_| level == Level::Unassessable),
            counterfactual: if at_risk { self.counterfactual(table, assessed, row) } else { None },
            notes: self.notes(table, assessed, row, identity, held_until),
            held_until: held_until.map(forewarn_domain::time::rfc3339),
            silence_id: None,
            plan: None,
            prior: prior.cloned().map(Box::new),
            ruleset: self.reference(),
            engine: ENGINE.to_owned(),
            links: links::links(&identity.region, instance_id, as_of, factors.first().map(|f| f.signal)),
            factors,
        }
    }

    /// Evidence that counts towards the hazards of `level`, strongest first.
    fn factors(&self, table: &FeatureTable, score: &Score, row: usize, level: Level) -> Vec<Factor> {
        // (rule or None for first passage, signal, evidence, hazard in which it is strongest)
        let mut found: Vec<(Option<usize>, Signal, f64, usize)> = Vec::new();
        let mut add = |rule: Option<usize>, signal: Signal, evidence: f64, k: usize| match found
            .iter_mut()
            .find(|f| f.0 == rule && f.1 == signal)
        {
            Some(f) if evidence > f.2 => (f.2, f.3) = (evidence, k),
            Some(_) => {}
            None => found.push((rule, signal, evidence, k)),
        };
        for k in 0..hazards_of(level) {
            for win in score.groups.iter().filter_map(|g| g[k]) {
                add(Some(win.rule), self.rules[win.rule].signal, win.evidence, k);
            }
            for (signal, evidence) in score.passage(k) {
                add(None, signal, evidence, k);
            }
        }
        // Stable, so that equals keep the rule set's order.
        found.sort_by(|a, b| b.2.total_cmp(&a.2));
        found
            .into_iter()
            .map(|(rule, signal, evidence, k)| self.factor(table, row, rule, signal, evidence, k))
            .collect()
    }

    fn factor(
        &self,
        table: &FeatureTable,
        row: usize,
        rule: Option<usize>,
        signal: Signal,
        evidence: f64,
        k: usize,
    ) -> Factor {
        let rule = rule.map(|r| &self.rules[r]);
        let known = |f: Feature| Some(table.get(row, index(signal, f))).filter(|v| v.is_finite());
        Factor {
            signal,
            device: table.devices.get(signal as usize).and_then(|d| d.get(row).cloned().flatten()),
            rule: rule.map_or(FIRST_PASSAGE, |r| r.id.as_str()).to_owned(),
            evidence,
            now: known(Feature::Now),
            slope_per_day: slope_per_day(table, row, signal),
            eta_hours: known(Feature::EtaHours),
            text: rule
                .map_or_else(|| text::passage(self, table, row, signal, k), |r| r.why.render(|c| table.get(row, c))),
        }
    }

    /// Says until when a declared change keeps a row from being announced, milliseconds; None when nothing does. Rules marked
    /// `hard`, and maintenance, whose date is known, need no trend: what they bear on is never held back.
    pub(crate) fn held_until(&self, table: &FeatureTable, score: &Score, row: usize, level: Level) -> Option<i64> {
        let change = table.get(row, instance_index(4));
        let left = self.episodes.change_grace_hours - change;
        let k = hazards_of(level);
        let hard = score.groups.iter().flat_map(|g| &g[..k]).flatten().any(|w| self.rules[w.rule].hard)
            || score.passage[Signal::Maintenance as usize][..k].iter().any(|e| *e > 0.0);
        (left > 0.0 && !hard).then(|| text::after(table.as_of[row], left))
    }

    pub(crate) fn notes(
        &self,
        table: &FeatureTable,
        assessed: &Assessed,
        row: usize,
        identity: &Identity,
        held_until: Option<i64>,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(reason) = assessed.reason[row] {
            let known = assessed.level[row] != Level::Unassessable;
            let prefix = match known {
                true if self.agent_fell_silent(table, row, reason) => {
                    "rests on what is still heard, and on what was heard last: "
                }
                true => "rests on hard signals alone: ",
                false => "",
            };
            notes.push(format!("{prefix}{}", text::unassessable(self, table, row, reason)));
        } else {
            notes.extend(text::held(table, row));
        }
        let change = table.get(row, instance_index(4));
        if change <= self.episodes.change_grace_hours.max(24.0) {
            let words = identity.change.as_ref().map(|c| format!(" ({c})")).unwrap_or_default();
            let wait = held_until
                .map(|t| format!("; trends alone are not announced before {}", forewarn_domain::time::rfc3339(t)));
            let ago = text::hours(change);
            notes.push(format!("a change was declared {ago} before{words}{}", wait.unwrap_or_default()));
        }
        let age = table.get(row, instance_index(0));
        if age < 7.0 {
            notes.push(format!("young: {} of history", text::hours(age * 24.0)));
        }
        notes.extend(remarks::sentences(table.remarks.get(row).map_or(&[], Vec::as_slice)));
        let blind = |s: &Signal| {
            let n = table.get(row, index(*s, Feature::N));
            n.is_nan() || n <= 0.0
        };
        let blind: Vec<&str> = self.limits.require_any.iter().filter(|s| blind(s)).map(|s| s.name()).collect();
        if !blind.is_empty() && assessed.level[row] != Level::Unassessable {
            notes.push(format!("no samples of {}: such failures can't be foreseen", blind.join(", ")));
        }
        notes
    }
}

/// The slope in units a day as a chart shows it: negative when the value falls.
fn slope_per_day(table: &FeatureTable, row: usize, signal: Signal) -> Option<f64> {
    let slope = [Feature::Slope7d, Feature::Slope24h].into_iter().map(|f| table.get(row, index(signal, f)));
    let towards_critical = slope.into_iter().find(|v| v.is_finite())?;
    Some(match SIGNALS[signal as usize].direction {
        Direction::Up => towards_critical,
        Direction::Down => 0.0 - towards_critical,
    })
}

fn window(as_of: i64, p: &PerHazard) -> Window {
    let t = [0.1, 0.5, 0.9].map(|q| quantile_hours(p, q));
    debug_assert_eq!(t.len(), HAZARDS);
    let [p10, p50, p90] = t.map(|h| forewarn_domain::time::rfc3339(text::after(as_of, h)));
    Window { p10, p50, p90, text: text::window(as_of, &t) }
}
