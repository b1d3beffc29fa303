//! Resolves the thresholds in force: built in, then the rule set's, then the environment's.

use super::error::Problem;
use super::nearest::nearest;
use forewarn_domain::signal::{Direction, SIGNALS};
use std::collections::BTreeMap;

/// The parameters in force, by lower-case name.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    values: BTreeMap<String, f64>,
}

impl Params {
    /// Resolves parameters: the level of each signal is built in, `stated` overrides and adds, and `env` overrides each by its
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
        Ok(())
    }
}
