//! Checks a raw rule set and builds the one that runs.

use super::error::line_of;
use super::nearest::nearest;
use super::raw::{Number, RawBin, RawBins, RawEvidence, RawRule, RawRuleSet, RawWeight};
use super::{Evidence, Limits, Params, Passage, Problem, Rule, RuleSet, RuleSetError, Why};
use crate::feature::{FEATURES, WIDTH, column_index, columns};
use crate::grid::HOURS;
use crate::hazard::{Calibration, HAZARDS, HORIZON_NAMES, PerHazard, prior_log_odds};
use crate::predicate::{Predicate, evaluate};
use crate::table::FeatureTable;
use forewarn_domain::id::hex;
use forewarn_domain::levels::{Episodes, Levels};
use forewarn_domain::signal::{SIGNALS, Signal};
use forewarn_models::base_rate::Stated;
use polars::prelude::PolarsError;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// Weights of evidence past this are certain either way; more would only invite overflow.
const MAX_EVIDENCE: f64 = 50.0;
/// The instance months that the stated rate counts for, where nothing else is said.
const INSTANCE_MONTHS: f64 = 2.0;

struct Builder<'a> {
    text: &'a str,
    origin: &'a str,
    params: Params,
    used: RefCell<BTreeSet<String>>,
}

pub(super) fn build(text: &str, origin: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<RuleSet, RuleSetError> {
    let raw: RawRuleSet = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        let (line, rule) = (line_of(text, at), enclosing_rule(text, at));
        RuleSetError { origin: origin.to_owned(), line, rule, problem: Problem::Toml(e.message().trim().to_owned()) }
    })?;
    let params = in_force(text, origin, &raw, env)?;
    let b = Builder { text, origin, params, used: RefCell::default() };
    let levels = b.levels(&raw)?;
    let episodes = b.episodes(&raw)?;
    let limits = b.limits(&raw)?;
    let incidents = b.ranged(&raw.prior.incidents_per_instance_month, "incidents_per_instance_month", 1e-9, 1e3)?;
    let months = raw.prior.instance_months.as_ref();
    let months = months.map_or(Ok(INSTANCE_MONTHS), |n| b.ranged(n, "instance_months", 1e-3, 1e6))?;
    let passage = b.passage(&raw)?;
    let calibration = b.calibrations(&raw)?;
    let (groups, rules) = b.rules(&raw)?;
    b.refuse_unused(&raw)?;
    Ok(RuleSet {
        sha256: fingerprint(text, &b.params),
        prior: prior_log_odds(incidents),
        rate: Stated { per_month: incidents, months },
        name: raw.name,
        version: raw.version,
        params: b.params,
        levels,
        episodes,
        limits,
        passage,
        calibration,
        provenance: raw.provenance,
        groups,
        rules,
    })
}

fn in_force(
    text: &str,
    origin: &str,
    raw: &RawRuleSet,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Params, RuleSetError> {
    let line = |name: &str| raw.params.get(name).map_or(1, |v| line_of(text, v.span().start));
    let fail = |line, problem| RuleSetError { origin: origin.to_owned(), line, rule: None, problem };
    let mut stated = BTreeMap::new();
    for (name, value) in &raw.params {
        let v = *value.get_ref();
        if !v.is_finite() {
            return Err(fail(line(name), Problem::NotFinite { what: format!("parameter `{name}`"), value: v }));
        }
        stated.insert(name.clone(), v);
    }
    Params::in_force(&stated, env).map_err(|problem| {
        let at = if let Problem::Environment { variable, .. } = &problem {
            line(&variable.to_lowercase())
        } else if let Problem::Levels { warning, critical, .. } = &problem {
            line(warning).max(line(critical))
        } else {
            1
        };
        fail(at, problem)
    })
}

impl Builder<'_> {
    fn error(&self, offset: usize, rule: Option<&str>, problem: Problem) -> RuleSetError {
        let line = line_of(self.text, offset);
        RuleSetError { origin: self.origin.to_owned(), line, rule: rule.map(str::to_owned), problem }
    }

    fn ranged(&self, n: &Spanned<Number>, what: &str, low: f64, high: f64) -> Result<f64, RuleSetError> {
        let at = |problem| self.error(n.span().start, None, problem);
        let value = match n.get_ref() {
            Number::Literal(v) => *v,
            Number::Param(name) => {
                self.used.borrow_mut().insert(name.clone());
                self.params.get(name).map_err(at)?
            }
        };
        if !value.is_finite() {
            return Err(at(Problem::NotFinite { what: what.to_owned(), value }));
        }
        if !(low..=high).contains(&value) {
            return Err(at(Problem::Range { what: what.to_owned(), value, low, high }));
        }
        Ok(value)
    }

    fn optional(&self, n: Option<&Spanned<Number>>, what: &str, high: f64, default: f64) -> Result<f64, RuleSetError> {
        n.map_or(Ok(default), |n| self.ranged(n, what, 0.0, high))
    }

    fn levels(&self, raw: &RawRuleSet) -> Result<Levels, RuleSetError> {
        let l = &raw.levels;
        // A threshold of 0 would put every instance at the level, one of 1 none.
        let probability = |n, what| self.ranged(n, what, 1e-6, 1.0 - 1e-6);
        let (clear_below, clear_after) = match &l.hysteresis {
            None => (0.7, 6.0),
            Some(h) => (
                self.ranged(&h.clear_below, "clear_below", 0.0, 1.0)?,
                self.ranged(&h.clear_after, "clear_after", 0.0, 168.0)?,
            ),
        };
        Ok(Levels {
            high: probability(&l.high, "level high")?,
            medium: probability(&l.medium, "level medium")?,
            low: probability(&l.low, "level low")?,
            clear_below,
            clear_after,
        })
    }

    fn episodes(&self, raw: &RawRuleSet) -> Result<Episodes, RuleSetError> {
        let e = &raw.episodes;
        let members = e.workload_members.as_ref().map_or(Ok(3.0), |n| self.ranged(n, "workload_members", 2.0, 1e6))?;
        Ok(Episodes {
            change_grace_hours: self.optional(e.change_grace_hours.as_ref(), "change_grace_hours", 168.0, 6.0)?,
            // A share of an instance is no member; the range above leaves no other loss.
            workload_members: members.ceil() as usize,
        })
    }

    fn limits(&self, raw: &RawRuleSet) -> Result<Limits, RuleSetError> {
        let a = &raw.assess;
        Ok(Limits {
            min_coverage_24h: self.optional(a.min_coverage_24h.as_ref(), "min_coverage_24h", 1.0, 0.25)?,
            max_silence_hours: self.optional(a.max_silence_hours.as_ref(), "max_silence_hours", 168.0, 6.0)?,
            min_age_hours: self.optional(a.min_age_hours.as_ref(), "min_age_hours", 168.0, 6.0)?,
            lookback_hours: a
                .lookback_hours
                .as_ref()
                .map_or(Ok(HOURS as f64), |n| self.ranged(n, "lookback_hours", 24.0, HOURS as f64))?,
            require_any: a.require_any.iter().map(|s| self.signal(s, None)).collect::<Result<_, _>>()?,
        })
    }

    fn passage(&self, raw: &RawRuleSet) -> Result<Passage, RuleSetError> {
        let cap = self.optional(raw.passage.cap.as_ref(), "passage cap", MAX_EVIDENCE, 6.0)?;
        let mut weights = [[0.0; HAZARDS]; SIGNALS.len()];
        for (name, written) in &raw.passage.weights {
            let signal = self.signal(name, None)?;
            let at = |problem| self.error(written.span().start, None, problem);
            let what = format!("passage weight of {}", signal.name());
            weights[signal as usize] = written.get_ref().each();
            weights[signal as usize].iter().try_for_each(|w| in_range(&what, *w, 10.0)).map_err(at)?;
        }
        Ok(Passage { weights, cap })
    }

    fn calibrations(&self, raw: &RawRuleSet) -> Result<[Calibration; 3], RuleSetError> {
        let mut out: [Option<Calibration>; 3] = [const { None }; 3];
        for c in &raw.calibration {
            let name = c.horizon.get_ref();
            let at = |problem| self.error(c.horizon.span().start, None, problem);
            let k = HORIZON_NAMES.iter().position(|h| h == name);
            let k = k.ok_or_else(|| at(Problem::UnknownHorizon { name: name.clone() }))?;
            if out[k].is_some() {
                return Err(at(Problem::DuplicateHorizon(name.clone())));
            }
            let made = Calibration::try_from(c.knots.get_ref().clone());
            out[k] = Some(made.map_err(|e| self.error(c.knots.span().start, None, e.into()))?);
        }
        Ok(out.map(|c| c.unwrap_or_else(Calibration::identity)))
    }

    fn signal(&self, name: &Spanned<String>, rule: Option<&str>) -> Result<Signal, RuleSetError> {
        let text = name.get_ref();
        Signal::from_name(text).ok_or_else(|| {
            let nearest = nearest(text, SIGNALS.iter().map(|s| s.name));
            self.error(name.span().start, rule, Problem::UnknownSignal { name: text.clone(), nearest })
        })
    }

    fn rules(&self, raw: &RawRuleSet) -> Result<(Vec<String>, Vec<Rule>), RuleSetError> {
        let mut groups: Vec<String> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut rules = Vec::with_capacity(raw.rule.len());
        for r in &raw.rule {
            let id = r.id.get_ref();
            if !ids.insert(id.as_str()) {
                return Err(self.error(r.id.span().start, Some(id), Problem::DuplicateId(id.clone())));
            }
            // A rule without a group stands alone, beside rules that name its id as their group.
            let name = r.group.as_deref().unwrap_or(id);
            let group = groups.iter().position(|g| *g == name).unwrap_or_else(|| {
                groups.push(name.to_owned());
                groups.len() - 1
            });
            rules.push(self.rule(r, group)?);
        }
        self.dry_run(raw, &rules)?;
        Ok((groups, rules))
    }

    /// Shows what Polars thinks of the predicates before real data does; one by one only to find the one that it refuses.
    fn dry_run(&self, raw: &RawRuleSet, rules: &[Rule]) -> Result<(), RuleSetError> {
        let mut row = FeatureTable::new();
        row.push("", 0, &vec![f64::NAN; WIDTH], &[]);
        let all: Vec<&Predicate> = rules.iter().map(|r| &r.when).collect();
        if evaluate(&all, &row).is_ok() {
            return Ok(());
        }
        for (r, rule) in raw.rule.iter().zip(rules) {
            let refused =
                |e: PolarsError| self.error(r.when.span().start, Some(&rule.id), Problem::Polars(e.to_string()));
            evaluate(&[&rule.when], &row).map_err(refused)?;
        }
        Ok(())
    }

    fn rule(&self, r: &RawRule, group: usize) -> Result<Rule, RuleSetError> {
        let id = r.id.get_ref().as_str();
        let at = |offset: usize, problem| self.error(offset, Some(id), problem);
        let mut used = |name: &str| {
            self.used.borrow_mut().insert(name.to_owned());
        };
        for (what, text) in [("id", id), ("group", r.group.as_deref().unwrap_or(id)), ("why", r.why.get_ref().as_str())]
        {
            if text.trim().is_empty() {
                return Err(at(r.id.span().start, Problem::Empty(what)));
            }
        }
        let signal = self.signal(&r.signal, Some(id))?;
        let when_at = r.when.span().start;
        let when = Predicate::compile(r.when.get_ref(), &self.params, &mut used).map_err(|p| at(when_at, p))?;
        let horizons = r.horizons.as_ref().map(|h| *h.get_ref());
        for value in horizons.into_iter().flatten() {
            let offset = r.horizons.as_ref().map_or(0, |h| h.span().start);
            weight("horizon weight", value).map_err(|p| at(offset, p))?;
        }
        let evidence = evidence(r.evidence.get_ref(), horizons).map_err(|p| at(r.evidence.span().start, p))?;
        let why = Why::parse(r.why.get_ref(), &self.params, &mut used).map_err(|p| at(r.why.span().start, p))?;
        let read = when.columns().iter().copied().chain(evidence.column());
        let signals = read.filter_map(|c| SIGNALS.get(c / FEATURES.len())).map(|s| s.signal);
        let signals = signals.chain([signal]).collect();
        let (failure_type, action, hard, locked) = (r.failure_type, r.action, r.hard, r.locked);
        Ok(Rule { id: id.to_owned(), group, signal, failure_type, action, when, evidence, locked, hard, why, signals })
    }

    /// A parameter that nothing reads is most likely misspelt.
    fn refuse_unused(&self, raw: &RawRuleSet) -> Result<(), RuleSetError> {
        let built_in: Vec<&str> = SIGNALS.iter().flat_map(|s| [s.warning_param, s.critical_param]).collect();
        let used = self.used.borrow();
        for (name, value) in &raw.params {
            if !built_in.contains(&name.as_str()) && !used.contains(name) {
                let nearest = nearest(name, built_in.iter().copied().chain(used.iter().map(String::as_str)));
                return Err(self.error(value.span().start, None, Problem::UnusedParam { name: name.clone(), nearest }));
            }
        }
        Ok(())
    }
}

fn weight(what: &str, value: f64) -> Result<f64, Problem> {
    if !value.is_finite() {
        Err(Problem::NotFinite { what: what.to_owned(), value })
    } else if value < 0.0 {
        Err(Problem::NegativeEvidence(value))
    } else if value > MAX_EVIDENCE {
        Err(Problem::Range { what: what.to_owned(), value, low: 0.0, high: MAX_EVIDENCE })
    } else {
        Ok(value)
    }
}

/// Refuses a number that is not finite or outside 0 to `high`.
fn in_range(what: &str, value: f64, high: f64) -> Result<(), Problem> {
    let (what, low) = (what.to_owned(), 0.0);
    if !value.is_finite() {
        Err(Problem::NotFinite { what, value })
    } else if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Problem::Range { what, value, low, high })
    }
}

impl RawWeight {
    fn each(self) -> PerHazard {
        match self {
            Self::Same(weight) => [weight; HAZARDS],
            Self::Each(weights) => weights,
        }
    }

    /// The evidence towards each hazard: what is written for all of them is shared out by `horizons`.
    fn evidence(self, horizons: Option<PerHazard>) -> Result<PerHazard, Problem> {
        let written = self.each();
        written.iter().try_for_each(|e| weight("evidence", *e).map(|_| ()))?;
        match (self, horizons) {
            (Self::Each(_), Some(_)) => Err(Problem::HorizonsTwice),
            (_, None) => Ok(written),
            (Self::Same(evidence), Some(shares)) => Ok(shares.map(|share| share * evidence)),
        }
    }
}

impl RawBin {
    fn parts(self) -> (f64, RawWeight) {
        match self {
            Self::Same(edge, evidence) => (edge, RawWeight::Same(evidence)),
            Self::Each(edge, a, b, c) => (edge, RawWeight::Each([a, b, c])),
        }
    }
}

fn evidence(raw: &RawEvidence, horizons: Option<PerHazard>) -> Result<Evidence, Problem> {
    match raw {
        RawEvidence::Constant(e) => e.evidence(horizons).map(Evidence::Constant),
        RawEvidence::Binned(RawBins { feature, bins }) => {
            let index = column_index(feature).ok_or_else(|| Problem::UnknownColumn {
                name: feature.clone(),
                nearest: nearest(feature, columns().iter().map(String::as_str)),
            })?;
            if bins.is_empty() {
                return Err(Problem::NoBins(feature.clone()));
            }
            let mut built: Vec<(f64, PerHazard)> = Vec::with_capacity(bins.len());
            for (edge, evidence) in bins.iter().map(|bin| bin.parts()) {
                if !edge.is_finite() {
                    return Err(Problem::NotFinite { what: format!("a bin edge over `{feature}`"), value: edge });
                }
                built.push((edge, evidence.evidence(horizons)?));
            }
            let falls = |w: &[(f64, PerHazard)]| (0..HAZARDS).any(|k| w[1].1[k] < w[0].1[k]);
            if let Some(i) = built.windows(2).position(|w| w[1].0 <= w[0].0 || falls(w)) {
                return Err(Problem::Bins { feature: feature.clone(), bin: i + 2 });
            }
            Ok(Evidence::Binned { feature: index, bins: built })
        }
    }
}

/// Gives the id of the `[[rule]]` that byte `at` of the text lies in, for errors of the TOML reader, which doesn't know.
fn enclosing_rule(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind("[[rule]]").or_else(|| text.get(at..)?.starts_with("[[rule]]").then_some(at))?;
    let block = &text[start + 2..];
    let block = &block[..block.find("\n[").unwrap_or(block.len())];
    if start + 2 + block.len() < at {
        return None;
    }
    let line = block.lines().find(|l| l.trim_start().starts_with("id"))?;
    line.split('"').nth(1).map(str::to_owned)
}

fn fingerprint(text: &str, params: &Params) -> String {
    let mut canonical = String::with_capacity(text.len() + 1024);
    for line in text.trim_end().lines() {
        canonical.push_str(line.trim_end());
        canonical.push('\n');
    }
    for (name, value) in params.iter() {
        canonical.push_str(name);
        canonical.push('=');
        canonical.push_str(&value.to_string());
        canonical.push('\n');
    }
    hex(&Sha256::digest(canonical.as_bytes()))
}
