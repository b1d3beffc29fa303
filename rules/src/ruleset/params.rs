//! Resolves the thresholds in force: built in, then the rule set's, then the environment's.

use super::error::Problem;
use super::nearest::nearest;
use forewarn_domain::signal::{CREDIT_SHARES, Direction, SIGNALS};
use std::collections::BTreeMap;

/// The parameters in force, by lower-case name.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    values: BTreeMap<String, f64>,
}

impl Params {
    /// Resolves parameters: the level of each signal is built in, and so are the shares of a type's most credits, `stated` overrides and adds, and `env` overrides each by its
    /// upper-cased name.
    pub(crate) fn in_force(
        stated: &BTreeMap<String, f64>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        for s in &SIGNALS {
            values.insert(s.warning_param.to_owned(), s.warning);
            values.insert(s.critical_param.to_owned(), s.critical);
        }
        values.extend(CREDIT_SHARES.map(|(name, share)| (name.to_owned(), share)));
        values.extend(stated.iter().map(|(k, v)| (k.clone(), *v)));
        for (name, value) in &mut values {
            let variable = name.to_uppercase();
            if let Some(text) = env(&variable) {
                let parsed = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
                *value = parsed.ok_or(Problem::Environment { variable, value: text })?;
            }
        }
        let params = Self { values };
        params.check_levels()?;
        Ok(params)
    }

    /// Gives a parameter's value.
    ///
    /// # Errors
    /// When there is no such parameter; the error names the nearest one.
    pub fn get(&self, name: &str) -> Result<f64, Problem> {
        self.values.get(name).copied().ok_or_else(|| Problem::UnknownParam {
            name: name.to_owned(),
            nearest: nearest(name, self.values.keys().map(String::as_str)),
        })
    }

    /// Lists all parameters by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(k, v)| (k.as_str(), *v))
    }

    fn check_levels(&self) -> Result<(), Problem> {
        for s in &SIGNALS {
            let (warning, critical) = (self.get(s.warning_param)?, self.get(s.critical_param)?);
            let ordered = match s.direction {
                Direction::Up => warning < critical,
                Direction::Down => warning > critical,
            };
            if !ordered {
                return Err(Problem::Levels {
                    warning: s.warning_param.to_owned(),
                    warning_value: warning,
                    critical: s.critical_param.to_owned(),
                    critical_value: critical,
                });
            }
        }
        let [(warning, _), (critical, _)] = CREDIT_SHARES;
        let (warning_value, critical_value) = (self.get(warning)?, self.get(critical)?);
        if let Some((name, value)) =
            [(warning, warning_value), (critical, critical_value)].into_iter().find(|(_, v)| !(0.0..=1.0).contains(v))
        {
            return Err(Problem::Range { what: format!("parameter `{name}`"), value, low: 0.0, high: 1.0 });
        }
        if warning_value <= critical_value {
            let (warning, critical) = (warning.to_owned(), critical.to_owned());
            return Err(Problem::Levels { warning, warning_value, critical, critical_value });
        }
        Ok(())
    }
}
