//! Holds rule sets: thresholds, prior, calibration and rules, read from TOML and checked before anything uses them.
//!
//! The layout is documented at the top of `rulesets/default.toml`. A rule set goes raw (as written) -> checked -> built
//! (predicates compiled, parameters bound); only the built form leaves this module.

mod build;
mod error;
mod nearest;
mod params;
mod raw;
mod why;

pub use error::{Problem, RuleSetError};
pub use params::Params;
pub use why::{UNKNOWN, Why};

pub(crate) use nearest::nearest;
pub(crate) use why::plain;

use crate::feature::Feature;
use crate::feature_set::FeatureSet;
use crate::features::{FeatureSettings, Levels as SignalLevels};
use crate::hazard::{Calibration, HAZARDS, PerHazard, prior_log_odds};
use crate::predicate::Predicate;
use crate::table::FeatureTable;
use forewarn_domain::levels::{Episodes, Levels};
use forewarn_domain::prediction::{Action, FailureType, RuleSetRef};
use forewarn_domain::signal::{CREDIT_SHARES, SIGNALS, Signal};
use forewarn_models::base_rate::Stated;
use std::collections::BTreeSet;

/// The text of the rule set that is built in.
pub const DEFAULT_TOML: &str = include_str!("../rulesets/default.toml");

/// What is read of every signal, whatever the rules say: for first passage, and for whether an instance can be assessed.
const READ_BY_ALL: [Feature; 7] =
    [Feature::SilenceHours, Feature::X24, Feature::X72, Feature::X168, Feature::NoNews, Feature::N, Feature::Now];

/// A rule set, checked and compiled.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    pub(crate) params: Params,
    pub(crate) levels: Levels,
    pub(crate) episodes: Episodes,
    pub(crate) limits: Limits,
    /// The rate that is assumed of a fleet of which nothing is known, and the instance months that it counts for.
    pub(crate) rate: Stated,
    /// Log-odds of an incident within each hazard's own span at that rate.
    pub(crate) prior: PerHazard,
    pub(crate) passage: Passage,
    pub(crate) calibration: [Calibration; HAZARDS],
    pub(crate) provenance: toml::Table,
    pub(crate) groups: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

/// One rule, checked and compiled.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its id, unique in the rule set.
    pub id: String,
    /// Its group, as an index into [`RuleSet::groups`]; within a group only the strongest counts. A rule that names none is a group of its own.
    pub group: usize,
    /// The failure axis that it speaks of.
    pub signal: Signal,
    /// What it says will break.
    pub failure_type: FailureType,
    /// What to do about it.
    pub action: Action,
    /// When it fires.
    pub when: Predicate,
    /// How much it says when it fires.
    pub evidence: Evidence,
    /// True when `fit` leaves its evidence as it is.
    pub locked: bool,
    /// True when it needs no history: it is heard however little is known of the instance otherwise.
    pub hard: bool,
    /// The reason in words.
    pub why: Why,
    /// Every signal whose features it reads, its own included.
    pub signals: BTreeSet<Signal>,
}

/// Evidence of a rule that fired towards each hazard, in log-odds, zero or more.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// Always the same.
    Constant(PerHazard),
    /// By the value of a feature: the evidence of the highest edge that the value reaches; zero below all edges and where
    /// the feature is unknown.
    Binned {
        /// The column index of the feature.
        feature: usize,
        /// Edges, rising, each with its evidence, never falling.
        bins: Vec<(f64, PerHazard)>,
    },
}

impl Evidence {
    /// Gives the column index of the feature that it goes by, where it does.
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Constant(_) => None,
            Self::Binned { feature, .. } => Some(*feature),
        }
    }

    /// Gives the bin that the feature's value falls into, and the evidence.
    pub fn of(&self, value: impl Fn(usize) -> f64) -> (Option<usize>, PerHazard) {
        match self {
            Self::Constant(e) => (None, *e),
            Self::Binned { feature, bins } => {
                let x = value(*feature);
                // NaN reaches no edge.
                match bins.iter().rposition(|(edge, _)| x >= *edge) {
                    Some(bin) => (Some(bin), bins[bin].1),
                    None => (None, [0.0; HAZARDS]),
                }
            }
        }
    }
}

/// What must be known before an instance can be called healthy.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Smallest share of the last 24 hours with samples.
    pub min_coverage_24h: f64,
    /// Longest silence in hours.
    pub max_silence_hours: f64,
    /// Shortest history in hours.
    pub min_age_hours: f64,
    /// At least one of these signals must have samples; empty asks for none.
    pub require_any: Vec<Signal>,
    /// How many hours features look back at most.
    pub lookback_hours: f64,
}

/// How first-passage probabilities become evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Weight of each signal towards each hazard, in the order of [`SIGNALS`].
    pub weights: [PerHazard; SIGNALS.len()],
    /// The most that a signal's first passage may add to a hazard, in log-odds.
    pub cap: f64,
}

impl RuleSet {
    /// Reads a rule set; `origin` names the text in errors, `env` looks up environment variables.
    ///
    /// # Errors
    /// When anything in it isn't right: the error names file, line, rule and, for a misspelt name, the nearest known one.
    pub fn parse(text: &str, origin: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, RuleSetError> {
        build::build(text, origin, env)
    }

    /// Reads the rule set that is built in.
    ///
    /// # Errors
    /// When an environment variable holds no number or puts a warning level past its critical level.
    pub fn builtin(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, RuleSetError> {
        Self::parse(DEFAULT_TOML, "rulesets/default.toml", env)
    }

    /// Gives its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Gives the SHA-256, in hexadecimal, of its text (line ends and trailing blanks aside) and of the parameters in force.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Identifies it in predictions.
    pub fn reference(&self) -> RuleSetRef {
        RuleSetRef { name: self.name.clone(), version: self.version.clone(), sha256: self.sha256.clone() }
    }

    /// Gives the parameters in force.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Gives the (warning, critical) levels in force for a signal.
    pub fn thresholds(&self, signal: Signal) -> (f64, f64) {
        let s = signal.spec();
        let get = |name, built_in| self.params.get(name).unwrap_or(built_in);
        (get(s.warning_param, s.warning), get(s.critical_param, s.critical))
    }

    /// Gives the levels in force that a signal is held against.
    pub fn signal_levels(&self, signal: Signal) -> SignalLevels {
        let (warning, critical) = self.thresholds(signal);
        let share = |(name, built_in)| self.params.get(name).unwrap_or(built_in);
        let of_cap = (signal == Signal::Credits).then(|| CREDIT_SHARES.map(share));
        SignalLevels { warning, critical, of_cap, ..SignalLevels::of(signal.spec()) }
    }

    /// Gives all of the rule set that features depend on; every feature is wanted.
    pub fn feature_settings(&self) -> FeatureSettings {
        FeatureSettings {
            levels: SIGNALS.each_ref().map(|spec| self.signal_levels(spec.signal)),
            lookback_hours: self.limits.lookback_hours as usize,
            wanted: FeatureSet::ALL,
        }
    }

    /// Gives the features that its probabilities come from: what its rules and first passage read. Words read more.
    pub fn features_read(&self) -> FeatureSet {
        let mut read = FeatureSet::NONE;
        read.add_to_all(&READ_BY_ALL);
        for rule in &self.rules {
            rule.when.columns().iter().copied().chain(rule.evidence.column()).for_each(|c| read.add_column(c));
        }
        read
    }

    /// Gives the levels' thresholds and the hysteresis.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Gives when an episode is announced, and when several are one.
    pub fn episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// Gives what must be known before an instance can be called healthy.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Gives the incidents per instance and month (30 days) that are assumed of a fleet of which nothing is known, and the instance months
    /// that this counts for beside what is.
    pub fn rate(&self) -> Stated {
        self.rate
    }

    /// Gives the prior log-odds of each hazard at that rate.
    pub fn prior(&self) -> &PerHazard {
        &self.prior
    }

    /// Gives the prior log-odds of each hazard in a row: those of the rate that the table says, else of the rule set's own.
    pub fn prior_of(&self, table: &FeatureTable, row: usize) -> PerHazard {
        let rate = table.rates[row];
        if rate.is_nan() { self.prior } else { prior_log_odds(rate) }
    }

    /// Gives how first-passage probabilities become evidence.
    pub fn passage(&self) -> &Passage {
        &self.passage
    }

    /// Gives the calibration of each hazard.
    pub fn calibration(&self) -> &[Calibration; HAZARDS] {
        &self.calibration
    }

    /// Gives how the weights were obtained, as the rule set states it.
    pub fn provenance(&self) -> &toml::Table {
        &self.provenance
    }

    /// Gives the names of the groups, in order of appearance.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Gives the rules, in order of appearance.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
