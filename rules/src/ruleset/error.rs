//! Says what is wrong with a rule set, where, and what to do.

use crate::hazard::CalibrationError;

/// Says what is wrong with a rule set: file, line, rule and problem.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{origin}:{line}: {}{problem}", rule.as_ref().map(|r| format!("rule `{r}`: ")).unwrap_or_default())]
pub struct RuleSetError {
    /// The file or name that the text came from.
    pub origin: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The rule concerned, where it is one.
    pub rule: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a rule set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message is its documentation")]
pub enum Problem {
    #[error("{0}")]
    Toml(String),
    #[error("the predicate can't be read: {0}")]
    Syntax(String),
    #[error("`{0}` is a statement or ends one; `when` takes one Boolean expression over feature columns")]
    Statement(String),
    #[error(
        "aggregate function `{0}` is refused: a predicate sees only its own row; use a feature such as `cpu_mean_24h`"
    )]
    Aggregate(String),
    #[error("window function `{0}` is refused: a predicate sees only its own row")]
    Window(String),
    #[error("a subquery is refused: a predicate sees only its own row")]
    Subquery,
    #[error(
        "`{0}` is not supported in a predicate; comparisons, arithmetic, AND, OR, NOT, BETWEEN, IN, IS NULL and CASE are"
    )]
    Unsupported(String),
    #[error("the predicate is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("unknown column `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownColumn { name: String, nearest: Option<String> },
    #[error("unknown function `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownFunction { name: String, nearest: Option<String> },
    #[error("unknown parameter `:{name}`{}; parameters stand in [params]", suggestion(nearest.as_ref()))]
    UnknownParam { name: String, nearest: Option<String> },
    #[error("parameter `{name}` is never used{}", suggestion(nearest.as_ref()))]
    UnusedParam { name: String, nearest: Option<String> },
    #[error("`{0}` is a number where a Boolean is needed; compare it with something, as in `{0} > 0`")]
    NotBoolean(String),
    #[error("`{0}` is a Boolean where a number is needed")]
    NotNumber(String),
    #[error("`{name}` takes {takes}, not {given}")]
    Arguments { name: &'static str, takes: &'static str, given: usize },
    #[error("Polars refuses the predicate: {0}")]
    Polars(String),
    #[error("evidence {0} is negative; evidence only adds to the risk, so it is 0 or more")]
    NegativeEvidence(f64),
    #[error("{what} is {value}, which is not a finite number")]
    NotFinite { what: String, value: f64 },
    #[error(
        "evidence bins over `{feature}` must have rising edges and evidence that never falls; bin {bin} breaks that"
    )]
    Bins { feature: String, bin: usize },
    #[error("evidence is written for each hazard, and `horizons` would share it out again; leave one of them out")]
    HorizonsTwice,
    #[error("evidence bins over `{0}` are empty; give at least one [edge, evidence]")]
    NoBins(String),
    #[error("`{0}` is the id of an earlier rule too; ids are unique")]
    DuplicateId(String),
    #[error("the rule has an empty {0}")]
    Empty(&'static str),
    #[error("{what} is {value}, outside {low} to {high}")]
    Range { what: String, value: f64, low: f64, high: f64 },
    #[error("the environment variable {variable} is `{value}`, which is not a finite number; correct or unset it")]
    Environment { variable: String, value: String },
    #[error(
        "{warning} = {warning_value} and {critical} = {critical_value}: the warning level must come before the critical one"
    )]
    Levels { warning: String, warning_value: f64, critical: String, critical_value: f64 },
    #[error("horizon `{name}` is unknown; horizons are 0-24h, 24-72h and 72-168h")]
    UnknownHorizon { name: String },
    #[error("horizon `{0}` has two calibrations")]
    DuplicateHorizon(String),
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    #[error(
        "the placeholder `{{{0}}}` is not understood; write {{column}}, {{column:.1}}, {{column:%}}, {{column:min}}, {{column:h}} or {{:param}}"
    )]
    Placeholder(String),
    #[error("signal `{name}` is unknown{}", suggestion(nearest.as_ref()))]
    UnknownSignal { name: String, nearest: Option<String> },
}

fn suggestion(nearest: Option<&String>) -> String {
    nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

/// Gives the line, from 1, that byte `offset` of `text` lies on.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}
