//! Reads a script and decides, call by call, what goes wrong: the same script and the same calls give the same faults.

use super::operation::Operation;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::xxh64;

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Answers that there were too many calls.
    Throttle,
    /// Answers with this HTTP status, 500 to 599.
    Http(u16),
    /// Closes the connection before the call is forwarded.
    Reset,
    /// Forwards the call, then closes the connection: it took effect, and nobody knows.
    LoseReply,
    /// Waits so many milliseconds before forwarding, at most 60,000.
    Delay(u64),
    /// Takes the call and says nothing for as long as the caller holds the line; nothing is forwarded.
    Silent,
    /// Forwards the call, and gives the answer's body at a byte a second, and spaces when it is at its end.
    Drip,
    /// Lets this share of a `PutRecords` call's entries fail, at least one.
    PartialPutRecords(f64),
    /// Lets this share of a `PutEvents` call's entries fail, at least one.
    PartialPutEvents(f64),
    /// Answers `GetRecords` that the iterator has expired.
    ExpireIterator,
}

/// When a rule strikes; what is not said does not matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The operation, such as `PutRecords`, or `*`.
    pub operation: String,
    /// Only the n-th call, from 1.
    pub nth: Option<u64>,
    /// Every n-th call.
    pub every: Option<u64>,
    /// With this probability, drawn from the seed.
    pub probability: Option<f64>,
    /// At most so often.
    pub times: Option<u64>,
    /// What is done then.
    pub action: Option<Action>,
}

/// A script as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    seed: u64,
    rules: Vec<Condition>,
}

/// Explains what is wrong with a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is no JSON of this form.
    #[error("the script cannot be understood")]
    Form(#[from] serde_json::Error),
    /// A rule makes no sense.
    #[error("rule {number} of the script: {what}")]
    Rule {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A script that makes sense, and how far it has come.
#[derive(Debug)]
pub struct Script {
    seed: u64,
    rules: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    when: Condition,
    action: Action,
    /// Calls that it was about.
    calls: u64,
    struck: u64,
}

/// A fault that is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// Which rule, from 1.
    pub rule: usize,
    /// Which of the calls that the rule is about, from 1.
    pub call: u64,
    /// What is to be done.
    pub action: Action,
    /// What random choices are drawn from.
    pub seed: u64,
}

impl Script {
    /// Reads and checks a script.
    ///
    /// # Errors
    /// When it is no JSON of the right form, or a rule makes no sense.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let raw: Raw = serde_json::from_str(text)?;
        let rules = raw.rules.into_iter().enumerate().map(|(i, when)| {
            check(&when)
                .map(|action| Counted { when, action, calls: 0, struck: 0 })
                .map_err(|what| ScriptError::Rule { number: i + 1, what })
        });
        Ok(Self { seed: raw.seed, rules: rules.collect::<Result<_, _>>()? })
    }

    /// Counts a call, and says what is to be done to it.
    pub fn decide(&mut self, operation: &Operation) -> Option<Strike> {
        let mut found = None;
        for (i, rule) in self.rules.iter_mut().enumerate() {
            if rule.when.operation != "*" && rule.when.operation != operation.name {
                continue;
            }
            rule.calls += 1;
            let seed = draw(self.seed, i as u64, rule.calls);
            if found.is_none() && rule.strikes(seed) {
                rule.struck += 1;
                found = Some(Strike { rule: i + 1, call: rule.calls, action: rule.action, seed });
            }
        }
        found
    }
}

impl Counted {
    fn strikes(&self, seed: u64) -> bool {
        let w = &self.when;
        w.nth.is_none_or(|n| n == self.calls)
            && w.every.is_none_or(|n| self.calls.is_multiple_of(n))
            && w.probability.is_none_or(|p| unit(seed) < p)
            && w.times.is_none_or(|n| self.struck < n)
    }
}

fn check(when: &Condition) -> Result<Action, &'static str> {
    let action = when.action.ok_or("it has no action")?;
    if when.operation.is_empty() {
        return Err("operation must be the name of one, or *");
    }
    if when.nth == Some(0) || when.every == Some(0) {
        return Err("nth and every count from 1");
    }
    if when.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
        return Err("probability must be 0 to 1");
    }
    match action {
        Action::Http(status) if !(500..=599).contains(&status) => Err("http takes a status from 500 to 599"),
        Action::Delay(ms) if ms > 60_000 => Err("delay takes at most 60000 milliseconds"),
        Action::PartialPutRecords(share) | Action::PartialPutEvents(share) if !(0.0..=1.0).contains(&share) => {
            Err("the share of entries that fail must be 0 to 1")
        }
        Action::PartialPutRecords(_) if when.operation != "PutRecords" => Err("its operation must be PutRecords"),
        Action::PartialPutEvents(_) if when.operation != "PutEvents" => Err("its operation must be PutEvents"),
        Action::ExpireIterator if when.operation != "GetRecords" => Err("its operation must be GetRecords"),
        Action::Throttle
        | Action::Http(_)
        | Action::Reset
        | Action::LoseReply
        | Action::Delay(_)
        | Action::Silent
        | Action::Drip
        | Action::PartialPutRecords(_)
        | Action::PartialPutEvents(_)
        | Action::ExpireIterator => Ok(action),
    }
}

/// Draws a number that depends on nothing but these.
pub(super) fn draw(seed: u64, a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.to_le_bytes());
    bytes[8..].copy_from_slice(&b.to_le_bytes());
    xxh64(&bytes, seed)
}

/// Gives a drawn number as a fraction from 0 to below 1.
pub(super) fn unit(drawn: u64) -> f64 {
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_proxy::Protocol;

    fn calls(script: &str, names: &[&str]) -> Vec<Option<usize>> {
        let mut script = Script::parse(script).unwrap();
        let operation =
            |name: &str| Operation { service: String::new(), name: name.to_owned(), protocol: Protocol::Json };
        names.iter().map(|name| script.decide(&operation(name)).map(|s| s.rule)).collect()
    }

    #[test]
    fn rules_count_their_own_calls_and_the_first_that_strikes_is_taken() {
        let script = r#"{"rules": [
            {"operation": "A", "nth": 2, "action": "throttle"},
            {"operation": "*", "every": 2, "times": 2, "action": {"http": 503}},
            {"operation": "B", "action": "reset"}
        ]}"#;
        let found = calls(script, &["A", "A", "B", "A", "A", "A", "B"]);
        assert_eq!(found, [None, Some(1), Some(3), Some(2), None, Some(2), Some(3)]);
    }

    #[test]
    fn chance_is_the_seeds() {
        let script = |seed| {
            format!(r#"{{"seed": {seed}, "rules": [{{"operation": "A", "probability": 0.3, "action": "reset"}}]}}"#)
        };
        let names = ["A"; 1000];
        let (first, second) = (calls(&script(1), &names), calls(&script(2), &names));
        assert_eq!(first, calls(&script(1), &names));
        assert_ne!(first, second);
        let struck = first.iter().flatten().count();
        assert!((240..360).contains(&struck), "{struck}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |rule: &str| Script::parse(&format!(r#"{{"rules": [{rule}]}}"#)).unwrap_err().to_string();
        for (rule, says) in [
            (r#"{"operation": "A"}"#, "no action"),
            (r#"{"operation": "A", "nth": 0, "action": "reset"}"#, "count from 1"),
            (r#"{"operation": "A", "probability": 2, "action": "reset"}"#, "0 to 1"),
            (r#"{"operation": "A", "action": {"http": 404}}"#, "500 to 599"),
            (r#"{"operation": "A", "action": "expire_iterator"}"#, "GetRecords"),
            (r#"{"operation": "PutEvents", "action": {"partial_put_records": 0.5}}"#, "PutRecords"),
        ] {
            assert!(refused(rule).contains(says), "{rule}: {}", refused(rule));
        }
        assert!(Script::parse(r#"{"rules": [{"operation": "A", "action": "explode"}]}"#).is_err());
        assert!(Script::parse(r#"{"rules": [{"operation": "A", "when": 1, "action": "reset"}]}"#).is_err());
    }
}
