//! Explains a row: every term of every hazard's log-odds, adding up exactly.

use crate::assess::{AssessError, Score, check_shape};
use crate::feature::columns;
use crate::hazard::{HAZARDS, HORIZON_NAMES, sigmoid};
use crate::predict::{Identity, text};
use crate::ruleset::{Evidence, RuleSet, plain};
use crate::table::FeatureTable;
use forewarn_domain::prediction::{Horizons, Level, RuleSetRef, Unassessable};
use forewarn_domain::prior::PriorSource;
use forewarn_domain::signal::Signal;
use serde::{Deserialize, Serialize};

/// Why a row got its level, term by term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Explanation {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The time explained (RFC 3339, UTC).
    pub as_of: String,
    /// The level.
    pub confidence: Level,
    /// Why too little is known; null when enough is.
    pub unassessable: Option<Unassessable>,
    /// The probabilities that result; null where unassessable.
    pub probability: Horizons,
    /// The three hazards.
    pub hazards: Vec<HazardExplanation>,
    /// Rules that fired but are outweighed by a stronger one of their group, or add nothing.
    pub outweighed: Vec<Outweighed>,
    /// Number of rules that did not fire.
    pub silent_rules: usize,
    /// Notes that don't change a probability: a declared change, a borrowed profile, a blind signal.
    pub notes: Vec<String>,
    /// The rules that were applied.
    pub ruleset: RuleSetRef,
}

/// A rule that fired and counts for nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outweighed {
    /// The rule's id.
    pub rule: String,
    /// What it says.
    pub text: String,
}

/// One hazard's log-odds, term by term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HazardExplanation {
    /// The span: `0-24h`, `24-72h` or `72-168h`.
    pub horizon: String,
    /// The terms; their `log_odds` add up to the hazard's.
    pub terms: Vec<Term>,
    /// The hazard's log-odds, calibrated.
    pub log_odds: f64,
    /// The hazard: the probability of an incident in the span given none before.
    pub hazard: f64,
}

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// What is assumed without evidence.
    Prior,
    /// First passage of a signal to its critical level.
    FirstPassage,
    /// The strongest rule of a group.
    Rule,
    /// What calibration adds or takes away.
    Calibration,
}

/// One term of a hazard's log-odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Term {
    /// What it is.
    pub kind: TermKind,
    /// The signal it speaks of.
    pub signal: Option<Signal>,
    /// The rule's group.
    pub group: Option<String>,
    /// The rule's id.
    pub rule: Option<String>,
    /// The feature whose bins weigh the rule.
    pub feature: Option<String>,
    /// That feature's value.
    pub value: Option<f64>,
    /// The lower edge of the bin it falls into.
    pub bin: Option<f64>,
    /// What it adds.
    pub log_odds: f64,
    /// The term in words.
    pub text: String,
}

impl RuleSet {
    /// Explains one row; `identity` says which change was declared.
    ///
    /// # Errors
    /// When there is no such row, the table's columns differ in length, or Polars fails.
    pub fn explain(&self, table: &FeatureTable, row: usize, identity: &Identity) -> Result<Explanation, AssessError> {
        if row >= table.len() {
            return Err(AssessError::Row { row, rows: table.len() });
        }
        check_shape(table)?;
        let one = table.only(row);
        let assessed = self.assess(&one)?;
        let mut score = Score::default();
        self.score(&one, &assessed.fired, 0, &mut score);
        let hazards = (0..HAZARDS).map(|k| self.explain_hazard(&one, &score, k)).collect();
        let fired = |i: &usize| assessed.fired[*i][0];
        let wins = |i: &usize| score.wins().any(|w| w.rule == *i);
        let outweighed = (0..self.rules.len()).filter(|i| fired(i) && !wins(i)).map(|i| {
            let rule = &self.rules[i];
            Outweighed { rule: rule.id.clone(), text: rule.why.render(|c| one.get(0, c)) }
        });
        let at_risk = assessed.level[0].is_at_risk();
        let held_until = if at_risk { self.held_until(&one, &score, 0, assessed.level[0]) } else { None };
        let [h24, h72, h168] = assessed.probabilities(0).map(|p| (!p.is_nan()).then_some(p));
        Ok(Explanation {
            instance_id: one.instance_ids[0].clone(),
            as_of: forewarn_domain::time::rfc3339(one.as_of[0]),
            confidence: assessed.level[0],
            unassessable: assessed.reason[0],
            probability: Horizons { h24, h72, h168 },
            hazards,
            outweighed: outweighed.collect(),
            silent_rules: (0..self.rules.len()).filter(|i| !fired(i)).count(),
            notes: self.notes(&one, &assessed, 0, identity, held_until),
            ruleset: self.reference(),
        })
    }

    /// Says in words which rate the first row of a table is held against.
    fn prior_text(&self, table: &FeatureTable) -> String {
        match (&table.prior, table.rates[0]) {
            (Some(prior), rate) if prior.source == PriorSource::Evidence => {
                let others = prior.instances.saturating_sub(1);
                format!(
                    "prior of {} incidents per instance and month, from the evidence on {others} others",
                    plain(rate)
                )
            }
            (Some(prior), _) => format!("prior of {prior}"),
            (None, rate) => {
                let rate = if rate.is_nan() { self.rate.per_month } else { rate };
                format!("prior of {} incidents per instance and month", plain(rate))
            }
        }
    }

    fn explain_hazard(&self, table: &FeatureTable, score: &Score, k: usize) -> HazardExplanation {
        let bare = |kind, log_odds, text| Term {
            kind,
            signal: None,
            group: None,
            rule: None,
            feature: None,
            value: None,
            bin: None,
            log_odds,
            text,
        };
        let mut terms = vec![bare(TermKind::Prior, score.prior[k], self.prior_text(table))];
        for (signal, evidence) in score.passage(k) {
            let text = text::passage(self, table, 0, signal, k);
            terms.push(Term { signal: Some(signal), ..bare(TermKind::FirstPassage, evidence, text) });
        }
        let names = columns();
        for win in score.groups.iter().filter_map(|g| g[k]) {
            let rule = &self.rules[win.rule];
            let (feature, bin) = match &rule.evidence {
                Evidence::Constant(_) => (None, None),
                Evidence::Binned { feature, bins } => (Some(*feature), win.bin.map(|b| bins[b].0)),
            };
            let value = feature.map(|f| table.get(0, f)).filter(|v| v.is_finite());
            terms.push(Term {
                signal: Some(rule.signal),
                group: Some(self.groups[rule.group].clone()),
                rule: Some(rule.id.clone()),
                feature: feature.map(|f| names[f].clone()),
                value,
                bin,
                ..bare(TermKind::Rule, win.evidence, rule.why.render(|c| table.get(0, c)))
            });
        }
        let log_odds = self.calibrate(&score.prior, &score.log_odds)[k];
        let delta = log_odds - score.log_odds[k];
        terms.push(bare(TermKind::Calibration, delta, "calibration".to_owned()));
        HazardExplanation { horizon: HORIZON_NAMES[k].to_owned(), terms, log_odds, hazard: sigmoid(log_odds) }
    }
}

impl Explanation {
    /// Writes the explanation as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let mut out = vec![format!("{} as of {}: {}", self.instance_id, self.as_of, self.confidence.name())];
        out.extend(self.notes.iter().map(|note| format!("  note: {note}")));
        if let Horizons { h24: Some(a), h72: Some(b), h168: Some(c) } = self.probability {
            let [a, b, c] = [a, b, c].map(text::probability);
            out.push(format!("  P(24 h) {a}, P(72 h) {b}, P(168 h) {c}"));
        }
        for h in &self.hazards {
            out.push(format!("hazard {}", h.horizon));
            for t in &h.terms {
                let rule = t.rule.as_deref().map(|r| format!("{r}: ")).unwrap_or_default();
                let bin = match (&t.feature, t.value, t.bin) {
                    (Some(f), Some(v), Some(b)) => format!(" [{f} {} >= {}]", plain(v), plain(b)),
                    _ => String::new(),
                };
                out.push(format!("  {:>+8.3}  {rule}{}{bin}", t.log_odds, t.text));
            }
            out.push(format!("  {:>+8.3}  log-odds, a hazard of {}", h.log_odds, text::probability(h.hazard)));
        }
        if !self.outweighed.is_empty() {
            out.push("fired, but not counted".to_owned());
            out.extend(self.outweighed.iter().map(|o| format!("            {}: {}", o.rule, o.text)));
        }
        out.push(format!(
            "{} rules did not fire; rule set {} {}",
            self.silent_rules, self.ruleset.name, self.ruleset.version
        ));
        out
    }
}
